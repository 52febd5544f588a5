package tx

import (
	"crypto/ed25519"
	"crypto/sha256"

	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"

	"votenode/app/election"
	"votenode/crypto/transcript"
	pb "votenode/proto/votenode/v1"
)

// applicationBytes is what a candidate signs: Frame(LabelApplication, chain id, canonical Application). Spec 16.2.
func applicationBytes(chain string, a *pb.Application) []byte {
	return transcript.Frame(transcript.LabelApplication, []byte(chain), election.Encode(a))
}

// ApplicationHash returns the hash by which an application is known: SHA-256 of what its candidate signs. Spec 16.2.
func ApplicationHash(chain string, a *pb.Application) [32]byte {
	return sha256.Sum256(applicationBytes(chain, a))
}

// SignApplication signs an application with the candidate's key, which it names as the application's.
func SignApplication(chain string, a pb.Application, key ed25519.PrivateKey) *pb.SignedApplication {
	a.Key = key.Public().(ed25519.PublicKey)
	return &pb.SignedApplication{Application: a, Signature: ed25519.Sign(key, applicationBytes(chain, &a))}
}

// CheckApplication checks the signature of an application whose key has 32 bytes. The error is a *Refusal with CodeBadSignature.
func CheckApplication(chain string, s *pb.SignedApplication) error {
	if !voi.VerifyWithOptions(s.Application.Key, applicationBytes(chain, &s.Application), s.Signature, verifyOptions) {
		return Refuse(CodeBadSignature, "the signature of the candidate %q does not stand for the application", s.Application.Name)
	}
	return nil
}
