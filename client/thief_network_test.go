package client_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"votenode/app/state"
	"votenode/client"
	"votenode/client/book"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// later waits until block time allows the next ballot of a voter.
func (w *town) later() {
	w.Helper()
	v := must(w.ledger.Certified(w.Context()))
	if _, err := w.ledger.Until(w.Context(), func(_ context.Context, later *client.View) (bool, error) {
		return later.Time().Sub(v.Time()) > 2*time.Second, nil
	}); err != nil {
		w.Fatal(err)
	}
}

// casts sends a ballot of a voter of the North and returns its code.
func (w *town) casts(v client.Voter) string {
	w.Helper()
	p := must(v.Prepare(w.Context(), [][]int{{0}, {1}}, rand.Reader))
	if err := p.Cast(w.Context(), client.WaitCertified); err != nil {
		w.Fatal(err)
	}
	return ballot.FormatCode(p.Code())
}

// looks returns the codes of foreign ballots and the numbers of foreign challenges.
func (w *town) looks(b *book.Book, thorough bool) []string {
	w.Helper()
	s, err := b.Look(w.Context(), must(w.ledger.Certified(w.Context())), thorough)
	if err != nil {
		w.Fatal(err)
	}
	var list []string
	for _, f := range s.Foreign {
		if f.C0 != "" {
			f.Code = fmt.Sprint(f.Sequence)
		}
		list = append(list, f.Code)
	}
	return list
}

// watching is a Watch that runs.
type watching struct {
	events chan book.Event
	warned atomic.Int32
	ended  chan error
}

func (w *town) watch(ctx context.Context, b *book.Book) *watching {
	r := &watching{events: make(chan book.Event, 100), ended: make(chan error, 1)}
	watch := &book.Watch{
		Ledger: w.ledger, Book: b, Say: w.Logf, Warn: func(book.Foreign) { r.warned.Add(1) },
		Tell: func(e book.Event) error { r.events <- e; return nil },
	}
	go func() { r.ended <- watch.Run(ctx) }()
	return r
}

// expect waits for the next event.
func (w *town) expect(r *watching, event, code string) {
	w.Helper()
	select {
	case e := <-r.events:
		if e.Event != event || e.Code != code {
			w.Fatalf("event %v instead of %s %s", e, event, code)
		}
	case err := <-r.ended:
		w.Fatalf("the watch ended: %v", err)
	}
}

// thief: somebody holds the key of a voter, who watches. Every ballot that the voter did not cast is seen, and none that the voter did.
func (w *town) thief() {
	thief, voter := w.voter(2), w.voter(2)
	path := filepath.Join(w.TempDir(), "book.json")
	own := must(book.Open(path, &voter))
	voter.Book = own
	if got := w.looks(own, true); len(got) != 0 {
		w.Fatalf("foreign before anything: %q", got)
	}
	ctx, stop := context.WithCancel(w.Context())
	defer stop()
	running := w.watch(ctx, must(book.Open(path, &voter)))

	first := w.casts(voter)
	w.expect(running, book.EventRecorded, first)
	w.later()
	stolen := w.casts(thief)
	w.expect(running, book.EventSuperseded, first)
	w.expect(running, book.EventForeign, stolen)
	if got := w.looks(own, false); !slices.Equal(got, []string{stolen}) {
		w.Errorf("foreign: %q", got)
	}
	w.later()
	second := w.casts(voter)
	w.expect(running, book.EventSuperseded, stolen)
	w.expect(running, book.EventRecorded, second)
	if got := w.looks(own, true); !slices.Equal(got, []string{stolen}) {
		w.Errorf("foreign afterwards: %q", got)
	}
	challenged := w.challenges(voter)
	w.expect(running, book.EventChallenged, "")
	fake := w.challenges(thief)
	w.expect(running, book.EventForeignChallenge, "")
	if got := w.looks(own, false); !slices.Equal(got, []string{stolen, fmt.Sprint(fake)}) {
		w.Errorf("foreign with a challenge: %q", got)
	}
	w.otherDevice(voter, stolen, []string{first, second}, []uint64{challenged, fake})

	w.resolve(&pb.Resolution{Decision: &pb.Resolution_RevokeVoters{RevokeVoters: &pb.RevokeVoters{Election: electionID, Voters: []uint64{voter.Index}, Cause: pb.REVOCATION_KEY_LOST}}})
	w.expect(running, book.EventRevoked, "")
	stop()
	if err := <-running.ended; !errors.Is(err, book.ErrForeign) || !errors.Is(err, client.ErrVerification) {
		w.Errorf("the watch ends with %v", err)
	}
	if n := running.warned.Load(); n != 2 {
		w.Errorf("%d warnings", n)
	}
	w.nothingSent()
}

func (w *town) challenges(v client.Voter) uint64 {
	w.Helper()
	p := must(v.Prepare(w.Context(), [][]int{{0}, {1}}, rand.Reader))
	opened, err := p.Challenge(w.Context(), rand.Reader)
	if err != nil {
		w.Fatal(err)
	}
	return opened.Sequence
}

