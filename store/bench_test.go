package store

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"votenode/app/state"
)

// allocated returns the bytes that the files of a folder take up on the disk.
func allocated(tb testing.TB, dir string) (bytes int64) {
	tb.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			bytes += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return bytes
}

// One operation is a block of 2,000 ballots of 1.2 KB among a million voters: a leaf of the ballot log, a voter's leaf and an
// index entry each, 200 records of sums, a leaf of the blocks log. Drafted, hashed and committed, synced.
func BenchmarkBlockOf2000Ballots(b *testing.B) {
	const ballots, voters = 2000, 1_000_000
	dir := b.TempDir()
	s, err := Open(Options{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	l, err := state.Open(s)
	if err != nil {
		b.Fatal(err)
	}
	genesis := l.NewGenesis()
	genesis.CreateVoters("primary", voters)
	commit(b, l, genesis)
	empty := allocated(b, dir)
	draw := rand.NewChaCha8([32]byte{1})
	random := func(n int) []byte {
		p := make([]byte, n)
		draw.Read(p)
		return p
	}
	blocks := 0
	for b.Loop() {
		d := l.NewDraft()
		for range ballots {
			index := d.Append("election/primary/ballots", random(1200))
			code := random(32)
			d.SetVoter("primary", draw.Uint64()%voters, append([]byte{8, 1, 16, 200, 200, 3, 34, 32}, code...))
			d.SetIndex(append([]byte("code/primary/"), code...), fmt.Appendf(nil, "%08d", index)[:8])
		}
		for i := range 200 {
			d.SetRecord(fmt.Sprintf("election/primary/sum/%05d", i), random(32*6))
		}
		d.Append("blocks", random(100))
		commit(b, l, d)
		blocks++
	}
	b.StopTimer()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(allocated(b, dir)-empty)/float64(blocks*ballots), "disk-B/ballot")
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(blocks*ballots), "us/ballot")
	b.ReportMetric(float64(empty), "empty-store-B")
	if os.Getenv("VOTENODE_LONG") == "1" {
		b.Logf("%d blocks", blocks)
	}
}

func commit(tb testing.TB, l *state.Ledger, d *state.Draft) {
	block, err := d.Finish()
	if err == nil {
		err = l.Commit(block)
	}
	if err != nil {
		tb.Fatal(err)
	}
}
