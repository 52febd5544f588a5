package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"votenode/verify/record"
)

// CheckpointFormat names the form of a checkpoint and the rules of the audit that it vouches for: whoever changes what is verified of a
// ballot changes the number. Spec 11.7.
const CheckpointFormat = "votenode/v1/checkpoint"

// ErrCheckpoint says that a checkpoint is none of this program or of this ledger. Nothing is wrong with the record.
var ErrCheckpoint = errors.New("the checkpoint cannot be used; audit the whole record, without it")

// Checkpoint is what an audit notes for a later one: in the blocks up to Height no check had found a fault, so the signature and the
// proof of every ballot in them that can take effect hold. It is worth as much as the disk that it lies on: only the auditor who has
// made it can believe it. Spec 11.7.
type Checkpoint struct {
	Format string `json:"format"`
	// Program is the very program that made the checkpoint.
	Program string `json:"program"`
	// Chain and GenesisHash name the ledger.
	Chain       string `json:"chain_id"`
	GenesisHash string `json:"genesis_hash"`
	// Height is that of the last block that was executed, Block the hash of its header, AppHash that of the state after it.
	Height  int64  `json:"height"`
	Block   string `json:"block"`
	AppHash string `json:"app_hash"`
	// Bytes and SHA256 are of the blocks 1 to Height as they stand in the files, one after the other.
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	// Sum is the SHA-256 of this encoding with an empty Sum: against damage.
	Sum string `json:"sum"`
}

// maxCheckpoint bounds the file of a checkpoint.
const maxCheckpoint = 4 << 10

// Encode returns the one encoding of a checkpoint, with its sum.
func (c Checkpoint) Encode() []byte {
	c.Sum = ""
	sum := sha256.Sum256(c.json())
	c.Sum = hex.EncodeToString(sum[:])
	return c.json()
}

func (c Checkpoint) json() []byte {
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		panic("audit: a checkpoint always encodes: " + err.Error())
	}
	return append(b, '\n')
}

// ParseCheckpoint reads a checkpoint. It fails with ErrCheckpoint.
func ParseCheckpoint(b []byte) (*Checkpoint, error) {
	c := new(Checkpoint)
	if len(b) > maxCheckpoint || json.Unmarshal(b, c) != nil || !bytes.Equal(c.Encode(), b) || c.Height < 1 || c.Bytes < 1 {
		return nil, fmt.Errorf("%w: it is damaged, or no checkpoint at all", ErrCheckpoint)
	}
	if c.Format != CheckpointFormat {
		return nil, fmt.Errorf("%w: it has the format %q; this program makes %q", ErrCheckpoint, c.Format, CheckpointFormat)
	}
	return c, nil
}

