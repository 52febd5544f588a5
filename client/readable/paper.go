package readable

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/client"
	pb "votenode/proto/votenode/v1"
)

// PollingPlace is a polling place and what stands about it. Spec 18.3.
type PollingPlace struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	// Status is missing, reported or excused.
	Status string `json:"status"`
	// Resolution is the hash of the one that stands, hexadecimal, and Reason its reason; empty where the place is missing.
	Resolution string `json:"resolution"`
	Reason     string `json:"reason"`
	// Totals are there where it has reported.
	Totals *PaperTotals `json:"totals,omitempty"`
}

// PaperTotals are ballot papers in numbers. NotReturned are those that were neither spoiled nor cast.
type PaperTotals struct {
	Entitled    uint64         `json:"entitled"`
	Issued      uint64         `json:"issued"`
	Spoiled     uint64         `json:"spoiled"`
	Cast        uint64         `json:"cast"`
	NotReturned uint64         `json:"not_returned"`
	Contests    []PaperContest `json:"contests"`
}

// PaperContest is what they say in one contest; Votes are by option.
type PaperContest struct {
	Contest uint32   `json:"contest"`
	Valid   uint64   `json:"valid"`
	Invalid uint64   `json:"invalid"`
	Votes   []uint64 `json:"votes"`
}

// ShowPaper tells of each polling place of an election what stands about it, proven in a certified state. It fails with client.ErrAbsent.
func ShowPaper(ctx context.Context, v client.Reader, id string) ([]PollingPlace, error) {
	_, m, err := client.LoadRules(ctx, v, id)
	if err != nil {
		return nil, err
	}
	shown := make([]PollingPlace, len(m.PollingPlaces))
	for i := range m.PollingPlaces {
		p := &m.PollingPlaces[i]
		standing, err := client.Load[pb.PaperPlace](ctx, v, state.PaperKey(id, p.Id))
		if err != nil {
			return nil, err
		}
		if standing == nil {
			shown[i] = ShowPlace(p, nil, nil)
			continue
		}
		r, err := client.MustLoad[pb.ResolutionRecord](ctx, v, state.ResolutionKey(standing.Resolution))
		if err != nil {
			return nil, err
		}
		shown[i] = ShowPlace(p, standing, &r.Resolution)
	}
	return shown, nil
}

// ShowPlace returns a polling place for people, with the resolution that stands about it, nil where there is none.
func ShowPlace(p *pb.PollingPlace, standing *pb.PaperPlace, r *pb.Resolution) PollingPlace {
	shown := PollingPlace{ID: p.Id, Title: p.Title, Status: "missing"}
	if standing == nil {
		return shown
	}
	shown.Resolution, shown.Reason, shown.Status = hex.EncodeToString(standing.Resolution), r.Reason, "excused"
	if d := r.GetPaperTotals(); d != nil {
		shown.Status, shown.Totals = "reported", showTotals(d)
	}
	return shown
}

func showTotals(d *pb.PaperTotals) *PaperTotals {
	shown := &PaperTotals{Entitled: d.Entitled, Issued: d.Issued, Spoiled: d.Spoiled, Cast: d.Cast, NotReturned: d.Issued - d.Spoiled - d.Cast}
	for _, c := range d.Contests {
		shown.Contests = append(shown.Contests, PaperContest{Contest: c.Contest, Valid: c.Valid, Invalid: c.Invalid, Votes: c.Votes})
	}
	return shown
}

// PaperForm returns totals of a polling place to be filled in: all contests that it serves, and what they correct where something stands.
func PaperForm(ctx context.Context, v client.Reader, id, place string) (*pb.PaperTotals, *pb.Manifest, error) {
	_, m, err := client.LoadRules(ctx, v, id)
	if err != nil {
		return nil, nil, err
	}
	p := election.Place(m, place)
	if p == nil {
		return nil, nil, fmt.Errorf("election %q has no polling place %q; 'votenode election paper %s' lists them", id, place, id)
	}
	standing, err := client.Load[pb.PaperPlace](ctx, v, state.PaperKey(id, place))
	if err != nil {
		return nil, nil, err
	}
	form := &pb.PaperTotals{Election: id, Place: place}
	if standing != nil {
		form.Corrects = standing.Resolution
	}
	for _, contest := range election.PlaceContests(m, p) {
		form.Contests = append(form.Contests, pb.PaperContest{Contest: contest, Votes: make([]uint64, len(m.Contests[contest].Options))})
	}
	return form, m, nil
}

