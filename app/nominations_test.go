package app_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"votenode/app"
	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// calling are nominations for a list of both districts and one of the north, which nobody wants: applications are taken until a moment,
// decided on for 20 seconds more, and withdrawn for 20 more, unix seconds.
func calling(until int64) *pb.Nominations {
	m := manifest()
	m.Contests = []pb.Contest{
		{Title: "Mazhilis", MaxSelections: 2, List: &pb.ListRule{Seats: 2, YoungPercent: 20}},
		{Title: "Maslikhat", MinSelections: 1, MaxSelections: 1},
	}
	m.Styles = []pb.BallotStyle{{District: "North", Contests: []uint32{0, 1}}, {District: "South", Contests: []uint32{0}}}
	return &pb.Nominations{
		Manifest: *m, ApplicationsUntil: until, DecisionsUntil: until + 20, WithdrawalsUntil: until + 40, YoungOn: "2026-03-01", YoungAge: 35,
		Lists: []pb.NominationList{{Id: "mazhilis", Most: 2}, {Id: "north", Most: 2}},
	}
}

func (l *ledger) openingOf(n *pb.Nominations) pb.Resolution {
	return openingOf(l.publishBytes(election.Encode(n)))
}

func openingOf(hash []byte) pb.Resolution {
	return pb.Resolution{Decision: &pb.Resolution_OpenNominations{OpenNominations: &pb.OpenNominations{Nominations: hash}}}
}

func applying(list, district, name string, change ...func(*pb.Application)) *pb.SignedApplication {
	a := pb.Application{Nominations: id, List: list, District: district, Name: name}
	for _, f := range change {
		f(&a)
	}
	return tx.SignApplication(chain, a, seeded("candidate "+name))
}

func submit(signer string, applications ...*pb.SignedApplication) []byte {
	m := new(pb.SubmitApplications)
	for _, a := range applications {
		m.Applications = append(m.Applications, *a)
	}
	return sign(signer, m)
}

func applicationHash(a *pb.SignedApplication) []byte {
	hash := tx.ApplicationHash(chain, &a.Application)
	return hash[:]
}

func deciding(signer, reason string, applications ...*pb.SignedApplication) []byte {
	m := &pb.DecideApplications{Nominations: id}
	for _, a := range applications {
		m.Decisions = append(m.Decisions, pb.ApplicationDecision{Application: applicationHash(a), Refused: reason})
	}
	slices.SortFunc(m.Decisions, func(a, b pb.ApplicationDecision) int { return bytes.Compare(a.Application, b.Application) })
	return sign(signer, m)
}

func withdrawing(signer string, a *pb.SignedApplication) []byte {
	return sign(signer, &pb.WithdrawApplication{Nominations: id, Application: applicationHash(a)})
}

func (l *ledger) nominations() *pb.NominationsState {
	return must(state.MustLoad[pb.NominationsState](l.view(), state.NominationsKey(id)))
}

// TestOpenNominations goes through what spec 9.40 refuses.
func TestOpenNominations(t *testing.T) {
	l := newLedger(t)
	proposed := func(r pb.Resolution) []byte { return l.propose("party officer 1", &r)[0] }
	l.refuse(tx.CodeDocumentUnknown, proposed(openingOf(make([]byte, 32))))
	broken := calling(l.now + 60)
	broken.Lists[0].Most = 0
	l.refuse(tx.CodeInvalidNominations, proposed(l.openingOf(broken)))
	long := l.publishBytes(append(election.Encode(calling(l.now+60)), make([]byte, election.MaxNominations)...))
	l.refuse(tx.CodeInvalidNominations, proposed(openingOf(long)))
	l.refuse(tx.CodeInvalidTimes, proposed(l.openingOf(calling(l.now))))
	good := l.openingOf(calling(l.now + 60))
	twin := good
	l.resolve(good)
	l.refuse(tx.CodeNominationsExist, proposed(twin))

	l = newLedger(t)
	l.resolve(createElectionOf(l.publish(manifest())))
	l.refuse(tx.CodeElectionExists, proposed(l.openingOf(calling(l.now+60))))
}

