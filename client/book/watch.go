package book

import (
	"context"
	"errors"
	"fmt"

	"votenode/client"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// Event is a change under the voter's place in the roll.
type Event struct {
	Event    string `json:"event"`
	Height   int64  `json:"height"`
	Sequence uint64 `json:"sequence,omitempty"`
	Code     string `json:"confirmation_code,omitempty"`
	C0       string `json:"c0,omitempty"`
}

// The events. Where a ballot supersedes another, that is said of the one before.
const (
	EventRecorded         = "recorded"          // a ballot of the voter is the last one
	EventSuperseded       = "superseded"        // a ballot, whoever's, is the last one no longer
	EventForeign          = "foreign"           // the book does not explain a ballot
	EventChallenged       = "challenged"        // a ballot that the voter has challenged is barred
	EventForeignChallenge = "foreign-challenge" // the book does not explain a challenge
	EventRevoked          = "revoked"           // the entry of the roll is revoked
	EventClosed           = "closed"            // voting is over
	EventCancelled        = "cancelled"         // the election is
)

// String returns the event as a line for people.
func (e Event) String() string {
	line := fmt.Sprintf("height %d: %s", e.Height, e.Event)
	if e.Sequence > 0 {
		line += fmt.Sprintf(", number %d", e.Sequence)
	}
	if e.Code != "" {
		line += ", " + e.Code
	}
	return line
}

// Watch follows the ledger for a voter.
type Watch struct {
	Ledger   *client.Ledger
	Book     *Book
	Thorough bool                             // read the ballot log, too
	Once     bool                             // end after the first certified state
	Tell     func(e Event) error              // is told of every change
	Warn     func(f Foreign)                  // is told of everything foreign, once
	Say      func(format string, args ...any) // is told what goes wrong

	last *moment
}

// moment is a sight with the phase of the election.
type moment struct {
	*Sight
	phase pb.Phase
}

// Run looks at every new certified state until voting is over or ctx ends, which is no error. It fails with ErrForeign where at the end
// something is not explained. A node that fails is said and tried again; a fork of the ledger, a book that cannot be used and an error of
// Tell end it early.
func (w *Watch) Run(ctx context.Context) error {
	err := w.run(ctx)
	if ctx.Err() != nil && !errors.Is(err, client.ErrFork) {
		err = nil // it was asked to stop
	}
	if w.last != nil && len(w.last.Foreign) > 0 {
		err = errors.Join(err, ErrForeign)
	}
	return err
}

func (w *Watch) run(ctx context.Context) error {
	complaint, height := "", int64(0)
	for {
		v, err := w.Ledger.After(ctx, height)
		if err != nil {
			return err
		}
		height = v.Height()
		m, err := w.look(ctx, v)
		if m != nil {
			// What was seen is told even where the book could not be written.
			if err := errors.Join(w.tell(m), err); err != nil {
				return err
			}
			if w.Once || m.phase > pb.PHASE_VOTING {
				return nil
			}
			complaint = ""
			continue
		}
		if w.Once || ctx.Err() != nil {
			return err
		}
		if err.Error() != complaint {
			complaint = err.Error()
			w.Say("height %d: %v; looking again at the next height", height, err)
		}
	}
}

// look returns nothing where the nodes did not answer.
func (w *Watch) look(ctx context.Context, v *client.View) (*moment, error) {
	e, err := client.LoadElection(ctx, v, w.Book.owner.Election)
	if err != nil {
		return nil, err
	}
	s, err := w.Book.Look(ctx, v, w.Thorough)
	if s == nil {
		return nil, err
	}
	return &moment{s, e.Phase}, err
}

// tell says what has changed.
func (w *Watch) tell(m *moment) error {
	before := w.last
	if before == nil {
		before = &moment{Sight: &Sight{Voter: new(pb.Voter)}}
	}
	w.last = m
	for _, f := range m.Foreign {
		if !contains(before.Foreign, f) {
			w.Warn(f)
		}
	}
	for _, e := range changes(before, m) {
		if err := w.Tell(e); err != nil {
			return err
		}
	}
	return nil
}

// changes lists what is new in a moment.
func changes(before, now *moment) []Event {
	var events []Event
	add := func(name string, sequence uint64, code, point string) {
		events = append(events, Event{Event: name, Height: now.Height, Sequence: sequence, Code: code, C0: point})
	}
	if old := before.Voter; len(old.Code) == 32 && string(now.Voter.Code) != string(old.Code) {
		add(EventSuperseded, old.Sequence, ballot.FormatCode([32]byte(old.Code)), "")
	}
	old := before.recorded()
	for _, r := range now.recorded() {
		switch {
		case contains(old, r) || contains(now.Foreign, r):
		case r.C0 == "":
			add(EventRecorded, r.Sequence, r.Code, "")
		default:
			add(EventChallenged, r.Sequence, "", r.C0)
		}
	}
	for _, f := range now.Foreign {
		switch {
		case contains(before.Foreign, f):
		case f.C0 == "":
			add(EventForeign, f.Sequence, f.Code, "")
		default:
			add(EventForeignChallenge, f.Sequence, "", f.C0)
		}
	}
	if now.Voter.Status == pb.VOTER_REVOKED && before.Voter.Status != pb.VOTER_REVOKED {
		add(EventRevoked, 0, "", "")
	}
	switch {
	case now.phase == pb.PHASE_CANCELLED:
		add(EventCancelled, 0, "", "")
	case now.phase > pb.PHASE_VOTING:
		add(EventClosed, 0, "", "")
	}
	return events
}
