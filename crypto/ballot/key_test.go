package ballot

import (
	"bytes"
	"errors"
	"testing"

	"votenode/crypto/group"
)

func TestKeys(t *testing.T) {
	key := newKey(t)
	again, err := ParseSecretKey(key.Bytes())
	if err != nil || !again.owns(key.Public()) {
		t.Error("a secret key does not survive its encoding")
	}
	public, err := ParsePublicKey(key.Public().Bytes())
	if err != nil || !key.owns(public) {
		t.Error("a public key does not survive its encoding")
	}
	if _, err := ParseSecretKey(make([]byte, 32)); !errors.Is(err, group.ErrScalar) {
		t.Errorf("zero as a secret key: %v", err)
	}
	if _, err := GenerateKey(bytes.NewReader(make([]byte, 64))); !errors.Is(err, group.ErrScalar) {
		t.Errorf("zero from the source: %v", err)
	}
	if _, err := ParsePublicKey(make([]byte, 32)); !errors.Is(err, group.ErrIdentity) {
		t.Errorf("the identity as a key: %v", err)
	}
	if key.owns(PublicKey{}) {
		t.Error("the zero value is somebody's key")
	}
	e := testElection(t, 8, twoContests)
	a := cast(t, e, Statement{Voter: key.Public()}, [][]int{{}, {0}}, key)
	a.st.Voter = PublicKey{}
	if err := check(t, e, a); !errors.Is(err, group.ErrIdentity) {
		t.Errorf("a ballot of nobody: %v", err)
	}
}
