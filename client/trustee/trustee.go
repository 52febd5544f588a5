package trustee

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/client"
	pb "votenode/proto/votenode/v1"
)

// Ledger is what a trustee needs of a ledger. See Follow.
type Ledger interface {
	// Chain returns the chain id, Organisations the ids of all organisations.
	Chain() string
	Organisations() []string
	// After waits for a certified state of a greater height.
	After(ctx context.Context, height int64) (client.Reader, error)
	// Submit hands a transaction to the ledger. A *tx.Refusal says that the ledger does not want it.
	Submit(ctx context.Context, transaction []byte) error
}

// followed is a client's ledger as a Ledger.
type followed struct{ *client.Ledger }

// Follow lets a trustee work on a ledger that package client verifies.
func Follow(l *client.Ledger) Ledger { return followed{l} }

func (f followed) Organisations() []string {
	var ids []string
	for _, o := range f.Genesis().Organisations {
		ids = append(ids, o.Organisation.Id)
	}
	return ids
}

func (f followed) After(ctx context.Context, height int64) (client.Reader, error) {
	v, err := f.Ledger.After(ctx, height)
	if err != nil {
		return nil, err
	}
	return v, nil
}

// Trustee does the part of one key. It is used by one goroutine.
type Trustee struct {
	Ledger Ledger
	Key    ed25519.PrivateKey
	Store  *Store
	// Random is the operating system's source.
	Random io.Reader
	// Say is told in a sentence what was done and what went wrong.
	Say func(format string, args ...any)

	seats     map[string]bool         // elections to which the key is appointed
	over      map[string]bool         // elections in which nothing is left to do
	manifests map[string]*pb.Manifest // by hash
	settled   map[string]bool         // contests that need nothing more, by record key of the sum
	said      map[string]bool         // what need not be said again
	complaint string                  // what was said last of what went wrong
}

// Run follows the ledger until ctx ends, or, with untilOver, until every election to which the key is appointed is over and there is
// at least one. What goes wrong is said and tried again with the next certified state; only a fork of the ledger ends it early.
func (t *Trustee) Run(ctx context.Context, untilOver bool) error {
	height := int64(0)
	for {
		r, err := t.Ledger.After(ctx, height)
		if err != nil {
			return err
		}
		height = r.Height()
		err = t.Step(ctx, r)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && err.Error() != t.complaint:
			t.Say("height %d: %v", height, err)
		}
		if t.complaint = ""; err != nil {
			t.complaint = err.Error()
		}
		if untilOver && err == nil && t.allOver() {
			t.Say("every election to which this key is appointed is over (%s), and there is nothing to wait for: for another election start again once the key is appointed to it",
				strings.Join(slices.Sorted(maps.Keys(t.seats)), ", "))
			return nil
		}
	}
}

func (t *Trustee) allOver() bool {
	for id := range t.seats {
		if !t.over[id] {
			return false
		}
	}
	return len(t.seats) > 0
}

// Step does what a certified state asks of the trustee, in every election. It can be repeated with the same or any later state.
func (t *Trustee) Step(ctx context.Context, r client.Reader) error {
	if t.over == nil {
		t.seats, t.over = make(map[string]bool), make(map[string]bool)
		t.manifests, t.settled, t.said = make(map[string]*pb.Manifest), make(map[string]bool), make(map[string]bool)
	}
	ids, err := client.Elections(ctx, r)
	if err != nil {
		return err
	}
	var failures []error
	for _, id := range ids {
		if t.over[id] {
			continue
		}
		if err := t.election(ctx, r, id); err != nil {
			failures = append(failures, fmt.Errorf("election %s: %w", id, err))
		}
	}
	return errors.Join(failures...)
}

// seat is a trustee's place in one organisation's ceremony of an election.
type seat struct {
	*Trustee
	r            client.Reader
	id           string
	election     *pb.Election
	manifest     *pb.Manifest
	organisation string
	ceremony     *pb.Ceremony
	index        uint32
}

