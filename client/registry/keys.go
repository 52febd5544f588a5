package registry

import (
	"bytes"
	"fmt"
	"slices"

	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// Keys returns the voting keys of a round by slot, once the proofs of all other registrars are accepted. It fails with ErrOrder.
func (s *Store) Keys(round uint32) ([][]byte, error) {
	members, mine, err := s.own(round)
	if err != nil {
		return nil, err
	}
	if err := s.accepted(round); err != nil {
		return nil, err
	}
	parts := make([]*pb.HalfKeys, len(s.Organisations))
	for i, o := range s.Organisations {
		if o == s.Organisation {
			parts[i] = mine
			continue
		}
		file, err := s.halfKeys(round, o)
		if err != nil {
			return nil, err
		}
		if parts[i], err = s.parseHalves(round, o, file); err != nil {
			return nil, err
		}
		if len(parts[i].Halves) != len(members) || len(s.differences(members, parts[i])) > 0 {
			return nil, fmt.Errorf("%s: %w: the members are others", s.halfKeysFile(round, o), ErrFormat)
		}
	}
	keys := make([][]byte, len(members))
	return keys, inChunks(len(keys), nil, func(first, last int) (err error) {
		for slot := first; slot < last; slot++ {
			if members[slot].Key != nil {
				keys[slot] = members[slot].Key
				continue
			}
			halves := make([][]byte, len(parts))
			for i := range parts {
				halves[i] = parts[i].Halves[slot].Key
			}
			if keys[slot], err = ballot.SumHalves(halves); err != nil {
				return fmt.Errorf("slot %d: %w", slot, err)
			}
		}
		return nil
	})
}

// Entries returns the entries that a round brings to the roll, sorted by key: their order says nothing of the order of the list. It fails
// with ErrOrder.
func (s *Store) Entries(round uint32) ([]pb.RollEntry, error) {
	keys, err := s.Keys(round)
	if err != nil {
		return nil, err
	}
	members, err := s.Members(round)
	if err != nil {
		return nil, err
	}
	entries := make([]pb.RollEntry, len(keys))
	for slot := range keys {
		entries[slot] = pb.RollEntry{Key: keys[slot], Style: members[slot].Style}
	}
	slices.SortFunc(entries, func(a, b pb.RollEntry) int { return bytes.Compare(a.Key, b.Key) })
	return entries, nil
}
