package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// HashSize is the length of every hash of this package in bytes (SHA-256).
const HashSize = 32

// Hash is a SHA-256 digest.
type Hash = [HashSize]byte

var (
	// ErrCorrupted says that stored bytes are missing, unreadable or do not hash to the root that stands for them. The node
	// stops on it; it is never the fault of a transaction.
	ErrCorrupted = errors.New("the ledger's store is corrupted")
	// ErrPruned says that the state of a height is no longer kept, or does not exist yet.
	ErrPruned = errors.New("the state of this height is not kept")
	// ErrNotFound says that a log has no leaf, or a voters' tree no place, of that index, or that there is no such tree.
	ErrNotFound = errors.New("no such leaf")
	// ErrMisuse says that the application wrote something that the state cannot hold: a bug in the caller.
	ErrMisuse = errors.New("misuse of the state")
)

// Reader reads the bytes of one height. Implementations are safe for concurrent use.
type Reader interface {
	// Get returns the value of a key, and nil where the key is absent; the value of a present key is never nil. An error
	// means a corrupted, closed or pruned store, never "absent". The caller must not change the returned bytes.
	Get(key []byte) ([]byte, error)
	// Iterate calls fn for every key with the prefix, in ascending order of bytes, until fn returns an error, which it
	// passes on. Key and value are valid during the call only.
	Iterate(prefix []byte, fn func(key, value []byte) error) error
}

// Change is one write: nil as the value deletes the key.
type Change struct {
	Key, Value []byte
}

// Backend stores whole heights.
type Backend interface {
	// Height returns the newest committed height, and false where nothing was ever committed.
	Height() (int64, bool)
	// At returns the bytes of a committed height, or ErrPruned.
	At(height int64) (Reader, error)
	// Commit stores the changes of one height, sorted by key, all or none. The height must be the newest plus one, or any
	// height where nothing was ever committed.
	Commit(height int64, changes []Change) error
}

// The first byte of every key says what it is (docs/spec section 5.1). The byte 0x00 is left to the backend.
const (
	keyRecord byte = 1 + iota // record key
	keyLeaf                   // log id, 0x00, index
	keyTile                   // log id, 0x00, tile level, tile number
	keyVoter                  // id of a voters' or members' tree, 0x00, index
	keyIndex                  // key of the index
	keyRoot                   // nothing: the AppHash itself, against which the records are checked when they are loaded
)

const (
	// MaxRecordKey is the greatest length of a record's key in bytes; log and election ids are shorter.
	MaxRecordKey = 255
	// MaxRecordValue is the greatest length of a record's value in bytes.
	MaxRecordValue = 768 << 10
	// MaxVoters is the greatest size of a voters' tree.
	MaxVoters = 1 << 27
)

func recordKey(key string) []byte { return append([]byte{keyRecord}, key...) }

func indexKey(key []byte) []byte { return append([]byte{keyIndex}, key...) }

// IsLeafKey says whether a key is that of a log's leaf. A backend that has the bytes of leaves elsewhere may keep a reference instead.
func IsLeafKey(key []byte) bool { return len(key) > 0 && key[0] == keyLeaf }

// numbered returns kind || id || 0x00 || number, the number as eight big-endian bytes.
func numbered(kind byte, id string, number uint64) []byte {
	k := make([]byte, 0, 2+len(id)+8)
	k = append(k, kind)
	k = append(k, id...)
	k = append(k, 0)
	return binary.BigEndian.AppendUint64(k, number)
}

// The records that this package writes itself (docs/spec sections 5.4 and 5.5).
const (
	logPrefix     = "log/"
	treePrefix    = "election/"
	votersSuffix  = "/voters"
	membersSuffix = "/members"
)

// LogKey returns the key of the record that holds the head of a log: log/<log id>.
func LogKey(log string) string { return logPrefix + log }

// logOf returns the log of a head's record.
func logOf(key string) (string, bool) { return strings.CutPrefix(key, logPrefix) }

// MembersTree returns the id of the tree that has what each member of a roll sent besides ballots. It is a tree like the voters' tree,
// whose id is that of the election.
func MembersTree(election string) string { return election + membersSuffix }

// VotersKey returns the key of the record that holds the root of a voters' or members' tree: election/<election id>/voters or
// election/<election id>/members.
func VotersKey(tree string) string {
	if strings.HasSuffix(tree, membersSuffix) {
		return treePrefix + tree
	}
	return treePrefix + tree + votersSuffix
}

// votersTree returns the id of the tree whose root a record holds.
func votersTree(key string) (string, bool) {
	tree, ok := strings.CutPrefix(key, treePrefix)
	if !ok {
		return "", false
	}
	election, rest, _ := strings.Cut(tree, "/")
	switch "/" + rest {
	case votersSuffix:
		return election, election != ""
	case membersSuffix:
		return tree, election != ""
	}
	return "", false
}

// checkKey accepts 1 to MaxRecordKey printable ASCII bytes without space (0x21 to 0x7e).
func checkKey(key string) error {
	if len(key) == 0 || len(key) > MaxRecordKey {
		return fmt.Errorf("%w: a key of %d bytes", ErrMisuse, len(key))
	}
	for i := range len(key) {
		if key[i] <= 0x20 || key[i] >= 0x7f {
			return fmt.Errorf("%w: byte %#02x in key %q", ErrMisuse, key[i], key)
		}
	}
	return nil
}

// checkRecordKey accepts what an application may write itself: any key but those of heads and of voters' and members' trees.
func checkRecordKey(key string) error {
	if _, ok := votersTree(key); ok || strings.HasPrefix(key, logPrefix) {
		return fmt.Errorf("%w: the record %q is written by the state itself", ErrMisuse, key)
	}
	return checkKey(key)
}
