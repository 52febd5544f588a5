package node

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtstate "github.com/cometbft/cometbft/proto/tendermint/state"
	sm "github.com/cometbft/cometbft/state"
	cmttypes "github.com/cometbft/cometbft/types"
	cmtversion "github.com/cometbft/cometbft/version"

	"votenode/app"
	"votenode/app/organisation"
	"votenode/app/state"
	"votenode/genesis"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

// ErrSnapshotProof says that what comes with a snapshot does not show, from the genesis hash, that its state is certified.
var ErrSnapshotProof = errors.New("the snapshot is not proven")

// origin is the certified state with which a node begins, and the block before it.
type origin struct {
	doc    *pb.Genesis
	proof  *pb.SnapshotProof
	trust  *certified.Trust
	state  *certified.State
	header *cmttypes.Header // of the block
	commit *pb.SignedHeader // for the block
}

// verifyOrigin verifies the proof of a snapshot from the genesis document alone (docs/spec section 14.3). It fails with ErrSnapshotProof, and with
// an *UpgradeError where this program does not know the rules by which the ledger goes on from there.
func (n *Node) verifyOrigin(proof *pb.SnapshotProof) (*origin, error) {
	trust, proven, err := certified.FromLedgerStateOf(genesis.Hash(n.doc), proof.GetState(), certified.AnyProtocol)
	if err == nil && !proven.Certified {
		err = fmt.Errorf("%w: %s", certified.ErrNotCertified, proven.Signers())
	}
	if err == nil {
		err = proven.CheckTime(n.now())
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSnapshotProof, err)
	}
	before, err := trust.Inspect(&pb.CertifiedState{Children: []*pb.SignedHeader{proof.Block}})
	if err != nil {
		return nil, fmt.Errorf("%w: its block: %w", ErrSnapshotProof, err)
	}
	id := cmttypes.BlockID{Hash: before.Child.Hash(), PartSetHeader: cmttypes.PartSetHeader{Total: proof.Block.PartsTotal, Hash: proof.Block.PartsHash}}
	if !before.Committed || !id.Equals(proven.BlockID) {
		return nil, fmt.Errorf("%w: the block that comes with it is not the certified one, or too few precommits for it do", ErrSnapshotProof)
	}
	if version := proven.Child.Version.App; version > n.protocol {
		return nil, &UpgradeError{Known: n.protocol, Needed: version, Height: proven.Height}
	}
	return &origin{doc: n.doc, proof: proof, trust: trust, state: proven, header: before.Child, commit: proof.Block}, nil
}

// cometState returns CometBFT's state after the block, with the records of the restored ledger, and the commit for the block. Nothing of it is
// anybody's word: headers and records are certified, and the turns of the proposers are reckoned from genesis on. It fails with
// ErrSnapshotProof where the validators or the parameters are not those that the headers name.
func (o *origin) cometState(ledger state.View) (sm.State, *cmttypes.Commit, error) {
	parameters, err := state.MustLoad[pb.Parameters](ledger, state.KeyParameters)
	if err != nil {
		return sm.State{}, nil, err
	}
	record, err := state.MustLoad[pb.ValidatorEpochs](ledger, state.KeyValidators)
	if err != nil {
		return sm.State{}, nil, err
	}
	height := o.state.Height
	sets, err := validatorsAround(o.doc, o.epochs(record), height)
	if err != nil {
		return sm.State{}, nil, err
	}
	child := o.state.Child
	version, err := app.VersionAt(ledger, height+1)
	if err != nil {
		return sm.State{}, nil, err
	}
	if version != child.Version.App {
		return sm.State{}, nil, fmt.Errorf("%w: the protocol version is %d, the ledger's records give %d", ErrSnapshotProof, child.Version.App, version)
	}
	params := *genesis.ConsensusParams(parameters)
	params.Version.App = version
	s := sm.State{
		Version: cmtstate.Version{Consensus: child.Version, Software: cmtversion.TMCoreSemVer}, ChainID: o.doc.ChainId, InitialHeight: organisation.FirstHeight,
		LastBlockHeight: height, LastBlockID: o.state.BlockID, LastBlockTime: o.header.Time,
		LastValidators: sets[0], Validators: sets[1], NextValidators: sets[2], LastHeightValidatorsChanged: height + 2,
		ConsensusParams: params, LastHeightConsensusParamsChanged: height + 1,
		LastResultsHash: child.LastResultsHash, AppHash: o.state.AppHash[:],
	}
	for _, f := range []struct {
		name      string
		got, want []byte
	}{
		{"ValidatorsHash of the block", sets[0].Hash(), o.header.ValidatorsHash},
		{"ValidatorsHash", sets[1].Hash(), child.ValidatorsHash},
		{"NextValidatorsHash", sets[2].Hash(), child.NextValidatorsHash},
		{"ConsensusHash", s.ConsensusParams.Hash(), child.ConsensusHash},
	} {
		if !bytes.Equal(f.got, f.want) {
			return sm.State{}, nil, fmt.Errorf("%w: the %s is %X, the ledger's records give %X", ErrSnapshotProof, f.name, f.want, f.got)
		}
	}
	commit := o.commitOf(sets[0])
	if err := sets[0].VerifyCommitLight(o.doc.ChainId, o.state.BlockID, height, commit); err != nil {
		return sm.State{}, nil, fmt.Errorf("%w: %w", ErrSnapshotProof, err)
	}
	return s, commit, nil
}