func (t *Trustee) election(ctx context.Context, r client.Reader, id string) error {
	e, err := client.LoadElection(ctx, r, id)
	if err != nil {
		return err
	}
	over := election.Over(e.Phase)
	for _, organisation := range t.Ledger.Organisations() {
		c, err := client.Load[pb.Ceremony](ctx, r, state.CeremonyKey(id, organisation))
		if err != nil {
			return err
		}
		index, ejected := t.indexIn(c)
		if index == 0 {
			continue
		}
		t.seats[id] = true
		if ejected != pb.EJECTION_NONE {
			t.sayOnce("election %s: this trustee is out of the ceremony of %s: %v", id, organisation, ejected)
			continue
		}
		s := &seat{Trustee: t, r: r, id: id, election: e, organisation: organisation, ceremony: c, index: index}
		if over {
			continue
		}
		if s.manifest, err = t.manifest(ctx, r, e); err != nil {
			return err
		}
		if err := s.act(ctx); err != nil {
			return err
		}
	}
	if over {
		if err := t.erase(id); err != nil {
			return err
		}
	}
	t.over[id] = over
	return nil
}

// indexIn returns the trustee's index in a ceremony, 0 where it has none, and why it is out.
func (t *Trustee) indexIn(c *pb.Ceremony) (uint32, pb.Ejection) {
	if c != nil {
		for i := range c.Trustees {
			if string(c.Trustees[i].Trustee.Key) == string(t.Key[ed25519.SeedSize:]) {
				return uint32(i + 1), c.Trustees[i].Ejected
			}
		}
	}
	return 0, pb.EJECTION_NONE
}

// sayOnce says a sentence that later states would only repeat.
func (t *Trustee) sayOnce(format string, args ...any) {
	if sentence := fmt.Sprintf(format, args...); !t.said[sentence] {
		t.said[sentence] = true
		t.Say("%s", sentence)
	}
}

// act does what the phase asks for.
func (s *seat) act(ctx context.Context) error {
	switch {
	case s.election.Phase == pb.PHASE_KEY_CEREMONY && len(s.election.KeyDigest) == 0:
		return s.deal(ctx)
	case s.election.Phase == pb.PHASE_KEY_CEREMONY:
		return s.trial(ctx)
	case s.election.Phase == pb.PHASE_DECRYPTING:
		return s.tally(ctx)
	}
	return nil
}

// manifest returns an election's manifest, which never changes.
func (t *Trustee) manifest(ctx context.Context, r client.Reader, e *pb.Election) (*pb.Manifest, error) {
	if m := t.manifests[string(e.Manifest)]; m != nil {
		return m, nil
	}
	m, err := client.LoadManifest(ctx, r, e)
	if err == nil {
		t.manifests[string(e.Manifest)] = m
	}
	return m, err
}

func (t *Trustee) sign(body election.Message) []byte { return tx.Sign(t.Ledger.Chain(), body, t.Key) }

// submit sends a transaction. What is refused because the ledger has moved on, or has it already, will show in the next certified
// state and is no error.
func (t *Trustee) submit(ctx context.Context, transaction []byte) error {
	err := t.Ledger.Submit(ctx, transaction)
	var refusal *tx.Refusal
	if errors.As(err, &refusal) {
		switch refusal.Code {
		case tx.CodeAlreadyDone, tx.CodeSecondDeal, tx.CodeWrongStep, tx.CodeWrongAttempt, tx.CodeWrongPhase, tx.CodeContestDecided:
			return nil
		}
	}
	return err
}

// name returns the name of one of the seat's files.
func (s *seat) name(what string, number uint32) string {
	return fmt.Sprintf("%s.%s.%s-%05d", s.id, s.organisation, what, number)
}

// erase takes away every secret of an election that is over, also of a ceremony that this trustee had to leave. What was opened stays
// remembered.
func (t *Trustee) erase(id string) error {
	names, err := t.Store.list(id + ".")
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, isOpened)
	if len(names) > 0 {
		t.Say("election %s is over: the share and all other secrets of the ceremony are erased", id)
	}
	return t.Store.remove(names...)
}
