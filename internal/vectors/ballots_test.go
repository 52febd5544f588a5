package vectors

import (
	"bytes"
	"fmt"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	"votenode/crypto/group"
	pb "votenode/proto/votenode/v1"
)

// ballotsFile is ballots.json: chapter 3.
type ballotsFile struct {
	Comment    string            `json:"comment"`
	Election   electionVector    `json:"election"`
	Generators []generatorVector `json:"generators"`
	Ballots    []ballotVector    `json:"ballots"`
	Spoiled    []spoilVector     `json:"spoiled"`
}

// electionVector is what all ballots share.
type electionVector struct {
	Chain     string           `json:"chain"`
	Election  string           `json:"election"`
	Manifest  hexBytes         `json:"manifest"`
	RollRoot  hexBytes         `json:"roll_root"`
	KeyDigest hexBytes         `json:"key_digest"`
	Keys      []hexBytes       `json:"keys"`
	Styles    [][]slotsVector  `json:"styles"`
	Roll      []rollEntryShown `json:"roll"`
}

// slotsVector is a contest of a style.
type slotsVector struct {
	Contest   uint32 `json:"contest"`
	FirstSlot uint32 `json:"first_slot"`
	Options   int    `json:"options"`
	Min       uint32 `json:"min"`
	Max       uint32 `json:"max"`
}

func (s slotsVector) positions() int { return s.Options + int(s.Max-s.Min) }

type rollEntryShown struct {
	Index uint64   `json:"roll_index"`
	Key   hexBytes `json:"key"`
	Style uint32   `json:"style"`
}

// generatorVector is H, or K_i, with the message that is hashed to it.
type generatorVector struct {
	Name    string   `json:"name"`
	Message hexBytes `json:"message"`
	Point   hexBytes `json:"point"`
}

// votersVoice is a transaction that a voter signs, and what came of it.
type votersVoice struct {
	Height    int64    `json:"height"`
	Index     int      `json:"index"`
	Code      uint32   `json:"code"`
	Result    string   `json:"code_name"`
	RollIndex uint64   `json:"roll_index"`
	Voter     hexBytes `json:"voter"`
	Sequence  uint64   `json:"sequence"`
}

type ballotVector struct {
	votersVoice
	// LogIndex is the place in the ballot log, where the ballot is recorded.
	LogIndex   *uint64          `json:"log_index,omitempty"`
	Style      uint32           `json:"style"`
	Ciphertext ciphertextVector `json:"ciphertext"`
	Proof      proofVector      `json:"proof"`
	Signature  schnorrVector    `json:"signature"`
	Transcript transcriptVector `json:"transcript"`
	// Last is f_last of each contest of the style.
	Last []hexBytes `json:"f_last"`
	Code codeVector `json:"confirmation_code"`
}

type ciphertextVector struct {
	C0 hexBytes   `json:"C_0"`
	C  []hexBytes `json:"C"`
}

// proofVector has the scalars f in the order of the encoding: by position, without the last of each contest.
type proofVector struct {
	A  hexBytes   `json:"A"`
	B  hexBytes   `json:"B"`
	C  hexBytes   `json:"C"`
	D  hexBytes   `json:"D"`
	T0 hexBytes   `json:"T0"`
	T1 hexBytes   `json:"T1"`
	F  []hexBytes `json:"f"`
	ZA hexBytes   `json:"zA"`
	ZC hexBytes   `json:"zC"`
	ZR hexBytes   `json:"zr"`
}

type schnorrVector struct {
	R hexBytes `json:"R"`
	S hexBytes `json:"s"`
}

// codeVector is a confirmation code with the bytes that are hashed, and as people see it.
type codeVector struct {
	Bytes hexBytes `json:"bytes"`
	Hash  hexBytes `json:"hash"`
	Text  string   `json:"text"`
}

type spoilVector struct {
	votersVoice
	Code       hexBytes         `json:"confirmation_code"`
	C0         hexBytes         `json:"C_0"`
	Signature  schnorrVector    `json:"signature"`
	Transcript transcriptVector `json:"transcript"`
}

