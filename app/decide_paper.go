package app

import (
	"bytes"
	"fmt"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// PaperTotals: what was counted in a polling place, as all organisations saw it. Spec 9.47.
func (d paperTotals) check(r *reading) error {
	m, place, err := r.paperPlace(d.Election, d.Place, d.Corrects)
	if err != nil {
		return err
	}
	contests := election.PlaceContests(m, place)
	if len(d.Contests) != len(contests) {
		return tx.Refuse(tx.CodePaperContests, "%d contests are named, %q serves %d", len(d.Contests), d.Place, len(contests))
	}
	for i, contest := range contests {
		c := &d.Contests[i]
		if options := len(m.Contests[contest].Options); c.Contest != contest || len(c.Votes) != options {
			return tx.Refuse(tx.CodePaperContests, "contest %d with %d options is named where contest %d with %d is served", c.Contest, len(c.Votes), contest, options)
		}
	}
	if d.Spoiled+d.Cast > d.Issued {
		return tx.Refuse(tx.CodePaperIssued, "%d spoiled and %d cast are more than the %d issued", d.Spoiled, d.Cast, d.Issued)
	}
	if kept := d.Issued - d.Spoiled; kept > d.Entitled {
		return tx.Refuse(tx.CodePaperIssued, "%d issued and not spoiled are more than the %d entitled", kept, d.Entitled)
	}
	for i := range d.Contests {
		if err := checkPaperContest(&m.Contests[d.Contests[i].Contest], &d.Contests[i], d.Cast); err != nil {
			return err
		}
	}
	return nil
}

// checkPaperContest refuses figures that no ballots in the box can have. Every count is at most tx.MaxPaper, so no sum overflows.
func checkPaperContest(contest *pb.Contest, c *pb.PaperContest, cast uint64) error {
	if c.Valid+c.Invalid > cast {
		return tx.Refuse(tx.CodePaperBallots, "contest %d: %d valid and %d invalid are more than the %d cast", c.Contest, c.Valid, c.Invalid, cast)
	}
	sum := uint64(0)
	for option, votes := range c.Votes {
		if votes > c.Valid {
			return tx.Refuse(tx.CodePaperVotes, "contest %d: option %d has %d votes on %d valid ballots", c.Contest, option, votes, c.Valid)
		}
		sum += votes
	}
	if least, most := c.Valid*uint64(contest.MinSelections), c.Valid*uint64(contest.MaxSelections); sum < least || sum > most {
		return tx.Refuse(tx.CodePaperVotes, "contest %d: there are %d votes, and %d valid ballots hold %d to %d", c.Contest, sum, c.Valid, least, most)
	}
	return nil
}

func (d paperTotals) apply(w *writing) error {
	if err := w.setPlace(d.Election, d.Place, false); err != nil {
		return err
	}
	return w.foldPaper(d.PaperTotals, func(sum *uint64, n uint64) { *sum += n })
}

// ExcusePaper: a polling place brings no totals. Spec 9.48.
func (d excusePaper) check(r *reading) error {
	_, _, err := r.paperPlace(d.Election, d.Place, d.Corrects)
	return err
}

func (d excusePaper) apply(w *writing) error { return w.setPlace(d.Election, d.Place, true) }

// paperPlace returns a polling place about which a resolution may speak now: after closing and before decryption begins, so that nobody who
// counts paper knows any other result. Where a resolution about it stands, the new one must name it.
func (r *reading) paperPlace(id, place string, corrects []byte) (*pb.Manifest, *pb.PollingPlace, error) {
	e, err := r.election(id, pb.PHASE_CLOSED)
	if err != nil {
		return nil, nil, err
	}
	m, err := r.manifest(r, e.Manifest)
	if err != nil {
		return nil, nil, err
	}
	p := election.Place(m, place)
	if p == nil {
		return nil, nil, tx.Refuse(tx.CodeUnknownPlace, "election %q has no polling place %q", id, place)
	}
	standing, err := state.Load[pb.PaperPlace](r, state.PaperKey(id, place))
	if err != nil {
		return nil, nil, err
	}
	var hash []byte
	if standing != nil {
		hash = standing.Resolution
	}
	if !bytes.Equal(hash, corrects) {
		return nil, nil, tx.Refuse(tx.CodePaperCorrects, "resolution %q stands about polling place %q, not %q", fmt.Sprintf("%x", hash), place, fmt.Sprintf("%x", corrects))
	}
	return m, p, nil
}

// setPlace lets the resolution that takes effect stand about a polling place, and takes the totals of the one before out of the sums.
func (w *writing) setPlace(id, place string, excused bool) error {
	key := state.PaperKey(id, place)
	before, err := state.Load[pb.PaperPlace](w, key)
	if err != nil {
		return err
	}
	switch {
	case before == nil:
		e, err := state.MustLoad[pb.Election](w, state.ElectionKey(id))
		if err != nil {
			return err
		}
		e.PlacesOpen--
		w.save(state.ElectionKey(id), e)
	case !before.Excused:
		record, err := state.MustLoad[pb.ResolutionRecord](w, state.ResolutionKey(before.Resolution))
		if err != nil {
			return err
		}
		if err := w.foldPaper(record.Resolution.GetPaperTotals(), func(sum *uint64, n uint64) { *sum -= n }); err != nil {
			return err
		}
	}
	w.save(key, &pb.PaperPlace{Resolution: w.resolution, Excused: excused})
	return nil
}

// foldPaper adds the totals of a polling place to, or takes them out of, the sums of its contests.
func (w *writing) foldPaper(d *pb.PaperTotals, fold func(sum *uint64, n uint64)) error {
	for i := range d.Contests {
		c := &d.Contests[i]
		key := state.PaperSumKey(d.Election, c.Contest)
		sum, err := state.Load[pb.PaperSum](w, key)
		if err != nil {
			return err
		}
		if sum == nil {
			sum = &pb.PaperSum{Votes: make([]uint64, len(c.Votes))}
		}
		fold(&sum.Ballots, c.Valid)
		fold(&sum.Invalid, c.Invalid)
		for option, votes := range c.Votes {
			fold(&sum.Votes[option], votes)
		}
		w.save(key, sum)
	}
	return nil
}

// addPaper adds what stands of a contest on paper to a result.
func (r *reading) addPaper(id string, contest uint32, result *pb.Result) error {
	sum, err := state.Load[pb.PaperSum](r, state.PaperSumKey(id, contest))
	if err == nil && sum != nil {
		addPaper(result, sum)
	}
	return err
}

func addPaper(result *pb.Result, sum *pb.PaperSum) {
	if result.PaperVotes == nil {
		result.PaperVotes = make([]uint64, len(sum.Votes))
	}
	result.PaperBallots += sum.Ballots
	result.PaperInvalid += sum.Invalid
	for option, votes := range sum.Votes {
		result.PaperVotes[option] += votes
	}
}
