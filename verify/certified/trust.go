package certified

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app"
	"votenode/app/election"
	"votenode/app/organisation"
	pb "votenode/proto/votenode/v1"
)

var (
	// ErrMismatch says that evidence does not belong together, to this chain, or to the validator set of its height.
	ErrMismatch = errors.New("the evidence does not fit")
	// ErrSignature says that a precommit is not by a validator of the set, or its signature does not hold.
	ErrSignature = errors.New("a precommit does not hold")
	// ErrNotCertified says that organisations lack power; the text names them.
	ErrNotCertified = errors.New("not certified")
)

// Trust is what a verifier knows of a ledger for certain: the chain, and the validator sets from genesis up to some epoch.
// It is immutable and safe for concurrent use.
type Trust struct {
	chainID       string
	protocol      uint64 // greatest version whose rules are known
	genesisHash   hash
	certify       pb.Fraction
	handover      uint64
	organisations []string
	sets          []*Set            // by epoch, ascending
	owner         map[string]string // organisation by every consensus key of every known epoch
}

// AnyProtocol is for whoever reads nothing of a state by its rules.
const AnyProtocol = math.MaxUint64

// FromGenesis returns the trust in a genesis document: that of the first epoch. Compare GenesisHash with the hash that you
// were given. It fails where the document breaks a rule (spec 1.7). Spec 6.5.
func FromGenesis(doc *pb.Genesis) (*Trust, error) { return FromGenesisOf(doc, app.Protocol) }

// FromGenesisOf is FromGenesis for a program that knows the rules of the protocol versions up to one.
func FromGenesisOf(doc *pb.Genesis, protocol uint64) (*Trust, error) {
	if err := organisation.CheckGenesis(doc); err != nil {
		return nil, fmt.Errorf("genesis document: %w", err)
	}
	t := &Trust{
		chainID:     doc.ChainId,
		protocol:    protocol,
		genesisHash: sha256.Sum256(election.Encode(doc)),
		certify:     doc.Parameters.Certify,
		handover:    doc.Parameters.Handover,
	}
	for _, g := range doc.Organisations {
		t.organisations = append(t.organisations, g.Organisation.Id)
	}
	return t.with(newSet(organisation.FirstEpoch(doc))), nil
}

// with returns a copy that knows one more set.
func (t *Trust) with(s *Set) *Trust {
	next := *t
	next.sets = append(slices.Clone(t.sets), s)
	next.owner = map[string]string{}
	for key, organisation := range t.owner {
		next.owner[key] = organisation
	}
	for _, v := range s.epoch.Validators {
		next.owner[string(v.Key)] = v.Organisation
	}
	return &next
}

// ChainID returns the chain's id.
func (t *Trust) ChainID() string { return t.chainID }

// GenesisHash returns SHA-256 of the genesis document.
func (t *Trust) GenesisHash() [sha256.Size]byte { return t.genesisHash }

// Newest returns the validator set of the last known epoch.
func (t *Trust) Newest() *Set { return t.sets[len(t.sets)-1] }

// At returns the validator set whose precommits are those of a height, as far as this trust knows: nil for heights below 1.
func (t *Trust) At(height int64) *Set {
	var found *Set
	for _, s := range t.sets {
		if s.FirstHeight() <= height {
			found = s
		}
	}
	return found
}

// State is what a CertifiedState attests: a block b, and the state after it.
type State struct {
	// Height of b.
	Height int64
	// BlockID is the id of b: the LastBlockID of every child.
	BlockID cmttypes.BlockID
	// AppHash is the root of the state after b.
	AppHash hash
	// Child is the header of the first child, of Height+1. Of its fields only those of spec 6.1 are attested.
	Child *cmttypes.Header
	// Epoch is the number of the epoch of height Height+1.
	Epoch uint64
	// Protocol is the protocol version of height Height+1.
	Protocol uint64
	// Signed tells the power that signed, by organisation, sorted by id.
	Signed []Signed
	// Certified says that every organisation signed with more than `certify` of its power. Committed says that one child, in
	// one round, is signed by more than 2/3 of all power.
	Certified, Committed bool

	trust   *Trust
	set     *Set
	signers []bool // by position in the set
}

// Signed is the part of one organisation in a certificate.
type Signed struct {
	Organisation string
	Power, Total int64
	// Enough says that Power is more than `certify` of Total.
	Enough bool
}

// Verify verifies that a state is certified. It fails with ErrMalformed, ErrMismatch, ErrSignature or ErrNotCertified, and with
// app.ErrProtocol where all that is as it should be and the block after the state is made by rules that this program does not know.
// Variable time, for public values. Spec 6.3.
func (t *Trust) Verify(s *pb.CertifiedState) (*State, error) {
	state, err := t.Inspect(s)
	if err != nil {
		return nil, err
	}
	if !state.Certified {
		return nil, fmt.Errorf("%w: block %d: %s", ErrNotCertified, state.Height, state.lacking(t.certify))
	}
	if err := state.known(); err != nil {
		return nil, err
	}
	return state, nil
}

// known fails with app.ErrProtocol where so many have signed for a version that this program does not know that the ledger has it.
func (s *State) known() error {
	if s.Protocol <= s.trust.protocol || !s.Certified && !s.Committed {
		return nil
	}
	return fmt.Errorf("%w: it knows protocol version %d, and behind height %d the ledger is of version %d; install a newer votenode",
		app.ErrProtocol, s.trust.protocol, s.Height, s.Protocol)
}

