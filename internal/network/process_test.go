package network

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestProcesses(t *testing.T) {
	ctx, fail := context.WithCancelCause(t.Context())
	ps := &Processes{Binary: "/bin/sh", Logs: t.TempDir(), Fail: fail}
	asked, err := ps.Start("asked", "-c", "echo ready; exec cat /dev/zero >/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	killed, err := ps.Start("killed", "-c", "trap '' TERM; while :; do :; done")
	if err != nil {
		t.Fatal(err)
	}
	if PeakMemory(asked.PID()) == 0 && fileExists("/proc/self/status") {
		t.Error("no peak memory")
	}
	for fileExists("/proc/self/stat") && CPUTime(killed.PID()) == 0 { // it does nothing but count
	}
	if err := killed.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := ps.EndAll(); err != nil {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Fatal("an end that was asked for counts as a failure:", context.Cause(ctx))
	}
	if _, err := ps.Start("faulty", "-c", "echo the reason >&2; exit 7"); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	if cause := context.Cause(ctx).Error(); !strings.Contains(cause, "faulty ended by itself: exit status 7") || !strings.Contains(cause, "the reason") {
		t.Fatal(cause)
	}
	if out, err := ps.Run(t.Context(), "-c", "echo out; echo talk >&2; exit 3"); string(out) != "out\n" || err == nil || !strings.HasSuffix(err.Error(), "exit 3: talk") {
		t.Fatal(string(out), err)
	}
}

// A process that is kept from the network sees no interface but its own loopback.
func TestRunOffline(t *testing.T) {
	ps := &Processes{Binary: "/bin/sh"}
	out, kept, err := ps.RunOffline(t.Context(), "-c", "cat /proc/net/dev; id -u")
	if err != nil || !strings.HasSuffix(string(out), fmt.Sprintf("\n%d\n", os.Getuid())) {
		t.Fatal(string(out), err)
	}
	if !kept {
		t.Skip("this system does not let a process be kept from the network")
	}
	if n := strings.Count(string(out), ":"); n != 1 {
		t.Errorf("%d interfaces:\n%s", n, out)
	}
	var failed *CommandError
	if _, kept, err = ps.RunOffline(t.Context(), "-c", "exit 3"); !kept || !errors.As(err, &failed) || failed.Code != 3 {
		t.Error(kept, err)
	}
}

func fileExists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// A file with a hole occupies what was written.
func TestAllocated(t *testing.T) {
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(folder, "sub", "hole"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := file.Truncate(1 << 30); err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt(make([]byte, 1<<20), 1<<29); err != nil {
		t.Fatal(err)
	}
	if err := file.Sync(); err != nil {
		t.Fatal(err)
	}
	if n, err := Allocated(folder); err != nil || n < 1<<20 || n > 1<<28 {
		t.Fatalf("%d bytes, %v", n, err)
	}
}
