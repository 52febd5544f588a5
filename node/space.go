package node

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync/atomic"
	"time"
)

// spaceInterval is how often the disk is looked at. At the full rate of blocks, 8 MiB a second, far less than any reserve is written meanwhile.
const spaceInterval = 5 * time.Second

// space watches how much room the file system of the node's data has. What clients bring is refused while less than the reserve is free:
// blocks that others make are still written then, and for those, for tables that the stores rewrite and for the sign state the reserve is
// kept (docs/spec section 7.4).
type space struct {
	home    Home
	reserve uint64 // bytes
	look    func(dir string) (free, size uint64, err error)
	seen    atomic.Pointer[spaceSeen]
}

// spaceSeen is what was found last.
type spaceSeen struct {
	free, size uint64           // of the file system, bytes
	err        error            // why that is not known
	stores     map[string]int64 // bytes of what lies in data, by name
}

// newSpace looks for the first time. A nil function asks the operating system.
func newSpace(h Home, reserve uint64, look func(dir string) (free, size uint64, err error)) *space {
	if look == nil {
		look = fileSystem
	}
	s := &space{home: h, reserve: reserve, look: look}
	s.update()
	return s
}

// follow looks again and again until ctx is done. It tells of a change that closes or opens the node to clients.
func (s *space) follow(ctx context.Context, n *Node) error {
	ticker := time.NewTicker(spaceInterval)
	defer ticker.Stop()
	closed := false
	for {
		reason := s.closed()
		switch {
		case reason != nil && !closed:
			n.log.Error("nothing is taken from clients", "reason", reason)
		case reason == nil && closed:
			n.log.Info("there is room on the disk again")
		}
		closed = reason != nil
		select {
		case <-ticker.C:
			s.update()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *space) update() {
	seen := &spaceSeen{stores: map[string]int64{}}
	seen.free, seen.size, seen.err = s.look(s.home.path("data"))
	for name, dir := range s.home.stores() {
		seen.stores[name] = sizeOf(dir)
	}
	s.seen.Store(seen)
}

// closed says why nothing is taken from clients, nil where there is room. Where the operating system does not tell, there is.
func (s *space) closed() error {
	if seen := s.seen.Load(); seen.err == nil && seen.free < s.reserve {
		return fmt.Errorf("the disk of this node is nearly full: %d MiB are free, and %d MiB are kept for blocks", seen.free>>20, s.reserve>>20)
	}
	return nil
}

// sizeOf returns what the files of a folder and below take, bytes. Files come and go meanwhile: what is gone is not counted.
func sizeOf(dir string) (size int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			size += info.Size()
		}
		return nil
	})
	return size
}
