package app

import (
	"fmt"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// Block is what consensus decided, as far as a transition may depend on it.
type Block struct {
	Height int64
	// Time of the header, unix nanoseconds.
	Time int64
	// Hash of the header.
	Hash [32]byte
	// Txs are the verdicts on the block's transactions, in order. A refusal is recorded as it is.
	Txs []tx.Verdict
	// LastCommit says who signed the block before.
	LastCommit []CommitVote
	// Misbehaviour is the evidence in the block.
	Misbehaviour []Misbehaviour
}

// CommitVote is one validator's part in a commit.
type CommitVote struct {
	Address [20]byte
	// Signed says whether the validator precommitted the block that was decided.
	Signed bool
}

// Misbehaviour is evidence against a validator.
type Misbehaviour struct {
	Address [20]byte
	// Type is CometBFT's number: 1 duplicate vote, 2 light client attack.
	Type   uint32
	Height int64
	// Time of the misbehaviour, unix nanoseconds.
	Time int64
}

// Event tells followers what happened; no hash covers it.
type Event struct {
	Type       string
	Attributes []Attribute
}

// Attribute is a named text.
type Attribute struct{ Key, Value string }

// Result is the outcome of one transaction. Code is under LastResultsHash, Detail is for people.
type Result struct {
	Code   tx.Code
	Detail string
}

// ValidatorUpdate changes the power of a consensus key; 0 removes it.
type ValidatorUpdate struct {
	Key   [32]byte
	Power int64
}

// Outcome is what a block did besides writing to the draft.
type Outcome struct {
	Results []Result
	// ValidatorUpdates act two heights later, sorted by key.
	ValidatorUpdates []ValidatorUpdate
	// Version is the protocol version of the next height where an upgrade makes it another one, else 0.
	Version uint64
	// Parameters are set where a resolution changed them.
	Parameters *pb.Parameters
	Events     []Event
}

// execution is the work on one block.
type execution struct {
	writing
	block      Block
	parameters *pb.Parameters
	outcome    Outcome
	combined   uint64 // what the contests cost that were combined at the end of the block
	formed     int    // lists that were formed at the end of the block
}

// Execute applies a block to a draft. An error means a corrupted store, or it is ErrProtocol: the draft must be thrown away and the node
// stops.
// Spec 9.1: phases move, transactions in order, end of block.
func (a *App) Execute(draft state.Writer, block Block) (*Outcome, error) {
	if err := a.knows(draft, block.Height); err != nil {
		return nil, err
	}
	params, err := state.MustLoad[pb.Parameters](draft, state.KeyParameters)
	if err != nil {
		return nil, err
	}
	pending, err := loadPending(draft)
	if err != nil {
		return nil, err
	}
	x := &execution{block: block, parameters: params}
	x.writing = writing{
		reading: reading{App: a, View: draft, height: block.Height, now: block.Time},
		Writer:  draft, sums: newBlockSums(a), pending: pending, events: &x.outcome.Events,
	}
	if err := x.beginBlock(); err != nil {
		return nil, err
	}
	for _, verdict := range block.Txs {
		result, err := x.transaction(verdict)
		if err != nil {
			return nil, err
		}
		x.outcome.Results = append(x.outcome.Results, result)
	}
	if err := x.endBlock(); err != nil {
		return nil, err
	}
	return &x.outcome, nil
}

// transaction checks, then applies: a transaction that is refused has not written anything.
func (x *execution) transaction(verdict tx.Verdict) (Result, error) {
	if verdict.Refusal != nil {
		return Result{Code: verdict.Refusal.Code, Detail: verdict.Refusal.Detail}, nil
	}
	p := verdict.Verified.Parsed()
	h, err := handlerOf(p.Kind())
	if err != nil {
		return Result{}, err
	}
	if err = p.CheckSize(&x.parameters.Limits); err == nil {
		err = h.check(&x.reading, p)
	}
	refusal, err := refusalOf(err)
	if err != nil {
		return Result{}, err
	}
	if refusal != nil {
		return Result{Code: refusal.Code, Detail: refusal.Detail}, nil
	}
	if err := h.apply(&x.writing, verdict.Verified); err != nil {
		return Result{}, fmt.Errorf("applying a checked %v: %w", p.Kind(), err)
	}
	return Result{Code: tx.CodeOK}, nil
}

// emit adds an event of the block.
func (w *writing) emit(kind string, pairs ...string) {
	e := Event{Type: kind}
	for i := 0; i+1 < len(pairs); i += 2 {
		e.Attributes = append(e.Attributes, Attribute{Key: pairs[i], Value: pairs[i+1]})
	}
	*w.events = append(*w.events, e)
}

// save writes a record.
func (w *writing) save(key string, m election.Message) { state.Save(w.Writer, key, m) }
