package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

const (
	maxBatch      = 64 << 10        // bytes that a stream holds at once
	batchPatience = 3 * time.Second // for a reader to take what it was sent; with endPatience twice it is less than closePatience
	endPatience   = time.Second / 2 // for a reader to take the last words
	heartbeat     = 15 * time.Second
)

// streams serves events, as many streams as there are tokens. Each reads what is stored at its own pace and holds one batch: nobody waits for a
// reader, and a reader that does not read within patience is cut off.
type streams struct {
	feed     *feed
	advanced func() <-chan struct{}
	tokens   chan struct{}
	clients  *clients
	patience time.Duration
	beat     time.Duration
	stop     <-chan struct{}
}

func newStreams(c Config, source chronicle, advanced func() <-chan struct{}, stop <-chan struct{}) *streams {
	return &streams{
		feed: newFeed(source, stop), advanced: advanced, tokens: make(chan struct{}, c.Streams), clients: newClients(c.PerClient),
		patience: batchPatience, beat: heartbeat, stop: stop,
	}
}

// errStreams is the answer where all streams are taken.
var errStreams = &refusal{status: http.StatusServiceUnavailable, after: 5, text: "the node serves as many streams of events as it can; come again, or ask another node"}

// events serves GET /v1/events?from=CURSOR&kinds=K,K&election=E.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	if !s.streams.clients.enter(host) {
		s.answer(w, nil, &refusal{status: http.StatusTooManyRequests, after: 5, text: "too many streams of events to one address"})
		return
	}
	defer s.streams.clients.leave(host)
	select {
	case s.streams.tokens <- struct{}{}:
		defer func() { <-s.streams.tokens }()
	default:
		s.answer(w, nil, errStreams)
		return
	}
	st, batch, err := s.streams.open(w, r)
	if r.Context().Err() != nil {
		return
	}
	if err != nil {
		s.answer(w, nil, err)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("X-Accel-Buffering", "no") // of proxies that hold answers back
	if err := st.run(r.Context(), batch); err != nil {
		if !errors.As(err, new(*refusal)) {
			s.log.Error("telling events", "error", err)
			err = errors.New("the node cannot read on; ask another one, with the last id")
		}
		st.end(err.Error())
	}
}

// stream is one that is open.
type stream struct {
	*streams
	w      http.ResponseWriter
	c      *http.ResponseController
	next   cursor
	filter eventFilter
}

// open reads a request and the first batch for it, so that a wrong cursor has its status.
func (s *streams) open(w http.ResponseWriter, r *http.Request) (*stream, []byte, error) {
	q := queryOf(r)
	from, kinds, election := q.text("from"), q.text("kinds"), q.text("election")
	if err := q.done(); err != nil {
		return nil, nil, err
	}
	if r.ContentLength != 0 {
		return nil, nil, bad("events are asked for without a body")
	}
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		from = last // whoever connects again comes with the query of the first time
	}
	filter, err := parseEventFilter(kinds, election)
	if err != nil {
		return nil, nil, err
	}
	tip := s.feed.chronicle.tip()
	st := &stream{streams: s, w: w, c: http.NewResponseController(w), next: cursor{height: max(tip, 1)}, filter: filter}
	if from != "" {
		if st.next, err = parseCursor(from); err != nil {
			return nil, nil, err
		}
	}
	if err := st.c.SetReadDeadline(time.Time{}); err != nil { // it would pass while nothing is read, and end the request
		return nil, nil, err
	}
	if st.next.height > tip {
		return st, nil, nil
	}
	batch, next, err := s.feed.read(r.Context(), st.next, filter)
	st.next = next
	return st, batch, err
}

// run sends what there is and what comes, until the reader goes, does not read, or the node stops; then it returns nil. An error is the
// reason why it cannot go on.
func (st *stream) run(ctx context.Context, batch []byte) error {
	beat := time.NewTicker(st.beat)
	defer beat.Stop()
	if st.send(append([]byte("retry: 3000\n\n"), batch...)) != nil {
		return nil
	}
	for {
		advanced := st.advanced()
		behind := st.next.height <= st.feed.chronicle.tip()
		if behind {
			batch, next, err := st.feed.read(ctx, st.next, st.filter)
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return err
			}
			if st.next = next; len(batch) > 0 && st.send(batch) != nil {
				return nil
			}
			advanced = ready
		}
		select {
		case <-st.stop:
			return errStops
		case <-ctx.Done():
			return nil
		default:
		}
		select {
		case <-advanced:
		case <-beat.C:
			if st.send(fmt.Appendf(nil, ":\nid: %v\n\n", st.next)) != nil {
				return nil
			}
		case <-st.stop:
		case <-ctx.Done():
		}
	}
}

// ready is a channel for whoever need not wait.
var ready = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func (st *stream) send(b []byte) error { return st.sendWithin(st.patience, b) }

// sendWithin writes what the reader has to take within some time.
func (st *stream) sendWithin(patience time.Duration, b []byte) error {
	if err := st.c.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := st.w.Write(b); err != nil {
		return err
	}
	if err := st.c.Flush(); err != nil {
		return err
	}
	return st.c.SetWriteDeadline(time.Time{}) // over HTTP/2 it would end the stream though nothing is being written
}

// end tells the reader why nothing more comes. What cannot be written ends the connection as well.
func (st *stream) end(reason string) {
	text, err := json.Marshal(map[string]string{"error": reason})
	if err == nil {
		st.sendWithin(endPatience, fmt.Appendf(nil, "event: end\ndata: %s\n\n", text))
	}
	st.c.SetWriteDeadline(time.Now().Add(endPatience)) // for what net/http adds
}
