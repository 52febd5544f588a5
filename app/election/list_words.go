package election

import (
	"fmt"
	"strings"

	pb "votenode/proto/votenode/v1"
)

// ListWords tells of the list of a contest in words, one line each: its places, substitutions one by one, what quotas lack, ties.
func ListWords(c *pb.Contest, l *pb.List) []string {
	if l.Status == pb.LIST_WITHHELD {
		return []string{"no list: too few ballots were counted, and the contest was not opened"}
	}
	var lines []string
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for i, p := range l.Places {
		how := ""
		if p.Substituted {
			how = ", by substitution"
		}
		say("place %d: %s, %d votes%s", i+1, c.Options[p.Option], p.Votes, how)
	}
	if l.Empty > 0 {
		say("%d places stay empty: there are %d candidates for %d", l.Empty, len(l.Places), l.Seats-l.Outside)
	}
	if l.Outside > 0 {
		say("the last %d of %d places are filled outside the primary", l.Outside, l.Seats)
	}
	for _, s := range l.Substitutions {
		say("substitution: %s for %s, who would have place %d; %s", c.Options[s.In], c.Options[s.Out], s.Place, reasonWords[s.Reason])
	}
	for _, q := range []struct {
		whom              string
		required, missing uint32
	}{{"young candidates", l.YoungRequired, l.YoungMissing}, {"women", l.WomanRequired, l.WomanMissing}} {
		if q.missing > 0 {
			say("quota: %d %s are required, and %d are missing", q.required, q.whom, q.missing)
		} else if q.required > 0 {
			say("quota: %d %s are required, and on the list", q.required, q.whom)
		}
	}
	for _, t := range l.Ties {
		names := make([]string, len(t.Options))
		for i, option := range t.Options {
			names[i] = c.Options[option]
		}
		say("lot: %d votes each have, in the order of the lot, %s", t.Votes, strings.Join(names, "; "))
	}
	return lines
}

// reasonWords says for which quota a candidate came onto a list.
var reasonWords = map[pb.SubstitutionReason]string{
	pb.SUBSTITUTION_YOUNG: "for the quota of young candidates",
	pb.SUBSTITUTION_WOMAN: "for the quota of women",
	pb.SUBSTITUTION_BOTH:  "for both quotas",
}
