package client

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// Application is an application of nominations as the ledger holds it.
type Application struct {
	Hash [32]byte
	pb.ApplicationState
}

// Standing says whether each organisation, of so many, has registered the application, and nobody has withdrawn it.
func (a *Application) Standing(organisations int) bool {
	registered := 0
	for i := range a.Decisions {
		if a.Decisions[i].Refused == "" {
			registered++
		}
	}
	return registered == organisations && a.Withdrawn == 0
}

// Decision returns what an organisation decided, nil where it has not.
func (a *Application) Decision(organisation string) *pb.DecidedApplication {
	for i := range a.Decisions {
		if a.Decisions[i].Organisation == organisation {
			return &a.Decisions[i]
		}
	}
	return nil
}

// LoadNominations returns what the ledger holds of nominations, and their rules. It fails with ErrAbsent.
func LoadNominations(ctx context.Context, r Reader, id string) (*pb.NominationsState, *pb.Nominations, error) {
	if err := election.CheckID(id); err != nil {
		return nil, nil, fmt.Errorf("%q is no id of nominations: %w", id, err)
	}
	s, err := Find[pb.NominationsState](ctx, r, state.NominationsKey(id), fmt.Sprintf("nominations %q", id))
	if err != nil {
		return nil, nil, err
	}
	document, err := LoadDocument(ctx, r, s.Document)
	if err != nil {
		return nil, nil, err
	}
	n, err := election.ParseNominations(document)
	return s, n, err
}

// LoadApplication returns an application by its hash. It fails with ErrAbsent.
func LoadApplication(ctx context.Context, r Reader, nominations string, hash [32]byte) (*Application, error) {
	record, err := Find[pb.ApplicationState](ctx, r, state.ApplicationKey(nominations, hash[:]), fmt.Sprintf("application %x of nominations %q", hash, nominations))
	if err != nil {
		return nil, err
	}
	return &Application{Hash: hash, ApplicationState: *record}, nil
}

// applicationsAtOnce is how many applications are asked for at the same time.
const applicationsAtOnce = 4

