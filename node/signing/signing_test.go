package signing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	privvalproto "github.com/cometbft/cometbft/proto/tendermint/privval"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
)

const chain = "chain"

var quiet = slog.New(slog.DiscardHandler)

// patience bounds every wait; a machine may be slow.
const patience = time.Minute

func vote(height int64, round int32, block byte) *cmtproto.Vote {
	hash := bytes.Repeat([]byte{block}, 32)
	return &cmtproto.Vote{
		Type: cmtproto.PrecommitType, Height: height, Round: round, Timestamp: time.Unix(1_700_000_000, 0).UTC(),
		BlockID: cmtproto.BlockID{Hash: hash, PartSetHeader: cmtproto.PartSetHeader{Total: 1, Hash: hash}},
	}
}

// pair is a node's end and a signer's folder that belong together.
type pair struct {
	t          *testing.T
	own        cmted25519.PrivKey
	signer     string
	node       string
	keys       Keys
	asked      string
	link       *Link
	log        *slog.Logger // of the link
	stopSigner func() error
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{t: t, log: quiet, own: cmted25519.GenPrivKey(), signer: filepath.Join(t.TempDir(), "signer"), asked: filepath.Join(t.TempDir(), "asked.json")}
	p.must(Init(p.signer))
	keys, err := PublicKeys(p.signer)
	p.must(err)
	p.keys = keys
	p.must(CreateJSON(p.asked, NewAsked()))
	p.listen()
	p.must(Pair(p.signer, p.pairing()))
	return p
}

func (p *pair) pairing() Pairing {
	return Pairing{Node: p.node, NodeKey: Hex(p.own.PubKey().(cmted25519.PubKey)), Chain: chain}
}

func (p *pair) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// listen begins the node's end; it ends with the test.
func (p *pair) listen() {
	p.t.Helper()
	address := p.node
	if address == "" {
		address = "127.0.0.1:0"
	}
	link, err := Listen(LinkOptions{Listen: address, Own: p.own, Signer: p.keys.Connection, Consensus: p.keys.Consensus, Chain: chain, Logger: p.log})
	p.must(err)
	p.link, p.node = link, link.Addr()
	p.t.Cleanup(func() { link.Close() })
}

// key opens the node's key anew, as after a restart.
func (p *pair) key() *RemoteKey {
	p.t.Helper()
	k, err := OpenRemoteKey(p.link, p.asked)
	p.must(err)
	return k
}

// run runs the signer until the test ends or stop is called.
func (p *pair) run() {
	p.t.Helper()
	s, err := Open(p.signer, quiet)
	p.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stopped := false
	p.stopSigner = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return errors.Join(<-ended, s.Close())
	}
	p.t.Cleanup(func() { p.stopSigner() })
	p.wait(true)
}

// wait waits until the node's end reaches the signer, or does not any more.
func (p *pair) wait(reached bool) {
	p.t.Helper()
	limit, again := time.After(patience), time.NewTicker(5*time.Millisecond)
	defer again.Stop()
	for {
		_, err := p.link.Reached()
		if (err == nil) == reached {
			return
		}
		select {
		case <-again.C:
		case <-limit:
			p.t.Fatal("reached:", err)
		}
	}
}

// waitOther waits until the node's end has another connection, and returns it.
func (p *pair) waitOther(than net.Conn) net.Conn {
	p.t.Helper()
	limit, again := time.After(patience), time.NewTicker(5*time.Millisecond)
	defer again.Stop()
	for {
		if conn, err := p.link.current(); err == nil && conn != than {
			return conn
		}
		select {
		case <-again.C:
		case <-limit:
			p.t.Fatal("no other connection")
		}
	}
}

func (p *pair) stop() {
	p.t.Helper()
	p.must(p.stopSigner())
	p.wait(false)
}