// commitOf puts the precommits for the block into the form and order of CometBFT.
func (o *origin) commitOf(set *cmttypes.ValidatorSet) *cmttypes.Commit {
	commit := &cmttypes.Commit{Height: o.state.Height, Round: o.commit.Round, BlockID: o.state.BlockID}
	for _, v := range set.Validators {
		signature := cmttypes.NewCommitSigAbsent()
		for _, p := range o.commit.Precommits {
			if bytes.Equal(p.Address, v.Address) {
				signature = cmttypes.CommitSig{
					BlockIDFlag: cmttypes.BlockIDFlagCommit, ValidatorAddress: v.Address, Timestamp: time.Unix(0, p.Time).UTC(), Signature: p.Signature,
				}
			}
		}
		commit.Signatures = append(commit.Signatures, signature)
	}
	return commit
}

// epoch is a validator set with the height from which it signs.
type epoch struct {
	first      int64
	validators []pb.Validator
}

// epochs returns the known validator sets in order, with the one that the record announces.
func (o *origin) epochs(record *pb.ValidatorEpochs) (epochs []epoch) {
	for set := o.trust.Newest(); set != nil; set = o.trust.At(set.FirstHeight() - 1) {
		epochs = append([]epoch{{set.FirstHeight(), set.Validators()}}, epochs...)
	}
	last := epochs[len(epochs)-1].first
	for _, e := range []pb.ValidatorEpoch{record.Present, record.Next} {
		if e.Number > 0 && e.FirstHeight > last {
			epochs = append(epochs, epoch{e.FirstHeight, e.Validators})
		}
	}
	return epochs
}

// validatorsAround returns CometBFT's validator sets of a height, the next one and the one after that, with the turns of the proposers, which no
// hash binds: as CometBFT does it, one height after the other from genesis on.
func validatorsAround(doc *pb.Genesis, epochs []epoch, height int64) (sets [3]*cmttypes.ValidatorSet, err error) {
	comet, err := genesis.CometGenesis(doc)
	if err != nil {
		return sets, err
	}
	first, err := sm.MakeGenesisState(comet)
	if err != nil {
		return sets, err
	}
	present, next := first.Validators, first.NextValidators // of heights h and h+1
	for h := int64(organisation.FirstHeight); ; h++ {
		if i := height + 2 - h; i <= 2 { // i = 2, 1, 0: h = height, height+1, height+2
			sets[2-i] = present.Copy()
		}
		if h == height+2 {
			return sets, nil
		}
		after := next.Copy()
		for i := range epochs {
			if i > 0 && epochs[i].first == h+2 {
				if err := after.UpdateWithChangeSet(changesBetween(epochs[i-1].validators, epochs[i].validators)); err != nil {
					return sets, fmt.Errorf("%w: the validators of height %d: %w", ErrSnapshotProof, h+2, err)
				}
			}
		}
		after.IncrementProposerPriority(1)
		present, next = next, after
	}
}

// changesBetween returns what leads from one set to the next: those that leave have the power 0.
func changesBetween(from, to []pb.Validator) (changes []*cmttypes.Validator) {
	stay := map[string]bool{}
	for _, v := range to {
		stay[string(v.Key)] = true
		changes = append(changes, cmttypes.NewValidator(cmted25519.PubKey(v.Key), v.Power))
	}
	for _, v := range from {
		if !stay[string(v.Key)] {
			changes = append(changes, cmttypes.NewValidator(cmted25519.PubKey(v.Key), 0))
		}
	}
	return changes
}
