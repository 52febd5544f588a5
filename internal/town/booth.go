package town

import (
	"crypto/rand"
	"testing"
	"time"

	"votenode/app/tx"
	"votenode/client"
	"votenode/crypto/ballot"
	"votenode/internal/testnet"
	"votenode/node"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/slip"
)

// Booth is a town where voting is open, with its voters, all of the South. Its ballots and promises can also be such as no honest
// program would make.
type Booth struct {
	*Town
	keys  []*ballot.SecretKey
	index []uint64 // in the roll, by voter
}

// style is the ballot style of the South: one choice of two.
const style = 1

// Open starts all nodes of a network in process, and returns when an election is open for a number of voters.
func Open(t *testing.T, n *testnet.Network, voters int) *Booth {
	t.Helper()
	n.Start()
	n.WaitHeight(3)
	w := &Booth{Town: New(t, n)}
	for i := range voters {
		key, err := ballot.GenerateKey(rand.Reader)
		w.must(err)
		w.keys, w.index = append(w.keys, key), append(w.index, uint64(i))
	}
	w.Create()
	w.Seal(w.keys...)
	w.Ceremony()
	return w
}

// Through returns the ledger as somebody sees it who knows these gateways only.
func (w *Town) Through(gateways ...string) *client.Ledger {
	w.Helper()
	l, err := client.OpenOf(w.Context(), w.Net.Hash, gateways, w.Protocol, func(node string, reason error) { w.Logf("%s: %v", node, reason) })
	w.must(err)
	return l
}

// Voter returns one of the voters, who asks the nodes of a ledger.
func (w *Booth) Voter(i int, l *client.Ledger) client.Voter {
	return client.Voter{Ledger: l, Election: Election, Index: w.index[i], Key: w.keys[i]}
}

// Ballot makes a valid ballot of a voter, with a number of the test's choice, and gives it to nobody.
func (w *Booth) Ballot(i int, sequence uint64) []byte {
	w.Helper()
	v, err := w.Ledger.Certified(w.Context())
	w.must(err)
	shared, _, err := client.LoadBallotElection(w.Context(), v, Election)
	w.must(err)
	statement := ballot.Statement{Style: style, RollIndex: w.index[i], Voter: w.keys[i].Public(), Sequence: sequence}
	draft, err := shared.Encrypt(statement, [][]int{{0}}, w.keys[i], rand.Reader)
	w.must(err)
	ciphertext, proof, signature, err := draft.Cast()
	w.must(err)
	return tx.Ballot(&pb.CastBallot{Election: Election, Style: style, RollIndex: w.index[i], Sequence: sequence, Ciphertext: ciphertext, Proof: proof}, signature)
}

// Promise signs a slip for a ballot with the slip key of a validator, as its operator can: the node itself knows nothing of it.
func (w *Booth) Promise(e *testnet.Node, raw []byte, issued, promised int64) *pb.Promise {
	w.Helper()
	key, err := node.SlipKey(e.Home)
	w.must(err)
	_, cast, err := slip.ParseBallot(raw)
	w.must(err)
	code := cast.Code(testnet.Chain)
	p := &pb.Promise{Ballot: raw, Slip: &pb.AcceptanceSlip{
		ChainId: testnet.Chain, Election: cast.Election, RollIndex: cast.RollIndex, Sequence: cast.Sequence, Code: code[:],
		Validator: e.Validator.Key, Issued: issued, Promised: promised,
	}}
	slip.Sign(p, key)
	return p
}

// Verdict returns what became of a promise, as soon as that is not pending any more.
func (w *Booth) Verdict(l *client.Ledger, p *pb.Promise) (*pb.SlipCase, *slip.Finding) {
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
func (w *Booth) Tip() (height int64) {
	for _, each := range w.Net.Nodes {
		if running := each.Running(); running != nil {
			height = max(height, running.App().Tip().Height)
		}
	}
	return height
}
