package store

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"votenode/app/state"
)

// childDir tells a copy of the test binary to commit heights into a store until it is killed.
const childDir = "VOTENODE_STORE_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		fmt.Fprintln(os.Stderr, commitForEver(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// commitForEver prints each height after it was committed. Its transactions are small, so that most kills hit a height in
// the middle.
func commitForEver(dir string) error {
	s, err := Open(Options{Dir: dir})
	if err != nil {
		return err
	}
	(&plan{limit: 4}).install(s)
	l, err := state.Open(s)
	if err != nil {
		return err
	}
	for {
		if _, err := next(l); err != nil {
			return err
		}
		fmt.Println(l.Newest().Height())
	}
}

// A process that commits is killed by SIGKILL at random times. What it has reported as committed is there, nothing but whole
// heights is there, and their AppHashes are those of an undisturbed run. 20 kills, with VOTENODE_LONG=1 200; the seed is
// printed, and VOTENODE_SEED repeats the draws.
func TestKilledAtRandomTimes(t *testing.T) {
	kills := 20
	if os.Getenv("VOTENODE_LONG") == "1" {
		kills = 200
	} else if testing.Short() {
		kills = 5
	}
	seed := uint64(time.Now().UnixNano())
	if v := os.Getenv("VOTENODE_SEED"); v != "" {
		var err error
		if seed, err = strconv.ParseUint(v, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("VOTENODE_SEED=%d", seed)
	draw := rand.New(rand.NewPCG(seed, 0))

	dir := t.TempDir()
	undisturbed := openLedger(t, new(state.Memory))
	var want []state.Hash
	leftovers := 0
	for kill := range kills {
		reported := runChild(t, dir, draw)
		if _, err := os.Stat(filepath.Join(dir, "LOCK")); err != nil && reported >= 0 {
			t.Fatalf("kill %d: the child left no LOCK file: %v", kill, err)
		}
		s := open(t, Options{Dir: dir})
		l := openLedger(t, s)
		if s.leftover {
			leftovers++
		}
		h := int64(-1)
		if newest := l.Newest(); newest != nil {
			h = newest.Height()
			for int64(len(want)) <= h {
				want = append(want, mustNext(t, undisturbed))
			}
			if newest.AppHash() != want[h] {
				t.Fatalf("kill %d: height %d has AppHash %x, want %x", kill, h, newest.AppHash(), want[h])
			}
		}
		if h < reported {
			t.Fatalf("kill %d: height %d was reported as committed, the store is at %d", kill, reported, h)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d heights, %d kills in the middle of one", len(want), leftovers)
}

// runChild runs a child until it is killed at a random time, and returns the last height it reported, or -1.
func runChild(t *testing.T, dir string, draw *rand.Rand) (reported int64) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	// Some are killed while they open the store, most after some heights.
	lines, wait := draw.IntN(12)-1, time.Duration(draw.Int64N(int64(3*time.Millisecond)))
	if lines < 0 {
		lines, wait = 0, 10*wait
	}
	reported = -1
	scan := bufio.NewScanner(out)
	read := func() bool {
		if !scan.Scan() {
			return false
		}
		if reported, err = strconv.ParseInt(scan.Text(), 10, 64); err != nil {
			t.Fatal(err)
		}
		return true
	}
	for range lines {
		if !read() {
			t.Fatalf("the child stopped by itself: %v", child.Wait())
		}
	}
	time.AfterFunc(wait, func() { child.Process.Kill() })
	for read() {
	}
	io.Copy(io.Discard, out)
	if err := child.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Fatalf("the child ended with %v", err)
	}
	return reported
}

// TestKilledBeforeTheFirstByte: log files that Badger has created and not written to are no reason not to open, and nothing is lost.
func TestKilledBeforeTheFirstByte(t *testing.T) {
	want, dir := reference(t, 8), t.TempDir()
	s := open(t, Options{Dir: dir})
	l := openLedger(t, s)
	for range 8 {
		mustNext(t, l)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"000090.vlog", "000091.vlog", "00090.mem"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l = openLedger(t, open(t, Options{Dir: dir}))
	if n := l.Newest(); n.Height() != 7 || n.AppHash() != want[7] {
		t.Errorf("height %d, AppHash %x after the kill", n.Height(), n.AppHash())
	}
}
