package state

import (
	"fmt"
	"testing"
)

// One operation is a block of 2,000 ballots of 1.2 KB among a million voters, replayed in memory.
func BenchmarkReplayBlockOf2000Ballots(b *testing.B) {
	const voters = 1_000_000
	ballot := make([]byte, 1200)
	l, err := Open(new(Memory))
	if err != nil {
		b.Fatal(err)
	}
	commit := func(d *Draft) {
		block, err := d.Finish()
		if err == nil {
			err = l.Commit(block)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	genesis := l.NewGenesis()
	genesis.CreateVoters("primary", voters)
	commit(genesis)
	for b.Loop() {
		d := l.NewDraft()
		for range 2000 {
			index := d.Append("election/primary/ballots", ballot)
			d.SetVoter("primary", index*7919%voters, fmt.Appendf(nil, "a voter's leaf of the usual length %010d", index))
			d.SetIndex(fmt.Appendf(nil, "code/primary/%032d", index), []byte("12345678"))
		}
		commit(d)
	}
}
