package abci

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"

	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/election"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// flipped returns a copy with one bit of one byte changed.
func flipped(b []byte, at int) []byte {
	c := bytes.Clone(b)
	c[at] ^= 1
	return c
}

// faults are transactions each of which refuses the whole block: form, signature, proof.
func faults(t *testing.T, b *booth) map[string][]byte {
	t.Helper()
	good := publish(1)
	body, signature := b.body(t, 3, 1)
	changed := func(change func(m *pb.CastBallot)) []byte {
		m := *body
		change(&m)
		return tx.Ballot(&m, signature)
	}
	envelope := func(change func(e *pb.Envelope)) []byte {
		var e pb.Envelope
		if err := election.Decode(good, &e); err != nil {
			t.Fatal(err)
		}
		change(&e)
		return election.Encode(&e)
	}
	large := func(size int) []byte {
		return tx.Sign(chainID, &pb.PublishDeal{
			Election: electionID, Organisation: "party", Commitments: make([]byte, 32), Possession: make([]byte, 64),
			Shares: []pb.EncryptedShare{{Receiver: 1, Ciphertext: make([]byte, size)}},
		}, key("party officer"))
	}
	return map[string][]byte{
		"no bytes":                   {},
		"no message":                 []byte("x"),
		"trailing byte":              append(bytes.Clone(good), 0),
		"unknown kind":               envelope(func(e *pb.Envelope) { e.Kind = 99 }),
		"another kind's body":        envelope(func(e *pb.Envelope) { e.Kind = uint32(tx.KindCastBallot) }),
		"no signer":                  envelope(func(e *pb.Envelope) { e.Signer = nil }),
		"short signature":            envelope(func(e *pb.Envelope) { e.Signature = e.Signature[:63] }),
		"changed signature":          envelope(func(e *pb.Envelope) { e.Signature = flipped(e.Signature, 5) }),
		"another signer's key":       envelope(func(e *pb.Envelope) { e.Signer = public("league officer") }),
		"signed for another chain":   tx.Sign("other-chain", &pb.ApproveResolution{Resolution: make([]byte, 32)}, key("party officer")),
		"a field out of bounds":      tx.Sign(chainID, &pb.ApproveResolution{Resolution: make([]byte, 31)}, key("party officer")),
		"larger than the limit":      large(300 << 10),
		"ballot, changed ciphertext": changed(func(m *pb.CastBallot) { m.Ciphertext = flipped(m.Ciphertext, 40) }),
		"ballot, changed proof":      changed(func(m *pb.CastBallot) { m.Proof = flipped(m.Proof, len(m.Proof)-1) }),
		"ballot, short proof":        changed(func(m *pb.CastBallot) { m.Proof = m.Proof[:32] }),
		"ballot, another voter":      changed(func(m *pb.CastBallot) { m.RollIndex = 4 }),
		"ballot, another number":     changed(func(m *pb.CastBallot) { m.Sequence = 2 }),
		"ballot, another style":      changed(func(m *pb.CastBallot) { m.Style = 1 }),
		"ballot, changed signature":  tx.Ballot(body, flipped(signature, 40)),
		"spoiling by another's key":  tx.Ballot(&pb.SpoilBallot{Election: electionID, RollIndex: 1, Sequence: 1, Code: make([]byte, 32), NoncePoint: body.Ciphertext[:32]}, signature),
	}
}

