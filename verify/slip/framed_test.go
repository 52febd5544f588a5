package slip_test

import (
	"testing"

	"votenode/app/tx"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/slip"
)

// attack is a way to make an honest node look guilty. It gets the node before it promises anything, and returns the promise.
type attack struct {
	want slip.Verdict
	play func(n *honest) *pb.Promise
}

// vote returns the same voter's ballots under some number.
func (n *honest) vote(number uint64) []byte { return n.Vote(0, number, []int{0}, []int{0}) }

// attacks are those that the voter plays, with the help of other nodes.
var attacks = map[string]attack{
	"the number is spoiled through another node": {slip.Kept, func(n *honest) *pb.Promise {
		raw := n.vote(3)
		p := n.take(raw, n.Height())
		n.by(other, n.spoil(raw, 3))
		n.propose()
		return p
	}},
	"the C_0 is spoiled under another number": {slip.Kept, func(n *honest) *pb.Promise {
		raw := n.vote(3)
		p := n.take(raw, n.Height())
		n.by(other, n.spoil(raw, 9))
		n.propose()
		return p
	}},
	"spoiled in the block that the node has begun": {slip.Kept, func(n *honest) *pb.Promise {
		raw := n.vote(3)
		n.prepare()
		p := n.take(raw, n.Height())
		n.by(other, n.spoil(raw, 3))
		n.propose()
		return p
	}},
	"overtaken by a higher number": {slip.Kept, func(n *honest) *pb.Promise {
		p := n.take(n.vote(3), n.Height())
		n.by(other, n.vote(4))
		n.propose()
		return p
	}},
	"a lower number, and too soon after it": {slip.Kept, func(n *honest) *pb.Promise {
		p := n.take(n.vote(3), n.Height())
		n.by(other, n.vote(2))
		n.propose()
		return p
	}},
	"overtaken in another proposer's block of the height that the node had begun": {slip.Kept, func(n *honest) *pb.Promise {
		n.prepare()
		p := n.take(n.vote(3), n.Height())
		n.by(other, n.vote(4))
		n.propose()
		return p
	}},
	"a lower number in that block": {slip.Kept, func(n *honest) *pb.Promise {
		n.prepare()
		p := n.take(n.vote(3), n.Height())
		n.by(other, n.vote(2))
		n.propose()
		return p
	}},
	"overtaken in the node's own block, begun before the promise": {slip.Kept, func(n *honest) *pb.Promise {
		n.take(n.vote(1), n.Height())
		begun := n.prepare()
		p := n.take(n.vote(3), n.Height())
		n.named(begun...)
		n.propose()
		return p
	}},
	"the node's own block, begun before the promise": {slip.NoTurn, func(n *honest) *pb.Promise {
		begun := n.prepare()
		p := n.take(n.vote(3), n.Height())
		n.named(begun...)
		return p
	}},
	"overtaken before the height of issue, the check being older": {0, func(n *honest) *pb.Promise {
		checked := n.Height()
		n.by(other, n.vote(4))
		n.prepare()
		return n.take(n.vote(3), checked)
	}},
	"a ballot just before the promise": {0, func(n *honest) *pb.Promise {
		n.by(other, n.vote(2))
		return n.take(n.vote(3), n.Height())
	}},
	"a ballot recorded at the height against which it is checked, some time ago": {slip.NoTurn, func(n *honest) *pb.Promise {
		n.by(other, n.vote(2))
		n.Make(5)
		p := n.take(n.vote(3), n.Height())
		return p
	}},
	"two promises, of which the higher one goes": {slip.Kept, func(n *honest) *pb.Promise {
		p := n.take(n.vote(3), n.Height())
		n.take(n.vote(4), n.Height())
		n.propose()
		return p
	}},
	"two promises, the higher one spoiled while its block is under way": {slip.Kept, func(n *honest) *pb.Promise {
		raw := n.vote(4)
		p := n.take(n.vote(3), n.Height())
		n.take(raw, n.Height())
		n.prepare()
		n.by(other, n.spoil(raw, 4))
		n.propose()
		return p
	}},
	"revoked": {slip.Kept, func(n *honest) *pb.Promise {
		p := n.take(n.vote(3), n.Height())
		n.Resolve(revoke(n.Election, 0))
		n.propose()
		return p
	}},
	"cancelled": {slip.Kept, func(n *honest) *pb.Promise {
		p := n.take(n.vote(3), n.Height())
		n.Resolve(cancel(n.Election))
		n.propose()
		return p
	}},
	"closed": {slip.Kept, func(n *honest) *pb.Promise {
		p := n.take(n.vote(3), n.Height())
		n.Make(n.Record().Closing - n.Now())
		n.propose()
		return p
	}},
	"closed by the time of the node's own block, not by its clock": {slip.Kept, func(n *honest) *pb.Promise {
		p := n.take(n.vote(3), n.Height())
		block := n.prepare()[:1]
		n.Proposer = &node
		n.Make(n.Record().Closing-n.Now(), block...)
		return p
	}},
	"block time held back across closing": {slip.NoTurn, func(n *honest) *pb.Promise {
		p := n.take(n.vote(3), n.Height())
		n.lead = n.Record().Closing - n.Now() + 61
		n.propose()
		return p
	}},
	"block time held back, and closing moved": {slip.Kept, func(n *honest) *pb.Promise {
		p := n.take(n.vote(3), n.Height())
		n.lead = n.Record().Closing - n.Now() + 61
		n.propose()
		n.Resolve(extend(n.Election, 3600))
		n.propose()
		return p
	}},
	"ballot_bytes falls": {slip.NoTurn, func(n *honest) *pb.Promise {
		raw := n.vote(3)
		p := n.take(raw, n.Height())
		n.Resolve(limits(n.Election, func(l *pb.Limits) { l.BallotBytes = uint64(len(raw)) - 1 }))
		n.propose()
		return p
	}},
	"its precommit is left out": {slip.Kept, func(n *honest) *pb.Promise {
		p := n.take(n.vote(3), n.Height())
		n.propose()
		n.Absent[node.Name] = true
		n.Make(1)
		n.Absent[node.Name] = false
		return p
	}},
	"its precommits are left out, and it has no turn": {slip.NoTurn, func(n *honest) *pb.Promise {
		n.propose()
		p := n.take(n.vote(3), n.Height())
		n.Absent[node.Name] = true
		n.Make(1)
		n.Absent[node.Name] = false
		return p
	}},
	"it has left, and the set has another in its place": {slip.NoTurn, func(n *honest) *pb.Promise {
		p := n.take(n.vote(3), n.Height())
		n.Change(rehearsal.Validator("party", 3), rehearsal.Validator("party", 2), rehearsal.Validator("league", 1), rehearsal.Validator("league", 2))
		return p
	}},
	"too late for a promise": {0, func(n *honest) *pb.Promise {
		n.Make(n.Record().Closing - n.Now() - int64(n.Genesis.Parameters.SlipMargin))
		return n.take(n.vote(3), n.Height())
	}},
	"too late by its own clock": {0, func(n *honest) *pb.Promise {
		n.lead = n.Record().Closing - n.Now() - int64(n.Genesis.Parameters.SlipMargin)
		return n.take(n.vote(3), n.Height())
	}},
}

