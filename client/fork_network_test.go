package client_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"

	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/election"
	"votenode/client"
	"votenode/internal/testnet"
	pb "votenode/proto/votenode/v1"
)

// forged is a gateway that shows, as its newest certified state, one that all validators have signed and that is not on the ledger:
// the header after a height is changed.
func (w *town) forged(height int64, change func(h *cmttypes.Header)) string {
	n := must(client.NewNode(w.net.Nodes[0].Gateway()))
	signed := must(n.SignedHeader(w.Context(), height+1))
	var keys []cmted25519.PrivKey
	for _, each := range w.net.Nodes {
		keys = append(keys, each.ConsensusKey())
	}
	return w.shows(height, testnet.SignHeader(w, signed.Header, change, keys...))
}

// shows is a gateway whose newest certified state stays the one that a child attests.
func (w *town) shows(height int64, child *pb.SignedHeader) string {
	evidence := base64.StdEncoding.EncodeToString(election.Encode(&pb.CertifiedState{Children: []*pb.SignedHeader{child}}))
	return w.liar("/v1/certified", func(a map[string]any) { a["height"], a["state"] = height, evidence })
}

// hesitates passes everything on to a gateway that has no certified state until it is told to go.
func (w *town) hesitates(address string) (gateway string, proceed func()) {
	var may atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/certified") && !may.Load() {
			rw.WriteHeader(http.StatusNotFound)
			return
		}
		http.Redirect(rw, r, "http://"+strings.TrimPrefix(address, "http://")+r.URL.RequestURI(), http.StatusTemporaryRedirect)
	}))
	w.Cleanup(server.Close)
	return server.URL, func() { may.Store(true) }
}

// branch: a client that has been shown one certified state and is then shown another, of the same height or a later one, that contradicts
// it, speaks of a fork and names who signed both. What differs may be the block, or only the state after it. Where the validator set has
// changed in between nobody is named. Two certificates of one state are no fork.
func (w *town) branch() {
	ctx := w.Context()
	v := must(w.ledger.Certified(ctx))
	otherState := func(h *cmttypes.Header) { h.AppHash[0] ^= 1 }
	otherBlock := func(h *cmttypes.Header) { h.LastBlockID.Hash[0] ^= 1 }
	otherTime := func(h *cmttypes.Header) { h.Time = h.Time.Add(time.Millisecond) }
	newest := w.net.Nodes[3].Gateway()
	must(must(client.Open(ctx, w.net.Hash, []string{newest}, nil)).After(ctx, v.Height()))
	same := w.shows(v.Height(), must(must(client.NewNode(newest)).SignedHeader(ctx, v.Height()+1)))
	if v.Epoch() != 2 {
		w.Fatalf("epoch %d", v.Epoch())
	}
	for name, test := range map[string]struct {
		height int64
		change func(h *cmttypes.Header)
		honest string
		fork   bool
		named  bool
	}{
		"another state":              {v.Height(), otherState, newest, true, true},
		"another block":              {v.Height(), otherBlock, newest, true, true},
		"another state, same height": {v.Height(), otherState, same, true, true},
		"another block, same height": {v.Height(), otherBlock, same, true, true},
		"another child":              {v.Height(), otherTime, newest, false, false},
		"another child, same height": {v.Height(), otherTime, same, false, false},
		"another set, another state": {3, otherState, newest, true, false},
		"another set, another block": {3, otherBlock, newest, true, false},
		"another set, another child": {3, otherTime, newest, false, false},
	} {
		honest, proceed := w.hesitates(test.honest)
		l := must(client.Open(ctx, w.net.Hash, []string{w.forged(test.height, test.change), honest}, nil))
		if v, err := l.Certified(ctx); err != nil || v.Height() != test.height {
			w.Fatalf("%s: %v, %v", name, v, err)
		}
		proceed()
		later, err := l.Certified(ctx)
		if !test.fork {
			if err != nil || (later.Height() > test.height) != (test.honest == newest) {
				w.Errorf("%s: %v, %v", name, later, err)
			}
			continue
		}
		if !errors.Is(err, client.ErrFork) || !errors.Is(err, client.ErrVerification) {
			w.Errorf("%s: %v", name, err)
			continue
		}
		for _, each := range w.net.Nodes {
			if strings.Contains(err.Error(), each.Organisation+" "+each.Name) != test.named {
				w.Errorf("%s: %v", name, err)
			}
		}
		// What was shown first is not given up for the other branch.
		if again, err := l.After(ctx, test.height); !errors.Is(err, client.ErrFork) {
			w.Errorf("%s: %v, %v", name, again, err)
		}
	}
}
