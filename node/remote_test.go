package node_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"votenode/app/organisation"
	"votenode/internal/testnet"
)

// TestRemoteSigner: a validator whose key is with a signer, a process of its own, on a network of four. Without the signer it follows and
// says so; with it, it signs, also after each of the two was killed; a signer that was put back to an old sign state signs nothing twice,
// and a home that was put back is retired.
func TestRemoteSigner(t *testing.T) {
	n := testnet.New(t, testnet.Options{Signers: []int{3}})
	remote, other := n.Nodes[3], n.Nodes[0]
	address := organisation.ConsensusAddress(remote.Validator.Key)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	lost := func() bool {
		return slices.ContainsFunc(remote.Running().Health(), func(reason string) bool {
			return strings.Contains(reason, "the signer is not reached since")
		})
	}
	// signs waits for signatures of blocks to come.
	signs := func() {
		t.Helper()
		from := tip(other)
		until(t, other, "a signature of the remote key", func() bool { h := tip(other) - 1; return h > from && signers(other, h)[address] })
		until(t, remote, "health", func() bool { return len(remote.Running().Health()) == 0 })
	}
	// silent requires that some blocks have no signature of the key.
	silent := func() {
		t.Helper()
		until(t, remote, "the loss of the signer in its health", lost)
		if since, err := remote.Running().SignerReached(); err == nil || since.IsZero() {
			t.Error(since, err)
		}
		from := tip(other) + 2 // what it has sent may still come into the next blocks
		n.WaitHeight(from + 4)
		for h := from; h < from+4; h++ {
			if signers(other, h)[address] {
				t.Errorf("signed at height %d without the signer", h)
			}
		}
	}

	n.Start()
	silent()
	must(remote.StartSigner())
	signs()

	state := filepath.Join(remote.SignerHome(), "sign-state", "state.json")
	old, err := os.ReadFile(state)
	must(err)
	must(remote.KillSigner())
	silent()
	must(remote.StartSigner())
	signs()

	n.Stop(3)
	snapshot := keep(t, remote)
	n.Start(3)
	signs()

	must(remote.KillSigner())
	must(os.WriteFile(state, old, 0o600))
	must(remote.StartSigner())
	signs()
	n.RequireAgreement(tip(remote))

	height := tip(remote)
	until(t, remote, "signatures after the snapshot", func() bool { return tip(remote) > height+4 && signers(remote, tip(remote)-1)[address] })
	n.Stop(3)
	putBack(t, remote, snapshot)
	n.Start(3)
	until(t, remote, "the alarm", func() bool {
		return slices.ContainsFunc(remote.Running().Health(), func(reason string) bool { return strings.Contains(reason, "ChangeValidators") })
	})
}
