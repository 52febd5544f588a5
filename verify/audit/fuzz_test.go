package audit

import (
	"bytes"
	"context"
	"testing"

	"votenode/genesis"
	"votenode/internal/rehearsal"
	"votenode/verify/record"
)

// FuzzBlock reads any bytes as a block: nothing crashes, and what is read is the one encoding of what it became.
func FuzzBlock(f *testing.F) {
	e := own()
	for _, b := range e.Blocks[len(e.Blocks)/2-5 : len(e.Blocks)/2+5] {
		f.Add(rehearsal.Encode(b))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := parseBlock(&record.Block{Raw: raw})
		if err != nil {
			return
		}
		if again := rehearsal.Encode(b.Block); !bytes.Equal(again, raw) {
			t.Errorf("%x was read, and is written as %x", raw, again)
		}
		for i, p := range b.parsed {
			if (p == nil) == (b.verdicts[i].Refusal == nil) {
				t.Errorf("transaction %d is neither read nor refused", i)
			}
		}
	})
}

// FuzzRecord exchanges some bytes of a block for others and audits the record: nothing crashes, and nothing but the same bytes passes.
func FuzzRecord(f *testing.F) {
	e := own()
	document, approvals := e.Files()
	hash := genesis.Hash(e.Genesis)
	f.Add(uint16(3), uint32(200), uint8(1), []byte{7})
	f.Add(uint16(80), uint32(400), uint8(0), []byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, height uint16, at uint32, remove uint8, insert []byte) {
		n := int(height)%(len(e.Blocks)-3) + 1
		var blocks [][]byte
		for _, b := range e.Blocks[:n+2] {
			blocks = append(blocks, rehearsal.Encode(b))
		}
		old := blocks[n-1]
		from := int(at) % len(old)
		to := min(from+int(remove), len(old))
		blocks[n-1] = bytes.Join([][]byte{old[:from], insert, old[to:]}, nil)
		files := rehearsal.Folder(rehearsal.Chain, document, approvals, blocks)
		report, err := Run(context.Background(), files, Options{GenesisHash: &hash})
		if err != nil {
			t.Fatal(err)
		}
		if report.Passed != bytes.Equal(old, blocks[n-1]) && !electionIsOver(report) {
			t.Errorf("passed is %v: %v", report.Passed, report.Failure())
		}
	})
}

// electionIsOver says whether the record stops between the end of an election and its certificate.
func electionIsOver(r *Report) bool {
	failed := r.Failure()
	return failed != nil && failed.Number == checkCertified
}
