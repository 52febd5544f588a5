package node

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/cometbft/cometbft/consensus"
	"github.com/cometbft/cometbft/libs/autofile"
)

// TestWalFiles writes a log as CometBFT does, with small files, and removes old ones: what was written in the last heights is always
// there, also across a restart, and CometBFT finds the end of the last height.
func TestWalFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wal", "wal")
	open := func() *consensus.BaseWAL {
		t.Helper()
		log, err := consensus.NewWAL(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := log.Start(); err != nil {
			t.Fatal(err)
		}
		return log
	}
	log, w := open(), &walFiles{path: path}
	var begun []int // by height: the number of the file in which it began
	const heights, restart, each = 60, 35, 3
	for height := range int64(heights) {
		begun = append(begun, log.Group().MaxIndex())
		for range height % each { // the heights have nothing to do with the files
			rotate(t, log.Group())
		}
		if err := log.WriteSync(consensus.EndHeightMessage{Height: height}); err != nil {
			t.Fatal(err)
		}
		if err := w.committed(); err != nil {
			t.Fatal(err)
		}
		numbers, err := w.numbers()
		if err != nil {
			t.Fatal(err)
		}
		if oldest := begun[max(0, height-walHeights+1)]; len(numbers) > 0 && oldest < log.Group().MaxIndex() && numbers[0] > oldest {
			t.Fatalf("at height %d, files %v are left, %d is needed", height, numbers, oldest)
		}
		if len(numbers) > (2*walHeights+2)*each {
			t.Fatalf("at height %d, %d files are left", height, len(numbers))
		}
		if height == restart {
			if err := log.Stop(); err != nil {
				t.Fatal(err)
			}
			log.Wait()
			log, w = open(), &walFiles{path: path}
		}
	}
	found, ok, err := log.SearchForEndHeight(heights-1, &consensus.WALSearchOptions{})
	if err != nil || !ok {
		t.Fatal("the end of the last height is not found", err)
	}
	found.Close()
	if _, ok, err := log.SearchForEndHeight(heights, &consensus.WALSearchOptions{}); err != nil || ok {
		t.Error("a height that has not ended is found", err)
	}
	if _, err := os.Stat(fmt.Sprintf("%s.000", path)); !os.IsNotExist(err) {
		t.Error("the first file is left:", err)
	}
	if err := log.Stop(); err != nil {
		t.Fatal(err)
	}
}

func rotate(t *testing.T, g *autofile.Group) {
	t.Helper()
	if err := g.FlushAndSync(); err != nil {
		t.Fatal(err)
	}
	g.RotateFile()
}
