package recount_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"votenode/app/state"
	"votenode/app/tx"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/recount"
)

// counted is what the recount was given and what it made of it.
type counted struct {
	genesis *pb.Genesis
	blocks  []*recount.Block
	codes   [][]uint32
	roots   [][32]byte
	ballots map[string][][]byte
}

// record counts the story and keeps what the recount was given.
func record(t *testing.T) *counted {
	t.Helper()
	c := new(counted)
	e, _ := rehearsal.Story(t, func(l *rehearsal.Ledger) {
		s := watch(t, l)
		next := l.Watch
		l.Watch = func() {
			c.blocks = append(c.blocks, s.block(s.Blocks[len(s.Blocks)-1]))
			next()
			c.roots = append(c.roots, must(s.Root()))
		}
		c.ballots = s.ballots
	})
	for _, results := range e.Results {
		var codes []uint32
		for _, r := range results {
			codes = append(codes, uint32(r.Code))
		}
		c.codes = append(c.codes, codes)
	}
	c.genesis = e.Genesis
	return c
}

// again counts the blocks again, one of them changed, and says whether codes and roots are what they were.
func (c *counted) again(t testing.TB, at int, change func(b *recount.Block)) (same bool, err error) {
	r := recount.New(c.genesis, func(id string, index uint64) ([]byte, error) { return c.ballots[id][index], nil }, space(t))
	for i, b := range c.blocks {
		changed := *b
		if i == at {
			change(&changed)
		}
		refusals, err := r.Block(&changed)
		if err != nil {
			return false, err
		}
		for i, want := range c.codes[i] {
			if i >= len(refusals) || recount.Code(refusals[i]) != want {
				return false, nil
			}
		}
		if i >= at && must(r.Root()) != c.roots[i] {
			return false, nil
		}
	}
	return true, nil
}

// find returns the first block that holds something.
func (c *counted) find(t *testing.T, holds func(b *recount.Block) bool) int {
	t.Helper()
	at := slices.IndexFunc(c.blocks, holds)
	if at < 0 {
		t.Fatal("no such block")
	}
	return at
}

// Whatever a block says makes a difference to the codes or to the AppHash.
func TestEverythingCounts(t *testing.T) {
	c := record(t)
	if same, err := c.again(t, -1, nil); !same || err != nil {
		t.Fatal("it does not count twice alike", err)
	}
	cast := c.find(t, func(b *recount.Block) bool { return len(b.Verdicts) > 2 && b.Verdicts[1].Ballot != nil })
	bad := c.find(t, func(b *recount.Block) bool { return len(b.Evidence) > 0 })
	for name, test := range map[string]struct {
		at     int
		change func(b *recount.Block)
	}{
		"height":             {3, func(b *recount.Block) { b.Height++ }},
		"time":               {3, func(b *recount.Block) { b.Time++ }},
		"hash":               {3, func(b *recount.Block) { b.Hash[0] ^= 1 }},
		"a transaction less": {cast, func(b *recount.Block) { b.Txs, b.Verdicts = b.Txs[:2], b.Verdicts[:2] }},
		"another order":      {cast, func(b *recount.Block) { b.Txs, b.Verdicts = reversed(b.Txs), reversed(b.Verdicts) }},
		"a ballot does not hold": {cast, func(b *recount.Block) {
			b.Verdicts = slices.Clone(b.Verdicts)
			b.Verdicts[1] = recount.Verdict{Code: 202}
		}},
		"no evidence":             {bad, func(b *recount.Block) { b.Evidence = nil }},
		"evidence against others": {bad, func(b *recount.Block) { b.Evidence = slices.Clone(b.Evidence); b.Evidence[0].Address[0] ^= 1 }},
		"evidence of other times": {bad, func(b *recount.Block) { b.Evidence = slices.Clone(b.Evidence); b.Evidence[0].Time++ }},
		"evidence of other kinds": {bad, func(b *recount.Block) { b.Evidence = slices.Clone(b.Evidence); b.Evidence[0].Type++ }},
	} {
		t.Run(name, func(t *testing.T) {
			if same, err := c.again(t, test.at, test.change); same {
				t.Error("it makes no difference")
			} else {
				t.Log(err)
			}
		})
	}
	announced := -1
	for i, raw := range c.blocks {
		if slices.ContainsFunc(raw.Txs, func(b []byte) bool { return bytes.Contains(b, []byte("it signed twice")) }) {
			announced = i + 1 // the block that completes it
		}
	}
	if same, _ := c.again(t, announced, func(b *recount.Block) { b.Signers = nil }); same {
		t.Error("a change of validators does not wait for signatures")
	}
}