func (w *world) ballotsFile() any {
	f := &ballotsFile{
		Comment:  "every ballot of the record, recorded or refused, and every challenge: chapter 3",
		Election: w.electionVector(),
	}
	longest := 0
	for _, style := range f.Election.Styles {
		m := 0
		for _, c := range style {
			m += c.positions()
		}
		longest = max(longest, m)
	}
	for i := range longest + 1 {
		name := "H"
		if i > 0 {
			name = fmt.Sprintf("K_%d", i)
		}
		m := framed("votenode/v1/ballot-generator", []byte(f.Election.Chain), []byte(primary), number(uint64(i)))
		f.Generators = append(f.Generators, generatorVector{name, m, group.PointBytes(group.HashToGroup("votenode/v1/ballot-generator", m))})
	}
	recorded := uint64(0)
	for _, p := range w.transactions {
		switch m := p.Body().(type) {
		case *pb.CastBallot:
			v := w.ballotVector(&f.Election, p, m)
			if p.code == tx.CodeOK {
				at := recorded
				v.LogIndex, recorded = &at, recorded+1
			}
			f.Ballots = append(f.Ballots, v)
		case *pb.SpoilBallot:
			f.Spoiled = append(f.Spoiled, w.spoilVector(&f.Election, p, m))
		}
	}
	return f
}

func (w *world) electionVector() electionVector {
	h := w.last()
	e, keys := w.electionAt(h), load[pb.ElectionKeys](w, h, state.KeysKey(primary))
	v := electionVector{
		Chain: w.Genesis.ChainId, Election: primary, Manifest: e.Manifest, RollRoot: e.RollRoot, KeyDigest: e.KeyDigest, Keys: parts(keys.Keys),
	}
	for _, style := range w.manifest.Styles {
		var contests []slotsVector
		for _, c := range style.Contests {
			contests = append(contests, w.slotsVector(c))
		}
		v.Styles = append(v.Styles, contests)
	}
	for i := range e.RollSize {
		entry := new(pb.RollEntry)
		w.must(election.Decode(must(w.at(h).Leaf(state.LogRoll(primary), i)), entry))
		v.Roll = append(v.Roll, rollEntryShown{i, entry.Key, entry.Style})
	}
	return v
}

func (w *world) slotsVector(contest uint32) slotsVector {
	c := w.manifest.Contests[contest]
	return slotsVector{contest, c.FirstSlot, len(c.Options), c.MinSelections, c.MaxSelections}
}

func voiceOf(e *electionVector, p *transaction, index, sequence uint64) votersVoice {
	return votersVoice{p.height, p.index, uint32(p.code), p.code.String(), index, e.Roll[index].Key, sequence}
}

func (w *world) ballotVector(e *electionVector, p *transaction, m *pb.CastBallot) ballotVector {
	points, proof, signature := parts(m.Ciphertext), parts(m.Proof), parts(p.Signature())
	last := len(proof) - 3
	v := ballotVector{
		votersVoice: voiceOf(e, p, m.RollIndex, m.Sequence), Style: m.Style, Ciphertext: ciphertextVector{points[0], points[1:]},
		Proof: proofVector{
			proof[0], proof[1], proof[2], proof[3], proof[4], proof[5], proof[6:last], proof[last], proof[last+1], proof[last+2],
		},
		Signature: schnorrVector{signature[0], signature[1]},
	}
	v.Transcript = *ballotTranscript(e, m, e.Roll[m.RollIndex].Key, p.Signature())
	w.checkSchnorr(v.Voter, v.Signature, v.Transcript.Challenges[2].Scalar)
	v.Last = lastResponses(e.Styles[m.Style], v.Proof.F, v.Transcript.Challenges[1].Scalar)
	v.Code.Bytes = framed("votenode/v1/confirmation-code", []byte(e.Chain), []byte(primary), number(uint64(m.Style)), number(m.RollIndex),
		number(m.Sequence), m.Ciphertext)
	v.Code.Hash = hash(v.Code.Bytes)
	v.Code.Text = ballot.FormatCode([32]byte(v.Code.Hash))
	return v
}

