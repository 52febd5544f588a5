package audit_test

import (
	"bytes"
	"context"
	"io/fs"
	"regexp"
	"slices"
	"sync"
	"testing"

	"votenode/genesis"
	"votenode/internal/rehearsal"
	"votenode/verify/audit"
)

// story is one rehearsed election, held once for all tests; nobody changes it.
var story = sync.OnceValues(func() (*rehearsal.Election, rehearsal.Outcome) { return rehearsal.Story(testing.TB(held{})) })

// held fails by panicking: the story belongs to no test.
type held struct{ testing.TB }

func (held) Helper()                           {}
func (held) Fatal(args ...any)                 { panic(args) }
func (held) Fatalf(format string, args ...any) { panic(append([]any{format}, args...)) }

func run(t *testing.T, files fs.FS, hash *[32]byte) *audit.Report {
	t.Helper()
	report, err := audit.Run(context.Background(), files, audit.Options{GenesisHash: hash})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestStoryPasses(t *testing.T) {
	e, want := story()
	hash := genesis.Hash(e.Genesis)
	report := run(t, e.Ledger.Record(e.Blocks), &hash)
	if failed := report.Failure(); failed != nil || !report.Passed {
		t.Fatal(failed)
	}
	found := report.Elections[0]
	if found.ID != "primary" || found.Phase != "final" || !found.Certified || found.Recorded != want.Recorded || found.Counted != want.Counted {
		t.Errorf("election %+v, want %+v", found, want)
	}
	for i, c := range found.Contests {
		var votes []uint64
		for _, o := range c.Options {
			votes = append(votes, o.Votes)
		}
		if !slices.Equal(votes, want.Votes[i]) {
			t.Errorf("contest %d: %v, want %v", i, votes, want.Votes[i])
		}
	}
	var text bytes.Buffer
	report.Write(&text)
	for _, want := range []string{`(?m)^Place +3 ballots +counted$`, `(?m)^  Astana +3 *$`, `(?m)^list of Mazhilis$`} {
		if !regexp.MustCompile(want).Match(text.Bytes()) {
			t.Errorf("no %s in\n%s", want, &text)
		}
	}
}
