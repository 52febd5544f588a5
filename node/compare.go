package node

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"votenode/app/state"
	"votenode/genesis"
)

// Records are the keys of all records of one height, each with the SHA-256 of its value: what two operators hold against each other when their
// nodes disagree. It holds nothing that is secret.
type Records struct {
	Chain       string
	GenesisHash string
	Height      int64
	AppHash     string
	list        []record
}

// record is a line of a list of records; the first line of the file has the fields of Records in place of it.
type record struct {
	Key  string `json:"key"`
	Hash string `json:"value_sha256"`
}

// recordsHead is the first line of a file of records.
type recordsHead struct {
	Chain       string `json:"chain_id"`
	GenesisHash string `json:"genesis_hash"`
	Height      int64  `json:"height"`
	AppHash     string `json:"app_hash"`
}

// ErrRecords says that a file is no list of records, or is cut.
var ErrRecords = errors.New("this is no list of a node's records")

// ErrHeights says that two nodes have no height in common of which both keep the state.
var ErrHeights = errors.New("the nodes keep no state of one height")

// Records reads all records of a height that the ledger keeps. Height 0 is the newest.
func (s *Stopped) Records(height int64) (*Records, error) {
	if newest, _ := s.node.disk.Height(); height == 0 {
		height = newest
	}
	appHash, err := state.AppHashAt(s.node.ledger, height)
	if err != nil {
		return nil, err
	}
	r := &Records{
		Chain: s.node.doc.ChainId, GenesisHash: fmt.Sprintf("%x", genesis.Hash(s.node.doc)), Height: height, AppHash: hex.EncodeToString(appHash[:]),
	}
	reader, err := s.node.ledger.At(height)
	if err != nil {
		return nil, err
	}
	return r, state.EachRecord(reader, func(key string, value []byte) error {
		hash := sha256.Sum256(value)
		r.list = append(r.list, record{key, hex.EncodeToString(hash[:])})
		return nil
	})
}

// Write writes the records as JSON, one a line.
func (r *Records) Write(w io.Writer) error {
	b := bufio.NewWriter(w)
	e := json.NewEncoder(b)
	if err := e.Encode(recordsHead{r.Chain, r.GenesisHash, r.Height, r.AppHash}); err != nil {
		return err
	}
	for _, line := range r.list {
		if err := e.Encode(line); err != nil {
			return err
		}
	}
	return b.Flush()
}

// ReadRecords reads what Write has written. It fails with ErrRecords, also where the records do not hash to the AppHash: a file that was
// changed or cut on its way says nothing of a node.
func ReadRecords(from io.Reader) (*Records, error) {
	d := json.NewDecoder(bufio.NewReader(from))
	d.DisallowUnknownFields()
	var head recordsHead
	if err := d.Decode(&head); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecords, err)
	}
	r := &Records{head.Chain, head.GenesisHash, head.Height, head.AppHash, nil}
	var root state.RecordsRoot
	for line := 2; ; line++ {
		var next record
		err := d.Decode(&next)
		if err == io.EOF {
			break
		}
		hash, hexErr := hex.DecodeString(next.Hash)
		if err == nil && (hexErr != nil || len(hash) != sha256.Size || hex.EncodeToString(hash) != next.Hash) {
			err = fmt.Errorf("%q is no SHA-256 in lower-case hexadecimal digits", next.Hash)
		}
		if err == nil {
			err = root.Add(next.Key, state.Hash(hash))
		}
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrRecords, line, err)
		}
		r.list = append(r.list, next)
	}
	if got := root.Sum(); hex.EncodeToString(got[:]) != r.AppHash {
		return nil, fmt.Errorf("%w: they hash to %x, not to the AppHash %s", ErrRecords, got, r.AppHash)
	}
	return r, nil
}

// Difference is the first record in which two states of one height differ. A value that is empty is that of no record.
type Difference struct {
	Height int64     `json:"height"`
	Key    string    `json:"key"`
	Hashes [2]string `json:"value_sha256"`
	// Values are in hexadecimal digits, where both are known.
	Values *[2]string `json:"values,omitempty"`
	// Leaf is the first leaf of a log in which they differ, where the record is its head and both logs are known.
	Leaf *uint64 `json:"leaf,omitempty"`
}

