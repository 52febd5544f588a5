package node

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	dbm "github.com/cometbft/cometbft-db"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtstate "github.com/cometbft/cometbft/state"
	cmttypes "github.com/cometbft/cometbft/types"
	"pgregory.net/rapid"
)

// counted is a store of states that counts how often it is read, and can fail.
type counted struct {
	cmtstate.Store
	loads int
	err   error
}

func (c *counted) Load() (cmtstate.State, error) {
	if c.loads++; c.err != nil {
		return cmtstate.State{}, c.err
	}
	return c.Store.Load()
}

func newStates() *counted {
	return &counted{Store: cmtstate.NewStore(dbm.NewMemDB(), cmtstate.StoreOptions{})}
}

// validator is one with a key that depends on the name only.
func validator(name string, power int64) *cmttypes.Validator {
	return cmttypes.NewValidator(cmted25519.GenPrivKeyFromSecret([]byte(name)).PubKey(), power)
}

// genesisState is CometBFT's state before the first block.
func genesisState(t require, powers []int64) cmtstate.State {
	doc := cmttypes.GenesisDoc{ChainID: "turns"}
	for i, power := range powers {
		v := validator(fmt.Sprint(i), power)
		doc.Validators = append(doc.Validators, cmttypes.GenesisValidator{Address: v.Address, PubKey: v.PubKey, Power: power})
	}
	s, err := cmtstate.MakeGenesisState(&doc)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type require interface{ Fatal(args ...any) }

// after is CometBFT's state after the next block, which changes validators from the height after the next on.
func after(t require, s cmtstate.State, updates ...*cmttypes.Validator) cmtstate.State {
	next := s.NextValidators.Copy()
	if len(updates) > 0 {
		if err := next.UpdateWithChangeSet(updates); err != nil {
			t.Fatal(err)
		}
		s.LastHeightValidatorsChanged = s.LastBlockHeight + 3
	}
	next.IncrementProposerPriority(1)
	s.LastValidators, s.Validators, s.NextValidators = s.Validators.Copy(), s.NextValidators.Copy(), next
	s.LastBlockHeight++
	return s
}

// proposers steps from a state to a height, block by block, and counts the turns behind a height.
func proposers(t require, s cmtstate.State, address []byte, behind, through int64) (n int) {
	for ; s.LastBlockHeight < through; s = after(t, s) {
		if s.LastBlockHeight+1 > behind && bytes.Equal(s.Validators.GetProposer().Address, address) {
			n++
		}
	}
	return n
}

// TestTurnsAsCometBFT: whatever the powers, whatever is asked as heights go on, and whether CometBFT has stored the newest state already or
// not yet, the answer is what stepping CometBFT's states gives, from the newest one stored.
func TestTurnsAsCometBFT(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		powers := rapid.SliceOfN(rapid.Int64Range(1, 1000), 1, 7).Draw(rt, "powers")
		own := validator("0", 1).Address
		s := genesisState(rt, powers)
		states := newStates()
		turns := &turns{states: states, address: own}
		save := func() {
			if err := states.Save(s); err != nil {
				rt.Fatal(err)
			}
		}
		save()
		stored := s
		others := 0
		rt.Repeat(map[string]func(*rapid.T){
			"block": func(rt *rapid.T) {
				var updates []*cmttypes.Validator
				switch rapid.IntRange(0, 5).Draw(rt, "change") {
				case 0:
					others++
					updates = append(updates, validator(fmt.Sprintf("new %d", others), rapid.Int64Range(1, 1000).Draw(rt, "power")))
				case 1:
					updates = append(updates, validator("0", rapid.Int64Range(1, 1000).Draw(rt, "own power")))
				case 2:
					if set := s.NextValidators; len(set.Validators) > 1 {
						gone := set.Validators[rapid.IntRange(0, len(set.Validators)-1).Draw(rt, "gone")].Copy()
						gone.VotingPower = 0
						updates = append(updates, gone)
					}
				}
				s = after(rt, s, updates...)
				if rapid.Bool().Draw(rt, "stored at once") {
					save()
					stored = s
				}
			},
			"stored": func(*rapid.T) {
				save()
				stored = s
			},
			"ask": func(rt *rapid.T) {
				// The application asks for what is behind the next height of its own state, which is s here.
				behind := s.LastBlockHeight + 1
				through := behind + rapid.Int64Range(0, 40).Draw(rt, "span")
				for range 2 {
					n, err := turns.between(behind, through)
					if want := proposers(rt, stored, own, behind, through); err != nil || n != want {
						rt.Fatalf("%d turns behind %d up to %d, not %d: %v", n, behind, through, want, err)
					}
				}
			},
		})
	})
}

// TestTurnsOfAChange: a change of the validators counts as soon as the state that announces it is stored, two heights before it signs.
func TestTurnsOfAChange(t *testing.T) {
	own := validator("0", 1).Address
	states := newStates()
	turns := &turns{states: states, address: own}
	s := after(t, genesisState(t, []int64{1, 1}))
	ask := func(want int) {
		t.Helper()
		if err := states.Save(s); err != nil {
			t.Fatal(err)
		}
		if n, err := turns.between(s.LastBlockHeight+1, s.LastBlockHeight+21); err != nil || n != want {
			t.Errorf("%d turns, %v", n, err)
		}
	}
	ask(10)
	s = after(t, s, validator("1", 0)) // this node remains alone
	ask(20)
}

// TestTurnsAreReckonedOnce: while no block comes, the state is read once, and again for more heights only.
func TestTurnsAreReckonedOnce(t *testing.T) {
	states := newStates()
	turns := &turns{states: states, address: validator("0", 1).Address}
	s := genesisState(t, []int64{1, 1, 1})
	next := func() {
		s = after(t, s)
		if err := states.Save(s); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(span int64, loads int) {
		t.Helper()
		states.loads = 0
		if _, err := turns.between(s.LastBlockHeight+1, s.LastBlockHeight+span); err != nil || states.loads != loads {
			t.Errorf("%d reads, not %d: %v", states.loads, loads, err)
		}
	}
	next()
	ask(30, 1)
	ask(30, 0)
	ask(10, 0)
	ask(31, 1)
	ask(30, 0)
	next()
	ask(30, 1)
	ask(30, 0)
	// The application is a block ahead of what CometBFT has stored.
	s = after(t, s)
	ask(30, 1)
	if err := states.Save(s); err != nil {
		t.Fatal(err)
	}
	ask(30, 1)
	ask(30, 0)
	// An older state of the application: nothing is known of what is behind it.
	turns.height += 5
	ask(30, 1)
}

// TestNoTurns: who does not run yet promises nothing; nor who cannot read the state.
func TestNoTurns(t *testing.T) {
	if _, err := (&turns{}).between(1, 2); !errors.Is(err, errNoTurns) {
		t.Error(err)
	}
	states := newStates()
	turns := &turns{states: states, address: validator("0", 1).Address}
	if _, err := turns.between(1, 2); !errors.Is(err, errNoTurns) {
		t.Error(err)
	}
	if err := states.Save(after(t, genesisState(t, []int64{1}))); err != nil {
		t.Fatal(err)
	}
	states.err = errors.New("no disk")
	if _, err := turns.between(2, 3); !errors.Is(err, states.err) {
		t.Error(err)
	}
	states.err = nil
	for _, c := range []struct{ after, through, want int64 }{{2, 3, 1}, {2, 12, 10}, {0, 3, 2}, {2, 2, 0}, {2, 1, 0}} {
		if n, err := turns.between(c.after, c.through); err != nil || int64(n) != c.want {
			t.Errorf("%+v: %d, %v", c, n, err)
		}
	}
}