// TestApplications goes through what spec 9.41 to 9.43 refuse, and what follows from each decision.
func TestApplications(t *testing.T) {
	l := newLedger(t)
	const party, league = "party registrar 1", "league registrar 1"
	aigul := applying("mazhilis", "North", "Aigul")
	l.refuse(tx.CodeUnknownNominations, submit(party, aigul))
	n := calling(l.now + 60)
	l.resolve(l.openingOf(n))
	for name, a := range map[string]*pb.SignedApplication{
		"list":        applying("east", "North", "Aigul"),
		"district":    applying("north", "South", "Aigul"),
		"name":        applying("mazhilis", "North", ""),
		"control":     applying("mazhilis", "North", "Aigul\u200e"),
		"long":        applying("mazhilis", "North", string(bytes.Repeat([]byte("x"), 201))),
		"put forward": applying("mazhilis", "North", "Aigul", func(a *pb.Application) { a.PutForwardBy = "\n" }),
	} {
		t.Log(name)
		l.refuse(tx.CodeInvalidApplication, submit(party, a))
	}
	small := *aigul
	small.Application.Key = append(make([]byte, 31), 0x80) // of small order: R = 0 and s = 0 sign anything
	small.Signature = make([]byte, 64)
	small.Signature[0] = 1
	if got := l.block(0, submit(party, &small))[0].Code; got != tx.CodeInvalidApplication && got != tx.CodeBadSignature {
		t.Errorf("a key of small order: %v", got)
	}
	forged := applying("mazhilis", "North", "Aigul")
	forged.Application.Young = true
	l.refuse(tx.CodeBadSignature, submit(party, aigul, forged))
	l.refuse(tx.CodeNotAuthorised, submit("candidate Aigul", aigul))
	l.refuse(tx.CodeCandidateTwice, submit(party, aigul, applying("north", "North", "Aigul")))
	twin := applying("mazhilis", "North", "Aigul")
	twin = tx.SignApplication(chain, twin.Application, seeded("another Aigul"))
	l.refuse(tx.CodeNameTwice, submit(party, aigul, twin))
	l.accept(submit("league officer 3", aigul))
	l.refuse(tx.CodeAlreadyDone, submit(party, aigul))
	l.refuse(tx.CodeNameTwice, submit(party, twin))
	l.refuse(tx.CodeCandidateTwice, submit(party, applying("north", "North", "Aigul")))

	bolat, dana := applying("mazhilis", "South", "Bolat"), applying("mazhilis", "South", "Dana")
	l.refuse(tx.CodeUnknownApplication, deciding(party, "", aigul, bolat))
	l.refuse(tx.CodeUnknownApplication, withdrawing("candidate Bolat", bolat))
	l.accept(submit(party, aigul, bolat, dana)) // what is known is left out
	l.refuse(tx.CodeNotAuthorised, deciding("party officer 1", "", aigul))
	l.accept(deciding(party, "", aigul, bolat, dana))
	l.refuse(tx.CodeApplicationDecided, deciding(party, "no", aigul))
	l.refuse(tx.CodeListFull, deciding(league, "", aigul, bolat, dana))
	l.accept(deciding(league, "", aigul, bolat))
	l.refuse(tx.CodeListFull, deciding(league, "", dana))
	l.refuse(tx.CodeNotAuthorised, withdrawing("candidate Dana", bolat))
	l.accept(withdrawing("candidate Bolat", bolat))
	l.refuse(tx.CodeAlreadyDone, withdrawing("candidate Bolat", bolat))
	l.refuse(tx.CodeAlreadyDone, submit(party, bolat)) // withdrawn for good
	l.accept(deciding(league, "", dana))               // there is room again

	erlan := applying("north", "North", "Erlan")
	l.accept(submit(party, erlan), deciding(party, "no member", erlan))
	again := applying("north", "North", "Erlan", func(a *pb.Application) { a.Nonce = 1 })
	l.accept(submit(party, again))                   // who is refused may apply anew
	l.accept(deciding(league, "nor of ours", erlan)) // which sets nothing free a second time
	l.refuse(tx.CodeCandidateTwice, submit(party, applying("north", "North", "Erlan", func(a *pb.Application) { a.Nonce = 2 })))
	l.accept(withdrawing("candidate Erlan", again))
	l.refuse(tx.CodeApplicationWithdrawn, deciding(party, "", again))
	if s := l.nominations(); s.Submitted != 5 || s.Refused != 1 || s.Withdrawn != 2 || s.Standing != 2 || s.Formed != 0 {
		t.Fatalf("%v", s)
	}

	farida := applying("north", "North", "Farida")
	l.accept(submit(party, farida))
	l.block(n.ApplicationsUntil - l.now)
	l.refuse(tx.CodeNominationsClosed, submit(party, applying("north", "North", "Gani")))
	l.accept(deciding(party, "", farida))
	l.block(n.DecisionsUntil - l.now)
	l.refuse(tx.CodeNominationsClosed, deciding(league, "", farida))
	l.accept(withdrawing("candidate Farida", farida))
	l.block(n.WithdrawalsUntil - l.now - 1)
	if l.nominations().Formed != 0 {
		t.Fatal("formed too early")
	}
	l.block(1)
	l.refuse(tx.CodeNominationsClosed, withdrawing("candidate Dana", dana))
	s := l.nominations()
	formed, left := election.FormManifest(n, [32]byte(s.Document), []election.Standing{
		{Name: "Dana", Application: [32]byte(applicationHash(dana))}, {Name: "Aigul", Application: [32]byte(applicationHash(aigul))},
	})
	if hash := election.ManifestHash(formed); !bytes.Equal(s.Manifest, hash[:]) || s.Formed == 0 || !slices.Equal(s.LeftOut, []string{"north"}) || !slices.Equal(left, s.LeftOut) {
		t.Fatalf("%v", s)
	}
}

