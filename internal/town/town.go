// Package town opens an election on a network of tests, as the people of an election do: through package client. It holds what tests of
// several packages do alike, and decides nothing.
package town

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"votenode/app"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/client"
	"votenode/client/keyfile"
	"votenode/client/trustee"
	"votenode/crypto/ballot"
	"votenode/internal/testnet"
	pb "votenode/proto/votenode/v1"
)

// Election is the id of the election.
const Election = "primary"

// Manifest holds its rules: two contests, and the districts North and South.
const Manifest = `{"election":"primary","title":"Primary","contests":[
	{"title":"Mazhilis","first_slot":0,"options":["Aigul","Bolat","Dana"],"min_selections":0,"max_selections":2},
	{"title":"Maslikhat","first_slot":3,"options":["Erlan","Farida"],"min_selections":1,"max_selections":1}],
	"styles":[{"district":"North","contests":[0,1]},{"district":"South","contests":[1]}],
	"revote_interval":1,"objection_window":1,"ceremony_step":600,"open_min":1}`

// Town is a network with an election on it, as clients see it.
type Town struct {
	*testing.T
	Net    *testnet.Network
	Ledger *client.Ledger
	// Protocol is the greatest protocol version that its people's programs know.
	Protocol uint64
	// Officers are one of each organisation; both are needed for a resolution.
	Officers []client.Officer
}

// New returns the town of a network that runs, as soon as a height is certified: blocks may have come before all validators signed. It asks all of
// its validators.
func New(t *testing.T, n *testnet.Network) *Town {
	t.Helper()
	return NewOf(t, n, app.Protocol)
}

// NewOf is New for people whose programs know the protocol versions up to one.
func NewOf(t *testing.T, n *testnet.Network, protocol uint64) *Town {
	t.Helper()
	var addresses []string
	for _, each := range n.Nodes {
		if each.Organisation != "" {
			addresses = append(addresses, each.Gateway())
		}
	}
	w := &Town{T: t, Net: n, Protocol: protocol}
	w.Ledger = w.Through(addresses...)
	_, err := w.Ledger.After(w.Context(), 0)
	w.must(err)
	for _, o := range []string{"party", "league"} {
		w.Officers = append(w.Officers, client.Officer{Ledger: w.Ledger, Key: n.Officers[o][0], Wait: client.WaitCertified})
	}
	return w
}

// must ends the test on an error.
func (w *Town) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// Resolve proposes a resolution, approves it, and waits until it is effective.
func (w *Town) Resolve(d *pb.Resolution) {
	w.Helper()
	hash, err := w.Officers[0].Propose(w.Context(), d)
	w.must(err)
	w.must(w.Officers[1].Approve(w.Context(), hash))
	_, err = w.Ledger.Until(w.Context(), func(ctx context.Context, v *client.View) (bool, error) {
		r, err := client.MustLoad[pb.ResolutionRecord](ctx, v, state.ResolutionKey(hash[:]))
		if err == nil && r.Status == pb.RESOLUTION_REFUSED {
			err = &tx.Refusal{Code: tx.Code(r.Code), Detail: "the resolution"}
		}
		return err == nil && r.Status == pb.RESOLUTION_EFFECTIVE, err
	})
	w.must(err)
}

// Create publishes the manifest and creates the election.
func (w *Town) Create() {
	w.Helper()
	m := new(pb.Manifest)
	w.must(json.Unmarshal([]byte(Manifest), m))
	b, err := m.Marshal()
	w.must(err)
	published, err := w.Officers[0].Publish(w.Context(), b, nil)
	w.must(err)
	w.Resolve(&pb.Resolution{Decision: &pb.Resolution_CreateElection{CreateElection: &pb.CreateElection{Manifest: published[:]}}})
}

// Seal brings a roll of voters of the South, in their order, and seals it.
func (w *Town) Seal(voters ...*ballot.SecretKey) {
	w.Helper()
	entries := make([]pb.RollEntry, len(voters))
	for i, key := range voters {
		entries[i] = pb.RollEntry{Key: key.Public().Bytes(), Style: 1}
	}
	keys := []ed25519.PrivateKey{w.Net.Registrars["party"][0], w.Net.Registrars["league"][0]}
	head, err := client.Enrol(w.Context(), w.Ledger, keys, Election, entries, nil)
	w.must(err)
	w.Resolve(&pb.Resolution{Decision: &pb.Resolution_SealRoll{SealRoll: &pb.SealRoll{Election: Election, Size_: head.Size, Root: head.Root[:]}}})
}

// Ceremony lets six trustees follow the network and make the keys; then voting opens, for an hour.
func (w *Town) Ceremony() {
	w.Helper()
	ctx, stop := context.WithCancel(w.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	var boards []pb.TrusteeBoard
	for _, o := range []string{"league", "party"} {
		b := pb.TrusteeBoard{Organisation: o, Quorum: 2}
		for i := range 3 {
			public, t := w.trustee()
			b.Trustees = append(b.Trustees, pb.Member{Name: fmt.Sprintf("%s %d", o, i), Key: public})
			running.Go(func() {
				if err := t.Run(ctx, false); ctx.Err() == nil {
					w.Error(err)
				}
				t.Store.Close()
			})
		}
		boards = append(boards, b)
	}
	w.Resolve(&pb.Resolution{Decision: &pb.Resolution_AppointTrustees{AppointTrustees: &pb.AppointTrustees{Election: Election, Boards: boards}}})
	w.UntilPhase(pb.PHASE_READY)
	w.open()
	w.UntilPhase(pb.PHASE_VOTING)
}

// trustee returns a trustee with a fresh key.
func (w *Town) trustee() ([]byte, *trustee.Trustee) {
	w.Helper()
	file, err := keyfile.Generate(keyfile.Trustee, rand.Reader)
	w.must(err)
	key, err := file.Ed25519(keyfile.Trustee)
	w.must(err)
	store, err := trustee.OpenStore(w.TempDir(), w.Net.Hash, key.Seed())
	w.must(err)
	return key[32:], &trustee.Trustee{Ledger: trustee.Follow(w.Ledger), Key: key, Store: store, Random: rand.Reader, Say: w.Logf}
}

// open sets an opening. However slow the machine is, some opening is late enough for both approvals.
func (w *Town) open() {
	w.Helper()
	for delay := 2 * time.Second; ; delay *= 2 {
		opening := time.Now().Add(delay).Unix()
		hash, err := w.Officers[0].Propose(w.Context(), &pb.Resolution{Decision: &pb.Resolution_ScheduleElection{
			ScheduleElection: &pb.ScheduleElection{Election: Election, Opening: opening, Closing: opening + 3600},
		}})
		w.must(err)
		if err := w.Officers[1].Approve(w.Context(), hash); err != nil {
			w.Log(err)
			continue
		}
		v, err := w.Ledger.Certified(w.Context())
		w.must(err)
		r, err := client.MustLoad[pb.ResolutionRecord](w.Context(), v, state.ResolutionKey(hash[:]))
		w.must(err)
		if r.Status == pb.RESOLUTION_EFFECTIVE {
			return
		}
	}
}

// UntilPhase waits until the election is certified to be in a phase.
func (w *Town) UntilPhase(phase pb.Phase) {
	w.Helper()
	_, err := w.Ledger.Until(w.Context(), func(ctx context.Context, v *client.View) (bool, error) {
		e, err := client.LoadElection(ctx, v, Election)
		return err == nil && e.Phase == phase, err
	})
	w.must(err)
}
