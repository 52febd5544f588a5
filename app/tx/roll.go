package tx

import (
	"crypto/ed25519"

	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"

	"votenode/app/election"
	"votenode/crypto/transcript"
	pb "votenode/proto/votenode/v1"
)

// RollSignBytes returns what a registrar signs under a part of a roll: Frame(LabelRollPart, chain id, part), where part is the canonical
// AddRollEntries without signatures. Spec 9.14.
func RollSignBytes(chain string, m *pb.AddRollEntries) []byte {
	part := pb.AddRollEntries{Election: m.Election, First: m.First, Entries: m.Entries}
	return transcript.Frame(transcript.LabelRollPart, []byte(chain), election.Encode(&part))
}

// SignRoll returns a registrar's signature under a part of a roll.
func SignRoll(chain string, m *pb.AddRollEntries, key ed25519.PrivateKey) pb.RollSignature {
	return pb.RollSignature{Key: key.Public().(ed25519.PublicKey), Signature: ed25519.Sign(key, RollSignBytes(chain, m))}
}

// CheckRollSignatures checks the signatures that a part of a roll carries, each with the key that it names: whose keys these are, and
// whether all organisations have signed, the state says. The error is a *Refusal with CodeBadSignature.
func CheckRollSignatures(chain string, m *pb.AddRollEntries) error {
	signed := RollSignBytes(chain, m)
	for i := range m.Signatures {
		s := &m.Signatures[i]
		if !voi.VerifyWithOptions(s.Key, signed, s.Signature, verifyOptions) {
			return Refuse(CodeBadSignature, "the signature of registrar %x does not stand for this part of the roll", s.Key)
		}
	}
	return nil
}
