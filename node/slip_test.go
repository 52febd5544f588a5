package node_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"votenode/client"
	"votenode/internal/testnet"
	"votenode/internal/town"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/slip"
)

// TestPromiseSurvivesKill: a validator that alone has a ballot is killed right behind its answer. When it comes back, it brings the
// ballot in: the promise is kept, and asked again the node answers with the same slip.
func TestPromiseSurvivesKill(t *testing.T) {
	if testing.Short() {
		t.Skip("opens an election")
	}
	n := testnet.New(t, testnet.Options{})
	w := town.Open(t, n, 1)
	raw := w.Ballot(0, 1)
	alone := n.Nodes[3]
	n.Stop(alone.Index)
	if err := alone.StartProcess(); err != nil {
		t.Fatal(err)
	}
	gateway, err := client.NewNode(alone.Gateway())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), testnet.Patience)
	defer cancel()
	// While the others run it gets through block sync; a node that has no peers after its start would wait there.
	for caughtUp := false; !caughtUp; {
		if err := alone.WaitGatewayHeight(ctx, w.Tip()+2); err != nil {
			t.Fatal(err)
		}
		s, err := gateway.Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		caughtUp = !s.CatchingUp
	}
	n.Stop(0, 1, 2)
	stood, err := gateway.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}

	answers, err := gateway.Submit(ctx, raw)
	if err := alone.Kill(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := slip.Parse(answers[0].Slip)
	if err != nil {
		t.Fatal(answers, err)
	}
	promise := &pb.Promise{Slip: s, Ballot: raw}
	if err := slip.Check(promise, alone.Validator.SlipKey); err != nil || s.Issued < stood.Height {
		t.Fatalf("%v, at height %d; %v", s, stood.Height, err)
	}

	// It is the first to come back: the others alone would make blocks, and the promise runs in heights.
	n.Start(alone.Index, 0, 1, 2)
	if in, err := w.Ledger.Included(ctx, sha256.Sum256(raw)); err != nil || in.Height < s.Issued || in.Height > s.Promised {
		t.Fatalf("%+v, %v; the slip is %v", in, err, s)
	}
	if _, f := w.Verdict(w.Ledger, promise); f.Verdict != slip.Kept || f.Validator.Name != alone.Name {
		t.Errorf("%q", f.Words())
	}
	res, err := http.Get(fmt.Sprintf("http://%s/v1/slips/%x", alone.Gateway(), sha256.Sum256(raw)))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var again client.Admission
	if err := json.NewDecoder(res.Body).Decode(&again); err != nil || !bytes.Equal(again.Slip, answers[0].Slip) {
		t.Errorf("asked again, it answers %d with %x, %v", res.StatusCode, again.Slip, err)
	}
	for _, each := range n.Nodes {
		until(t, each, "the end of its promises", func() bool { return each.Running().App().Intake().Promised == 0 })
	}
}
