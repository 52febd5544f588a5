package observe

import (
	"context"
	"errors"
	"strings"
	"testing"

	"votenode/app"
	"votenode/client"
	"votenode/genesis"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
)

// TestUnknownProtocol: behind an upgrade that the program does not know the observer ends and says so, and accuses nobody; a client does,
// too, however many nodes have an older state, and waits for nothing.
func TestUnknownProtocol(t *testing.T) {
	t.Parallel()
	l := rehearsal.New(t)
	l.Make(1)
	last := l.Height() + 5
	l.Resolve(&pb.Resolution{Decision: &pb.Resolution_UpgradeSoftware{
		UpgradeSoftware: &pb.UpgradeSoftware{Height: last, Version: 2, Binary: make([]byte, 32)},
	}})
	g, behind := newGateway(t, l), newGateway(t, l)
	g.to(last + 1) // the newest state that is certified is that of the height before the last
	behind.to(last + 1)
	w := observe(t, g, behind)
	w.look(2)
	open := func(protocol uint64) *client.Ledger {
		return must(client.OpenOf(t.Context(), genesis.Hash(l.Genesis), []string{behind.url, g.url}, protocol, nil))
	}
	old := open(app.Protocol)
	if v, err := old.Certified(t.Context()); err != nil || v.Height() != last-1 {
		t.Fatal(v, err)
	}

	g.to(last + 4)
	w.on(g)
	if err := w.o.Look(t.Context(), 0); !errors.Is(err, app.ErrProtocol) || !strings.Contains(err.Error(), "is of version 2") {
		t.Error(err)
	}
	w.raised()
	for name, err := range map[string]error{
		"certified": second(old.CertifiedBy(t.Context(), old.Nodes()[1])),
		"after":     second(old.After(t.Context(), last+100)),
		"until":     second(old.Until(t.Context(), func(context.Context, *client.View) (bool, error) { return false, nil })),
		"state":     third(old.State(t.Context(), last+1)),
		"resume":    second(old.Resume(l.LedgerState(last + 1))),
	} {
		if !errors.Is(err, app.ErrProtocol) || errors.Is(err, client.ErrVerification) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if v, err := open(2).Certified(t.Context()); err != nil || v.Height() != last+2 {
		t.Error(v, err)
	}
}

func second[T any](_ T, err error) error { return err }

func third[T, U any](_ T, _ U, err error) error { return err }
