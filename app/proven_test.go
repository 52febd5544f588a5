package app

import (
	"encoding/binary"
	"testing"

	"votenode/crypto/threshold"
)

// TestProvenParts: what was proven is known until the memory is full, and nothing else is.
func TestProvenParts(t *testing.T) {
	var p provenParts
	name := func(i int) [32]byte { return nameOf(binary.BigEndian.AppendUint64(nil, uint64(i))) }
	if p.has(name(0)) {
		t.Error("known before it was proven")
	}
	for i := range maxProven {
		p.add(name(i))
	}
	if !p.has(name(0)) || !p.has(name(maxProven-1)) || p.has(name(maxProven)) {
		t.Error("it forgets, or knows what was not proven")
	}
	p.add(name(maxProven))
	if !p.has(name(maxProven)) || len(p.names) > maxProven {
		t.Errorf("%d are remembered", len(p.names))
	}
	if nameOf([]byte("ab"), []byte("c")) == nameOf([]byte("a"), []byte("bc")) || nameOf() == nameOf(nil) {
		t.Error("two statements have one name")
	}
}

// TestLogTableGrows: the table is made again only where it is too small, so that many sums cost few tables.
func TestLogTableGrows(t *testing.T) {
	var table logTable
	made := map[*threshold.LogTable]bool{}
	for ballots := range uint64(20_000) {
		table.grow(ballots)
		made[table.LogTable] = true
	}
	if len(made) != 4 { // for 1,024, 4,096, 16,384 and 65,536
		t.Errorf("%d tables", len(made))
	}
}