// TestFormedManifest: an election whose nominations there are has the manifest that was formed of them, at no time another.
func TestFormedManifest(t *testing.T) {
	l := newLedger(t)
	n := calling(l.now + 60)
	l.resolve(l.openingOf(n))
	const party, league = "party registrar 1", "league registrar 1"
	aigul := applying("mazhilis", "North", "Aigul")
	l.accept(submit(party, aigul), deciding(party, "", aigul), deciding(league, "", aigul))
	m, _ := election.FormManifest(n, [32]byte(l.nominations().Document), []election.Standing{{Name: "Aigul", Application: [32]byte(applicationHash(aigul))}})
	proposed := func(hash []byte) []byte {
		r := createElectionOf(hash)
		return l.propose("party officer 1", &r)[0]
	}
	formed := l.publish(m)
	l.refuse(tx.CodeManifestMismatch, proposed(formed))
	l.block(200)
	other := *m
	other.Title = "Another"
	l.refuse(tx.CodeManifestMismatch, proposed(l.publish(&other)))
	other = *m
	other.Nominations = nil
	l.refuse(tx.CodeManifestMismatch, proposed(l.publish(&other)))
	other = *m
	other.Election = "other"
	l.refuse(tx.CodeManifestMismatch, proposed(l.publish(&other)))
	l.resolve(createElectionOf(formed))
}

// TestNobodyStands: nominations without candidates form no manifest, and their election cannot be created.
func TestNobodyStands(t *testing.T) {
	l := newLedger(t)
	l.resolve(l.openingOf(calling(l.now + 60)))
	l.block(200)
	if s := l.nominations(); s.Formed == 0 || len(s.Manifest) != 0 || !slices.Equal(s.LeftOut, []string{"mazhilis", "north"}) {
		t.Fatalf("%v", s)
	}
	r := createElectionOf(l.publish(manifest()))
	l.refuse(tx.CodeManifestMismatch, l.propose("party officer 1", &r)[0])
}

func cancellationOf(nominations string) pb.Resolution {
	return pb.Resolution{Reason: "too few candidates", Decision: &pb.Resolution_CancelNominations{CancelNominations: &pb.CancelNominations{Nominations: nominations}}}
}