// TestRemoteSignatures: votes and proposals are signed with the signer's key, for the time that was asked for.
func TestRemoteSignatures(t *testing.T) {
	p := newPair(t)
	p.run()
	k := p.key()
	proposal := &cmtproto.Proposal{Type: cmtproto.ProposalType, Height: 5, PolRound: -1, BlockID: vote(5, 0, 1).BlockID, Timestamp: time.Unix(1_700_000_000, 0).UTC()}
	p.must(k.SignProposal(chain, proposal))
	if !p.keys.Consensus.VerifySignature(cmttypes.ProposalSignBytes(chain, proposal), proposal.Signature) {
		t.Error("the proposal's signature does not hold")
	}
	v := vote(5, 0, 1)
	p.must(k.SignVote(chain, v))
	if !p.keys.Consensus.VerifySignature(cmttypes.VoteSignBytes(chain, v), v.Signature) || !v.Timestamp.Equal(vote(5, 0, 1).Timestamp) {
		t.Error("the vote's signature does not hold")
	}
	if k.Last() != (Position{5, 0, StepPrecommit}) {
		t.Error(k.Last())
	}
	if err := k.SignVote("another", vote(6, 0, 1)); err == nil {
		t.Error("signed for another chain")
	}
}

// TestRemoteNeverSignsTwice: neither end signs two things at one position, each for itself, across restarts; the same vote at another
// time gets the first signature with its time.
func TestRemoteNeverSignsTwice(t *testing.T) {
	p := newPair(t)
	p.run()
	first := vote(5, 1, 1)
	p.must(p.key().SignVote(chain, first))
	p.stop()
	p.run()
	k := p.key()
	again := vote(5, 1, 1)
	again.Timestamp = again.Timestamp.Add(time.Second)
	p.must(k.SignVote(chain, again))
	if !bytes.Equal(again.Signature, first.Signature) || !again.Timestamp.Equal(first.Timestamp) {
		t.Error("the same vote does not get the same signature")
	}
	for _, v := range []*cmtproto.Vote{vote(5, 1, 2), vote(5, 0, 1), vote(4, 7, 1)} {
		if err := k.SignVote(chain, v); !errors.Is(err, ErrConflict) || v.Signature != nil {
			t.Errorf("signed %d/%d: %v", v.Height, v.Round, err)
		}
		// The node's memory apart: the signer refuses by its own.
		_, err := k.ask(must(p.link.current()), voteRequest(chain, v))
		var refused *RefusedError
		if !errors.As(err, &refused) {
			t.Errorf("the signer signed %d/%d: %v", v.Height, v.Round, err)
		}
	}
	p.must(k.SignVote(chain, vote(6, 0, 1)))
}

// TestAskedBeforeSigned: what is asked is on the node's disk before it is asked. When the answer is lost, nothing else is asked there.
func TestAskedBeforeSigned(t *testing.T) {
	p := newPair(t)
	p.run()
	k := p.key()
	p.must(k.SignVote(chain, vote(5, 0, 1)))
	p.must(k.remember(voteRequest(chain, vote(6, 0, 1)))) // and killed
	k = p.key()
	if k.Last() != (Position{6, 0, StepPrecommit}) {
		t.Fatal(k.Last())
	}
	if err := k.SignVote(chain, vote(6, 0, 2)); !errors.Is(err, ErrConflict) {
		t.Error(err)
	}
	p.must(k.SignVote(chain, vote(6, 0, 1)))

	dir := filepath.Dir(p.asked)
	p.must(os.Rename(dir, dir+".gone"))
	v := vote(7, 0, 1)
	if err := k.SignVote(chain, v); !errors.Is(err, ErrNotOnDisk) || v.Signature != nil {
		t.Error(err)
	}
	p.must(os.Rename(dir+".gone", dir))
	if err := k.SignVote(chain, vote(8, 0, 1)); !errors.Is(err, ErrNotOnDisk) {
		t.Error("it signs on", err)
	}
}

