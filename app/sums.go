package app

import (
	"bytes"
	"fmt"
	"slices"

	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// cachedTally is a sum that this App wrote, with the bytes it wrote: valid only where the record still holds them.
type cachedTally struct {
	value []byte
	tally *ballot.EncryptedTally
}

// blockSums collects the sums that a block changes, as points: they are encoded once, at the end of the block. Spec 9.5.
type blockSums struct {
	app     *App
	changed map[string]*ballot.EncryptedTally // by record key
}

func newBlockSums(a *App) *blockSums {
	return &blockSums{app: a, changed: make(map[string]*ballot.EncryptedTally)}
}

// tally returns the sum of a contest as it is within this block, to be changed in place.
func (s *blockSums) tally(v state.View, key string, options int) (*ballot.EncryptedTally, error) {
	if t := s.changed[key]; t != nil {
		return t, nil
	}
	value, err := v.Record(key)
	if err != nil {
		return nil, err
	}
	cached := s.app.tallies[key]
	delete(s.app.tallies, key) // it is changed in place from here on: an abandoned block must not leave it behind
	if cached.tally == nil || !bytes.Equal(cached.value, value) {
		if cached.tally, err = ballot.ParseTally(options, value); err != nil {
			return nil, fmt.Errorf("%w: sum %q: %w", state.ErrCorrupted, key, err)
		}
	}
	s.changed[key] = cached.tally
	return cached.tally, nil
}

// write encodes the changed sums into their records.
func (s *blockSums) write(w state.Writer) {
	keys := make([]string, 0, len(s.changed))
	for key := range s.changed {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		value := s.changed[key].Bytes()
		w.SetRecord(key, value)
		s.app.tallies[key] = cachedTally{value: value, tally: s.changed[key]}
	}
	clear(s.changed)
}

// fold adds a ballot to, or subtracts it from, the sums of all contests of its style.
func (w *writing) fold(id string, m *pb.Manifest, style uint32, c *ballot.Ciphertext, fold func(t *ballot.EncryptedTally, c *ballot.Ciphertext, contest int) error) error {
	for i, contest := range m.Styles[style].Contests {
		t, err := w.sums.tally(w, state.SumKey(id, contest), len(m.Contests[contest].Options))
		if err != nil {
			return err
		}
		if err := fold(t, c, i); err != nil {
			return fmt.Errorf("%w: sum of contest %d of %q: %w", state.ErrCorrupted, contest, id, err)
		}
	}
	return nil
}

// add counts what is cast.
func (w *writing) add(e *pb.Election, v *tx.Verified, c *tx.Cast) error {
	m, err := w.manifest(w, e.Manifest)
	if err != nil {
		return err
	}
	if c.Choice != nil {
		return w.countChoice(m, c.Choice, 1)
	}
	return w.fold(c.Election, m, c.Style, v.Ballot().Ciphertext(), (*ballot.EncryptedTally).Add)
}

// subtractRecorded takes a recorded ballot out of the sums, or a choice out of the results.
func (w *writing) subtractRecorded(id string, e *pb.Election, logIndex uint64) error {
	m, err := w.manifest(w, e.Manifest)
	if err != nil {
		return err
	}
	leaf, err := w.Leaf(state.LogBallots(id), logIndex)
	if err != nil {
		return err
	}
	cast, err := recordedCast(leaf)
	if err != nil {
		return err
	}
	if cast.Choice != nil {
		return w.countChoice(m, cast.Choice, -1)
	}
	shared, err := w.ballotElection(w, id, e)
	if err != nil {
		return err
	}
	c, err := shared.ParseCiphertext(cast.Style, cast.Ballot.Ciphertext)
	if err != nil {
		return fmt.Errorf("%w: ballot %d of %q: %w", state.ErrCorrupted, logIndex, id, err)
	}
	return w.fold(id, m, cast.Style, c, (*ballot.EncryptedTally).Subtract)
}
