package trustee

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/client"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

var ctx = context.Background()

// hold runs an election to its end with the trustees given, who were appointed.
func (w *world) hold(all []*seated, voters []*ballot.SecretKey) {
	w.t.Helper()
	w.rounds(8, all)
	w.open()
	w.rounds(1, all)
	w.vote(voters)
	w.close()
	w.rounds(8, all)
	w.phase(pb.PHASE_FINAL)
	w.expectResult(0, pb.RESULT_OPENED, 4, 4, 4, 0)
	w.expectResult(1, pb.RESULT_OPENED, 3, 3, 0)
	w.expectResult(2, pb.RESULT_WITHHELD, 1)
}

func (w *world) expectResult(contest uint32, status pb.ResultStatus, ballots uint64, votes ...uint64) {
	w.t.Helper()
	r := must(state.MustLoad[pb.Result](w.view(), state.ResultKey(electionID, contest)))
	if r.Status != status || r.Ballots != ballots || fmt.Sprint(r.Votes) != fmt.Sprint(votes) {
		w.t.Fatalf("result of contest %d is %v", contest, r)
	}
}

func TestWholeElection(t *testing.T) {
	w := newWorld(t)
	voters := w.appoint(3)
	all := w.trustees(3)
	w.hold(all, voters)
	for _, s := range all {
		names := must(s.Store.list(electionID))
		if len(names) != 1 || !isOpened(names[0]) {
			t.Errorf("%s keeps %q after the election", s.name, names)
		}
		if !s.allOver() {
			t.Errorf("%s does not see that all is over", s.name)
		}
		// Five transactions, each sent once: the ledger had taken every one when the next state was looked at.
		if n := len(s.line.sent); n != 5 {
			t.Errorf("%s sent %d transactions", s.name, n)
		}
	}
}

// TestMergedSum: of a contest into which another is merged trustees open the sum of both, and never its own.
func TestMergedSum(t *testing.T) {
	w := newWorld(t)
	village := w.rules.Contests[1]
	village.Title, village.Merge = "Village", 2
	w.rules.Contests[2] = village
	voters := w.appoint(3)
	all := w.trustees(3)
	w.rounds(8, all)
	w.open()
	w.vote(voters)
	w.close()
	w.rounds(8, all)
	w.phase(pb.PHASE_FINAL)
	w.expectResult(1, pb.RESULT_OPENED, 4, 4, 0)
	w.expectResult(2, pb.RESULT_MERGED, 1)
	merged := must(w.view().Record(state.MergedSumKey(electionID, 1)))
	for _, s := range all {
		for _, name := range must(s.Store.list(electionID)) {
			var list []opened
			must(s.Store.load(name, &list))
			for _, o := range list {
				if o.Contest == 2 || o.Contest == 1 && !bytes.Equal(o.Sum, merged[8:]) {
					t.Errorf("%s opened another sum of contest %d", s.name, o.Contest)
				}
			}
		}
	}
}

// TestOneOfThreeIsGone: two trustees of each organisation open the sums.
func TestOneOfThreeIsGone(t *testing.T) {
	w := newWorld(t)
	voters := w.appoint(3)
	all := w.trustees(3)
	w.rounds(8, all)
	w.hold([]*seated{all[1], all[2], all[3], all[5]}, voters)
}

// TestKilledAnywhere kills one trustee at each of its submissions, when it was lost on the way and when it arrived, and starts it
// again with its folder: nobody notices.
func TestKilledAnywhere(t *testing.T) {
	errKilled := errors.New("killed")
	for n := range 5 {
		for _, arrived := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d/%t", n, arrived), func(t *testing.T) {
				w := newWorld(t)
				voters := w.appoint(3)
				all := w.trustees(3)
				count := 0
				var first []byte
				all[1].line.tap = func(raw []byte) ([]byte, error) {
					defer func() { count++ }()
					if count == n {
						first = raw
						if arrived {
							return raw, errKilled
						}
						return nil, errKilled
					}
					if count == n+1 && !arrived && !bytes.Equal(raw, first) {
						t.Error("after the restart another transaction was made")
					}
					return raw, nil
				}
				w.hold(all, voters)
				if count <= n {
					t.Fatal("never killed")
				}
				if c := w.ceremony("league"); c.Attempt != 1 {
					t.Errorf("the ceremony took %d attempts", c.Attempt)
				}
			})
		}
	}
}

