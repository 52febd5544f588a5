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

func commitLot(officer, organisation string) []byte {
	commitment := election.LotCommitment(chain, id, organisation, lotSecret(organisation))
	return sign(officer, &pb.CommitLot{Election: id, Commitment: commitment[:]})
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
	if lot := l.lot(); !lot.Fixed || lot.Height != closing.Height || [32]byte(lot.HeaderHash) != closing.Hash || len(lot.Seed) != 0 {
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
	if seed := election.LotSeed(chain, id, closing.Hash[:], [][]byte{lotSecret("league"), lotSecret("party")}); string(lot.Seed) != string(seed[:]) {
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
	l.refuse(tx.CodeWrongPhase, revealLot("party officer 1", "party"))
	for _, bad := range []election.Message{&pb.CommitLot{Election: id, Commitment: make([]byte, 31)}, &pb.RevealLot{Election: id, Secret: make([]byte, 33)}} {
		l.refuse(tx.CodeInvalidField, sign("party officer 1", bad))
	}
}

// recordLists runs an election with a list and a lot, and keeps its blocks.
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
	l.accept(revealLot("league officer 1", "league"))
	return r
}

// TestListsAgain: the blocks of an election with a list give the same states again.
func TestListsAgain(t *testing.T) { recordLists(t).replay(t, 3) }
