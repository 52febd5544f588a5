package state

// View is what reads need: the state at one height. A Snapshot is a View that never changes and that any number of
// goroutines may read; a Draft is a View that sees its own writes and belongs to one goroutine.
//
// Returned bytes must not be changed. Errors are ErrCorrupted, ErrPruned where the backend has dropped the height
// meanwhile, and ErrNotFound as said.
type View interface {
	// Height returns the height of the block after which this is the state: 0 for the state of the genesis document.
	Height() int64
	// Record returns the value of a record, nil where there is none. The value of a record is never nil.
	Record(key string) ([]byte, error)
	// Records calls fn for each record whose key starts with prefix, in ascending order of keys, until fn returns an error,
	// which it passes on. fn must not write to the same draft.
	Records(prefix string, fn func(key string, value []byte) error) error
	// Head returns size and root of a log; that of a log without leaves is the empty tree.
	Head(log string) (Head, error)
	// Leaf returns the bytes of a leaf, or ErrNotFound from the size of the log on.
	Leaf(log string, index uint64) ([]byte, error)
	// Leaves calls fn for the leaves from <= index < to in order, until fn returns an error, which it passes on. It fails
	// with ErrNotFound where to is greater than the size of the log.
	Leaves(log string, from, to uint64, fn func(index uint64, leaf []byte) error) error
	// Voters returns the size of a tree over the entries of a roll, 0 where there is none. An election's id is that of its voters' tree;
	// MembersTree returns that of its members' tree.
	Voters(tree string) uint64
	// Voter returns the leaf of a voter or member, nil where it is the empty leaf ("none"), or ErrNotFound where the tree has no
	// such place.
	Voter(tree string, index uint64) ([]byte, error)
	// Index returns an entry of the unauthenticated index, nil where there is none.
	Index(key []byte) ([]byte, error)
}

// Writer is a View that can be written to. Writes take effect for its own reads at once. The bytes passed in belong to the
// Writer from then on.
//
// No write fails where it stands: a misuse (a malformed or reserved key, a value too large, a voter that does not exist) is
// a bug in the caller, leaves no trace, and is returned by Draft.Finish as ErrMisuse.
type Writer interface {
	View
	// SetRecord sets a record: a key of 1 to MaxRecordKey printable ASCII bytes, a value of at most MaxRecordValue bytes. The
	// records of log heads and voters' trees are refused, see LogKey and VotersKey.
	SetRecord(key string, value []byte)
	// DeleteRecord removes a record, present or not.
	DeleteRecord(key string)
	// Append adds a leaf to a log, which begins to exist with its first leaf, and returns the leaf's index. The log's id is
	// such that LogKey of it is a record key.
	Append(log string, leaf []byte) uint64
	// CreateVoters makes a voters' or members' tree, 1 to MaxVoters empty leaves. It can be made once.
	CreateVoters(tree string, size uint64)
	// SetVoter sets the leaf of a voter or member; no bytes make it the empty leaf again.
	SetVoter(tree string, index uint64, leaf []byte)
	// SetIndex sets an entry of the unauthenticated index, at most MaxRecordKey bytes of key; nil removes it. It must be
	// derivable from logs and records: nothing hashes it.
	SetIndex(key, value []byte)
}
