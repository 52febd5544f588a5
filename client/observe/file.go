package observe

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"votenode/app"
	"votenode/app/election"
	"votenode/app/state"
	"votenode/client/keyfile"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

// Version is the version of the file on disk.
const Version = 1

// Names in the observer's folder.
const (
	stateFile      = "observer.json"
	lockFile       = "observer.lock"
	evidenceFolder = "evidence"
	slipsFolder    = "slips"
)

var (
	// ErrFormat says that the file on disk is none of an observer, or damaged.
	ErrFormat = errors.New("not an observer's file, or a damaged one; restore it from a copy, or move the folder away and a new one is begun, " +
		"which knows nothing of what was seen before")
	// ErrInUse says that another process observes with this folder.
	ErrInUse = errors.New("another observer uses this folder; let it end, or choose another one with --folder")
)

// file is what the observer keeps. Spec 13.5.
type file struct {
	Version     int    `json:"votenode_observer"`
	GenesisHash string `json:"genesis_hash"`
	// State is the canonical LedgerState of the newest certified state that any node has shown.
	State []byte `json:"state,omitempty"`
	// Counted is the height up to which votes were counted, Missed how many heights in a row up to there a validator has not signed, by its
	// key in hexadecimal digits.
	Counted int64          `json:"counted"`
	Missed  map[string]int `json:"missed"`

	Logs   []*log    `json:"logs"`
	Slips  []settled `json:"slips"`
	Alarms []*Alarm  `json:"alarms"`
	// Untold are the events, but for certified states, that nobody has been told of yet.
	Untold []Event `json:"untold,omitempty"`
}

// log is the head of a log, as a certified state of a height has shown it, and leaves that were looked at.
type log struct {
	Log    string `json:"log"`
	Height int64  `json:"height"`
	Head   []byte `json:"head"` // as in the record, 40 bytes
	Leaves []leaf `json:"leaves"`
}

// leaf is the hash of a leaf, H(0x00 || leaf).
type leaf struct {
	Index uint64 `json:"index"`
	Hash  []byte `json:"hash"`
}

// settled is a promise of which it is known what became.
type settled struct {
	Slip    string `json:"slip"` // SHA-256 of the promise
	Verdict string `json:"verdict"`
}

// head returns the head of the log, the empty one where there is none yet.
func (l *log) head() state.Head {
	h, _ := state.ParseHead(l.Head) // checked when it came in
	return h
}

// load reads the file of a folder strictly, and verifies the state in it; one that is not there is a new observer.
func load(path string, genesisHash [32]byte) (*file, *pb.LedgerState, error) {
	data, err := keyfile.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &file{Version: Version, GenesisHash: hex.EncodeToString(genesisHash[:]), Missed: map[string]int{}}, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	f, shown, err := parse(data, genesisHash)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, shown, nil
}

func parse(data []byte, genesisHash [32]byte) (*file, *pb.LedgerState, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	f := new(file)
	if err := decoder.Decode(f); err != nil {
		return nil, nil, fmt.Errorf("%w (%w)", ErrFormat, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("%w (something follows)", ErrFormat)
	}
	if f.Version != Version {
		return nil, nil, fmt.Errorf("%w (its version is %d, not %d)", ErrFormat, f.Version, Version)
	}
	if want := hex.EncodeToString(genesisHash[:]); f.GenesisHash != want {
		return nil, nil, fmt.Errorf("it is of the ledger with the genesis hash %s, not %s; choose a folder of its own for each ledger with --folder", f.GenesisHash, want)
	}
	if err := f.check(); err != nil {
		return nil, nil, fmt.Errorf("%w (%w)", ErrFormat, err)
	}
	if len(f.State) == 0 {
		return f, nil, nil
	}
	shown := new(pb.LedgerState)
	if err := election.Decode(f.State, shown); err != nil {
		return nil, nil, fmt.Errorf("%w (the state: %w)", ErrFormat, err)
	}
	if _, s, err := certified.FromLedgerState(genesisHash, shown); errors.Is(err, app.ErrProtocol) {
		return nil, nil, err
	} else if err != nil || !s.Certified {
		return nil, nil, fmt.Errorf("%w (the state is not certified: %v)", ErrFormat, err)
	}
	return f, shown, nil
}

// check says what is wrong with the parts of a file.
func (f *file) check() error {
	if f.Counted < 0 || f.Missed == nil {
		return errors.New("the count of votes is missing")
	}
	for i, l := range f.Logs {
		if l == nil || l.Height < 1 || slices.ContainsFunc(f.Logs[:i], func(o *log) bool { return o.Log == l.Log }) {
			return fmt.Errorf("log %d is null, of no height, or there twice", i+1)
		}
		head, err := state.ParseHead(l.Head)
		if err != nil {
			return fmt.Errorf("log %s: %w", l.Log, err)
		}
		for at, leaf := range l.Leaves {
			if len(leaf.Hash) != state.HashSize || leaf.Index >= head.Size || at > 0 && leaf.Index <= l.Leaves[at-1].Index {
				return fmt.Errorf("leaf %d of the log %s does not stand in it, or is out of order", leaf.Index, l.Log)
			}
		}
	}
	for i, a := range f.Alarms {
		if a == nil || !slices.Contains(kinds, a.Kind) || a.Raised.IsZero() {
			return fmt.Errorf("alarm %d is null, of an unknown kind, or has no time", i+1)
		}
	}
	for i, e := range f.Untold {
		switch e.Event {
		case EventAlarm, EventEnded:
			if e.Alarm != nil {
				continue
			}
		case EventKept:
			if e.Slip != nil {
				continue
			}
		}
		return fmt.Errorf("event %d that is to be told is unknown, or says nothing", i+1)
	}
	return nil
}

// save writes the file where something has changed. Once something has failed it writes no more: an alarm whose evidence is not on disk is
// raised again after the restart. mu is held.
func (o *Observer) save() error {
	if !o.dirty || o.broken != nil {
		return nil
	}
	o.file.Untold = slices.DeleteFunc(slices.Clone(o.events), func(e Event) bool { return !e.lasting() })
	data, err := json.MarshalIndent(o.file, "", " ")
	if err != nil {
		return err
	}
	if len(data) >= keyfile.MaxSize {
		return fmt.Errorf("what is to be kept takes %d bytes and could not be read again; begin a new folder with --folder", len(data))
	}
	if err := keyfile.Replace(filepath.Join(o.s.Folder, stateFile), append(data, '\n')); err != nil {
		return fmt.Errorf("what was seen could not be kept: %w", err)
	}
	o.dirty = false
	return nil
}

// lock makes the folder the observer's own until its process ends.
func lock(folder string) (*os.File, error) {
	for _, name := range []string{folder, filepath.Join(folder, evidenceFolder), filepath.Join(folder, slipsFolder)} {
		if err := os.MkdirAll(name, 0o700); err != nil {
			return nil, fmt.Errorf("%w; choose with --folder a place that can be written", err)
		}
	}
	f, err := os.OpenFile(filepath.Join(folder, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", folder, ErrInUse), f.Close())
	}
	return f, nil
}
