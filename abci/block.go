package abci

import (
	"context"
	"fmt"

	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"

	"votenode/app"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/genesis"
)

// finalized is a block between FinalizeBlock and Commit.
type finalized struct {
	block   *state.Block
	tip     Tip
	hashes  [][32]byte
	results []Result
	events  []abcitypes.Event
	voters  []string // whose ballots the block records, as the pool names them
}

// FinalizeBlock implements CometBFT's Application: it executes a decided block on the newest state and stores nothing. A bad
// transaction gets a code: block sync and replay bring blocks that were never seen as proposals. An error means that the ledger
// is corrupted, or that another program is needed, and stops the node; see HoldBeyond.
func (a *Application) FinalizeBlock(_ context.Context, req *abcitypes.RequestFinalizeBlock) (*abcitypes.ResponseFinalizeBlock, error) {
	if err := a.hold(); err != nil {
		return nil, err
	}
	newest := a.ledger.Newest()
	if newest == nil || newest.Height()+1 != req.Height {
		return nil, fmt.Errorf("block %d does not follow the newest state", req.Height)
	}
	p := a.parse(finalize, req.Txs)
	if err := a.verify(newest, p); err != nil {
		return nil, fmt.Errorf("verifying block %d: %w", req.Height, err)
	}
	draft := a.ledger.NewDraft()
	outcome, err := a.app.Execute(draft, blockOf(req, p.verdicts))
	if err != nil {
		return nil, fmt.Errorf("executing block %d: %w", req.Height, err)
	}
	block, err := draft.Finish()
	if err != nil {
		return nil, fmt.Errorf("hashing the state of block %d: %w", req.Height, err)
	}
	response := responseOf(block, outcome)
	a.next = &finalized{
		block: block, tip: Tip{req.Height, req.Time.UnixNano()}, hashes: p.hashes, results: resultsOf(req.Height, outcome), events: response.Events, voters: votersOf(p, outcome),
	}
	if err := a.results.Wait(); err != nil {
		a.log.Error("writing the index of results", "height", req.Height-1, "error", err)
	}
	return response, nil
}

// Commit implements CometBFT's Application: it stores the state that FinalizeBlock made. Crash points: before the clock file is
// written, nothing of this height is on disk; before the ledger has committed, the block is executed again from the same bytes;
// after, CometBFT goes on from its own copy of the response, and Recover adds the results. It never asks for pruning.
func (a *Application) Commit(context.Context, *abcitypes.RequestCommit) (*abcitypes.ResponseCommit, error) {
	next := a.next
	if next == nil {
		return nil, fmt.Errorf("nothing to commit after height %d", a.height())
	}
	if err := a.clock.set(next.tip.Height, a.options.Now().UnixNano()); err != nil {
		return nil, fmt.Errorf("recording the time of commit %d: %w", next.tip.Height, err)
	}
	if err := a.ledger.Commit(next.block); err != nil {
		return nil, fmt.Errorf("committing height %d: %w", next.tip.Height, err)
	}
	a.next = nil
	a.drop(next.hashes...)
	a.settle(a.pool.recordedAll(next.voters))
	a.results.Add(next.tip.Height, next.hashes, next.results, next.events)
	for _, hash := range a.pool.expire(next.tip.Height) {
		a.results.GiveUp(hash, tx.Refuse(tx.CodeRetryLater, "no block took it within %d heights", poolLife))
	}
	a.marks.expire(next.tip.Height)
	if err := a.lookBeyond(a.ledger.Newest()); err != nil {
		return nil, err
	}
	a.advance(&next.tip)
	return &abcitypes.ResponseCommit{}, nil
}

