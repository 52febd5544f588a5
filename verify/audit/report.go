package audit

import (
	"errors"
	"fmt"

	"votenode/app"
	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// Report is what an audit found.
type Report struct {
	Passed bool `json:"passed"`
	// Trusted says that no genesis hash was given, so that all of this speaks of whatever ledger the folder names.
	Trusted     bool   `json:"genesis_taken_on_trust"`
	Chain       string `json:"chain_id"`
	GenesisHash string `json:"genesis_hash"`
	// Height is that of the last block that was read. Committed is that of the last block that the record shows to be committed: what the
	// report says of elections is the state after it. Attested is the last height whose state the record attests by precommits,
	// Certified the last whose state is certified by every organisation: what is recorded after it can still be disowned.
	Height    int64 `json:"height"`
	Committed int64 `json:"committed_height"`
	Attested  int64 `json:"attested_height"`
	Certified int64 `json:"certified_height"`
	// Since is the height up to which an earlier audit vouches for the ballots, 0 where all were verified by this one.
	Since int64 `json:"since_height,omitempty"`

	Checks    []Check    `json:"checks"`
	Elections []Election `json:"elections"`
	// Nominations, Initiatives and RemovedComments are those of the state after the last committed block.
	Nominations     []Nominations `json:"nominations"`
	Initiatives     []Initiative  `json:"initiatives"`
	RemovedComments []Post        `json:"removed_comments"`
	// Transactions counts all transactions by the names of their kind and code.
	Transactions map[string]map[string]uint64 `json:"transactions"`
	// Uncertified tells which organisations have not certified which states by themselves, Missing who did not sign which blocks.
	Uncertified []Lack    `json:"uncertified"`
	Missing     []Absence `json:"missing"`
}

// Failure names the first check that failed, in the order of their numbers; nil where none did.
func (r *Report) Failure() *Check {
	for i := range r.Checks {
		if r.Checks[i].Outcome != Passed {
			return &r.Checks[i]
		}
	}
	return nil
}

// Election is an election in the state after the last block.
type Election struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Phase string `json:"phase"`
	// Recorded are the ballots in the log, Counted those that count, Voters the entries of the roll. Revoked are those of them that have lost the
	// vote, Struck those of these that had lost it when the roll was sealed.
	Voters   uint64 `json:"voters"`
	Sealed   bool   `json:"roll_sealed"`
	Struck   uint64 `json:"struck"`
	Revoked  uint64 `json:"revoked"`
	Recorded uint64 `json:"ballots_recorded"`
	Counted  uint64 `json:"ballots_counted"`
	// Refused counts the ballots of this election that were refused, by the name of the code.
	Refused  map[string]uint64 `json:"ballots_refused"`
	Spoiled  uint64            `json:"ballots_spoiled"`
	Contests []Contest         `json:"contests"`
	// Removed are the candidates who were removed, Extensions the closings that were put off, Rounds those of the lot that were ended.
	Removed    []Candidate `json:"removed"`
	Extensions []Extension `json:"extensions"`
	Rounds     []Round     `json:"lot_rounds_ended"`
	// Decided is the height at which the election came to its end, 0 before.
	Decided int64 `json:"decided_height"`
	// Certified says that the end is certified.
	Certified bool `json:"certified"`
}

// Contest is a contest with its result.
type Contest struct {
	Title string `json:"title"`
	// Status is open, withheld, merged, opened, or counted for open choices; MergedInto is the index of the contest into which it is merged.
	Status     string   `json:"status"`
	MergedInto *uint32  `json:"merged_into,omitempty"`
	Ballots    uint64   `json:"ballots"`
	Options    []Option `json:"options"`
	// PaperBallots and PaperInvalid are ballots on paper, valid and not.
	PaperBallots uint64 `json:"paper_ballots"`
	PaperInvalid uint64 `json:"paper_invalid"`
	// List is the list that was formed of the candidates, in words.
	List []string `json:"list,omitempty"`
}

// Option is an option with its electronic votes, which are 0 unless the contest was opened or counted, and those on paper.
type Option struct {
	Name  string `json:"name"`
	Votes uint64 `json:"votes"`
	Paper uint64 `json:"paper"`
}

