package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"

	"votenode/abci"
	"votenode/app/election"
	"votenode/app/organisation"
	"votenode/app/state"
	"votenode/node/gateway"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

// certifiedDepth is how many heights back the newest certified one is looked for when none is known yet.
const certifiedDepth = 1_000

// evidence knows which heights are certified as far as this node sees, by the rules that everybody verifies with (docs/spec
// chapter 6), and keeps the proof of every announced validator set, which is easily made only while the state that holds the
// announcement is new.
type evidence struct {
	node *Node

	mu     sync.Mutex
	trust  *certified.Trust
	proofs []*pb.EpochProof   // of the epochs from the second on, as far as trust goes
	tip    int64              // newest height that was looked at
	height int64              // newest certified height, 0 before
	shown  *pb.CertifiedState // that it is certified
	state  *state.Snapshot    // after that height, nil where it is not kept
	lost   uint64             // epoch whose proof cannot be made here any more
}

// newEvidence takes up the proofs that were kept.
func newEvidence(n *Node) (*evidence, error) {
	trust, err := certified.FromGenesisOf(n.doc, n.protocol)
	if err != nil {
		return nil, err
	}
	e := &evidence{node: n, trust: trust}
	for {
		file := e.proofFile()
		b, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			return e, nil
		}
		if err != nil {
			return nil, err
		}
		proof, err := certified.ParseEpochProof(b)
		if err == nil {
			e.trust, err = e.trust.Advance(proof)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w; remove the file", file, err)
		}
		e.proofs = append(e.proofs, proof)
	}
}

// proofFile is where the proof of the first epoch that is not known yet belongs.
func (e *evidence) proofFile() string {
	return e.node.home.epochProof(e.trust.Newest().Epoch() + 1)
}

