package genesis_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"testing"

	"votenode/app/election"
	"votenode/genesis"
	pb "votenode/proto/votenode/v1"
)

// vectors is the form of testdata/vectors.json (spec 1.13). All bytes are lower-case hex.
type vectors struct {
	Comment     string        `json:"comment"`
	Document    string        `json:"document"`
	GenesisHash string        `json:"genesis_hash"`
	AppState    string        `json:"app_state"`
	Entries     []entryVector `json:"entries"`
	// ApprovalMessage is what every approval signs.
	ApprovalMessage string `json:"approval_message"`
	Approvals       string `json:"approvals"`
}

// entryVector is a GenesisEntry with what its signature covers and the key that signed.
type entryVector struct {
	Entry   string `json:"entry"`
	Key     string `json:"key"`
	Message string `json:"message"`
}

// frame is the framing of spec 2.1, written anew.
func frame(items ...[]byte) []byte {
	var out []byte
	for _, item := range items {
		out = append(binary.BigEndian.AppendUint64(out, uint64(len(item))), item...)
	}
	return out
}

func TestVectors(t *testing.T) {
	doc := assemble(t, sampleParties)
	hash := genesis.Hash(doc)
	state, err := genesis.AppState(doc)
	if err != nil {
		t.Fatal(err)
	}
	v := vectors{
		Comment:     "made by TestVectors of genesis; run it with -update to make them again",
		Document:    hex.EncodeToString(genesis.Bytes(doc)),
		GenesisHash: hex.EncodeToString(hash[:]),
		AppState:    string(state),
	}
	list := entries(t, sampleParties)
	for _, sample := range []struct {
		i    int
		name string
	}{{0, "league officer 1"}, {3, "league registrar"}, {4, "league-1 slip"}} {
		i, name := sample.i, sample.name
		unsigned := clone(list[i])
		unsigned.Signature = nil
		message := frame([]byte("votenode/v1/genesis-entry"), election.Encode(unsigned))
		if !ed25519.Verify(public(name), message, list[i].Signature) {
			t.Errorf("entry %d does not sign what the specification says", i)
		}
		v.Entries = append(v.Entries, entryVector{
			Entry: hex.EncodeToString(election.Encode(list[i])), Key: hex.EncodeToString(public(name)), Message: hex.EncodeToString(message),
		})
	}
	message := frame([]byte("votenode/v1/genesis-approval"), []byte(sampleChain), hash[:])
	v.ApprovalMessage = hex.EncodeToString(message)
	approvals := new(pb.GenesisApprovals)
	for _, p := range sampleParties {
		for i := 1; i <= 2; i++ {
			name := fmt.Sprintf("%s officer %d", p.id, i)
			a, err := genesis.Approve(doc, sampleKey(name))
			if err != nil || !ed25519.Verify(public(name), message, a.Signature) {
				t.Fatal("an approval does not sign what the specification says:", err)
			}
			genesis.AddApproval(approvals, a)
		}
	}
	if err := genesis.VerifyApprovals(doc, approvals); err != nil {
		t.Fatal(err)
	}
	v.Approvals = hex.EncodeToString(genesis.ApprovalsBytes(approvals))
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/vectors.json", b.Bytes())
}