// Applications returns all applications of nominations, sorted by hash: each is proven, and as many as were submitted by the certified state.
// It fails with ErrVerification where nodes name fewer.
func Applications(ctx context.Context, v *View, id string) ([]*Application, error) {
	s, err := Find[pb.NominationsState](ctx, v, state.NominationsKey(id), fmt.Sprintf("nominations %q", id))
	if err != nil {
		return nil, err
	}
	prefix := state.ApplicationPrefix(id)
	keys, err := v.names(ctx, prefix, int(s.Submitted))
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	all := []*Application{}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(applicationsAtOnce)
	for _, key := range keys {
		g.Go(func() error {
			record, err := Load[pb.ApplicationState](ctx, v, key)
			if err != nil || record == nil { // submitted after the certified height
				return err
			}
			a := &Application{Hash: tx.ApplicationHash(v.Chain(), &record.Signed.Application), ApplicationState: *record}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, a)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if len(all) != int(s.Submitted) {
		return nil, fmt.Errorf("applications of %q: %w: the nodes name %d of %d", id, ErrVerification, len(all), s.Submitted)
	}
	slices.SortFunc(all, func(a, b *Application) int { return bytes.Compare(a.Hash[:], b.Hash[:]) })
	return all, nil
}

// ErrNotFormed says that nominations have no manifest: their time is not over, they were cancelled, or nobody stands.
var ErrNotFormed = errors.New("no manifest is formed")

// FormedManifest forms the manifest of nominations from what candidates signed and organisations decided, and holds it against the hash in
// the certified state. It fails with ErrNotFormed, and with ErrVerification.
func FormedManifest(ctx context.Context, v *View, id string) (*pb.Manifest, error) {
	s, n, err := LoadNominations(ctx, v, id)
	if err != nil {
		return nil, err
	}
	switch {
	case s.Cancelled != 0:
		return nil, fmt.Errorf("nominations %q: %w, for they were cancelled at height %d", id, ErrNotFormed, s.Cancelled)
	case s.Formed == 0:
		return nil, fmt.Errorf("nominations %q: %w before %s of block time", id, ErrNotFormed, election.Moment(n.WithdrawalsUntil))
	case len(s.Manifest) == 0:
		return nil, fmt.Errorf("nominations %q: %w, for nobody stands", id, ErrNotFormed)
	}
	all, err := Applications(ctx, v, id)
	if err != nil {
		return nil, err
	}
	var standing []election.Standing
	for _, a := range all {
		own := &a.Signed.Application
		if a.Standing(len(v.Genesis().Organisations)) {
			list := slices.IndexFunc(n.Lists, func(l pb.NominationList) bool { return l.Id == own.List })
			standing = append(standing, election.Standing{List: list, Name: own.Name, Application: a.Hash, Young: own.Young, Woman: own.Woman})
		}
	}
	m, _ := election.FormManifest(n, [32]byte(s.Document), standing)
	if m == nil {
		return nil, fmt.Errorf("nominations %q: %w: nobody stands, and there is a manifest", id, ErrVerification)
	}
	if hash := election.ManifestHash(m); !bytes.Equal(hash[:], s.Manifest) {
		return nil, fmt.Errorf("nominations %q: %w: the manifest has the hash %x, that of the ledger %x", id, ErrVerification, hash, s.Manifest)
	}
	return m, nil
}

// CheckApplication says what speaks against an application that a candidate has signed: the signature, or a list or district that the
// nominations do not have.
func CheckApplication(chain string, n *pb.Nominations, signed *pb.SignedApplication) error {
	a := &signed.Application
	if len(a.Key) != ed25519.PublicKeySize {
		return fmt.Errorf("the key has %d bytes", len(a.Key))
	}
	if err := tx.CheckApplication(chain, signed); err != nil {
		return err
	}
	if a.Nominations != n.Manifest.Election {
		return fmt.Errorf("it is for the nominations %q, not %q", a.Nominations, n.Manifest.Election)
	}
	return CheckCandidacy(n, a.List, a.District)
}

// CheckCandidacy says whether nominations have a list, and whether a district sees it.
func CheckCandidacy(n *pb.Nominations, list, district string) error {
	at := slices.IndexFunc(n.Lists, func(l pb.NominationList) bool { return l.Id == list })
	if at < 0 {
		var ids []string
		for i := range n.Lists {
			ids = append(ids, n.Lists[i].Id)
		}
		return fmt.Errorf("there is no list %q; there are %.1000s", list, strings.Join(ids, ", "))
	}
	for _, s := range n.Manifest.Styles {
		if s.District == district && slices.Contains(s.Contests, uint32(at)) {
			return nil
		}
	}
	return fmt.Errorf("the list %q is none of the district %q", list, district)
}

// SubmitApplications brings applications of one nominations onto the ledger, with the key of an officer or a registrar, and returns once a
// certified state holds them all. Those that are there already are no fault: run again after a failure it goes on. progress, if not nil,
// is told how many are in blocks.
func SubmitApplications(ctx context.Context, l *Ledger, key ed25519.PrivateKey, applications []*pb.SignedApplication, progress func(applications int)) error {
	sent := 0
	for part := range slices.Chunk(applications, tx.MaxApplications) {
		m := new(pb.SubmitApplications)
		for _, a := range part {
			m.Applications = append(m.Applications, *a)
		}
		if _, err := l.Send(ctx, tx.Sign(l.Chain(), m, key), WaitCommitted, nil); err != nil {
			return fmt.Errorf("applications from the %d. on: %w", sent+1, err)
		}
		if sent += len(part); progress != nil {
			progress(sent)
		}
	}
	_, err := l.Until(ctx, holds(applications))
	return err
}

// holds is the effect that the ledger holds all of some applications. That a node calls a part of them recorded proves nothing, so each is
// looked for, from the last on, until it is there.
func holds(applications []*pb.SignedApplication) Effect {
	left := applications
	return func(ctx context.Context, v *View) (bool, error) {
		for ; len(left) > 0; left = left[:len(left)-1] {
			a := &left[len(left)-1].Application
			hash := tx.ApplicationHash(v.Chain(), a)
			record, err := v.Record(ctx, state.ApplicationKey(a.Nominations, hash[:]))
			if err != nil || record == nil {
				return false, err
			}
		}
		return true, nil
	}
}

// Decide says for the registrar's organisation which applications it registers and which it refuses, and returns once a certified state
// holds all decisions. What the organisation decided before in the same way is left out; it fails where it decided otherwise. progress, if not nil, is
// told how many decisions are in blocks.
func (r Registrar) Decide(ctx context.Context, nominations string, decisions []pb.ApplicationDecision, progress func(decisions int)) error {
	v, err := r.Ledger.Certified(ctx)
	if err != nil {
		return err
	}
	organisations, err := Organisations(ctx, v)
	if err != nil {
		return err
	}
	organisation, err := OrganisationOf(organisations, r.Key)
	if err != nil {
		return err
	}
	open, err := undecided(ctx, v, organisation, nominations, decisions)
	if err != nil {
		return err
	}
	slices.SortFunc(open, func(a, b pb.ApplicationDecision) int { return bytes.Compare(a.Application, b.Application) })
	done := len(decisions) - len(open)
	for part := range slices.Chunk(open, tx.MaxApplications) {
		m := &pb.DecideApplications{Nominations: nominations, Decisions: part}
		if _, err := r.Ledger.Send(ctx, tx.Sign(r.Ledger.Chain(), m, r.Key), WaitCommitted, nil); err != nil {
			return fmt.Errorf("after %d decisions: %w", done, err)
		}
		if done += len(part); progress != nil {
			progress(done)
		}
	}
	_, err = r.Ledger.Until(ctx, func(ctx context.Context, v *View) (_ bool, err error) {
		open, err = undecided(ctx, v, organisation, nominations, open)
		return len(open) == 0, err
	})
	return err
}

// undecided returns those decisions that an organisation has not taken yet. It fails where it has taken another.
func undecided(ctx context.Context, v *View, organisation, nominations string, decisions []pb.ApplicationDecision) ([]pb.ApplicationDecision, error) {
	var open []pb.ApplicationDecision
	for _, d := range decisions {
		a, err := LoadApplication(ctx, v, nominations, [32]byte(d.Application))
		if err != nil {
			return nil, err
		}
		switch known := a.Decision(organisation); {
		case known == nil:
			open = append(open, d)
		case known.Refused != d.Refused:
			return nil, fmt.Errorf("%q has decided otherwise on the application %x of %q, and its decision stands", organisation, a.Hash, a.Signed.Application.Name)
		}
	}
	return open, nil
}

// WithdrawApplication withdraws a candidate's application with the candidate's key.
func WithdrawApplication(ctx context.Context, l *Ledger, key ed25519.PrivateKey, nominations string, hash [32]byte, wait Wait) error {
	m := &pb.WithdrawApplication{Nominations: nominations, Application: hash[:]}
	_, err := l.Send(ctx, tx.Sign(l.Chain(), m, key), wait, func(ctx context.Context, v *View) (bool, error) {
		a, err := LoadApplication(ctx, v, nominations, hash)
		if errors.Is(err, ErrAbsent) {
			return false, nil
		}
		return err == nil && a.Withdrawn != 0, err
	})
	return err
}

// UntilFormed waits for a certified state in which the manifest of nominations is formed, or they are cancelled.
func UntilFormed(ctx context.Context, l *Ledger, id string) (*View, error) {
	return l.Until(ctx, func(ctx context.Context, v *View) (bool, error) {
		s, err := Find[pb.NominationsState](ctx, v, state.NominationsKey(id), fmt.Sprintf("nominations %q", id))
		return err == nil && (s.Formed != 0 || s.Cancelled != 0), err
	})
}
