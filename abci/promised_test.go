package abci

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// modelled is a waiting transaction of the naive model of the pool.
type modelled struct {
	v        *tx.Verified
	arrived  int64
	local    bool
	promised int // the place in the order of promises, 0 where not promised
}

func (m *modelled) ballot() *pb.CastBallot {
	b, _ := m.v.Parsed().Body().(*pb.CastBallot)
	return b
}

func (m *modelled) owner() string {
	name, _ := owner(m.v.Parsed())
	return name
}

// model does what the pool does, over one list in order of arrival.
type model struct {
	limits   PoolLimits
	list     []*modelled
	promises int
	proposed int64
}

func (m *model) find(hash [32]byte) *modelled {
	for _, w := range m.list {
		if w.v.Parsed().Hash() == hash {
			return w
		}
	}
	return nil
}

func (m *model) remove(gone func(w *modelled) bool) { m.list = slices.DeleteFunc(m.list, gone) }

// totals returns the bytes of all, and bytes and units of what is promised.
func (m *model) totals() (bytes, promisedBytes int, promisedUnits uint64) {
	for _, w := range m.list {
		size := len(w.v.Parsed().Raw())
		if bytes += size; w.promised > 0 {
			promisedBytes, promisedUnits = promisedBytes+framed(w.v), promisedUnits+w.v.Parsed().Units()
		}
	}
	return bytes, promisedBytes, promisedUnits
}

func (m *model) add(v *tx.Verified, local bool, height int64) (ok bool, replaced [][32]byte) {
	if w := m.find(v.Parsed().Hash()); w != nil {
		w.local = w.local || local
		return true, nil
	}
	w := &modelled{v: v, local: local, arrived: height}
	lower := func(o *modelled) bool {
		return w.ballot() != nil && o.ballot() != nil && o.owner() == w.owner() && o.ballot().Sequence < w.ballot().Sequence && o.promised == 0
	}
	after := slices.DeleteFunc(slices.Clone(m.list), lower)
	share, memory, mine := m.limits.PerSigner, memoryOf(v), 0
	if w.ballot() != nil {
		share = m.limits.PerVoter
	}
	for _, o := range after {
		if memory += memoryOf(o.v); o.owner() == w.owner() {
			mine++
		}
	}
	if memory > m.limits.Bytes || len(after) >= m.limits.Count || mine >= share {
		return false, nil
	}
	for _, o := range m.list {
		if lower(o) {
			replaced = append(replaced, o.v.Parsed().Hash())
		}
	}
	m.list = append(after, w)
	return true, replaced
}

func (m *model) promise(hash [32]byte, checked int64, r room) (int64, error) {
	w := m.find(hash)
	if w == nil || w.ballot() == nil || w.promised > 0 {
		return 0, errGone
	}
	if m.proposed > checked+1 {
		return 0, errStale
	}
	for _, o := range m.list {
		if o.ballot() != nil && o.owner() == w.owner() && o.ballot().Sequence > w.ballot().Sequence {
			return 0, errHigher
		}
	}
	_, bytes, units := m.totals()
	if bytes+framed(w.v) > r.bytes || units+w.v.Parsed().Units() > r.units {
		return 0, errRoom
	}
	m.enlist(w)
	return max(checked, m.proposed), nil
}

func (m *model) enlist(w *modelled) {
	m.promises++
	w.promised = m.promises
}

