package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/abci"
	"votenode/app/election"
	"votenode/app/tx"
)

// The kinds of events that are not the application's own.
const (
	eventBlock       = "block"
	eventTransaction = "transaction"
	eventCertified   = "certified"
)

// eventKinds are all kinds that can be asked for.
var eventKinds = []string{
	eventBlock, eventTransaction, eventCertified,
	"phase", "opening-missed", "keys", "trial-passed", "trustee-ejected", "resolution", "document", "nominations", "candidate-removed", "lot", "list", "initiative",
}

const (
	// recentHeights is how many of the newest heights, and how many others, have their events in memory.
	recentHeights = 4
	// maxEvents is what the events of one height take in memory at most, bytes: 350 each, for 60,000 of the smallest transactions.
	maxEvents = 24 << 20
)

// chronicle is what events are made of: stored, and the same at all nodes.
type chronicle interface {
	// tip returns the newest height whose events can be told.
	tip() int64
	block(height int64) *cmttypes.Block
	outcome(height int64) (*abci.BlockOutcome, error)
	// certified says whether a height is certified by the block two after it.
	certified(height int64) (bool, error)
}

// stored is the chronicle of a node.
type stored struct{ *Source }

func (s stored) tip() int64                                  { return s.App.Tip().Height }
func (s stored) block(height int64) *cmttypes.Block          { return s.Blocks.LoadBlock(height) }
func (s stored) certified(height int64) (bool, error)        { return s.CertifiedAt(height) }
func (s stored) outcome(h int64) (*abci.BlockOutcome, error) { return s.App.Results().Outcome(h) }

// What an event tells, besides its height and index. All encode as JSON objects that are not empty; those of the application are its
// attributes.
type (
	blockEvent struct {
		Time time.Time `json:"time"`
		Hash string    `json:"hash"`
		// AppHash stands in the header: it is that of the state after the block before.
		AppHash      string `json:"app_hash"`
		Transactions int    `json:"transactions"`
	}
	transactionEvent struct {
		Hash string `json:"hash"`
		// Kind is empty for bytes that are no transaction.
		Kind     string `json:"kind"`
		Election string `json:"election,omitempty"`
		Code     uint32 `json:"code"`
		Name     string `json:"name"`
	}
	certifiedEvent struct {
		Certified int64 `json:"certified_height"`
	}
)

// event is one event of a height.
type event struct {
	kind     string
	election string // that it is about, "" for none
	end      int    // of its text
}

// heightEvents are the events of a height, in order: the block, its transactions, what the application told, and last, where the block
// certifies one, the height that it certifies. Being last, it moves no other where a node cannot tell (docs/spec 7.11). It is not changed
// once it is made.
type heightEvents struct {
	height    int64
	events    []event
	text      []byte // of all events, as they are sent
	certifies bool
}

// eventsOf makes the events of a height.
func eventsOf(c chronicle, height int64) (*heightEvents, error) {
	block := c.block(height)
	if block == nil {
		return nil, gone("block %d is not kept here; begin at a later height, or ask another node", height)
	}
	outcome, err := c.outcome(height)
	if err != nil {
		return nil, err
	}
	if outcome == nil || len(outcome.Codes) != len(block.Txs) {
		return nil, gone("what block %d did is not stored here; begin at a later height, or ask another node", height)
	}
	h := &heightEvents{height: height, events: make([]event, 0, 2+len(block.Txs)+len(outcome.Events))}
	err = h.add(eventBlock, "", blockEvent{
		block.Time.UTC(), hex.EncodeToString(block.Hash()), hex.EncodeToString(block.AppHash), len(block.Txs),
	})
	for i, raw := range block.Txs {
		e := transactionEventOf(raw, outcome.Codes[i])
		err = errors.Join(err, h.add(eventTransaction, e.Election, e))
	}
	for _, told := range outcome.Events {
		attributes := make(map[string]string, len(told.Attributes))
		for _, a := range told.Attributes {
			attributes[a.Key] = a.Value
		}
		err = errors.Join(err, h.add(told.Type, attributes["election"], attributes))
	}
	if height < 3 || err != nil {
		return h, err
	}
	if h.certifies, err = c.certified(height - 2); h.certifies {
		err = h.add(eventCertified, "", certifiedEvent{height - 2})
	}
	return h, err
}

// add appends an event.
func (h *heightEvents) add(kind, election string, tells any) error {
	body, err := json.Marshal(tells)
	index := len(h.events)
	h.text = fmt.Appendf(h.text, "id: %d.%d\nevent: %s\ndata: {\"height\":%d,\"index\":%d,%s\n\n", h.height, index, kind, h.height, index, bytes.TrimPrefix(body, []byte("{")))
	h.events = append(h.events, event{kind, election, len(h.text)})
	return err
}

func transactionEventOf(raw []byte, code tx.Code) transactionEvent {
	hash := sha256.Sum256(raw)
	e := transactionEvent{Hash: hex.EncodeToString(hash[:]), Code: uint32(code), Name: code.String()}
	parsed, err := tx.Parse(raw)
	if err != nil {
		return e
	}
	e.Kind = parsed.Kind().String()
	if body, ok := parsed.Body().(interface{ GetElection() string }); ok {
		e.Election = body.GetElection()
	}
	return e
}

// begin returns where the text of an event begins.
func (h *heightEvents) begin(index int) int {
	if index == 0 {
		return 0
	}
	return h.events[index-1].end
}

