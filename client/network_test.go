package client_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"votenode/app/state"
	"votenode/app/tx"
	"votenode/client"
	"votenode/client/keyfile"
	"votenode/crypto/ballot"
	"votenode/internal/testnet"
	people "votenode/internal/town"
	pb "votenode/proto/votenode/v1"
)

// town is a network with an election on it, as clients see it.
type town struct {
	*testing.T
	net      *testnet.Network
	ledger   *client.Ledger
	officers []client.Officer
	voters   []*ballot.SecretKey
}

const electionID = people.Election

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestNetwork goes through what people do on one network of four validators, and then lets nodes lie.
func TestNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a network")
	}
	t.Parallel()
	n := testnet.New(t, testnet.Options{Parameters: func(p *pb.Parameters) { p.Handover = 4 }})
	n.Start()
	n.WaitHeight(3)
	w := &town{T: t, net: n}
	var addresses []string
	for _, each := range n.Nodes {
		addresses = append(addresses, each.Gateway())
	}
	w.ledger = must(client.Open(t.Context(), n.Hash, addresses, func(node string, reason error) { t.Logf("%s: %v", node, reason) }))
	must(w.ledger.After(t.Context(), 0)) // blocks may have come before all validators signed, and nothing is certified without
	for _, o := range []string{"party", "league"} {
		w.officers = append(w.officers, client.Officer{Ledger: w.ledger, Key: n.Officers[o][0], Wait: client.WaitCertified})
	}
	for _, step := range []struct {
		name string
		run  func(w *town)
	}{
		{"documents", (*town).documents}, {"resolutions", (*town).resolutions}, {"roll", (*town).roll},
		{"ceremony", (*town).ceremony}, {"voting", (*town).voting}, {"challenge", (*town).challenge}, {"thief", (*town).thief}, {"lies", (*town).lies},
		{"validators", (*town).validators}, {"branch", (*town).branch},
	} {
		if !t.Run(step.name, func(t *testing.T) {
			w.T = t
			step.run(w)
		}) {
			return
		}
	}
}

// people returns the town as package town knows it.
func (w *town) people() *people.Town {
	return &people.Town{T: w.T, Net: w.net, Ledger: w.ledger, Officers: w.officers}
}

func (w *town) resolve(d *pb.Resolution) {
	w.Helper()
	w.people().Resolve(d)
}

// documents: a document of several chunks, interrupted and continued.
func (w *town) documents() {
	document := bytes.Repeat([]byte("rules of the house, "), 2*tx.ChunkSize/20+1)
	chunk := &pb.PublishDocument{Size_: uint64(len(document)), Chunk: document[:tx.ChunkSize]}
	hash := sha256.Sum256(document)
	chunk.Hash = hash[:]
	raw := tx.Sign(w.ledger.Chain(), chunk, w.officers[0].Key)
	if _, err := w.ledger.Send(w.Context(), raw, client.WaitCertified, func(ctx context.Context, v *client.View) (bool, error) {
		d, err := client.Load[pb.Document](ctx, v, state.UploadKey(hash[:], w.officers[0].Key[32:]))
		return d != nil, err
	}); err != nil {
		w.Fatal(err)
	}
	var told []int
	got, err := w.officers[0].Publish(w.Context(), document, func(n int) { told = append(told, n) })
	if err != nil || got != hash || fmt.Sprint(told) != fmt.Sprint([]int{2 * tx.ChunkSize, len(document)}) {
		w.Fatalf("%x, %v, %v", got, told, err)
	}
	back, err := client.LoadDocument(w.Context(), must(w.ledger.Certified(w.Context())), hash[:])
	if err != nil || !bytes.Equal(back, document) {
		w.Fatalf("%d bytes, %v", len(back), err)
	}
	if _, err := w.officers[0].Publish(w.Context(), document, func(int) { w.Error("published again") }); err != nil {
		w.Fatal(err)
	}
}

