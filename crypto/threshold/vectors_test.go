package threshold

import (
	"bytes"
	"crypto/sha3"
	"encoding/hex"
	"encoding/json"
	"flag"
	"io"
	"os"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"

	"votenode/crypto/group"
)

var update = flag.Bool("update", false, "rewrite the vectors in testdata")

const vectorsFile = "testdata/threshold.json"

// The vectors of docs/spec/04-keys-and-tally.md: one election of two organisations from the first polynomial to the last
// count. All byte strings are hexadecimal. Secrets stand in it so that every intermediate value can be recomputed.
type vectorFile struct {
	Chain         string           `json:"chain"`
	Election      string           `json:"election"`
	Slots         int              `json:"slots"`
	Organisations []organisationV  `json:"organisations"`
	JointKeys     hexBytes         `json:"joint_keys"`
	KeyDigest     hexBytes         `json:"key_digest"`
	TrialBase     hexBytes         `json:"trial_base"`
	Tally         tallyV           `json:"tally"`
	Complaints    []complaintV     `json:"complaints"`
	ReceiverKeys  []receiverKeyV   `json:"receiver_keys"`
	BadPartials   []badDecryptionV `json:"bad_partials"`
}

type organisationV struct {
	Organisation string     `json:"organisation"`
	Attempt      uint32     `json:"attempt"`
	Quorum       int        `json:"quorum"`
	Dealers      []dealerV  `json:"dealers"`
	Keys         hexBytes   `json:"keys"`
	Trustees     []trusteeV `json:"trustees"`
}

type dealerV struct {
	Dealer      uint32   `json:"dealer"`
	Polynomials hexBytes `json:"polynomials"`
	Commitments hexBytes `json:"commitments"`
	DealHash    hexBytes `json:"deal_hash"`
	Lambda      hexBytes `json:"lambda"`
	Possession  hexBytes `json:"possession"`
	Shares      []shareV `json:"shares"`
}

type shareV struct {
	Receiver   uint32   `json:"receiver"`
	PrivateKey hexBytes `json:"private_key"`
	PublicKey  hexBytes `json:"public_key"`
	Ephemeral  hexBytes `json:"ephemeral_private_key"`
	Info       hexBytes `json:"info"`
	Plaintext  hexBytes `json:"plaintext"`
	Ciphertext hexBytes `json:"ciphertext"`
}

type trusteeV struct {
	Index uint32      `json:"index"`
	Share hexBytes    `json:"share"`
	Keys  hexBytes    `json:"keys"`
	Trial decryptionV `json:"trial"`
}

type decryptionV struct {
	Shares hexBytes `json:"shares"`
	Lambda hexBytes `json:"lambda"`
	Proof  hexBytes `json:"proof"`
}

type tallyV struct {
	Contest   uint32     `json:"contest"`
	FirstSlot int        `json:"first_slot"`
	A0        hexBytes   `json:"a0"`
	A         hexBytes   `json:"a"`
	Partials  []partialV `json:"partials"`
	Points    hexBytes   `json:"points"`
	Votes     []uint64   `json:"votes"`
}

type partialV struct {
	Organisation string `json:"organisation"`
	Trustee      uint32 `json:"trustee"`
	decryptionV
}

type complaintV struct {
	Name       string   `json:"name"`
	PrivateKey hexBytes `json:"private_key"`
	Ciphertext hexBytes `json:"ciphertext"`
	Verdict    string   `json:"verdict"` // dealer, complainer or refused
}

type receiverKeyV struct {
	Key    hexBytes `json:"key"`
	Usable bool     `json:"usable"`
}

type badDecryptionV struct {
	Name   string   `json:"name"`
	Shares hexBytes `json:"shares"`
	Proof  hexBytes `json:"proof"`
}

type hexBytes []byte

func (b hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(b)), nil }

// TestVectors makes the vectors anew and compares them with the file; with -update it writes them.
func TestVectors(t *testing.T) {
	made, err := json.MarshalIndent(makeVectors(t), "", "  ")
	check(t, err)
	made = append(made, '\n')
	if *update {
		check(t, os.WriteFile(vectorsFile, made, 0o644))
		return
	}
	want, err := os.ReadFile(vectorsFile)
	check(t, err)
	if !bytes.Equal(made, want) {
		t.Error("vectors changed: run go test -run TestVectors -update and say why in the CHANGELOG")
	}
}

