package demo

import (
	"votenode/internal/figures"
	pb "votenode/proto/votenode/v1"
)

// Difference is a figure for which the ledger has another one. An empty candidate stands for the ballots of the office.
type Difference struct {
	Office    string `json:"office"`
	Candidate string `json:"candidate"`
	Expected  uint64 `json:"expected"`
	Ledger    uint64 `json:"ledger"`
}

// figure names one number of an election: the votes of a candidate, or the ballots of an office.
type figure struct{ office, candidate string }

// compare holds the results of an election, by contest, against figures. Only the towns that the election replayed count; what only one
// side has is 0 on the other. It returns how many figures were compared, and those that differ, in the order of the figures.
func compare(expect []figures.Town, r *figures.Replay, results []pb.Result) (compared int, differ []Difference) {
	replayed := map[string]bool{}
	for i := range r.Towns {
		replayed[r.Towns[i].District()] = true
	}
	var order []figure
	numbers := map[figure]*Difference{}
	at := func(f figure) *Difference {
		d := numbers[f]
		if d == nil {
			d = &Difference{Office: f.office, Candidate: f.candidate}
			numbers[f] = d
			order = append(order, f)
		}
		return d
	}
	for i := range expect {
		if !replayed[expect[i].District()] {
			continue
		}
		for _, office := range expect[i].Offices {
			at(figure{office.Name, ""}).Expected += uint64(expect[i].Ballots)
			for _, c := range office.Candidates {
				at(figure{office.Name, c.Name}).Expected += uint64(c.Votes)
			}
		}
	}
	for c, result := range results {
		at(figure{r.Offices[c], ""}).Ledger += result.Ballots
		for option, votes := range result.Votes {
			at(figure{r.Offices[c], r.Contests[c].Options[option]}).Ledger += votes
		}
	}
	for _, f := range order {
		if d := numbers[f]; d.Expected != d.Ledger {
			differ = append(differ, *d)
		}
	}
	return len(order), differ
}
