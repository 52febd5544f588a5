package abci

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	abcitypes "github.com/cometbft/cometbft/abci/types"

	"votenode/app"
	"votenode/app/state"
)

// sink counts what a restorer stores.
type sink struct {
	changes  []state.Change
	finished bool
}

func (s *sink) Put(changes []state.Change) error {
	s.changes = append(s.changes, changes...)
	return nil
}

func (s *sink) Finish() error {
	s.finished = true
	return nil
}

// restoring is a restorer with what it was offered.
type restoring struct {
	*Restorer
	sink *sink
}

func newRestoring() *restoring {
	r := new(restoring)
	r.Restorer = NewRestorer(app.New(chainID), func(int64) (Sink, error) {
		r.sink = new(sink)
		return r.sink, nil
	}, slog.New(slog.DiscardHandler))
	return r
}

// taken returns the snapshot of a ledger's newest state: as it is offered, and its chunks.
func taken(t *testing.T, l *ledger) (*abcitypes.Snapshot, [][]byte, state.Hash) {
	t.Helper()
	kept, err := OpenSnapshots(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	newest := l.app.Ledger().Newest()
	if err := kept.Take(newest); err != nil {
		t.Fatal(err)
	}
	folder := kept.Folder(newest.Height())
	manifest, err := os.ReadFile(filepath.Join(folder, ManifestFile))
	if err != nil {
		t.Fatal(err)
	}
	offered, err := Offer(manifest)
	if err != nil {
		t.Fatal(err)
	}
	var chunks [][]byte
	for i := range int(offered.Chunks) {
		chunk, err := os.ReadFile(filepath.Join(folder, ChunkName(i)))
		if err != nil {
			t.Fatal(err)
		}
		chunks = append(chunks, chunk)
	}
	return offered, chunks, newest.AppHash()
}

func (r *restoring) offer(t *testing.T, s *abcitypes.Snapshot, appHash state.Hash) abcitypes.ResponseOfferSnapshot_Result {
	t.Helper()
	res, err := r.OfferSnapshot(context.Background(), &abcitypes.RequestOfferSnapshot{Snapshot: s, AppHash: appHash[:]})
	if err != nil {
		t.Fatal(err)
	}
	return res.Result
}

func (r *restoring) apply(t *testing.T, index int, chunk []byte) *abcitypes.ResponseApplySnapshotChunk {
	t.Helper()
	res, err := r.ApplySnapshotChunk(context.Background(), &abcitypes.RequestApplySnapshotChunk{Index: uint32(index), Chunk: chunk, Sender: "peer"})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// TestOffers: a snapshot of another chain, height or hash, or one that claims other chunks than it has, is refused with whoever offers it.
func TestOffers(t *testing.T) {
	l := newLedger(t)
	good, _, appHash := taken(t, l)
	const accept, reject, format = abcitypes.ResponseOfferSnapshot_ACCEPT, abcitypes.ResponseOfferSnapshot_REJECT_SENDER, abcitypes.ResponseOfferSnapshot_REJECT_FORMAT
	for name, c := range map[string]struct {
		change func(s *abcitypes.Snapshot)
		hash   state.Hash
		want   abcitypes.ResponseOfferSnapshot_Result
	}{
		"good":                {func(*abcitypes.Snapshot) {}, appHash, accept},
		"another chain":       {func(*abcitypes.Snapshot) {}, state.Hash{1}, reject},
		"another format":      {func(s *abcitypes.Snapshot) { s.Format++ }, appHash, format},
		"another height":      {func(s *abcitypes.Snapshot) { s.Height++ }, appHash, reject},
		"another hash":        {func(s *abcitypes.Snapshot) { s.Hash = make([]byte, 32) }, appHash, reject},
		"more chunks":         {func(s *abcitypes.Snapshot) { s.Chunks++ }, appHash, reject},
		"ten million chunks":  {func(s *abcitypes.Snapshot) { s.Chunks = 10_000_000 }, appHash, reject},
		"no metadata":         {func(s *abcitypes.Snapshot) { s.Metadata = nil }, appHash, reject},
		"a huge manifest":     {func(s *abcitypes.Snapshot) { s.Metadata = make([]byte, state.MaxManifest+1) }, appHash, reject},
		"a changed manifest":  {func(s *abcitypes.Snapshot) { s.Metadata[len(s.Metadata)-1] ^= 1 }, appHash, reject},
		"a cut manifest":      {func(s *abcitypes.Snapshot) { s.Metadata = s.Metadata[:len(s.Metadata)-1] }, appHash, reject},
		"a longer manifest":   {func(s *abcitypes.Snapshot) { s.Metadata = append(s.Metadata, 0) }, appHash, reject},
		"a height below zero": {func(s *abcitypes.Snapshot) { s.Height = 1 << 63 }, appHash, reject},
	} {
		offered := *good
		offered.Metadata = slices.Clone(good.Metadata)
		c.change(&offered)
		if got := newRestoring().offer(t, &offered, c.hash); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestApply: a bad chunk is fetched again, nothing more is taken from its sender, and nothing of it is stored; with the true ones the state is whole, and
// CometBFT is told its height and hash, not before.
func TestApply(t *testing.T) {
	l := newLedger(t)
	plant(l, newBooth(t))
	offered, chunks, appHash := taken(t, l)
	r := newRestoring()
	if got := r.offer(t, offered, appHash); got != abcitypes.ResponseOfferSnapshot_ACCEPT {
		t.Fatal(got)
	}
	for i, chunk := range chunks {
		before := len(r.sink.changes)
		for name, bad := range map[string][]byte{
			"changed": append([]byte{chunk[0] ^ 1}, chunk[1:]...), "cut": chunk[:len(chunk)-1], "none": nil, "doubled": append(slices.Clone(chunk), chunk...),
			"another": chunks[(i+1)%len(chunks)], "huge": make([]byte, state.MaxChunk+1),
		} {
			res := r.apply(t, i, bad)
			if res.Result != abcitypes.ResponseApplySnapshotChunk_RETRY || !slices.Equal(res.RefetchChunks, []uint32{uint32(i)}) || !slices.Equal(res.RejectSenders, []string{"peer"}) {
				t.Errorf("chunk %d, %s: %v", i, name, res)
			}
		}
		if len(r.sink.changes) != before || r.Restored() {
			t.Fatalf("something of a bad chunk %d was stored", i)
		}
		if info, err := r.Info(context.Background(), nil); err != nil || info.LastBlockHeight != 0 {
			t.Fatal(info, err)
		}
		if res := r.apply(t, i, chunk); res.Result != abcitypes.ResponseApplySnapshotChunk_ACCEPT {
			t.Fatalf("chunk %d: %v", i, res)
		}
	}
	if !r.Restored() || !r.sink.finished {
		t.Fatal("it is not whole")
	}
	info, err := r.Info(context.Background(), nil)
	if err != nil || info.LastBlockHeight != int64(offered.Height) || state.Hash(info.LastBlockAppHash) != appHash {
		t.Fatal(info, err)
	}
	r.Stop()
	if got := r.offer(t, offered, appHash); got != abcitypes.ResponseOfferSnapshot_ABORT {
		t.Error(got)
	}
	if res := r.apply(t, 0, chunks[0]); res.Result != abcitypes.ResponseApplySnapshotChunk_ABORT {
		t.Error(res)
	}
}

// TestIndexIsRestored: the index, which no hash binds, comes out of the leaves as the state machine wrote it.
func TestIndexIsRestored(t *testing.T) {
	l, b := newLedger(t), newBooth(t)
	plant(l, b)
	l.block(b.cast(t, 1, 1), b.cast(t, 2, 1))
	offered, chunks, appHash := taken(t, l)
	r := newRestoring()
	if got := r.offer(t, offered, appHash); got != abcitypes.ResponseOfferSnapshot_ACCEPT {
		t.Fatal(got)
	}
	for i, chunk := range chunks {
		r.apply(t, i, chunk)
	}
	newest := l.app.Ledger().Newest()
	memory := new(state.Memory)
	if err := memory.Commit(newest.Height(), r.sink.changes); err != nil {
		t.Fatal(err)
	}
	restored, err := state.Open(memory)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for i := range uint64(3) {
		leaf, err := newest.Voter(electionID, i)
		if err != nil || leaf == nil {
			continue
		}
		voter, err := state.LoadVoter(newest, electionID, i)
		if err != nil {
			t.Fatal(err)
		}
		want, err := newest.Index(state.CodeIndexKey(electionID, voter.Code))
		if err != nil || want == nil {
			t.Fatal(want, err)
		}
		if got, err := restored.Newest().Index(state.CodeIndexKey(electionID, voter.Code)); err != nil || !slices.Equal(got, want) {
			t.Errorf("voter %d: %x, not %x; %v", i, got, want, err)
		}
		found++
	}
	if found != 2 {
		t.Fatalf("%d ballots", found)
	}
	if _, _, err := app.New(chainID).IndexEntry(state.LogBallots(electionID), 0, []byte("no ballot")); !errors.Is(err, state.ErrCorrupted) {
		t.Error(err)
	}
}
