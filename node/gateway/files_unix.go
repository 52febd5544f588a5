//go:build unix

package gateway

import (
	"math"
	"syscall"
)

// openFiles returns how many files and connections this process may have open. The gateway takes half; the rest is for the
// databases, which cannot do without, and for peers.
func openFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return math.MaxInt
	}
	return int(min(uint64(limit.Cur), math.MaxInt32))
}
