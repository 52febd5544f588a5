package abci

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	dbm "github.com/cometbft/cometbft-db"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// hooked is a database that calls a function before and after each synced write of a batch; an error of it is that of the write.
type hooked struct {
	dbm.DB
	before, after func() error
}

type hookedBatch struct {
	dbm.Batch
	db *hooked
}

func (h *hooked) NewBatch() dbm.Batch { return hookedBatch{h.DB.NewBatch(), h} }

func (b hookedBatch) WriteSync() error {
	if b.db.before != nil {
		if err := b.db.before(); err != nil {
			return err
		}
	}
	err := b.Batch.WriteSync()
	if b.db.after != nil {
		err = errors.Join(err, b.db.after())
	}
	return err
}

// ballots returns the ballots on the disk whose promises are not settled.
func (l *ledger) ballots() (list [][]byte) {
	l.t.Helper()
	it, err := l.app.slips.db.Iterator([]byte{ballotPrefix}, []byte{ballotPrefix + 1})
	if err != nil {
		l.t.Fatal(err)
	}
	defer it.Close()
	for ; it.Valid(); it.Next() {
		list = append(list, bytes.Clone(it.Value()))
	}
	return list
}

// promisedNow expects these ballots, in any order, to be promised and not settled, on the disk and in the pool.
func (l *ledger) promisedNow(want ...[]byte) {
	l.t.Helper()
	got := l.ballots()
	slices.SortFunc(want, bytes.Compare)
	slices.SortFunc(got, bytes.Compare)
	if !slices.EqualFunc(got, want, bytes.Equal) {
		l.t.Errorf("%d ballots are on the disk, not %d, or others", len(got), len(want))
	}
	size, units := 0, uint64(0)
	for _, raw := range want {
		p, err := tx.Parse(raw)
		if err != nil {
			l.t.Fatal(err)
		}
		size, units = size+int(cmttypes.ComputeProtoSizeForTxs([]cmttypes.Tx{raw})), units+p.Units()
		if w := l.app.pool.byHash[hashOf(raw)]; w == nil || w.promise == nil {
			l.t.Error("a ballot is not among those promised")
		}
	}
	if p := l.app.pool; p.open() != len(want) || p.promisedBytes != size || p.promisedUnits != units || l.app.Intake().Promised != len(want) {
		l.t.Errorf("%d promises of %d bytes and %d units, not %d of %d and %d", p.open(), p.promisedBytes, p.promisedUnits, len(want), size, units)
	}
}

// TestSlipsThatCannotBeKept: where the disk fails, no slip leaves, the ballot waits like any other, and nothing is promised any more; what
// was promised before still is. A slip that was written nevertheless counts from the next start on, when its ballot is promised again.
func TestSlipsThatCannotBeKept(t *testing.T) {
	fail := func() error { return errors.New("no space") }
	for name, h := range map[string]*hooked{"not written": {before: fail}, "written": {after: fail}} {
		t.Run(name, func(t *testing.T) {
			written := h.after != nil
			db := new(hooked)
			l, b := on(t, func(o *Options) { db.DB, o.Slips = o.Slips, db })
			old, failed, later := b.cast(t, 0, 1), b.cast(t, 1, 1), b.cast(t, 2, 1)
			l.promise(old)
			db.before, db.after = h.before, h.after
			l.unpromised(failed, errDisk.Error())
			db.before, db.after = nil, nil
			l.unpromised(later, "nothing is promised any more: no space")
			if err := l.app.PromiseFault(); err == nil {
				t.Error("no fault is told")
			}
			l.unpromised(failed, "nothing is promised any more: no space")
			l.promise(old)
			if p := l.app.pool; p.open() != 1 || len(l.prepare(math.MaxInt64)) != 3 {
				t.Errorf("%d are promised, and another number than 3 is proposed", p.open())
			}
			l.close()
			db.before, db.after = nil, nil
			l.open()
			if err := l.app.PromiseFault(); err != nil {
				t.Error(err)
			}
			if written {
				l.promisedNow(old, failed)
			} else {
				l.promisedNow(old)
			}
			l.promise(failed)
			l.promise(later)
		})
	}
	t.Run("not readable", func(t *testing.T) {
		l, b := on(t, nil)
		raw := b.cast(t, 0, 1)
		db := l.app.slips.db
		l.app.slips.db = unreadable{db}
		a := l.ask(raw)
		if l.app.slips.db = db; a.Code != 0 || a.Slip != nil || !strings.Contains(a.Detail, "received, not promised: no disk") {
			t.Errorf("%+v", a)
		}
		l.promise(raw)
	})
}

type unreadable struct{ dbm.DB }

func (unreadable) Get([]byte) ([]byte, error) { return nil, errors.New("no disk") }