// gone is the refusal of a height that this node will never show.
func gone(format string, args ...any) error {
	return &refusal{status: http.StatusGone, text: fmt.Sprintf(format, args...)}
}

// cursor is a place in the sequence of all events: the next event.
type cursor struct {
	height int64
	index  int
}

// parseCursor reads the name of a place: height.index is the place after that event, a height alone that before its first event.
func parseCursor(text string) (cursor, error) {
	height, index, after := strings.Cut(text, ".")
	h, err := strconv.ParseInt(height, 10, 64)
	c := cursor{height: h}
	if after && err == nil {
		c.index, err = strconv.Atoi(index)
		c.index++
	}
	if err != nil || c.height < 1 || c.index < 0 || c.String() != text {
		return cursor{}, bad("%.40q is no cursor: it is a height, to begin with its first event, or the id of the last event that came, height.index", text)
	}
	return c, nil
}

// String returns the name that parseCursor reads.
func (c cursor) String() string {
	if c.index == 0 {
		return strconv.FormatInt(c.height, 10)
	}
	return fmt.Sprintf("%d.%d", c.height, c.index-1)
}

// eventFilter says which events are sent.
type eventFilter struct {
	kinds    []string // all where it is empty
	election string   // any where it is ""
}

func parseEventFilter(kinds, id string) (eventFilter, error) {
	f := eventFilter{election: id}
	if id != "" {
		if err := election.CheckID(id); err != nil {
			return f, bad("election: %v", err)
		}
	}
	if kinds == "" {
		return f, nil
	}
	for kind := range strings.SplitSeq(kinds, ",") {
		if !slices.Contains(eventKinds, kind) {
			return f, bad("there is no kind of events %.40q; there are %s", kind, strings.Join(eventKinds, ", "))
		}
		f.kinds = append(f.kinds, kind)
	}
	return f, nil
}

func (f eventFilter) all() bool { return len(f.kinds) == 0 && f.election == "" }

func (f eventFilter) passes(e event) bool {
	return (len(f.kinds) == 0 || slices.Contains(f.kinds, e.kind)) && (f.election == "" || f.election == e.election)
}

// feed makes the events of heights, of each once for all streams that are near the newest, and one after the other for those that are
// behind, with a rest after each as long as the making took: reading old blocks takes no more than half a core, less where the machine is
// busy, and nobody near the newest waits for it.
type feed struct {
	chronicle     chronicle
	newest, older chan struct{} // one token each for whoever makes events
	stop          <-chan struct{}

	mu        sync.Mutex
	near, far [recentHeights]*heightEvents
}

func newFeed(c chronicle, stop <-chan struct{}) *feed {
	return &feed{chronicle: c, newest: make(chan struct{}, 1), older: make(chan struct{}, 1), stop: stop}
}

// errStops ends the streams of a node that stops.
var errStops = &refusal{status: http.StatusServiceUnavailable, after: 1, text: "the node stops; connect again with the last id, to any node"}

// at returns the events of a height up to the tip.
func (f *feed) at(ctx context.Context, height int64) (*heightEvents, error) {
	tokens, slot := f.newest, &f.near[height%recentHeights]
	old := height <= f.chronicle.tip()-recentHeights
	if old {
		tokens, slot = f.older, &f.far[height%recentHeights]
	}
	if h := f.known(slot, height); h != nil {
		return h, nil
	}
	rest := time.Duration(0)
	select {
	case tokens <- struct{}{}:
		defer func() { time.AfterFunc(rest, func() { <-tokens }) }()
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-f.stop:
		return nil, errStops
	}
	if h := f.known(slot, height); h != nil {
		return h, nil
	}
	begun := time.Now()
	h, err := eventsOf(f.chronicle, height)
	if old {
		rest = time.Since(begun)
	}
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	*slot = h
	return h, nil
}

func (f *feed) known(slot **heightEvents, height int64) *heightEvents {
	f.mu.Lock()
	defer f.mu.Unlock()
	if h := *slot; h != nil && h.height == height {
		return h
	}
	return nil
}

// read returns, as they are sent, the next events of one height that pass a filter, at most about maxBatch bytes, and the place after them. The
// bytes are not the caller's.
func (f *feed) read(ctx context.Context, from cursor, filter eventFilter) ([]byte, cursor, error) {
	h, err := f.at(ctx, from.height)
	if err != nil {
		return nil, from, err
	}
	count := len(h.events)
	if from.index > count && (h.certifies || from.index > count+1) {
		return nil, from, bad("height %d has %d events; %v is the id of none", from.height, count, from)
	}
	next := cursor{height: from.height + 1}
	if from.index >= count {
		return nil, next, nil
	}
	if filter.all() {
		begin := h.begin(from.index)
		end := len(h.text)
		for i := from.index; i < count; i++ {
			if h.events[i].end-begin >= maxBatch {
				end, next = h.events[i].end, cursor{from.height, i + 1}
				break
			}
		}
		return h.text[begin:end:end], next, nil
	}
	var batch []byte
	for i := from.index; i < count; i++ {
		if e := h.events[i]; filter.passes(e) {
			batch = append(batch, h.text[h.begin(i):e.end]...)
		}
		if len(batch) >= maxBatch {
			return batch, cursor{from.height, i + 1}, nil
		}
	}
	return batch, next, nil
}
