package vectors

import (
	"bytes"
	"errors"
	"slices"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/group"
	"votenode/crypto/threshold"
	pb "votenode/proto/votenode/v1"
)

// ceremonyFile is ceremony.json: sections 4.1 to 4.9.
type ceremonyFile struct {
	Comment       string              `json:"comment"`
	Chain         string              `json:"chain"`
	Election      string              `json:"election"`
	Slots         int                 `json:"slots"`
	Organisations []organisationParts `json:"organisations"`
	// Keys are P_j.
	Keys      []hexBytes   `json:"keys"`
	KeyDigest digestVector `json:"key_digest"`
	Trial     trialVector  `json:"trial"`
}

// organisationParts is one organisation's ceremony with what came of it.
type organisationParts struct {
	Organisation string          `json:"organisation"`
	Quorum       uint32          `json:"quorum"`
	Trustees     []trusteeVector `json:"trustees"`
	Attempts     []attemptVector `json:"attempts"`
	// Keys are P_{o,j}.
	Keys []hexBytes `json:"keys"`
}

type trusteeVector struct {
	Index   uint32   `json:"index"`
	Name    string   `json:"name"`
	Key     hexBytes `json:"key"`
	Ejected string   `json:"ejected"`
	// Keys are P_{o,i,j} of a trustee of the finished ceremony.
	Keys []hexBytes `json:"keys,omitempty"`
}

type attemptVector struct {
	Attempt    uint32            `json:"attempt"`
	Deals      []dealVector      `json:"deals"`
	Complaints []complaintVector `json:"complaints"`
	// Finished says whether everybody confirmed: the dealers are then the qualified ones.
	Finished bool `json:"finished"`
}

// place names a transaction of transactions.json.
type place struct {
	Height int64 `json:"height"`
	Index  int   `json:"index"`
}

func (p *transaction) place() *place { return &place{p.height, p.index} }

type dealVector struct {
	Dealer       uint32        `json:"dealer"`
	Announced    *place        `json:"announced"`
	Published    *place        `json:"published"`
	Confirmed    *place        `json:"confirmed,omitempty"`
	ReceiverKeys []keyVector   `json:"receiver_keys"`
	DealHash     digestVector  `json:"deal_hash"`
	Commitments  [][]hexBytes  `json:"commitments"` // C_{d,j,t} by slot and power
	Possession   equality      `json:"possession"`
	Shares       []shareVector `json:"shares"`
}

// keyVector is a single-use key of the trustee for a dealer.
type keyVector struct {
	Dealer uint32   `json:"dealer"`
	Key    hexBytes `json:"key"`
}

type shareVector struct {
	Receiver     uint32   `json:"receiver"`
	Encapsulated hexBytes `json:"encapsulated_key"`
	Output       hexBytes `json:"aead_output"`
	Info         hexBytes `json:"info"`
}

// complaintVector is a complaint, and who is out by it.
type complaintVector struct {
	place
	Receiver   uint32   `json:"receiver"`
	Dealer     uint32   `json:"dealer"`
	PrivateKey hexBytes `json:"private_key"`
	PublicKey  hexBytes `json:"public_key"`
	Opens      bool     `json:"opens"`
	Out        uint32   `json:"out"`
}

// equality is a proof of this chapter, with the commitments that a verifier computes.
type equality struct {
	C          hexBytes         `json:"c"`
	S          hexBytes         `json:"s"`
	R          []hexBytes       `json:"R"`
	Transcript transcriptVector `json:"transcript"`
}

