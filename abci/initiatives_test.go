package abci

import (
	"crypto/rand"
	"strings"
	"testing"

	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// openRoll opens the planted roll to initiatives.
func (l *ledger) openRoll() {
	l.t.Helper()
	l.edit(func(w state.Writer) {
		w.CreateVoters(state.MembersTree(electionID), w.Voters(electionID))
		state.Save(w, state.KeyInitiatives, &pb.Initiatives{Election: electionID})
	})
}

// initiative is a voter's initiative with a text of so many bytes.
func (b *booth) initiative(t testing.TB, voter int, number uint64, length int) []byte {
	t.Helper()
	raw, err := tx.SignVoter(chainID, &pb.PublishInitiative{
		Election: electionID, RollIndex: uint64(voter), Number: number, Title: "t", Text: strings.Repeat("a", length),
	}, b.keys[voter], rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestInitiativesBehindBallots: initiatives come last into a block, whenever they came, and take a small part of it; the rest waits for the next.
func TestInitiativesBehindBallots(t *testing.T) {
	l, b := newLedger(t), newBooth(t)
	plant(l, b)
	l.openRoll()
	long := b.initiative(t, 0, 1, 30_000)
	ballots := [][]byte{b.cast(t, 0, 1), b.cast(t, 1, 1)}
	for _, code := range l.submit(long, b.initiative(t, 1, 1, 30_000), ballots[0], ballots[1], publish(1)) {
		if code != tx.CodeOK {
			t.Fatal(code)
		}
	}
	room := int64(8 * (len(long) + 500))
	block := l.prepare(room)
	if len(block) != 4 || string(block[3]) != string(long) {
		t.Fatalf("%d transactions", len(block))
	}
	if !l.process(block...) {
		t.Error("the block is refused")
	}
	for i, code := range l.block(block...) {
		if code != tx.CodeOK {
			t.Errorf("transaction %d: %v", i, code)
		}
	}
	if next := l.prepare(room); len(next) != 1 {
		t.Errorf("%d transactions in the next block", len(next))
	}
	if next := l.prepare(room - 4_000); len(next) != 0 {
		t.Errorf("%d transactions in a block with too little room", len(next))
	}
}

// TestInitiativesInThePool: they take a small part of the pool, and of one voter two beside the voter's ballots.
func TestInitiativesInThePool(t *testing.T) {
	l, b := newLedger(t), newBooth(t)
	plant(l, b)
	l.openRoll()
	p := newPool(PoolLimits{Bytes: 1 << 30, Count: 3 * memberShare, PerVoter: 2, PerSigner: 1}, 0)
	add := func(raw []byte, want bool) {
		t.Helper()
		if got, _ := p.add(l.verified(raw), true, 1); got != want {
			t.Errorf("taken: %v", got)
		}
	}
	add(b.initiative(t, 0, 1, 9), true)
	add(b.initiative(t, 0, 2, 9), true)
	add(b.initiative(t, 0, 3, 9), false)
	add(b.cast(t, 0, 1), true)
	add(b.initiative(t, 1, 1, 9), true)
	add(b.initiative(t, 2, 1, 9), false) // their count
	add(b.cast(t, 2, 1), true)
	p.remove(hashOf(p.fromMembers()[0].Parsed().Raw()))
	p.limits.Bytes = memberShare * (p.members.memory + 5_000)
	add(b.initiative(t, 2, 1, 3_000), false) // their memory
	add(b.initiative(t, 2, 1, 9), true)
	if p.members.count != 3 || len(p.fromMembers()) != 3 {
		t.Errorf("%d wait", p.members.count)
	}
}
