package gateway

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/abci"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// tale is a chronicle that tests make up.
type tale struct {
	first int64                               // height that is kept
	txs   func(height int64) (txs [][]byte)   // of a block
	knows func(height int64) (certified bool) // of the certified heights
	told  func(height int64) (events []abcitypes.Event)

	mu   sync.Mutex
	last int64
	next chan struct{}
}

func newTale(last int64) *tale {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	entry := tx.Sign("tale", &pb.AddRollEntries{Election: "mayor", Entries: []pb.RollEntry{{}}}, key)
	resolution := tx.Sign("tale", &pb.ApproveResolution{Resolution: make([]byte, 32)}, key)
	return &tale{
		first: 1, last: last, next: make(chan struct{}),
		txs:   func(height int64) [][]byte { return [][]byte{entry, resolution, []byte("nonsense")}[:height%4] },
		knows: func(height int64) bool { return height%3 != 0 },
		told: func(height int64) []abcitypes.Event {
			phase := abcitypes.Event{Type: "phase", Attributes: []abcitypes.EventAttribute{{Key: "election", Value: "mayor"}, {Key: "phase", Value: "open"}}}
			return []abcitypes.Event{phase, {Type: "resolution", Attributes: []abcitypes.EventAttribute{{Key: "hash", Value: "00"}}}}[:height%3]
		},
	}
}

func (c *tale) tip() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

func (c *tale) advanced() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.next
}

func (c *tale) advance() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	close(c.next)
	c.next = make(chan struct{})
}

func (c *tale) block(height int64) *cmttypes.Block {
	if height < c.first {
		return nil
	}
	b := &cmttypes.Block{
		Header:     cmttypes.Header{ChainID: "tale", Height: height, Time: time.Unix(height, 0), ValidatorsHash: make([]byte, 32), AppHash: []byte{byte(height)}},
		LastCommit: &cmttypes.Commit{},
	}
	for _, raw := range c.txs(height) {
		b.Txs = append(b.Txs, raw)
	}
	return b
}

func (c *tale) outcome(height int64) (*abci.BlockOutcome, error) {
	return &abci.BlockOutcome{Codes: make([]tx.Code, len(c.txs(height))), Events: c.told(height)}, nil
}

func (c *tale) certified(height int64) (bool, error) { return c.knows(height), nil }

// teller serves a tale.
type teller struct {
	*Server
	address string
	client  *http.Client
	ended   chan struct{} // gets one for each stream that has ended
}

func tell(t *testing.T, c *tale, amend func(*Config)) *teller {
	t.Helper()
	return tellOver(t, 1, c, amend)
}

// tellOver does it over HTTP/1.1, or over HTTP/2 and TLS.
func tellOver(t *testing.T, major int, c *tale, amend func(*Config)) *teller {
	t.Helper()
	config := DefaultConfig()
	if amend != nil {
		amend(&config)
	}
	s := &Server{log: slog.New(slog.DiscardHandler), stop: make(chan struct{})}
	s.streams = newStreams(config, c, c.advanced, s.stop)
	s.streams.beat = 10 * time.Millisecond
	w := &teller{Server: s, ended: make(chan struct{}, 20_000)}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		s.events(rw, r)
		w.ended <- struct{}{}
	}))
	server.Config.WriteTimeout, server.Config.ReadTimeout = 2*time.Second, 2*time.Second // TestSlowReader outlives them
	server.Listener = shallow{server.Listener}
	if major == 2 {
		server.EnableHTTP2, server.Config.HTTP2 = true, http2
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	w.address, w.client = server.URL, server.Client()
	transport := w.client.Transport.(*http.Transport)
	transport.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: shallowBuffer}
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			err = c.(*net.TCPConn).SetReadBuffer(shallowBuffer)
		}
		return c, err
	}
	return w
}

// shallowBuffer is what the system keeps of a stream that is not read, bytes each way: it is full soon, however slow the machine is.
const shallowBuffer = 64 << 10

// shallow is a listener whose connections keep little of what was written.
type shallow struct{ net.Listener }

func (l shallow) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		err = c.(*net.TCPConn).SetWriteBuffer(shallowBuffer)
	}
	return c, err
}

// patience is far beyond what anything takes.
const patience = 2 * time.Minute

// heard is what came of a stream.
type heard struct{ id, kind, data string }

// listener reads a stream.
type listener struct {
	t    *testing.T
	body io.ReadCloser
	r    *bufio.Reader
	last string // id
}

func (w *teller) listen(t *testing.T, query, last string) *listener {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.address+"/v1/events?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	res, err := w.client.Do(req)
	if err != nil || res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s, after %q: %v, %v", query, last, res, err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return &listener{t: t, body: res.Body, r: bufio.NewReader(res.Body), last: last}
}

// block reads up to an empty line, as a browser would. Without data it is no event.
func (l *listener) block() (h heard, err error) {
	for {
		line, err := l.r.ReadString('\n')
		if err != nil {
			return h, err
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "":
			return h, nil
		case "id":
			h.id, l.last = value, value
		case "event":
			h.kind = value
		case "data":
			h.data = value
		}
	}
}

// events reads so many.
func (l *listener) events(n int) (all []heard) {
	l.t.Helper()
	for len(all) < n {
		h, err := l.block()
		if err != nil {
			l.t.Fatalf("after %d of %d events: %v", len(all), n, err)
		}
		if h.data != "" {
			all = append(all, h)
		}
	}
	return all
}

// countOf is how many events a tale has up to a height.
func (c *tale) countOf(last int64) (n int) {
	for height := c.first; height <= last; height++ {
		h, err := eventsOf(c, height)
		if err != nil {
			panic(err)
		}
		n += len(h.events)
	}
	return n
}
