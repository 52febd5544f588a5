package book

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"votenode/client"
	"votenode/client/keyfile"
	"votenode/crypto/ballot"
)

// MaxEntries bounds the entries of a book, of all elections together.
const MaxEntries = 10_000

// maxForeign bounds how many of a voter's foreign ballots are remembered, so that a thief cannot fill the book.
const maxForeign = 1_000

const (
	// lockPatience is how long another process may take to write the book; a write takes milliseconds.
	lockPatience = 5 * time.Second
	lockPause    = 20 * time.Millisecond
	// stride is how many leaves of the ballot log may have to be read a second time after a restart.
	stride = 1_000
)

var (
	// ErrInUse says that another process holds the book's lock.
	ErrInUse = errors.New("another process writes this book; let it end and try again")
	// ErrFull says that a book has MaxEntries entries.
	ErrFull = fmt.Errorf("the book has its %d entries; move the file away and a new one is begun, which knows nothing of what was cast before", MaxEntries)
)

// Book is the part of a book's file that is about one voter of one election on one ledger. A Book is for one goroutine; any number of
// processes may share a file.
type Book struct {
	path     string
	owner    owner
	place    client.Place // how far this Book has read the ballot log
	patience time.Duration
	stride   uint64
	now      func() time.Time
}

// Open returns the voter's part of the book in a file, which need not be there yet: the first entry makes it. It fails with ErrFormat and
// with keyfile.ErrPermissions.
func Open(path string, v *client.Voter) (*Book, error) {
	hash := v.Ledger.GenesisHash()
	return open(path, owner{GenesisHash: hex.EncodeToString(hash[:]), Election: v.Election, RollIndex: v.Index})
}

func open(path string, o owner) (*Book, error) {
	b := &Book{path: path, owner: o, patience: lockPatience, stride: stride, now: time.Now}
	p, err := b.read()
	if err != nil {
		return nil, err
	}
	b.place = p.Log
	return b, nil
}

// Cast notes a ballot, and returns once that is on disk. It fails with ErrInUse and ErrFull.
func (b *Book) Cast(sequence uint64, code [32]byte) error {
	return b.note(Entry{Kind: Cast, Sequence: sequence, Code: ballot.FormatCode(code)})
}

// Challenged notes a ballot that is going to be barred and opened, as Cast does.
func (b *Book) Challenged(sequence uint64, code, noncePoint [32]byte) error {
	return b.note(Entry{Kind: Challenged, Sequence: sequence, Code: ballot.FormatCode(code), NoncePoint: hex.EncodeToString(noncePoint[:])})
}

// Add notes a ballot that the voter has cast on another device.
func (b *Book) Add(code [32]byte) error {
	return b.note(Entry{Kind: Elsewhere, Code: ballot.FormatCode(code)})
}

// AddChallenge notes the number of a ballot that the voter has challenged on another device.
func (b *Book) AddChallenge(sequence uint64) error {
	if sequence == 0 {
		return errors.New("no ballot has the number 0")
	}
	return b.note(Entry{Kind: Elsewhere, Sequence: sequence})
}

// Entries returns what the book holds of the voter, in the order in which it was noted.
func (b *Book) Entries() ([]Entry, error) {
	p, err := b.read()
	return p.Ballots, err
}

// note adds an entry that is not there yet. What it explains is foreign no longer.
func (b *Book) note(e Entry) error {
	return b.update(func(p *page) bool {
		if slices.ContainsFunc(p.Ballots, e.same) {
			return false
		}
		e.Time = b.clock()
		p.Ballots = append(p.Ballots, e)
		p.Ballots = slices.DeleteFunc(p.Ballots, func(f Entry) bool { return f.Kind == Strange && p.knows(f.foreign()) })
		return true
	})
}

// clock returns the time for an entry, to the second.
func (b *Book) clock() time.Time { return b.now().UTC().Truncate(time.Second) }

// read returns the voter's page, an empty one where there is none.
func (b *Book) read() (*page, error) {
	f, err := load(b.path)
	if err != nil {
		return &page{owner: b.owner}, err
	}
	return f.page(b.owner), nil
}

// update changes the voter's page on disk, alone: what other processes have written is in it, and is not lost. change says whether it
// has changed anything.
func (b *Book) update(change func(p *page) bool) error {
	lock, err := b.lock()
	if err != nil {
		return err
	}
	defer lock.Close()
	f, err := load(b.path)
	if err != nil || !change(f.page(b.owner)) {
		return err
	}
	if f.entries() > MaxEntries {
		return fmt.Errorf("%s: %w", b.path, ErrFull)
	}
	data, err := f.encode()
	if err != nil {
		return err
	}
	return keyfile.Replace(b.path, data)
}

// lock waits for its turn to write the book. The lock is a file of its own, since the book is replaced; it dies with the process.
func (b *Book) lock() (*os.File, error) {
	f, err := os.OpenFile(b.path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w; choose with --book a place that can be written", err)
	}
	for start := time.Now(); ; time.Sleep(lockPause) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if errors.Is(err, syscall.EWOULDBLOCK) {
			if time.Since(start) < b.patience {
				continue
			}
			err = ErrInUse
		}
		f.Close()
		return nil, fmt.Errorf("%s: %w", b.path, err)
	}
}
