// Package voting holds an election on a test network: officers, registrars and trustees bring it to where voting begins, so that a test
// of ballots can begin there. Its ballots and promises can also be such as no honest program would make.
//
// It must not be imported by anything that is released.
package voting

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"votenode/app/state"
	"votenode/app/tx"
	"votenode/client"
	"votenode/client/keyfile"
	"votenode/client/trustee"
	"votenode/crypto/ballot"
	"votenode/internal/testnet"
	"votenode/node"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/slip"
)

// Election is the id of the election.
const Election = "primary"

// manifest has one contest and one district, and lets a voter cast again after a second.
const manifest = `{"election":"primary","title":"Primary",
	"contests":[{"title":"Mazhilis","first_slot":0,"options":["Aigul","Bolat"],"min_selections":1,"max_selections":1}],
	"styles":[{"district":"North","contests":[0]}],
	"revote_interval":1,"objection_window":1,"ceremony_step":600,"open_min":1}`

// Town is a network on which people vote. It is for one goroutine; a test that fails ends.
type Town struct {
	testing.TB
	Net    *testnet.Network
	Ledger *client.Ledger // through all validators

	officers []client.Officer
	keys     []*ballot.SecretKey
	index    []uint64 // in the roll, by voter
}

// Open starts all nodes of a network in process, and returns when an election is open for a number of voters.
func Open(t testing.TB, n *testnet.Network, voters int) *Town {
	t.Helper()
	n.Start()
	n.WaitHeight(3)
	w := &Town{TB: t, Net: n}
	var addresses []string
	for _, each := range n.Nodes {
		if each.Organisation != "" {
			addresses = append(addresses, each.Gateway())
		}
	}
	w.Ledger = w.Through(addresses...)
	for _, o := range n.Document.Organisations {
		w.officers = append(w.officers, client.Officer{Ledger: w.Ledger, Key: n.Officers[o.Organisation.Id][0], Wait: client.WaitCommitted})
	}
	m := new(pb.Manifest)
	w.must(json.Unmarshal([]byte(manifest), m))
	encoded, err := m.Marshal()
	w.must(err)
	hash, err := w.officers[0].Publish(t.Context(), encoded, nil)
	w.must(err)
	w.resolve(&pb.Resolution{Decision: &pb.Resolution_CreateElection{CreateElection: &pb.CreateElection{Manifest: hash[:]}}})
	w.enrol(m, voters)
	w.keyCeremony()
	w.schedule()
	return w
}

func (w *Town) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// Through returns the ledger as somebody sees it who knows these gateways only.
func (w *Town) Through(gateways ...string) *client.Ledger {
	w.Helper()
	l, err := client.Open(w.Context(), w.Net.Hash, gateways, func(node string, reason error) { w.Logf("%s: %v", node, reason) })
	w.must(err)
	return l
}

// resolve has all organisations decide.
func (w *Town) resolve(r *pb.Resolution) {
	w.Helper()
	w.must(w.decide(r))
}

// decide returns the refusal of a resolution that comes to nothing.
func (w *Town) decide(r *pb.Resolution) error {
	hash, err := w.officers[0].Propose(w.Context(), r)
	if err != nil {
		return err
	}
	for _, o := range w.officers[1:] {
		if err := o.Approve(w.Context(), hash); err != nil {
			return err
		}
	}
	_, err = w.Ledger.Until(w.Context(), func(ctx context.Context, v *client.View) (bool, error) {
		r, err := client.Load[pb.ResolutionRecord](ctx, v, state.ResolutionKey(hash[:]))
		if err == nil && r != nil && r.Status == pb.RESOLUTION_REFUSED {
			err = &tx.Refusal{Code: tx.Code(r.Code), Detail: "the resolution"}
		}
		return r != nil && r.Status == pb.RESOLUTION_EFFECTIVE, err
	})
	return err
}

// enrol makes the voters' keys and brings the roll.
func (w *Town) enrol(m *pb.Manifest, voters int) {
	w.Helper()
	csv := "key,district\n"
	for range voters {
		key, err := ballot.GenerateKey(rand.Reader)
		w.must(err)
		w.keys = append(w.keys, key)
		csv += fmt.Sprintf("%x,North\n", key.Public().Bytes())
	}
	entries, err := client.ParseRoll(strings.NewReader(csv), m)
	w.must(err)
	registrar := client.Registrar{Ledger: w.Ledger, Key: w.Net.Registrars[w.Net.Document.Organisations[0].Organisation.Id][0]}
	head, err := registrar.Import(w.Context(), Election, entries, nil)
	w.must(err)
	w.resolve(&pb.Resolution{Decision: &pb.Resolution_SealRoll{SealRoll: &pb.SealRoll{Election: Election, Size_: head.Size, Root: head.Root[:]}}})
	v, err := w.Ledger.Certified(w.Context())
	w.must(err)
	for _, key := range w.keys {
		index, err := client.FindVoter(w.Context(), v, Election, key.Public())
		w.must(err)
		w.index = append(w.index, index)
	}
}

