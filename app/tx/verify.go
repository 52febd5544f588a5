package tx

import (
	"errors"
	"io"
	"runtime"
	"slices"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"golang.org/x/sync/errgroup"

	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// batchSize is how many ballots go into one multiscalar multiplication: half of what admission takes at once, so that two cores share
// it; beyond it a batch gains little.
const batchSize = 256

// verifyOptions is the one way in which Ed25519 signatures are checked everywhere: ZIP-215.
var verifyOptions = &ed25519.Options{Verify: ed25519.VerifyOptionsZIP_215}

// Lookup tells the verifier what a statement depends on. Implementations are safe for concurrent use.
type Lookup interface {
	// Chain returns the chain id.
	Chain() string
	// BallotElection returns what the ballots of an election share, or a *Refusal while its roll and keys are not fixed.
	BallotElection(id string) (*ballot.Election, error)
	// VoterKey returns the key of an entry of the roll, or a *Refusal.
	VoterKey(election string, index uint64) (ballot.PublicKey, error)
}

// Verified is a transaction whose signature and, of a ballot, whose proof are right. It is immutable. Once verified, always
// verified: what a ballot's statement depends on is fixed before the first ballot can be checked.
type Verified struct {
	parsed *Parsed
	ballot *ballot.EncryptedBallot
}

// Parsed returns the transaction.
func (v *Verified) Parsed() *Parsed { return v.parsed }

// Ballot returns the decoded ballot of a CastBallot, nil for other kinds.
func (v *Verified) Ballot() *ballot.EncryptedBallot { return v.ballot }

// Verdict is what the verifier found: either Verified or Refusal is set.
type Verdict struct {
	Verified *Verified
	Refusal  *Refusal
	// Signed says of a ballot that is refused for a proof which does not hold that the voter's signature does: nobody else can have
	// made it.
	Signed bool
}

// Refused returns the verdict of a refusal.
func Refused(r *Refusal) Verdict { return Verdict{Refusal: r} }

// Verify checks signatures and proofs on all cores, ballots in batches. The verdict on a transaction depends on nothing but its
// bytes and the lookup. An error means that the lookup or the random source failed, and never speaks about a transaction.
// rand must be safe for concurrent use.
func Verify(lookup Lookup, txs []*Parsed, rand io.Reader) ([]Verdict, error) {
	verdicts, elections, err := decode(lookup, txs, parseBallot)
	if err != nil {
		return nil, err
	}
	ballots := make(map[*ballot.Election][]int)
	for i, e := range elections {
		if e != nil {
			ballots[e] = append(ballots[e], i)
		}
	}
	for e, list := range ballots { // the order of elections changes no verdict
		if err := inParallel(list, func(batch []int) error { return verifyBatch(e, batch, verdicts, rand) }); err != nil {
			return nil, err
		}
	}
	return verdicts, nil
}

// Vouched is Verify for transactions of which the caller knows that the signatures and proofs of their ballots hold, because it has
// verified these same bytes before: it checks all else and gives the same verdicts. It is for the auditor alone (spec 11.7), and
// internal/layers holds everybody else off.
func Vouched(lookup Lookup, txs []*Parsed) ([]Verdict, error) {
	verdicts, _, err := decode(lookup, txs, countedBallot)
	return verdicts, err
}

// decoder decodes a ballot for its election.
type decoder func(e *ballot.Election, st ballot.Statement, p *Parsed, m *pb.CastBallot) (*ballot.EncryptedBallot, error)

// decode gives the verdicts on all but the signatures and proofs of ballots, which it decodes, and the elections of these.
func decode(lookup Lookup, txs []*Parsed, parse decoder) ([]Verdict, []*ballot.Election, error) {
	verdicts, all, elections := make([]Verdict, len(txs)), make([]int, len(txs)), make([]*ballot.Election, len(txs))
	for i := range txs {
		all[i] = i
	}
	return verdicts, elections, inParallel(all, func(part []int) error {
		for _, i := range part {
			e, decoded, err := verifyOne(lookup, txs[i], parse)
			if err != nil {
				refusal, ok := err.(*Refusal)
				if !ok {
					return err
				}
				verdicts[i] = Refused(refusal)
				continue
			}
			elections[i], verdicts[i] = e, Verdict{Verified: &Verified{parsed: txs[i], ballot: decoded}}
		}
		return nil
	})
}

// verifyOne checks the signature of a transaction, or, of a ballot, decodes what its batch will verify.
func verifyOne(lookup Lookup, p *Parsed, parse decoder) (*ballot.Election, *ballot.EncryptedBallot, error) {
	switch m := p.body.(type) {
	case *pb.CastBallot:
		e, st, err := statement(lookup, m)
		if err != nil {
			return nil, nil, err
		}
		b, err := parse(e, st, p, m)
		if err != nil {
			return nil, nil, Refuse(CodeBadProof, "%v", err)
		}
		return e, b, nil
	case *pb.SpoilBallot:
		return nil, nil, verifySpoil(lookup, p, m)
	case *pb.SubmitApplications:
		return nil, nil, verifyApplications(lookup.Chain(), p, m)
	case voterBody:
		return nil, nil, verifyVoter(lookup, p, m)
	}
	return nil, nil, p.CheckSignature(lookup.Chain())
}

// inParallel calls work for parts of a list on all cores, and returns the first error.
func inParallel(list []int, work func(part []int) error) error {
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for part := range slices.Chunk(list, batchSize) {
		g.Go(func() error { return work(part) })
	}
	return g.Wait()
}

// verifyBatch writes only the verdicts of its own batch.
func verifyBatch(e *ballot.Election, batch []int, verdicts []Verdict, rand io.Reader) error {
	ballots := make([]*ballot.EncryptedBallot, len(batch))
	for i, at := range batch {
		ballots[i] = verdicts[at].Verified.ballot
	}
	faults, err := e.VerifyBatch(ballots, rand)
	if err != nil {
		return err
	}
	for i, fault := range faults {
		switch {
		case errors.Is(fault, ballot.ErrSignature):
			verdicts[batch[i]] = Refused(Refuse(CodeBadSignature, "%v", fault))
		case fault != nil:
			verdicts[batch[i]] = Verdict{Refusal: Refuse(CodeBadProof, "%v", fault), Signed: errors.Is(fault, ballot.ErrProof)}
		}
	}
	return nil
}

// VerifySignatures checks of the ballots among transactions that their voters signed them, one by one on all cores, and nothing else: it
// decodes no ballot and verifies no proof. It returns for each nil or why not; nil for other kinds. It refuses no ballot that Verify
// takes; the error is that of Verify.
func VerifySignatures(lookup Lookup, txs []*Parsed) ([]*Refusal, error) {
	refusals, all := make([]*Refusal, len(txs)), make([]int, len(txs))
	for i := range txs {
		all[i] = i
	}
	return refusals, inParallel(all, func(part []int) error {
		for _, i := range part {
			m, ok := txs[i].body.(*pb.CastBallot)
			if !ok {
				continue
			}
			if err := checkVoter(lookup, txs[i], m); err != nil {
				if refusals[i], ok = err.(*Refusal); !ok {
					return err
				}
			}
		}
		return nil
	})
}

func checkVoter(lookup Lookup, p *Parsed, m *pb.CastBallot) error {
	e, st, err := statement(lookup, m)
	if err != nil {
		return err
	}
	switch err := e.CheckSignature(st, m.Ciphertext, m.Proof, p.Signature()); {
	case errors.Is(err, ballot.ErrSignature):
		return Refuse(CodeBadSignature, "%v", err)
	case err != nil:
		return Refuse(CodeBadProof, "%v", err)
	}
	return nil
}

// parseBallot decodes all of a ballot.
func parseBallot(e *ballot.Election, st ballot.Statement, p *Parsed, m *pb.CastBallot) (*ballot.EncryptedBallot, error) {
	return e.ParseBallot(st, m.Ciphertext, m.Proof, p.Signature())
}

// countedBallot decodes what is counted of a ballot.
func countedBallot(e *ballot.Election, st ballot.Statement, _ *Parsed, m *pb.CastBallot) (*ballot.EncryptedBallot, error) {
	return e.ParseWithoutProof(st, m.Ciphertext)
}

// statement returns what a ballot's signature and proof speak about.
func statement(lookup Lookup, m *pb.CastBallot) (*ballot.Election, ballot.Statement, error) {
	e, err := lookup.BallotElection(m.Election)
	if err != nil {
		return nil, ballot.Statement{}, err
	}
	key, err := lookup.VoterKey(m.Election, m.RollIndex)
	if err != nil {
		return nil, ballot.Statement{}, err
	}
	return e, ballot.Statement{Style: m.Style, RollIndex: m.RollIndex, Voter: key, Sequence: m.Sequence}, nil
}

func verifySpoil(lookup Lookup, p *Parsed, m *pb.SpoilBallot) error {
	key, err := lookup.VoterKey(m.Election, m.RollIndex)
	if err != nil {
		return err
	}
	s := ballot.Spoil{
		Chain: lookup.Chain(), Election: m.Election, RollIndex: m.RollIndex, Voter: key,
		Sequence: m.Sequence, Code: [32]byte(m.Code), C0: [32]byte(m.NoncePoint),
	}
	if err := ballot.VerifySpoil(s, p.Signature()); err != nil {
		return Refuse(CodeBadSignature, "%v", err)
	}
	return nil
}

// verifyApplications checks the signature of who submits applications, and of every candidate.
func verifyApplications(chain string, p *Parsed, m *pb.SubmitApplications) error {
	if err := p.CheckSignature(chain); err != nil {
		return err
	}
	for i := range m.Applications {
		if err := CheckApplication(chain, &m.Applications[i]); err != nil {
			return err
		}
	}
	return nil
}

// verifyVoter checks a voter's signature under a transaction that is neither a ballot nor a challenge. Spec 3.16.
func verifyVoter(lookup Lookup, p *Parsed, m voterBody) error {
	key, err := lookup.VoterKey(m.GetElection(), m.GetRollIndex())
	if err != nil {
		return err
	}
	s := ballot.Signed{
		Chain: lookup.Chain(), Election: m.GetElection(), RollIndex: m.GetRollIndex(), Voter: key, Kind: uint32(p.kind), Body: p.envelope.Body,
	}
	if err := s.Verify(p.Signature()); err != nil {
		return Refuse(CodeBadSignature, "%v", err)
	}
	return nil
}

// CheckSignature checks the signature of the key that the envelope names, and of a part of a roll those that it carries. Where a voter
// signs it checks nothing: what a voter signed depends on the roll. The error is a *Refusal with CodeBadSignature.
func (p *Parsed) CheckSignature(chain string) error {
	if p.kind.signedByVoter() {
		return nil
	}
	signed := SignBytes(chain, p.kind, p.envelope.Body)
	if !ed25519.VerifyWithOptions(p.Signer(), signed, p.Signature(), verifyOptions) {
		return Refuse(CodeBadSignature, "the signature of %x does not stand for this %v", p.Signer(), p.kind)
	}
	if m, ok := p.body.(*pb.AddRollEntries); ok {
		return CheckRollSignatures(chain, m)
	}
	return nil
}
