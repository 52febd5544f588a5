package certified_test

import (
	"errors"
	"strings"
	"testing"

	"votenode/app"
	"votenode/app/election"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

// TestUnknownProtocol: a state behind which the ledger goes on by other rules is refused by who does not know them, once enough have signed
// for that; a single liar is not believed.
func TestUnknownProtocol(t *testing.T) {
	w := newWorld(t, equal)
	w.grow(4)
	everybody := names(w.epochs[0])
	next := *w.headers[4]
	next.Version.App = 2
	shown := func(signers ...string) *pb.CertifiedState { return certificate(signed(&next, 0, signers...)) }
	known := func(protocol uint64) *certified.Trust { return must(certified.FromGenesisOf(w.doc, protocol)) }

	for protocol, want := range map[uint64]error{1: app.ErrProtocol, 2: nil, certified.AnyProtocol: nil} {
		if _, err := known(protocol).Verify(shown(everybody...)); !errors.Is(err, want) {
			t.Errorf("version %d: %v", protocol, err)
		}
	}
	_, err := w.trust.Verify(shown(everybody...))
	if err == nil || !strings.Contains(err.Error(), "it knows protocol version 1, and behind height 3 the ledger is of version 2") {
		t.Error(err)
	}
	if _, err := w.trust.Verify(shown(everybody[:5]...)); !errors.Is(err, certified.ErrNotCertified) || errors.Is(err, app.ErrProtocol) {
		t.Error("one organisation alone is believed:", err)
	}
	if s, err := w.trust.Inspect(shown(everybody...)); err != nil || s.Protocol != 2 || !s.Certified {
		t.Errorf("%+v %v", s, err)
	}
	if s := must(w.trust.Verify(w.certify(2))); s.Protocol != 1 {
		t.Errorf("%+v", s)
	}

	hash := w.trust.GenesisHash()
	for signers, want := range map[int]error{8: app.ErrProtocol, 6: app.ErrProtocol, 5: nil, 0: nil} { // certified, committed, neither
		ledger := &pb.LedgerState{Genesis: election.Encode(w.doc), State: shown(everybody[:signers]...)}
		if _, _, err := certified.FromLedgerState(hash, ledger); !errors.Is(err, want) {
			t.Errorf("%d signers: %v", signers, err)
		}
		if _, s, err := certified.FromLedgerStateOf(hash, ledger, 2); err != nil || s.Protocol != 2 {
			t.Errorf("%d signers: %v", signers, err)
		}
	}

	// A set that is announced behind the upgrade is not learned by old rules.
	w = newWorld(t, equal)
	w.grow(3)
	at := w.announce(w.epochs[0].Validators)
	proof := w.epochProof(at)
	header := *w.headers[at+1]
	header.Version.App = 2
	proof.State = certificate(signed(&header, 0, everybody...))
	if _, err := w.trust.Advance(proof); !errors.Is(err, app.ErrProtocol) {
		t.Error(err)
	}
	if _, err := must(certified.FromGenesisOf(w.doc, 2)).Advance(proof); err != nil {
		t.Error(err)
	}
}
