package recount_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"

	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/cells"
	"votenode/verify/recount"
)

// second counts the blocks of a rehearsed ledger.
type second struct {
	*recount.Recount
	*rehearsal.Ledger
	ballots map[string][][]byte
}

func newSecond(t testing.TB, l *rehearsal.Ledger) *second {
	s := &second{Ledger: l, ballots: map[string][][]byte{}}
	s.Recount = recount.New(l.Genesis, func(id string, index uint64) ([]byte, error) {
		if index >= uint64(len(s.ballots[id])) {
			return nil, errors.New("no such ballot")
		}
		return s.ballots[id][index], nil
	}, space(t))
	return s
}

// space returns room for a recount, until the end of the test.
func space(t testing.TB) *cells.Space {
	t.Helper()
	s, err := cells.NewSpace()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// block turns a block of CometBFT into one for the recount.
func (s *second) block(b *cmttypes.Block) *recount.Block {
	in := &recount.Block{
		Height: b.Height, Time: b.Time.UnixNano(), Hash: [32]byte(b.Hash()), Verdicts: make([]recount.Verdict, len(b.Txs)),
		Signers: map[[20]byte]bool{},
	}
	for _, c := range b.LastCommit.Signatures {
		if c.BlockIDFlag == cmttypes.BlockIDFlagCommit {
			in.Signers[[20]byte(c.ValidatorAddress)] = true
		}
	}
	for _, m := range b.Evidence.Evidence.ToABCI() {
		in.Evidence = append(in.Evidence, recount.Evidence{
			Address: [20]byte(m.Validator.Address), Type: uint32(m.Type), Height: m.Height, Time: m.Time.UnixNano(),
		})
	}
	for i, raw := range b.Txs {
		in.Txs = append(in.Txs, raw)
		if p, err := tx.Parse(raw); err == nil && p.Kind() == tx.KindCastBallot {
			in.Verdicts[i] = s.verdict(p)
		}
	}
	return in
}

func (s *second) verdict(p *tx.Parsed) recount.Verdict {
	v := must(tx.Verify(lookup{s}, []*tx.Parsed{p}, rand.Reader))[0]
	if v.Refusal != nil {
		return recount.Verdict{Code: uint32(v.Refusal.Code)}
	}
	return recount.Verdict{Ballot: v.Verified.Ballot()}
}

// lookup is what the recount derives for the verification of ballots.
type lookup struct{ *second }

func (l lookup) Chain() string { return rehearsal.Chain }

func (l lookup) BallotElection(id string) (*ballot.Election, error) {
	if s := l.Statement(id); s.Ballots != nil {
		return s.Ballots, nil
	}
	return nil, tx.Refuse(tx.CodeWrongPhase, "unknown")
}

func (l lookup) VoterKey(id string, index uint64) (ballot.PublicKey, error) {
	if key, ok, err := l.Recount.VoterKey(id, index); ok || err != nil {
		return key, err
	}
	return ballot.PublicKey{}, tx.Refuse(tx.CodeUnknownVoter, "unknown")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// watch counts each block after the ledger has made it, and compares: the code of every transaction, the root over all records, and
// what transactions and elections ask in between.
func watch(t testing.TB, l *rehearsal.Ledger) *second {
	s := newSecond(t, l)
	l.Watch = func() {
		t.Helper()
		if err := s.next(); err != nil {
			t.Fatalf("height %d: %v", l.Height(), err)
		}
	}
	return s
}

// next counts the newest block of the ledger.
func (s *second) next() error {
	b, results := s.Blocks[len(s.Blocks)-1], s.Results[len(s.Results)-1]
	for i, r := range results {
		if p, err := tx.Parse(b.Txs[i]); err == nil && p.Kind().Casts() && r.Code == tx.CodeOK {
			id := p.Cast().Election
			s.ballots[id] = append(s.ballots[id], b.Txs[i])
		}
	}
	refusals, err := s.Block(s.block(b))
	if err != nil {
		return err
	}
	for i, r := range results {
		if recount.Code(refusals[i]) != uint32(r.Code) {
			return fmt.Errorf("transaction %d: code %d (%s), by the recount: %v\n%s", i, r.Code, r.Detail, refusals[i], describe(b.Txs[i]))
		}
	}
	if root := must(s.Root()); root != s.View().AppHash() {
		return fmt.Errorf("the AppHash is %x, by the recount %x%s", s.View().AppHash(), root, s.differences())
	}
	return nil
}

func describe(raw []byte) string {
	p, err := tx.Parse(raw)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%v: %.600v", p.Kind(), p.Body())
}

// differences lists the records that differ in the newest state.
func (s *second) differences() string {
	text, known := "", map[string]bool{}
	err := s.All(func(_ recount.Subject, key string, value []byte) {
		known[key] = true
		if theirs := must(s.View().Record(key)); !bytes.Equal(theirs, value) {
			text += fmt.Sprintf("\n%s: %q, by the recount %q", key, theirs, value)
		}
	})
	if err != nil {
		return text + "\n" + err.Error()
	}
	err = s.View().Records("", func(key string, _ []byte) error {
		if !known[key] {
			text += "\n" + key + ": unknown to the recount"
		}
		return nil
	})
	if err != nil {
		text += "\n" + err.Error()
	}
	return text
}

func TestStory(t *testing.T) {
	rehearsal.Story(t, func(l *rehearsal.Ledger) { watch(t, l) })
}

func TestScenes(t *testing.T) {
	for name, scene := range rehearsal.Scenes {
		t.Run(name, func(t *testing.T) { scene(t, func(l *rehearsal.Ledger) { watch(t, l) }) })
	}
}

// Random ledgers: whatever people send, both programs say the same of it.
func TestRandom(t *testing.T) {
	seeds, blocks := uint64(8), 200
	if testing.Short() {
		seeds = 2
	}
	if n, err := strconv.Atoi(os.Getenv("RECOUNT_SEEDS")); err == nil {
		seeds = uint64(n)
	}
	codes, phases := map[tx.Code]int{}, map[pb.Phase]int{}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			l := rehearsal.Random{
				Seed: seed, Blocks: blocks, Hostile: seed%2 == 1, Calm: []int{98, 94, 85, 75}[seed/2%4], Watch: func(l *rehearsal.Ledger) { watch(t, l) },
			}.Hold(t)
			for _, results := range l.Results {
				for _, r := range results {
					codes[r.Code]++
				}
			}
			for _, id := range must(state.MustLoad[pb.ElectionList](l.View(), state.KeyElections)).Ids {
				phases[must(state.MustLoad[pb.Election](l.View(), state.ElectionKey(id))).Phase]++
			}
		})
	}
	t.Log(codes, phases)
}
