package audit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"votenode/app/state"
	"votenode/verify/cells"
)

// The kinds of keys. Spec 5.1.
const (
	kindRecord = 1
	kindLeaf   = 2
	kindVoter  = 4
	kindIndex  = 5
)

// backend keeps the state of the newest height for the replay: records in memory, what grows with rolls and ballots in cells. It does not
// keep what execution never asks for: tiles, the leaves of the blocks log, the index of confirmation codes. A ballot or a report stands in
// the blocks already, so only its place is kept.
type backend struct {
	space   *cells.Space
	source  Source
	block   *block // the one that is being committed
	from    int    // where in its bytes the next ballot is looked for first
	height  int64
	begun   bool
	records map[string][]byte
	voters  map[string]*cells.Cells // by election
	rolls   map[string]*cells.Cells // by log
	placed  map[string]*cells.Cells // leaves that are transactions, by log
	keys    map[string]*cells.Index // of voters that stand in the roll, by election; nil once it is sealed
}

// The cells: a length and a message, whose fields are bounded, or a place.
const (
	voterCell = 1 + 2 + 11 + 11 + 34 + 11
	rollCell  = 1 + 34 + 6
	placeCell = 8 + 4 + 4
)

func newBackend(space *cells.Space, source Source) *backend {
	return &backend{
		space: space, source: source, records: map[string][]byte{}, voters: map[string]*cells.Cells{}, rolls: map[string]*cells.Cells{},
		placed: map[string]*cells.Cells{}, keys: map[string]*cells.Index{},
	}
}

// Height implements state.Backend.
func (m *backend) Height() (int64, bool) { return m.height, m.begun }

// At implements state.Backend.
func (m *backend) At(height int64) (state.Reader, error) {
	if !m.begun || height != m.height {
		return nil, fmt.Errorf("%w: %d", state.ErrPruned, height)
	}
	return &reader{m, height}, nil
}

