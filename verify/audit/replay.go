package audit

import (
	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app"
	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/cells"
)

// replay executes the blocks with the state machine over a state of the auditor's own.
type replay struct {
	app    *app.App
	ledger *state.Ledger
	*backend
}

// executed is what the execution of a block gave.
type executed struct {
	outcome     *app.Outcome
	appHash     state.Hash
	resultsHash []byte
}

func newReplay(source Source, space *cells.Space, doc *pb.Genesis, genesisHash [32]byte, protocol uint64) (*replay, error) {
	r := &replay{app: app.NewOf(doc.ChainId, protocol), backend: newBackend(space, source)}
	ledger, err := state.Open(r.backend)
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
	r.block = b
	results := make([]*abcitypes.ExecTxResult, len(outcome.Results))
	for i, result := range outcome.Results {
		results[i] = &abcitypes.ExecTxResult{Code: uint32(result.Code)}
	}
	if err := r.ledger.Commit(finished); err != nil {
		return nil, err
	}
	r.ledger.KeepNewest()
	return &executed{outcome, finished.AppHash(), cmttypes.NewResults(results).Hash()}, nil
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