func makeVectors(t *testing.T) *vectorFile {
	random := sha3.NewSHAKE256()
	random.Write([]byte("votenode threshold vectors"))
	v := &vectorFile{Chain: "vectors-1", Election: "primary", Slots: 3}
	var parts []*OrganisationKey
	shares := map[string]map[uint32]*Share{}
	for _, o := range []struct {
		name    string
		attempt uint32
		quorum  int
		indices []uint32
	}{{"league", 2, 2, []uint32{1, 3, 4}}, {"party", 1, 3, []uint32{1, 2, 3, 4, 5}}} {
		c := Ceremony{v.Chain, v.Election, o.name, o.attempt, v.Slots, o.quorum}
		part, key, secret := makeOrganisation(t, c, o.indices, random)
		v.Organisations = append(v.Organisations, part)
		parts, shares[o.name] = append(parts, key), secret
	}
	keys := must(JointKeys(parts))
	digest := KeyDigest(v.Chain, v.Election, parts)
	v.JointKeys, v.KeyDigest = PointsBytes(keys), digest[:]
	v.TrialBase = group.PointBytes(TrialBase(v.Chain, v.Election, digest))
	for o, part := range parts {
		for i, trustee := range part.Trustees {
			st := &TrialStatement{v.Chain, v.Election, digest, part.Organisation, trustee.Index, trustee.Keys}
			pd := must(ProveTrial(st, shares[part.Organisation][trustee.Index], random))
			check(t, VerifyTrial(st, pd))
			v.Organisations[o].Trustees[i].Trial = decryptionVector(pd, must(st.equality(st.base(), pd.Shares)))
		}
	}
	makeTally(t, v, digest, keys, parts, shares, random)
	makeComplaints(t, v)
	for _, b := range []byte{0, 1, 2, 9} {
		key := append([]byte{b}, make([]byte, 31)...)
		v.ReceiverKeys = append(v.ReceiverKeys, receiverKeyV{key, CheckReceiverKey(key) == nil})
		big := append([]byte{0xeb + b}, bytes.Repeat([]byte{0xff}, 31)...)
		big[31] = 0x7f
		v.ReceiverKeys = append(v.ReceiverKeys, receiverKeyV{big, CheckReceiverKey(big) == nil})
	}
	return v
}

func makeOrganisation(t *testing.T, c Ceremony, indices []uint32, random io.Reader) (organisationV, *OrganisationKey, map[uint32]*Share) {
	part := organisationV{Organisation: c.Organisation, Attempt: c.Attempt, Quorum: c.Quorum}
	var commitments []*Commitments
	received := map[uint32][]*Share{}
	for _, dealer := range indices {
		p := must(c.Deal(dealer, []byte("signing key"), random))
		public := p.Commitments()
		commitments = append(commitments, public)
		hash := c.DealHash(dealer, public.Bytes())
		proof := must(c.ProvePossession(dealer, p, public, random))
		check(t, c.VerifyPossession(dealer, public, proof))
		d := dealerV{Dealer: dealer, Polynomials: p.Bytes(), Commitments: public.Bytes(), DealHash: hash[:],
			Lambda: lambdaBytes(must(c.possession(dealer, public))), Possession: proof[:]}
		for _, receiver := range indices {
			share := must(p.Share(receiver))
			received[receiver] = append(received[receiver], share)
			if receiver == dealer {
				continue
			}
			private, key, err := GenerateReceiverKey(random)
			check(t, err)
			ephemeral, _, err := GenerateReceiverKey(random)
			check(t, err)
			info := c.info(dealer, receiver, public)
			ciphertext := sealWith(t, ephemeral, key, info, share.Bytes())
			must(c.OpenShare(dealer, receiver, public, private, ciphertext))
			d.Shares = append(d.Shares, shareV{receiver, private, key, ephemeral, info, share.Bytes(), ciphertext})
		}
		part.Dealers = append(part.Dealers, d)
	}
	key := must(c.NewOrganisationKey(indices, commitments))
	part.Keys = PointsBytes(key.Keys)
	secret := map[uint32]*Share{}
	for _, trustee := range key.Trustees {
		secret[trustee.Index] = must(SumShares(received[trustee.Index]))
		part.Trustees = append(part.Trustees, trusteeV{Index: trustee.Index, Share: secret[trustee.Index].Bytes(), Keys: PointsBytes(trustee.Keys)})
	}
	return part, key, secret
}

func makeTally(t *testing.T, v *vectorFile, digest [32]byte, keys []*curve.RistrettoPoint, parts []*OrganisationKey, shares map[string]map[uint32]*Share, random io.Reader) {
	const first, max = 1, 1_000_000
	v.Tally = tallyV{Contest: 7, FirstSlot: first, Votes: []uint64{662_687, 0}}
	r, err := hedge("votenode/v1/vectors", random)
	check(t, err)
	s := r()
	a0, a := curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, s), []*curve.RistrettoPoint{}
	for j, votes := range v.Tally.Votes {
		a = append(a, curve.NewRistrettoPoint().Add(times(votes), curve.NewRistrettoPoint().Mul(keys[first+j], s)))
	}
	v.Tally.A0, v.Tally.A = group.PointBytes(a0), PointsBytes(a)
	var organisations []QuorumShares
	for _, part := range parts {
		q := QuorumShares{Quorum: part.Quorum}
		for _, trustee := range part.Trustees[1:] { // the first is away
			st := &TallyStatement{v.Chain, v.Election, digest, v.Tally.Contest, part.Organisation, trustee.Index, a0, a, trustee.Keys[first:]}
			pd := must(ProvePartial(st, must(shares[part.Organisation][trustee.Index].Range(first, len(a))), random))
			check(t, VerifyPartial(st, pd))
			v.Tally.Partials = append(v.Tally.Partials, partialV{part.Organisation, trustee.Index, decryptionVector(pd, must(st.equality(pd.Shares)))})
			q.Trustees = append(q.Trustees, TrusteeShares{trustee.Index, pd.Shares})
			if len(v.Tally.Partials) == 1 {
				makeBadPartials(t, v, st, pd)
			}
		}
		organisations = append(organisations, q)
	}
	points := must(Combine(a0, a, organisations))
	v.Tally.Points = PointsBytes(points)
	table := NewLogTable(max)
	for j, want := range v.Tally.Votes {
		if got, ok := table.Solve(points[j], max); !ok || got != want {
			t.Fatalf("vector tally: %d, %v", got, ok)
		}
	}
}

