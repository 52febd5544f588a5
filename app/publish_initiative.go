package app

import (
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// PublishInitiative: a member of the roll that is open to initiatives brings a text before all. Its index in the log is the number of the
// initiative. Spec 9.52.
func checkPublishInitiative(r *reading, _ *tx.Parsed, m *pb.PublishInitiative) error {
	a, err := r.publisher(m)
	if err != nil {
		return err
	}
	return r.rate(a.Initiatives, func(l *pb.InitiativeRules) uint32 { return l.PublishRate })
}

// publisher returns the activity of a member of the open roll, or a refusal.
func (r *reading) publisher(m *pb.PublishInitiative) (*pb.MemberActivity, error) {
	open, err := state.Load[pb.Initiatives](r, state.KeyInitiatives)
	if err != nil {
		return nil, err
	}
	return r.activity(m, open.GetElection())
}

func applyPublishInitiative(w *writing, v *tx.Verified, m *pb.PublishInitiative) error {
	a, err := w.publisher(m)
	if err != nil {
		return err
	}
	a.Initiatives++
	w.setActivity(m, a)
	number, hash := w.Append(state.LogInitiatives, v.Parsed().Raw()), v.Parsed().Hash()
	w.save(state.InitiativeKey(number), &pb.Initiative{
		Election: m.Election, RollIndex: m.RollIndex, Transaction: hash[:], Published: w.height,
	})
	w.tellInitiative(number, "published")
	return nil
}