// FirstDifference returns the first record, in order of the keys, in which two lists of one height differ, nil where they are equal.
func FirstDifference(a, b *Records) (*Difference, error) {
	if a.GenesisHash != b.GenesisHash {
		return nil, fmt.Errorf("these are two ledgers: the genesis hashes are %s and %s", a.GenesisHash, b.GenesisHash)
	}
	if a.Height != b.Height {
		return nil, fmt.Errorf("%w: the records are those of the heights %d and %d", ErrHeights, a.Height, b.Height)
	}
	for i := 0; i < len(a.list) || i < len(b.list); i++ {
		var x, y record
		if i < len(a.list) {
			x = a.list[i]
		}
		if i < len(b.list) {
			y = b.list[i]
		}
		switch {
		case x == y:
			continue
		case y.Key == "" || x.Key != "" && x.Key < y.Key:
			y = record{Key: x.Key}
		case x.Key == "" || y.Key < x.Key:
			x = record{Key: y.Key}
		}
		return &Difference{Height: a.Height, Key: x.Key, Hashes: [2]string{x.Hash, y.Hash}}, nil
	}
	return nil, nil
}

// Compare finds the first record in which two homes differ, at the first height from which on they do, of those that both keep. It returns nil,
// and the newest height that both keep, where they agree there. It fails with ErrHeights.
func Compare(a, b *Stopped) (*Difference, int64, error) {
	first := max(a.node.disk.Oldest(), b.node.disk.Oldest())
	x, _ := a.node.disk.Height()
	y, _ := b.node.disk.Height()
	last := min(x, y)
	if last < first {
		return nil, 0, fmt.Errorf("%w: from %d on, and up to %d", ErrHeights, first, last)
	}
	same := func(height int64) (bool, error) {
		p, err := state.AppHashAt(a.node.ledger, height)
		if err != nil {
			return false, err
		}
		q, err := state.AppHashAt(b.node.ledger, height)
		return p == q, err
	}
	if ok, err := same(last); ok || err != nil {
		return nil, last, err
	}
	low, high := first, last // they differ at high; where they agree at a height, they do so below it
	for low < high {
		middle := low + (high-low)/2
		ok, err := same(middle)
		if err != nil {
			return nil, 0, err
		}
		if ok {
			low = middle + 1
		} else {
			high = middle
		}
	}
	d, err := compareAt(a, b, high)
	return d, high, err
}

func compareAt(a, b *Stopped, height int64) (*Difference, error) {
	var lists [2]*Records
	for i, s := range []*Stopped{a, b} {
		var err error
		if lists[i], err = s.Records(height); err != nil {
			return nil, err
		}
	}
	d, err := FirstDifference(lists[0], lists[1])
	if err != nil {
		return nil, err
	}
	if d == nil {
		return nil, fmt.Errorf("%w: the AppHashes of height %d differ, but no record does", state.ErrCorrupted, height)
	}
	d.Values = new([2]string)
	var snapshots [2]*state.Snapshot
	for i, s := range []*Stopped{a, b} {
		if snapshots[i], err = state.OpenAt(s.node.ledger, height); err != nil {
			return nil, err
		}
		value, err := snapshots[i].Record(d.Key)
		if err != nil {
			return nil, err
		}
		d.Values[i] = hex.EncodeToString(value)
	}
	if log, ok := strings.CutPrefix(d.Key, state.LogKey("")); ok {
		d.Leaf, err = firstLeaf(snapshots[0], snapshots[1], log)
	}
	return d, err
}

// firstLeaf returns the first leaf in which two logs differ.
func firstLeaf(a, b *state.Snapshot, log string) (*uint64, error) {
	x, err := a.Head(log)
	if err != nil {
		return nil, err
	}
	y, err := b.Head(log)
	if err != nil {
		return nil, err
	}
	for i := range min(x.Size, y.Size) {
		p, err := a.Leaf(log, i)
		if err != nil {
			return nil, err
		}
		q, err := b.Leaf(log, i)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(p, q) {
			return &i, nil
		}
	}
	size := min(x.Size, y.Size)
	return &size, nil
}