// TestProcessProposalRefuses: each kind of bad transaction refuses the block wherever it stands, whatever this node remembers; the
// same block without it is accepted.
func TestProcessProposalRefuses(t *testing.T) {
	l, b := newLedger(t), newBooth(t)
	plant(l, b)
	good := [][]byte{publish(1), b.cast(t, 0, 1), b.cast(t, 1, 1), b.cast(t, 2, 1)}
	if !l.process(good...) || !l.process() {
		t.Fatal("a good block is refused")
	}
	for name, bad := range faults(t, b) {
		t.Run(name, func(t *testing.T) {
			for at := range len(good) + 1 {
				block := slices.Insert(slices.Clone(good), at, bad)
				l.forget()
				if l.process(block...) {
					t.Errorf("accepted at place %d by a node that remembers nothing", at)
				}
				if l.process(block...) {
					t.Errorf("accepted at place %d by a node that has seen it", at)
				}
			}
			// Block sync may bring it all the same: a code, no error, and no write.
			res := l.finalize(append(slices.Clone(good), bad)...)
			l.time -= 1e9
			if code := tx.Code(res.TxResults[len(good)].Code); !code.RefusesBlock() {
				t.Errorf("its code is %v", code)
			}
			for i := range good {
				if res.TxResults[i].Code != 0 {
					t.Errorf("it spoils transaction %d: %v", i, res.TxResults[i])
				}
			}
		})
	}
}

// TestProcessProposalAccepts: what depends on state gets a code and stays in the block.
func TestProcessProposalAccepts(t *testing.T) {
	l, b := newLedger(t), newBooth(t)
	plant(l, b)
	ballot := b.cast(t, 0, 1)
	if codes := l.block(ballot); codes[0] != tx.CodeOK {
		t.Fatal(codes)
	}
	stays := map[string]struct {
		raw  []byte
		code tx.Code
	}{
		"recorded before":     {ballot, tx.CodeSequence},
		"superseding ballot":  {b.cast(t, 0, 2), tx.CodeOK},
		"not authorised":      {tx.Sign(chainID, &pb.ApproveResolution{Resolution: make([]byte, 32)}, key("stranger")), tx.CodeNotAuthorised},
		"unknown resolution":  {tx.Sign(chainID, &pb.ApproveResolution{Resolution: make([]byte, 32)}, key("party officer")), tx.CodeUnknownResolution},
		"unknown election":    {tx.Sign(chainID, &pb.ConfirmDeals{Election: "none", Organisation: "party", Attempt: 1}, key("party officer")), tx.CodeUnknownElection},
		"ballot of no voter":  {tx.Ballot(&pb.CastBallot{Election: electionID, RollIndex: voters, Ciphertext: make([]byte, 32), Proof: make([]byte, 32)}, make([]byte, 64)), tx.CodeUnknownVoter},
		"ballot, no election": {tx.Ballot(&pb.CastBallot{Election: "none", Ciphertext: make([]byte, 32), Proof: make([]byte, 32)}, make([]byte, 64)), tx.CodeUnknownElection},
	}
	for name, s := range stays {
		t.Run(name, func(t *testing.T) {
			l.forget()
			if !l.process(s.raw, publish(2)) {
				t.Error("the block is refused")
			}
			res := l.finalize(s.raw, publish(2))
			l.time -= 1e9
			if code := tx.Code(res.TxResults[0].Code); code != s.code || res.TxResults[1].Code != 0 {
				t.Errorf("the codes are %v and %d", code, res.TxResults[1].Code)
			}
		})
	}
}

// TestBlockUnits: a block with more verification units than the ledger allows is refused before anything in it is verified.
func TestBlockUnits(t *testing.T) {
	l, b := newLedger(t), newBooth(t)
	plant(l, b)
	var block [][]byte
	units := uint64(0)
	for n := 0; units <= l.doc.Parameters.Limits.BlockUnits; n++ {
		raw := tx.Sign(chainID, &pb.ComplainDeal{Election: electionID, Organisation: "party", Attempt: uint32(n), PrivateKey: make([]byte, 32)}, key("party officer"))
		parsed, err := tx.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		units += parsed.Units()
		block = append(block, raw)
	}
	if l.process(block...) {
		t.Error("too many units are accepted")
	}
	if l.app.verdicts.get(hashOf(block[0])) != nil {
		t.Error("they were verified")
	}
	if !l.process(block[1:]...) {
		t.Error("as many as allowed are refused")
	}
}

