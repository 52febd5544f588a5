package record

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"votenode/app/organisation"
	"votenode/app/text"
)

// Format names the form of the folder and of its index. Spec 10.2.
const Format = "votenode/v1/record"

// The names of the files. The files of blocks are numbered from 1. Spec 10.1.
const (
	IndexName     = "record.json"
	GenesisName   = "genesis.pb"
	ApprovalsName = "approvals.pb"
)

// Bounds of what is written and read, bytes. Spec 10.1.
const (
	// MaxFileBytes bounds a file of blocks.
	MaxFileBytes = 64 << 20
	// MaxBlockBytes bounds a block: no parameters allow more.
	MaxBlockBytes = 8 << 20
	// MaxDocumentBytes bounds the genesis document, and the approvals.
	MaxDocumentBytes = 1 << 20
	// MaxIndexBytes bounds the index.
	MaxIndexBytes = 16 << 20
)

// ErrFormat says that a folder is not of the form that spec 10 prescribes; the text names the file and the fault.
var ErrFormat = errors.New("damaged record")

// Index is the content of record.json. Spec 10.2.
type Index struct {
	Format string `json:"format"`
	// Chain is the chain id, GenesisHash the hash of the genesis document in lower-case hexadecimal digits.
	Chain       string `json:"chain_id"`
	GenesisHash string `json:"genesis_hash"`
	// Height is that of the last block; the first is 1.
	Height int64 `json:"height"`
	// Files are all other files: genesis document, approvals, blocks in order.
	Files []File `json:"files"`
}

// File is a file of the folder.
type File struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
	// SHA256 of the content, lower-case hexadecimal digits.
	SHA256 string `json:"sha256"`
}

// BlocksName returns the name of a file of blocks, numbered from 1.
func BlocksName(number int) string { return fmt.Sprintf("blocks-%06d", number) }

// Bytes returns the one encoding of an index: JSON with two spaces of indentation and a newline at the end.
func (i *Index) Bytes() []byte {
	b, err := json.MarshalIndent(i, "", "  ")
	if err != nil {
		panic("record: an index always encodes: " + err.Error())
	}
	return append(b, '\n')
}

// ParseIndex reads the one encoding of an index and checks its form: what it says about the files is not compared with them. It
// fails with ErrFormat.
func ParseIndex(b []byte) (*Index, error) {
	i := new(Index)
	if err := json.Unmarshal(b, i); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFormat, IndexName, err)
	}
	if !bytes.Equal(i.Bytes(), b) {
		return nil, fmt.Errorf("%w: %s is not in its canonical form", ErrFormat, IndexName)
	}
	return i, i.check()
}

func (i *Index) check() error {
	if i.Format != Format {
		return fmt.Errorf("%w: %s names the format %q; this program reads %q", ErrFormat, IndexName, clip(i.Format), Format)
	}
	if text.CheckID(i.Chain, organisation.MaxChainID) != nil || i.Height < 1 || len(i.Files) < 3 || !isHash(i.GenesisHash) {
		return fmt.Errorf("%w: %s names no chain, no block, too few files or no genesis hash", ErrFormat, IndexName)
	}
	for at, f := range i.Files {
		name, most := BlocksName(at-1), int64(MaxFileBytes)
		switch at {
		case 0:
			name, most = GenesisName, MaxDocumentBytes
		case 1:
			name, most = ApprovalsName, MaxDocumentBytes
		}
		if f.Name != name || f.Bytes < 0 || f.Bytes > most || !isHash(f.SHA256) {
			return fmt.Errorf("%w: entry %d of %s should be %s of at most %d bytes, with its SHA-256", ErrFormat, at, IndexName, name, most)
		}
	}
	return nil
}

// Size returns how many bytes all files have together, as the index says.
func (i *Index) Size() int64 {
	n := int64(0)
	for _, f := range i.Files {
		n += f.Bytes
	}
	return n
}

func isHash(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 32 && hex.EncodeToString(b) == s
}

func clip(s string) string { return s[:min(len(s), 60)] }
