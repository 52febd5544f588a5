package slip_test

import (
	"errors"
	"strings"
	"testing"

	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/slip"
)

// TestBroken: the node made a block in time and left the ballot out, however it goes on.
func TestBroken(t *testing.T) {
	for name, block := range map[string]func(s *scene, raw []byte){
		"empty":         func(s *scene, raw []byte) { s.by(node) },
		"full":          func(s *scene, raw []byte) { s.by(node, s.Vote(1, 1, []int{0}, []int{0}), s.Vote(2, 1, []int{0})) },
		"first of many": func(s *scene, raw []byte) { s.by(node); s.by(node); s.by(other) },
		"the last height": func(s *scene, raw []byte) {
			s.past(s.Height() + span - 1)
			s.by(node)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			raw := s.Vote(0, 1, []int{0}, []int{0})
			p := promise(raw, s.Height())
			first := s.Height() + 1
			block(s, raw)
			f := s.expect(p, slip.Broken)
			if name == "the last height" {
				first = p.Slip.Promised
			}
			if f.Height != first || f.Judged != p.Slip.Promised || !strings.Contains(strings.Join(f.Words(), " "), "evidence") {
				t.Errorf("%+v", f)
			}
			// What comes after the height promised is too late.
			s.Accept(raw)
			if f := s.found(p, s.Height()); f.Verdict != slip.Broken {
				t.Errorf("recorded too late: %v", f.Verdict)
			}
		})
	}
}

// TestKept: the node leaves the ballot out, and the promise counts as kept all the same.
func TestKept(t *testing.T) {
	for name, c := range map[string]struct {
		how   string
		event func(s *scene, raw []byte)
	}{
		"recorded": {"is recorded", func(s *scene, raw []byte) { s.by(other, raw) }},
		"recorded, and overtaken": {"recorded since", func(s *scene, raw []byte) {
			s.by(other, raw)
			s.Make(5, s.Vote(0, 9, []int{1}, []int{1}))
		}},
		"a higher number":          {"ballot 5 of the same voter", func(s *scene, raw []byte) { s.by(other, s.Vote(0, 5, []int{1}, []int{1})) }},
		"a lower number":           {"ballot 2 of the same voter", func(s *scene, raw []byte) { s.by(other, s.Vote(0, 2, []int{1}, []int{1})) }},
		"revoked":                  {"revoked", func(s *scene, raw []byte) { s.Resolve(revoke(s.Election, 0)) }},
		"number and C_0 spoiled":   {"challenged", func(s *scene, raw []byte) { s.by(other, s.spoil(raw, 3)) }},
		"C_0 under another number": {"challenged", func(s *scene, raw []byte) { s.by(other, s.spoil(raw, 4)) }},
		"number with another C_0":  {"challenged", func(s *scene, raw []byte) { s.by(other, s.spoil(s.Vote(0, 7, []int{1}, []int{1}), 3)) }},
		"cancelled":                {"cancelled", func(s *scene, raw []byte) { s.Resolve(cancel(s.Election)) }},
		"closed":                   {"closed", func(s *scene, raw []byte) { s.Make(s.Record().Closing - s.Now()) }},
		"decrypting": {"decrypting", func(s *scene, raw []byte) {
			s.Make(s.Record().Closing-s.Now(), s.spoil(raw, 3))
			s.Make(int64(s.Manifest.ObjectionWindow))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			if name == "decrypting" {
				s.by(other, s.Vote(1, 1, []int{0}, []int{0}), s.Vote(2, 1, []int{0}), s.Vote(3, 1, []int{0}, []int{0}))
			}
			raw := s.Vote(0, 3, []int{0}, []int{0})
			p := promise(raw, s.Height())
			s.by(node)
			c.event(s, raw)
			if f := s.expect(p, slip.Kept); !strings.Contains(f.How, c.how) || !strings.Contains(strings.Join(f.Words(), " "), c.how) {
				t.Errorf("%q", f.How)
			}
		})
	}
}

