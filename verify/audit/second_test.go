package audit

import (
	"context"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/cells"
	"votenode/verify/record"
)

// own is a rehearsed election for the tests of this package.
var own = sync.OnceValue(func() *rehearsal.Election {
	e, _ := rehearsal.Story(panicking{})
	return e
})

// panicking lets the story belong to no test.
type panicking struct{ testing.TB }

func (panicking) Helper()                           {}
func (panicking) Fatal(args ...any)                 { panic(args) }
func (panicking) Fatalf(format string, args ...any) { panic(append([]any{format}, args...)) }

// audited audits a record after a change to the auditor itself, which stands for a bug in the state machine.
func audited(t *testing.T, files fs.FS, change func(a *auditor)) *Report {
	t.Helper()
	a := newAuditor(Options{})
	opened, err := record.Open(files)
	if err != nil {
		t.Fatal(err)
	}
	a.folder = &folder{opened, opened.Blocks()}
	a.source = a.folder
	if a.space, err = cells.NewSpace(); err != nil {
		t.Fatal(err)
	}
	defer a.space.Close()
	if err := a.genesis(); err != nil {
		t.Fatal(err)
	}
	change(a)
	if err := a.blocks(context.Background()); err != nil && err != errStop {
		t.Fatal(err)
	}
	a.finish()
	return a.report
}

// failed names the failed checks.
func failed(r *Report) []string {
	var names []string
	for _, c := range r.Checks {
		if c.Outcome == Failed {
			names = append(names, c.Name)
		}
	}
	return names
}

// bug is a state in which records under some keys are others than they should be.
type bug struct {
	records
	key    string
	change func(value []byte) []byte // nil removes the record
}

func (b bug) Record(key string) ([]byte, error) {
	value, err := b.records.Record(key)
	if key == b.key && value != nil {
		return b.change(slices.Clone(value)), err
	}
	return value, err
}

// A state machine that writes one record wrongly, on all validators and in the replay: headers attest it, and only the recount can tell.
func TestWrongRecords(t *testing.T) {
	e := own()
	flip := func(value []byte) []byte { value[len(value)-1] ^= 1; return value }
	vote := func(value []byte) []byte {
		result := new(pb.Result)
		if err := election.Decode(value, result); err != nil {
			t.Fatal(err)
		}
		result.Votes[0], result.Votes[2] = result.Votes[0]+1, result.Votes[2]-1
		return election.Encode(result)
	}
	twice := func(value []byte) []byte { // a choice is counted twice
		result := new(pb.Result)
		if err := election.Decode(value, result); err != nil {
			t.Fatal(err)
		}
		result.Ballots, result.Votes[1] = result.Ballots+1, result.Votes[1]+1
		return election.Encode(result)
	}
	elected := func(value []byte) []byte {
		list := new(pb.List)
		if err := election.Decode(value, list); err != nil {
			t.Fatal(err)
		}
		list.Places[1].Option = 0 // Aigul instead of Bolat
		return election.Encode(list)
	}
	for _, c := range []struct {
		key    string
		change func([]byte) []byte
		want   string
	}{
		{state.ResultKey("poll", 0), twice, "recount: tally"},
		{state.VotersKey("poll"), flip, "recount: ballots"},
		{state.LogKey(state.LogBallots("poll")), flip, "recount: ballots"},
		{state.ResultKey(e.ID, 0), vote, "recount: tally"},
		{state.ResultKey(e.ID, 1), func([]byte) []byte { return nil }, "recount: tally"},
		{state.PartialKey(e.ID, 0, "party", 1), flip, "recount: tally"},
		{state.ListKey(e.ID, 0), elected, "recount: lists"},
		{state.ListKey(e.ID, 1), func([]byte) []byte { return nil }, "recount: lists"},
		{state.LotKey(e.ID), flip, "recount: lists"},
		{state.SumKey(e.ID, 1), flip, "recount: sums"},
		{state.VotersKey(e.ID), flip, "recount: ballots"},
		{state.LogKey(state.LogBallots(e.ID)), flip, "recount: ballots"},
		{state.SpoiledKey(e.ID, 4), flip, "recount: ballots"},
		{state.KeysKey(e.ID), flip, "recount: keys"},
		{state.CeremonyKey(e.ID, "league"), flip, "recount: keys"},
		{state.DealKey(e.ID, "league", 1, 1), flip, "recount: keys"},
		{state.TrialKey(e.ID), flip, "recount: keys"},
		{state.LogKey(state.LogRoll(e.ID)), flip, "recount: rolls"},
		{state.RollCountsKey(e.ID), flip, "recount: rolls"},
		{state.RollCountsKey(e.ID), func([]byte) []byte { return nil }, "recount: rolls"},
		{state.ElectionKey(e.ID), flip, "recount: elections"},
		{state.ElectionKey("cancelled"), flip, "recount: elections"},
		{state.KeyElections, flip, "recount: elections"},
		{state.KeyInitiatives, flip, "recount: ledger"},
		{state.InitiativeKey(0), flip, "recount: ledger"},
		{state.CommentsKey(1, 0), flip, "recount: ledger"},
		{state.RemovedPostKey(3), flip, "recount: ledger"},
		{state.RemovedPostKey(3), func([]byte) []byte { return nil }, "recount: ledger"},
		{state.LogKey(state.LogInitiatives), flip, "recount: ledger"},
		{state.VotersKey(state.MembersTree(e.ID)), flip, "recount: ledger"},
		{state.KeyPending, func([]byte) []byte { return []byte{10, 0} }, "recount: elections"},
	} {
		t.Run(c.key, func(t *testing.T) {
			report := audited(t, e.Ledger.Record(e.Blocks), func(a *auditor) {
				view := a.recount.view
				a.recount.view = func() records { return bug{view(), c.key, c.change} }
			})
			if got := failed(report); len(got) != 1 || got[0] != c.want {
				t.Errorf("failed: %q, want %q", got, c.want)
			}
		})
	}
}

