package app

import (
	"slices"

	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// SupportInitiative: a member of an initiative's roll supports it, once, or takes the support back. At the threshold the organisations owe
// an answer, and go on owing it whatever is taken back later. Spec 9.53.
func checkSupportInitiative(r *reading, _ *tx.Parsed, m *pb.SupportInitiative) error {
	i, err := r.initiative(m.Initiative)
	if err != nil {
		return err
	}
	a, err := r.activity(m, i.Election)
	if err != nil {
		return err
	}
	closed, err := r.closed(m.Initiative, i)
	if err != nil {
		return err
	}
	if closed {
		return tx.Refuse(tx.CodeInitiativeClosed, "initiative %d was answered or removed", m.Initiative)
	}
	switch supports := slices.Contains(a.Supported, m.Initiative); {
	case m.Withdraw && !supports:
		return tx.Refuse(tx.CodeNotSupported, "member %d does not support initiative %d", m.RollIndex, m.Initiative)
	case !m.Withdraw && supports:
		return tx.Refuse(tx.CodeAlreadyDone, "member %d supports initiative %d", m.RollIndex, m.Initiative)
	}
	if err := r.rate(a.Supports, func(l *pb.InitiativeRules) uint32 { return l.SupportRate }); err != nil {
		return err
	}
	if err := r.forgetClosed(a); err != nil {
		return err
	}
	if !m.Withdraw && len(a.Supported) >= MaxSupported {
		return tx.Refuse(tx.CodeSupportLimit, "member %d supports %d initiatives that are open", m.RollIndex, len(a.Supported))
	}
	return nil
}

// forgetClosed takes off a full list of supported initiatives those that are no longer open.
func (r *reading) forgetClosed(a *pb.MemberActivity) error {
	if len(a.Supported) < MaxSupported {
		return nil
	}
	var open []uint64
	for _, number := range a.Supported {
		i, err := state.MustLoad[pb.Initiative](r, state.InitiativeKey(number))
		if err != nil {
			return err
		}
		closed, err := r.closed(number, i)
		if err != nil {
			return err
		}
		if !closed {
			open = append(open, number)
		}
	}
	a.Supported = open
	return nil
}

func applySupportInitiative(w *writing, _ *tx.Verified, m *pb.SupportInitiative) error {
	i, err := w.initiative(m.Initiative)
	if err != nil {
		return err
	}
	a, err := w.activity(m, i.Election)
	if err != nil {
		return err
	}
	if err := w.forgetClosed(a); err != nil {
		return err
	}
	at, _ := slices.BinarySearch(a.Supported, m.Initiative)
	if m.Withdraw {
		a.Supported = slices.Delete(a.Supported, at, at+1)
		i.Supports--
	} else {
		a.Supported = slices.Insert(a.Supported, at, m.Initiative)
		i.Supports++
	}
	a.Supports++
	w.setActivity(m, a)
	if err := w.weigh(m.Initiative, i); err != nil {
		return err
	}
	w.save(state.InitiativeKey(m.Initiative), i)
	return nil
}

// weigh notes that an answer is owed from now on, where the supports reach the threshold for the first time.
func (w *writing) weigh(number uint64, i *pb.Initiative) error {
	params, err := state.MustLoad[pb.Parameters](w, state.KeyParameters)
	if err != nil || i.Owed != 0 || i.Supports < params.Initiatives.Threshold {
		return err
	}
	i.Owed, i.Deadline = w.height, w.height+int64(params.Initiatives.AnswerHeights)
	w.SetRecord(state.OwedKey(i.Deadline, number), nil)
	w.tellInitiative(number, "owed")
	return nil
}