// forgeries are blocks that another proposer makes in the node's name. They get a ballot that the node promised, and a proposal of
// the node for this height that was not decided.
var forgeries = map[string]func(n *honest, refused [][]byte) [][]byte{
	"no transaction": func(n *honest, refused [][]byte) [][]byte { return nil },
	"an empty one":   func(n *honest, refused [][]byte) [][]byte { return [][]byte{{}} },
	"no AuthorBlock": func(n *honest, refused [][]byte) [][]byte { return [][]byte{n.Vote(1, 1, []int{0}, []int{0})} },
	"another's key": func(n *honest, refused [][]byte) [][]byte {
		return [][]byte{n.author(other.Name+" slip", n.Height()+1, 0)}
	},
	"the consensus key": func(n *honest, refused [][]byte) [][]byte { return [][]byte{n.author(node.Name, n.Height()+1, 0)} },
	"of a lower height": func(n *honest, refused [][]byte) [][]byte {
		return [][]byte{n.author(node.Name+" slip", n.Height(), 0)}
	},
	"of a higher height": func(n *honest, refused [][]byte) [][]byte {
		return [][]byte{n.author(node.Name+" slip", n.Height()+2, 0)}
	},
	"damaged": func(n *honest, refused [][]byte) [][]byte {
		raw := n.author(node.Name+" slip", n.Height()+1, 0)
		raw[len(raw)-1] ^= 1
		return [][]byte{raw}
	},
	"the other proposer's own": func(n *honest, refused [][]byte) [][]byte {
		n.Proposer = &other
		return n.Authored(0)
	},
	"for another's address": func(n *honest, refused [][]byte) [][]byte {
		n.Proposer = &other
		raw := n.Authored(0)
		m := must(tx.Parse(raw[0])).Body().(*pb.AuthorBlock)
		return [][]byte{rehearsal.Sign(node.Name+" slip", m)}
	},
	"of another round, with nothing behind it": func(n *honest, refused [][]byte) [][]byte { return refused[:1] },
	"of another round, with another behind it": func(n *honest, refused [][]byte) [][]byte {
		return [][]byte{refused[0], n.Vote(1, 1, []int{0}, []int{0})}
	},
	"of another round, not in the first place": func(n *honest, refused [][]byte) [][]byte {
		return [][]byte{n.Vote(1, 1, []int{0}, []int{0}), refused[0]}
	},
}