// makeBadPartials spoils the first partial decryption: a verifier must refuse all of these in its place.
func makeBadPartials(t *testing.T, v *vectorFile, st *TallyStatement, pd *PartialDecryption) {
	shares := PointsBytes(pd.Shares)
	swapped := append(bytes.Clone(shares[32:]), shares[:32]...)
	notCanonical := addOrder(pd.Proof)
	changed := pd.Proof
	changed[0] ^= 1
	for _, bad := range []badDecryptionV{
		{"shares swapped", swapped, pd.Proof[:]},
		{"identity as a share", append(make([]byte, 32), shares[32:]...), pd.Proof[:]},
		{"a share of another point", append(group.PointBytes(times(1)), shares[32:]...), pd.Proof[:]},
		{"one slot short", shares[:32], pd.Proof[:]},
		{"challenge changed", shares, changed[:]},
		{"response not canonical", shares, notCanonical[:]},
		{"proof of zeros", shares, make([]byte, ProofSize)},
	} {
		parsed, err := ParsePartialDecryption(bad.Shares, bad.Proof, len(st.Keys))
		if err == nil && VerifyPartial(st, parsed) == nil {
			t.Errorf("bad partial decryption %q was accepted", bad.Name)
		}
		v.BadPartials = append(v.BadPartials, bad)
	}
}

// makeComplaints are complaints of the league's trustee 3 against its dealer 1.
func makeComplaints(t *testing.T, v *vectorFile) {
	o := v.Organisations[0]
	c := Ceremony{v.Chain, v.Election, o.Organisation, o.Attempt, v.Slots, o.Quorum}
	share := o.Dealers[0].Shares[0]
	commitments := must(c.ParseCommitments(o.Dealers[0].Commitments))
	wrong := bytes.Clone(share.Plaintext)
	wrong[0] ^= 1
	notReduced := append(bytes.Clone(share.Plaintext[:64]), bytes.Repeat([]byte{0xff}, 32)...)
	var last Proof
	copy(last[32:], share.Plaintext[64:])
	last = addOrder(last)
	above := append(bytes.Clone(share.Plaintext[:64]), last[32:]...) // the right share, but for its encoding
	unclamped := bytes.Clone(share.PrivateKey)
	unclamped[0] ^= 1
	seal := func(plaintext []byte) []byte {
		return sealWith(t, share.Ephemeral, share.PublicKey, share.Info, plaintext)
	}
	changed := bytes.Clone(share.Ciphertext)
	changed[len(changed)-1] ^= 1
	smallOrder := append(make([]byte, 32), share.Ciphertext[32:]...)
	for _, complaint := range []complaintV{
		{"nothing is wrong", share.PrivateKey, share.Ciphertext, "complainer"},
		{"tag changed", share.PrivateKey, changed, "dealer"},
		{"encapsulated key of small order", share.PrivateKey, smallOrder, "dealer"},
		{"first slot does not match", share.PrivateKey, seal(wrong), "dealer"},
		{"last scalar not reduced", share.PrivateKey, seal(notReduced), "dealer"},
		{"last scalar plus the group order", share.PrivateKey, seal(above), "dealer"},
		{"one slot short", share.PrivateKey, seal(share.Plaintext[:64]), "dealer"},
		{"key of another share", o.Dealers[0].Shares[1].PrivateKey, changed, "refused"},
		{"key not clamped", unclamped, changed, "refused"},
	} {
		guilty, err := c.JudgeComplaint(1, share.Receiver, commitments, share.PublicKey, complaint.PrivateKey, complaint.Ciphertext)
		verdict := "complainer"
		if err != nil {
			verdict = "refused"
		} else if guilty {
			verdict = "dealer"
		}
		if verdict != complaint.Verdict {
			t.Errorf("complaint %q: %s", complaint.Name, verdict)
		}
		v.Complaints = append(v.Complaints, complaint)
	}
}

func lambdaBytes(e equality) []byte { return group.ScalarBytes(group.ReduceScalar(e.lambda)) }

func decryptionVector(pd *PartialDecryption, e equality) decryptionV {
	return decryptionV{PointsBytes(pd.Shares), lambdaBytes(e), pd.Proof[:]}
}
