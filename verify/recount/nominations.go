package recount

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"

	"votenode/crypto/transcript"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/recount/rules"
)

// nominations are how the candidates of an election enter. Spec 16.
type nominations struct {
	id           string
	rules        *pb.Nominations
	lists        map[string]int // by id
	state        pb.NominationsState
	applications map[[32]byte]*pb.ApplicationState
	keys         map[string]bool    // of candidates, and
	names        map[[2]string]bool // by list, of live applications
	standing     map[string]uint32  // by list; none where nobody ever stood
}

// live says whether an application is neither refused nor withdrawn.
func live(a *pb.ApplicationState) bool {
	return a.Withdrawn == 0 && !slices.ContainsFunc(a.Decisions, func(d pb.DecidedApplication) bool { return d.Refused != "" })
}

// opened returns nominations by their id.
func (r *Recount) opened(id string) (*nominations, error) {
	at := slices.IndexFunc(r.nominations, func(n *nominations) bool { return n.id == id })
	if at < 0 {
		return nil, refuse(codeUnknownNominations, "there are no nominations %q", id)
	}
	return r.nominations[at], nil
}

// mayOpen: spec 9.40.
func (r *Recount) mayOpen(d *pb.OpenNominations) error {
	document := r.documents[[32]byte(d.Nominations)]
	if document == nil {
		return refuse(codeDocumentUnknown, "the nominations are not on the ledger")
	}
	n, err := rules.ParseNominations(document.bytes())
	if err != nil {
		return refuse(codeInvalidNominations, "nominations: %v", err)
	}
	id := n.Manifest.Election
	switch _, unknown := r.opened(id); {
	case unknown == nil || len(r.nominations) >= 1_000:
		return refuse(codeNominationsExist, "there are nominations %q, or too many", id)
	case r.byID[id] != nil:
		return refuse(codeElectionExists, "there is an election %q", id)
	case r.reached(n.ApplicationsUntil):
		return refuse(codeInvalidTimes, "the time for applications has passed")
	}
	return nil
}

func (r *Recount) openNominations(d *pb.OpenNominations) {
	parsed, err := rules.ParseNominations(r.documents[[32]byte(d.Nominations)].bytes())
	if err != nil {
		panic("recount: nominations that passed their rule: " + err.Error())
	}
	n := &nominations{
		id: parsed.Manifest.Election, rules: parsed, lists: map[string]int{}, state: pb.NominationsState{Document: d.Nominations},
		applications: map[[32]byte]*pb.ApplicationState{}, keys: map[string]bool{}, names: map[[2]string]bool{}, standing: map[string]uint32{},
	}
	for i := range parsed.Lists {
		n.lists[parsed.Lists[i].Id] = i
	}
	r.nominations = append(r.nominations, n)
}

// candidateSigned: spec 16.2.
func (r *Recount) candidateSigned(s *pb.SignedApplication) bool {
	message := transcript.Frame(transcript.LabelApplication, []byte(r.chain), rules.Encode(&s.Application))
	return ed25519.VerifyWithOptions(s.Application.Key, message, s.Signature, zip215)
}

// over says whether a deadline is reached, or the nominations are cancelled.
func (n *nominations) over(r *Recount, deadline int64) bool {
	return n.state.Cancelled != 0 || r.reached(deadline)
}

// mayCancelNominations: spec 9.39.
func (r *Recount) mayCancelNominations(d *pb.CancelNominations) error {
	n, err := r.opened(d.Nominations)
	switch {
	case err != nil:
		return err
	case n.state.Cancelled != 0:
		return refuse(codeAlreadyDone, "%q is cancelled", d.Nominations)
	case n.state.Formed != 0:
		return refuse(codeNominationsClosed, "%q has come to a manifest, or to none", d.Nominations)
	}
	return nil
}

func (r *Recount) applicationHash(a *pb.Application) [32]byte {
	return transcript.Digest(transcript.LabelApplication, []byte(r.chain), rules.Encode(a))
}

