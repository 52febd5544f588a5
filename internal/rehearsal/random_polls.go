package rehearsal

import (
	"fmt"
	"slices"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// poll returns what would bring an open poll by the roll of the election "a" on, one after the other.
func (c *crowd) poll() [][]byte {
	e := c.elections["a"]
	if e == nil || !e.Record().RollSealed {
		return nil
	}
	p := &Election{Ledger: c.Ledger, ID: fmt.Sprintf("poll-%d", c.Height()/60)}
	p.Manifest = PollManifest(p.ID, e.ID)
	p.Manifest.RevoteInterval = 1
	record := must(state.Load[pb.Election](c.View(), state.ElectionKey(p.ID)))
	switch {
	case record == nil:
		hash, b := election.ManifestHash(p.Manifest), election.Encode(p.Manifest)
		publish := Sign(c.officer(), &pb.PublishDocument{Hash: hash[:], Size_: uint64(len(b)), Chunk: b})
		return [][]byte{publish, c.propose(&pb.Resolution{Decision: &pb.Resolution_CreateElection{CreateElection: &pb.CreateElection{Manifest: hash[:]}}})}
	case record.Phase == pb.PHASE_READY && record.Opening == 0:
		return [][]byte{c.propose(&pb.Resolution{Decision: &pb.Resolution_ScheduleElection{
			ScheduleElection: &pb.ScheduleElection{Election: p.ID, Opening: c.Now() + int64(c.r.IntN(20)), Closing: c.Now() + 60},
		}})}
	case record.Phase == pb.PHASE_VOTING:
		return c.choices(p, e.roll())
	}
	return nil
}

// choices lets some members of a roll choose, right or wrong, or revokes one.
func (c *crowd) choices(p *Election, roll []pb.RollEntry) [][]byte {
	var raw [][]byte
	for range c.r.IntN(4) {
		index := c.r.IntN(len(roll))
		leaf := must(state.LoadVoter(c.View(), p.ID, uint64(index)))
		m := &pb.CastChoice{Election: p.ID, RollIndex: uint64(index), Sequence: leaf.Sequence + uint64(one(c, []int{0, 1, 1, 2})), Choices: make([]pb.Choice, 1)}
		for _, option := range c.r.Perm(4)[:c.r.IntN(4)] { // the contest has three options, of which one or two may be chosen
			m.Choices[0].Options = append(m.Choices[0].Options, uint32(option))
		}
		slices.Sort(m.Choices[0].Options)
		raw = append(raw, c.signChoice(m, make([]byte, 64)))
	}
	if c.luck(10) {
		raw = append(raw, c.propose(&pb.Resolution{Reason: "gone", Decision: &pb.Resolution_RevokeVoters{
			RevokeVoters: &pb.RevokeVoters{Election: one(c, []string{"a", p.ID}), Voters: []uint64{uint64(c.r.IntN(len(roll)))}, Cause: pb.RevocationCause(c.r.IntN(4))},
		}}))
	}
	return raw
}

// signChoice signs a choice, where its voter is known.
func (c *crowd) signChoice(m *pb.CastChoice, before []byte) []byte {
	e := c.elections["a"]
	if roll := e.roll(); m.RollIndex < uint64(len(roll)) {
		if key := e.voter(&roll[m.RollIndex]); key != nil {
			return sign(key, m)
		}
	}
	return tx.Ballot(m, before)
}