// TestNotKept: what looks like one of the five ways, and is none.
func TestNotKept(t *testing.T) {
	for name, event := range map[string]func(s *scene){
		"another voter's ballot":    func(s *scene) { s.by(other, s.Vote(1, 9, []int{1}, []int{1})) },
		"another voter is revoked":  func(s *scene) { s.Resolve(revoke(s.Election, 1)) },
		"another number, other C_0": func(s *scene) { s.by(other, s.spoil(s.Vote(0, 9, []int{1}, []int{1}), 9)) },
		"another voter's spoil":     func(s *scene) { s.by(other, s.spoil(s.Vote(3, 3, []int{1}, []int{1}), 3)) },
		"extended":                  func(s *scene) { s.Resolve(extend(s.Election, 60)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			s.Create(rehearsal.Manifest("another")) // with logs that stand before those of this election
			// The voter has voted before: that ballot stands behind no height of issue.
			s.by(other, s.Vote(0, 1, []int{1}, []int{1}))
			s.Make(5)
			p := promise(s.Vote(0, 3, []int{0}, []int{0}), s.Height())
			s.by(node)
			event(s)
			s.expect(p, slip.Broken)
		})
	}
}

// TestNoTurn: no block of the node in the window leaves the ballot out.
func TestNoTurn(t *testing.T) {
	for name, event := range map[string]func(s *scene, raw []byte){
		"nothing of it was decided": func(s *scene, raw []byte) {},
		"its block is at the height of issue": func(s *scene, raw []byte) {
			s.by(other)
		},
		"its block comes after the height promised": func(s *scene, raw []byte) {
			s.past(s.Height() + span)
			s.by(node)
		},
		"closing by its own clock, block time held back": func(s *scene, raw []byte) {
			s.named(s.author(node.Name+" slip", s.Height()+1, s.Record().Closing-s.Now()))
		},
		"the ballot has become too long, for a while": func(s *scene, raw []byte) {
			long := s.Genesis.Parameters.Limits.BallotBytes
			s.Resolve(limits(s.Election, func(l *pb.Limits) { l.BallotBytes = uint64(len(raw)) - 1 }))
			s.by(node)
			s.Resolve(limits(s.Election, func(l *pb.Limits) { l.BallotBytes = long }))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			raw := s.Vote(0, 1, []int{0}, []int{0})
			s.by(node)
			p := promise(raw, s.Height())
			event(s, raw)
			if f := s.expect(p, slip.NoTurn); f.Height != 0 || !strings.Contains(strings.Join(f.Words(), " "), "blames nobody") {
				t.Errorf("%+v", f)
			}
		})
	}
}

// TestEdges: a nanosecond before closing is before it, a ballot of exactly ballot_bytes fits.
func TestEdges(t *testing.T) {
	s := open(t)
	raw := s.Vote(0, 1, []int{0}, []int{0})
	s.Resolve(limits(s.Election, func(l *pb.Limits) { l.BallotBytes = uint64(len(raw)) }))
	p := promise(raw, s.Height())
	s.Proposer = &node
	s.Make(1, s.Authored(s.Record().Closing*second-s.BlockAt(s.Height()).Time.UnixNano()-1)...)
	s.expect(p, slip.Broken)
}

// TestExtension: closing is moved later within the window. A block that the node made after the old closing, by its own clock, is not
// held against it; one that it made after the extension is.
func TestExtension(t *testing.T) {
	for name, c := range map[string]struct {
		again bool
		want  slip.Verdict
	}{"before": {false, slip.NoTurn}, "after": {true, slip.Broken}} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			p := promise(s.Vote(0, 1, []int{0}, []int{0}), s.Height())
			late := s.Record().Closing - s.Now()
			s.named(s.author(node.Name+" slip", s.Height()+1, late))
			s.Resolve(extend(s.Election, 3600))
			if c.again {
				s.named(s.author(node.Name+" slip", s.Height()+1, late))
			}
			s.expect(p, c.want)
		})
	}
}

