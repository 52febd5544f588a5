package readable

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"votenode/app/state"
	"votenode/client"
	pb "votenode/proto/votenode/v1"
)

// Nominations are nominations for people, as they stand in a certified state.
type Nominations struct {
	ID     string `json:"id"`
	Height int64  `json:"height"`
	Title  string `json:"title"`
	// Document is the hash of the rules.
	Document          string     `json:"document"`
	ApplicationsUntil *time.Time `json:"applications_until"`
	DecisionsUntil    *time.Time `json:"decisions_until"`
	WithdrawalsUntil  *time.Time `json:"withdrawals_until"`
	YoungOn           string     `json:"young_on,omitempty"`
	YoungAge          uint32     `json:"young_age,omitempty"`
	Lists             int        `json:"lists"`
	// Submitted counts applications; Refused those refused by some organisation, Withdrawn those withdrawn, Standing those registered by all.
	Submitted uint32 `json:"submitted"`
	Refused   uint32 `json:"refused"`
	Withdrawn uint32 `json:"withdrawn"`
	Standing  uint32 `json:"standing"`
	// Formed is the height at which the manifest was formed, 0 before; Manifest its hash, empty where nobody stands.
	Formed   int64    `json:"formed"`
	Manifest string   `json:"manifest,omitempty"`
	LeftOut  []string `json:"left_out"`
	// Cancelled is the height at which the resolution CancelledBy cancelled them for the reason CancelReason, 0 where none did.
	Cancelled    int64  `json:"cancelled"`
	CancelledBy  string `json:"cancelled_by,omitempty"`
	CancelReason string `json:"cancel_reason,omitempty"`
}

// ShowNominations collects what a certified state holds of nominations. It fails with ErrAbsent.
func ShowNominations(ctx context.Context, v *client.View, id string) (*Nominations, error) {
	s, n, err := client.LoadNominations(ctx, v, id)
	if err != nil {
		return nil, err
	}
	var reason string
	if s.Cancelled != 0 {
		r, err := client.MustLoad[pb.ResolutionRecord](ctx, v, state.ResolutionKey(s.CancelledBy))
		if err != nil {
			return nil, err
		}
		reason = r.Resolution.Reason
	}
	return &Nominations{
		ID: id, Height: v.Height(), Title: n.Manifest.Title, Document: hex.EncodeToString(s.Document),
		ApplicationsUntil: moment(n.ApplicationsUntil), DecisionsUntil: moment(n.DecisionsUntil), WithdrawalsUntil: moment(n.WithdrawalsUntil),
		YoungOn: n.YoungOn, YoungAge: n.YoungAge, Lists: len(n.Lists),
		Submitted: s.Submitted, Refused: s.Refused, Withdrawn: s.Withdrawn, Standing: s.Standing,
		Formed: s.Formed, Manifest: hex.EncodeToString(s.Manifest), LeftOut: append([]string{}, s.LeftOut...),
		Cancelled: s.Cancelled, CancelledBy: hex.EncodeToString(s.CancelledBy), CancelReason: reason,
	}, nil
}

// Application is an application for people.
type Application struct {
	Hash         string `json:"application"`
	List         string `json:"list"`
	District     string `json:"district"`
	Name         string `json:"name"`
	Young        bool   `json:"young"`
	Woman        bool   `json:"woman"`
	PutForwardBy string `json:"put_forward_by,omitempty"`
	// Status is removed, or one of ApplicationStatus.
	Status string `json:"status"`
	// Undecided are the organisations that have decided nothing.
	Undecided []string `json:"undecided,omitempty"`
	// Removed is there where a resolution removed the candidate from the election.
	Removed *Removal `json:"removed,omitempty"`
	// Submitted and Withdrawn are heights, the latter 0 where it is not; SubmittedBy is an organisation.
	Submitted   int64      `json:"submitted"`
	SubmittedBy string     `json:"submitted_by"`
	Withdrawn   int64      `json:"withdrawn"`
	Decisions   []Decision `json:"decisions"`
}

// Decision is what an organisation decided: registered, or refused for a reason.
type Decision struct {
	Organisation string `json:"organisation"`
	Decision     string `json:"decision"`
	Reason       string `json:"reason,omitempty"`
	Height       int64  `json:"height"`
}