// submitApplications: spec 9.41.
func (r *Recount) submitApplications(signer []byte, m *pb.SubmitApplications) error {
	at := slices.IndexFunc(r.organisations, func(o pb.Organisation) bool { return hasKey(o.Officers, signer) || hasKey(o.Registrars, signer) })
	if at < 0 {
		return refuse(codeNotAuthorised, "%x is neither an officer's nor a registrar's key", signer)
	}
	n, err := r.opened(m.Applications[0].Application.Nominations)
	if err != nil {
		return err
	}
	if n.over(r, n.rules.ApplicationsUntil) {
		return refuse(codeNominationsClosed, "applications are not taken any more")
	}
	var fresh []*pb.SignedApplication
	for i := range m.Applications {
		if s := &m.Applications[i]; n.applications[r.applicationHash(&s.Application)] == nil {
			fresh = append(fresh, s)
		}
	}
	switch {
	case len(fresh) == 0:
		return refuse(codeAlreadyDone, "all are on the ledger")
	case len(n.applications)+len(fresh) > 65_536:
		return refuse(codeNominationsFull, "there would be more than %d applications", 65_536)
	}
	keys, names := map[string]bool{}, map[[2]string]bool{} // of the transaction
	for _, s := range fresh {
		a := &s.Application
		key, name := string(a.Key), [2]string{a.List, a.Name}
		switch {
		case !n.allows(a):
			return refuse(codeInvalidApplication, "the application of %q", a.Name)
		case n.keys[key] || keys[key]:
			return refuse(codeCandidateTwice, "the candidate %q has a live application", a.Name)
		case n.names[name] || names[name]:
			return refuse(codeNameTwice, "the name %q stands on the list", a.Name)
		}
		keys[key], names[name] = true, true
	}
	maps.Copy(n.keys, keys)
	maps.Copy(n.names, names)
	for _, s := range fresh {
		n.applications[r.applicationHash(&s.Application)] = &pb.ApplicationState{
			Signed: *s, Submitted: r.height, Organisation: r.organisations[at].Id,
		}
	}
	return nil
}

// end changes an application; one that is live no more lets key and name go.
func (n *nominations) end(a *pb.ApplicationState, change func()) {
	was := live(a)
	change()
	if own := &a.Signed.Application; was && !live(a) {
		delete(n.keys, string(own.Key))
		delete(n.names, [2]string{own.List, own.Name})
	}
}

// allows says whether an application keeps the rules of spec 16.2.
func (n *nominations) allows(a *pb.Application) bool {
	list, known := n.lists[a.List]
	return known && rules.Candidacy(a) && slices.ContainsFunc(n.rules.Manifest.Styles, func(s pb.BallotStyle) bool {
		return s.District == a.District && slices.Contains(s.Contests, uint32(list))
	})
}

// decideApplications: spec 9.42.
func (r *Recount) decideApplications(signer []byte, m *pb.DecideApplications) error {
	at := slices.IndexFunc(r.organisations, func(o pb.Organisation) bool { return hasKey(o.Registrars, signer) })
	if at < 0 {
		return refuse(codeNotAuthorised, "%x is no registrar's key", signer)
	}
	id := r.organisations[at].Id
	n, err := r.opened(m.Nominations)
	if err != nil {
		return err
	}
	if n.over(r, n.rules.DecisionsUntil) {
		return refuse(codeNominationsClosed, "nothing is decided any more")
	}
	last := func(a *pb.ApplicationState, refused string) bool { // whether the candidate stands with this decision
		return live(a) && refused == "" && len(a.Decisions)+1 == len(r.organisations)
	}
	more := map[string]uint32{}
	for _, d := range m.Decisions {
		a := n.applications[[32]byte(d.Application)]
		switch {
		case a == nil:
			return refuse(codeUnknownApplication, "there is no application %x", d.Application)
		case slices.ContainsFunc(a.Decisions, func(d pb.DecidedApplication) bool { return d.Organisation == id }):
			return refuse(codeApplicationDecided, "%q has decided on %x", id, d.Application)
		case a.Withdrawn != 0:
			return refuse(codeApplicationWithdrawn, "the application %x is withdrawn", d.Application)
		}
		if list := a.Signed.Application.List; last(a, d.Refused) {
			if more[list]++; n.standing[list]+more[list] > n.rules.Lists[n.lists[list]].Most {
				return refuse(codeListFull, "the list %q is full", list)
			}
		}
	}
	for _, d := range m.Decisions {
		a := n.applications[[32]byte(d.Application)]
		if last(a, d.Refused) {
			n.standing[a.Signed.Application.List]++
		}
		n.end(a, func() {
			a.Decisions = append(a.Decisions, pb.DecidedApplication{Organisation: id, Registrar: signer, Refused: d.Refused, Height: r.height})
		})
		slices.SortFunc(a.Decisions, func(a, b pb.DecidedApplication) int { return cmp.Compare(a.Organisation, b.Organisation) })
	}
	return nil
}

// withdrawApplication: spec 9.43.
func (r *Recount) withdrawApplication(signer []byte, m *pb.WithdrawApplication) error {
	n, err := r.opened(m.Nominations)
	if err != nil {
		return err
	}
	a := n.applications[[32]byte(m.Application)]
	switch {
	case a == nil:
		return refuse(codeUnknownApplication, "there is no application %x", m.Application)
	case string(a.Signed.Application.Key) != string(signer):
		return refuse(codeNotAuthorised, "%x is not the candidate's key", signer)
	case n.over(r, n.rules.WithdrawalsUntil):
		return refuse(codeNominationsClosed, "nobody withdraws any more")
	case a.Withdrawn != 0:
		return refuse(codeAlreadyDone, "the candidate has withdrawn")
	}
	if r.stands(a) {
		n.standing[a.Signed.Application.List]--
	}
	n.end(a, func() { a.Withdrawn = r.height })
	return nil
}

