package slip_test

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"votenode/app"
	"votenode/app/organisation"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	"votenode/genesis"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
	"votenode/verify/prooffile"
	"votenode/verify/slip"
)

// span is the number of heights for which the node of these tests promises.
const span = 8

const second = 1_000_000_000

// later is behind the times of all rehearsed blocks.
var later = time.Unix(rehearsal.Start+1_000_000, 0)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// panics stands for a test where several share what is made.
type panics struct{ testing.TB }

func (panics) Helper()                           {}
func (panics) Fatal(args ...any)                 { panic(fmt.Sprint(args...)) }
func (panics) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// stage is an open election that closes late, from which every test goes on by itself.
var stage = sync.OnceValue(func() *rehearsal.Election {
	// A ballot is longer than the least that ballot_bytes can be.
	m := rehearsal.Manifest("primary")
	m.Contests[0].Options = append(m.Contests[0].Options, "Gaukhar", "Islam", "Kamila", "Murat", "Nurlan")
	m.Contests[1].FirstSlot = uint32(len(m.Contests[0].Options))
	e := rehearsal.Open(panics{}, m, 6)
	e.Resolve(extend(e, 10_000))
	return e
})

// extend moves the closing so many seconds.
func extend(e *rehearsal.Election, seconds int64) *pb.Resolution {
	return &pb.Resolution{Reason: "an outage", Decision: &pb.Resolution_ExtendElection{
		ExtendElection: &pb.ExtendElection{Election: e.ID, Cause: pb.EXTENSION_OTHER, Closing: e.Record().Closing + seconds},
	}}
}

// limits changes the limits of the parameters in force.
func limits(e *rehearsal.Election, change func(*pb.Limits)) *pb.Resolution {
	p := *must(state.MustLoad[pb.Parameters](e.View(), state.KeyParameters))
	change(&p.Limits)
	return &pb.Resolution{Decision: &pb.Resolution_ChangeParameters{ChangeParameters: &pb.ChangeParameters{Parameters: p}}}
}

func cancel(e *rehearsal.Election) *pb.Resolution {
	return &pb.Resolution{Decision: &pb.Resolution_CancelElection{CancelElection: &pb.CancelElection{Election: e.ID}}}
}

func revoke(e *rehearsal.Election, voter uint64) *pb.Resolution {
	return &pb.Resolution{Reason: "left", Decision: &pb.Resolution_RevokeVoters{
		RevokeVoters: &pb.RevokeVoters{Election: e.ID, Voters: []uint64{voter}},
	}}
}

// The validator whose promises are looked at, and one of another organisation.
var node, other = rehearsal.Validator("party", 1), rehearsal.Validator("league", 1)

// scene is a ledger on which a promise is kept or not.
type scene struct {
	*rehearsal.Election
	t testing.TB
}

func open(t testing.TB) *scene {
	t.Helper()
	return &scene{stage().Fork(t), t}
}

// by makes a block that a validator makes and signs.
func (s *scene) by(v pb.Validator, raw ...[]byte) []app.Result {
	s.t.Helper()
	s.Proposer = &v
	return s.Make(1, s.Authored(0, raw...)...)
}

// named makes a block whose header names the node, of these transactions.
func (s *scene) named(raw ...[]byte) {
	s.t.Helper()
	s.Proposer = &node
	s.Make(1, raw...)
}

// past makes blocks of others until a height.
func (s *scene) past(height int64) {
	s.t.Helper()
	for s.Height() < height {
		s.by(other)
	}
}

// author returns an AuthorBlock of the node, signed by a key, so many seconds after block time, for a height and transactions.
func (s *scene) author(key string, height, seconds int64, raw ...[]byte) []byte {
	hashes := make([][32]byte, len(raw))
	for i := range raw {
		hashes[i] = sha256.Sum256(raw[i])
	}
	content, address := app.BlockContent(hashes), organisation.ConsensusAddress(node.Key)
	return rehearsal.Sign(key, &pb.AuthorBlock{Height: height, Proposer: address[:], Time: (s.Now() + seconds) * second, Content: content[:]})
}

