package network

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Allocated returns the bytes that the files below a folder occupy on disk: allocated blocks, so that holes do not count. Files that
// vanish meanwhile, as those of a running store do, count nothing.
func Allocated(folder string) (int64, error) {
	var total int64
	err := filepath.WalkDir(folder, func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			total += stat.Blocks * 512
		} else {
			total += info.Size()
		}
		return nil
	})
	return total, err
}

// PeakMemory returns the greatest resident memory that a running process has had, in bytes; 0 where the system does not tell.
func PeakMemory(pid int) int64 { return memory(pid, "VmHWM:") }

// Memory returns the present resident memory of a process, in bytes; 0 where the system does not tell.
func Memory(pid int) int64 { return memory(pid, "VmRSS:") }

// memory reads a line of the status of a process.
func memory(pid int, name string) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}

// CPUTime returns the time that a running process has had of the cores; 0 where the system does not tell.
func CPUTime(pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 on all architectures that Go knows
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	if err1 != nil || err2 != nil {
		return 0
	}
	return time.Duration(user+system) * tick
}

// ResetPeakMemory makes the present resident memory of this process the greatest that it has had, and says whether the system can.
func ResetPeakMemory() bool {
	const peak = "5" // what clear_refs of proc(5) calls it
	return os.WriteFile("/proc/self/clear_refs", []byte(peak), 0) == nil
}