// TestOwnProposals: what PrepareProposal returns, for every size that it is given, is accepted by a node that remembers nothing,
// fits, and has at most one ballot of a voter.
func TestOwnProposals(t *testing.T) {
	l, b := newLedger(t), newBooth(t)
	plant(l, b)
	var all [][]byte
	for voter := range voters {
		all = append(all, b.cast(t, voter, 1), b.cast(t, voter, 2))
	}
	for n := range 8 {
		all = append(all, publish(n))
	}
	for i, code := range l.submit(all...) {
		if code != tx.CodeOK {
			t.Fatal(i, code)
		}
	}
	for _, size := range []int64{authorBytes, 1_000, 5_000, 20_000, 100_000, math.MaxInt64} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			txs := l.prepare(size)
			if err := cmttypes.ToTxs(l.prepareWhole(size)).Validate(size); err != nil {
				t.Error(err)
			}
			if size > 100_000 && len(txs) != voters+8 {
				t.Errorf("%d transactions are chosen", len(txs))
			}
			if !l.processCold(txs...) || !l.process(txs...) {
				t.Error("the proposal is refused")
			}
		})
	}
	// Block after block the pool runs empty, and every transaction gets code 0.
	for l.height() < 4 {
		for i, code := range l.block(l.prepare(math.MaxInt64)...) {
			if code != tx.CodeOK {
				t.Errorf("height %d, transaction %d: %v", l.height(), i, code)
			}
		}
	}
	if n, bytes := l.app.pool.size(); n != 0 || bytes != 0 {
		t.Errorf("%d transactions with %d bytes are left", n, bytes)
	}
}

// TestPrepareProposalDrops: what the state refuses meanwhile leaves the pool, and can be looked up.
func TestPrepareProposalDrops(t *testing.T) {
	l, b := newLedger(t), newBooth(t)
	plant(l, b)
	old, newer := b.cast(t, 0, 1), b.cast(t, 0, 2)
	if codes := l.submit(old); codes[0] != tx.CodeOK {
		t.Fatal(codes)
	}
	l.block(newer)
	if txs := l.prepare(math.MaxInt64); len(txs) != 0 {
		t.Errorf("%d transactions are proposed", len(txs))
	}
	if n, _ := l.app.pool.size(); n != 0 {
		t.Error("the superseded ballot stays in the pool")
	}
	if r, ok := l.app.results.Find(hashOf(old)); !ok || r.Height != 0 || r.Code != tx.CodeSequence {
		t.Errorf("it is reported as %+v, %v", r, ok)
	}
}

// TestAuthorship: no block is accepted that does not begin with the signature of the validator that the header names, over this height
// and these transactions, by a clock that is not ahead of ours; and nobody can hand such a signature in.
func TestAuthorship(t *testing.T) {
	l := newLedger(t)
	at, one, two := l.time+1e9, publish(1), publish(2)
	good := l.authored(other, l.now.Load(), one, two)
	if !l.processWhole(at, good) || !l.processWhole(at, l.authored(other, l.now.Load())) || !l.processWhole(at, l.authored(other, l.now.Load()+5e9, one)) {
		t.Fatal("a good block is refused")
	}
	forged := slices.Clone(good[0])
	forged[len(forged)-1] ^= 1
	for name, block := range map[string][][]byte{
		"nothing":            nil,
		"no author":          {one, two},
		"a forged signature": {forged, one, two},
		"another's block":    l.authored(own, l.now.Load(), one, two),
		"other transactions": {good[0], two, one},
		"one left out":       {good[0], one},
		"one added":          append(slices.Clone(good), publish(3)),
		"two authors":        append(slices.Clone(good), l.authored(own, l.now.Load())[0]),
		"a clock ahead":      l.authored(other, l.now.Load()+5e9+1, one, two),
	} {
		if l.processWhole(at, block) {
			t.Errorf("%s: it is accepted", name)
		}
	}
	if codes := l.submit(good[0]); codes[0] != tx.CodeAuthorship {
		t.Errorf("handed in: %v", codes)
	}
	l.block(good...)
	if l.processWhole(at+1e9, good) {
		t.Error("the block of another height is accepted")
	}
	if txs := l.prepareWhole(authorBytes - 1); len(txs) != 0 {
		t.Errorf("%d transactions in a block without room", len(txs))
	}
}