// Extension is an extension of an election with what the ledger attached. Spec 18.6.
type Extension struct {
	Number     int    `json:"number"`
	Resolution string `json:"resolution"`
	// Cause is outage, halt, attack or other.
	Cause  string `json:"cause"`
	Reason string `json:"reason"`
	// From and To are heights, 0 where no time is named.
	From int64 `json:"from"`
	To   int64 `json:"to"`
	// OldClosing and Closing are unix seconds.
	OldClosing int64 `json:"old_closing"`
	Closing    int64 `json:"closing"`
	Height     int64 `json:"height"`
	// LongestGap is in nanoseconds, before the block of GapHeight.
	LongestGap int64           `json:"longest_gap"`
	GapHeight  int64           `json:"gap_height"`
	Validators []ValidatorSpan `json:"validators"`
}

// ValidatorSpan is what the ledger knows of a validator in the span.
type ValidatorSpan struct {
	Key string `json:"key"`
	// Missed heights of the span are those that it did not sign.
	Missed uint64 `json:"missed"`
	// Before and After name its reports around the span, Intake is what it took in between; each is left out where it is not known.
	Before *ReportRef `json:"before,omitempty"`
	After  *ReportRef `json:"after,omitempty"`
	Intake *Increase  `json:"intake,omitempty"`
}

// ReportRef names a report by its index in the log `intake`.
type ReportRef struct {
	Index  uint64 `json:"index"`
	Height int64  `json:"height"`
	Start  uint64 `json:"start"`
}

// Increase is the difference of two reports.
type Increase struct {
	Taken     uint64            `json:"taken"`
	FromPeers uint64            `json:"from_peers"`
	Verified  uint64            `json:"verified"`
	Slips     uint64            `json:"slips"`
	Refused   map[string]uint64 `json:"refused"`
}

// ShowExtensions returns all extensions of an election, in order, proven in a certified state. It fails with client.ErrAbsent.
func ShowExtensions(ctx context.Context, v client.Reader, id string) ([]Extension, error) {
	if _, err := client.LoadElection(ctx, v, id); err != nil {
		return nil, err
	}
	shown := []Extension{}
	for n := 1; ; n++ {
		x, err := client.Load[pb.Extension](ctx, v, state.ExtensionKey(id, n))
		if err != nil || x == nil {
			return shown, err
		}
		r, err := client.MustLoad[pb.ResolutionRecord](ctx, v, state.ResolutionKey(x.Resolution))
		if err != nil {
			return nil, err
		}
		shown = append(shown, ShowExtension(n, x, r.Resolution.Reason))
	}
}

// ShowExtension returns the n-th extension of an election for people.
func ShowExtension(n int, x *pb.Extension, reason string) Extension {
	shown := Extension{
		Number: n, Resolution: hex.EncodeToString(x.Resolution), Cause: CauseName(x.Cause), Reason: reason, From: x.From, To: x.To,
		OldClosing: x.OldClosing, Closing: x.Closing, Height: x.Height, LongestGap: x.LongestGap, GapHeight: x.GapHeight, Validators: []ValidatorSpan{},
	}
	for i := range x.Validators {
		v := &x.Validators[i]
		span := ValidatorSpan{Key: hex.EncodeToString(v.Key), Missed: v.Missed, Before: showRef(v.Before), After: showRef(v.After)}
		if d := v.Intake; d != nil {
			span.Intake = &Increase{Taken: d.Taken, FromPeers: d.FromPeers, Verified: d.Verified, Slips: d.Slips, Refused: map[string]uint64{}}
			for _, c := range d.Refused {
				span.Intake.Refused[tx.Code(c.Code).String()] = c.Count
			}
		}
		shown.Validators = append(shown.Validators, span)
	}
	return shown
}

func showRef(r *pb.ReportRef) *ReportRef {
	if r == nil {
		return nil
	}
	return &ReportRef{Index: r.Index, Height: r.Height, Start: r.Start}
}

// CauseName returns a cause in words: outage, halt, attack, other.
func CauseName(c pb.ExtensionCause) string {
	return strings.ToLower(strings.TrimPrefix(c.String(), "EXTENSION_"))
}

// ParseCause reads the name of a cause.
func ParseCause(name string) (pb.ExtensionCause, error) {
	for c := pb.EXTENSION_OUTAGE; c <= pb.EXTENSION_OTHER; c++ {
		if CauseName(c) == name {
			return c, nil
		}
	}
	return pb.EXTENSION_NONE, fmt.Errorf("%q is no cause; say outage, halt, attack or other", name)
}
