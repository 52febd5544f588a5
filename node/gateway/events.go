package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/abci"
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
	"phase", "opening-missed", "keys", "trial-passed", "trustee-ejected", "resolution", "document",
}

const (
	// recentHeights is how many of the newest heights, and how many others, have their events in memory.
	recentHeights = 8
	// maxEvents is what the events of one height take in memory at most, bytes: fewer than the greatest block, whose transactions they tell
	// of.
	maxEvents = 8 << 20
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

// event is one event of a height.
type event struct {
	kind     string
	election string // that it is about, "" for none
	body     any    // encodes as a JSON object that is not empty
}

type blockEvent struct {
	Time time.Time `json:"time"`
	Hash string    `json:"hash"`
	// AppHash stands in the header: it is that of the state after the block before.
	AppHash      string `json:"app_hash"`
	Transactions int    `json:"transactions"`
}

// transactionEvent is kept short: a block has thousands.
type transactionEvent struct {
	hash     [32]byte
	kind     tx.Kind // 0 for bytes that are no transaction
	code     tx.Code
	election string
}

// MarshalJSON implements json.Marshaler.
func (e *transactionEvent) MarshalJSON() ([]byte, error) {
	kind := ""
	if e.kind != 0 {
		kind = e.kind.String()
	}
	return json.Marshal(struct {
		Hash     string  `json:"hash"`
		Kind     string  `json:"kind"`
		Election string  `json:"election,omitempty"`
		Code     tx.Code `json:"code"`
		Name     string  `json:"name"`
	}{hex.EncodeToString(e.hash[:]), kind, e.election, e.code, e.code.String()})
}

type certifiedEvent struct {
	Certified int64 `json:"certified_height"`
}

// heightEvents are the events of a height, in order: the block, its transactions, what the application told, and last, where the block
// certifies one, the height that it certifies. Being last, it moves no other where a node cannot tell (docs/spec 7.11).
type heightEvents struct {
	height    int64
	events    []event
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
	h.events = append(h.events, event{kind: eventBlock, body: blockEvent{
		block.Time.UTC(), hex.EncodeToString(block.Hash()), hex.EncodeToString(block.AppHash), len(block.Txs),
	}})
	for i, raw := range block.Txs {
		e := transactionEventOf(raw, outcome.Codes[i])
		h.events = append(h.events, event{kind: eventTransaction, election: e.election, body: e})
	}
	for _, told := range outcome.Events {
		h.events = append(h.events, applicationEvent(told))
	}
	if height < 3 {
		return h, nil
	}
	if h.certifies, err = c.certified(height - 2); h.certifies {
		h.events = append(h.events, event{kind: eventCertified, body: certifiedEvent{height - 2}})
	}
	return h, err
}

func transactionEventOf(raw []byte, code tx.Code) *transactionEvent {
	parsed, err := tx.Parse(raw)
	if err != nil {
		return &transactionEvent{hash: sha256.Sum256(raw), code: code}
	}
	e := &transactionEvent{hash: parsed.Hash(), kind: parsed.Kind(), code: code}
	if body, ok := parsed.Body().(interface{ GetElection() string }); ok {
		e.election = body.GetElection()
	}
	return e
}

func applicationEvent(told abcitypes.Event) event {
	body := make(map[string]string, len(told.Attributes))
	for _, a := range told.Attributes {
		body[a.Key] = a.Value
	}
	return event{kind: told.Type, election: body["election"], body: body}
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

func parseEventFilter(kinds, election string) (eventFilter, error) {
	f := eventFilter{election: election}
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

func (f eventFilter) passes(e event) bool {
	return (len(f.kinds) == 0 || slices.Contains(f.kinds, e.kind)) && (f.election == "" || f.election == e.election)
}

// feed makes the events of heights, of each once for all streams that are near the newest, and one after the other for those that are
// behind: reading old blocks takes no more than one core, and nobody near the newest waits for it.
type feed struct {
	chronicle     chronicle
	newest, older chan struct{} // one token each for whoever makes events

	mu        sync.Mutex
	near, far [recentHeights]*heightEvents
}

func newFeed(c chronicle) *feed {
	return &feed{chronicle: c, newest: make(chan struct{}, 1), older: make(chan struct{}, 1)}
}

// at returns the events of a height up to the tip.
func (f *feed) at(ctx context.Context, height int64) (*heightEvents, error) {
	tokens, slot := f.newest, &f.near[height%recentHeights]
	if height <= f.chronicle.tip()-recentHeights {
		tokens, slot = f.older, &f.far[height%recentHeights]
	}
	if h := f.known(slot, height); h != nil {
		return h, nil
	}
	select {
	case tokens <- struct{}{}:
		defer func() { <-tokens }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if h := f.known(slot, height); h != nil {
		return h, nil
	}
	h, err := eventsOf(f.chronicle, height)
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

// read returns, as they are sent, the next events of one height that pass a filter, at most about maxBatch bytes, and the place after them.
func (f *feed) read(ctx context.Context, from cursor, filter eventFilter) ([]byte, cursor, error) {
	h, err := f.at(ctx, from.height)
	if err != nil {
		return nil, from, err
	}
	count := len(h.events)
	if from.index > count && (h.certifies || from.index > count+1) {
		return nil, from, bad("height %d has %d events; %v is the id of none", from.height, count, from)
	}
	var batch []byte
	for ; from.index < count; from.index++ {
		if len(batch) >= maxBatch {
			return batch, from, nil
		}
		if e := h.events[from.index]; filter.passes(e) {
			if batch, err = appendEvent(batch, e, from); err != nil {
				return nil, from, err
			}
		}
	}
	return batch, cursor{height: from.height + 1}, nil
}

// appendEvent adds an event in the form of a stream.
func appendEvent(b []byte, e event, at cursor) ([]byte, error) {
	body, err := json.Marshal(e.body)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(b, "id: %d.%d\nevent: %s\ndata: {\"height\":%d,\"index\":%d,%s\n\n", at.height, at.index, e.kind, at.height, at.index, body[1:]), nil
}