// TestCancelNominations: until the manifest is formed nominations can be cancelled, once. Then nothing of them changes any more, and their id
// stays taken.
func TestCancelNominations(t *testing.T) {
	l := newLedger(t)
	proposed := func(r pb.Resolution) []byte { return l.propose("party officer 1", &r)[0] }
	l.refuse(tx.CodeUnknownNominations, proposed(cancellationOf(id)))
	n := calling(l.now + 60)
	opening := l.openingOf(n)
	l.resolve(opening)
	const party, league = "party registrar 1", "league registrar 1"
	aigul, bolat := applying("mazhilis", "North", "Aigul"), applying("mazhilis", "South", "Bolat")
	l.accept(submit(party, aigul, bolat), deciding(party, "", aigul), deciding(league, "", aigul))
	cancellation := cancellationOf(id)
	l.resolve(cancellation)
	s := l.nominations()
	if r := l.resolution([32]byte(s.CancelledBy)); s.Cancelled == 0 || r.Decided != s.Cancelled || r.Resolution.Reason != cancellation.Reason {
		t.Fatalf("%v", s)
	}
	l.refuse(tx.CodeNominationsClosed, submit(party, applying("mazhilis", "North", "Dana")))
	l.refuse(tx.CodeNominationsClosed, deciding(party, "", bolat))
	l.refuse(tx.CodeNominationsClosed, withdrawing("candidate Aigul", aigul))
	l.refuse(tx.CodeAlreadyDone, proposed(cancellationOf(id)))
	l.refuse(tx.CodeNominationsExist, proposed(opening))
	l.block(n.WithdrawalsUntil - l.now)
	if after := l.nominations(); !bytes.Equal(election.Encode(after), election.Encode(s)) {
		t.Fatalf("%v", after)
	}
	l.refuse(tx.CodeManifestMismatch, proposed(createElectionOf(l.publish(manifest()))))
}

// TestCancelledTooLate: the block that forms the manifest closes a cancellation that would have taken effect in it.
func TestCancelledTooLate(t *testing.T) {
	l := newLedger(t)
	n := calling(l.now + 60)
	l.resolve(l.openingOf(n))
	r := cancellationOf(id)
	l.accept(l.propose("party officer 1", &r)...)
	hash := app.ResolutionHash(chain, &r)
	approval := func(officer string) []byte { return sign(officer, &pb.ApproveResolution{Resolution: hash[:]}) }
	l.accept(approval("party officer 2"), approval("league officer 1"))
	l.block(n.WithdrawalsUntil-l.now, approval("league officer 2"))
	if got := l.resolution(hash); got.Status != pb.RESOLUTION_REFUSED || tx.Code(got.Code) != tx.CodeNominationsClosed {
		t.Fatalf("resolution is %v with code %v", got.Status, tx.Code(got.Code))
	}
	if s := l.nominations(); s.Formed == 0 || s.Cancelled != 0 {
		t.Fatalf("%v", s)
	}
}

// TestRemoveCandidate goes through what spec 9.44 refuses.
func TestRemoveCandidate(t *testing.T) {
	l := newLedger(t)
	l.rules.Contests[0].Candidates = []pb.Candidate{{Young: true}, {}, {}}
	l.voting(3)
	removal := func(contest, option uint32) pb.Resolution {
		return pb.Resolution{Reason: "a court says so", Decision: &pb.Resolution_RemoveCandidate{
			RemoveCandidate: &pb.RemoveCandidate{Election: id, Contest: contest, Option: option},
		}}
	}
	for _, unknown := range []pb.Resolution{removal(0, 3), removal(1, 0), removal(2, 0), removal(1<<32-1, 0)} {
		l.refuse(tx.CodeUnknownCandidate, l.propose("party officer 1", &unknown)[0])
	}
	first, second := removal(0, 2), removal(0, 1)
	l.resolve(first)
	l.resolve(second)
	again := removal(0, 2)
	l.refuse(tx.CodeAlreadyDone, l.propose("party officer 1", &again)[0])
	got := must(state.MustLoad[pb.RemovedCandidates](l.view(), state.RemovedKey(id))).Removed
	if len(got) != 2 || got[0].Option != 1 || got[1].Option != 2 || got[1].Height >= got[0].Height {
		t.Fatalf("%v", got)
	}
	if r := l.resolution([32]byte(got[1].Resolution)); r.Resolution.GetRemoveCandidate().Option != 2 || r.Decided != got[1].Height {
		t.Fatalf("%v", r)
	}
	l.block(l.election().Closing - l.now)
	l.expectPhase(pb.PHASE_CLOSED)
	l.resolve(removal(0, 0))
	l.block(window)
	last := removal(0, 0)
	l.refuse(tx.CodeWrongPhase, l.propose("party officer 1", &last)[0])
}

