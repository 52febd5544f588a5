package slip_test

import (
	"testing"

	"votenode/app/tx"
	"votenode/internal/rehearsal"
	"votenode/verify/slip"
)

// TestGuilty: what a dishonest node does to get away. Where it does, somebody else has to see it, and the comment says who.
func TestGuilty(t *testing.T) {
	for name, c := range map[string]struct {
		want slip.Verdict
		play func(s *scene) (raw []byte, issued int64)
	}{
		"it promises what the state refuses, and brings it at once": {slip.Broken, func(s *scene) ([]byte, int64) {
			s.by(other, s.Vote(0, 2, []int{1}, []int{1}))
			raw, issued := s.Vote(0, 3, []int{0}, []int{0}), s.Height()+1
			s.Make(0)
			if got := s.by(node, raw)[1].Code; got != tx.CodeTooSoon {
				t.Fatal(got)
			}
			return raw, issued
		}},
		"it promises a ballot with a wrong proof": {slip.Broken, func(s *scene) ([]byte, int64) {
			raw := s.Vote(0, 3, []int{0}, []int{0})
			raw[len(raw)-1] ^= 1
			issued := s.Height()
			s.by(node, raw)
			return raw, issued
		}},
		"it promises a number that is recorded already": {slip.Broken, func(s *scene) ([]byte, int64) {
			s.by(other, s.Vote(0, 3, []int{1}, []int{1}))
			s.Make(1)
			raw, issued := s.Vote(0, 3, []int{0}, []int{0}), s.Height()
			s.by(node)
			return raw, issued
		}},
		"it brings it after a turn without it, too late": {slip.Broken, func(s *scene) ([]byte, int64) {
			raw, issued := s.Vote(0, 3, []int{0}, []int{0}), s.Height()
			s.by(node)
			s.past(issued + span)
			s.by(node, raw)
			return raw, issued
		}},
		// The client compares the height of issue with the certified height at which it looked the last ballot up (12.6).
		"it names the height of the voter's last ballot": {slip.Kept, func(s *scene) ([]byte, int64) {
			s.by(other, s.Vote(0, 2, []int{1}, []int{1}))
			issued := s.Height()
			s.Make(5)
			s.by(node)
			return s.Vote(0, 3, []int{0}, []int{0}), issued
		}},
		// One height later the client's comparison holds, and the node does not get away.
		"it names the next height": {slip.Broken, func(s *scene) ([]byte, int64) {
			s.by(other, s.Vote(0, 2, []int{1}, []int{1}))
			issued := s.Height() + 1
			s.Make(5)
			s.by(node)
			return s.Vote(0, 3, []int{0}, []int{0}), issued
		}},
		// Rule 1 of 7.3: honest validators refuse a block whose author is more than 5 seconds ahead of their clocks.
		"it says that its clock has passed closing": {slip.NoTurn, func(s *scene) ([]byte, int64) {
			issued := s.Height()
			s.named(s.author(node.Name+" slip", s.Height()+1, s.Record().Closing-s.Now()))
			return s.Vote(0, 3, []int{0}, []int{0}), issued
		}},
		// 7.2: honest validators refuse a block that does not begin with the signature of whom the header names.
		"it does not sign its block, or not in the first place": {slip.NoTurn, func(s *scene) ([]byte, int64) {
			issued := s.Height()
			s.named()
			s.named(s.Vote(1, 1, []int{0}, []int{0}), s.author(node.Name+" slip", s.Height()+1, 0))
			return s.Vote(0, 3, []int{0}, []int{0}), issued
		}},
		// The voter sees in the voters' tree which of the ballots counts.
		"it brings an older ballot of the voter instead": {slip.Kept, func(s *scene) ([]byte, int64) {
			issued := s.Height()
			s.by(node, s.Vote(0, 2, []int{1}, []int{1}))
			return s.Vote(0, 3, []int{0}, []int{0}), issued
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			raw, issued := c.play(s)
			s.expect(promise(raw, issued), c.want)
		})
	}
}

// TestVoted: a voter who has voted before is judged by what comes behind the height of issue.
func TestVoted(t *testing.T) {
	s := open(t)
	s.by(other, s.Vote(0, 2, []int{1}, []int{1}))
	s.Make(5)
	raw := s.Vote(0, 3, []int{0}, []int{0})
	p, q := promise(raw, s.Height()), promiseBy(other, other.Name+" slip", raw, s.Height(), s.Height()+span)
	s.by(node)
	s.by(rehearsal.Validator("party", 2), s.Vote(1, 1, []int{0}, []int{0}))
	s.expect(p, slip.Broken)
	// The others' blocks after the height of issue, by past, are those of the other promiser.
	s.expect(q, slip.Broken)
}