// TestRestoredSigner: a signer with an old sign state signs nothing twice, for the node does not ask, and learns what it has signed.
func TestRestoredSigner(t *testing.T) {
	p := newPair(t)
	state := Home(p.signer).signState()
	p.run()
	k := p.key()
	p.must(k.SignVote(chain, vote(5, 0, 1)))
	old, err := os.ReadFile(state)
	p.must(err)
	signed := vote(9, 0, 1)
	p.must(k.SignVote(chain, signed))
	p.stop()
	p.must(os.WriteFile(state, old, 0o600))
	p.run()
	k = p.key()
	for _, v := range []*cmtproto.Vote{vote(6, 0, 2), vote(9, 0, 2)} {
		if err := k.SignVote(chain, v); !errors.Is(err, ErrConflict) {
			t.Error(err)
		}
	}
	key, err := OpenFileKey(Home(p.signer).consensusKey(), state)
	p.must(err)
	if key.Last() != (Position{9, 0, StepPrecommit}) {
		t.Error("the signer has not learnt what it signed:", key.Last())
	}
	p.must(k.SignVote(chain, vote(10, 0, 1)))
}

// TestRestoredHome: a node with an old state of its own, or with another home, gets nothing from a signer that has signed more.
func TestRestoredHome(t *testing.T) {
	p := newPair(t)
	fresh, err := os.ReadFile(p.asked)
	p.must(err)
	p.run()
	k := p.key()
	p.must(k.SignVote(chain, vote(5, 0, 1)))
	old, err := os.ReadFile(p.asked)
	p.must(err)
	p.must(k.SignVote(chain, vote(9, 0, 1)))
	for name, state := range map[string][]byte{"old": old, "another": fresh} {
		p.must(os.WriteFile(p.asked, state, 0o600))
		k := p.key()
		for _, height := range []int64{6, 20} {
			v := vote(height, 0, 1)
			if err := k.SignVote(chain, v); !errors.Is(err, ErrSignerAhead) || v.Signature != nil {
				t.Errorf("%s home, height %d: %v", name, height, err)
			}
		}
	}
	p.must(os.Remove(p.asked))
	if _, err := OpenRemoteKey(p.link, p.asked); !errors.Is(err, ErrSignStateMissing) {
		t.Error(err)
	}
}

// TestWrongPeers: a signer serves only its node, and a node listens to its signer only, whoever else dials or listens; a stranger does not
// push out the signer.
func TestWrongPeers(t *testing.T) {
	p, other := newPair(t), newPair(t)
	p.run()
	conn, err := net.Dial("tcp", p.node)
	p.must(err)
	secret, err := secure(conn, cmted25519.GenPrivKey(), p.own.PubKey().(cmted25519.PubKey))
	p.must(err) // the node has proved itself; that the dialler is nobody it finds out now
	if _, err := receive(secret, patience); err == nil {
		t.Error("the node asks a stranger")
	}
	p.must(p.key().SignVote(chain, vote(5, 0, 1)))

	stranger, err := Open(other.signer, quiet)
	p.must(err)
	defer stranger.Close()
	stranger.pairing.Node = p.node
	if err := stranger.serve(t.Context()); !errors.Is(err, ErrPeer) {
		t.Error("a signer serves another node:", err)
	}
}

// TestWrongKeyOrChain: a signer with another consensus key, or for another chain, is refused with a reason.
func TestWrongKeyOrChain(t *testing.T) {
	for want, change := range map[string]func(o *LinkOptions){
		"this node's is":  func(o *LinkOptions) { o.Consensus = cmted25519.GenPrivKey().PubKey().(cmted25519.PubKey) },
		"on the chain":    func(o *LinkOptions) { o.Chain = "another" },
		"has not dialled": func(o *LinkOptions) { o.Signer = cmted25519.GenPrivKey().PubKey().(cmted25519.PubKey) },
	} {
		p := newPair(t)
		p.must(p.link.Close())
		change(&p.link.o)
		p.link.o.Listen = p.node
		link, err := Listen(p.link.o)
		p.must(err)
		s, err := Open(p.signer, quiet)
		p.must(err)
		if err := s.serve(t.Context()); err == nil {
			t.Error(want, "served")
		}
		p.must(link.Close())
		if _, err := link.Reached(); !errors.Is(err, ErrUnreached) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
		p.must(s.Close())
	}
}