// resolutions: what is done twice is no error; what a stranger does is refused.
func (w *town) resolutions() {
	cancel := &pb.Resolution{Decision: &pb.Resolution_ChangeParameters{ChangeParameters: &pb.ChangeParameters{Parameters: w.ledger.Genesis().Parameters}}}
	hash, err := w.officers[0].Propose(w.Context(), cancel)
	if err != nil {
		w.Fatal(err)
	}
	if again, err := w.officers[0].Propose(w.Context(), cancel); err != nil || again != hash {
		w.Fatal(again, err)
	}
	for range 2 {
		if err := w.officers[0].Withdraw(w.Context(), hash); err != nil {
			w.Fatal(err)
		}
	}
	// Nothing that was done once is believed to be done again.
	if w.officers[0].Approve(w.Context(), hash) == nil && w.officers[0].Withdraw(w.Context(), hash) == nil {
		w.Error("withdrawn with the same bytes a second time")
	}
	stranger := client.Officer{Ledger: w.ledger, Key: must(must(keyfile.Generate(keyfile.Officer, rand.Reader)).Ed25519(keyfile.Officer))}
	var refusal *tx.Refusal
	if err := stranger.Approve(w.Context(), hash); !errors.As(err, &refusal) || refusal.Code != tx.CodeNotAuthorised {
		w.Errorf("a stranger approves: %v", err)
	}
	if err := w.officers[0].Approve(w.Context(), [32]byte{1}); !errors.As(err, &refusal) || refusal.Code != tx.CodeUnknownResolution {
		w.Errorf("an unknown resolution: %v", err)
	}
	if n := strings.Count(refusal.Error(), refusal.Code.Advice()); n != 1 {
		w.Errorf("the advice stands %d times in %q", n, refusal)
	}
	w.people().Create()
}

// roll: imported in two parts, the second over the first, and compared.
func (w *town) roll() {
	v := must(w.ledger.Certified(w.Context()))
	m := must(client.LoadManifest(w.Context(), v, must(client.LoadElection(w.Context(), v, electionID))))
	csv := "key,district\n"
	for i := range 5 {
		w.voters = append(w.voters, must(ballot.GenerateKey(rand.Reader)))
		csv += fmt.Sprintf("%x,%s\n", w.voters[i].Public().Bytes(), []string{"North", "South"}[i%2])
	}
	entries := must(client.ParseRoll(strings.NewReader(csv), m))
	keys := []ed25519.PrivateKey{w.net.Registrars["party"][0], w.net.Registrars["league"][0]}
	var refusal *tx.Refusal
	if _, err := client.Enrol(w.Context(), w.ledger, keys[:1], electionID, entries[:2], nil); !errors.As(err, &refusal) || refusal.Code != tx.CodeNotCosigned {
		w.Errorf("one registrar alone: %v", err)
	}
	if _, err := client.Enrol(w.Context(), w.ledger, keys, electionID, entries[:2], nil); err != nil {
		w.Fatal(err)
	}
	var told []int
	head, err := client.Enrol(w.Context(), w.ledger, keys, electionID, entries, func(n int) { told = append(told, n) })
	if err != nil || head.Size != 5 || fmt.Sprint(told) != "[3]" {
		w.Fatalf("%v, %v, %v", head, told, err)
	}
	v = must(w.ledger.Certified(w.Context()))
	slices.Reverse(entries)
	if _, err := client.CompareRoll(w.Context(), v, electionID, entries); err != nil {
		w.Error(err)
	}
	if _, err := client.CompareRoll(w.Context(), v, electionID, entries[1:]); !errors.Is(err, client.ErrVerification) {
		w.Errorf("an entry too many: %v", err)
	}
	entries[0].Style = 1 - entries[0].Style
	if _, err := client.CompareRoll(w.Context(), v, electionID, entries); !errors.Is(err, client.ErrVerification) {
		w.Errorf("another district: %v", err)
	}
	if _, err := client.Enrol(w.Context(), w.ledger, keys, electionID, entries, nil); err == nil {
		w.Error("a voter got a second district")
	}
	w.unsent(entries[:1])
	w.resolve(&pb.Resolution{Decision: &pb.Resolution_SealRoll{SealRoll: &pb.SealRoll{Election: electionID, Size_: head.Size, Root: head.Root[:]}}})
}

// unsent: a node says that it recorded entries where the roll has others.
func (w *town) unsent(entries []pb.RollEntry) {
	honest := w.liar("/none", nil)
	lying := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost:
			io.WriteString(rw, `{"results":[{"hash":"","code":0,"name":"ok","message":""}]}`)
		case strings.HasPrefix(r.URL.Path, "/v1/transactions/"):
			io.WriteString(rw, `{"hash":"","height":1,"index":0,"code":0,"name":"ok","message":""}`)
		default:
			http.Redirect(rw, r, honest+r.URL.RequestURI(), http.StatusTemporaryRedirect)
		}
	}))
	w.Cleanup(lying.Close)
	registrar := client.Registrar{Ledger: must(client.Open(w.Context(), w.net.Hash, []string{lying.URL}, nil)), Key: w.net.Registrars["party"][0]}
	parts := []pb.AddRollEntries{{Election: electionID, First: 1, Entries: entries}}
	if _, err := registrar.Submit(w.Context(), parts, nil); !errors.Is(err, client.ErrVerification) {
		w.Errorf("other entries: %v", err)
	}
}

