package observe

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"votenode/client"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
	"votenode/verify/prooffile"
	judge "votenode/verify/slip"
)

const (
	// MaxSlips is how many promises are watched.
	MaxSlips = 1_000
	// slipsPerLook is how many promises a node is asked about in one look.
	slipsPerLook = 8
)

// slip is a promise that is watched.
type slip struct {
	path     string
	id       string // SHA-256 of the promise, in hexadecimal digits
	promised int64  // height by which it is to be kept
	settled  bool
	asking   bool // a look asks about it
}

// slipFiles lists the files of promises.
func (o *Observer) slipFiles() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(o.s.Folder, slipsFolder))
	if err != nil {
		return nil, err
	}
	paths := slices.Clone(o.s.Slips)
	for _, e := range entries {
		if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") { // a hidden file is being written
			paths = append(paths, filepath.Join(o.s.Folder, slipsFolder, e.Name()))
		}
	}
	return paths, nil
}

// readPromise reads the file of a promise, and nothing beyond its bounds.
func readPromise(path string) (*pb.Promise, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	file, err := prooffile.Read(f)
	if err != nil {
		return nil, err
	}
	p, ok := file.Content.(*pb.ProofFile_Promise)
	if !ok || p.Promise.GetSlip() == nil {
		return nil, errors.New("it is no promise; 'votenode voter cast' writes one for every validator that promises")
	}
	if s := p.Promise.Slip; s.Issued < 1 || s.Promised <= s.Issued {
		return nil, fmt.Errorf("it is issued at height %d and promises height %d: no validator signs that", s.Issued, s.Promised)
	}
	return p.Promise, nil
}

// scan reads files that are new. mu is held.
func (o *Observer) scan() {
	paths, err := o.slipFiles()
	if err != nil {
		o.failed(err)
		return
	}
	if len(paths) > MaxSlips {
		o.raise(SlipInvalid, "", nil, fmt.Sprintf("of %d files of promises the first %d are watched; give the others to an observer with a folder of its own", len(paths), MaxSlips),
			func() []evidence { return nil })
		paths = paths[:MaxSlips]
	}
	for _, path := range paths {
		if o.slips[path] != nil {
			continue
		}
		p, err := readPromise(path)
		if err != nil {
			o.invalid(path, err)
			continue
		}
		o.end(SlipInvalid, path)
		s := &slip{path: path, promised: p.Slip.Promised}
		hash := sha256.Sum256(prooffile.Bytes(prooffile.OfPromise(p)))
		s.id = hex.EncodeToString(hash[:])
		s.settled = slices.ContainsFunc(o.file.Slips, func(d settled) bool { return d.Slip == s.id })
		o.slips[path] = s
	}
}

// invalid raises the alarm that a file is no promise. mu is held.
func (o *Observer) invalid(path string, err error) {
	o.raise(SlipInvalid, path, nil, fmt.Sprintf("%s: %v", path, err), func() []evidence { return nil })
}

// due takes promises that must be kept by a height and are not settled.
func (o *Observer) due(height int64) (list []*slip) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.scan()
	for _, s := range o.slips {
		if !s.settled && !s.asking && s.promised <= height && len(list) < slipsPerLook {
			s.asking = true
			list = append(list, s)
		}
	}
	return list
}

// promises asks a node what became of the promises whose last height it has certified.
func (o *Observer) promises(ctx context.Context, n *node, v *client.View) error {
	due := o.due(v.Height())
	defer func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		for _, s := range due {
			s.asking = false
		}
	}()
	for _, s := range due {
		if err := o.promise(ctx, n, s); err != nil {
			return err
		}
	}
	return nil
}

// promise settles one promise, where the node can show what became of it.
func (o *Observer) promise(ctx context.Context, n *node, s *slip) error {
	p, err := readPromise(s.path)
	if err != nil {
		o.settle(s, "unreadable", func() { o.invalid(s.path, err) })
		return nil
	}
	shown, found, err := n.ledger.SlipCase(ctx, p, o.s.Now())
	switch {
	case errors.Is(err, judge.ErrSlip):
		o.settle(s, "no promise", func() { o.invalid(s.path, err) })
	case errors.Is(err, certified.ErrAhead):
		return nil // by this machine's clock, of which block time tells, or by a node that is behind
	case err != nil:
		return at("case of a promise", err)
	case found.Verdict == judge.Kept:
		o.settle(s, found.Verdict.String(), func() { o.tell(Event{Event: EventKept, Slip: &Kept{File: s.path, How: found.How}}) })
	case found.Verdict == judge.Pending:
		return at("case of a promise", fmt.Errorf("%w: a case behind height %d, which it has certified", client.ErrUnknown, s.promised))
	default:
		kind := SlipBroken
		if found.Verdict == judge.NoTurn {
			kind = SlipUnkept
		}
		o.settle(s, found.Verdict.String(), func() {
			o.raise(kind, s.id, nil, strings.Join(found.Words(), " "), func() []evidence {
				return []evidence{proofFile("case", prooffile.OfSlipCase(shown))}
			})
		})
	}
	return nil
}

// settle notes what became of a promise, with what is told of it.
func (o *Observer) settle(s *slip, verdict string, tell func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s.settled, o.dirty = true, true
	o.file.Slips = append(o.file.Slips, settled{s.id, verdict})
	tell()
}
