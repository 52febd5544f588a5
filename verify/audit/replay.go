package audit

import (
	"bytes"
	"fmt"
	"strings"

	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app"
	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
)

// replay executes the blocks with the state machine over a state in memory.
type replay struct {
	app    *app.App
	ledger *state.Ledger
	source Source

	// The leaves of logs are not kept a second time: those of ballot logs stand in the blocks, those of rolls are small.
	ballots map[string][]place  // by log
	rolls   map[string][][]byte // by log
}

// place says where a ballot stands in the files of blocks.
type place struct {
	offset int64
	file   int32
	size   int32
}

// executed is what the execution of a block gave.
type executed struct {
	outcome     *app.Outcome
	appHash     state.Hash
	resultsHash []byte
}

func newReplay(source Source, doc *pb.Genesis, genesisHash [32]byte) (*replay, error) {
	r := &replay{app: app.New(doc.ChainId), source: source, ballots: map[string][]place{}, rolls: map[string][][]byte{}}
	ledger, err := state.Open(&state.Memory{Leaf: r.leaf})
	if err != nil {
		return nil, err
	}
	r.ledger = ledger
	draft := ledger.NewGenesis()
	r.app.InitLedger(draft, doc, genesisHash)
	finished, err := draft.Finish()
	if err != nil {
		return nil, err
	}
	return r, ledger.Commit(finished)
}

func (r *replay) view() *state.Snapshot { return r.ledger.Newest() }

// leaf returns a leaf of a roll or of a ballot log.
func (r *replay) leaf(log string, index uint64) ([]byte, error) {
	if roll := r.rolls[log]; index < uint64(len(roll)) {
		return roll[index], nil
	}
	places := r.ballots[log]
	if index >= uint64(len(places)) {
		return nil, fmt.Errorf("%w: %d of %s", state.ErrNotFound, index, log)
	}
	p := places[index]
	b := make([]byte, p.size)
	return b, r.source.ReadAt(int(p.file), p.offset, b)
}

// execute executes a block whose transactions all have a verdict. An error says that the state machine cannot go on.
func (r *replay) execute(b *block, commit []app.CommitVote) (*executed, error) {
	draft := r.ledger.NewDraft()
	outcome, err := r.app.Execute(draft, app.Block{
		Height: b.Height, Time: b.Time.UnixNano(), Hash: [32]byte(b.Hash()),
		Txs: b.verdicts, LastCommit: commit, Misbehaviour: misbehaviour(b),
	})
	if err != nil {
		return nil, err
	}
	finished, err := draft.Finish()
	if err != nil {
		return nil, err
	}
	r.keepLeaves(b, finished)
	results := make([]*abcitypes.ExecTxResult, len(outcome.Results))
	for i, result := range outcome.Results {
		results[i] = &abcitypes.ExecTxResult{Code: uint32(result.Code)}
	}
	return &executed{outcome, finished.AppHash(), cmttypes.NewResults(results).Hash()}, r.ledger.Commit(finished)
}

// misbehaviour returns the evidence of a block as CometBFT tells the application.
func misbehaviour(b *block) []app.Misbehaviour {
	var list []app.Misbehaviour
	for _, m := range b.Evidence.Evidence.ToABCI() {
		list = append(list, app.Misbehaviour{
			Address: [20]byte(m.Validator.Address), Type: uint32(m.Type), Height: m.Height, Time: m.Time.UnixNano(),
		})
	}
	return list
}

// keepLeaves notes where the new leaves of logs stand. Changes are sorted, so the leaves of a log come in order. The key of a leaf is
// that of spec 5.1: 02, id of the log, 00, index.
func (r *replay) keepLeaves(b *block, finished *state.Block) {
	from := 0
	for _, c := range finished.Changes() {
		if c.Key[0] != 0x02 {
			continue
		}
		log := string(c.Key[1 : len(c.Key)-9])
		switch {
		case strings.HasSuffix(log, "/roll"):
			r.rolls[log] = append(r.rolls[log], c.Value)
		case strings.HasSuffix(log, "/ballots"):
			r.ballots[log] = append(r.ballots[log], find(b, c.Value, &from))
		}
	}
}

// find looks for a transaction in the bytes of its block, first behind from.
func find(b *block, raw []byte, from *int) place {
	at := bytes.Index(b.at.Raw[*from:], raw)
	if at < 0 {
		*from = 0
		at = bytes.Index(b.at.Raw, raw)
	}
	at += *from
	*from = at + len(raw)
	return place{offset: b.at.Offset + int64(at), file: int32(b.at.File), size: int32(len(raw))}
}