// ceremony: six trustees follow the network and make the keys; then voting opens.
func (w *town) ceremony() { w.people().Ceremony() }

// voter returns a voter who looks its own place up.
func (w *town) voter(i int) client.Voter {
	w.Helper()
	v := must(w.ledger.Certified(w.Context()))
	index, err := client.FindVoter(w.Context(), v, electionID, w.voters[i].Public())
	if err != nil {
		w.Fatal(err)
	}
	return client.Voter{Ledger: w.ledger, Election: electionID, Index: index, Key: w.voters[i]}
}

// voting: a voter casts, casts again, and is seen in the voters' tree.
func (w *town) voting() {
	voter := w.voter(0)
	for round := range uint64(2) {
		p, err := voter.Prepare(w.Context(), [][]int{{0, 2}, {1}}, rand.Reader)
		if err != nil {
			w.Fatal(err)
		}
		if err := p.Cast(w.Context(), client.WaitCertified); err != nil {
			w.Fatal(err)
		}
		v := must(w.ledger.Certified(w.Context()))
		leaf := must(v.Voter(w.Context(), electionID, voter.Index))
		code := p.Code()
		if leaf.Status != pb.VOTER_COUNTS || leaf.Sequence != round+1 || string(leaf.Code) != string(code[:]) {
			w.Fatalf("leaf %v", leaf)
		}
		if err := p.Cast(w.Context(), client.WaitAccepted); !errors.Is(err, ballot.ErrSpent) {
			w.Errorf("cast twice: %v", err)
		}
		if _, err := p.Challenge(w.Context(), rand.Reader); err == nil {
			w.Error("a cast ballot was challenged")
		}
		// The next ballot of this voter is taken once block time has moved on by the interval.
		w.later()
	}
	if leaf := must(must(w.ledger.Certified(w.Context())).Voter(w.Context(), electionID, 1)); leaf.Status != pb.VOTER_NONE {
		w.Errorf("somebody else voted: %v", leaf)
	}
	other := w.voter(1)
	other.Index = voter.Index
	if _, err := other.Prepare(w.Context(), [][]int{{0, 2}, {1}}, rand.Reader); !errors.Is(err, client.ErrNotYourKey) {
		w.Errorf("another's place in the roll: %v", err)
	}
	other.Index = 5
	if _, err := other.Prepare(w.Context(), [][]int{{1}}, rand.Reader); !errors.Is(err, client.ErrAbsent) {
		w.Errorf("no place in the roll: %v", err)
	}
	stranger := must(ballot.GenerateKey(rand.Reader))
	if _, err := client.FindVoter(w.Context(), must(w.ledger.Certified(w.Context())), electionID, stranger.Public()); !errors.Is(err, client.ErrAbsent) {
		w.Errorf("a stranger in the roll: %v", err)
	}
}

