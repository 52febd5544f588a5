package app

import (
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// PostComment: a member of an initiative's roll comments on it, also after the answer, but not once it is removed. Spec 9.54.
func checkPostComment(r *reading, _ *tx.Parsed, m *pb.PostComment) error {
	i, err := r.initiative(m.Initiative)
	if err != nil {
		return err
	}
	a, err := r.activity(m, i.Election)
	if err != nil {
		return err
	}
	removed, err := r.removed(m.Initiative)
	if err != nil {
		return err
	}
	if removed {
		return tx.Refuse(tx.CodeInitiativeClosed, "initiative %d was removed", m.Initiative)
	}
	return r.rate(a.Comments, func(l *pb.InitiativeRules) uint32 { return l.CommentRate })
}

func applyPostComment(w *writing, v *tx.Verified, m *pb.PostComment) error {
	i, err := w.initiative(m.Initiative)
	if err != nil {
		return err
	}
	a, err := w.activity(m, i.Election)
	if err != nil {
		return err
	}
	a.Comments++
	w.setActivity(m, a)
	key := state.CommentsKey(m.Initiative, i.Comments)
	page, err := state.Load[pb.CommentPage](w, key)
	if err != nil {
		return err
	}
	if page == nil {
		page = new(pb.CommentPage)
	}
	page.Posts = append(page.Posts, w.Append(state.LogInitiatives, v.Parsed().Raw()))
	w.save(key, page)
	i.Comments++
	w.save(state.InitiativeKey(m.Initiative), i)
	return nil
}