// Recover adds the results of the newest block from what CometBFT holds of it: they are all that a killed node can lack.
func (a *Application) Recover(height int64, txs [][]byte, last *abcitypes.ResponseFinalizeBlock) {
	results := last.TxResults
	if len(txs) != len(results) {
		return
	}
	hashes, found := make([][32]byte, len(txs)), make([]Result, len(txs))
	for i, raw := range txs {
		hashes[i] = hashOf(raw)
		found[i] = Result{Height: height, Index: uint32(i), Code: tx.Code(results[i].Code), Detail: shorten(results[i].Log)}
	}
	a.results.Add(height, hashes, found, last.Events)
}

// blockOf translates a decided block.
func blockOf(req *abcitypes.RequestFinalizeBlock, verdicts []tx.Verdict) app.Block {
	b := app.Block{Height: req.Height, Time: req.Time.UnixNano(), Hash: [32]byte(req.Hash), Txs: verdicts}
	for _, v := range req.DecidedLastCommit.Votes {
		b.LastCommit = append(b.LastCommit, app.CommitVote{
			Address: [20]byte(v.Validator.Address),
			Signed:  v.BlockIdFlag == cmtproto.BlockIDFlagCommit,
		})
	}
	for _, m := range req.Misbehavior {
		b.Misbehaviour = append(b.Misbehaviour, app.Misbehaviour{
			Address: [20]byte(m.Validator.Address), Type: uint32(m.Type), Height: m.Height, Time: m.Time.UnixNano(),
		})
	}
	return b
}

func resultsOf(height int64, outcome *app.Outcome) []Result {
	results := make([]Result, len(outcome.Results))
	for i, r := range outcome.Results {
		results[i] = Result{Height: height, Index: uint32(i), Code: r.Code, Detail: shorten(r.Detail)}
	}
	return results
}

// responseOf translates what a block did. Of a result, CometBFT hashes the code alone.
func responseOf(block *state.Block, outcome *app.Outcome) *abcitypes.ResponseFinalizeBlock {
	hash := block.AppHash()
	res := &abcitypes.ResponseFinalizeBlock{AppHash: hash[:], TxResults: make([]*abcitypes.ExecTxResult, len(outcome.Results))}
	for i, r := range outcome.Results {
		res.TxResults[i] = &abcitypes.ExecTxResult{Code: uint32(r.Code), Log: shorten(r.Detail)}
	}
	for _, u := range outcome.ValidatorUpdates {
		res.ValidatorUpdates = append(res.ValidatorUpdates, abcitypes.Ed25519ValidatorUpdate(u.Key[:], u.Power))
	}
	res.Events = eventsOf(outcome)
	res.ConsensusParamUpdates = paramsOf(outcome)
	return res
}

// paramsOf returns what a block changes of CometBFT's parameters, nil where it changes nothing. The version is one of them, and stays
// where no upgrade raises it.
func paramsOf(outcome *app.Outcome) *cmtproto.ConsensusParams {
	if outcome.Parameters == nil && outcome.Version == 0 {
		return nil
	}
	updates := new(cmtproto.ConsensusParams)
	if outcome.Parameters != nil {
		*updates = genesis.ConsensusParams(outcome.Parameters).ToProto()
	}
	updates.Version = nil
	if outcome.Version != 0 {
		updates.Version = &cmtproto.VersionParams{App: outcome.Version}
	}
	return updates
}

// eventsOf translates the events of a block.
func eventsOf(outcome *app.Outcome) (events []abcitypes.Event) {
	for _, e := range outcome.Events {
		event := abcitypes.Event{Type: e.Type}
		for _, attribute := range e.Attributes {
			event.Attributes = append(event.Attributes, abcitypes.EventAttribute{Key: attribute.Key, Value: attribute.Value})
		}
		events = append(events, event)
	}
	return events
}

// votersOf names the voters whose ballots a block records.
func votersOf(p *proposal, outcome *app.Outcome) (voters []string) {
	for i, parsed := range p.parsed {
		if parsed != nil && parsed.Kind().Casts() && outcome.Results[i].Code == tx.CodeOK {
			name, _ := owner(parsed)
			voters = append(voters, name)
		}
	}
	return voters
}
