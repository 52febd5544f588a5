//go:build !linux && !darwin

package node

import "errors"

// fileSystem fails: this operating system is not asked.
func fileSystem(string) (free, size uint64, err error) {
	return 0, 0, errors.New("the free space of a disk is not known on this operating system")
}