// follow looks at every new height until ctx is done.
func (e *evidence) follow(ctx context.Context) error {
	alarmed := false
	for {
		advanced := e.node.app.Advanced()
		e.node.progress.rose()
		if err := e.update(); err != nil {
			return fmt.Errorf("looking for the newest certified height: %w", err)
		}
		alarmed = e.node.tellAlarms(alarmed)
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
	if err := e.catchUp(); err != nil {
		return err
	}
	for h := tip - 2; h > max(e.height, tip-certifiedDepth, 0) && e.has(h+1); h-- {
		shown, err := e.certificate(e.trust, h)
		if err != nil {
			return err
		}
		if shown != nil {
			first := e.height == 0
			e.height, e.shown = h, shown
			if e.state, err = e.keptAt(h, first); err != nil {
				return err
			}
			break
		}
	}
	e.tip = tip
	if e.state == nil {
		return nil
	}
	return e.learn(e.state, e.shown)
}

// has says whether the node has the block of a height: one that began with a snapshot lacks the earlier ones.
func (e *evidence) has(height int64) bool { return e.node.blocks.LoadBlockMeta(height) != nil }

// keptAt returns the state after a height, nil where it is not kept: proofs are then made of newer states only. After a start it is read
// from the store, so that what was certified before can be shown though nothing new is.
func (e *evidence) keptAt(h int64, started bool) (*state.Snapshot, error) {
	s, err := e.node.app.Ledger().At(h)
	if errors.Is(err, state.ErrPruned) && started {
		s, err = state.OpenAt(e.node.ledger, h)
	}
	if errors.Is(err, state.ErrPruned) {
		return nil, nil
	}
	return s, err
}

// certificate returns the evidence that a height is certified: the precommits of the next height that the block after that carries.
// It is nil where they do not suffice, or where this node lacks the proof of the validator set that signed.
func (e *evidence) certificate(trust *certified.Trust, h int64) (*pb.CertifiedState, error) {
	child, err := gateway.SignedHeader(e.node.blocks, h+1)
	if err != nil {
		return nil, err
	}
	shown := &pb.CertifiedState{Children: []*pb.SignedHeader{child}}
	_, err = trust.Verify(shown)
	if errors.Is(err, certified.ErrNotCertified) || errors.Is(err, certified.ErrMismatch) {
		return nil, nil
	}
	return shown, err
}

// certifiedAt says whether a height is certified by the commit of the next one, which the block after that carries: the same at all nodes
// that have the proof of the validator set that signed.
func (e *evidence) certifiedAt(h int64) (bool, error) {
	if err := e.update(); err != nil || !e.has(h+1) {
		return false, err
	}
	e.mu.Lock()
	trust := e.trust
	e.mu.Unlock()
	shown, err := e.certificate(trust, h)
	return shown != nil, err
}

// lacking tells which organisations signed with too little power for the state after a height to be certified, and how much each has;
// nothing where it is certified.
func (e *evidence) lacking(h int64) (string, error) {
	child, err := gateway.SignedHeader(e.node.blocks, h+1)
	if err != nil {
		return "", err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	s, err := e.trust.Inspect(&pb.CertifiedState{Children: []*pb.SignedHeader{child}})
	if err != nil {
		return "", err
	}
	var list []string
	for _, o := range s.Signed {
		if !o.Enough {
			list = append(list, fmt.Sprintf("%s signs with %d of %d power, which is too little", o.Organisation, o.Power, o.Total))
		}
	}
	return strings.Join(list, "; "), nil
}

// learn keeps the proof of the validator set that a certified state announces, where it is a new one.
func (e *evidence) learn(s *state.Snapshot, shown *pb.CertifiedState) error {
	epochs, err := state.MustLoad[pb.ValidatorEpochs](s, state.KeyValidators)
	if errors.Is(err, state.ErrPruned) {
		return nil
	}
	if err != nil || epochs.Next.Number != e.trust.Newest().Epoch()+1 {
		return err
	}
	record, err := s.ProveRecord(state.KeyValidators)
	if err != nil {
		return err
	}
	proof := &pb.EpochProof{State: shown, Validators: record}
	trust, err := e.trust.Advance(proof)
	if err != nil {
		return err
	}
	if err := abci.WriteFile(e.proofFile(), election.Encode(proof)); err != nil {
		return err
	}
	e.trust, e.proofs = trust, append(e.proofs, proof)
	e.node.log.Info("the next validator set is certified", "epoch", epochs.Next.Number, "first_height", epochs.Next.FirstHeight)
	return nil
}

// catchUp finds the proof of the present epoch where this node has executed its announcement too fast to see it: it goes back
// from the epoch's first height to a certified state, and rebuilds that from the store.
func (e *evidence) catchUp() error {
	present, err := e.node.present()
	if err != nil || present.Number != e.trust.Newest().Epoch()+1 || present.Number == e.lost {
		return err
	}
	for h := present.FirstHeight - 2; h > present.FirstHeight-int64(e.node.doc.Parameters.Handover) && e.has(h+1); h-- {
		shown, err := e.certificate(e.trust, h)
		if err != nil {
			return err
		}
		if shown == nil {
			continue
		}
		s, err := state.OpenAt(e.node.ledger, h)
		if errors.Is(err, state.ErrPruned) {
			break
		}
		if err != nil {
			return err
		}
		return e.learn(s, shown)
	}
	e.lost = present.Number
	return nil
}

// certified returns the newest certified height with the evidence, and the state after it where it is kept; height 0 where none is
// certified yet.
func (e *evidence) certified() (int64, *pb.CertifiedState, *state.Snapshot, error) {
	if err := e.update(); err != nil {
		return 0, nil, nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.height, e.shown, e.state, nil
}

// errNoEpochProof says that this node was not there to see an announcement certified.
var errNoEpochProof = errors.New("this node has no proof of the present validator set; ask another one")

// epochs returns the proofs of all validator sets after the first, in order.
func (e *evidence) epochs() ([]*pb.EpochProof, error) {
	if err := e.knowsPresent(); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.proofs, nil
}

// epochsOf returns the proofs of the validator sets from the second to the one that signed a state.
func (e *evidence) epochsOf(shown *pb.CertifiedState) ([]*pb.EpochProof, error) {
	proofs, err := e.epochs()
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	signed, err := e.trust.Inspect(shown)
	if err != nil {
		return nil, err
	}
	return proofs[:min(signed.Epoch-organisation.FirstEpochNumber, uint64(len(proofs)))], nil
}

// knowsPresent says whether this node can prove the present validator set from genesis.
func (e *evidence) knowsPresent() error {
	if err := e.update(); err != nil {
		return err
	}
	present, err := e.node.present()
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.trust.Newest().Epoch() < present.Number {
		return fmt.Errorf("%w: epoch %d", errNoEpochProof, present.Number)
	}
	return nil
}

// mayBegin says whether the consensus key may sign for the first time: from genesis on in the first epoch, and in a later one only
// when this node can prove, by certified states, that the set was announced, and has every block since then (spec 7.6). It returns the first
// height that the key could sign.
func (e *evidence) mayBegin(key []byte) (int64, error) {
	if err := e.knowsPresent(); err != nil {
		return 0, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	since := validatorSince(e.trust, key)
	if base := e.node.comet.BlockStore().Base(); since < base {
		return 0, fmt.Errorf("%w: it is a validator's since height %d, and this node's blocks begin at %d; %s", errBeforeSnapshot, since, base, remedy)
	}
	return since, nil
}

// errBeforeSnapshot says that nobody can tell here what a key has signed.
var errBeforeSnapshot = errors.New("the key may have signed before the snapshot with which this node began")

// validatorSince returns the first height of the first known epoch that has a key, 1 where none has it.
func validatorSince(trust *certified.Trust, key []byte) int64 {
	since := int64(1)
	for set := trust.Newest(); set != nil; set = trust.At(set.FirstHeight() - 1) {
		if slices.ContainsFunc(set.Validators(), func(v pb.Validator) bool { return bytes.Equal(v.Key, key) }) {
			since = set.FirstHeight()
		}
	}
	return since
}
