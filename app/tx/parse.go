package tx

import (
	"crypto/ed25519"
	"crypto/sha256"
	"io"

	"votenode/app/election"
	"votenode/crypto/ballot"
	"votenode/crypto/transcript"
	pb "votenode/proto/votenode/v1"
)

const (
	signerSize    = ed25519.PublicKeySize
	signatureSize = 64
)

// Parsed is a transaction whose bytes are in order: canonical, of a known kind, every field of its length. Nothing is known of
// its signature yet. It is immutable.
type Parsed struct {
	raw      []byte
	hash     [32]byte
	kind     Kind
	body     election.Message
	envelope pb.Envelope
}

// Parse decodes the bytes of a transaction strictly. Every error is a *Refusal with a code of the 1xx family. It keeps raw, which
// must not be changed afterwards. Spec 2.4.
func Parse(raw []byte) (*Parsed, error) {
	p := &Parsed{raw: raw, hash: sha256.Sum256(raw)}
	if err := election.Decode(raw, &p.envelope); err != nil {
		return nil, Refuse(CodeMalformed, "the envelope is %v", err)
	}
	p.kind = Kind(p.envelope.Kind)
	p.body = p.kind.newBody()
	if p.body == nil {
		return nil, Refuse(CodeUnknownKind, "there is no %v", p.kind)
	}
	if err := election.Decode(p.envelope.Body, p.body); err != nil {
		return nil, Refuse(CodeMalformed, "the body of %v is %v", p.kind, err)
	}
	signer := signerSize
	if p.kind.signedByVoter() {
		signer = 0
	}
	if len(p.envelope.Signer) != signer || len(p.envelope.Signature) != signatureSize {
		return nil, Refuse(CodeMalformed, "%v has a signer of %d and a signature of %d bytes", p.kind, signer, signatureSize)
	}
	if err := checkFields(p.body); err != nil {
		return nil, err
	}
	return p, nil
}

// Raw returns the transaction's bytes as they stand in a block. They must not be changed.
func (p *Parsed) Raw() []byte { return p.raw }

// Hash returns SHA-256 of Raw, by which CometBFT knows the transaction too.
func (p *Parsed) Hash() [32]byte { return p.hash }

// Kind returns the kind.
func (p *Parsed) Kind() Kind { return p.kind }

// Body returns the message of the kind. It must not be changed.
func (p *Parsed) Body() election.Message { return p.body }

// Signer returns the Ed25519 key that the envelope names, nil where a voter signs.
func (p *Parsed) Signer() []byte { return p.envelope.Signer }

// Signature returns the 64 bytes of the signature.
func (p *Parsed) Signature() []byte { return p.envelope.Signature }

// Units returns the verification units that the transaction counts in a block. Spec 2.7.
func (p *Parsed) Units() uint64 { return units(p.body) }

// CheckSize holds the transaction against the limits of the record `parameters`. The error is a *Refusal with CodeTooLarge.
func (p *Parsed) CheckSize(l *pb.Limits) error {
	limit := l.TransactionBytes
	if p.kind.Casts() {
		limit = l.BallotBytes
	}
	if uint64(len(p.raw)) > limit {
		return Refuse(CodeTooLarge, "%v has %d bytes, the limit is %d", p.kind, len(p.raw), limit)
	}
	return nil
}

// SignBytes returns what an envelope's Ed25519 signature covers: Frame(LabelTransaction, chain id, kind, body). Spec 2.4.
func SignBytes(chain string, kind Kind, body []byte) []byte {
	return transcript.Frame(transcript.LabelTransaction, []byte(chain), transcript.Uint64(uint64(kind)), body)
}

// Sign returns the bytes of a transaction signed with an Ed25519 key.
func Sign(chain string, body election.Message, key ed25519.PrivateKey) []byte {
	kind, b := kindOf(body), election.Encode(body)
	return election.Encode(&pb.Envelope{
		Kind:      uint32(kind),
		Body:      b,
		Signer:    key.Public().(ed25519.PublicKey),
		Signature: ed25519.Sign(key, SignBytes(chain, kind, b)),
	})
}

// Voter returns the entry of an election's roll whose key signs the transaction; ok is false where the key in the envelope does.
func (p *Parsed) Voter() (election string, index uint64, ok bool) {
	m, ok := p.body.(voterBody)
	if !ok {
		return "", 0, false
	}
	return m.GetElection(), m.GetRollIndex(), true
}

// SignVoter returns the bytes of a transaction that a voter signs with the key of the roll entry that the body names: of any kind but
// CastBallot and SpoilBallot. It fails as ballot.Signed.Sign does. Spec 3.16.
func SignVoter(chain string, body voterBody, key *ballot.SecretKey, rand io.Reader) ([]byte, error) {
	s := ballot.Signed{
		Chain: chain, Election: body.GetElection(), RollIndex: body.GetRollIndex(), Voter: key.Public(),
		Kind: uint32(kindOf(body)), Body: election.Encode(body),
	}
	signature, err := s.Sign(key, rand)
	if err != nil {
		return nil, err
	}
	return Ballot(body, signature), nil
}

// Ballot returns the bytes of a transaction that a voter has signed, with its Schnorr signature.
func Ballot(body election.Message, signature []byte) []byte {
	return election.Encode(&pb.Envelope{Kind: uint32(kindOf(body)), Body: election.Encode(body), Signature: signature})
}