// TestKilledWithPromises opens copies of a folder made before slips are on the disk, after, after the answer and after the proposal: what
// was promised is back, comes first in the next proposal, and is settled by the block.
func TestKilledWithPromises(t *testing.T) {
	dirs := map[string]string{}
	var l *ledger
	var b *booth
	save := func(name string) func() error {
		return func() error {
			dirs[name] = t.TempDir()
			return os.CopyFS(dirs[name], os.DirFS(l.dir))
		}
	}
	db := new(hooked)
	l, b = on(t, func(o *Options) { db.DB, o.Slips = o.Slips, db })
	raw := b.cast(t, 3, 1)
	db.before, db.after = save("before"), save("kept")
	want := l.ask(raw)
	db.before, db.after = nil, nil
	l.check(raw, want)
	if err := save("answered")(); err != nil {
		t.Fatal(err)
	}
	l.prepare(math.MaxInt64)
	if err := save("proposed")(); err != nil {
		t.Fatal(err)
	}
	l.block(raw)
	l.promisedNow()
	if err := save("recorded")(); err != nil {
		t.Fatal(err)
	}
	for name, dir := range dirs {
		t.Run(name, func(t *testing.T) {
			k := &ledger{t: t, dir: dir, doc: l.doc, time: l.time}
			k.now.Store(l.now.Load())
			k.open()
			defer k.close()
			if name == "recorded" {
				k.promisedNow()
				return
			}
			k.time -= 1e9
			if name == "before" {
				k.promisedNow()
				if a := k.ask(raw); len(a.Slip) == 0 {
					t.Error(a.Detail)
				}
			}
			k.promisedNow(raw)
			if got := k.reap(0); !slices.ContainsFunc(got, func(r []byte) bool { return bytes.Equal(r, raw) }) {
				t.Error("the peers do not get it")
			}
			if a := k.ask(raw); !bytes.Equal(a.Slip, want.Slip) && name != "before" {
				t.Errorf("another slip: %+v", a)
			}
			k.submit(publish(1), b.cast(t, 0, 1))
			if txs := k.prepare(math.MaxInt64); len(txs) != 3 || !bytes.Equal(txs[0], raw) {
				t.Errorf("it is not the first of %d transactions", len(txs))
			}
			k.block(raw)
			if p := k.app.pool; p.open() != 1 || len(k.ballots()) != 1 {
				t.Error("it is not settled")
			}
		})
	}
}

// TestRestored: promises come back in their order. Those that the state refuses meanwhile are settled.
func TestRestored(t *testing.T) {
	l, b := on(t, nil)
	var list [][]byte
	for voter := range 6 {
		list = append(list, b.cast(t, voter, 1))
		l.promise(list[voter])
		l.block()
	}
	higher := b.cast(t, 0, 2)
	l.promise(higher)
	if s, err := l.app.Slip(hashOf(higher)); s == nil || err != nil {
		t.Error(err)
	}
	for range 2 {
		l.close()
		l.open()
		l.promisedNow(append(slices.Clone(list), higher)...)
		want := slices.Clone(list)
		want[0] = higher
		if got := l.prepare(math.MaxInt64); !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("%d ballots are proposed, not %d, or in another order", len(got), len(want))
		}
	}
	// A block is stored, and the node killed before it settles.
	l.finalize(list[1], b.cast(t, 2, 5))
	if err := l.app.ledger.Commit(l.app.next.block); err != nil {
		t.Fatal(err)
	}
	l.close()
	l.open()
	l.promisedNow(list[0], higher, list[3], list[4], list[5])
	l.edit(func(w state.Writer) {
		e, err := state.LoadElection(w, electionID)
		if err != nil {
			t.Fatal(err)
		}
		e.Phase = pb.PHASE_CLOSED
		state.Save(w, state.ElectionKey(electionID), e)
	})
	l.close()
	l.open()
	l.promisedNow()
	if a := l.ask(list[3]); a.Code != tx.CodeWrongPhase || len(a.Slip) == 0 {
		t.Errorf("%+v", a)
	}
}

