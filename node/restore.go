package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	dbm "github.com/cometbft/cometbft-db"
	sm "github.com/cometbft/cometbft/state"
	cmtstore "github.com/cometbft/cometbft/store"

	"votenode/abci"
	"votenode/app"
	"votenode/app/election"
	"votenode/app/state"
	"votenode/node/signing"
	"votenode/store"
)

var (
	// ErrHasData says that a home that was to begin with a snapshot has data already.
	ErrHasData = errors.New("the home has data already")
	// ErrHasSigned says that the key of a home that was to begin with a snapshot has signed already.
	ErrHasSigned = errors.New("the consensus key of this home has signed already")
	// ErrLeftOver says that a home that was to begin with a snapshot has no data, but some file of earlier ones.
	ErrLeftOver = errors.New("the home has a file of earlier data")
)

// newcomer makes the data of a home that has none out of a snapshot, in a folder beside, and puts it in place when it is whole and verified.
//
// Crash points: until the last rename there is nothing but the folder beside, which the next start drops; from then on the data are those of a
// node that was stopped after the snapshot's block.
type newcomer struct {
	node *Node
	disk *store.Store // in the folder beside; nil before a snapshot is tried
}

// hasData says whether a node has ever begun in a home.
func (h Home) hasData() (bool, error) {
	for _, path := range []string{h.ledger(), filepath.Join(h.comet(), "blockstore.db")} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return true, err
		}
	}
	return false, nil
}

// leftOver returns the path of a file in the data folder, "" where there is none.
func (h Home) leftOver() (found string, err error) {
	err = filepath.WalkDir(h.data(), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		found = path
		return fs.SkipAll
	})
	return found, err
}

// newNewcomer begins anew beside the data of a home. It fails with ErrHasData, with ErrLeftOver, and with ErrHasSigned: a key that has signed goes
// on with the blocks that it signed, or never again (docs/spec section 7.6).
func newNewcomer(n *Node) (*newcomer, error) {
	has, err := n.home.hasData()
	if err != nil {
		return nil, err
	}
	if has {
		return nil, fmt.Errorf("%w: %s", ErrHasData, n.home.data())
	}
	last, err := n.home.lastSigned(n.doc.ChainId)
	if err != nil {
		return nil, err
	}
	var on decided
	if err := signing.ReadState(n.home.decided(), &on); err != nil {
		return nil, err
	}
	if last.Height > 0 || on.Height > 0 {
		return nil, fmt.Errorf("%w, at height %d: it may begin with block 1 and its own sign state, but not with a snapshot; %s", ErrHasSigned, max(last.Height, on.Height), remedy)
	}
	left, err := n.home.leftOver()
	if err != nil {
		return nil, err
	}
	if left != "" {
		return nil, fmt.Errorf("%w: %s; move it away: the key has signed nothing, so the node owes nobody what is in it", ErrLeftOver, left)
	}
	c := &newcomer{node: n}
	return c, c.clear()
}

// clear drops the folder beside.
func (c *newcomer) clear() error {
	if err := c.close(); err != nil {
		return err
	}
	return os.RemoveAll(c.node.home.newData())
}

// begin makes an empty store for the state of a height, in place of that of a snapshot that was tried before.
func (c *newcomer) begin(height int64) (abci.Sink, error) {
	if err := errors.Join(c.close(), os.RemoveAll(c.ledger())); err != nil {
		return nil, err
	}
	disk, err := store.Open(store.Options{Dir: c.ledger(), Logger: c.node.log.With("part", "store")})
	if err != nil {
		return nil, err
	}
	c.disk = disk
	load, err := disk.NewLoad(height)
	return wholeLeaves{load}, err
}

func (c *newcomer) ledger() string { return filepath.Join(c.node.home.newData(), "ledger") }

// restorer takes in a snapshot.
func (c *newcomer) restorer() *abci.Restorer {
	return abci.NewRestorer(app.New(c.node.doc.ChainId), c.begin, c.node.log.With("part", "snapshot"))
}

// adopt reads what was restored once more, compares it with the certified state, adds what CometBFT has to know, and puts the data in place.
func (c *newcomer) adopt(o *origin) error {
	dir := c.node.home.newData()
	comet := databases{dir: filepath.Join(dir, "comet"), open: map[string]dbm.DB{}}
	err := c.complete(o, &comet)
	if err = errors.Join(err, comet.close(), c.close()); err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	for i, proof := range o.proof.State.Epochs {
		if err := abci.WriteFile(filepath.Join(dir, epochProofFile(uint64(i)+2)), election.Encode(proof)); err != nil {
			return err
		}
	}
	if err := errors.Join(abci.SyncDir(comet.dir), abci.SyncDir(c.ledger()), abci.SyncDir(dir)); err != nil {
		return err
	}
	// What is there of the folder holds no file. Remove takes away nothing else.
	for _, empty := range []string{c.node.home.comet(), c.node.home.data()} {
		if err := os.Remove(empty); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Rename(dir, c.node.home.data()); err != nil {
		return err
	}
	return abci.SyncDir(string(c.node.home))
}

// complete checks the restored ledger and writes CometBFT's state.
func (c *newcomer) complete(o *origin, comet *databases) error {
	db, err := comet.get("blockstore")
	if err != nil {
		return err
	}
	blocks := cmtstore.NewBlockStore(db)
	ledger, err := state.Open(newLeavesInBlocks(c.disk, blocks))
	if err != nil {
		return err
	}
	newest := ledger.Newest()
	if newest == nil || newest.Height() != o.state.Height || newest.AppHash() != o.state.AppHash {
		return fmt.Errorf("%w: what was restored is not the state of height %d", state.ErrCorrupted, o.state.Height)
	}
	s, commit, err := o.cometState(newest)
	if err != nil {
		return err
	}
	if db, err = comet.get("state"); err != nil {
		return err
	}
	if err := sm.NewStore(db, sm.StoreOptions{DiscardABCIResponses: true}).Bootstrap(s); err != nil {
		return err
	}
	return blocks.SaveSeenCommit(s.LastBlockHeight, commit)
}

func (c *newcomer) close() error {
	if c.disk == nil {
		return nil
	}
	disk := c.disk
	c.disk = nil
	return disk.Close()
}

// wholeLeaves stores leaves as leavesInBlocks wants them: whole, for the blocks before a snapshot are not there.
type wholeLeaves struct{ *store.Load }

// Put implements abci.Sink.
func (w wholeLeaves) Put(changes []state.Change) error {
	for i, c := range changes {
		if state.IsLeafKey(c.Key) {
			changes[i].Value = append([]byte{leafWhole}, c.Value...)
		}
	}
	return w.Load.Put(changes)
}