// LoadCheckpoint reads the file of a checkpoint. It fails with ErrCheckpoint or with an error of the file system.
func LoadCheckpoint(path string) (*Checkpoint, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, maxCheckpoint+1))
	if err != nil {
		return nil, err
	}
	c, err := ParseCheckpoint(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Save writes the file of a checkpoint, all or nothing: synced under another name, then renamed, the folder synced. A crash leaves the
// file that was there before, or this one.
func (c *Checkpoint) Save(path string) error {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return &fs.PathError{Op: "write", Path: path, Err: errors.New("it is no regular file")}
	}
	beside, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = beside.Write(c.Encode())
	if err = errors.Join(err, beside.Sync(), beside.Close()); err == nil {
		err = os.Rename(beside.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(beside.Name()))
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// prefix is a digest of the first bytes of the blocks.
type prefix struct {
	digest hash.Hash
	bytes  int64
}

func newPrefix() *prefix { return &prefix{digest: sha256.New()} }

// add takes bytes, but none behind the end.
func (p *prefix) add(b []byte, end int64) {
	b = b[:min(int64(len(b)), end-p.bytes)]
	p.digest.Write(b)
	p.bytes += int64(len(b))
}

// is says whether the bytes are those that a checkpoint vouches for.
func (p *prefix) is(c *Checkpoint) bool {
	return p.bytes == c.Bytes && hex.EncodeToString(p.digest.Sum(nil)) == c.SHA256
}

// vouching is what an audit keeps about checkpoints: about the one that it goes on from, and for those that it makes.
type vouching struct {
	until int64 // ballots up to this height are vouched for
	read  *prefix
	last  *Checkpoint // what the next one would say; nil before the first block and for ever behind a fault
	saved Checkpoint
	// How much is verified, at most, between two checkpoints.
	everyBytes, everyBlocks int64
}

func newVouching() vouching {
	return vouching{read: newPrefix(), everyBytes: 64 << 20, everyBlocks: 10_000}
}

// acceptSince decides whether the checkpoint that the audit is to go on from is one of this program and ledger, and whether the folder
// begins with the blocks that it vouches for. If not, it vouches for nothing, and everything is verified.
func (a *auditor) acceptSince() error {
	c := a.Since
	if c == nil {
		return nil
	}
	switch {
	case c.Program != a.Program:
		return fmt.Errorf("%w: it was made by votenode %s, this is %s", ErrCheckpoint, c.Program, a.Program)
	case c.Chain != a.report.Chain || c.GenesisHash != a.report.GenesisHash:
		return fmt.Errorf("%w: it is of ledger %s with the genesis hash %s, the record is of %s, %s", ErrCheckpoint, c.Chain, c.GenesisHash, a.report.Chain, a.report.GenesisHash)
	}
	switch end := a.source.Height(); {
	case end != 0 && end <= c.Height:
		a.older(end)
	case a.folder != nil && !a.vouched.read.is(c):
		a.checks.fault(checkContinuation, "the record does not begin with the blocks 1 to %d of the earlier audit: the two contradict each other, keep both", c.Height)
	default:
		a.vouched.until, a.vouched.saved, a.report.Since = c.Height, *c, c.Height
	}
	a.vouched.read = newPrefix()
	return nil
}

// older records that the record ends before the checkpoint does.
func (a *auditor) older(end int64) {
	a.checks.fault(checkContinuation, "the record ends at height %d, an earlier audit has verified the blocks up to height %d: it is an older one", end, a.Since.Height)
}

// vouch notes a block that was executed, and holds the last one that the checkpoint vouches for against it: blocks from nodes are known
// only now, and files may have changed since they were hashed.
func (a *auditor) vouch(b *block, appHash [32]byte) error {
	if a.Since == nil && a.Checkpoint == nil {
		return nil
	}
	a.vouched.read.add(record.Frame(b.at.Raw), 1<<62)
	now := &Checkpoint{
		Format: CheckpointFormat, Program: a.Program, Chain: a.report.Chain, GenesisHash: a.report.GenesisHash,
		Height: b.Height, Block: hex.EncodeToString(b.Hash()), AppHash: hex.EncodeToString(appHash[:]), Bytes: a.vouched.read.bytes,
	}
	if b.Height == a.vouched.until {
		if c := a.Since; !a.vouched.read.is(c) || now.Block != c.Block {
			return a.stop(checkContinuation, fmt.Errorf("the blocks 1 to %d are not those of the earlier audit: the two contradict each other", b.Height))
		} else if now.AppHash != c.AppHash {
			return fmt.Errorf("%w: the state after its blocks is not the one that it names", ErrCheckpoint)
		}
		a.checks.read(checkContinuation, b.Height)
	}
	a.vouched.last = now
	if now.Bytes-a.vouched.saved.Bytes < a.vouched.everyBytes && now.Height-a.vouched.saved.Height < a.vouched.everyBlocks {
		return nil
	}
	return a.checkpoint()
}

// checkpoint hands out a checkpoint of what was verified last, unless there is a fault or an earlier audit vouches for more.
func (a *auditor) checkpoint() error {
	c := a.vouched.last
	if a.Checkpoint == nil || c == nil || c.Height <= a.vouched.until || c.Height == a.vouched.saved.Height || a.checks.faulty() {
		return nil
	}
	c.SHA256 = hex.EncodeToString(a.vouched.read.digest.Sum(nil))
	a.vouched.saved = *c
	return a.Checkpoint(c)
}