func TestHonest(t *testing.T) {
	for name, a := range attacks {
		t.Run(name, func(t *testing.T) {
			n := &honest{scene: open(t)}
			p := a.play(n)
			if a.want == 0 || p == nil {
				if a.want != 0 || p != nil {
					t.Fatalf("promised: %v, want %v", p != nil, a.want)
				}
				return
			}
			n.expect(p, a.want)
		})
	}
}

// TestForgedAuthor: who writes the node's address into a header blames nobody.
func TestForgedAuthor(t *testing.T) {
	for name, forge := range forgeries {
		t.Run(name, func(t *testing.T) {
			n := &honest{scene: open(t)}
			p := n.take(n.vote(3), n.Height())
			n.named(forge(n, n.prepare())...)
			n.expect(p, slip.NoTurn)
		})
	}
}

// TestRules: without one of the rules of 12.2 an honest node is found guilty.
func TestRules(t *testing.T) {
	for rash, play := range map[string]func(n *honest) *pb.Promise{
		"old check": func(n *honest) *pb.Promise {
			checked := n.Height()
			n.by(other, n.vote(4))
			n.prepare()
			p := n.take(n.vote(3), checked)
			n.by(other)
			n.propose()
			return p
		},
		"no begun proposal": func(n *honest) *pb.Promise {
			begun := n.prepare()
			p := n.take(n.vote(3), n.Height())
			n.named(begun...)
			return p
		},
		"more than a block holds": func(n *honest) *pb.Promise {
			var last *pb.Promise
			for voter := range room + 1 {
				if p := n.take(n.Vote(voter, 1, south(voter)...), n.Height()); p != nil {
					last = p
				}
			}
			n.propose()
			return last
		},
	} {
		t.Run(rash, func(t *testing.T) {
			n := &honest{scene: open(t)}
			if p := play(n); p != nil && p.Slip.RollIndex == room {
				t.Error("it promised all the same")
			} else if p != nil {
				n.past(p.Slip.Promised)
				if f := n.found(p, p.Slip.Promised); f.Verdict == slip.Broken {
					t.Errorf("with the rule: %v", f.Words())
				}
			}
			n = &honest{scene: open(t), rash: rash}
			n.expect(play(n), slip.Broken)
		})
	}
}

// south returns selections that fit the style of a voter.
func south(voter int) [][]int {
	if rehearsal.Style(voter) == 1 {
		return [][]int{{0}}
	}
	return [][]int{{0}, {0}}
}
