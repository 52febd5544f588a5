package certified_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/cometbft/cometbft/version"
	"github.com/cosmos/gogoproto/proto"

	"votenode/app/election"
	"votenode/app/organisation"
	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

const (
	chainID  = "sample-1"
	handover = 4
	start    = 1_800_000_000
)

// blocksHead is the key of the record of the blocks log's head.
var blocksHead = state.LogKey(state.LogBlocks)

// privateKey derives a key from a public name: for tests only, everybody knows it.
func privateKey(name string) ed25519.PrivKey { return ed25519.GenPrivKeyFromSecret([]byte(name)) }

func publicKey(name string) []byte { return privateKey(name).PubKey().Bytes() }

func digest(s string) []byte {
	d := sha256.Sum256([]byte(s))
	return d[:]
}

// validator is the validator with a name "<organisation>-<number>"; its consensus key is that of the name.
func validator(org, name string, power int64) pb.Validator {
	return pb.Validator{
		Organisation: org, Name: name, Key: publicKey(name), Power: power,
		SlipKey: publicKey(name + " slip"), NodeId: digest(name)[:20], Address: name + ".example.org:26656",
	}
}

func sorted(list []pb.Validator) []pb.Validator {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b pb.Validator) int { return bytes.Compare(a.Key, b.Key) })
	return list
}

// party is the validators' powers of one organisation.
type party struct {
	id     string
	powers []int64
}

var equal = []party{{"league", []int64{1, 1, 1, 1}}, {"party", []int64{1, 1, 1, 1}}}

// document makes a genesis document that CheckGenesis accepts, but for the cap where the powers ask for more.
func document(parties []party) *pb.Genesis {
	doc := &pb.Genesis{ChainId: chainID, Time: start, Parameters: pb.Parameters{
		PowerCap: pb.Fraction{Numerator: 6, Denominator: 10}, Certify: pb.Fraction{Numerator: 2, Denominator: 3},
		Handover: handover, ResolutionHeights: 100, EvidenceHeights: 100, EvidenceSeconds: 100, SlipSpan: 3, SlipMargin: 3,
		Initiatives: pb.InitiativeRules{Threshold: 1, AnswerHeights: 1, PublishRate: 1, CommentRate: 1, SupportRate: 1},
		Limits: pb.Limits{
			BlockBytes: 4 << 20, BlockUnits: 100_000, BallotBytes: 16 << 10, TransactionBytes: 256 << 10,
			SpoilsPerVoter: 16, DocumentBytes: 4 << 20,
		},
		Timeouts: pb.Timeouts{Propose: 3000, ProposeDelta: 500, Vote: 1000, VoteDelta: 500, Commit: 1000},
	}}
	for _, p := range parties {
		officer := pb.Member{Name: p.id + " officer", Key: publicKey(p.id + " officer")}
		g := pb.GenesisOrganisation{Organisation: pb.Organisation{
			Id: p.id, Title: p.id, OfficerQuorum: 1, Officers: []pb.Member{officer},
		}}
		for i, power := range p.powers {
			g.Validators = append(g.Validators, validator(p.id, fmt.Sprintf("%s-%d", p.id, i+1), power))
		}
		g.Validators = sorted(g.Validators)
		doc.Organisations = append(doc.Organisations, g)
	}
	return doc
}

// must returns v, or ends the test program: what it guards cannot fail.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// world is a chain in memory: real headers, real states, real precommits.
type world struct {
	t       testing.TB
	doc     *pb.Genesis
	trust   *certified.Trust
	ledger  *state.Ledger
	epochs  []*pb.ValidatorEpoch
	roots   []state.Hash                 // AppHash, by height
	records []map[string]*pb.RecordProof // proofs of the records that tests show, by height
	headers []*cmttypes.Header           // by height; 0 is unused
	lie     func(leaf *pb.BlockLeaf)     // where set, changes what the blocks log says
}