// TestRestartedAlways restarts every trustee before every step.
func TestRestartedAlways(t *testing.T) {
	w := newWorld(t)
	voters := w.appoint(3)
	all := w.trustees(3)
	for _, s := range all {
		s.line.tap = func(raw []byte) ([]byte, error) { return raw, errors.New("killed") }
	}
	w.hold(all, voters)
}

// TestLateView: a trustee who sees every state several blocks late repeats itself in vain and is never at fault.
func TestLateView(t *testing.T) {
	w := newWorld(t)
	w.appoint(3)
	all := w.trustees(3)
	for range 8 {
		stale := w.freeze()
		for range 3 {
			for _, s := range all {
				if err := s.Step(ctx, stale); err != nil {
					t.Fatalf("%s: %v", s.name, err)
				}
			}
			w.block(1)
		}
	}
	w.phase(pb.PHASE_READY)
}

// TestLostFolder: without its folder a trustee cannot go on, says so, and does not deal a second time.
func TestLostFolder(t *testing.T) {
	w := newWorld(t)
	w.appoint(3)
	all := w.trustees(3)
	w.rounds(1, all)
	lost := w.trustee(all[0].name)
	if err := lost.Step(ctx, reader{View: w.view()}); !errors.Is(err, ErrLostSecrets) {
		t.Fatalf("error %v", err)
	}
	if len(lost.line.sent) != 0 {
		t.Fatal("it sent something")
	}
}

// tamper makes a trustee send a changed PublishDeal, signed with its own key.
func tamper(s *seated, change func(m *pb.PublishDeal)) {
	s.line.tap = func(raw []byte) ([]byte, error) {
		p := must(tx.Parse(raw))
		deal, ok := p.Body().(*pb.PublishDeal)
		if !ok || deal.Attempt != 1 {
			return raw, nil
		}
		changed := *deal
		changed.Shares = append([]pb.EncryptedShare(nil), deal.Shares...)
		change(&changed)
		return sign(s.name, &changed), nil
	}
}

// TestBadShare: the receiver of a share that does not open complains, the dealer is out, and the others make the key.
func TestBadShare(t *testing.T) {
	w := newWorld(t)
	voters := w.appoint(4)
	all := w.trustees(4)
	tamper(all[2], func(m *pb.PublishDeal) {
		m.Shares[1].Ciphertext = append([]byte(nil), m.Shares[1].Ciphertext...)
		m.Shares[1].Ciphertext[40] ^= 1
	})
	w.rounds(6, all)
	w.hold(all, voters)
	c := w.ceremony("league")
	if c.Attempt != 2 || c.Trustees[2].Ejected != pb.EJECTION_BAD_SHARE {
		t.Fatalf("ceremony %v", c)
	}
	for i, s := range c.Trustees {
		if i != 2 && s.Ejected != pb.EJECTION_NONE {
			t.Errorf("trustee %d: %v", i+1, s.Ejected)
		}
	}
}

// decrypting brings an election to the moment of decryption.
func decrypting(t *testing.T) (*world, []*seated) {
	w := newWorld(t)
	voters := w.appoint(3)
	all := w.trustees(3)
	w.rounds(8, all)
	w.open()
	w.vote(voters)
	w.close()
	return w, all
}