func (w *world) ceremonyFile() any {
	f := &ceremonyFile{
		Comment: "the key ceremony with the trial decryption: sections 4.1 to 4.9, 8.5 to 8.7",
		Chain:   w.Genesis.ChainId, Election: primary, Slots: w.slots(),
	}
	keys := load[pb.ElectionKeys](w, w.last(), state.KeysKey(primary))
	items := [][]byte{[]byte(f.Chain), []byte(primary), number(uint64(len(keys.Organisations)))}
	for i := range keys.Organisations {
		o := &keys.Organisations[i]
		f.Organisations = append(f.Organisations, w.organisationParts(o))
		items = append(items, []byte(o.Organisation), number(uint64(o.Quorum)), o.Keys, number(uint64(len(o.Trustees))))
		for _, t := range o.Trustees {
			items = append(items, number(uint64(t.Index)), t.Keys)
		}
	}
	f.Keys = parts(keys.Keys)
	f.KeyDigest = digestVector{Of: "keys", Bytes: framed("votenode/v1/key-digest", items...)}
	f.KeyDigest.Hash = hash(f.KeyDigest.Bytes)
	if e := w.electionAt(w.last()); !bytes.Equal(f.KeyDigest.Hash, e.KeyDigest) {
		w.t.Fatal("the key digest is another")
	}
	f.Trial = w.trialVector(f)
	return f
}

func (w *world) organisationParts(o *pb.OrganisationKeys) organisationParts {
	v := organisationParts{Organisation: o.Organisation, Quorum: o.Quorum, Keys: parts(o.Keys)}
	record := load[pb.Ceremony](w, w.last(), state.CeremonyKey(primary, o.Organisation))
	for i, t := range record.Trustees {
		trustee := trusteeVector{Index: uint32(i + 1), Name: t.Trustee.Name, Key: t.Trustee.Key, Ejected: t.Ejected.String()}
		for _, k := range o.Trustees {
			if k.Index == trustee.Index {
				trustee.Keys = parts(k.Keys)
			}
		}
		v.Trustees = append(v.Trustees, trustee)
	}
	for _, p := range w.of(tx.KindAnnounceDeal) {
		if m := p.Body().(*pb.AnnounceDeal); m.Organisation == o.Organisation {
			if len(v.Attempts) == 0 || v.Attempts[len(v.Attempts)-1].Attempt != m.Attempt {
				v.Attempts = append(v.Attempts, attemptVector{Attempt: m.Attempt, Finished: m.Attempt == record.Attempt})
			}
			a := &v.Attempts[len(v.Attempts)-1]
			a.Deals = append(a.Deals, w.dealVector(&v, p, m))
		}
	}
	for i := range v.Attempts {
		v.Attempts[i].Complaints = w.complaints(&v, &v.Attempts[i])
	}
	return v
}

// indexOf returns the index of the trustee with a key.
func (v *organisationParts) indexOf(key []byte) uint32 {
	return uint32(1 + slices.IndexFunc(v.Trustees, func(t trusteeVector) bool { return bytes.Equal(t.Key, key) }))
}

// context are the items of spec 4.2.
func (w *world) context(organisation string, attempt, quorum, dealer uint32) [][]byte {
	return [][]byte{
		[]byte(w.Genesis.ChainId), []byte(primary), []byte(organisation), number(uint64(attempt)), number(uint64(w.slots())), number(uint64(quorum)),
		number(uint64(dealer)),
	}
}

func (w *world) dealVector(o *organisationParts, announced *transaction, m *pb.AnnounceDeal) dealVector {
	v := dealVector{Dealer: o.indexOf(announced.Signer()), Announced: announced.place()}
	for _, k := range m.ReceiverKeys {
		v.ReceiverKeys = append(v.ReceiverKeys, keyVector{k.Dealer, k.Key})
	}
	for _, p := range w.transactions {
		if p.code != tx.CodeOK || !bytes.Equal(p.Signer(), announced.Signer()) {
			continue
		}
		switch b := p.Body().(type) {
		case *pb.PublishDeal:
			if b.Attempt == m.Attempt {
				v.Published = p.place()
				w.published(&v, o, m, b)
			}
		case *pb.ConfirmDeals:
			if b.Attempt == m.Attempt {
				v.Confirmed = p.place()
			}
		}
	}
	return v
}

