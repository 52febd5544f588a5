package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"

	dbm "github.com/cometbft/cometbft-db"
	cmtcfg "github.com/cometbft/cometbft/config"
	"github.com/syndtr/goleveldb/leveldb/filter"
	"github.com/syndtr/goleveldb/leveldb/opt"
)

// databases are the open goleveldb databases in a folder, by name.
type databases struct {
	dir  string
	open map[string]dbm.DB
}

// databaseOptions let a key that is not there be known without a read of the disk, as most hashes are that the slips and the results
// are asked for: 10 bits a key, one of a hundred is read in vain.
var databaseOptions = &opt.Options{Filter: filter.NewBloomFilter(10)}

// get opens a database once.
func (d *databases) get(name string) (dbm.DB, error) {
	if db := d.open[name]; db != nil {
		return db, nil
	}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return nil, err
	}
	db, err := dbm.NewGoLevelDBWithOpts(name, d.dir, databaseOptions)
	if err != nil {
		if errors.Is(err, syscall.EAGAIN) {
			err = fmt.Errorf("%w; a node runs once at a time", err)
		}
		return nil, fmt.Errorf("opening %s: %w", filepath.Join(d.dir, name+".db"), err)
	}
	d.open[name] = &database{DB: db}
	return d.open[name], nil
}

// CometDatabases opens CometBFT's databases in a home for CometBFT alone, which closes them when it stops.
func CometDatabases(h Home) cmtcfg.DBProvider {
	d := &databases{dir: h.comet(), open: map[string]dbm.DB{}}
	return d.provide
}

// provide is what CometBFT calls for a database.
func (d *databases) provide(c *cmtcfg.DBContext) (dbm.DB, error) { return d.get(c.ID) }

// release forgets databases that somebody else closes.
func (d *databases) release(names ...string) {
	for _, name := range names {
		delete(d.open, name)
	}
}

func (d *databases) close() error {
	var errs []error
	for _, db := range d.open {
		errs = append(errs, db.Close())
	}
	return errors.Join(errs...)
}

// database is one that answers "nothing there" once it is closed. CometBFT closes its stores when it has stopped, while goroutines
// that served its peers still look into them for a moment, and panic on any error: a node that was asked to stop would crash.
// They send what they find to peers that are gone. Whoever writes has ended before: consensus and block sync are waited for.
type database struct {
	dbm.DB
	closed atomic.Bool
}

// Get implements dbm.DB.
func (d *database) Get(key []byte) ([]byte, error) {
	value, err := d.DB.Get(key)
	if err != nil && d.closed.Load() {
		return nil, nil
	}
	return value, err
}

// Close implements dbm.DB.
func (d *database) Close() error {
	d.closed.Store(true)
	return d.DB.Close()
}