// TestValidatorSets: the set changes within the window.
func TestValidatorSets(t *testing.T) {
	moved := node
	moved.SlipKey = rehearsal.Validator("party", 7).SlipKey
	newKey := rehearsal.Validator("party", 7).Name + " slip"
	for name, c := range map[string]struct {
		next pb.Validator
		key  string // that signs for the node's address after the change
		want slip.Verdict
	}{
		"the node leaves": {rehearsal.Validator("party", 3), node.Name + " slip", slip.NoTurn},
		"its slip key changes, and it signs with the new": {moved, newKey, slip.Broken},
		"its slip key changes, the old one signs":         {moved, node.Name + " slip", slip.NoTurn},
		"the new key signs before it is in force":         {node, newKey, slip.NoTurn},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			raw := s.Vote(0, 1, []int{0}, []int{0})
			p := promiseBy(node, node.Name+" slip", raw, s.Height(), s.Height()+20)
			if name == "the new key signs before it is in force" {
				c.next = moved
				s.named(s.author(newKey, s.Height()+1, 0))
				c.key = node.Name + " slip"
			}
			s.Change(c.next, rehearsal.Validator("party", 2), rehearsal.Validator("league", 1), rehearsal.Validator("league", 2))
			s.named(s.author(c.key, s.Height()+1, 0))
			if f := s.expect(p, c.want); f.Validator.Name != node.Name {
				t.Errorf("%+v", f.Validator)
			}
			if c.next.Name == node.Name {
				return
			}
			// One that has left promises nothing, and who came in its place promises for itself.
			if f, err := s.newCase(promiseBy(node, node.Name+" slip", raw, s.Height(), s.Height()+span), s.Height()); err == nil {
				if _, err = s.judge(f); err == nil {
					t.Error("a promise of a validator that has left")
				}
			}
			own := promiseBy(c.next, c.next.Name+" slip", raw, s.Height(), s.Height()+span)
			s.by(c.next)
			s.expect(own, slip.Broken)
		})
	}
}

// TestFirstHeight: a promise of the first height there is. No block stands before it.
func TestFirstHeight(t *testing.T) {
	s := open(t)
	p := promiseBy(node, node.Name+" slip", s.Vote(0, 1, []int{0}, []int{0}), 1, s.Height()+span)
	s.by(node)
	s.past(p.Slip.Promised)
	height := s.Height()
	c := must(s.newCase(p, height))
	if f := must(s.judge(c)); f.Verdict != slip.Broken {
		t.Errorf("%+v", f)
	}
	c.Before = must(s.newCase(promise(p.Ballot, 2), height)).Before
	if f, err := s.judge(c); !errors.Is(err, slip.ErrCase) {
		t.Errorf("a block before the first: %v, %v", f, err)
	}
}

// TestNoElection: a block that the node signed when there was no such election leaves nothing out; one that it signs later does.
func TestNoElection(t *testing.T) {
	for want, later := range map[slip.Verdict]bool{slip.NoTurn: false, slip.Broken: true} {
		s := open(t)
		issued := s.Height()
		s.by(node)
		e := s.Create(rehearsal.Manifest("another"))
		e.Enrol(3)
		e.Seal()
		e.Appoint(3)
		e.MakeKeys()
		e.Begin()
		if later {
			s.by(node)
		}
		p := promiseBy(node, node.Name+" slip", e.Vote(0, 1, []int{0}, []int{0}), issued, s.Height())
		c := must(s.newCase(p, p.Slip.Promised))
		if f := must(s.judge(c)); f.Verdict != want {
			t.Errorf("%v, want %v", f.Verdict, want)
		}
		signed := c.Blocks[0]
		if later {
			continue
		}
		if !signed.ElectionRecord.Absent || signed.Parameters != nil {
			t.Fatal("the election is shown")
		}
		for name, change := range map[string]func(){
			"with parameters": func() { signed.Parameters = must(must(s.StateAt(issued)).ProveRecord("parameters")) },
			"another absence": func() {
				signed.Parameters, signed.ElectionRecord = nil, must(must(s.StateAt(issued)).ProveRecord("election/bnother"))
			},
		} {
			change()
			if f, err := s.judge(c); err == nil {
				t.Errorf("%s: %v", name, f.Verdict)
			}
		}
	}
}