// tally counts what happened to transactions.
type tally struct {
	kinds   map[string]map[string]uint64 // by kind and code
	ballots map[string]map[string]uint64 // refused, by election and code
	spoiled map[string]uint64            // by election
	over    map[string]int64             // height of the end, by election
}

func newTally() *tally {
	return &tally{
		kinds: map[string]map[string]uint64{}, ballots: map[string]map[string]uint64{}, spoiled: map[string]uint64{}, over: map[string]int64{},
	}
}

// block counts the transactions of a block and notes the elections that end in it.
func (t *tally) block(b *block, o *app.Outcome) {
	for i, r := range o.Results {
		kind, name := "unreadable", r.Code.String()
		if b.parsed[i] != nil {
			kind = b.parsed[i].Kind().String()
		}
		if t.kinds[kind] == nil {
			t.kinds[kind] = map[string]uint64{}
		}
		t.kinds[kind][name]++
		if b.parsed[i] == nil {
			continue
		}
		if cast := b.parsed[i].Cast(); cast != nil && r.Code != tx.CodeOK {
			t.refuse(cast.Election, name)
		}
		if m, ok := b.parsed[i].Body().(*pb.SpoilBallot); ok && r.Code == tx.CodeOK {
			t.spoiled[m.Election]++
		}
	}
	for _, e := range o.Events {
		if e.Type == "phase" && (attribute(e, "phase") == "final" || attribute(e, "phase") == "cancelled") {
			t.over[attribute(e, "election")] = b.Height
		}
	}
}

// attribute returns an attribute of an event, "" where it has none.
func attribute(e app.Event, key string) string {
	for _, a := range e.Attributes {
		if a.Key == key {
			return a.Value
		}
	}
	return ""
}

// refuse counts a refused ballot. Elections that do not exist are counted together: their names are anybody's.
func (t *tally) refuse(id, code string) {
	if t.ballots[id] == nil {
		if election.CheckID(id) != nil || code == tx.CodeUnknownElection.String() {
			return
		}
		t.ballots[id] = map[string]uint64{}
	}
	t.ballots[id][code]++
}

// finish completes the report. The error is the file system's.
func (a *auditor) finish() error {
	r := a.report
	r.Elections, r.Transactions, r.Uncertified, r.Missing = []Election{}, map[string]map[string]uint64{}, []Lack{}, []Absence{}
	r.Nominations, r.Initiatives, r.RemovedComments = []Nominations{}, []Initiative{}, []Post{}
	if a.certifier != nil {
		r.Committed, r.Attested, r.Certified = a.replay.view().Height(), max(0, r.Height-2), a.certifier.height
		r.Uncertified, r.Missing, r.Transactions = a.certifier.lacks(), a.certifier.missing(), a.tally.kinds
		if err := a.elections(); err != nil {
			return err
		}
		if err := a.others(); err != nil {
			return err
		}
		a.ends()
		a.remarks()
	}
	r.Checks = a.checks.list()
	if a.Since == nil {
		r.Checks = r.Checks[:checkContinuation-1]
	}
	r.Passed = r.Failure() == nil
	return nil
}

// ends checks that the end of every election that is over is certified. Spec 11.2, check 15.
func (a *auditor) ends() {
	a.checks.read(checkCertified, 0)
	for _, e := range a.report.Elections {
		if e.Decided != 0 && !e.Certified {
			a.checks.fault(checkCertified, "the end of election %q, at height %d, is not certified in this record, which certifies height %d; export it up to a later height",
				e.ID, e.Decided, a.report.Certified)
		}
	}
}

// remarks says what is worth knowing of checks that passed.
func (a *auditor) remarks() {
	if a.GenesisHash == nil {
		a.checks.say(checkGenesis, "taken from the folder on trust: compare its hash %s with what the organisations have published", a.report.GenesisHash)
	}
	a.checks.say(checkCertified, "the state after height %d is certified, epoch %d of the validators", a.report.Certified, a.certifier.trust.Newest().Epoch())
	a.checks.say(checkState, "blocks up to height %d are committed, states up to height %d attested", a.report.Committed, a.report.Attested)
	if a.chain.unverified > 0 {
		a.checks.say(checkEvidence, "%d of them, about attacks on light clients, were not verified", a.chain.unverified)
	}
	if n := len(a.report.Missing); n > 0 {
		a.checks.say(checkPrecommits, "%d validators did not sign all blocks", n)
	}
}