// keyCeremony appoints three trustees of each organisation, who make the keys.
func (w *Town) keyCeremony() {
	w.Helper()
	ctx, stop := context.WithCancel(w.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	var boards []pb.TrusteeBoard
	for _, o := range w.Net.Document.Organisations {
		b := pb.TrusteeBoard{Organisation: o.Organisation.Id, Quorum: 2}
		for i := range 3 {
			file, err := keyfile.Generate(keyfile.Trustee, rand.Reader)
			w.must(err)
			key, err := file.Ed25519(keyfile.Trustee)
			w.must(err)
			b.Trustees = append(b.Trustees, pb.Member{Name: fmt.Sprintf("%s trustee %d", o.Organisation.Id, i+1), Key: key[32:]})
			store, err := trustee.OpenStore(w.TempDir(), w.Net.Hash, key.Seed())
			w.must(err)
			t := trustee.Trustee{Ledger: trustee.Follow(w.Ledger), Key: key, Store: store, Random: rand.Reader, Say: func(string, ...any) {}}
			running.Go(func() {
				if err := t.Run(ctx, false); ctx.Err() == nil {
					w.Error(err)
				}
				store.Close()
			})
		}
		boards = append(boards, b)
	}
	w.resolve(&pb.Resolution{Decision: &pb.Resolution_AppointTrustees{AppointTrustees: &pb.AppointTrustees{Election: Election, Boards: boards}}})
	w.untilPhase(pb.PHASE_READY)
}

// schedule opens voting for an hour. However slow the machine is, some opening is late enough for all approvals.
func (w *Town) schedule() {
	w.Helper()
	for delay := 2 * time.Second; ; delay *= 2 {
		opening := time.Now().Add(delay).Unix()
		err := w.decide(&pb.Resolution{Decision: &pb.Resolution_ScheduleElection{
			ScheduleElection: &pb.ScheduleElection{Election: Election, Opening: opening, Closing: opening + 3600},
		}})
		if err == nil {
			break
		}
		w.must(w.Context().Err())
		if delay > time.Minute {
			w.Fatal(err)
		}
	}
	w.untilPhase(pb.PHASE_VOTING)
}

func (w *Town) untilPhase(phase pb.Phase) {
	w.Helper()
	_, err := w.Ledger.Until(w.Context(), func(ctx context.Context, v *client.View) (bool, error) {
		e, err := client.LoadElection(ctx, v, Election)
		return err == nil && e.Phase == phase, err
	})
	w.must(err)
}

// Voter returns one of the voters, who asks the nodes of a ledger.
func (w *Town) Voter(i int, l *client.Ledger) client.Voter {
	return client.Voter{Ledger: l, Election: Election, Index: w.index[i], Key: w.keys[i]}
}

// Ballot makes a valid ballot of a voter, with a number of the test's choice, and gives it to nobody.
func (w *Town) Ballot(i int, sequence uint64) []byte {
	w.Helper()
	v, err := w.Ledger.Certified(w.Context())
	w.must(err)
	shared, _, err := client.LoadBallotElection(w.Context(), v, Election)
	w.must(err)
	statement := ballot.Statement{RollIndex: w.index[i], Voter: w.keys[i].Public(), Sequence: sequence}
	draft, err := shared.Encrypt(statement, [][]int{{0}}, w.keys[i], rand.Reader)
	w.must(err)
	ciphertext, proof, signature, err := draft.Cast()
	w.must(err)
	return tx.Ballot(&pb.CastBallot{Election: Election, RollIndex: w.index[i], Sequence: sequence, Ciphertext: ciphertext, Proof: proof}, signature)
}

// Promise signs a slip for a ballot with the slip key of a validator, as its operator can: the node itself knows nothing of it.
func (w *Town) Promise(e *testnet.Node, raw []byte, issued, promised int64) *pb.Promise {
	w.Helper()
	key, err := node.SlipKey(e.Home)
	w.must(err)
	_, cast, err := slip.ParseBallot(raw)
	w.must(err)
	code := ballot.ConfirmationCode(testnet.Chain, cast.Election, cast.Style, cast.RollIndex, cast.Sequence, cast.Ciphertext)
	p := &pb.Promise{Ballot: raw, Slip: &pb.AcceptanceSlip{
		ChainId: testnet.Chain, Election: cast.Election, RollIndex: cast.RollIndex, Sequence: cast.Sequence, Code: code[:],
		Validator: e.Validator.Key, Issued: issued, Promised: promised,
	}}
	slip.Sign(p, key)
	return p
}

// Verdict returns what became of a promise, as soon as that is not pending any more.
func (w *Town) Verdict(l *client.Ledger, p *pb.Promise) (*pb.SlipCase, *slip.Finding) {
	w.Helper()
	for {
		c, f, err := l.SlipCase(w.Context(), p, time.Now())
		w.must(err)
		if f.Verdict != slip.Pending {
			return c, f
		}
		_, err = l.After(w.Context(), f.State.Height)
		w.must(err)
	}
}

// Tip returns the greatest height that a node in process has committed.
func (w *Town) Tip() (height int64) {
	for _, each := range w.Net.Nodes {
		if running := each.Running(); running != nil {
			height = max(height, running.App().Tip().Height)
		}
	}
	return height
}