// otherDevice: a book that was told of all but the stolen ballot sees it in the log only, also where its place in the log is damaged.
func (w *town) otherDevice(voter client.Voter, stolen string, codes []string, numbers []uint64) {
	path := filepath.Join(w.TempDir(), "other.json")
	b := must(book.Open(path, &voter))
	if got := w.looks(b, false); len(got) != 1+len(numbers) {
		w.Errorf("a new book finds %q foreign", got)
	}
	for _, text := range codes {
		if err := b.Add(must(ballot.ParseCode(text))); err != nil {
			w.Fatal(err)
		}
	}
	for _, n := range numbers {
		if err := b.AddChallenge(n); err != nil {
			w.Fatal(err)
		}
	}
	if got := w.looks(b, false); len(got) != 0 {
		w.Errorf("foreign in spite of all that was added: %q", got)
	}
	once := &book.Watch{Ledger: w.ledger, Book: b, Once: true, Say: w.Logf, Tell: func(book.Event) error { return nil }, Warn: func(f book.Foreign) { w.Error(f) }}
	if err := once.Run(w.Context()); err != nil {
		w.Errorf("a watch that sees nothing foreign ends with %v", err)
	}
	whole := string(must(os.ReadFile(path)))
	damaged := strings.Replace(whole, `"size": 0,`, `"size": 1,`, 1)
	damaged = strings.Replace(damaged, `"hashes": null`, `"hashes": ["`+strings.Repeat("A", 43)+`="]`, 1)
	if len(damaged) < len(whole)+40 {
		w.Fatalf("the book looks otherwise: %s", whole)
	}
	if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
		w.Fatal(err)
	}
	for _, each := range []*book.Book{b, must(book.Open(path, &voter))} {
		if got := w.looks(each, true); !slices.Equal(got, []string{stolen}) {
			w.Errorf("foreign in the log: %q", got)
		}
	}
	w.places()
}

// places: the part of a log behind a place is proven, and a wrong place proves nothing.
func (w *town) places() {
	v := must(w.ledger.Certified(w.Context()))
	log := state.LogBallots(electionID)
	none := func() {}
	var whole, half client.Place
	size := must(v.Head(w.Context(), log)).Size
	count := func(from client.Place) (n int, place client.Place, err error) {
		place, err = v.LeavesFrom(w.Context(), log, from, none, func(uint64, []byte) error { n++; return nil })
		return n, place, err
	}
	n, whole, err := count(whole)
	if err != nil || uint64(n) != size || whole.Size != size {
		w.Fatalf("%d of %d leaves, place %v, %v", n, size, whole, err)
	}
	if n, again, err := count(whole); err != nil || n != 0 || again.Size != size {
		w.Errorf("%d leaves behind the end, place %v, %v", n, again, err)
	}
	// The hash of the first leaf is the place behind it.
	path := must(w.ledger.Nodes()[0].LogInclusion(w.Context(), log, 1, size))
	half = client.Place{Size: 1, Hashes: path[:1]}
	if n, place, err := count(half); err != nil || uint64(n) != size-1 || hex.EncodeToString(place.Hashes[0]) != hex.EncodeToString(whole.Hashes[0]) {
		w.Errorf("%d leaves behind the first, place %v, %v", n, place, err)
	}
	half.Hashes[0][0] ^= 1
	if _, _, err := count(half); !errors.Is(err, client.ErrVerification) {
		w.Errorf("a wrong place: %v", err)
	}
	if n, place, err := count(client.Place{Size: size + 1}); err != nil || n != 0 || place.Size != size+1 {
		w.Errorf("a place that this view has not come to: %d leaves, place %v, %v", n, place, err)
	}
}

// nothingSent: a ballot that cannot be noted does not leave the machine; one that is noted is known, whatever became of it.
func (w *town) nothingSent() {
	var mu sync.Mutex
	var posted []string
	var lose atomic.Bool
	proxy := httputil.NewSingleHostReverseProxy(must(url.Parse("http://" + strings.TrimPrefix(w.net.Nodes[0].Gateway(), "http://"))))
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			mu.Lock()
			posted = append(posted, r.URL.Path)
			mu.Unlock()
		}
		if r.Method == http.MethodPost && lose.Load() {
			proxy.ServeHTTP(httptest.NewRecorder(), r)
			http.Error(rw, "the line is cut", http.StatusBadGateway)
			return
		}
		proxy.ServeHTTP(rw, r)
	}))
	w.Cleanup(server.Close)
	sent := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(posted)
	}
	voter := w.voter(3)
	voter.Ledger = must(client.Open(w.Context(), w.net.Hash, []string{server.URL}, nil))
	folder := filepath.Join(w.TempDir(), "none")
	voter.Book = must(book.Open(filepath.Join(folder, "book.json"), &voter))
	prepare := func() *client.Prepared { return must(voter.Prepare(w.Context(), [][]int{{1}}, rand.Reader)) }
	if err := prepare().Cast(w.Context(), client.WaitAccepted); err == nil || !strings.Contains(err.Error(), "not sent") {
		w.Errorf("cast without a note: %v", err)
	}
	if _, err := prepare().Challenge(w.Context(), rand.Reader); err == nil || !strings.Contains(err.Error(), "nothing was sent") {
		w.Errorf("challenged without a note: %v", err)
	}
	if n := sent(); n != 0 {
		w.Errorf("%d requests sent", n)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		w.Fatal(err)
	}
	// The ballot arrives, the answer does not: the program ends with an error, and a new one knows the ballot.
	lose.Store(true)
	if err := prepare().Cast(w.Context(), client.WaitAccepted); err == nil || sent() != 1 {
		w.Errorf("with a note: %d requests, %v", sent(), err)
	}
	if _, err := w.ledger.Until(w.Context(), func(ctx context.Context, v *client.View) (bool, error) {
		leaf, err := v.Voter(ctx, electionID, voter.Index)
		return err == nil && leaf.Status == pb.VOTER_COUNTS, err
	}); err != nil {
		w.Fatal(err)
	}
	if got := w.looks(must(book.Open(filepath.Join(folder, "book.json"), &voter)), true); len(got) != 0 {
		w.Errorf("one's own ballot is foreign: %q", got)
	}
}