// elections reads the elections from the state after the last block. A record that cannot be read leaves the election out: check 14
// has failed then. The error is the file system's.
func (a *auditor) elections() error {
	view := a.replay.view()
	list, err := state.MustLoad[pb.ElectionList](view, state.KeyElections)
	if err != nil {
		a.checks.fault(checkState, "%v", err)
		return nil
	}
	struck, err := struck(view)
	if err != nil {
		if err = a.stop(checkState, err); errors.Is(err, errStop) {
			return nil
		}
		return err
	}
	for _, id := range list.Ids {
		e, err := a.election(view, id, struck)
		if err == nil {
			a.report.Elections = append(a.report.Elections, *e)
		} else if err = a.stop(checkState, fmt.Errorf("election %q: %w", id, err)); !errors.Is(err, errStop) {
			return err
		}
	}
	return nil
}

// others reads what the state after the last block holds beside elections; like elections where a record cannot be read.
func (a *auditor) others() error {
	list, err := nominations(a.replay.view())
	if err == nil {
		a.report.Nominations = list
		a.report.Initiatives, a.report.RemovedComments, err = initiatives(a.replay.view())
	}
	if err == nil {
		return nil
	}
	if err = a.stop(checkState, err); errors.Is(err, errStop) {
		return nil
	}
	return err
}

func (a *auditor) election(view state.View, id string, struck map[string]uint64) (*Election, error) {
	record, err := state.MustLoad[pb.Election](view, state.ElectionKey(id))
	if err != nil {
		return nil, err
	}
	manifest, err := a.replay.app.Manifest(view, record)
	if err != nil {
		return nil, err
	}
	e := &Election{
		ID: id, Title: manifest.Title, Phase: election.PhaseName(record.Phase), Removed: []Candidate{}, Extensions: []Extension{}, Rounds: []Round{},
		Refused: a.tally.ballots[id], Spoiled: a.tally.spoiled[id], Decided: a.tally.over[id],
	}
	e.Certified = e.Decided != 0 && e.Decided <= a.report.Certified
	if e.Refused == nil {
		e.Refused = map[string]uint64{}
	}
	head, err := view.Head(state.LogBallots(id))
	if err != nil {
		return nil, err
	}
	e.Recorded = head.Size
	for i := range view.Voters(id) {
		voter, err := state.LoadVoter(view, id, i)
		if err != nil {
			return nil, err
		}
		if voter.Status == pb.VOTER_COUNTS {
			e.Counted++
		}
	}
	if err := errors.Join(e.roll(view, record, struck), e.changes(view, manifest), e.rounds(view)); err != nil {
		return nil, err
	}
	return e, e.contests(view, id, manifest)
}

func (e *Election) contests(view state.View, id string, m *pb.Manifest) error {
	for i := range m.Contests {
		c := Contest{Title: m.Contests[i].Title, Status: "open"}
		result, err := state.Load[pb.Result](view, state.ResultKey(id, uint32(i)))
		if err != nil {
			return err
		}
		if result == nil {
			result = new(pb.Result)
		}
		c.Ballots, c.PaperBallots, c.PaperInvalid = result.Ballots, result.PaperBallots, result.PaperInvalid
		opened := result.Status == pb.RESULT_OPENED || result.Status == pb.RESULT_COUNTED
		switch result.Status {
		case pb.RESULT_OPENED:
			c.Status = "opened"
		case pb.RESULT_COUNTED:
			c.Status = "counted"
		case pb.RESULT_WITHHELD:
			c.Status = "withheld"
		case pb.RESULT_MERGED:
			c.Status, c.MergedInto = "merged", &result.MergedInto
		}
		for at, name := range m.Contests[i].Options {
			o := Option{Name: name}
			if opened {
				if at >= len(result.Votes) {
					return fmt.Errorf("contest %d has no votes of option %d", i, at)
				}
				o.Votes = result.Votes[at]
			}
			if at < len(result.PaperVotes) {
				o.Paper = result.PaperVotes[at]
			}
			c.Options = append(c.Options, o)
		}
		list, err := state.Load[pb.List](view, state.ListKey(id, uint32(i)))
		if err != nil {
			return err
		}
		if list != nil {
			c.List = election.ListWords(&m.Contests[i], list)
		}
		e.Contests = append(e.Contests, c)
	}
	return nil
}
