package app

import (
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// OpenInitiatives: the members of a sealed roll publish from now on. What runs already keeps its roll. Spec 9.55.
func (d openInitiatives) check(r *reading) error {
	e, err := state.LoadElection(r, d.Election)
	switch {
	case err != nil:
		return err
	case e == nil:
		return tx.Refuse(tx.CodeUnknownElection, "there is no election %q", d.Election)
	case !e.RollSealed:
		return tx.Refuse(tx.CodeWrongPhase, "the roll of %q is not sealed", d.Election)
	case e.RollOf != "":
		return tx.Refuse(tx.CodeRollElsewhere, "the roll of %q is that of %q", d.Election, e.RollOf)
	}
	open, err := state.Load[pb.Initiatives](r, state.KeyInitiatives)
	if err != nil {
		return err
	}
	if open.GetElection() == d.Election {
		return tx.Refuse(tx.CodeAlreadyDone, "the roll of %q is open to initiatives", d.Election)
	}
	return nil
}

func (d openInitiatives) apply(w *writing) error {
	if tree := state.MembersTree(d.Election); w.Voters(tree) == 0 {
		w.CreateVoters(tree, w.Voters(d.Election))
	}
	w.save(state.KeyInitiatives, &pb.Initiatives{Election: d.Election})
	return nil
}

// AnswerInitiative: the answer is given once, owed or not. Spec 9.56.
func (d answerInitiative) check(r *reading) error {
	i, err := r.initiative(d.Initiative)
	if err != nil {
		return err
	}
	if i.Answered != 0 {
		return tx.Refuse(tx.CodeAlreadyDone, "initiative %d was answered at height %d", d.Initiative, i.Answered)
	}
	removed, err := r.removed(d.Initiative)
	if err != nil {
		return err
	}
	if removed {
		return tx.Refuse(tx.CodeInitiativeClosed, "initiative %d was removed", d.Initiative)
	}
	if len(d.Document) == 0 {
		return nil
	}
	known, err := r.Record(state.DocumentKey(d.Document))
	if err == nil && known == nil {
		err = tx.Refuse(tx.CodeDocumentUnknown, "document %x is not on the ledger", d.Document)
	}
	return err
}

func (d answerInitiative) apply(w *writing) error {
	i, err := w.initiative(d.Initiative)
	if err != nil {
		return err
	}
	w.settle(d.Initiative, i)
	i.Answered, i.Answer = w.height, w.resolution
	w.save(state.InitiativeKey(d.Initiative), i)
	w.tellInitiative(d.Initiative, "answered")
	return nil
}

// RemovePost: who serves the ledger shows the body no more. Leaf, hash and block stay as they are; an initiative takes nothing from then on,
// and no answer to it is owed. Spec 9.57.
func (d removePost) check(r *reading) error {
	head, err := r.Head(state.LogInitiatives)
	if err != nil {
		return err
	}
	if d.Post >= head.Size {
		return tx.Refuse(tx.CodeUnknownPost, "the log of initiatives has %d leaves", head.Size)
	}
	removed, err := r.removed(d.Post)
	if err != nil {
		return err
	}
	if removed {
		return tx.Refuse(tx.CodeAlreadyDone, "post %d was removed", d.Post)
	}
	return nil
}

func (d removePost) apply(w *writing) error {
	i, err := state.Load[pb.Initiative](w, state.InitiativeKey(d.Post))
	if err != nil {
		return err
	}
	if i != nil {
		w.settle(d.Post, i)
		w.tellInitiative(d.Post, "removed")
	}
	w.save(state.RemovedPostKey(d.Post), &pb.RemovedPost{Resolution: w.resolution, Height: w.height})
	return nil
}