// TestAnotherSum: whatever a state shows, one sum of each contest is opened, ever, also after a restart.
func TestAnotherSum(t *testing.T) {
	w, all := decrypting(t)
	s := all[0]
	s.line.tap = func([]byte) ([]byte, error) { return nil, nil } // nothing arrives
	if err := s.Step(ctx, reader{View: w.view()}); err != nil {
		t.Fatal(err)
	}
	sum0, sum1 := w.sum(0), w.sum(1)
	sum1.Count-- // not part of what is opened
	foreign := map[string][]byte{
		state.SumKey(electionID, 0): doubled(sum0).Bytes(),
		state.SumKey(electionID, 1): sum1.Bytes(),
	}
	var sent []*pb.PostPartials
	s.line.tap = func(raw []byte) ([]byte, error) {
		sent = append(sent, must(tx.Parse(raw)).Body().(*pb.PostPartials))
		return nil, nil
	}
	for range 2 {
		if err := s.Step(ctx, reader{View: w.view(), over: foreign}); !errors.Is(err, ErrAnotherSum) {
			t.Fatalf("error %v", err)
		}
		s.restart()
	}
	for _, m := range sent {
		if len(m.Partials) != 1 || m.Partials[0].Contest != 1 {
			t.Fatalf("it opened %v", m)
		}
	}
	// The sum it opened first is sent again, with the same bytes.
	if err := s.Step(ctx, reader{View: w.view()}); err != nil || len(sent[2].Partials) != 2 {
		t.Fatalf("%v, %v", err, sent)
	}
	if !bytes.Equal(sent[2].Partials[1].Proof, sent[0].Partials[0].Proof) {
		t.Error("the partial decryption was made twice")
	}
}

// narrow is a state whose transactions have room for one contest only.
func (w *world) narrow() reader {
	p := must(state.MustLoad[pb.Parameters](w.view(), state.KeyParameters))
	p.Limits.TransactionBytes = overhead + 200
	return reader{View: w.view(), over: map[string][]byte{state.KeyParameters: election.Encode(p)}}
}

// TestManyTransactions: what does not fit one transaction goes in further ones in the same step, each remembered before it is sent; a
// trustee that is killed in between goes on, with the bytes that it has sent already.
func TestManyTransactions(t *testing.T) {
	w, all := decrypting(t)
	s := all[0]
	var sent [][]byte
	killed := errors.New("killed")
	s.line.tap = func(raw []byte) ([]byte, error) {
		if n := len(must(s.Store.list(electionID + ".league.opened-"))); n != len(sent)+1 {
			t.Errorf("transaction %d leaves with %d files", len(sent), n)
		}
		sent = append(sent, raw)
		return nil, nil
	}
	if err := s.Step(ctx, w.narrow()); err != nil || len(sent) != 2 {
		t.Fatalf("%d transactions, %v", len(sent), err)
	}
	// The first is lost with an error: the second goes all the same, and after a restart both again as they were.
	for range 2 {
		n := 0
		s.line.tap = func(raw []byte) ([]byte, error) {
			if !bytes.Equal(raw, sent[n]) {
				t.Errorf("transaction %d is another one", n)
			}
			n++
			return nil, killed
		}
		if err := s.Step(ctx, w.narrow()); !errors.Is(err, killed) || n != 2 {
			t.Fatalf("%d transactions, %v", n, err)
		}
		s.restart()
	}
	s.line.tap = nil
	w.rounds(1, all)
	w.phase(pb.PHASE_FINAL)
}

// together is a state that answers about sums only once several questions are open, and about one of them never: it gives up when the others
// are answered.
type together struct {
	reader
	open, answered atomic.Int32
	enough         chan struct{}
	lost           string
	giveUp         context.CancelFunc
}

func (r *together) Record(ctx context.Context, key string) ([]byte, error) {
	for contest := range manifest().Contests {
		if key != state.SumKey(electionID, uint32(contest)) {
			continue
		}
		if int(r.open.Add(1)) == len(manifest().Contests) {
			close(r.enough)
		}
		select {
		case <-r.enough:
		case <-time.After(20 * time.Second):
			return nil, errors.New("one question after the other")
		}
		if key == r.lost {
			<-ctx.Done() // of the others none may be lost for it
			return nil, errNoAnswer
		}
		value, err := r.reader.Record(ctx, key)
		if r.giveUp != nil && int(r.answered.Add(1)) == len(manifest().Contests)-1 {
			r.giveUp()
		}
		return value, err
	}
	return r.reader.Record(ctx, key)
}

// TestReadsTogether: a trustee far from its node does not wait for one contest after the other.
func TestReadsTogether(t *testing.T) {
	w, all := decrypting(t)
	r := &together{reader: reader{View: w.view()}, enough: make(chan struct{})}
	if err := all[0].Step(ctx, r); err != nil {
		t.Fatal(err)
	}
	if n := len(all[0].line.sent); n != 5 {
		t.Errorf("%d transactions sent", n)
	}
}

