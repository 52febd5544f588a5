package demo

import (
	"votenode/internal/figures"
	pb "votenode/proto/votenode/v1"
)

// Figure is a number of an election on both sides: the votes of a candidate or, where the candidate is empty, the ballots of an office.
type Figure struct {
	Office    string `json:"office"`
	Candidate string `json:"candidate"`
	Expected  uint64 `json:"expected"`
	Ledger    uint64 `json:"ledger"`
}

// compare holds the results of an election, by contest, against figures. Only the towns that the election replayed count; what only one
// side has is 0 on the other. It returns all that were compared, in the order of the figures, and those that differ.
func compare(expect []figures.Town, r *figures.Replay, results []pb.Result) (compared, differ []Figure) {
	replayed := map[string]bool{}
	for i := range r.Towns {
		replayed[r.Towns[i].District()] = true
	}
	index := map[[2]string]int{}
	at := func(office, candidate string) *Figure {
		i, known := index[[2]string{office, candidate}]
		if !known {
			i = len(compared)
			index[[2]string{office, candidate}] = i
			compared = append(compared, Figure{Office: office, Candidate: candidate})
		}
		return &compared[i]
	}
	for i := range expect {
		if !replayed[expect[i].District()] {
			continue
		}
		for _, office := range expect[i].Offices {
			at(office.Name, "").Expected += uint64(expect[i].Ballots)
			for _, c := range office.Candidates {
				at(office.Name, c.Name).Expected += uint64(c.Votes)
			}
		}
	}
	for c, result := range results {
		at(r.Offices[c], "").Ledger += result.Ballots
		for option, votes := range result.Votes {
			at(r.Offices[c], r.Contests[c].Options[option]).Ledger += votes
		}
	}
	differ = []Figure{} // for JSON: a list, empty as a rule
	for _, f := range compared {
		if f.Expected != f.Ledger {
			differ = append(differ, f)
		}
	}
	return compared, differ
}