// challenge: a ballot is barred, opened and checked; every change of what was opened is noticed; the next ballot has a new number.
func (w *town) challenge() {
	voter := w.voter(1)
	p := must(voter.Prepare(w.Context(), [][]int{{1}}, rand.Reader))
	code := p.Code()
	opened, err := p.Challenge(w.Context(), rand.Reader)
	if err != nil {
		w.Fatal(err)
	}
	opened = must(client.ParseChallenge(must(json.Marshal(opened))))
	if err := opened.Check(w.Context(), w.ledger, code); err != nil {
		w.Fatal(err)
	}
	for name, change := range map[string]func(c *client.Challenge){
		"genesis hash": func(c *client.Challenge) { c.GenesisHash = strings.Repeat("0", 64) },
		"style":        func(c *client.Challenge) { c.Style = 0 },
		"roll index":   func(c *client.Challenge) { c.RollIndex++ },
		"sequence":     func(c *client.Challenge) { c.Sequence++ },
		"code":         func(c *client.Challenge) { c.Code = ballot.FormatCode([32]byte{}) },
		"randomness":   func(c *client.Challenge) { c.Randomness = strings.Repeat("01", 31) + "00" },
		"cut off":      func(c *client.Challenge) { c.Randomness = "01" },
		"selections":   func(c *client.Challenge) { c.Selections = [][]int{{0}} },
		"nothing":      func(c *client.Challenge) { c.Selections = nil },
	} {
		changed := *opened
		change(&changed)
		if err := changed.Check(w.Context(), w.ledger, code); !errors.Is(err, client.ErrVerification) {
			w.Errorf("%s changed: %v", name, err)
		}
	}
	if err := opened.Check(w.Context(), w.ledger, [32]byte{1}); !errors.Is(err, client.ErrVerification) {
		w.Errorf("another code was noted: %v", err)
	}
	if _, err := client.ParseChallenge([]byte(`{"selection":[]}`)); err == nil {
		w.Error("an unknown field was taken")
	}
	if err := p.Cast(w.Context(), client.WaitAccepted); !errors.Is(err, ballot.ErrSpent) {
		w.Errorf("a challenged ballot was cast: %v", err)
	}
	next := must(voter.Prepare(w.Context(), [][]int{{0}}, rand.Reader))
	if err := next.Cast(w.Context(), client.WaitCertified); err != nil {
		w.Fatal(err)
	}
}

// liar passes everything on to an honest gateway and changes what it answers to one path.
func (w *town) liar(path string, change func(answer map[string]any)) string {
	honest := "http://" + strings.TrimPrefix(w.net.Nodes[0].Gateway(), "http://")
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		request := must(http.NewRequestWithContext(r.Context(), r.Method, honest+r.URL.RequestURI(), r.Body))
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			rw.WriteHeader(http.StatusBadGateway)
			return
		}
		defer response.Body.Close()
		body := must(io.ReadAll(response.Body))
		if strings.HasPrefix(r.URL.Path, path) && response.StatusCode == http.StatusOK {
			var answer map[string]any
			if err := json.Unmarshal(body, &answer); err != nil {
				panic(err)
			}
			change(answer)
			body = must(json.Marshal(answer))
		}
		rw.WriteHeader(response.StatusCode)
		rw.Write(body)
	}))
	w.Cleanup(server.Close)
	return server.URL
}

// flip changes one bit in the middle of a base64 field.
func flip(answer map[string]any, field string) {
	b := must(base64.StdEncoding.DecodeString(answer[field].(string)))
	b[len(b)/2] ^= 1
	answer[field] = base64.StdEncoding.EncodeToString(b)
}

// lies: whatever a node says wrong, it is not believed when it is alone, and told and passed over when another one is there.
func (w *town) lies() {
	ctx := w.Context()
	reads := func(l *client.Ledger) error {
		v, err := l.Certified(ctx)
		if err != nil {
			return err
		}
		e, err := client.LoadElection(ctx, v, electionID)
		if err == nil && e.Phase != pb.PHASE_VOTING {
			return errors.New("another election")
		}
		if err != nil {
			return err
		}
		if _, err := client.LoadElection(ctx, v, "none"); !errors.Is(err, client.ErrAbsent) {
			return fmt.Errorf("absence: %w", err)
		}
		entry, err := v.RollEntry(ctx, electionID, 2)
		if err == nil && string(entry.Key) != string(w.voters[2].Public().Bytes()) {
			return errors.New("another voter's key")
		}
		if err != nil {
			return err
		}
		roll, err := client.RollEntries(ctx, v, electionID)
		if err == nil && len(roll) != 5 {
			return errors.New("another roll")
		}
		if err != nil {
			return err
		}
		leaf, err := v.Voter(ctx, electionID, 0)
		if err == nil && leaf.Sequence != 2 {
			return errors.New("another leaf")
		}
		return err
	}
	if err := reads(w.ledger); err != nil {
		w.Fatal(err)
	}
	for name, lie := range map[string]struct {
		path   string
		change func(answer map[string]any)
	}{
		"genesis document":   {"/v1/genesis", func(a map[string]any) { flip(a, "document") }},
		"certified state":    {"/v1/certified", func(a map[string]any) { flip(a, "state") }},
		"record":             {"/v1/record", func(a map[string]any) { flip(a, "proof") }},
		"record of a height": {"/v1/record", func(a map[string]any) { a["height"] = a["height"].(float64) - 1 }},
		"leaf": {"/v1/log/leaves", func(a map[string]any) {
			leaves := a["leaves"].([]any)
			leaves[0] = base64.StdEncoding.EncodeToString([]byte("another"))
		}},
		"leaves left out": {"/v1/log/leaves", func(a map[string]any) { a["leaves"] = a["leaves"].([]any)[1:] }},
		"path": {"/v1/log/inclusion", func(a map[string]any) {
			path := a["path"].([]any)
			path[0] = base64.StdEncoding.EncodeToString(make([]byte, 32))
		}},
		"voter": {"/v1/voter", func(a map[string]any) { a["leaf"] = "" }},
	} {
		liar := w.liar(lie.path, lie.change)
		open := func(addresses ...string) (told []error, err error) {
			l, err := client.Open(ctx, w.net.Hash, addresses, func(node string, reason error) {
				if node == liar {
					told = append(told, reason)
				}
			})
			if err == nil {
				err = reads(l)
			}
			return told, err
		}
		if _, err := open(liar); err == nil || !errors.Is(err, client.ErrVerification) && !strings.Contains(err.Error(), "the node sends") {
			w.Errorf("%s: alone it was believed: %v", name, err)
		}
		told, err := open(liar, w.net.Nodes[3].Gateway())
		if err != nil {
			w.Errorf("%s: with an honest node beside it: %v", name, err)
		}
		if len(told) == 0 {
			w.Errorf("%s: nobody was told", name)
		}
	}
	w.swallowed()
	if _, err := client.Open(ctx, [32]byte{1}, []string{w.net.Nodes[0].Gateway()}, nil); !errors.Is(err, client.ErrVerification) {
		w.Errorf("another genesis hash: %v", err)
	}
}

