package recount

import (
	"encoding/binary"

	pb "votenode/proto/votenode/v1"
	"votenode/verify/cells"
	"votenode/verify/recount/rules"
)

// roll holds the entries of a roll and what the ledger says of each: outside of the memory, but for the index of the keys, which is
// dropped when the roll is sealed.
type roll struct {
	size    uint64
	entries *cells.Cells // key, style
	voters  *cells.Cells // status, sequence, index, time, code
	keys    *cells.Index
}

type rollEntry struct {
	key   [32]byte
	style uint32
}

// voter is what the ledger says of one entry of the roll.
type voter struct {
	status   pb.VoterStatus
	sequence uint64
	index    uint64
	code     [32]byte
	time     int64 // unix milliseconds
}

const (
	entryBytes = 32 + 4
	voterBytes = 1 + 3*8 + 32
)

func newRoll(space *cells.Space) *roll {
	r := &roll{entries: space.Cells(entryBytes), voters: space.Cells(voterBytes)}
	r.keys = cells.NewIndex(func(place uint64) ([]byte, error) {
		entry, err := r.entry(place)
		return entry.key[:], err
	})
	return r
}

// add appends an entry.
func (r *roll) add(e rollEntry) error {
	if err := r.keys.Add(e.key[:], r.size); err != nil {
		return err
	}
	r.size++
	return r.entries.Set(r.size-1, binary.BigEndian.AppendUint32(e.key[:], e.style))
}

// entry returns the entry of an index below size.
func (r *roll) entry(index uint64) (rollEntry, error) {
	var b [entryBytes]byte
	err := r.entries.Get(index, b[:])
	return parseEntry(b[:]), err
}

func parseEntry(b []byte) rollEntry { return rollEntry{[32]byte(b), binary.BigEndian.Uint32(b[32:])} }

// voter returns what the ledger says of an entry of an index below size.
func (r *roll) voter(index uint64) (voter, error) {
	var b [voterBytes]byte
	err := r.voters.Get(index, b[:])
	return parseVoter(b[:]), err
}

func parseVoter(b []byte) voter {
	return voter{
		status: pb.VoterStatus(b[0]), sequence: binary.BigEndian.Uint64(b[1:]), index: binary.BigEndian.Uint64(b[9:]),
		time: int64(binary.BigEndian.Uint64(b[17:])), code: [32]byte(b[25:]),
	}
}

func (r *roll) setVoter(index uint64, v voter) error {
	b := append(make([]byte, 0, voterBytes), byte(v.status))
	for _, n := range []uint64{v.sequence, v.index, uint64(v.time)} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return r.voters.Set(index, append(b, v.code[:]...))
}

// eachVoter calls fn for all entries in order.
func (r *roll) eachVoter(fn func(index uint64, v voter) error) error {
	return r.voters.Each(r.size, func(i uint64, cell []byte) error { return fn(i, parseVoter(cell)) })
}

// leaf returns the leaf of the voters' tree. Spec 5.5.
func (v *voter) leaf() []byte {
	m := &pb.Voter{Status: v.status, Sequence: v.sequence, LogIndex: v.index, Time: v.time}
	if v.code != [32]byte{} {
		m.Code = v.code[:]
	}
	return rules.Encode(m)
}