func reversed[T any](list []T) []T {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

// Every byte of every transaction of the story makes a difference. Signatures cover nearly all; encodings the rest.
func TestEveryByteCounts(t *testing.T) {
	c := record(t)
	for at, b := range c.blocks {
		for i, raw := range b.Txs {
			if c.codes[at][i] != 0 || b.Verdicts[i].Ballot != nil { // the verdict on a ballot is not ours
				continue
			}
			changed := slices.Clone(raw)
			changed[(at*7919+i*31)%len(raw)] ^= 4
			same, err := c.again(t, at, func(b *recount.Block) { b.Txs = slices.Clone(b.Txs); b.Txs[i] = changed })
			if same || err != nil {
				t.Errorf("height %d, transaction %d, byte %d: no difference, %v", b.Height, i, (at*7919+i*31)%len(raw), err)
			}
		}
	}
}

// A ballot that is given back must be the one that was recorded, and a verdict must be about the ballot that is cast.
func TestContradictions(t *testing.T) {
	c := record(t)
	good := c.ballots
	broken := errors.New("the folder is broken")
	for name, recorded := range map[string]func(id string, index uint64) ([]byte, error){
		"broken":    func(string, uint64) ([]byte, error) { return nil, broken },
		"another":   func(id string, index uint64) ([]byte, error) { return good[id][(index+1)%uint64(len(good[id]))], nil },
		"nothing":   func(string, uint64) ([]byte, error) { return nil, nil },
		"malformed": func(id string, index uint64) ([]byte, error) { return append(slices.Clone(good[id][index]), 0), nil },
	} {
		r, failed := recount.New(c.genesis, recorded, space(t)), error(nil)
		for _, b := range c.blocks {
			if _, failed = r.Block(b); failed != nil {
				break
			}
		}
		if want := map[bool]error{true: broken, false: recount.ErrContradiction}[name == "broken"]; !errors.Is(failed, want) {
			t.Errorf("%s: %v", name, failed)
		}
	}
	cast := c.find(t, func(b *recount.Block) bool {
		return len(b.Verdicts) > 1 && b.Verdicts[0].Ballot != nil && b.Verdicts[1].Ballot != nil
	})
	if _, err := c.again(t, cast, func(b *recount.Block) { b.Verdicts = reversed(b.Verdicts) }); !errors.Is(err, recount.ErrContradiction) {
		t.Errorf("exchanged verdicts: %v", err)
	}
}

// FuzzTransaction: no bytes make the recount panic or go on differently from the state machine. The corpus is every transaction of the
// story; they come at its end and in the midst of voting.
func FuzzTransaction(f *testing.F) {
	e, _ := rehearsal.Story(f)
	for _, b := range e.Blocks {
		for _, raw := range b.Txs {
			f.Add([]byte(raw))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		l := rehearsal.New(t)
		watch(t, l)
		l.Make(1, raw)
	})
}

// The votes of the story by the recount alone.
func TestResults(t *testing.T) {
	var s *second
	e, want := rehearsal.Story(t, func(l *rehearsal.Ledger) { s = watch(t, l) })
	found := 0
	err := s.Records(e.ID, func(subject recount.Subject, key string, value []byte) {
		for contest, votes := range want.Votes {
			if subject != recount.Tally || key != state.ResultKey(e.ID, uint32(contest)) {
				continue
			}
			result := new(pb.Result)
			if err := result.Unmarshal(value); err != nil || !slices.Equal(result.Votes, votes) {
				t.Errorf("contest %d: %v, want %v", contest, result.Votes, votes)
			}
			found++
		}
	})
	if err != nil || found != len(want.Votes) || uint64(len(s.ballots[e.ID])) != want.Recorded {
		t.Errorf("%d results, %d ballots", found, len(s.ballots[e.ID]))
	}
	if tx.Code(recount.Code(nil)) != tx.CodeOK || len(s.Elections()) != 3 {
		t.Error("codes or elections")
	}
}