// TestSilence: who dials in and says nothing keeps neither the signer nor a signature waiting; a signer that answers no more is given up,
// and without one the node does not wait.
func TestSilence(t *testing.T) {
	p := newPair(t)
	for range 40 * maxHandshakes {
		conn, err := net.Dial("tcp", p.node)
		p.must(err)
		defer conn.Close()
	}
	p.run()
	k := p.key()
	p.must(k.SignVote(chain, vote(5, 0, 1)))
	p.stop()

	p.dial() // a connection that is open and dead
	v := vote(6, 0, 1)
	if err := k.SignVote(chain, v); !errors.Is(err, ErrUnreached) || v.Signature != nil {
		t.Error(err)
	}
	since, err := p.link.Reached()
	if !errors.Is(err, ErrUnreached) || since.IsZero() {
		t.Error("a dead connection stays")
	}
	if err := k.SignVote(chain, vote(7, 0, 1)); !errors.Is(err, ErrUnreached) {
		t.Error(err)
	}
	if k.Last().Height != 5 {
		t.Error("what could not be asked is remembered as asked:", k.Last())
	}
	p.run() // a new connection, and it goes on
	p.must(k.SignVote(chain, vote(6, 0, 2)))
}

// dial connects with the signer's keys and answers what the node asks of a new connection, and no more. It ends with the test.
func (p *pair) dial() (net.Conn, *Signer) {
	p.t.Helper()
	h := Home(p.signer)
	secret, err := secure(must(net.Dial("tcp", p.node)), must(ConnectionKey(h.connection())), p.own.PubKey().(cmted25519.PubKey))
	p.must(err)
	p.t.Cleanup(func() { secret.Close() })
	s := &Signer{pairing: p.pairing(), log: quiet, key: must(OpenFileKey(h.consensusKey(), h.signState()))}
	answer, err := s.answer(must(receive(secret, patience)))
	p.must(err)
	p.must(send(secret, answer, patience))
	p.wait(true)
	return secret, s
}

// wrongly connects as a signer that answers pings and the first requests for a signature, so many, and then otherwise.
func (p *pair) wrongly(rightly int, otherwise func(answer *privvalproto.Message) []*privvalproto.Message) {
	p.t.Helper()
	conn, s := p.dial()
	go func() {
		for {
			m, err := receive(conn, patience)
			if err != nil {
				return
			}
			answer := must(s.answer(m))
			answers := []*privvalproto.Message{answer}
			if m.GetPingRequest() == nil {
				if rightly--; rightly < 0 {
					answers = otherwise(answer)
				}
			}
			for _, answer := range answers {
				if send(conn, answer, patience) != nil {
					return
				}
			}
		}
	}()
}

// TestWrongAnswers: no answer brings out anything but the signature that was asked for, and a connection that brought a wrong one is given
// up: with the signer on a new one the node goes on.
func TestWrongAnswers(t *testing.T) {
	other := cmted25519.GenPrivKey()
	var own crypto.PrivKey // the signer's
	sign := func(v *cmtproto.Vote) { v.Signature = must(own.Sign(cmttypes.VoteSignBytes(chain, v))) }
	for name, change := range map[string]func(v *cmtproto.Vote){
		"other bytes":     func(v *cmtproto.Vote) { v.BlockID.Hash = bytes.Repeat([]byte{9}, 32) },
		"another block":   func(v *cmtproto.Vote) { v.BlockID.Hash = bytes.Repeat([]byte{9}, 32); sign(v) },
		"another round":   func(v *cmtproto.Vote) { v.Round++; sign(v) },
		"another height":  func(v *cmtproto.Vote) { v.Height++ },
		"another step":    func(v *cmtproto.Vote) { v.Type = cmtproto.PrevoteType },
		"another key":     func(v *cmtproto.Vote) { v.Signature = must(other.Sign(cmttypes.VoteSignBytes(chain, v))) },
		"another time":    func(v *cmtproto.Vote) { v.Timestamp = v.Timestamp.Add(time.Second) },
		"no block id":     func(v *cmtproto.Vote) { v.BlockID.Hash = []byte{1} },
		"no type":         func(v *cmtproto.Vote) { v.Type = 0 },
		"no signature":    func(v *cmtproto.Vote) { v.Signature = nil },
		"not the vote":    nil,
		"nothing at all":  nil,
		"each one twice":  nil,
		"a ping's answer": nil,
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			own = must(ReadKey(Home(p.signer).consensusKey())).PrivKey
			p.wrongly(1, func(answer *privvalproto.Message) []*privvalproto.Message {
				switch {
				case name == "not the vote":
					return []*privvalproto.Message{{Sum: &privvalproto.Message_SignedProposalResponse{SignedProposalResponse: &privvalproto.SignedProposalResponse{}}}}
				case name == "nothing at all":
					return []*privvalproto.Message{{}}
				case name == "each one twice":
					return []*privvalproto.Message{answer, answer}
				case name == "a ping's answer":
					return []*privvalproto.Message{{Sum: &privvalproto.Message_PingResponse{PingResponse: &privvalproto.PingResponse{}}}}
				}
				change(&answer.GetSignedVoteResponse().Vote)
				return []*privvalproto.Message{answer}
			})
			k := p.key()
			v := vote(5, 0, 1)
			err := k.SignVote(chain, v)
			if name != "each one twice" && (!errors.Is(err, ErrUnreached) || v.Signature != nil) {
				t.Fatal(err)
			}
			p.wait(false) // after two of one the next ping, if nothing else, gets the answer to something else
			p.run()
			p.must(k.SignVote(chain, vote(6, 0, 1)))
		})
	}
}