// more is a state with a record that nobody knows.
type more struct {
	records
	key string
}

func (m more) Records(prefix string, fn func(key string, value []byte) error) error {
	if strings.HasPrefix(m.key, prefix) {
		if err := fn(m.key, []byte{1}); err != nil {
			return err
		}
	}
	return m.records.Records(prefix, fn)
}

func TestUnknownRecords(t *testing.T) {
	e := own()
	for _, key := range []string{state.ResultKey(e.ID, 9), state.SpoiledKey(e.ID, 0), state.ResolutionKey(make([]byte, 32)), state.ElectionKey("third"), state.OwedKey(9, 0), state.RemovedPostKey(0)} {
		report := audited(t, e.Ledger.Record(e.Blocks), func(a *auditor) {
			view := a.recount.view
			a.recount.view = func() records { return more{view(), key} }
		})
		if got := failed(report); len(got) != 1 || got[0] != "recount: elections" {
			t.Errorf("record %s: failed: %q", key, got)
		}
	}
}

// A state machine that lets a transaction through which the rules refuse, or refuses one that they let through: here the recount is
// told other rules.
func TestWrongVerdicts(t *testing.T) {
	e := own()
	for name, change := range map[string]func(*pb.Genesis){
		"no such officer":   func(g *pb.Genesis) { g.Organisations[0].Organisation.Officers = nil },
		"no such registrar": func(g *pb.Genesis) { g.Organisations[1].Organisation.Registrars = nil },
		"another chain":     func(g *pb.Genesis) { g.ChainId = "another" },
		"shorter":           func(g *pb.Genesis) { g.Parameters.Limits.TransactionBytes = 100 },
		"registrar too many": func(g *pb.Genesis) {
			o := &g.Organisations[1].Organisation
			o.Registrars = append(o.Registrars, o.Officers...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			report := audited(t, e.Ledger.Record(e.Blocks), func(a *auditor) {
				g := new(pb.Genesis)
				if err := election.Decode(election.Encode(a.doc), g); err != nil {
					t.Fatal(err)
				}
				change(g)
				a.recount = newSecond(a.checks, g, a.replay)
			})
			if got := failed(report); !slices.Contains(got, "recount: transactions") {
				t.Errorf("failed: %q", got)
			}
		})
	}
}

// Approvals that the recount counts otherwise show in the records of resolutions.
func TestWrongQuorum(t *testing.T) {
	e := own()
	report := audited(t, e.Ledger.Record(e.Blocks), func(a *auditor) {
		g := new(pb.Genesis)
		if err := election.Decode(election.Encode(a.doc), g); err != nil {
			t.Fatal(err)
		}
		g.Organisations[0].Organisation.OfficerQuorum = 3
		a.recount = newSecond(a.checks, g, a.replay)
	})
	if got := failed(report); !slices.ContainsFunc(got, func(name string) bool { return strings.HasPrefix(name, "recount") }) {
		t.Errorf("failed: %q", got)
	}
}