// validators: a client goes on when the validator set changes, a new one starts behind the change, and one whose nodes hide the change
// believes nothing.
func (w *town) validators() {
	v := must(w.ledger.Certified(w.Context()))
	epochs := must(client.MustLoad[pb.ValidatorEpochs](w.Context(), v, state.KeyValidators))
	list := epochs.Present.Validators
	for i := range list {
		list[i].Power++
	}
	w.resolve(&pb.Resolution{Decision: &pb.Resolution_ChangeValidators{ChangeValidators: &pb.ChangeValidators{Validators: list}}})
	reached := func(l *client.Ledger) error {
		_, err := l.Until(w.Context(), func(_ context.Context, v *client.View) (bool, error) { return v.Epoch() == 2, nil })
		return err
	}
	if err := reached(w.ledger); err != nil {
		w.Fatal(err)
	}
	for _, n := range w.net.Nodes[:2] { // the first is the one behind the liar
		if err := reached(must(client.Open(w.Context(), w.net.Hash, []string{n.Gateway()}, nil))); err != nil {
			w.Fatal(err)
		}
	}
	liar := w.liar("/v1/epochs", func(a map[string]any) { a["proofs"] = []any{} })
	if _, err := must(client.Open(w.Context(), w.net.Hash, []string{liar}, nil)).Certified(w.Context()); !errors.Is(err, client.ErrVerification) {
		w.Errorf("a hidden validator set: %v", err)
	}
	if err := reached(must(client.Open(w.Context(), w.net.Hash, []string{liar, w.net.Nodes[1].Gateway()}, nil))); err != nil {
		w.Error(err)
	}
}

// swallowed: a node says that it takes a transaction and drops it; the next node brings it into a block.
func (w *town) swallowed() {
	liar := w.liar("/v1/transactions", func(a map[string]any) {})
	dropping := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			io.WriteString(rw, `{"results":[{"hash":"","code":0,"name":"ok","message":""}]}`)
			return
		}
		http.Redirect(rw, r, liar+r.URL.RequestURI(), http.StatusTemporaryRedirect)
	}))
	w.Cleanup(dropping.Close)
	var told []error
	l := must(client.Open(w.Context(), w.net.Hash, []string{dropping.URL, w.net.Nodes[2].Gateway()}, func(node string, reason error) {
		told = append(told, reason)
	}))
	l.Impatient()
	officer := client.Officer{Ledger: l, Key: w.officers[1].Key, Wait: client.WaitCommitted}
	if _, err := officer.Publish(w.Context(), []byte("against the odds"), nil); err != nil {
		w.Fatal(err)
	}
	if len(told) != 1 || !strings.Contains(told[0].Error(), "in no block") {
		w.Errorf("told %v", told)
	}
}
