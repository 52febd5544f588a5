package app

import (
	"fmt"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

const (
	// RateWindow is the number of heights in which a member's transactions are counted against the rates.
	RateWindow = 10_000
	// MaxSupported is the number of initiatives that are still open and that one member may support at a time.
	MaxSupported = 64
)

// fromMember is a transaction about initiatives.
type fromMember interface {
	GetElection() string
	GetRollIndex() uint64
	GetNumber() uint64
}

// activity returns what a member has sent, counted in the window of this block, or a refusal: roll is the election whose members may
// send m. A number is used once, so nobody sends an old transaction again. Spec 20.2.
func (r *reading) activity(m fromMember, roll string) (*pb.MemberActivity, error) {
	id, index := m.GetElection(), m.GetRollIndex()
	e, err := state.LoadElection(r, id)
	switch {
	case err != nil:
		return nil, err
	case e == nil:
		return nil, tx.Refuse(tx.CodeUnknownElection, "there is no election %q", id)
	case !e.RollSealed:
		return nil, tx.Refuse(tx.CodeWrongPhase, "the roll of %q is not sealed", id)
	case id != roll:
		return nil, tx.Refuse(tx.CodeOtherRoll, "the roll is that of %q, not of %q", roll, id)
	}
	if _, err := r.voter(id, e, index); err != nil {
		return nil, err
	}
	if barred, err := r.barred(id, index); err != nil {
		return nil, err
	} else if barred {
		return nil, tx.Refuse(tx.CodeRevoked, "entry %d of the roll of %q was revoked", index, id)
	}
	a, err := state.LoadMember(r, id, index)
	if err != nil {
		return nil, err
	}
	if m.GetNumber() <= a.Number {
		return nil, tx.Refuse(tx.CodeMemberNumber, "number %d is not above %d", m.GetNumber(), a.Number)
	}
	if window := uint64(r.height) / RateWindow; window != a.Window {
		a.Window, a.Initiatives, a.Comments, a.Supports = window, 0, 0, 0
	}
	return a, nil
}

// rate refuses a member who has sent as much as the rate allows in this window.
func (r *reading) rate(sent uint32, limit func(*pb.InitiativeRules) uint32) error {
	params, err := state.MustLoad[pb.Parameters](r, state.KeyParameters)
	if err != nil {
		return err
	}
	if most := limit(&params.Initiatives); sent >= most {
		return tx.Refuse(tx.CodeMemberRate, "this member has sent %d since height %d, at most %d are taken", sent, r.height-r.height%RateWindow, most)
	}
	return nil
}

// setActivity writes the leaf of the member who sent m.
func (w *writing) setActivity(m fromMember, a *pb.MemberActivity) {
	a.Number = m.GetNumber()
	w.SetVoter(state.MembersTree(m.GetElection()), m.GetRollIndex(), election.Encode(a))
}

// initiative returns an initiative, or a refusal.
func (r *reading) initiative(number uint64) (*pb.Initiative, error) {
	i, err := state.Load[pb.Initiative](r, state.InitiativeKey(number))
	if err == nil && i == nil {
		err = tx.Refuse(tx.CodeUnknownInitiative, "there is no initiative %d", number)
	}
	return i, err
}

// removed says whether the body of a post is hidden.
func (r *reading) removed(post uint64) (bool, error) {
	b, err := r.Record(state.RemovedPostKey(post))
	return b != nil, err
}

// closed says whether an initiative takes no more supports: it was answered or removed.
func (r *reading) closed(number uint64, i *pb.Initiative) (bool, error) {
	if i.Answered != 0 {
		return true, nil
	}
	return r.removed(number)
}

// settle ends what is owed to an initiative, if anything is.
func (w *writing) settle(number uint64, i *pb.Initiative) {
	if i.Owed != 0 && i.Answered == 0 {
		w.DeleteRecord(state.OwedKey(i.Deadline, number))
	}
}

// tellInitiative emits what became of an initiative: published, owed, answered, or removed.
func (w *writing) tellInitiative(number uint64, what string) {
	w.emit("initiative", "initiative", fmt.Sprint(number), "state", what)
}
