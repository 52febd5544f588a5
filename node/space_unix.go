//go:build linux || darwin

package node

import (
	"fmt"
	"syscall"
)

// fileSystem returns what is free to this process, and the size, of the file system that holds a folder, bytes.
func fileSystem(dir string) (free, size uint64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, 0, fmt.Errorf("the file system of %s: %w", dir, err)
	}
	return s.Bavail * uint64(s.Bsize), s.Blocks * uint64(s.Bsize), nil
}