// published adds what a dealer reveals.
func (w *world) published(v *dealVector, o *organisationParts, a *pb.AnnounceDeal, m *pb.PublishDeal) {
	context := w.context(o.Organisation, m.Attempt, o.Quorum, v.Dealer)
	v.DealHash = digestVector{Of: "commitments", Bytes: framed("votenode/v1/deal-hash", append(context, m.Commitments)...)}
	v.DealHash.Hash = hash(v.DealHash.Bytes)
	if !bytes.Equal(v.DealHash.Hash, a.DealHash) {
		w.t.Fatal("the deal hash is another")
	}
	var constants []hexBytes
	for row := range slices.Chunk(parts(m.Commitments), int(o.Quorum)) {
		v.Commitments, constants = append(v.Commitments, row), append(constants, row[0])
	}
	t := newTranscript("votenode/v1/possession")
	t.item("version", number(1))
	for i, name := range []string{"chain", "election", "organisation", "attempt", "slots", "quorum", "dealer"} {
		t.item(name, context[i])
	}
	t.item("commitments", m.Commitments)
	v.Possession = w.equality(t, m.Possession, []*curve.RistrettoPoint{curve.RISTRETTO_BASEPOINT_POINT}, constants)
	for _, s := range m.Shares {
		info := framed("votenode/v1/share", append(slices.Clone(context), number(uint64(s.Receiver)), v.DealHash.Hash)...)
		v.Shares = append(v.Shares, shareVector{s.Receiver, s.Ciphertext[:32], s.Ciphertext[32:], info})
	}
}

// equality draws the challenges of a proof c || s, and checks that they are its own: R_B = s B - c V_B with the bases B. Spec 4.6, 4.10.
func (w *world) equality(t *transcriptVector, proof []byte, bases []*curve.RistrettoPoint, images ...[]hexBytes) equality {
	w.t.Helper()
	v := equality{C: proof[:32], S: proof[32:]}
	lambda := scalarOf(t.challenge("lambda"))
	t.then()
	for i, base := range bases {
		scalars, points := []hexBytes{v.S}, []*curve.RistrettoPoint{base}
		power := scalarOf(negative(v.C))
		for _, image := range images[i] {
			power = scalar.New().Mul(power, lambda)
			scalars, points = append(scalars, group.ScalarBytes(power)), append(points, pointOf(image))
		}
		v.R = append(v.R, combine(scalars, points))
	}
	t.item("R", slices.Concat(v.R...))
	if !bytes.Equal(t.challenge("c"), v.C) {
		w.t.Fatal("the challenge is not that of the proof")
	}
	v.Transcript = *t
	return v
}

// complaints judges those of an attempt. Spec 4.8.
func (w *world) complaints(o *organisationParts, a *attemptVector) []complaintVector {
	list := []complaintVector{}
	for _, p := range w.of(tx.KindComplainDeal) {
		m := p.Body().(*pb.ComplainDeal)
		if m.Organisation != o.Organisation || m.Attempt != a.Attempt {
			continue
		}
		v := complaintVector{place: *p.place(), Receiver: o.indexOf(p.Signer()), Dealer: m.Dealer, PrivateKey: m.PrivateKey}
		deal := load[pb.Deal](w, p.height, state.DealKey(primary, o.Organisation, a.Attempt, m.Dealer))
		own := load[pb.Deal](w, p.height, state.DealKey(primary, o.Organisation, a.Attempt, v.Receiver))
		for _, k := range own.ReceiverKeys {
			if k.Dealer == m.Dealer {
				v.PublicKey = k.Key
			}
		}
		c := threshold.Ceremony{
			Chain: w.Genesis.ChainId, Election: primary, Organisation: o.Organisation, Attempt: a.Attempt, Slots: w.slots(), Quorum: int(o.Quorum),
		}
		commitments := must(c.ParseCommitments(deal.Commitments))
		for _, s := range deal.Shares {
			if s.Receiver == v.Receiver {
				_, err := c.OpenShare(m.Dealer, v.Receiver, commitments, m.PrivateKey, s.Ciphertext)
				if err != nil && !errors.Is(err, threshold.ErrShare) {
					w.t.Fatal(err)
				}
				v.Opens = err == nil
			}
		}
		if v.Out = v.Dealer; v.Opens {
			v.Out = v.Receiver
		}
		list = append(list, v)
	}
	return list
}
