package readable

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/client"
	pb "votenode/proto/votenode/v1"
)

// Election is an election for people, as it stands in a certified state.
type Election struct {
	ID      string     `json:"id"`
	Height  int64      `json:"height"`
	Title   string     `json:"title"`
	Phase   string     `json:"phase"`
	Opening *time.Time `json:"opening"`
	Closing *time.Time `json:"closing"`
	// OpenChoices and RollOf are those of the manifest (spec 19): RollOf is empty where the election has the roll itself.
	OpenChoices bool   `json:"open_choices,omitempty"`
	RollOf      string `json:"roll_of,omitempty"`
	// RollSize is the number of entries, of which the sealed roll is made where RollSealed; RollRoot and KeyDigest are hexadecimal.
	RollSize    uint64     `json:"roll_size"`
	RollRoot    string     `json:"roll_root"`
	RollSealed  bool       `json:"roll_sealed"`
	KeyDigest   string     `json:"key_digest"`
	TrialPassed bool       `json:"trial_passed"`
	Recorded    uint64     `json:"recorded_ballots"`
	Ceremonies  []Ceremony `json:"ceremonies"`
	// PlacesMissing are the ids of the polling places that have neither reported nor are excused, from the closing on.
	PlacesMissing []string `json:"places_missing,omitempty"`
	// Removed are the candidates whom resolutions removed.
	Removed []RemovedCandidate `json:"removed,omitempty"`
	// Lot is there where lists are formed.
	Lot *Lot `json:"lot,omitempty"`
}

// Ceremony is one organisation's key ceremony.
type Ceremony struct {
	Organisation string    `json:"organisation"`
	Quorum       uint32    `json:"quorum"`
	Attempt      uint32    `json:"attempt"`
	Step         string    `json:"step"`
	Trustees     []Trustee `json:"trustees"`
}

// Trustee is one trustee; Ejected says why it is out, empty where it is not.
type Trustee struct {
	Index   uint32 `json:"index"`
	Name    string `json:"name"`
	Ejected string `json:"ejected,omitempty"`
}

// Contest is the result of a contest: pending, opened, withheld, merged, or counted from open choices. Ballots and Votes count electronic ballots, and only where it
// is opened or counted; MergedInto is the index of the contest into which it is merged. What was counted on paper stands apart, valid and invalid ballots, and
// is known of withheld and merged contests, too.
type Contest struct {
	Title        string  `json:"title"`
	Status       string  `json:"status"`
	MergedInto   *uint32 `json:"merged_into,omitempty"`
	Ballots      uint64  `json:"ballots"`
	PaperBallots uint64  `json:"paper_ballots"`
	PaperInvalid uint64  `json:"paper_invalid"`
	Options      []Votes `json:"options"`
}

// Votes is what an option got: electronic, on paper, and, where the contest is opened, together. Removed says that a resolution removed the candidate.
type Votes struct {
	Option  string `json:"option"`
	Votes   uint64 `json:"votes"`
	Paper   uint64 `json:"paper"`
	Sum     uint64 `json:"sum"`
	Removed bool   `json:"removed,omitempty"`
}

// ShowElection collects what a certified state holds of an election. It fails with ErrAbsent.
func ShowElection(ctx context.Context, v *client.View, id string) (*Election, error) {
	e, m, err := client.LoadRules(ctx, v, id)
	if err != nil {
		return nil, err
	}
	roll, err := v.Head(ctx, state.LogRoll(state.RollOf(id, e)))
	if err != nil {
		return nil, err
	}
	ballots, err := v.Head(ctx, state.LogBallots(id))
	if err != nil {
		return nil, err
	}
	shown := &Election{
		ID: id, Height: v.Height(), Title: m.Title, Phase: election.PhaseName(e.Phase),
		Opening: moment(e.Opening), Closing: moment(e.Closing), OpenChoices: m.OpenChoices, RollOf: e.RollOf,
		RollSize: roll.Size, RollRoot: hex.EncodeToString(roll.Root[:]), RollSealed: e.RollSealed,
		KeyDigest: hex.EncodeToString(e.KeyDigest), TrialPassed: e.TrialPassed, Recorded: ballots.Size,
	}
	for _, o := range v.Genesis().Organisations {
		c, err := client.Load[pb.Ceremony](ctx, v, state.CeremonyKey(id, o.Organisation.Id))
		if err != nil {
			return nil, err
		}
		if c != nil {
			shown.Ceremonies = append(shown.Ceremonies, showCeremony(o.Organisation.Id, c))
		}
	}
	if e.PlacesOpen > 0 {
		places, err := ShowPaper(ctx, v, id)
		if err != nil {
			return nil, err
		}
		for _, p := range places {
			if p.Status == "missing" {
				shown.PlacesMissing = append(shown.PlacesMissing, p.ID)
			}
		}
	}
	lot, err := client.Load[pb.Lot](ctx, v, state.LotKey(id))
	if err != nil {
		return nil, err
	}
	shown.Lot = lotOf(v.Genesis(), m, lot)
	shown.Removed, err = RemovedCandidates(ctx, v, id, m)
	return shown, err
}