// TestCannotRestore: a node does not start without the ballots that it has promised.
func TestCannotRestore(t *testing.T) {
	l, b := on(t, nil)
	raw := b.cast(t, 0, 1)
	l.promise(raw)
	hash := hashOf(raw)
	key := slipKey(ballotPrefix, hash)
	kept, err := l.app.slips.db.Get(slipKey(slipPrefix, hash))
	if err != nil {
		t.Fatal(err)
	}
	invalid := flipped(raw, bytes.LastIndex(raw, raw[len(raw)-64:])-20) // in the proof
	l.close()
	edit := func(change func(db dbm.DB) error) {
		t.Helper()
		db, err := dbm.NewDB("slips", dbm.GoLevelDBBackend, l.dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(change(db), db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	set := func(k, v []byte) func(db dbm.DB) error { return func(db dbm.DB) error { return db.Set(k, v) } }
	both := func(raw []byte) (do, undo func(db dbm.DB) error) {
		h := hashOf(raw)
		return func(db dbm.DB) error {
				return errors.Join(db.Set(slipKey(ballotPrefix, h), raw), db.Set(slipKey(slipPrefix, h), kept))
			}, func(db dbm.DB) error {
				return errors.Join(db.Delete(slipKey(ballotPrefix, h)), db.Delete(slipKey(slipPrefix, h)))
			}
	}
	doInvalid, undoInvalid := both(invalid)
	doNone, undoNone := both([]byte("none"))
	for name, c := range map[string]struct {
		do, undo func(db dbm.DB) error
		want     string
	}{
		"a damaged ballot":    {set(key, flipped(raw, 40)), set(key, raw), "is damaged on the disk"},
		"a damaged slip":      {set(slipKey(slipPrefix, hash), kept[1:]), set(slipKey(slipPrefix, hash), kept), "is damaged on the disk"},
		"another place":       {set(slipKey(ballotPrefix, [32]byte{1}), raw), func(db dbm.DB) error { return db.Delete(slipKey(ballotPrefix, [32]byte{1})) }, "is damaged on the disk"},
		"no slip":             {func(db dbm.DB) error { return db.Delete(slipKey(slipPrefix, hash)) }, set(slipKey(slipPrefix, hash), kept), "is damaged on the disk"},
		"a false proof":       {doInvalid, undoInvalid, "does not verify"},
		"another transaction": {doNone, undoNone, "what this node has promised"},
	} {
		edit(c.do)
		if err := l.tryOpen(); err == nil || !strings.Contains(err.Error(), "what this node has promised") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		edit(c.undo)
	}
	l.amend = func(o *Options) { o.Pool.Bytes = len(raw) - 1 }
	if err := l.tryOpen(); err == nil || !strings.Contains(err.Error(), "the pool has no room for them; give it more") {
		t.Error(err)
	}
	l.amend = nil
	l.open()
	l.promisedNow(raw)
	if _, err := os.Stat(filepath.Join(l.dir, "slips.db")); err != nil {
		t.Error(err)
	}
}

// TestSettled: a ballot of the voter in a block, whichever, settles all that the voter was promised, and its ballots leave the disk; what
// became of a ballot can be asked.
func TestSettled(t *testing.T) {
	l, b := on(t, nil)
	own, low, high, rest := b.cast(t, 0, 1), b.cast(t, 1, 3), b.cast(t, 1, 4), b.cast(t, 2, 1)
	for _, raw := range [][]byte{own, low, high, rest} {
		l.promise(raw)
	}
	l.promisedNow(own, low, high, rest)
	foreign := b.cast(t, 1, 2) // another node brings it
	l.block(own, foreign)
	l.promisedNow(rest)
	if r, ok := l.app.results.Find(hashOf(own)); !ok || r.Height != 2 || r.Code != tx.CodeOK {
		t.Errorf("%+v, %v", r, ok)
	}
	if l.app.pool.get(hashOf(high)) == nil || l.app.pool.get(hashOf(own)) != nil {
		t.Error("what stands in a block waits, or the voter's next ballot does not")
	}
	l.block(l.prepare(math.MaxInt64)...) // high, as time went on, and rest
	l.promisedNow()
	l.prepare(math.MaxInt64)
	for raw, want := range map[*[]byte]tx.Code{&high: tx.CodeOK, &low: tx.CodeSequence, &rest: tx.CodeOK} {
		if r, ok := l.app.results.Find(hashOf(*raw)); !ok || r.Code != want {
			t.Errorf("%+v, %v, and not %v", r, ok, want)
		}
	}
	if n, _ := l.app.pool.size(); n != 0 {
		t.Errorf("%d transactions wait", n)
	}
}

// TestSettledWhileKept: a block that records a ballot is committed while its slip is on its way to the disk: nothing stays there but the
// slip.
func TestSettledWhileKept(t *testing.T) {
	db := new(hooked)
	l, b := on(t, func(o *Options) { db.DB, o.Slips = o.Slips, db })
	first, second := b.cast(t, 0, 1), b.cast(t, 1, 1)
	db.before = func() error { l.block(first, b.cast(t, 1, 2)); return nil }
	answers, err := l.app.Submit(t.Context(), "", first, second)
	db.before = nil
	if err != nil {
		t.Fatal(err)
	}
	l.check(first, answers[0])
	l.check(second, answers[1])
	l.promisedNow()
}
