package app

import (
	"errors"
	"fmt"
	"sync"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// App holds what is derived from the state and costly to derive again. It holds no state: everything that a transition depends
// on is read from the view or the draft that is handed in. Its caches are safe for concurrent use; Execute is called by one
// goroutine at a time.
type App struct {
	chain    string
	protocol uint64 // the greatest version that it knows

	mu          sync.Mutex
	manifests   map[[32]byte]*pb.Manifest    // of elections, by hash; immutable values
	nominations map[[32]byte]*nominations    // that were opened, by hash; immutable values
	proposed    map[[32]byte]candidate       // by hash, at most maxCandidates
	parts       map[[32]byte][]uint32        // styles of elections by the roll of another one, by manifest hash; immutable values
	ballots     map[[32]byte]*ballotElection // by key digest, which binds the election; immutable values
	tallies     map[string]cachedTally       // by record key; used by Execute alone
	logs        logTable                     // used by Execute alone
	proven      provenParts
	roll        recentRoll
}

// New returns the state machine of a chain.
func New(chain string) *App { return NewOf(chain, Protocol) }

// NewOf returns the state machine of a chain in a program that says which protocol version is the greatest that it knows.
func NewOf(chain string, protocol uint64) *App {
	return &App{
		chain:       chain,
		protocol:    protocol,
		manifests:   make(map[[32]byte]*pb.Manifest),
		nominations: make(map[[32]byte]*nominations),
		proposed:    make(map[[32]byte]candidate),
		ballots:     make(map[[32]byte]*ballotElection),
		parts:       make(map[[32]byte][]uint32),
		tallies:     make(map[string]cachedTally),
	}
}

// reading is what checks see: a view and the block in which they are asked.
type reading struct {
	*App
	state.View
	height int64
	now    int64 // block time, unix nanoseconds
}

// writing is what apply functions see.
type writing struct {
	reading
	state.Writer
	sums    *blockSums
	pending *pendingResolutions
	events  *[]Event
	parts   bool // partial decryptions took effect in this block
	// resolution is the hash of the one whose decision is applied.
	resolution []byte
}

const second = 1_000_000_000

// reached says whether block time has come to a moment in unix seconds.
func (r *reading) reached(seconds int64) bool { return r.now >= seconds*second }

// deadline returns the moment, in unix seconds, that lies a span of seconds behind block time, which is rounded up.
func (r *reading) deadline(seconds uint32) int64 { return (r.now+second-1)/second + int64(seconds) }

// handler is what the state machine does with one kind of transaction.
type handler struct {
	check func(r *reading, p *tx.Parsed) error
	apply func(w *writing, v *tx.Verified) error
}

// handle binds the two functions of a transaction to its message.
func handle[M any](check func(r *reading, p *tx.Parsed, m *M) error, apply func(w *writing, v *tx.Verified, m *M) error) handler {
	return handler{
		check: func(r *reading, p *tx.Parsed) error { return check(r, p, any(p.Body()).(*M)) },
		apply: func(w *writing, v *tx.Verified) error { return apply(w, v, any(v.Parsed().Body()).(*M)) },
	}
}

// handlers is the one table from kind to handler.
var handlers = map[tx.Kind]handler{
	tx.KindPublishDocument:   handle(checkPublishDocument, applyPublishDocument),
	tx.KindProposeResolution: handle(checkProposeResolution, applyProposeResolution),
	tx.KindApproveResolution: handle(checkApproveResolution, applyApproveResolution),
	tx.KindWithdrawApproval:  handle(checkWithdrawApproval, applyWithdrawApproval),
	tx.KindAddRollEntries:    handle(checkAddRollEntries, applyAddRollEntries),
	tx.KindAnnounceDeal:      handle(checkAnnounceDeal, applyAnnounceDeal),
	tx.KindPublishDeal:       handle(checkPublishDeal, applyPublishDeal),
	tx.KindConfirmDeals:      handle(checkConfirmDeals, applyConfirmDeals),
	tx.KindComplainDeal:      handle(checkComplainDeal, applyComplainDeal),
	tx.KindPostTrial:         handle(checkPostTrial, applyPostTrial),
	tx.KindCastBallot:        handle(checkCastBallot, applyCastBallot),
	tx.KindSpoilBallot:       handle(checkSpoilBallot, applySpoilBallot),
	tx.KindPostPartials:      handle(checkPostPartials, applyPostPartials),
	tx.KindAuthorBlock:       handle(checkAuthorBlock, applyAuthorBlock),
	tx.KindReportIntake:      handle(checkReportIntake, applyReportIntake),

	tx.KindSubmitApplications:  handle(checkSubmitApplications, applySubmitApplications),
	tx.KindDecideApplications:  handle(checkDecideApplications, applyDecideApplications),
	tx.KindWithdrawApplication: handle(checkWithdrawApplication, applyWithdrawApplication),
	tx.KindPublishInitiative:   handle(checkPublishInitiative, applyPublishInitiative),
	tx.KindSupportInitiative:   handle(checkSupportInitiative, applySupportInitiative),
	tx.KindPostComment:         handle(checkPostComment, applyPostComment),
	tx.KindCommitLot:           handle(checkCommitLot, applyCommitLot),
	tx.KindRevealLot:           handle(checkRevealLot, applyRevealLot),
	tx.KindCastChoice:          handle(checkCastChoice, applyCastChoice),
}

// handlerOf returns the handler of a kind. A kind that Parse lets through and the table lacks is a bug, never a refusal.
func handlerOf(k tx.Kind) (handler, error) {
	h, ok := handlers[k]
	if !ok {
		return handler{}, fmt.Errorf("app: no handler for %v", k)
	}
	return h, nil
}

// refusalOf splits an error into a refusal, which is an outcome, and anything else, which stops the node.
func refusalOf(err error) (*tx.Refusal, error) {
	var r *tx.Refusal
	if errors.As(err, &r) {
		return r, nil
	}
	return nil, err
}

// manifest returns the manifest of an election by its hash. It was checked when the election was created.
func (a *App) manifest(v state.View, hash []byte) (*pb.Manifest, error) {
	key := [32]byte(hash)
	a.mu.Lock()
	m := a.manifests[key]
	a.mu.Unlock()
	if m != nil {
		return m, nil
	}
	b, err := document(v, hash)
	if err != nil {
		return nil, err
	}
	m, err = election.ParseManifest(b)
	if err != nil {
		return nil, fmt.Errorf("%w: manifest %x: %w", state.ErrCorrupted, hash, err)
	}
	a.mu.Lock()
	a.manifests[key] = m
	a.mu.Unlock()
	return m, nil
}

// candidate is what parsing a document as a manifest gave: exactly one of the two is set.
type candidate struct {
	manifest *pb.Manifest
	refusal  *tx.Refusal
}

// maxCandidates bounds the documents that are remembered as parsed, so that proposing one of them again and again costs little.
const maxCandidates = 4

// candidate returns the manifest of an election that is proposed, or a refusal.
func (a *App) candidate(v state.View, hash []byte) (*pb.Manifest, error) {
	key := [32]byte(hash)
	a.mu.Lock()
	c, known := a.proposed[key]
	a.mu.Unlock()
	if !known {
		b, err := document(v, hash)
		if err != nil {
			return nil, err
		}
		if c.manifest, err = election.ParseManifest(b); err != nil {
			c.refusal = tx.Refuse(tx.CodeInvalidManifest, "%v", err)
		}
		a.mu.Lock()
		if len(a.proposed) >= maxCandidates {
			clear(a.proposed)
		}
		a.proposed[key] = c
		a.mu.Unlock()
	}
	if c.refusal != nil {
		return nil, c.refusal
	}
	return c.manifest, nil
}

// Nominations returns the rules of nominations that the view holds.
func (a *App) Nominations(v state.View, s *pb.NominationsState) (*pb.Nominations, error) {
	n, err := a.rulesOf(v, s.Document)
	if err != nil {
		return nil, err
	}
	return n.Nominations, nil
}

// Manifest returns the manifest of an election that the view holds.
func (a *App) Manifest(v state.View, e *pb.Election) (*pb.Manifest, error) {
	return a.manifest(v, e.Manifest)
}
