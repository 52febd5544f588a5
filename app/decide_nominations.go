package app

import (
	"cmp"
	"fmt"
	"slices"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// OpenNominations: the rules by which candidates enter an election are on the ledger, and applications are taken. Spec 9.40.
func (d openNominations) check(r *reading) error {
	n, err := d.parse(r)
	if err != nil {
		return err
	}
	id := n.Manifest.Election
	known, err := state.LoadNominations(r, id)
	if err != nil {
		return err
	}
	if known != nil {
		return tx.Refuse(tx.CodeNominationsExist, "there are nominations %q", id)
	}
	list, err := nominationsIndex(r)
	if err != nil {
		return err
	}
	if len(list.Ids) >= maxNominations {
		return tx.Refuse(tx.CodeNominationsExist, "this chain has held its %d nominations", maxNominations)
	}
	e, err := state.LoadElection(r, id)
	if err != nil {
		return err
	}
	if e != nil {
		return tx.Refuse(tx.CodeElectionExists, "there is an election %q", id)
	}
	if r.reached(n.ApplicationsUntil) {
		return tx.Refuse(tx.CodeInvalidTimes, "the time for applications has passed")
	}
	return nil
}

func (d openNominations) parse(r *reading) (*pb.Nominations, error) {
	known, err := state.Load[pb.Document](r, state.DocumentKey(d.Nominations))
	if err != nil {
		return nil, err
	}
	if known == nil {
		return nil, tx.Refuse(tx.CodeDocumentUnknown, "document %x is not on the ledger", d.Nominations)
	}
	if known.Size_ > election.MaxNominations {
		return nil, tx.Refuse(tx.CodeInvalidNominations, "they have %d bytes, at most %d are allowed", known.Size_, election.MaxNominations)
	}
	b, err := document(r, d.Nominations)
	if err != nil {
		return nil, err
	}
	n, err := election.ParseNominations(b)
	if err != nil {
		return nil, tx.Refuse(tx.CodeInvalidNominations, "%v", err)
	}
	return n, nil
}

func (d openNominations) apply(w *writing) error {
	n, err := d.parse(&w.reading)
	if err != nil {
		return err
	}
	list, err := nominationsIndex(w)
	if err != nil {
		return err
	}
	id := n.Manifest.Election
	list.Ids = append(list.Ids, id)
	w.save(state.KeyNominations, list)
	w.save(state.NominationsKey(id), &pb.NominationsState{Document: d.Nominations})
	w.emit("nominations", "election", id, "status", "open")
	return nil
}

// CancelNominations: nothing is submitted, decided or withdrawn any more, and no manifest is formed. Spec 9.39.
func (d cancelNominations) check(r *reading) error {
	s, _, err := r.openedNominations(d.Nominations)
	if err != nil {
		return err
	}
	if s.Cancelled != 0 {
		return tx.Refuse(tx.CodeAlreadyDone, "the nominations %q are cancelled", d.Nominations)
	}
	if s.Formed != 0 {
		return tx.Refuse(tx.CodeNominationsClosed, "the manifest of %q was formed at height %d", d.Nominations, s.Formed)
	}
	return nil
}

func (d cancelNominations) apply(w *writing) error {
	s, err := state.MustLoad[pb.NominationsState](w, state.NominationsKey(d.Nominations))
	if err != nil {
		return err
	}
	s.Cancelled, s.CancelledBy = w.height, w.resolution
	w.save(state.NominationsKey(d.Nominations), s)
	w.emit("nominations", "election", d.Nominations, "status", "cancelled")
	return nil
}

// maxRemoved is how many candidates of one election can be removed: so many stay far below state.MaxRecordValue.
const maxRemoved = 10_000

// RemoveCandidate: a candidate takes no place on the list any more. What becomes of the votes says the manifest. Spec 9.44.
func (d removeCandidate) check(r *reading) error {
	e, err := r.election(d.Election, pb.PHASE_READY, pb.PHASE_VOTING, pb.PHASE_CLOSED)
	if err != nil {
		return err
	}
	m, err := r.manifest(r, e.Manifest)
	if err != nil {
		return err
	}
	if int64(d.Contest) >= int64(len(m.Contests)) || int64(d.Option) >= int64(len(m.Contests[d.Contest].Candidates)) {
		return tx.Refuse(tx.CodeUnknownCandidate, "contest %d of %q has no candidate %d", d.Contest, d.Election, d.Option)
	}
	removed, err := removedCandidates(r, d.Election)
	if err != nil {
		return err
	}
	if _, known := d.find(removed); known {
		return tx.Refuse(tx.CodeAlreadyDone, "candidate %d of contest %d is removed", d.Option, d.Contest)
	}
	if len(removed.Removed)+len(election.Joined(m, d.Contest)) > maxRemoved {
		return tx.Refuse(tx.CodeTooLarge, "at most %d candidates of %q are removed, by contest", maxRemoved, d.Election)
	}
	return nil
}

// find returns the place of the candidate among those who are removed, and whether it is one of them.
func (d removeCandidate) find(removed *pb.RemovedCandidates) (int, bool) {
	return slices.BinarySearchFunc(removed.Removed, d, func(c pb.RemovedCandidate, d removeCandidate) int {
		return cmp.Or(cmp.Compare(c.Contest, d.Contest), cmp.Compare(c.Option, d.Option))
	})
}

// apply removes the candidate from all contests that merge joins with the named one: they have the same candidates, and which of them are merged
// only the votes decide.
func (d removeCandidate) apply(w *writing) error {
	e, err := state.MustLoad[pb.Election](w, state.ElectionKey(d.Election))
	if err != nil {
		return err
	}
	m, err := w.manifest(w, e.Manifest)
	if err != nil {
		return err
	}
	removed, err := removedCandidates(w, d.Election)
	if err != nil {
		return err
	}
	for _, contest := range election.Joined(m, d.Contest) {
		removed.Removed = append(removed.Removed, pb.RemovedCandidate{Contest: contest, Option: d.Option, Height: w.height, Resolution: w.resolution})
	}
	slices.SortFunc(removed.Removed, func(a, b pb.RemovedCandidate) int {
		return cmp.Or(cmp.Compare(a.Contest, b.Contest), cmp.Compare(a.Option, b.Option))
	})
	w.save(state.RemovedKey(d.Election), removed)
	w.emit("candidate-removed", "election", d.Election, "contest", fmt.Sprint(d.Contest), "option", fmt.Sprint(d.Option))
	return nil
}

// removedCandidates returns the candidates of an election who are removed, sorted by contest, then option.
func removedCandidates(v state.View, id string) (*pb.RemovedCandidates, error) {
	removed, err := state.Load[pb.RemovedCandidates](v, state.RemovedKey(id))
	if removed == nil {
		removed = new(pb.RemovedCandidates)
	}
	return removed, err
}
