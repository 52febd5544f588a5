package abci

import (
	"testing"

	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// until makes empty blocks up to a height.
func (l *ledger) until(height int64) {
	l.t.Helper()
	for l.height() < height {
		l.block()
	}
}

// reported has the application report and returns what its next block would hold of that, with the bytes.
func (l *ledger) reported() (m *pb.ReportIntake, raw []byte) {
	l.t.Helper()
	if err := l.app.ReportIntake(); err != nil {
		l.t.Fatal(err)
	}
	for _, b := range l.prepare(1 << 20) {
		p, err := tx.Parse(b)
		if err != nil {
			l.t.Fatal(err)
		}
		if found, ok := p.Body().(*pb.ReportIntake); ok {
			if m != nil {
				l.t.Fatal("two reports in a block")
			}
			m, raw = found, b
		}
	}
	return m, raw
}

// TestReportIntake: a validator's node makes one report when it is due, of all that it was asked since its start, and its own report is not
// in it; a report that no block took gives way to the next.
func TestReportIntake(t *testing.T) {
	l := newLedger(t)
	l.until(59)
	if m, _ := l.reported(); m != nil {
		t.Fatalf("before one is due: %v", m)
	}
	l.until(60)
	l.submit(publish(1), []byte("x"), []byte("y"), publish(2))
	m, first := l.reported()
	if m == nil || m.Start != 1 || m.Height != 60 || m.Taken != 2 || m.FromPeers != 0 || m.Verified != 0 || m.Slips != 0 ||
		len(m.Refused) != 1 || m.Refused[0] != (pb.RefusalCount{Code: uint32(tx.CodeMalformed), Count: 2}) {
		t.Fatalf("%+v", m)
	}
	if _, again := l.reported(); string(again) != string(first) {
		t.Error("asked again, it makes another")
	}
	if !l.process(first) {
		t.Error("a block with it is refused")
	}
	l.until(120)
	l.submit(append(publish(3), 0))
	if err := l.app.ReportIntake(); err != nil || l.app.pool.get(hashOf(first)) != nil {
		t.Errorf("the report of height 60 still waits, %v", err)
	}
	m, second := l.reported()
	if m == nil || m.Height != 120 || m.Taken != 2 || m.Refused[0].Count != 3 {
		t.Fatalf("%+v", m)
	}
	if codes := l.block(second); codes[0] != tx.CodeOK {
		t.Fatal(codes)
	}
	if m, _ := l.reported(); m != nil {
		t.Errorf("reported, and again: %v", m)
	}
	if size, _ := l.app.pool.size(); size != 2 {
		t.Errorf("%d transactions wait besides", size)
	}
}

// TestReportsAcrossStarts: the next start begins from nothing under its own number, and once; a home that was set back names a later start
// than the ledger knows.
func TestReportsAcrossStarts(t *testing.T) {
	start := uint64(1)
	l := newLedgerOf(t, func(o *Options) { o.Start = start })
	restart := func(n uint64) {
		l.close()
		start = n
		l.open()
	}
	l.until(60)
	l.submit(publish(1))
	_, raw := l.reported()
	l.block(raw)
	restart(2)
	err := l.app.ReportIntake()
	if size, _ := l.app.pool.size(); size != 0 || err != nil {
		t.Fatalf("the ledger has a report of this height, and %d wait: %v", size, err)
	}
	l.until(120)
	m, raw := l.reported()
	if m == nil || m.Start != 2 || m.Taken != 0 {
		t.Fatalf("%v", m)
	}
	l.block(raw)
	restart(1)
	l.until(180)
	m, raw = l.reported()
	if m == nil || m.Start != 3 {
		t.Fatalf("%v", m)
	}
	if codes := l.block(raw); codes[0] != tx.CodeOK {
		t.Fatal(codes)
	}
	l.until(240)
	if m, _ = l.reported(); m == nil || m.Start != 3 {
		t.Fatalf("%v", m)
	}
	last, err := state.MustLoad[pb.LastIntake](l.app.ledger.Newest(), state.IntakeKey(public(own)))
	if err != nil || last.Index != 2 || last.Report.Height != 180 {
		t.Errorf("%v %v", last, err)
	}
	restart(3) // set back to the start that has reported, and no counter is smaller
	l.submit(publish(2))
	if m, _ = l.reported(); m == nil || m.Start != 4 || m.Taken != 1 {
		t.Fatalf("%v", m)
	}
}

// TestReportOfFullNode: a node whose pool is full reports all the same, and that soon.
func TestReportOfFullNode(t *testing.T) {
	l := newLedgerOf(t, func(o *Options) { o.Pool.Count = 1 })
	l.until(60)
	if codes := l.submit(publish(1), publish(2)); codes[0] != tx.CodeOK || codes[1] != tx.CodeRetryLater {
		t.Fatal(codes)
	}
	if m, _ := l.reported(); m == nil || len(m.Refused) != 1 || tx.Code(m.Refused[0].Code) != tx.CodeRetryLater {
		t.Errorf("%v", m)
	}
}

// TestManyReports: however many reports a validator signs of one height, a block takes one: ballots have the room of the others.
func TestManyReports(t *testing.T) {
	l := newLedger(t)
	l.until(60)
	for taken := range uint64(5) {
		raw := tx.Sign(chainID, &pb.ReportIntake{Start: 1, Height: 60, Taken: taken}, key(other+" slip"))
		if codes := l.submit(raw); codes[0] != tx.CodeOK {
			t.Fatal(codes)
		}
	}
	if err := l.app.ReportIntake(); err != nil {
		t.Fatal(err)
	}
	txs := l.prepare(1 << 20)
	if len(txs) != 2 {
		t.Fatalf("%d reports of two validators", len(txs))
	}
	l.block(txs...)
	if l.prepare(1 << 20); len(l.app.pool.owners) != 0 {
		t.Error("what the ledger takes no more waits on")
	}
}

// TestSlipsAreReported: a promise counts once, however often it is asked for.
func TestSlipsAreReported(t *testing.T) {
	l, b := newLedger(t), newBooth(t)
	plant(l, b)
	raw := b.cast(t, 0, 1)
	l.submit(raw, raw, b.cast(t, 1, 1))
	l.submit(raw)
	l.until(60)
	m, _ := l.reported()
	if m == nil || m.Slips != 2 || m.Verified != 2 || m.Taken != 4 {
		t.Errorf("%v", m)
	}
}

// TestOthersReportNothing: a node whose slip key is no validator's makes no report.
func TestOthersReportNothing(t *testing.T) {
	l := newLedgerOf(t, func(o *Options) { o.SlipKey = key("somebody") })
	l.until(60)
	if err := l.app.ReportIntake(); err != nil {
		t.Fatal(err)
	}
	if size, _ := l.app.pool.size(); size != 0 {
		t.Errorf("%d transactions wait", size)
	}
}