// TestUnreadSum: where a sum cannot be read, the others are opened, and it is opened from a later state.
func TestUnreadSum(t *testing.T) {
	w, all := decrypting(t)
	s := all[0]
	limited, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &together{reader: reader{View: w.view()}, enough: make(chan struct{}), lost: state.SumKey(electionID, 0), giveUp: cancel}
	if err := s.Step(limited, r); !errors.Is(err, errNoAnswer) {
		t.Fatal(err)
	}
	posted := func() (contests []uint32) {
		for _, p := range must(tx.Parse(s.line.sent[len(s.line.sent)-1])).Body().(*pb.PostPartials).Partials {
			contests = append(contests, p.Contest)
		}
		return contests
	}
	if got := posted(); !slices.Equal(got, []uint32{1}) {
		t.Fatalf("contests %v", got)
	}
	w.block(1)
	if err := s.Step(ctx, reader{View: w.view()}); err != nil {
		t.Fatal(err)
	}
	if got := posted(); !slices.Equal(got, []uint32{0}) {
		t.Fatalf("contests %v", got)
	}
}

func (w *world) sum(contest uint32) *ballot.EncryptedTally {
	value := must(w.view().Record(state.SumKey(electionID, contest)))
	return must(ballot.ParseTally(len(manifest().Contests[contest].Options), value))
}

// doubled returns a sum of twice as many ballots.
func doubled(sum *ballot.EncryptedTally) *ballot.EncryptedTally {
	sum.A0.Add(sum.A0, sum.A0)
	return sum
}

// TestOpensOnlyWhenDecrypting: the same sums are left alone in every other phase, and below the least number of ballots.
func TestOpensOnlyWhenDecrypting(t *testing.T) {
	w, all := decrypting(t)
	s := all[0]
	s.line.tap = func(raw []byte) ([]byte, error) {
		t.Errorf("it sent a %v", must(tx.Parse(raw)).Kind())
		return nil, nil
	}
	for _, phase := range []pb.Phase{pb.PHASE_SETUP, pb.PHASE_READY, pb.PHASE_VOTING, pb.PHASE_CLOSED} {
		e := w.election()
		e.Phase = phase
		if err := s.Step(ctx, reader{View: w.view(), over: map[string][]byte{state.ElectionKey(electionID): election.Encode(e)}}); err != nil {
			t.Fatal(err)
		}
	}
	small := map[string][]byte{}
	for contest := range uint32(2) {
		sum := w.sum(contest)
		sum.Count = 1
		small[state.SumKey(electionID, contest)] = sum.Bytes()
	}
	if err := s.Step(ctx, reader{View: w.view(), over: small}); err != nil {
		t.Fatal(err)
	}
}

