package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// walHeights is how many heights the write-ahead log is kept for, besides the present one. CometBFT reads what it holds of the present
// height, and needs the mark at the end of the one before.
const walHeights = 10

// walFiles keeps CometBFT's write-ahead log short. It holds every proposal a second time, in files of some 10 MiB, and CometBFT would
// keep a gigabyte of them. The file that is written has no number; when it is full, it gets the next one. Removing old files beside
// CometBFT is what CometBFT does itself: it looks at the folder, and reads old files at its start only, from the newest back.
type walFiles struct {
	// path is that of the file that is written.
	path string
	// next are the numbers that the written file was to get at the last heights, oldest first.
	next []int
}

// follow removes old files after each height until ctx is done.
func (w *walFiles) follow(ctx context.Context, n *Node) error {
	for {
		height := n.app.Tip().Height
		if err := w.committed(); err != nil {
			return fmt.Errorf("CometBFT's write-ahead log: %w", err)
		}
		if err := n.app.Wait(ctx, height+1); err != nil {
			return err
		}
	}
}

// committed removes the files that were full walHeights heights ago.
func (w *walFiles) committed() error {
	numbers, err := w.numbers()
	if err != nil {
		return err
	}
	next := 0
	if len(numbers) > 0 {
		next = numbers[len(numbers)-1] + 1
	}
	if w.next = append(w.next, next); len(w.next) <= walHeights {
		return nil
	}
	old := w.next[0]
	w.next = w.next[1:]
	for _, number := range numbers {
		if number >= old {
			break
		}
		if err := os.Remove(fmt.Sprintf("%s.%03d", w.path, number)); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}

// numbers returns those of the full files, ascending.
func (w *walFiles) numbers() ([]int, error) {
	files, err := os.ReadDir(filepath.Dir(w.path))
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, f := range files {
		text, ok := strings.CutPrefix(f.Name(), filepath.Base(w.path)+".")
		if number, err := strconv.Atoi(text); ok && err == nil && len(text) >= 3 {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}