// TestExtensionSignature: there are no vote extensions, and CometBFT stops for good over a prevote that comes with the signature of one.
func TestExtensionSignature(t *testing.T) {
	p := newPair(t)
	p.wrongly(1, func(answer *privvalproto.Message) []*privvalproto.Message {
		answer.GetSignedVoteResponse().Vote.ExtensionSignature = make([]byte, 64)
		return []*privvalproto.Message{answer}
	})
	v := vote(5, 0, 1)
	v.Type = cmtproto.PrevoteType
	p.must(p.key().SignVote(chain, v))
	if v.ExtensionSignature != nil {
		t.Errorf("%x", v.ExtensionSignature)
	}
}

// TestAgreeAnew: whoever is at the other end of a new connection has to sign again what was asked last, before anything else is asked: a
// signer that was lost in that moment, and one that has served another home since, while this one ran.
func TestAgreeAnew(t *testing.T) {
	p := newPair(t)
	p.wrongly(0, func(*privvalproto.Message) []*privvalproto.Message { return nil })
	k := p.key()
	if err := k.SignVote(chain, vote(5, 0, 1)); !errors.Is(err, ErrUnreached) {
		t.Fatal(err)
	}
	p.wait(false)
	ahead := func(height int64) {
		t.Helper()
		key := must(OpenFileKey(Home(p.signer).consensusKey(), Home(p.signer).signState()))
		p.must(key.SignVote(chain, vote(height, 0, 1)))
	}
	ahead(9)
	p.run()
	if err := k.SignVote(chain, vote(20, 0, 1)); !errors.Is(err, ErrSignerAhead) {
		t.Error("a signer that could not be asked at the start counts as agreed:", err)
	}

	p = newPair(t)
	p.run()
	k = p.key()
	p.must(k.SignVote(chain, vote(5, 0, 1)))
	p.stop()
	ahead(6)
	p.run()
	v := vote(20, 0, 1)
	if err := k.SignVote(chain, v); !errors.Is(err, ErrSignerAhead) || v.Signature != nil {
		t.Error("a signer that has served another home meanwhile signs on:", err)
	}
}

