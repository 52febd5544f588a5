package app

import (
	"fmt"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

const (
	// maxNominations bounds the list of nominations of a chain.
	maxNominations = 1_000
	// maxApplications is how many applications nominations take, ever.
	maxApplications = 65_536
)

// nominations are the rules of nominations that were opened.
type nominations struct {
	*pb.Nominations
	hash      [32]byte
	lists     map[string]int             // index by id
	districts map[string]map[string]bool // the districts that see a list, by id
}

func newNominations(n *pb.Nominations, hash [32]byte) *nominations {
	out := &nominations{Nominations: n, hash: hash, lists: make(map[string]int), districts: make(map[string]map[string]bool)}
	for i := range n.Lists {
		out.lists[n.Lists[i].Id], out.districts[n.Lists[i].Id] = i, make(map[string]bool)
	}
	for _, s := range n.Manifest.Styles {
		for _, list := range s.Contests {
			out.districts[n.Lists[list].Id][s.District] = true
		}
	}
	return out
}

// openedNominations returns the state and the rules of nominations by an id from outside, or a refusal.
func (r *reading) openedNominations(id string) (*pb.NominationsState, *nominations, error) {
	s, err := state.LoadNominations(r, id)
	if err != nil {
		return nil, nil, err
	}
	if s == nil {
		return nil, nil, tx.Refuse(tx.CodeUnknownNominations, "there are no nominations %q", id)
	}
	n, err := r.rulesOf(r, s.Document)
	return s, n, err
}

// rulesOf returns the rules of opened nominations by the hash of their document, which was checked when they were opened.
func (a *App) rulesOf(v state.View, hash []byte) (*nominations, error) {
	key := [32]byte(hash)
	a.mu.Lock()
	known := a.nominations[key]
	a.mu.Unlock()
	if known != nil {
		return known, nil
	}
	b, err := document(v, hash)
	if err != nil {
		return nil, err
	}
	parsed, err := election.ParseNominations(b)
	if err != nil {
		return nil, fmt.Errorf("%w: nominations %x: %w", state.ErrCorrupted, hash, err)
	}
	n := newNominations(parsed, key)
	a.mu.Lock()
	a.nominations[key] = n
	a.mu.Unlock()
	return n, nil
}

// before refuses what comes when nominations are cancelled, or block time has reached a moment, unix seconds.
func (r *reading) before(s *pb.NominationsState, moment int64, what string) error {
	if s.Cancelled != 0 {
		return tx.Refuse(tx.CodeNominationsClosed, "the nominations were cancelled at height %d", s.Cancelled)
	}
	if r.reached(moment) {
		return tx.Refuse(tx.CodeNominationsClosed, "%s ended at %s", what, election.Moment(moment))
	}
	return nil
}

// application returns an application of nominations, or a refusal.
func (r *reading) application(nominations string, hash []byte) (*pb.ApplicationState, error) {
	a, err := state.Load[pb.ApplicationState](r, state.ApplicationKey(nominations, hash))
	if err == nil && a == nil {
		err = tx.Refuse(tx.CodeUnknownApplication, "there is no application %x", hash)
	}
	return a, err
}

// refused says whether some organisation has refused an application.
func refused(a *pb.ApplicationState) bool {
	for i := range a.Decisions {
		if a.Decisions[i].Refused != "" {
			return true
		}
	}
	return false
}

// stands says whether every organisation, of so many, has registered an application and its candidate has not withdrawn.
func stands(a *pb.ApplicationState, organisations int) bool {
	return len(a.Decisions) == organisations && !refused(a) && a.Withdrawn == 0
}

// setFree lets the candidate apply anew, and the name be used again: the application is live no more.
func (w *writing) setFree(a *pb.Application) {
	w.DeleteRecord(state.CandidateKey(a.Nominations, a.Key))
	w.DeleteRecord(state.NameKey(a.Nominations, a.List, a.Name))
}

// standing returns how many stand on a list.
func (r *reading) standing(nominations, list string) (uint32, error) {
	s, err := state.Load[pb.ListState](r, state.NominationListKey(nominations, list))
	if err != nil || s == nil {
		return 0, err
	}
	return s.Standing, nil
}

// countStanding counts a candidate who begins to stand, or stands no more.
func (w *writing) countStanding(s *pb.NominationsState, a *pb.Application, change int64) error {
	on, err := w.standing(a.Nominations, a.List)
	if err != nil {
		return err
	}
	s.Standing = uint32(int64(s.Standing) + change)
	w.save(state.NominationListKey(a.Nominations, a.List), &pb.ListState{Standing: uint32(int64(on) + change)})
	return nil
}

// formManifests forms the manifest of all nominations whose last deadline block time has reached, in the order in which they were opened.
// Spec 16.5.
func (x *execution) formManifests() error {
	list, err := nominationsIndex(x)
	if err != nil {
		return err
	}
	for _, id := range list.Ids {
		s, err := state.MustLoad[pb.NominationsState](x.Writer, state.NominationsKey(id))
		if err != nil {
			return err
		}
		if s.Formed != 0 || s.Cancelled != 0 {
			continue
		}
		n, err := x.rulesOf(x.Writer, s.Document)
		if err != nil {
			return err
		}
		if !x.reached(n.WithdrawalsUntil) {
			continue
		}
		if err := x.formManifest(id, s, n); err != nil {
			return err
		}
	}
	return nil
}

func (x *execution) formManifest(id string, s *pb.NominationsState, n *nominations) error {
	m, leftOut, err := formedManifest(x.chain, x.Writer, id, n)
	if err != nil {
		return err
	}
	s.Formed, s.LeftOut = x.height, leftOut
	if m != nil {
		hash := election.ManifestHash(m)
		s.Manifest = hash[:]
	}
	x.save(state.NominationsKey(id), s)
	x.emit("nominations", "election", id, "status", "formed")
	return nil
}

// formedManifest forms the manifest of those who stand, nil where nobody does, and names the lists that are left out.
func formedManifest(chain string, v state.View, id string, n *nominations) (*pb.Manifest, []string, error) {
	organisations, err := state.Organisations(v)
	if err != nil {
		return nil, nil, err
	}
	var candidates []election.Standing
	err = v.Records(state.ApplicationPrefix(id), func(key string, value []byte) error {
		var a pb.ApplicationState
		if err := election.Decode(value, &a); err != nil {
			return fmt.Errorf("%w: record %q is %v", state.ErrCorrupted, key, err)
		}
		if !stands(&a, len(organisations)) {
			return nil
		}
		own := &a.Signed.Application
		candidates = append(candidates, election.Standing{
			List: n.lists[own.List], Name: own.Name, Application: tx.ApplicationHash(chain, own), Young: own.Young, Woman: own.Woman,
		})
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	m, leftOut := election.FormManifest(n.Nominations, n.hash, candidates)
	return m, leftOut, nil
}

// nominationsIndex returns the list of all nominations, empty where none were opened.
func nominationsIndex(v state.View) (*pb.NominationsIndex, error) {
	list, err := state.Load[pb.NominationsIndex](v, state.KeyNominations)
	if list == nil {
		list = new(pb.NominationsIndex)
	}
	return list, err
}

// checkFormed refuses a manifest that names nominations, or whose election does, unless it is the one that was formed of them. Spec 9.20.
func (r *reading) checkFormed(m *pb.Manifest, hash []byte) error {
	s, err := state.LoadNominations(r, m.Election)
	switch {
	case err != nil:
		return err
	case s == nil && len(m.Nominations) == 0:
		return nil
	case s == nil:
		return tx.Refuse(tx.CodeManifestMismatch, "there are no nominations %q", m.Election)
	case s.Formed == 0:
		return tx.Refuse(tx.CodeManifestMismatch, "no manifest of %q is formed", m.Election)
	case string(s.Manifest) != string(hash):
		return tx.Refuse(tx.CodeManifestMismatch, "the manifest that was formed of the nominations %q has the hash %x", m.Election, s.Manifest)
	}
	return nil
}
