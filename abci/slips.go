package abci

import (
	"bytes"
	"errors"
	"fmt"
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
	failed error // of a write: nothing is known of the disk, and nothing is promised any more
}

// Keys of the database: a letter and the hash of the ballot's transaction.
const (
	slipPrefix   = 's' // canonical bytes of the slip
	ballotPrefix = 'b' // the transaction, until the promise is settled
)

func slipKey(prefix byte, hash [32]byte) []byte { return append([]byte{prefix}, hash[:]...) }

// find returns the slip for a transaction, nil where there is none.
func (s *slips) find(hash [32]byte) ([]byte, error) { return s.db.Get(slipKey(slipPrefix, hash)) }

// keep writes slips with their ballots, one sync for all.
func (s *slips) keep(promises []*pb.Promise) error {
	if err := s.fault(); err != nil {
		return err
	}
	batch := s.db.NewBatch()
	defer batch.Close()
	for _, p := range promises {
		hash := hashOf(p.Ballot)
		if err := errors.Join(batch.Set(slipKey(slipPrefix, hash), election.Encode(p.Slip)), batch.Set(slipKey(ballotPrefix, hash), p.Ballot)); err != nil {
			return err
		}
	}
	err := batch.WriteSync()
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.failed = fmt.Errorf("slips may not be on the disk, nothing is promised any more: %w", err)
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

// pending returns up to n ballots of promises that are not settled, from a hash on.
func (s *slips) pending(after []byte, n int) (ballots [][]byte, last []byte, err error) {
	from := []byte{ballotPrefix}
	if after != nil {
		from = append(after, 0)
	}
	it, err := s.db.Iterator(from, []byte{ballotPrefix + 1})
	if err != nil {
		return nil, nil, err
	}
	defer it.Close()
	for ; it.Valid() && len(ballots) < n; it.Next() {
		ballots, last = append(ballots, bytes.Clone(it.Value())), bytes.Clone(it.Key())
	}
	return ballots, last, it.Error()
}
