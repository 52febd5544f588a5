package app_test

import (
	"crypto/sha256"
	"reflect"
	"slices"
	"testing"

	"votenode/app"
	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// listed are the rules of manifest with candidates and a list of two of three places.
func listed() *pb.Manifest {
	m := manifest()
	m.Contests[0].Candidates = []pb.Candidate{{Woman: true}, {Young: true}, {Woman: true}}
	m.Contests[0].List = &pb.ListRule{Seats: 3, Outside: 1, YoungPercent: 20, WomanPercent: 30}
	return m
}

func lotSecret(organisation string) []byte {
	secret := sha256.Sum256([]byte("secret of " + organisation))
	return secret[:]
}

func commitLot(officer, organisation string) []byte { return commitLotIn(1, officer, organisation) }

func commitLotIn(round uint32, officer, organisation string) []byte {
	commitment := election.LotCommitment(chain, id, organisation, round, lotSecret(organisation))
	return sign(officer, &pb.CommitLot{Election: id, Commitment: commitment[:], Round: round})
}

func revealLot(officer, organisation string) []byte {
	return sign(officer, &pb.RevealLot{Election: id, Secret: lotSecret(organisation)})
}

func (l *ledger) lot() *pb.Lot { return must(state.MustLoad[pb.Lot](l.view(), state.LotKey(id))) }

func (l *ledger) list(contest uint32) *pb.List {
	return must(state.Load[pb.List](l.view(), state.ListKey(id, contest)))
}

// listedVoting brings an election with a list to the phase of voting, in which two voters choose Dana and one each Aigul and Bolat.
func (l *ledger) listedVoting() (trustees []*trustee) {
	l.t.Helper()
	l.rules = listed()
	l.resolve(createElectionOf(l.publish(l.rules)))
	voters := l.roll(6)
	trustees = l.appoint(3, 2)
	l.accept(commitLot("league officer 1", "league"))
	l.keysOf(trustees)
	l.accept(l.each(trustees, l.trial)...)
	l.expectPhase(pb.PHASE_KEY_CEREMONY)
	l.accept(commitLot("party officer 3", "party"))
	l.expectPhase(pb.PHASE_READY)
	l.schedule(l.now+20, l.now+1000)
	l.block(20)
	shared := l.shared()
	vote := func(voter int, selections ...[]int) []byte {
		return cast(draft(shared, voter, voters[voter], 1, selections...), voter, 1)
	}
	l.accept(vote(0, []int{0, 2}, []int{0}), vote(1, []int{1, 2}, []int{1}), vote(3, []int{}, []int{1}))
	return trustees
}

// open lets a quorum of each organisation open both contests.
func (l *ledger) open(trustees []*trustee) {
	l.t.Helper()
	l.accept(l.each(trustees, func(t *trustee) []byte { return l.partial(t, 0, 1) })[:5]...)
}

// TestListWithLot: the lot is committed before an election is ready, its block is fixed after closing, and the list that needs it is
// formed with the last secret.
func TestListWithLot(t *testing.T) {
	l := newLedger(t)
	trustees := l.listedVoting()
	l.refuse(tx.CodeWrongPhase, revealLot("party officer 1", "party"))
	l.refuse(tx.CodeWrongPhase, commitLot("party officer 1", "party"))
	closing := l.next(l.election().Closing - l.now)
	l.decide(closing)
	if got := l.block(1, revealLot("party officer 1", "party"))[0]; got.Code != tx.CodeLotEarly {
		t.Fatalf("code %v", got.Code)
	}
	if lot := l.lot(); !lot.Fixed || lot.Height != closing.Height || [32]byte(lot.HeaderHash) != closing.Hash || len(lot.Seed) != 0 || lot.Deadline != l.now+step {
		t.Fatalf("lot %v, want block %d", lot, closing.Height)
	}
	l.refuse(tx.CodeNotAuthorised, revealLot("party registrar 1", "party"))
	l.refuse(tx.CodeLotSecret, revealLot("league officer 1", "party"))
	l.accept(revealLot("party officer 2", "party"))
	l.refuse(tx.CodeAlreadyDone, revealLot("party officer 1", "party"))
	l.block(window)
	l.open(trustees)
	l.block(1)
	l.expectPhase(pb.PHASE_DECRYPTING)
	if queue := must(state.MustLoad[pb.ListQueue](l.view(), state.ListQueueKey(id))); !slices.Equal(queue.Tied, []uint32{0}) || len(queue.Contests) != 0 {
		t.Fatalf("queue %v", queue)
	}
	l.accept(revealLot("league officer 1", "league"))
	l.expectPhase(pb.PHASE_FINAL)
	lot := l.lot()
	if seed := election.LotSeed(chain, id, 1, closing.Hash[:], [][]byte{lotSecret("league"), lotSecret("party")}); string(lot.Seed) != string(seed[:]) {
		t.Errorf("seed %x, want %x", lot.Seed, seed)
	}
	want := election.FormList(&l.rules.Contests[0], []uint64{1, 1, 2}, nil, election.Lot{Seed: lot.Seed})
	if got := l.list(0); !reflect.DeepEqual(got, want) || len(got.Ties) != 1 || got.Places[1].Option != 1 {
		t.Errorf("list %v, want %v", got, want)
	}
	if l.list(1) != nil {
		t.Error("a contest without a rule has a list")
	}
}

// TestRemovedCandidate: who was removed stands on no list, and the tie is none any more, so the list needs no lot.
func TestRemovedCandidate(t *testing.T) {
	l := newLedger(t)
	trustees := l.listedVoting()
	l.plant(func(w state.Writer) {
		state.Save(w, state.RemovedKey(id), &pb.RemovedCandidates{Removed: []pb.RemovedCandidate{{Contest: 0, Option: 0}, {Contest: 1, Option: 1}}})
	})
	l.close()
	l.open(trustees)
	l.expectPhase(pb.PHASE_FINAL)
	want := []pb.ListPlace{{Option: 2, Votes: 2}, {Option: 1, Votes: 1}}
	if list := l.list(0); !slices.Equal(list.Places, want) || len(list.Ties) != 0 {
		t.Errorf("list %v, want places %v", list, want)
	}
	l.accept(revealLot("league officer 1", "league"), revealLot("party officer 1", "party"))
	if lot := l.lot(); len(lot.Seed) != 32 {
		t.Errorf("lot %v", lot)
	}
}

// TestWithheldList: a contest with too few ballots has no list and says so.
func TestWithheldList(t *testing.T) {
	l := newLedger(t)
	l.rules = listed()
	l.resolve(createElectionOf(l.publish(l.rules)))
	l.roll(3)
	trustees := l.appoint(3, 2)
	l.keysOf(trustees)
	l.accept(append(l.each(trustees, l.trial), commitLot("league officer 1", "league"), commitLot("party officer 1", "party"))...)
	l.schedule(l.now+20, l.now+30)
	l.block(100_000)
	l.expectPhase(pb.PHASE_DECRYPTING) // the lot block is not fixed
	l.block(1)
	l.expectPhase(pb.PHASE_FINAL)
	if got, want := l.list(0), (&pb.List{Status: pb.LIST_WITHHELD, Seats: 3, Outside: 1}); !reflect.DeepEqual(got, want) {
		t.Errorf("list %v, want %v", got, want)
	}
}

// TestLotBlockIsCertified: the lot block is the first after closing that more than two thirds of each organisation have signed.
func TestLotBlockIsCertified(t *testing.T) {
	l := newLedger(t)
	l.listedVoting()
	absent := func(key []byte) bool { return string(key) != string(public("league validator 2")) }
	l.signed = absent
	l.block(l.election().Closing - l.now)
	l.block(1)
	l.block(1)
	if lot := l.lot(); lot.Fixed || lot.Height != l.view().Height() {
		t.Fatalf("height %d: lot %v", l.view().Height(), lot)
	}
	l.signed = func([]byte) bool { return true }
	l.block(1)
	if lot := l.lot(); !lot.Fixed || lot.Height != l.view().Height()-1 {
		t.Fatalf("height %d: lot %v", l.view().Height(), lot)
	}
	fixed := l.lot()
	l.block(1)
	if !reflect.DeepEqual(l.lot(), fixed) {
		t.Error("the lot block changes")
	}
}

func renewLot(round uint32, missing ...string) *pb.Resolution {
	return &pb.Resolution{Reason: "the file is lost", Decision: &pb.Resolution_RenewLot{RenewLot: &pb.RenewLot{Election: id, Round: round, Missing: missing}}}
}

// TestRenewLot: a round of the lot is ended without a secret once that is late, a list waits for it and the resolution says exactly who has not
// revealed. In the next one all commit anew, its block comes behind the last commitment, and who kept a secret reveals first.
func TestRenewLot(t *testing.T) {
	l := newLedger(t)
	trustees := l.listedVoting()
	refuse := func(code tx.Code, r *pb.Resolution) {
		t.Helper()
		l.refuse(code, l.propose("party officer 1", r)[0])
	}
	refuse(tx.CodeUnknownElection, &pb.Resolution{Reason: "why", Decision: &pb.Resolution_RenewLot{RenewLot: &pb.RenewLot{Election: "other", Round: 1}}})
	l.close()
	l.block(1)
	l.block(step)
	refuse(tx.CodeLotNotDue, renewLot(1, "league", "party")) // no contest is decided
	l.open(trustees)
	l.block(1)
	refuse(tx.CodeInvalidField, &pb.Resolution{Decision: renewLot(1, "league", "party").Decision})
	refuse(tx.CodeLotRound, renewLot(0, "league", "party"))
	refuse(tx.CodeLotRound, renewLot(2, "league", "party"))
	refuse(tx.CodeLotMissing, renewLot(1, "party", "league"))
	refuse(tx.CodeLotMissing, renewLot(1, "league"))
	l.accept(revealLot("party officer 1", "party"))
	refuse(tx.CodeLotMissing, renewLot(1, "league", "party"))
	first := l.lot()
	l.resolve(*renewLot(1, "league"))
	renewal := renewLot(1, "league")
	renewal.Nonce = l.nonce
	hash := app.ResolutionHash(chain, renewal)
	first.Renewed = hash[:]
	if ended := must(state.MustLoad[pb.Lot](l.view(), state.LotRoundKey(id, 1))); !reflect.DeepEqual(ended, first) {
		t.Errorf("ended round %v, want %v", ended, first)
	}
	if lot, want := l.lot(), (&pb.Lot{Round: 2, Parts: []pb.LotPart{{Organisation: "league", Kept: 1}, {Organisation: "party"}}}); !reflect.DeepEqual(lot, want) {
		t.Fatalf("lot %v, want %v", lot, want)
	}
	refuse(tx.CodeLotRound, renewLot(1, "league"))
	refuse(tx.CodeLotNotDue, renewLot(2, "league", "party"))

	l.refuse(tx.CodeLotRound, commitLot("party officer 1", "party"))
	l.accept(commitLotIn(2, "party officer 1", "party"))
	l.refuse(tx.CodeAlreadyDone, commitLotIn(2, "party officer 1", "party"))
	l.block(1)
	if lot := l.lot(); lot.Height != 0 || lot.Committed != 0 {
		t.Fatalf("lot %v before all have committed", lot)
	}
	l.accept(commitLotIn(2, "league officer 1", "league"))
	last := l.view().Height()
	if lot := l.lot(); lot.Height != 0 || lot.Committed != last {
		t.Fatalf("height %d: lot %v", last, lot)
	}
	block := l.next(1)
	l.decide(block)
	l.block(1)
	if lot := l.lot(); !lot.Fixed || lot.Height != last+1 || lot.Deadline != l.now+step {
		t.Fatalf("height %d: lot %v", last, lot)
	}
	refuse(tx.CodeLotNotDue, renewLot(2, "league", "party"))
	l.refuse(tx.CodeLotTurn, revealLot("party officer 1", "party"))
	l.accept(revealLot("league officer 1", "league"), revealLot("party officer 1", "party"))
	l.expectPhase(pb.PHASE_FINAL)
	seed := election.LotSeed(chain, id, 2, block.Hash[:], [][]byte{lotSecret("league"), lotSecret("party")})
	if lot := l.lot(); string(lot.Seed) != string(seed[:]) {
		t.Errorf("seed %x, want %x", lot.Seed, seed)
	}
	refuse(tx.CodeWrongPhase, renewLot(2))
}

// TestRenewedTooEarly: not before the secrets are late, not where there is no lot, and not once all are revealed, though lists still wait to be formed.
func TestRenewedTooEarly(t *testing.T) {
	l := newLedger(t)
	trustees := l.listedVoting()
	l.close()
	l.open(trustees)
	l.block(1)
	propose := func() []byte { return l.propose("party officer 1", renewLot(1, "league", "party"))[0] }
	check := func(want tx.Code, what string, raw []byte) {
		t.Helper()
		if refusal, _ := l.app.Check(l.view(), l.now*1e9, must(tx.Parse(raw))).(*tx.Refusal); codeOf(refusal) != want {
			t.Errorf("%s: %v, want %v", what, refusal, want)
		}
	}
	l.block(l.lot().Deadline - l.now - 1)
	l.refuse(tx.CodeLotNotDue, propose())
	l.block(1)
	raw := propose()
	l.plant(func(w state.Writer) { state.Save(w, state.ListQueueKey(id), &pb.ListQueue{Contests: []uint32{0}}) })
	check(tx.CodeLotNotDue, "no list waits for the lot", raw)
	l.plant(func(w state.Writer) {
		lot := l.lot()
		for i := range lot.Parts {
			lot.Parts[i].Secret = lotSecret(lot.Parts[i].Organisation)
		}
		state.Save(w, state.LotKey(id), lot)
		state.Save(w, state.ListQueueKey(id), &pb.ListQueue{Tied: []uint32{0}})
	})
	for _, missing := range [][]string{nil, {"league"}} {
		check(tx.CodeLotMissing, "all have revealed", l.propose("party officer 1", renewLot(1, missing...))[0])
	}
	l.plant(func(w state.Writer) { w.DeleteRecord(state.LotKey(id)) })
	check(tx.CodeNoList, "no lot", raw)
}

// TestKeptSecrets: of those whose secrets are missing only who was not to wait for another has kept its own.
func TestKeptSecrets(t *testing.T) {
	l := newLedger(t)
	trustees := l.listedVoting()
	l.close()
	l.open(trustees)
	l.block(step)
	l.plant(func(w state.Writer) {
		lot := l.lot()
		lot.Parts[0].Kept = 1
		state.Save(w, state.LotKey(id), lot)
	})
	l.resolve(*renewLot(1, "league", "party"))
	if lot, want := l.lot(), (&pb.Lot{Round: 2, Parts: []pb.LotPart{{Organisation: "league", Kept: 2}, {Organisation: "party"}}}); !reflect.DeepEqual(lot, want) {
		t.Errorf("lot %v, want %v", lot, want)
	}
}

// TestCommitLot: once for each organisation, by an officer, before the election is ready, where there is a list.
func TestCommitLot(t *testing.T) {
	l := newLedger(t)
	l.resolve(createElectionOf(l.publish(l.rules)))
	l.refuse(tx.CodeNoList, commitLot("party officer 1", "party"))
	l = newLedger(t)
	l.refuse(tx.CodeUnknownElection, commitLot("party officer 1", "party"))
	l.resolve(createElectionOf(l.publish(listed())))
	l.refuse(tx.CodeNotAuthorised, commitLot("party registrar 1", "party"))
	l.accept(commitLot("party officer 1", "party"))
	l.refuse(tx.CodeAlreadyDone, commitLot("party officer 2", "party"))
	l.refuse(tx.CodeLotCommitted, commitLot("party officer 1", "league"))
	l.refuse(tx.CodeLotRound, commitLotIn(2, "league officer 1", "league"))
	l.refuse(tx.CodeLotRound, commitLotIn(0, "league officer 1", "league"))
	l.refuse(tx.CodeWrongPhase, revealLot("party officer 1", "party"))
	for _, bad := range []election.Message{&pb.CommitLot{Election: id, Commitment: make([]byte, 31)}, &pb.RevealLot{Election: id, Secret: make([]byte, 33)}} {
		l.refuse(tx.CodeInvalidField, sign("party officer 1", bad))
	}
}

// recordLists runs an election with a list and a lot of two rounds, and keeps its blocks.
func recordLists(t *testing.T) *recorded {
	l := newLedger(t)
	r := &recorded{genesis: l}
	l.decided = func(b app.Block, hash state.Hash) { r.blocks, r.hashes = append(r.blocks, b), append(r.hashes, hash) }
	trustees := l.listedVoting()
	l.block(l.election().Closing - l.now)
	l.block(1)
	l.accept(revealLot("party officer 1", "party"))
	l.block(window)
	l.open(trustees)
	l.block(step)
	l.resolve(*renewLot(1, "league"))
	l.accept(commitLotIn(2, "party officer 1", "party"), commitLotIn(2, "league officer 1", "league"))
	l.block(1)
	l.block(1)
	l.refuse(tx.CodeLotTurn, revealLot("party officer 1", "party"))
	l.accept(revealLot("league officer 1", "league"), revealLot("party officer 1", "party"))
	l.expectPhase(pb.PHASE_FINAL)
	return r
}

// TestListsAgain: the blocks of an election with a list give the same states again.
func TestListsAgain(t *testing.T) { recordLists(t).replay(t, 3) }