// TestNoTrialOnceOpen: a trial that was never posted is not posted in any later phase.
func TestNoTrialOnceOpen(t *testing.T) {
	w := newWorld(t)
	w.appoint(3)
	all := w.trustees(3)
	s := all[0]
	s.line.tap = func(raw []byte) ([]byte, error) {
		if must(tx.Parse(raw)).Kind() == tx.KindPostTrial {
			return nil, nil
		}
		return raw, nil
	}
	w.rounds(8, all)
	e := w.election()
	if len(e.KeyDigest) == 0 || e.TrialPassed {
		t.Fatalf("election %v", e)
	}
	s.line.tap = func(raw []byte) ([]byte, error) {
		t.Errorf("it sent a %v", must(tx.Parse(raw)).Kind())
		return nil, nil
	}
	for _, phase := range []pb.Phase{pb.PHASE_READY, pb.PHASE_VOTING, pb.PHASE_CLOSED} {
		e.Phase = phase
		if err := s.Step(ctx, reader{View: w.view(), over: map[string][]byte{state.ElectionKey(electionID): election.Encode(e)}}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestForeignKeys: keys that do not fit the digest, or are not of the ceremony, get no trial.
func TestForeignKeys(t *testing.T) {
	w := newWorld(t)
	w.appoint(3)
	all := w.trustees(3)
	for _, s := range all {
		s.line.tap = func(raw []byte) ([]byte, error) {
			if must(tx.Parse(raw)).Kind() == tx.KindPostTrial {
				return nil, nil
			}
			return raw, nil
		}
	}
	w.rounds(3, all)
	if len(w.election().KeyDigest) == 0 {
		t.Fatal("no keys")
	}
	keys := must(state.MustLoad[pb.ElectionKeys](w.view(), state.KeysKey(electionID)))
	o := keys.Organisations[0].Trustees
	o[0].Keys, o[1].Keys = o[1].Keys, o[0].Keys
	s := all[0]
	if err := s.Step(ctx, reader{View: w.view(), over: map[string][]byte{state.KeysKey(electionID): election.Encode(keys)}}); !errors.Is(err, ErrKeys) {
		t.Fatalf("error %v", err)
	}
	if names := must(s.Store.list(electionID)); strings.Contains(strings.Join(names, " "), "trial") {
		t.Fatalf("files %q", names)
	}
}

func TestStore(t *testing.T) {
	folder := t.TempDir()
	secret := key("a").Seed()
	s, err := OpenStore(folder, [32]byte{1}, secret)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenStore(folder, [32]byte{1}, secret); !errors.Is(err, ErrInUse) {
		t.Errorf("opened twice: %v", err)
	}
	if err := s.create("x.deal-00001", sent{Transaction: []byte("secret")}); err != nil {
		t.Fatal(err)
	}
	if err := s.create("x.deal-00001", sent{}); err == nil {
		t.Error("a file was overwritten")
	}
	if data, err := os.ReadFile(filepath.Join(folder, "x.deal-00001")); err != nil || bytes.Contains(data, must(json.Marshal([]byte("secret")))) {
		t.Errorf("in the clear: %v", err)
	}
	// A file under another name, or changed, does not open.
	if err := os.Rename(filepath.Join(folder, "x.deal-00001"), filepath.Join(folder, "y.deal-00001")); err != nil {
		t.Fatal(err)
	}
	var v sent
	if found, err := s.load("x.deal-00001", &v); found || err != nil {
		t.Errorf("a file that is not there: %t, %v", found, err)
	}
	if _, err := s.load("y.deal-00001", &v); !errors.Is(err, ErrForeignStore) {
		t.Errorf("a renamed file: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenStore(folder, [32]byte{2}, secret); !errors.Is(err, ErrForeignStore) {
		t.Errorf("another ledger: %v", err)
	}
	if _, err := OpenStore(folder, [32]byte{1}, key("b").Seed()); !errors.Is(err, ErrForeignStore) {
		t.Errorf("another trustee: %v", err)
	}
	if s, err = OpenStore(folder, [32]byte{1}, secret); err != nil {
		t.Fatal(err)
	}
	s.Close()
}

// TestRun: the loop says what goes wrong once, goes on, and ends when all is over.
func TestRun(t *testing.T) {
	w := newWorld(t)
	w.appoint(3)
	w.resolve(pb.Resolution{Decision: &pb.Resolution_CancelElection{CancelElection: &pb.CancelElection{Election: electionID}}})
	s := w.trustee("league trustee 1")
	source := &states{line: s.line, list: []client.Reader{
		failing{reader{View: w.view()}}, failing{reader{View: w.view()}}, reader{View: w.view()},
	}}
	var said []string
	s.Ledger, s.Say = source, func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	if err := s.Run(ctx, true); err != nil {
		t.Fatal(err)
	}
	if len(said) != 2 || !strings.Contains(said[0], errNoAnswer.Error()) || !strings.Contains(said[1], "is over ("+electionID+"), and there is nothing to wait for") {
		t.Fatalf("said %q", said)
	}
	if err := s.Run(ctx, false); err == nil || err.Error() != "no more states" {
		t.Fatalf("error %v", err)
	}
}

// states hands out certified states one after another.
type states struct {
	*line
	list []client.Reader
}

func (s *states) After(context.Context, int64) (client.Reader, error) {
	if len(s.list) == 0 {
		return nil, errors.New("no more states")
	}
	next := s.list[0]
	s.list = s.list[1:]
	return next, nil
}

var errNoAnswer = errors.New("no node answers")

type failing struct{ reader }

func (failing) Record(context.Context, string) ([]byte, error) { return nil, errNoAnswer }
