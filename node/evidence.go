package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/abci"
	"votenode/app/election"
	"votenode/app/state"
	"votenode/node/gateway"
	pb "votenode/proto/votenode/v1"
)

// certifiedDepth is how many heights back the newest certified one is looked for when none is known yet.
const certifiedDepth = 1_000

// evidence knows which heights are certified as far as this node sees (docs/spec chapter 6), and keeps the proof of every
// announced validator set, which can be made only while the state that holds the announcement is at hand.
type evidence struct {
	node *Node

	mu     sync.Mutex
	tip    int64           // newest height that was looked at
	newest int64           // newest certified height, 0 before
	state  *state.Snapshot // of that height, nil where it is not kept
}

func newEvidence(n *Node) *evidence { return &evidence{node: n} }

// follow looks at every new height until ctx is done.
func (e *evidence) follow(ctx context.Context) error {
	for {
		advanced := e.node.app.Advanced()
		e.node.progress.rose()
		if err := e.update(); err != nil {
			return err
		}
		select {
		case <-advanced:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// update finds the newest certified height, and keeps the proof of an announced set once a state that holds it is certified.
func (e *evidence) update() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	tip := e.node.app.Tip().Height
	if tip == e.tip {
		return nil
	}
	for h := tip - 2; h > max(e.newest, tip-certifiedDepth, 0); h-- {
		ok, err := e.certifies(h)
		if err != nil {
			return err
		}
		if ok {
			e.newest = h
			e.state, _ = e.node.app.Ledger().At(h)
			break
		}
	}
	e.tip = tip
	return e.keepEpochProof()
}

// certifies says whether height h is certified by the precommits of height h+1 that stand in block h+2: whether they hold, in
// every organisation, more than `certify` of its power in the validator set of height h+1. CometBFT has verified each of them
// when it accepted block h+2. Spec 6.2.
func (e *evidence) certifies(h int64) (bool, error) {
	child := e.node.blocks.LoadBlockCommit(h + 1)
	if child == nil {
		return false, nil
	}
	set, err := e.node.env.StateStore.LoadValidators(h + 1)
	if err != nil {
		return false, fmt.Errorf("the validators of height %d: %w", h+1, err)
	}
	newest := e.node.app.Ledger().Newest()
	total, signed := map[string]int64{}, map[string]int64{}
	for i, v := range set.Validators {
		key, err := state.MustLoad[pb.ValidatorKey](newest, state.ValidatorKey(v.PubKey.Bytes()))
		if err != nil {
			return false, err
		}
		total[key.Organisation] += v.VotingPower
		if i < len(child.Signatures) && child.Signatures[i].BlockIDFlag == cmttypes.BlockIDFlagCommit {
			signed[key.Organisation] += v.VotingPower
		}
	}
	certify := e.node.doc.Parameters.Certify
	for organisation, power := range total {
		if signed[organisation]*int64(certify.Denominator) <= power*int64(certify.Numerator) {
			return false, nil
		}
	}
	return true, nil
}

// certified implements gateway.Source: the newest certified height with its evidence, and its state where it is kept.
func (e *evidence) certified() (int64, *pb.CertifiedState, *state.Snapshot, error) {
	if err := e.update(); err != nil {
		return 0, nil, nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.newest == 0 {
		return 0, nil, nil, nil
	}
	evidence, err := e.childrenOf(e.newest)
	return e.newest, evidence, e.state, err
}

func (e *evidence) childrenOf(h int64) (*pb.CertifiedState, error) {
	child, err := gateway.SignedHeader(e.node.blocks, h+1)
	if err != nil {
		return nil, err
	}
	return &pb.CertifiedState{Children: []*pb.SignedHeader{child}}, nil
}

func (e *evidence) epochFile(number uint64) string {
	return e.node.home.path("data", fmt.Sprintf("epoch-%06d", number))
}

// keepEpochProof stores the proof of the announced validator set, once. mu is held.
func (e *evidence) keepEpochProof() error {
	if e.state == nil {
		return nil
	}
	epochs, err := state.MustLoad[pb.ValidatorEpochs](e.state, state.KeyValidators)
	if errors.Is(err, state.ErrPruned) || err == nil && epochs.Next.Number == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	file := e.epochFile(epochs.Next.Number)
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	proof, err := e.proveEpoch(e.state)
	if err != nil {
		return err
	}
	return abci.WriteFile(file, election.Encode(proof))
}

// proveEpoch makes the proof of the record of validators in a certified state.
func (e *evidence) proveEpoch(s *state.Snapshot) (*pb.EpochProof, error) {
	evidence, err := e.childrenOf(s.Height())
	if err != nil {
		return nil, err
	}
	record, err := s.ProveRecord(state.KeyValidators)
	if err != nil {
		return nil, err
	}
	return &pb.EpochProof{State: evidence, Validators: record}, nil
}

// errNoEpochProof says that this node was not there, or fetched the blocks too late, to see an announcement certified.
var errNoEpochProof = errors.New("this node has no proof of a validator set; ask another one")

// epochs returns the proofs of all validator sets after the first, in order.
func (e *evidence) epochs() ([]*pb.EpochProof, error) {
	present, err := e.node.present()
	if err != nil {
		return nil, err
	}
	var proofs []*pb.EpochProof
	for number := uint64(2); number <= present.Number; number++ {
		proof, err := e.epoch(number)
		if err != nil {
			return nil, err
		}
		proofs = append(proofs, proof)
	}
	if proof, err := e.epoch(present.Number + 1); err == nil {
		proofs = append(proofs, proof)
	}
	return proofs, nil
}

// epoch returns the stored proof of one validator set.
func (e *evidence) epoch(number uint64) (*pb.EpochProof, error) {
	b, err := os.ReadFile(e.epochFile(number))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: epoch %d", errNoEpochProof, number)
	}
	if err != nil {
		return nil, err
	}
	proof := new(pb.EpochProof)
	return proof, election.Decode(b, proof)
}

// mayBegin says whether the consensus key may sign for the first time, at this height: from genesis on in the first epoch, and
// in a later one only when this node can prove, from a certified state, that the set was announced. Spec 7.6.
func (e *evidence) mayBegin(height int64) error {
	present, err := e.node.present()
	if err != nil || present.Number <= 1 {
		return err
	}
	_, err = e.epoch(present.Number)
	return err
}