// TestTwoSigners: of two that have the same folder's copies the one that is connected stays, and the log says that there is another.
func TestTwoSigners(t *testing.T) {
	p := newPair(t)
	p.must(p.link.Close())
	said := &lines{found: make(chan struct{}), text: "another signer with the same connection key"}
	p.log = slog.New(slog.NewTextHandler(said, nil))
	p.listen()
	p.run()
	k := p.key()
	p.must(k.SignVote(chain, vote(5, 0, 1)))

	first := must(p.link.current())
	p.must(p.stopSigner()) // and started again before the node has noticed
	p.run()
	connected := p.waitOther(first)
	select {
	case <-said.found:
		t.Error("a signer that was started again is taken for a copy of itself")
	default:
	}

	copied := filepath.Join(t.TempDir(), "copy")
	p.must(os.CopyFS(copied, os.DirFS(p.signer)))
	for _, file := range []string{Home(copied).consensusKey(), Home(copied).connection()} {
		p.must(os.Chmod(file, 0o600))
	}
	twin, err := Open(copied, quiet)
	p.must(err)
	defer twin.Close()
	if err := twin.serve(t.Context()); err == nil {
		t.Error("served")
	}
	select {
	case <-said.found:
	case <-time.After(patience):
		t.Error("nothing is said of it")
	}
	if now, err := p.link.current(); err != nil || now != connected {
		t.Error("it took the place of the one that is connected", err)
	}
	p.must(k.SignVote(chain, vote(6, 0, 1)))
}

// lines waits for a text in what is written.
type lines struct {
	text  string
	once  sync.Once
	found chan struct{}
}

func (l *lines) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(l.text)) {
		l.once.Do(func() { close(l.found) })
	}
	return len(b), nil
}

// TestTold: the log says once a minute that the node is not served, with another reason each time though it be.
func TestTold(t *testing.T) {
	var out bytes.Buffer
	s := &Signer{log: slog.New(slog.NewTextHandler(&out, nil))}
	for port := range 100 {
		s.tellLost(fmt.Errorf("read tcp 127.0.0.1:%d: connection reset by peer", 40_000+port))
		s.tellServed(&net.TCPAddr{})
	}
	if n := strings.Count(out.String(), "\n"); n != 2 {
		t.Errorf("%d lines", n)
	}
	s.told = s.told.Add(-tellInterval)
	s.tellLost(errors.New("again"))
	if !strings.Contains(out.String(), "times=100") {
		t.Error(out.String())
	}
}

// TestWrongStates: a sign state that is not what was written, or contradicts itself, is never read as that of a key that has signed less.
func TestWrongStates(t *testing.T) {
	p := newPair(t)
	p.run()
	k := p.key()
	p.must(k.SignVote(chain, vote(5, 0, 1)))
	p.stop()
	h := Home(p.signer)
	open := map[string]func() error{
		h.signState(): func() error { _, err := OpenFileKey(h.consensusKey(), h.signState()); return err },
		p.asked:       func() error { _, err := OpenRemoteKey(p.link, p.asked); return err },
	}
	for path, open := range open {
		p.must(open())
		good := must(os.ReadFile(path))
		for _, wrong := range []string{
			"", "{}", "null", "[]", `{"height": "0", "round": 0, "step": 0}`, string(good) + "{}",
			strings.Replace(string(good), `"height": "5"`, `"height": "4"`, 1),
			strings.Replace(string(good), `"step": 3`, `"step": 2`, 1),
			strings.Replace(string(good), `"request"`, `"Request"`, 1),
			strings.Replace(string(good), "{", `{"more": 1,`, 1),
		} {
			if wrong == string(good) {
				continue
			}
			p.must(os.WriteFile(path, []byte(wrong), 0o600))
			if err := open(); !errors.Is(err, ErrSignStateDamaged) {
				t.Errorf("%s: %q: %v", path, wrong, err)
			}
		}
		p.must(os.WriteFile(path, append(good, '\n'), 0o600))
		p.must(open())
	}
}

