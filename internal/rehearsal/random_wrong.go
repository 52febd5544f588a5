package rehearsal

import (
	cryptorand "crypto/rand"
	"fmt"
	"slices"
	"sync"

	"votenode/app/election"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// wrong are values for messages that are not as they should be.
var wrong = sync.OnceValue(func() *Pool {
	p := &Pool{
		Numbers: []uint64{0, 1, 2, 3, 4, 7, 64, 65, 131_072, 262_144, 1 << 31, 1<<32 - 1, 1 << 63, 1<<64 - 1, uint64(Start) + 60, uint64(Start) + 500, 7_258_118_400},
		Texts:   []string{"", "a", "b", "league", "party", "x", "nominations-1", "Aigul", "mazhilis", "North", "\xff", "a/b", "league validator 1", "127.0.0.1:20001"},
		Bytes:   [][]byte{nil, make([]byte, 20), make([]byte, 31), make([]byte, 32), make([]byte, 33), make([]byte, 64), make([]byte, 96)},
	}
	for name := range names() {
		p.Bytes = append(p.Bytes, []byte(name))
	}
	slices.SortFunc(p.Bytes, slices.Compare)
	return p
})

// names are those who hold Ed25519 keys on a random ledger, by public key.
var names = sync.OnceValue(func() map[string]string {
	all := map[string]string{}
	for _, o := range Organisations {
		for n := 1; n <= 4; n++ {
			for _, role := range []string{"officer", "registrar", "trustee", "validator"} {
				name := fmt.Sprintf("%s %s %d", o, role, n)
				all[string(public(name))] = name
			}
			name := Validator(o, n).Name + " slip"
			all[string(public(name))] = name
		}
	}
	for _, o := range Organisations {
		for n := 5; n <= 30; n++ {
			name := fmt.Sprintf("%s trustee %d", o, n)
			all[string(public(name))] = name
		}
	}
	for _, name := range candidates {
		all[string(public("candidate "+name))] = "candidate " + name
	}
	return all
})

// spoil makes something wrong of a transaction: in a field, which is then signed as it is; in its envelope; or in its signer.
func (c *crowd) spoil(raw []byte) []byte {
	p, err := tx.Parse(raw)
	if err != nil {
		return raw
	}
	switch c.r.IntN(10) {
	case 0:
		changed := slices.Clone(raw)
		changed[c.r.IntN(len(changed))] ^= 1 << c.r.IntN(8)
		return changed
	case 1:
		var e pb.Envelope
		c.must(election.Decode(raw, &e))
		wrong().Mutate(c.r, &e)
		return election.Encode(&e)
	}
	body := p.Body() // freshly parsed, so it is ours
	for range c.r.IntN(2) + 1 {
		wrong().Mutate(c.r, body)
	}
	if m, ok := body.(*pb.ProposeResolution); ok && m.Resolution.Decision == nil {
		return raw
	}
	switch m := body.(type) {
	case *pb.CastBallot:
		return tx.Ballot(m, p.Signature())
	case *pb.CastChoice:
		return c.signChoice(m, p.Signature())
	case *pb.SpoilBallot:
		return c.signSpoil(m, p.Signature())
	case fromMember:
		return c.signMember(m, p.Signature())
	case *pb.AddRollEntries:
		if c.luck(50) {
			return Enrol("party registrar 1", m)
		}
	}
	name := names()[string(p.Signer())]
	if c.luck(10) {
		name = c.officer()
	}
	return Sign(name, body)
}

// signSpoil signs a changed record of a challenge, where its voter is known.
func (c *crowd) signSpoil(m *pb.SpoilBallot, before []byte) []byte {
	e := c.elections[m.Election]
	if e == nil || len(m.Code) != 32 || len(m.NoncePoint) != 32 {
		return tx.Ballot(m, before)
	}
	roll := e.roll()
	if m.RollIndex >= uint64(len(roll)) {
		return tx.Ballot(m, before)
	}
	key := e.voter(&roll[m.RollIndex])
	if key == nil {
		return tx.Ballot(m, before)
	}
	s := ballot.Spoil{
		Chain: Chain, Election: m.Election, RollIndex: m.RollIndex, Voter: key.Public(), Sequence: m.Sequence,
		Code: [32]byte(m.Code), C0: [32]byte(m.NoncePoint),
	}
	signature, err := ballot.SignSpoil(s, key, cryptorand.Reader)
	if err != nil {
		return tx.Ballot(m, before)
	}
	return tx.Ballot(m, signature)
}
