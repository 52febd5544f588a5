package slip_test

import (
	"strings"
	"testing"

	"votenode/internal/rehearsal"
	"votenode/verify/slip"
)

// TestChoices: promises to record open choices bind as those for ballots do, and a revocation from the roll lifts them in a poll.
func TestChoices(t *testing.T) {
	for name, c := range map[string]struct {
		want  slip.Verdict
		how   string
		event func(s, poll *scene, raw []byte)
	}{
		"left out":          {slip.Broken, "", func(s, poll *scene, raw []byte) { s.by(other) }},
		"recorded":          {slip.Kept, "is recorded", func(s, poll *scene, raw []byte) { s.by(other, raw) }},
		"a later one":       {slip.Kept, "ballot 5 of the same voter", func(s, poll *scene, raw []byte) { s.by(other, poll.Choose(0, 5, 1)) }},
		"revoked":           {slip.Kept, "revoked", func(s, poll *scene, raw []byte) { s.Resolve(revoke(s.Election, 0)) }},
		"another's revoked": {slip.Broken, "", func(s, poll *scene, raw []byte) { s.Resolve(revoke(s.Election, 1)) }},
		"final":             {slip.Kept, "final", func(s, poll *scene, raw []byte) { s.Make(poll.Record().Closing - s.Now()) }},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			poll := &scene{s.Poll(rehearsal.PollManifest("poll", s.ID)), t}
			poll.Schedule(s.Now()+10, s.Now()+1_000)
			s.Make(10)
			raw := poll.Choose(0, 3, 0)
			p := promise(raw, s.Height())
			if err := slip.Check(p, node.SlipKey); err != nil {
				t.Fatal(err)
			}
			s.by(node)
			c.event(s, poll, raw)
			if f := poll.expect(p, c.want); !strings.Contains(f.How, c.how) {
				t.Errorf("%q", f.How)
			}
		})
	}
}
