package signing

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// ErrRunning says that another process has a folder.
var ErrRunning = errors.New("another process uses this folder")

// Lock takes a folder for this process, until the file is closed or the process has ended. It is the folder itself that is locked: a lock
// file can be deleted by somebody who takes it for a remnant, and then does not keep the next process away. It fails with ErrRunning.
func Lock(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w; stop it first", dir, ErrRunning)
		}
		return nil, fmt.Errorf("locking %s: %w; the folder has to be on a local disk", dir, err)
	}
	return f, nil
}