// Commit implements state.Backend. Changes are sorted, so the leaves of a log come in order.
func (m *backend) Commit(height int64, changes []state.Change) error {
	m.height, m.begun, m.from = height, true, 0
	for _, c := range changes {
		var err error
		switch rest := c.Key[1:]; c.Key[0] {
		case kindRecord:
			m.setRecord(string(rest), c.Value)
		case kindLeaf:
			err = m.setLeaf(rest, c.Value)
		case kindVoter:
			election, index := split(rest)
			err = setMessage(m.list(m.voters, election, voterCell), index, voterCell, c.Value)
		case kindIndex:
			err = m.setIndex(rest, c.Value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// setRecord writes a record, or deletes it where the value is nil. A voters' tree begins when its roll is sealed: no key comes any more.
func (m *backend) setRecord(key string, value []byte) {
	if value == nil {
		delete(m.records, key)
		return
	}
	m.records[key] = value
	if id, ok := strings.CutPrefix(key, state.ElectionKey("")); ok {
		if id, ok = strings.CutSuffix(id, "/voters"); ok {
			m.keys[id] = nil
		}
	}
}

// split reads a key of spec 5.1 behind its kind: id, 00, index.
func split(rest []byte) (id string, index uint64) {
	at := len(rest) - 9
	return string(rest[:at]), binary.BigEndian.Uint64(rest[at+1:])
}

func (m *backend) list(of map[string]*cells.Cells, id string, size int) *cells.Cells {
	if of[id] == nil {
		of[id] = m.space.Cells(size)
	}
	return of[id]
}

// isPlaced says whether the leaves of a log are transactions of their blocks: ballots, reports, which extensions ask for, and initiatives, whose
// titles the report tells.
func isPlaced(log string) bool {
	return strings.HasSuffix(log, "/ballots") || log == state.LogIntake || log == state.LogInitiatives
}

// setLeaf keeps a leaf of a roll log, and the place of one that is a transaction.
func (m *backend) setLeaf(rest, value []byte) error {
	log, index := split(rest)
	switch {
	case strings.HasSuffix(log, "/roll"):
		return setMessage(m.list(m.rolls, log, rollCell), index, rollCell, value)
	case isPlaced(log):
		at := bytes.Index(m.block.at.Raw[m.from:], value)
		if at < 0 { // in the order of logs, not of the block
			m.from = 0
			at = bytes.Index(m.block.at.Raw, value)
		}
		if at < 0 {
			return fmt.Errorf("leaf %d of %s does not stand in its block", index, log)
		}
		at += m.from
		m.from = at + len(value)
		place := binary.BigEndian.AppendUint64(nil, uint64(m.block.at.Offset+int64(at)))
		place = binary.BigEndian.AppendUint32(place, uint32(m.block.at.File))
		return m.list(m.placed, log, placeCell).Set(index, binary.BigEndian.AppendUint32(place, uint32(len(value))))
	}
	return nil
}

// setMessage writes a short message into a cell.
func setMessage(c *cells.Cells, i uint64, size int, message []byte) error {
	if len(message) >= size {
		return fmt.Errorf("a message of %d bytes does not fit into a cell of %d", len(message), size)
	}
	b := make([]byte, size)
	b[0] = byte(len(message))
	copy(b[1:], message)
	return c.Set(i, b)
}

// message reads a message from a cell, nil where none was written.
func message(c *cells.Cells, i uint64, size int) ([]byte, error) {
	b := make([]byte, size)
	if err := c.Get(i, b); err != nil || b[0] == 0 {
		return nil, err
	}
	return b[1 : 1+min(int(b[0]), size-1)], nil
}

// rollKey reads the key of the index of voters' keys: roll/, election, /, key.
func rollKey(rest []byte) (election string, key []byte, ok bool) {
	id, ok := bytes.CutPrefix(rest, []byte("roll/"))
	at := len(id) - 33
	if !ok || at < 1 || id[at] != '/' {
		return "", nil, false
	}
	return string(id[:at]), id[at+1:], true
}

func (m *backend) setIndex(rest, value []byte) error {
	id, key, ok := rollKey(rest)
	if !ok {
		return nil
	}
	index, begun := m.keys[id]
	if begun && index == nil {
		return fmt.Errorf("%w: the roll of %q is sealed", errNotKept, id)
	}
	if !begun {
		entries := m.list(m.rolls, state.LogRoll(id), rollCell)
		m.keys[id] = cells.NewIndex(func(place uint64) ([]byte, error) {
			entry, err := message(entries, place, rollCell)
			return entry[min(len(entry), 2):min(len(entry), 34)], err // key = 1, the first field
		})
	}
	return m.keys[id].Add(key, binary.BigEndian.Uint64(value))
}

// reader reads the backend as long as it is at a height.
type reader struct {
	*backend
	at int64
}

// Get implements state.Reader.
func (r *reader) Get(key []byte) ([]byte, error) {
	if r.height != r.at {
		return nil, fmt.Errorf("%w: %d", state.ErrPruned, r.at)
	}
	switch rest := key[1:]; key[0] {
	case kindRecord:
		return r.records[string(rest)], nil
	case kindLeaf:
		return r.leaf(split(rest))
	case kindVoter:
		election, index := split(rest)
		if list := r.voters[election]; list != nil {
			return message(list, index, voterCell)
		}
		return nil, nil
	case kindIndex:
		return r.index(rest)
	}
	return nil, errNotKept
}

var errNotKept = errors.New("the auditor does not keep this")

func (m *backend) index(rest []byte) ([]byte, error) {
	id, key, ok := rollKey(rest)
	if !ok {
		return nil, errNotKept
	}
	index, begun := m.keys[id]
	if !begun {
		return nil, nil
	}
	if index == nil {
		return nil, fmt.Errorf("%w: the roll of %q is sealed", errNotKept, id)
	}
	place, found, err := index.Find(key)
	if err != nil || !found {
		return nil, err
	}
	return binary.BigEndian.AppendUint64(nil, place), nil
}

// leaf returns a leaf of a roll log or of one whose leaves are transactions, or state.ErrNotFound where that has none.
func (m *backend) leaf(log string, index uint64) ([]byte, error) {
	switch {
	case strings.HasSuffix(log, "/roll"):
		if list := m.rolls[log]; list != nil {
			if entry, err := message(list, index, rollCell); err != nil || entry != nil {
				return entry, err
			}
		}
		return nil, fmt.Errorf("%w: %d of %s", state.ErrNotFound, index, log)
	case !isPlaced(log):
		return nil, errNotKept
	}
	list := m.placed[log]
	if list == nil {
		return nil, fmt.Errorf("%w: %d of %s", state.ErrNotFound, index, log)
	}
	var place [placeCell]byte
	if err := list.Get(index, place[:]); err != nil {
		return nil, err
	}
	offset, file, size := binary.BigEndian.Uint64(place[:]), binary.BigEndian.Uint32(place[8:]), binary.BigEndian.Uint32(place[12:])
	if size == 0 {
		return nil, fmt.Errorf("%w: %d of %s", state.ErrNotFound, index, log)
	}
	b := make([]byte, size)
	return b, m.source.ReadAt(int(file), int64(offset), b)
}

// Iterate implements state.Reader. Nothing that is executed goes through all keys.
func (r *reader) Iterate([]byte, func(key, value []byte) error) error { return errNotKept }