func newWorld(t testing.TB, parties []party) *world {
	doc := document(parties)
	w := &world{
		t: t, doc: doc, trust: must(certified.FromGenesis(doc)), headers: []*cmttypes.Header{nil},
		ledger: must(state.Open(new(state.Memory))), epochs: []*pb.ValidatorEpoch{organisation.FirstEpoch(doc)},
	}
	d := w.ledger.NewGenesis()
	d.SetRecord(state.KeyChain, election.Encode(&pb.Chain{Id: chainID}))
	d.SetRecord(state.KeyValidators, election.Encode(&pb.ValidatorEpochs{Present: *w.epochs[0]}))
	w.commit(d)
	return w
}

func (w *world) commit(d *state.Draft) {
	block := must(d.Finish())
	if err := w.ledger.Commit(block); err != nil {
		w.t.Fatal(err)
	}
	s, proofs := w.ledger.Newest(), map[string]*pb.RecordProof{}
	for _, key := range []string{state.KeyChain, state.KeyValidators, blocksHead} {
		if must(s.Record(key)) != nil {
			proofs[key] = must(s.ProveRecord(key))
		}
	}
	w.roots, w.records = append(w.roots, s.AppHash()), append(w.records, proofs)
}

// epochAt returns the validator set whose precommits are those of a height.
func (w *world) epochAt(height int64) *pb.ValidatorEpoch {
	found := w.epochs[0]
	for _, e := range w.epochs {
		if e.FirstHeight <= height {
			found = e
		}
	}
	return found
}

func validatorsHash(list []pb.Validator) []byte {
	set := make([]*cmttypes.Validator, len(list))
	for i, v := range list {
		set[i] = cmttypes.NewValidator(ed25519.PubKey(v.Key), v.Power)
	}
	return cmttypes.NewValidatorSet(set).Hash()
}

// blockID is the id that the tests give to the block of a header.
func blockID(h *cmttypes.Header) cmttypes.BlockID {
	return cmttypes.BlockID{Hash: h.Hash(), PartSetHeader: cmttypes.PartSetHeader{Total: 2, Hash: digest("parts " + h.Hash().String())}}
}

// next makes the header of the next height, without recording it.
func (w *world) next() *cmttypes.Header {
	height := int64(len(w.headers))
	h := &cmttypes.Header{
		Version: cmtversion.Consensus{Block: version.BlockProtocol, App: 1}, ChainID: chainID, Height: height,
		Time:           time.Unix(start+height, 0).UTC(),
		LastCommitHash: digest("last commit"), DataHash: digest("data"), EvidenceHash: digest("evidence"),
		ValidatorsHash: validatorsHash(w.epochAt(height).Validators), NextValidatorsHash: validatorsHash(w.epochAt(height + 1).Validators),
		ConsensusHash: digest("consensus"), LastResultsHash: digest("results"),
		ProposerAddress: digest("proposer")[:20],
	}
	h.AppHash = bytes.Clone(w.roots[height-1][:])
	if height > 1 {
		h.LastBlockID = blockID(w.headers[height-1])
	}
	return h
}

// grow adds blocks up to a height. Each appends its leaf to the blocks log and begins an epoch that is due, as the state
// machine does.
func (w *world) grow(to int64) {
	for int64(len(w.headers)) <= to {
		w.block(nil)
	}
}

func (w *world) block(change func(d *state.Draft)) {
	h := w.next()
	w.headers = append(w.headers, h)
	d := w.ledger.NewDraft()
	if e := w.epochAt(h.Height); e.FirstHeight == h.Height && e.Number > 1 {
		d.SetRecord(state.KeyValidators, election.Encode(&pb.ValidatorEpochs{Present: *e}))
	}
	leaf := &pb.BlockLeaf{Height: h.Height, Time: h.Time.UnixNano(), HeaderHash: h.Hash()}
	if w.lie != nil {
		w.lie(leaf)
	}
	d.Append(state.LogBlocks, election.Encode(leaf))
	if change != nil {
		change(d)
	}
	w.commit(d)
}