// propose returns the order of a proposal.
func (m *model) propose(height int64) (promised, others []*modelled) {
	m.proposed = max(m.proposed, height)
	ballots := func(owner string) (list []*modelled) {
		for _, w := range m.list {
			if w.ballot() != nil && w.owner() == owner {
				list = append(list, w)
			}
		}
		slices.SortFunc(list, func(a, b *modelled) int { return int(b.ballot().Sequence) - int(a.ballot().Sequence) })
		return list
	}
	order := slices.DeleteFunc(slices.Clone(m.list), func(w *modelled) bool { return w.promised == 0 })
	slices.SortFunc(order, func(a, b *modelled) int { return a.promised - b.promised })
	done := map[string]bool{}
	for _, w := range order {
		if !done[w.owner()] {
			done[w.owner()] = true
			promised = append(promised, ballots(w.owner())...)
		}
	}
	for _, w := range m.list {
		if w.ballot() == nil {
			others = append(others, w)
		}
	}
	for _, w := range m.list {
		if w.ballot() != nil && !done[w.owner()] {
			done[w.owner()] = true
			others = append(others, ballots(w.owner())...)
		}
	}
	return promised, others
}

// TestPoolAgainstModel does anything to a pool, in any order, and holds it against the model: who waits, who is promised, the order of a
// proposal, and what all take together.
func TestPoolAgainstModel(t *testing.T) {
	l, b := on(t, nil)
	var all []*tx.Verified
	for voter := range 4 {
		for sequence := range uint64(4) {
			all = append(all, l.verified(b.cast(t, voter, sequence+1)))
		}
	}
	for n := range 5 {
		all = append(all, l.verified(as("a", n)))
	}
	size, memory, units := len(all[0].Parsed().Raw()), memoryOf(all[0]), all[0].Parsed().Units()
	rapid.Check(t, func(rt *rapid.T) {
		limits := PoolLimits{
			Bytes: rapid.IntRange(2*memory, 16*memory).Draw(rt, "bytes"), Count: rapid.IntRange(2, 16).Draw(rt, "count"),
			PerVoter: rapid.IntRange(1, 3).Draw(rt, "per voter"), PerSigner: rapid.IntRange(1, 4).Draw(rt, "per signer"),
		}
		p, m, height := newPool(limits, 1), &model{limits: limits, proposed: 1}, int64(1)
		given := map[[32]byte]int64{} // when the peers were given a transaction last
		any := rapid.SampledFrom(all)
		same := func(what string, got, want [][32]byte) {
			if order := func(x, y [32]byte) int { return slices.Compare(x[:], y[:]) }; what != "offer" {
				slices.SortFunc(got, order)
				slices.SortFunc(want, order)
			}
			if !slices.Equal(got, want) {
				rt.Fatalf("%s: %x instead of %x", what, got, want)
			}
		}
		settle := func(gone func(w *modelled) bool) (list [][32]byte) {
			for _, w := range m.list {
				if w.promised > 0 && gone(w) {
					list, w.promised = append(list, w.v.Parsed().Hash()), 0
				}
			}
			return list
		}
		rt.Repeat(map[string]func(*rapid.T){
			"add": func(rt *rapid.T) {
				v, local := any.Draw(rt, "tx"), rapid.Bool().Draw(rt, "local")
				ok, replaced := p.add(v, local, height)
				want, list := m.add(v, local, height)
				if same("replaced", replaced, list); ok != want {
					rt.Fatalf("taken: %v", ok)
				}
			},
			"promise": func(rt *rapid.T) {
				hash, checked := any.Draw(rt, "tx").Parsed().Hash(), height-rapid.Int64Range(0, 2).Draw(rt, "behind")
				r := room{size * rapid.IntRange(0, 12).Draw(rt, "bytes"), units * rapid.Uint64Range(0, 12).Draw(rt, "units")}
				issued, err := p.promise(hash, checked, r)
				if want, wantErr := m.promise(hash, checked, r); issued != want || !errors.Is(err, wantErr) {
					rt.Fatalf("%d, %v instead of %d, %v", issued, err, want, wantErr)
				}
			},
			"resume": func(rt *rapid.T) {
				hash := any.Draw(rt, "tx").Parsed().Hash()
				if w := m.find(hash); w == nil || w.ballot() != nil {
					p.resume(hash)
					if w != nil && w.promised == 0 {
						m.enlist(w)
					}
				}
			},
			"forget": func(rt *rapid.T) {
				hash := any.Draw(rt, "tx").Parsed().Hash()
				p.forget(hash)
				settle(func(w *modelled) bool { return w.v.Parsed().Hash() == hash })
			},
			"remove": func(rt *rapid.T) {
				hash := any.Draw(rt, "tx").Parsed().Hash()
				got := p.remove(hash)
				same("removed", got, settle(func(w *modelled) bool { return w.v.Parsed().Hash() == hash }))
				m.remove(func(w *modelled) bool { return w.v.Parsed().Hash() == hash })
			},
			"recorded": func(rt *rapid.T) {
				name, _ := owner(any.Draw(rt, "tx").Parsed())
				same("recorded", p.recordedAll([]string{name}), settle(func(w *modelled) bool { return w.owner() == name }))
			},
			"expire": func(rt *rapid.T) {
				height += rapid.SampledFrom([]int64{0, 1, poolLife / 2, poolLife}).Draw(rt, "heights")
				old := func(w *modelled) bool { return w.arrived < height-poolLife && w.promised == 0 }
				var want [][32]byte
				for _, w := range m.list {
					if old(w) && w.local {
						want = append(want, w.v.Parsed().Hash())
					}
				}
				same("expired", p.expire(height), want)
				m.remove(old)
			},
			"propose": func(rt *rapid.T) {
				of := height + rapid.Int64Range(0, 1).Draw(rt, "of")
				promised, others := p.propose(of)
				wantPromised, wantOthers := m.propose(of)
				is := func(v *tx.Verified, w *modelled) bool { return v == w.v }
				if !slices.EqualFunc(promised, wantPromised, is) || !slices.EqualFunc(others, wantOthers, is) {
					rt.Fatal("another order")
				}
			},
			"offer": func(rt *rapid.T) {
				height += rapid.Int64Range(0, offerAgain).Draw(rt, "heights")
				for _, raw := range p.offer(height, 0) {
					hash := hashOf(raw)
					if w := m.find(hash); w == nil || !w.local || given[hash] != 0 && given[hash]+offerAgain > height {
						rt.Fatal("it is offered too soon, or not at all to be")
					}
					given[hash] = height
				}
				for _, w := range m.list {
					if w.local && given[w.v.Parsed().Hash()]+offerAgain <= height {
						rt.Fatal("it is not offered")
					}
				}
			},
			"": func(rt *rapid.T) {
				bytes, promisedBytes, promisedUnits := m.totals()
				if n, got := p.size(); n != len(m.list) || got != bytes || p.promisedBytes != promisedBytes || p.promisedUnits != promisedUnits {
					rt.Fatalf("%d transactions, %d bytes, %d and %d promised", n, got, p.promisedBytes, p.promisedUnits)
				}
				var settled [][32]byte
				for _, v := range all {
					hash := v.Parsed().Hash()
					w := m.find(hash)
					if (p.get(hash) == nil) != (w == nil) {
						rt.Fatal("it waits in one, and not in the other")
					}
					if w == nil {
						delete(given, hash) // who comes again is offered again
					}
					if w == nil || w.promised == 0 {
						settled = append(settled, hash)
					}
				}
				if got := p.settled(hashesOf(all)); !slices.Equal(got, settled) || p.open() != len(all)-len(settled) {
					rt.Fatalf("%d promises", p.open())
				}
			},
		})
		p.remove(hashesOf(all)...)
		if n, bytes := p.size(); n+bytes+p.promisedBytes+int(p.promisedUnits)+p.open()+len(p.owners)+p.fresh.Len()+p.given.Len() != 0 {
			rt.Fatalf("something is left of an empty pool: %+v", p)
		}
	})
}

func hashesOf(list []*tx.Verified) (hashes [][32]byte) {
	for _, v := range list {
		hashes = append(hashes, v.Parsed().Hash())
	}
	return hashes
}

// framed is what a transaction takes in a block.
func framed(v *tx.Verified) int { return newWaiting(v, 0).framed() }