// stands says whether all organisations have registered an application and it is not withdrawn.
func (r *Recount) stands(a *pb.ApplicationState) bool {
	return live(a) && len(a.Decisions) == len(r.organisations)
}

// formManifests: spec 16.5.
func (r *Recount) formManifests() {
	for _, n := range r.nominations {
		if n.state.Formed != 0 || n.state.Cancelled != 0 || !r.reached(n.rules.WithdrawalsUntil) {
			continue
		}
		var standing []rules.Candidate
		for hash, a := range n.applications {
			if own := &a.Signed.Application; r.stands(a) {
				standing = append(standing, rules.Candidate{List: own.List, Name: own.Name, Application: hash, Young: own.Young, Woman: own.Woman})
			}
		}
		formed, left := rules.FormManifest(n.rules, [32]byte(n.state.Document), standing)
		n.state.Formed, n.state.LeftOut = r.height, left
		if formed != nil {
			hash := sha256.Sum256(rules.Encode(formed))
			n.state.Manifest = hash[:]
		}
	}
}

// isFormed says whether a manifest is none that comes from nominations, or exactly the formed one. Spec 9.20.
func (r *Recount) isFormed(m *pb.Manifest, hash []byte) bool {
	n, unknown := r.opened(m.Election)
	if unknown != nil {
		return len(m.Nominations) == 0
	}
	return n.state.Formed != 0 && string(n.state.Manifest) == string(hash)
}

// mayRemove: spec 9.44.
func (r *Recount) mayRemove(d *pb.RemoveCandidate) error {
	e, err := r.in(d.Election, pb.PHASE_READY, pb.PHASE_VOTING, pb.PHASE_CLOSED)
	if err != nil {
		return err
	}
	switch c := e.manifest.Contests; {
	case uint64(d.Contest) >= uint64(len(c)) || uint64(d.Option) >= uint64(len(c[d.Contest].Candidates)):
		return refuse(codeUnknownCandidate, "contest %d has no candidate %d", d.Contest, d.Option)
	case slices.ContainsFunc(e.removed, func(c pb.RemovedCandidate) bool { return c.Contest == d.Contest && c.Option == d.Option }):
		return refuse(codeAlreadyDone, "the candidate is removed")
	case len(e.removed)+len(e.together(d.Contest)) > 10_000:
		return refuse(codeTooLarge, "%d candidates are removed", len(e.removed))
	}
	return nil
}

func (r *Recount) remove(m *pb.Resolution, d *pb.RemoveCandidate) {
	e := r.byID[d.Election]
	hash := r.resolutionHash(m)
	for _, contest := range e.together(d.Contest) {
		e.removed = append(e.removed, pb.RemovedCandidate{Contest: contest, Option: d.Option, Height: r.height, Resolution: hash[:]})
	}
	slices.SortFunc(e.removed, func(a, b pb.RemovedCandidate) int {
		return cmp.Or(cmp.Compare(a.Contest, b.Contest), cmp.Compare(a.Option, b.Option))
	})
}

// together returns all contests from which merge leads to the same contest as from one. Spec 8.10.
func (e *election) together(contest uint32) (all []uint32) {
	end := func(c uint32) uint32 {
		for e.manifest.Contests[c].Merge > 0 {
			c = e.manifest.Contests[c].Merge - 1
		}
		return c
	}
	for c := range e.manifest.Contests {
		if end(uint32(c)) == end(contest) {
			all = append(all, uint32(c))
		}
	}
	return all
}

// nominationRecords tells the records about nominations. Spec 5.2.
func (r *Recount) nominationRecords(emit Emit) {
	if len(r.nominations) == 0 {
		return
	}
	index := new(pb.NominationsIndex)
	for _, n := range r.nominations {
		index.Ids = append(index.Ids, n.id)
		n.records(r, emit)
	}
	emit(Elections, "nominations", rules.Encode(index))
}

func (n *nominations) records(r *Recount, emit Emit) {
	at, out := "nomination/"+n.id, n.state
	for hash, a := range n.applications {
		own := &a.Signed.Application
		emit(Elections, fmt.Sprintf("%s/application/%x", at, hash), rules.Encode(a))
		if live(a) {
			emit(Elections, fmt.Sprintf("%s/candidate/%x", at, own.Key), hash[:])
			emit(Elections, fmt.Sprintf("%s/name/%s/%x", at, own.List, sha256.Sum256([]byte(own.Name))), hash[:])
		}
		out.Submitted++
		if slices.ContainsFunc(a.Decisions, func(d pb.DecidedApplication) bool { return d.Refused != "" }) {
			out.Refused++
		}
		if a.Withdrawn != 0 {
			out.Withdrawn++
		}
		if r.stands(a) {
			out.Standing++
		}
	}
	for list, standing := range n.standing {
		emit(Elections, at+"/list/"+list, rules.Encode(&pb.ListState{Standing: standing}))
	}
	emit(Elections, at, rules.Encode(&out))
}
