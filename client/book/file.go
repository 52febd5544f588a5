package book

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/bits"
	"slices"
	"time"

	"votenode/app/election"
	"votenode/client"
	"votenode/client/keyfile"
	"votenode/crypto/ballot"
)

// ErrFormat says that a file is no book, or a damaged one.
var ErrFormat = errors.New("not a voter's book, or a damaged one; move the file away and a new one is begun, " +
	"which knows nothing of what was cast before")

// Version is the version of the file format.
const Version = 1

// Kind says what an entry of a book stands for.
type Kind string

// The kinds of entries.
const (
	Cast       Kind = "cast"       // a ballot that was cast with this book
	Challenged Kind = "challenged" // a ballot that was challenged with this book
	Elsewhere  Kind = "elsewhere"  // a code or, of a challenged ballot, a number that the voter says is from another device
	Strange    Kind = "foreign"    // recorded on the ledger and explained by no other entry
)

// Entry is a line of a book.
type Entry struct {
	Kind       Kind      `json:"kind"`
	Sequence   uint64    `json:"sequence,omitempty"`
	Code       string    `json:"confirmation_code,omitempty"` // as ballot.FormatCode writes it
	NoncePoint string    `json:"c0,omitempty"`                // C_0 of a challenged ballot, which is public, in hexadecimal digits
	Height     int64     `json:"height,omitempty"`            // of the certified state in which it was seen, where it is foreign
	Time       time.Time `json:"time"`                        // when the entry was made, by the clock of this machine
}

// same says whether another entry says the same.
func (e Entry) same(o Entry) bool {
	return e.Kind == o.Kind && e.Sequence == o.Sequence && e.Code == o.Code && e.NoncePoint == o.NoncePoint
}

// check says what is wrong with an entry.
func (e Entry) check() error {
	if code, err := ballot.ParseCode(e.Code); e.Code != "" && (err != nil || ballot.FormatCode(code) != e.Code) {
		return fmt.Errorf("%q is not a confirmation code", e.Code)
	}
	if e.NoncePoint != "" && !isHash(e.NoncePoint) {
		return fmt.Errorf("%q is not a C_0", e.NoncePoint)
	}
	number, code, point := e.Sequence > 0, e.Code != "", e.NoncePoint != ""
	whole := false
	switch e.Kind {
	case Cast:
		whole = number && code && !point
	case Challenged:
		whole = number && code && point
	case Elsewhere:
		whole = number != code && !point
	case Strange:
		whole = number && code != point
	}
	if !whole || (e.Kind == Strange) != (e.Height > 0) || e.Height < 0 || e.Time.IsZero() {
		return fmt.Errorf("an entry %q has too few or too many fields", e.Kind)
	}
	return nil
}

// owner is whom a page is about.
type owner struct {
	GenesisHash string `json:"genesis_hash"`
	Election    string `json:"election"`
	RollIndex   uint64 `json:"roll_index"`
}

// page is what a book holds of one owner. Log is how far the ballot log was read.
type page struct {
	owner
	Ballots []Entry      `json:"ballots"`
	Log     client.Place `json:"log"`
}

func (p *page) check() error {
	if !isHash(p.GenesisHash) {
		return fmt.Errorf("%q is not a genesis hash", p.GenesisHash)
	}
	if err := election.CheckID(p.Election); err != nil {
		return err
	}
	for i, e := range p.Ballots {
		if err := e.check(); err != nil {
			return fmt.Errorf("entry %d of election %s: %w", i+1, p.Election, err)
		}
	}
	if len(p.Log.Hashes) != bits.OnesCount64(p.Log.Size) || slices.ContainsFunc(p.Log.Hashes, func(h []byte) bool { return len(h) != 32 }) {
		return fmt.Errorf("the place in the ballot log of election %s has a wrong number of hashes", p.Election)
	}
	return nil
}

// file is the JSON of a book.
type file struct {
	Version int     `json:"votenode_book"`
	Pages   []*page `json:"voters"`
}

// page returns the page of an owner, a new one at the end where there is none.
func (f *file) page(o owner) *page {
	for _, p := range f.Pages {
		if p.owner == o {
			return p
		}
	}
	p := &page{owner: o}
	f.Pages = append(f.Pages, p)
	return p
}

func (f *file) entries() (n int) {
	for _, p := range f.Pages {
		n += len(p.Ballots)
	}
	return n
}

// encode returns the bytes of a book, and fails where they could not be read again.
func (f *file) encode() ([]byte, error) {
	data, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return nil, err
	}
	_, err = parse(data)
	return append(data, '\n'), err
}

// load reads a book strictly; a file that is not there is an empty book.
func load(path string) (*file, error) {
	data, err := keyfile.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &file{Version: Version}, nil
	}
	if err != nil {
		return nil, err
	}
	f, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w (%w)", path, ErrFormat, err)
	}
	return f, nil
}

func parse(data []byte) (*file, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	f := new(file)
	if err := decoder.Decode(f); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the book")
	}
	if f.Version != Version {
		return nil, fmt.Errorf("its version is %d, not %d", f.Version, Version)
	}
	seen := make(map[owner]bool)
	for _, p := range f.Pages {
		if p == nil {
			return nil, errors.New("a voter is null")
		}
		if err := p.check(); err != nil {
			return nil, err
		}
		if seen[p.owner] {
			return nil, fmt.Errorf("voter %d of election %s stands in it twice", p.RollIndex, p.Election)
		}
		seen[p.owner] = true
	}
	if n := f.entries(); n > MaxEntries {
		return nil, fmt.Errorf("%d entries, more than %d", n, MaxEntries)
	}
	return f, nil
}

// isHash says whether s is 32 bytes in lower-case hexadecimal digits.
func isHash(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 32 && hex.EncodeToString(b) == s
}