// TestNationwide forms the manifest of 218 lists, 220 districts and 11,000 candidates from applications on the ledger.
func TestNationwide(t *testing.T) {
	if testing.Short() {
		t.Skip("11,000 candidates apply and are registered twice")
	}
	l := newLedger(t)
	n := nationwide(l.now + 1_000)
	l.resolve(l.openingOf(n))
	var all []*pb.SignedApplication
	for i, list := range n.Lists {
		district := n.Manifest.Styles[slices.IndexFunc(n.Manifest.Styles, func(s pb.BallotStyle) bool { return slices.Contains(s.Contests, uint32(i)) })].District
		for j := range list.Most {
			all = append(all, applying(list.Id, district, fmt.Sprintf("Candidate %d of list %s", j, list.Id), func(a *pb.Application) { a.Young, a.Woman = j%4 == 0, j%3 == 0 }))
		}
	}
	var raw [][]byte
	bytesOnLedger := 0
	for _, make := range []func(part []*pb.SignedApplication) []byte{
		func(part []*pb.SignedApplication) []byte { return submit("party registrar 1", part...) },
		func(part []*pb.SignedApplication) []byte { return deciding("party registrar 1", "", part...) },
		func(part []*pb.SignedApplication) []byte { return deciding("league registrar 1", "", part...) },
	} {
		for part := range slices.Chunk(all, tx.MaxApplications) {
			raw = append(raw, make(part))
			bytesOnLedger += len(raw[len(raw)-1])
		}
	}
	transactions := len(raw)
	for part := range slices.Chunk(raw, 20) {
		l.accept(part...)
	}
	begin := time.Now()
	l.block(2_000)
	took := time.Since(begin)
	s := l.nominations()
	if s.Standing != 11_000 || len(s.LeftOut) != 0 || len(s.Manifest) != sha256.Size {
		t.Fatalf("%v", s)
	}
	var standing []election.Standing
	for _, a := range all {
		at := slices.IndexFunc(n.Lists, func(l pb.NominationList) bool { return l.Id == a.Application.List })
		standing = append(standing, election.Standing{
			List: at, Name: a.Application.Name, Application: [32]byte(applicationHash(a)), Young: a.Application.Young, Woman: a.Application.Woman,
		})
	}
	m, _ := election.FormManifest(n, [32]byte(s.Document), standing)
	if !bytes.Equal(l.publish(m), s.Manifest) {
		t.Fatal("the manifest that was formed is another")
	}
	l.resolve(createElectionOf(s.Manifest))
	l.expectPhase(pb.PHASE_SETUP)
	t.Logf("%d lists, %d districts, %d candidates: %d bytes of nominations, %d transactions of %d bytes, the block that forms the manifest %v, %d bytes of manifest, %d slots",
		len(m.Contests), len(m.Styles), len(all), len(election.Encode(n)), transactions, bytesOnLedger, took, len(election.Encode(m)), election.Slots(m))
}

// nationwide are the nominations of the country: a list for all, one for each of 20 regions and one for each of 197 maslikhats, in 220
// districts, of which 23 have no list of their own; 11,000 candidates.
func nationwide(until int64) *pb.Nominations {
	n := calling(until)
	n.Lists, n.Manifest.Contests, n.Manifest.Styles = nil, nil, nil
	add := func(id string, most uint32) uint32 {
		n.Lists = append(n.Lists, pb.NominationList{Id: id, Most: most})
		n.Manifest.Contests = append(n.Manifest.Contests, pb.Contest{
			Title: "List " + id, MaxSelections: 3, List: &pb.ListRule{Seats: 20, YoungPercent: 20, WomanPercent: 30},
		})
		return uint32(len(n.Lists) - 1)
	}
	all := add("mazhilis", 75)
	var regions []uint32
	for i := range 20 {
		regions = append(regions, add(fmt.Sprintf("region-%02d", i), 62))
	}
	for i := range 220 {
		style := pb.BallotStyle{District: fmt.Sprintf("District %03d", i), Contests: []uint32{all, regions[i%20]}}
		if i < 197 {
			most := uint32(49)
			if i < 32 {
				most = 50
			}
			style.Contests = append(style.Contests, add(fmt.Sprintf("district-%03d", i), most))
		}
		n.Manifest.Styles = append(n.Manifest.Styles, style)
	}
	return n
}
