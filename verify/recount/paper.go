package recount

import (
	"bytes"
	"fmt"
	"slices"

	pb "votenode/proto/votenode/v1"
	"votenode/verify/recount/rules"
)

// place is a polling place about which a resolution stands: with totals, or excused where there are none.
type place struct {
	resolution [32]byte
	totals     *pb.PaperTotals
}

func maybeHash(b []byte) bool { return len(b) == 0 || len(b) == 32 }

// wellFormedTotals: spec 2.6.
func wellFormedTotals(d *pb.PaperTotals) bool {
	small := func(counts ...uint64) bool {
		return !slices.ContainsFunc(counts, func(n uint64) bool { return n > 134_217_728 })
	}
	return maybeHash(d.Corrects) && small(d.Entitled, d.Issued, d.Spoiled, d.Cast) &&
		allOf(d.Contests, 0, len(d.Contests), func(last, c *pb.PaperContest) bool {
			return small(c.Valid, c.Invalid) && small(c.Votes...) && (last == nil || c.Contest > last.Contest)
		})
}

// place finds a polling place about which may be resolved now, and checks what the resolution corrects. Spec 9.47.
func (r *Recount) place(id, name string, corrects []byte) (*election, *pb.PollingPlace, error) {
	e, err := r.in(id, pb.PHASE_CLOSED)
	if err != nil {
		return nil, nil, err
	}
	at := slices.IndexFunc(e.manifest.PollingPlaces, func(p pb.PollingPlace) bool { return p.Id == name })
	if at < 0 {
		return nil, nil, refuse(codeUnknownPlace, "there is no polling place %q", name)
	}
	var standing []byte
	if p := e.paper[name]; p != nil {
		standing = p.resolution[:]
	}
	if !bytes.Equal(standing, corrects) {
		return nil, nil, refuse(codePaperCorrects, "%x stands about %q", standing, name)
	}
	return e, &e.manifest.PollingPlaces[at], nil
}

// mayTotal: spec 9.47.
func (r *Recount) mayTotal(d *pb.PaperTotals) error {
	e, p, err := r.place(d.Election, d.Place, d.Corrects)
	if err != nil {
		return err
	}
	served := map[uint32]bool{}
	for _, style := range p.Styles {
		for _, contest := range e.manifest.Styles[style].Contests {
			served[contest] = true
		}
	}
	for _, c := range d.Contests {
		if !served[c.Contest] || len(c.Votes) != len(e.manifest.Contests[c.Contest].Options) {
			return refuse(codePaperContests, "contest %d is not served, or has other options", c.Contest)
		}
	}
	switch { // contests are strictly ascending, so that as many are all
	case len(d.Contests) != len(served):
		return refuse(codePaperContests, "%d of %d contests are named", len(d.Contests), len(served))
	case d.Cast+d.Spoiled > d.Issued || d.Issued-d.Spoiled > d.Entitled:
		return refuse(codePaperIssued, "the ballots issued do not come out")
	}
	for _, c := range d.Contests {
		if c.Valid+c.Invalid > d.Cast {
			return refuse(codePaperBallots, "contest %d has more ballots than were cast", c.Contest)
		}
		rule, all := &e.manifest.Contests[c.Contest], uint64(0)
		for _, votes := range c.Votes {
			all += votes
		}
		if slices.Max(c.Votes) > c.Valid || all < uint64(rule.MinSelections)*c.Valid || all > uint64(rule.MaxSelections)*c.Valid {
			return refuse(codePaperVotes, "contest %d has votes that its ballots do not hold", c.Contest)
		}
	}
	return nil
}

// stand lets a resolution stand about a polling place.
func (e *election) stand(name string, hash [32]byte, totals *pb.PaperTotals) {
	e.paper[name] = &place{hash, totals}
	if totals != nil {
		for _, c := range totals.Contests {
			e.onPaper[c.Contest] = true
		}
	}
}

// addUpPaper adds up what stands on paper, by contest, for those of which there ever were totals.
func (e *election) addUpPaper() map[uint32]*pb.PaperSum {
	sums := map[uint32]*pb.PaperSum{}
	for contest := range e.onPaper {
		sums[contest] = &pb.PaperSum{Votes: make([]uint64, len(e.manifest.Contests[contest].Options))}
	}
	for _, p := range e.paper {
		if p.totals == nil {
			continue
		}
		for _, c := range p.totals.Contests {
			sum := sums[c.Contest]
			sum.Ballots, sum.Invalid = sum.Ballots+c.Valid, sum.Invalid+c.Invalid
			for option, votes := range c.Votes {
				sum.Votes[option] += votes
			}
		}
	}
	return sums
}

// addPaper adds what stands of a contest on paper to a result.
func (e *election) addPaper(contest uint32, to *pb.Result) {
	sum := e.paperSums[contest]
	if sum == nil {
		return
	}
	to.PaperBallots, to.PaperInvalid = to.PaperBallots+sum.Ballots, to.PaperInvalid+sum.Invalid
	if to.PaperVotes == nil {
		to.PaperVotes = make([]uint64, len(sum.Votes))
	}
	for option, votes := range sum.Votes {
		to.PaperVotes[option] += votes
	}
}

// paperRecords tells what stands about polling places, and the sums on paper. Spec 18.3.
func (e *election) paperRecords(at string, emit Emit) {
	for name, p := range e.paper {
		emit(Elections, at+"/paper/"+name, rules.Encode(&pb.PaperPlace{Resolution: p.resolution[:], Excused: p.totals == nil}))
	}
	for contest, sum := range e.addUpPaper() {
		emit(Tally, fmt.Sprintf("%s/paper-sum/%05d", at, contest), rules.Encode(sum))
	}
}