// ballotTranscript has the items of spec 3.5.
func ballotTranscript(e *electionVector, m *pb.CastBallot, voter, signature []byte) *transcriptVector {
	t := newTranscript("votenode/v1/ballot")
	t.item("version", number(1))
	t.item("chain", []byte(e.Chain))
	t.item("election", []byte(e.Election))
	t.item("manifest", e.Manifest)
	t.item("roll-root", e.RollRoot)
	t.item("key-digest", e.KeyDigest)
	t.item("style", number(uint64(m.Style)))
	t.item("roll-index", number(m.RollIndex))
	t.item("voter", voter)
	t.item("sequence", number(m.Sequence))
	t.item("ciphertext", m.Ciphertext)
	t.item("commitments", m.Proof[:128])
	t.challenge("rho")
	t.then()
	t.item("openings", m.Proof[128:192])
	t.challenge("x")
	t.then()
	t.item("responses", m.Proof[192:])
	t.item("nonce", signature[:32])
	t.challenge("signature")
	return t
}

// lastResponses are f_last = max x - (sum of the other f), by contest. Spec 3.7.
func lastResponses(style []slotsVector, f []hexBytes, x hexBytes) []hexBytes {
	var out []hexBytes
	for _, c := range style {
		last := scalar.New().Mul(scalar.NewFromUint64(uint64(c.Max)), scalarOf(x))
		for range c.positions() - 1 {
			last.Sub(last, scalarOf(f[0]))
			f = f[1:]
		}
		out = append(out, group.ScalarBytes(last))
	}
	return out
}

func (w *world) spoilVector(e *electionVector, p *transaction, m *pb.SpoilBallot) spoilVector {
	signature := parts(p.Signature())
	v := spoilVector{
		votersVoice: voiceOf(e, p, m.RollIndex, m.Sequence), Code: m.Code, C0: m.NoncePoint, Signature: schnorrVector{signature[0], signature[1]},
	}
	t := newTranscript("votenode/v1/spoil")
	t.item("version", number(1))
	t.item("chain", []byte(e.Chain))
	t.item("election", []byte(e.Election))
	t.item("roll-index", number(m.RollIndex))
	t.item("voter", v.Voter)
	t.item("sequence", number(m.Sequence))
	t.item("code", m.Code)
	t.item("c0", m.NoncePoint)
	t.item("nonce", v.Signature.R)
	w.checkSchnorr(v.Voter, v.Signature, t.challenge("signature"))
	v.Transcript = *t
	return v
}

// checkSchnorr checks that a challenge is the one of a signature of the record: R + e V = s G.
func (w *world) checkSchnorr(voter hexBytes, s schnorrVector, e hexBytes) {
	w.t.Helper()
	r := combine([]hexBytes{s.S, negative(e)}, []*curve.RistrettoPoint{curve.RISTRETTO_BASEPOINT_POINT, pointOf(voter)})
	if !bytes.Equal(r, s.R) {
		w.t.Fatal("the challenge is not that of the signature")
	}
}

func pointOf(b []byte) *curve.RistrettoPoint { return must(group.ParsePointOrIdentity(b)) }

func scalarOf(b []byte) *scalar.Scalar { return must(group.ParseScalar(b)) }

func negative(b []byte) hexBytes { return group.ScalarBytes(scalar.New().Neg(scalarOf(b))) }

// combine returns the encoding of sum s_i P_i.
func combine(scalars []hexBytes, points []*curve.RistrettoPoint) hexBytes {
	s := make([]*scalar.Scalar, len(scalars))
	for i, b := range scalars {
		s[i] = scalarOf(b)
	}
	return group.PointBytes(curve.NewRistrettoPoint().MultiscalarMulVartime(s, points))
}
