package abci

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"

	dbm "github.com/cometbft/cometbft-db"

	"votenode/app/election"
	pb "votenode/proto/votenode/v1"
)

// slips keeps what this node has promised: each slip for ever, so that the same bytes are answered again, and its ballot until the
// promise is settled, so that a killed node still has it. A batch is on the disk when keep returns. Crash points: before keep has
// returned, no slip has left; after, the ballot is put back into the pool at the next start. Its methods are safe for
// concurrent use.
type slips struct {
	db dbm.DB

	mu     sync.Mutex
	failed error             // of a write: nothing is known of the disk, and nothing is promised any more
	doubt  map[[32]byte]bool // what that write was to bring, and may have
}

// Keys of the database: a letter and the hash of the ballot's transaction.
const (
	slipPrefix   = 's' // canonical bytes of the slip
	ballotPrefix = 'b' // the transaction, until the promise is settled
)

func slipKey(prefix byte, hash [32]byte) []byte { return append([]byte{prefix}, hash[:]...) }

// find returns the slip for a transaction, nil where there is none. One that a failed write may have brought leaves the node after the
// next start at the earliest, when its ballot is among those promised again.
func (s *slips) find(hash [32]byte) ([]byte, error) {
	s.mu.Lock()
	doubtful := s.doubt[hash]
	s.mu.Unlock()
	if doubtful {
		return nil, nil
	}
	return s.db.Get(slipKey(slipPrefix, hash))
}

// kept is what is written of a promise.
type kept struct {
	hash    [32]byte // of the ballot's transaction
	promise *pb.Promise
	slip    []byte // canonical bytes
}

// keep writes slips with their ballots, one sync for all.
func (s *slips) keep(list []kept) error {
	if err := s.fault(); err != nil {
		return err
	}
	batch := s.db.NewBatch()
	defer batch.Close()
	for _, k := range list {
		if err := errors.Join(batch.Set(slipKey(slipPrefix, k.hash), k.slip), batch.Set(slipKey(ballotPrefix, k.hash), k.promise.Ballot)); err != nil {
			return err
		}
	}
	err := batch.WriteSync()
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.failed, s.doubt = fmt.Errorf("slips may not be on the disk, nothing is promised any more: %w", err), map[[32]byte]bool{}
		for _, k := range list {
			s.doubt[k.hash] = true
		}
	}
	return err
}

// fault returns why nothing is promised any more, nil where something may be.
func (s *slips) fault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// settle forgets the ballots of promises that are settled. A crash may undo it; the next start settles them again.
func (s *slips) settle(hashes [][32]byte) error {
	if len(hashes) == 0 {
		return nil
	}
	batch := s.db.NewBatch()
	defer batch.Close()
	for _, h := range hashes {
		if err := batch.Delete(slipKey(ballotPrefix, h)); err != nil {
			return err
		}
	}
	return batch.Write()
}

// pending returns the hashes of the ballots whose promises are not settled, in the order of their heights of issue. It fails where one is
// not what was written.
func (s *slips) pending() ([][32]byte, error) {
	it, err := s.db.Iterator([]byte{ballotPrefix}, []byte{ballotPrefix + 1})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var hashes [][32]byte
	issued := map[[32]byte]int64{}
	for ; it.Valid(); it.Next() {
		hash := hashOf(it.Value())
		var slip pb.AcceptanceSlip
		b, err := s.find(hash)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(it.Key()[1:], hash[:]) || len(b) == 0 || election.Decode(b, &slip) != nil {
			return nil, fmt.Errorf("the slip or the ballot of the transaction %x is damaged on the disk", it.Key()[1:])
		}
		hashes, issued[hash] = append(hashes, hash), slip.Issued
	}
	slices.SortStableFunc(hashes, func(x, y [32]byte) int { return cmp.Compare(issued[x], issued[y]) })
	return hashes, it.Error()
}

// due returns the height by which a ballot is promised whose slip is not in doubt, 0 where there is no slip.
func (s *slips) due(hash [32]byte) (int64, error) {
	b, err := s.find(hash)
	if err != nil || len(b) == 0 {
		return 0, err
	}
	var slip pb.AcceptanceSlip
	err = election.Decode(b, &slip)
	return slip.Promised, err
}

// ballot returns the ballot of a promise that is not settled.
func (s *slips) ballot(hash [32]byte) ([]byte, error) { return s.db.Get(slipKey(ballotPrefix, hash)) }