func showCeremony(organisation string, c *pb.Ceremony) Ceremony {
	steps := map[pb.CeremonyStep]string{
		pb.CEREMONY_ANNOUNCE: "announce", pb.CEREMONY_DEAL: "deal", pb.CEREMONY_CONFIRM: "confirm",
		pb.CEREMONY_DONE: "done", pb.CEREMONY_WAITING: "waiting for replacements",
	}
	reasons := map[pb.Ejection]string{
		pb.EJECTION_SILENT: "silent", pb.EJECTION_BAD_SHARE: "bad share", pb.EJECTION_FALSE_COMPLAINT: "false complaint",
	}
	shown := Ceremony{Organisation: organisation, Quorum: c.Quorum, Attempt: c.Attempt, Step: steps[c.Step]}
	for i, t := range c.Trustees {
		shown.Trustees = append(shown.Trustees, Trustee{Index: uint32(i + 1), Name: t.Trustee.Name, Ejected: reasons[t.Ejected]})
	}
	return shown
}

// ShowResult collects the results of all contests of an election, proven in a certified state.
func ShowResult(ctx context.Context, v *client.View, id string) ([]Contest, error) {
	_, m, err := client.LoadRules(ctx, v, id)
	if err != nil {
		return nil, err
	}
	removed, err := RemovedOptions(ctx, v, id)
	if err != nil {
		return nil, err
	}
	shown := make([]Contest, len(m.Contests))
	for i := range m.Contests {
		c := &m.Contests[i]
		shown[i] = Contest{Title: c.Title, Status: "pending"}
		record, err := client.Load[pb.Result](ctx, v, state.ResultKey(id, uint32(i)))
		if err != nil {
			return nil, err
		}
		if record == nil {
			continue
		}
		if shown[i], err = showResult(c, record, removed[uint32(i)]); err != nil {
			return nil, err
		}
	}
	return shown, nil
}

func showResult(c *pb.Contest, r *pb.Result, removed []uint32) (Contest, error) {
	shown := Contest{Title: c.Title, PaperBallots: r.PaperBallots, PaperInvalid: r.PaperInvalid}
	switch r.Status {
	case pb.RESULT_WITHHELD:
		shown.Status = "withheld"
	case pb.RESULT_MERGED:
		shown.Status, shown.MergedInto = "merged", &r.MergedInto
	case pb.RESULT_OPENED:
		shown.Status, shown.Ballots = "opened", r.Ballots
	case pb.RESULT_COUNTED:
		shown.Status, shown.Ballots = "counted", r.Ballots
	}
	opened := r.Status == pb.RESULT_OPENED || r.Status == pb.RESULT_COUNTED
	if shown.Status == "" || opened && len(r.Votes) != len(c.Options) || len(r.PaperVotes) != 0 && len(r.PaperVotes) != len(c.Options) {
		return shown, errors.New("the record of a result does not fit its contest")
	}
	if !opened && len(r.PaperVotes) == 0 {
		return shown, nil
	}
	sums := election.Votes(r)
	for j, name := range c.Options {
		v := Votes{Option: name, Removed: slices.Contains(removed, uint32(j))}
		if opened {
			v.Votes, v.Sum = r.Votes[j], sums[j]
		}
		if len(r.PaperVotes) > 0 {
			v.Paper = r.PaperVotes[j]
		}
		shown.Options = append(shown.Options, v)
	}
	return shown, nil
}

// UntilPhase waits for a certified state in which an election has come to a phase or to a later one, or is cancelled.
func UntilPhase(ctx context.Context, l *client.Ledger, id string, phase pb.Phase) (*client.View, error) {
	return l.Until(ctx, func(ctx context.Context, v *client.View) (bool, error) {
		e, err := client.LoadElection(ctx, v, id)
		if errors.Is(err, client.ErrAbsent) {
			return false, nil
		}
		return err == nil && e.Phase >= phase, err
	})
}

func moment(seconds int64) *time.Time {
	if seconds == 0 {
		return nil
	}
	t := time.Unix(seconds, 0).UTC()
	return &t
}

// ParsePhase reads the name of a phase, as Election.Phase shows it.
func ParsePhase(name string) (pb.Phase, error) {
	for p := range pb.Phase_name {
		if phase := pb.Phase(p); phase != pb.PHASE_NONE && election.PhaseName(phase) == name {
			return phase, nil
		}
	}
	return pb.PHASE_NONE, fmt.Errorf("there is no phase %q", name)
}

// VoterStatus puts a voter's leaf into words.
func VoterStatus(leaf *pb.Voter) string {
	switch leaf.Status {
	case pb.VOTER_COUNTS:
		return "counts"
	case pb.VOTER_REVOKED:
		return "revoked"
	}
	return "has not voted"
}