// TestPermissions: a key that others may read is not used.
func TestPermissions(t *testing.T) {
	p := newPair(t)
	for _, file := range []string{Home(p.signer).consensusKey(), Home(p.signer).connection()} {
		p.must(os.Chmod(file, 0o640))
		if _, err := Open(p.signer, quiet); !errors.Is(err, ErrPermissions) {
			t.Error(file, err)
		}
		p.must(os.Chmod(file, 0o600))
	}
	s, err := Open(p.signer, quiet)
	p.must(err)
	p.must(s.Close())
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestAnswers: a signer that was asked for something it does not know ends the connection or refuses, and lives on.
func TestAnswers(t *testing.T) {
	p := newPair(t)
	s, err := Open(p.signer, quiet)
	p.must(err)
	defer s.Close()
	strange, torn := vote(5, 0, 1), vote(5, 0, 1)
	strange.Type = 7
	torn.BlockID.Hash = []byte{1}
	for name, m := range map[string]func() (string, error){
		"no vote": func() (string, error) {
			a, err := s.answer(voteRequest(chain, nil))
			return a.GetSignedVoteResponse().Error.GetDescription(), err
		},
		"strange vote": func() (string, error) {
			a, err := s.answer(voteRequest(chain, strange))
			return a.GetSignedVoteResponse().Error.GetDescription(), err
		},
		"no block id": func() (string, error) {
			a, err := s.answer(voteRequest(chain, torn))
			return a.GetSignedVoteResponse().Error.GetDescription(), err
		},
		"no proposal": func() (string, error) {
			a, err := s.answer(proposalRequest(chain, nil))
			return a.GetSignedProposalResponse().Error.GetDescription(), err
		},
		"another chain": func() (string, error) {
			a, err := s.answer(voteRequest("another", vote(5, 0, 1)))
			return a.GetSignedVoteResponse().Error.GetDescription(), err
		},
	} {
		if refused, err := m(); err != nil || refused == "" {
			t.Errorf("%s: %q %v", name, refused, err)
		}
	}
	if s.key.Last() != (Position{}) {
		t.Error(s.key.Last())
	}
}

// TestSignerEndsOnABadDisk: when the sign state cannot be written no signature leaves, and the signer ends with the reason; the node does not
// take that for a signer that has signed more.
func TestSignerEndsOnABadDisk(t *testing.T) {
	p := newPair(t)
	s, err := Open(p.signer, quiet)
	p.must(err)
	defer s.Close()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(t.Context()) }()
	p.wait(true)
	k := p.key()
	p.must(k.SignVote(chain, vote(5, 0, 1)))
	dir := filepath.Dir(Home(p.signer).signState())
	p.must(os.Rename(dir, dir+".gone"))
	v := vote(6, 0, 1)
	if err := k.SignVote(chain, v); !errors.Is(err, ErrUnreached) || v.Signature != nil {
		t.Error(err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, ErrNotOnDisk) {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("it goes on")
	}
}

// TestSignerFolder: keys are never overwritten, one process has the folder, the pairing is for ever but for the address.
func TestSignerFolder(t *testing.T) {
	p := newPair(t)
	if err := Init(p.signer); err == nil {
		t.Error("keys are overwritten")
	}
	moved := p.pairing()
	moved.Node = "127.0.0.1:1"
	p.must(Pair(p.signer, moved))
	for i, change := range []func(*Pairing){
		func(p *Pairing) { p.Chain = "another" },
		func(p *Pairing) { p.NodeKey = fmt.Sprintf("%064x", 1) },
		func(p *Pairing) { p.Node = "nowhere" },
		func(p *Pairing) { p.NodeKey = "00" },
	} {
		other := p.pairing()
		change(&other)
		if err := Pair(p.signer, other); err == nil {
			t.Error(i, "taken")
		}
	}
	s, err := Open(p.signer, quiet)
	p.must(err)
	os.Remove(filepath.Join(p.signer, "lock")) // as who thinks it a remnant would
	if _, err := Open(p.signer, quiet); !errors.Is(err, ErrRunning) {
		t.Error(err)
	}
	if err := Pair(p.signer, p.pairing()); !errors.Is(err, ErrRunning) {
		t.Error("the address changes, and the signer goes on with the old one", err)
	}
	p.must(s.Close())
	p.must(os.Remove(Home(p.signer).signState()))
	if _, err := Open(p.signer, quiet); !errors.Is(err, ErrSignStateMissing) {
		t.Error(err)
	}
	unpaired := filepath.Join(t.TempDir(), "signer")
	p.must(Init(unpaired))
	if _, err := Open(unpaired, quiet); err == nil || !strings.Contains(err.Error(), "votenode signer pair") {
		t.Error(err)
	}
}