// ShowApplication puts an application into words; removed are the candidates of the election who were removed.
func ShowApplication(g *pb.Genesis, a *client.Application, removed []RemovedCandidate) *Application {
	own := &a.Signed.Application
	shown := &Application{
		Hash: fmt.Sprintf("%x", a.Hash), List: own.List, District: own.District, Name: own.Name, Young: own.Young, Woman: own.Woman,
		PutForwardBy: own.PutForwardBy, Status: ApplicationStatus(&a.ApplicationState, len(g.Organisations)),
		Submitted: a.Submitted, SubmittedBy: a.Organisation, Withdrawn: a.Withdrawn, Decisions: []Decision{},
	}
	for i := range a.Decisions {
		d := &a.Decisions[i]
		shown.Decisions = append(shown.Decisions, Decision{d.Organisation, DecisionWord(d), d.Refused, d.Height})
	}
	for _, id := range organisationIDs(g) {
		if a.Decision(id) == nil {
			shown.Undecided = append(shown.Undecided, id)
		}
	}
	if at := slices.IndexFunc(removed, func(r RemovedCandidate) bool { return r.Application == shown.Hash }); at >= 0 {
		shown.Status, shown.Removed = "removed", &removed[at].Removal
	}
	return shown
}

// DecisionWord says what an organisation decided: registered or refused.
func DecisionWord(d *pb.DecidedApplication) string {
	if d.Refused != "" {
		return "refused"
	}
	return "registered"
}

// ApplicationStatus says how it stands with an application where there are so many organisations: withdrawn, refused, stands or undecided.
func ApplicationStatus(a *pb.ApplicationState, organisations int) string {
	for i := range a.Decisions {
		if a.Withdrawn == 0 && a.Decisions[i].Refused != "" {
			return "refused"
		}
	}
	switch {
	case a.Withdrawn != 0:
		return "withdrawn"
	case len(a.Decisions) == organisations:
		return "stands"
	}
	return "undecided"
}

// RemovedVotes says what becomes of votes for a candidate who is removed. Spec 16.7 has one rule.
const RemovedVotes = "votes stay counted and are shown, and the candidate takes no place"

// RemovedCandidate is a candidate whom a resolution removed from a contest, with the hash of the application where there is one.
type RemovedCandidate struct {
	Contest     string `json:"contest"`
	Candidate   string `json:"candidate"`
	Application string `json:"application,omitempty"`
	Removal
}

// RemovedCandidates returns the candidates of an election whom resolutions removed, by contest and option.
func RemovedCandidates(ctx context.Context, r client.Reader, id string, m *pb.Manifest) ([]RemovedCandidate, error) {
	record, err := client.Load[pb.RemovedCandidates](ctx, r, state.RemovedKey(id))
	if err != nil || record == nil {
		return nil, err
	}
	var all []RemovedCandidate
	for _, c := range record.Removed {
		if int64(c.Contest) >= int64(len(m.Contests)) || int64(c.Option) >= int64(len(m.Contests[c.Contest].Candidates)) {
			return nil, fmt.Errorf("the removed candidates of %q do not fit the manifest", id)
		}
		resolution, err := LoadResolution(ctx, r, c.Resolution)
		if err != nil {
			return nil, err
		}
		contest := &m.Contests[c.Contest]
		all = append(all, RemovedCandidate{
			contest.Title, contest.Options[c.Option], hex.EncodeToString(contest.Candidates[c.Option].Application),
			Removal{c.Height, resolution.Hash, resolution.Record.Resolution.Reason},
		})
	}
	return all, nil
}

// RemovedFrom is RemovedCandidates of the election that the manifest of nominations made, if there is one yet.
func RemovedFrom(ctx context.Context, r client.Reader, nominations string) ([]RemovedCandidate, error) {
	record, err := r.Record(ctx, state.RemovedKey(nominations))
	if err != nil || record == nil {
		return nil, err
	}
	_, m, err := client.LoadRules(ctx, r, nominations)
	if err != nil {
		return nil, err
	}
	return RemovedCandidates(ctx, r, nominations, m)
}

// RemovedOptions returns the options of an election whose candidates a resolution removed, by contest.
func RemovedOptions(ctx context.Context, v client.Reader, id string) (map[uint32][]uint32, error) {
	record, err := client.Load[pb.RemovedCandidates](ctx, v, state.RemovedKey(id))
	if err != nil || record == nil {
		return nil, err
	}
	removed := make(map[uint32][]uint32)
	for _, c := range record.Removed {
		removed[c.Contest] = append(removed[c.Contest], c.Option)
	}
	return removed, nil
}