// announce adds a block that announces the next epoch, by default the one that follows, and returns its height.
func (w *world) announce(validators []pb.Validator, changes ...func(record *pb.ValidatorEpochs)) int64 {
	present := w.epochs[len(w.epochs)-1]
	height := int64(len(w.headers))
	record := &pb.ValidatorEpochs{Present: *present, Next: pb.ValidatorEpoch{
		Number: present.Number + 1, FirstHeight: height + handover, Validators: sorted(validators),
	}}
	for _, change := range changes {
		change(record)
	}
	w.block(func(d *state.Draft) { d.SetRecord(state.KeyValidators, election.Encode(record)) })
	if len(changes) == 0 {
		w.epochs = append(w.epochs, &record.Next)
	}
	return height
}

// voteMessage is what a precommit signs.
func voteMessage(name string, h *cmttypes.Header, round int32) []byte {
	return cmttypes.VoteSignBytes(h.ChainID, unsigned(name, h, round))
}

func unsigned(name string, h *cmttypes.Header, round int32) *cmtproto.Vote {
	id := blockID(h)
	return &cmtproto.Vote{
		Type: cmtproto.PrecommitType, Height: h.Height, Round: round, BlockID: id.ToProto(),
		Timestamp: h.Time.Add(time.Duration(digest(name)[0]) * time.Millisecond),
	}
}

// vote is a precommit that a validator signs for a header in a round; change, where given, spoils the vote before it is signed.
func vote(name string, h *cmttypes.Header, round int32, change func(v *cmtproto.Vote, chain *string)) *pb.Precommit {
	key, chain, v := privateKey(name), h.ChainID, unsigned(name, h, round)
	at := v.Timestamp.UnixNano()
	if change != nil {
		change(v, &chain)
	}
	return &pb.Precommit{
		Address: key.PubKey().Address(), Time: at,
		Signature: must(key.Sign(cmttypes.VoteSignBytes(chain, v))),
	}
}

// signed is a header with the precommits of some validators in a round.
func signed(h *cmttypes.Header, round int32, names ...string) *pb.SignedHeader {
	id := blockID(h)
	s := &pb.SignedHeader{
		Header: must(h.ToProto().Marshal()), PartsTotal: id.PartSetHeader.Total, PartsHash: id.PartSetHeader.Hash, Round: round,
	}
	for _, name := range names {
		s.Precommits = append(s.Precommits, vote(name, h, round, nil))
	}
	sortPrecommits(s)
	return s
}

func sortPrecommits(s *pb.SignedHeader) {
	slices.SortFunc(s.Precommits, func(a, b *pb.Precommit) int { return bytes.Compare(a.Address, b.Address) })
}

func certificate(children ...*pb.SignedHeader) *pb.CertifiedState {
	return &pb.CertifiedState{Children: children}
}

// names returns the validators of a set.
func names(e *pb.ValidatorEpoch) []string {
	var list []string
	for _, v := range e.Validators {
		list = append(list, v.Name)
	}
	return list
}

// certify returns the state of a height with the precommits of the whole set.
func (w *world) certify(height int64) *pb.CertifiedState {
	w.grow(height + 1)
	return certificate(signed(w.headers[height+1], 0, names(w.epochAt(height+1))...))
}

// epochProof shows the record of validators in the certified state of a height.
func (w *world) epochProof(height int64) *pb.EpochProof {
	return &pb.EpochProof{State: w.certify(height), Validators: w.records[height][state.KeyValidators]}
}

// blockProof shows a block in the blocks log of the state of a height.
func (w *world) blockProof(height, block int64) *pb.BlockProof {
	s := w.ledger.Newest()
	return &pb.BlockProof{
		Head: w.records[height][blocksHead],
		Leaf: must(s.Leaf(state.LogBlocks, uint64(block-1))),
		Path: must(s.ProveInclusion(state.LogBlocks, uint64(block-1), uint64(height))),
	}
}

func clone[M proto.Message](m M) M { return proto.Clone(m).(M) }