// promise returns the node's promise for a ballot, issued at a height.
func promise(raw []byte, issued int64) *pb.Promise {
	return promiseBy(node, node.Name+" slip", raw, issued, issued+span)
}

// promiseBy returns a validator's promise, signed by a key.
func promiseBy(v pb.Validator, key string, raw []byte, issued, promised int64) *pb.Promise {
	_, c, err := slip.ParseBallot(raw)
	if err != nil {
		panic(err)
	}
	code := c.Code(rehearsal.Chain)
	p := &pb.Promise{Ballot: raw, Slip: &pb.AcceptanceSlip{
		ChainId: rehearsal.Chain, Election: c.Election, RollIndex: c.RollIndex, Sequence: c.Sequence, Code: code[:],
		Validator: v.Key, Issued: issued, Promised: promised,
	}}
	slip.Sign(p, rehearsal.Key(key))
	return p
}

// spoil bars a number and the C_0 of a ballot.
func (s *scene) spoil(raw []byte, sequence uint64) []byte {
	_, c, err := slip.ParseBallot(raw)
	if err != nil {
		panic(err)
	}
	voter := s.Voters[c.RollIndex]
	m := ballot.Spoil{
		Chain: rehearsal.Chain, Election: s.ID, RollIndex: c.RollIndex, Voter: voter.Public(), Sequence: sequence,
		Code: sha256.Sum256([]byte("any")), C0: [32]byte(c.Ballot.Ciphertext[:32]),
	}
	signature := must(ballot.SignSpoil(m, voter, rand.Reader))
	return tx.Ballot(&pb.SpoilBallot{Election: s.ID, RollIndex: c.RollIndex, Sequence: sequence, Code: m.Code[:], NoncePoint: m.C0[:]}, signature)
}

// newCase makes the case of a promise under the state of a height.
func (s *scene) newCase(p *pb.Promise, height int64) (*pb.SlipCase, error) {
	s.t.Helper()
	return slip.NewCase(s, s.LedgerState(height), must(s.StateAt(height)), p)
}

// judge judges a case as it comes out of a file.
func (s *scene) judge(c *pb.SlipCase) (*slip.Finding, error) {
	f, err := prooffile.Parse(prooffile.Bytes(prooffile.OfSlipCase(c)))
	if err != nil {
		return nil, err
	}
	return slip.Judge(genesis.Hash(s.Genesis), later, f.GetSlipCase())
}

// found returns the finding on a promise under the state of a height, nil where that state is not certified.
func (s *scene) found(p *pb.Promise, height int64) *slip.Finding {
	s.t.Helper()
	c, err := s.newCase(p, height)
	var f *slip.Finding
	if err == nil {
		f, err = s.judge(c)
	}
	if err != nil && !errors.Is(err, certified.ErrNotCertified) {
		s.t.Fatalf("height %d: %v", height, err)
	}
	return f
}

// expect judges a promise at every height from that of issue to behind the one promised. It is pending, then kept or not, and nothing
// else from then on.
func (s *scene) expect(p *pb.Promise, want slip.Verdict) *slip.Finding {
	s.t.Helper()
	s.past(p.Slip.Promised + 2)
	if _, err := s.newCase(p, p.Slip.Issued-1); !errors.Is(err, slip.ErrEarly) {
		s.t.Errorf("before the height of issue: %v", err)
	}
	var last *slip.Finding
	verdict := slip.Pending
	for height := p.Slip.Issued; height <= p.Slip.Promised+2; height++ {
		f := s.found(p, height)
		if f == nil {
			continue
		}
		if last = f; f.Verdict != verdict {
			if verdict != slip.Pending || f.Verdict != slip.Kept && height < p.Slip.Promised {
				s.t.Errorf("height %d: %v after %v", height, f.Verdict, verdict)
			}
			verdict = f.Verdict
		}
	}
	if verdict != want {
		s.t.Errorf("%v, want %v\n%s", verdict, want, last.Words())
	}
	return last
}
