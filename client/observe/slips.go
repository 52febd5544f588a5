package observe

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
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
	// maxSettled is how many settled promises are remembered whose files are there no more.
	maxSettled = 10 * MaxSlips
	// noPromise is what became of a file that is a promise in form only.
	noPromise = "no promise"
)

// slip is a promise that is watched.
type slip struct {
	path     string
	id       string // SHA-256 of the promise, in hexadecimal digits
	promised int64  // height by which it is to be kept
	settled  bool
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
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() { // to open a pipe may take for ever
		return nil, errors.New("it is no regular file")
	}
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

// readSlip reads the file of a promise that is to be watched.
func readSlip(path string) (*slip, error) {
	p, err := readPromise(path)
	if err != nil {
		return nil, err
	}
	return &slip{path: path, id: idOf(p), promised: p.Slip.Promised}, nil
}

// idOf returns SHA-256 of a promise, in hexadecimal digits.
func idOf(p *pb.Promise) string {
	hash := sha256.Sum256(prooffile.Bytes(prooffile.OfPromise(p)))
	return hex.EncodeToString(hash[:])
}

// scan reads files that are new, and lets go of those that are there no more. Nothing is read with mu held.
func (o *Observer) scan() {
	paths, err := o.slipFiles()
	many := len(paths)
	paths = paths[:min(many, MaxSlips)]
	o.mu.Lock()
	known := maps.Clone(o.slips)
	o.mu.Unlock()
	read, failures := map[string]*slip{}, map[string]error{}
	for _, path := range paths {
		if known[path] == nil {
			read[path], failures[path] = readSlip(path)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		o.failed(err)
		return
	}
	if many > MaxSlips {
		o.raise(SlipInvalid, "", nil, fmt.Sprintf("of %d files of promises the first %d are watched; give the others to an observer with a folder of its own", many, MaxSlips),
			func() []evidence { return nil })
	} else {
		o.end(SlipInvalid, "")
	}
	watched := map[string]*slip{}
	for _, path := range paths {
		if s := o.slips[path]; s != nil {
			watched[path] = s // perhaps another look has read it meanwhile
		} else if failures[path] != nil {
			o.invalid(path, failures[path])
		} else if s := read[path]; s != nil {
			verdict := o.verdict(s.id)
			if s.settled = verdict != ""; verdict != noPromise {
				o.end(SlipInvalid, path)
			}
			watched[path] = s
		}
	}
	o.slips = watched
	if len(o.file.Slips) > maxSettled {
		there := map[string]bool{}
		for _, s := range watched {
			there[s.id] = true
		}
		o.file.Slips = slices.DeleteFunc(o.file.Slips, func(d settled) bool { return !there[d.Slip] })
		o.dirty = true
	}
}

// verdict says what became of a promise, "" where that is not known. mu is held.
func (o *Observer) verdict(id string) string {
	for _, d := range o.file.Slips {
		if d.Slip == id {
			return d.Verdict
		}
	}
	return ""
}

// invalid raises the alarm that a file is no promise. mu is held.
func (o *Observer) invalid(path string, err error) {
	o.raise(SlipInvalid, path, nil, fmt.Sprintf("%s: %v", path, err), func() []evidence { return nil })
}

// due returns promises that must be kept by a height and are not settled. Every node is asked about them, so that one that does not answer
// keeps nobody else from showing what became of them.
func (o *Observer) due(height int64) (list []*slip) {
	o.scan()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.slips {
		if !s.settled && s.promised <= height && len(list) < slipsPerLook {
			list = append(list, s)
		}
	}
	return list
}

// promises asks a node what became of the promises whose last height it has certified.
func (o *Observer) promises(ctx context.Context, n *node, v *client.View) error {
	for _, s := range o.due(v.Height()) {
		if err := o.promise(ctx, n, s); err != nil {
			return err
		}
	}
	return nil
}

// promise settles one promise, where the node can show what became of it.
func (o *Observer) promise(ctx context.Context, n *node, s *slip) error {
	p, err := readPromise(s.path)
	if err != nil || idOf(p) != s.id {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.slips[s.path] == s {
			delete(o.slips, s.path) // the next look reads it anew, and says what is wrong with it
		}
		return nil
	}
	shown, found, err := n.ledger.SlipCase(ctx, p, o.s.Now())
	switch {
	case errors.Is(err, judge.ErrSlip):
		o.settle(s, noPromise, func() { o.invalid(s.path, err) })
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

// settle notes what became of a promise, with what is told of it, unless another look was first.
func (o *Observer) settle(s *slip, verdict string, tell func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s.settled = true
	if o.verdict(s.id) != "" {
		return
	}
	o.file.Slips, o.dirty = append(o.file.Slips, settled{s.id, verdict}), true
	tell()
}