// Inspect does what Verify does, and leaves it to the caller to ask whether the state is Certified, Committed or neither, and of which
// Protocol.
// It fails with ErrMalformed, ErrMismatch or ErrSignature. Spec 6.3.
func (t *Trust) Inspect(s *pb.CertifiedState) (*State, error) {
	if err := checkForm(s); err != nil {
		return nil, err
	}
	state, hashes, err := t.attested(s)
	if err != nil {
		return nil, err
	}
	for i, child := range s.Children {
		if err := t.count(state, child, hashes[i]); err != nil {
			return nil, err
		}
	}
	t.decide(state)
	return state, nil
}

// attested reads the children's headers, checks that they attest the same, and returns it with the hash of each.
func (t *Trust) attested(s *pb.CertifiedState) (*State, []hash, error) {
	var first *cmttypes.Header
	hashes := make([]hash, len(s.Children))
	for i, child := range s.Children {
		header, digest, err := parseHeader(child.Header)
		if err != nil {
			return nil, nil, err
		}
		hashes[i] = digest
		if i == 0 {
			first = header
		} else if fields := differences(first, header); len(fields) > 0 {
			return nil, nil, fmt.Errorf("%w: children 0 and %d differ in %s", ErrMismatch, i, strings.Join(fields, ", "))
		}
	}
	set := t.At(first.Height)
	switch {
	case first.ChainID != t.chainID:
		return nil, nil, fmt.Errorf("%w: the header is of chain %q, not %q", ErrMismatch, first.ChainID, t.chainID)
	case first.Height < 2 || !first.LastBlockID.IsComplete():
		return nil, nil, fmt.Errorf("%w: a header of height %d without a complete LastBlockID certifies no block", ErrMismatch, first.Height)
	case len(first.AppHash) != len(hash{}):
		return nil, nil, fmt.Errorf("%w: an AppHash of %d bytes", ErrMismatch, len(first.AppHash))
	case !bytes.Equal(first.ValidatorsHash, set.hash):
		return nil, nil, fmt.Errorf("%w: height %d is not signed by the validators of epoch %d; if the set has changed, fetch the proofs of later epochs",
			ErrMismatch, first.Height, set.Epoch())
	}
	return &State{
		Height: first.Height - 1, BlockID: first.LastBlockID, AppHash: hash(first.AppHash), Child: first, Epoch: set.Epoch(),
		Protocol: first.Version.App, trust: t, set: set, signers: make([]bool, len(set.epoch.Validators)),
	}, hashes, nil
}

// differences names the attested fields in which two headers differ, in the order of spec 6.1.
func differences(a, b *cmttypes.Header) []string {
	var fields []string
	for _, f := range []struct {
		name string
		same bool
	}{
		{"Version", a.Version == b.Version},
		{"ChainID", a.ChainID == b.ChainID},
		{"Height", a.Height == b.Height},
		{"LastBlockID", a.LastBlockID.Equals(b.LastBlockID)},
		{"ValidatorsHash", bytes.Equal(a.ValidatorsHash, b.ValidatorsHash)},
		{"NextValidatorsHash", bytes.Equal(a.NextValidatorsHash, b.NextValidatorsHash)},
		{"ConsensusHash", bytes.Equal(a.ConsensusHash, b.ConsensusHash)},
		{"AppHash", bytes.Equal(a.AppHash, b.AppHash)},
		{"LastResultsHash", bytes.Equal(a.LastResultsHash, b.LastResultsHash)},
	} {
		if !f.same {
			fields = append(fields, f.name)
		}
	}
	return fields
}

// count verifies every precommit of one child and marks its signers. A key that signed several children is marked once.
func (t *Trust) count(s *State, child *pb.SignedHeader, header hash) error {
	power := int64(0)
	for _, p := range child.Precommits {
		i, known := s.set.position[[organisation.AddressSize]byte(p.Address)]
		if !known {
			return fmt.Errorf("%w: %X is no validator of epoch %d", ErrSignature, p.Address, s.Epoch)
		}
		v := &s.set.epoch.Validators[i]
		message := voteBytes(t.chainID, s.Height+1, child, header, p.Time)
		if !ed25519.PubKey(v.Key).VerifySignature(message, p.Signature) {
			return fmt.Errorf("%w: the signature of %s/%s at height %d does not verify", ErrSignature, v.Organisation, v.Name, s.Height+1)
		}
		s.signers[i] = true
		power += v.Power
	}
	if 3*power > 2*s.set.total {
		s.Committed = true
	}
	return nil
}

// decide sums up the signers by organisation.
func (t *Trust) decide(s *State) {
	signed := map[string]int64{}
	for i, yes := range s.signers {
		if v := &s.set.epoch.Validators[i]; yes {
			signed[v.Organisation] += v.Power
		}
	}
	s.Certified = true
	for _, id := range t.organisations {
		part := Signed{Organisation: id, Power: signed[id], Total: s.set.power[id]}
		part.Enough = organisation.Exceeds(part.Power, part.Total, t.certify)
		s.Certified = s.Certified && part.Enough
		s.Signed = append(s.Signed, part)
	}
}

// lacking names the organisations that did not sign with enough power.
func (s *State) lacking(certify pb.Fraction) string {
	var list []string
	for _, o := range s.Signed {
		if !o.Enough {
			list = append(list, fmt.Sprintf("%s signed with %d of %d", o.Organisation, o.Power, o.Total))
		}
	}
	return fmt.Sprintf("%s; more than %d/%d is needed of each organisation", strings.Join(list, ", "), certify.Numerator, certify.Denominator)
}
