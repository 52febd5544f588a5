package registry

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"votenode/client/keyfile"
	pb "votenode/proto/votenode/v1"
)

// Version is the version of the folder's format.
const Version = 1

const (
	// MaxMembers bounds the members of one round.
	MaxMembers = 2_000_000
	// MaxFile bounds every file of a folder, and every file that a registrar takes from another, in bytes.
	MaxFile = 512 << 20
	// maxReference bounds the reference of a member, in bytes of UTF-8.
	maxReference = 100
	maxRounds    = 9_999
)

var (
	// ErrFormat says that a file is damaged, or of another folder or format.
	ErrFormat = errors.New("the file is damaged or does not belong here")
	// ErrLost says that a file is not there which was there once: others that are made after it are.
	ErrLost = errors.New("a file is lost; put a copy of the whole folder back, or do what docs/runbook/registrar-folder.md says")
	// ErrOrder says that a step was asked for before the one that it needs.
	ErrOrder = errors.New("another step comes first")
	// ErrMismatch says that what another registrar gave does not go with what this one has: one of them is wrong.
	ErrMismatch = errors.New("what the other registrar gave does not go with this folder")
)

// Settings say what a folder is for. They never change.
type Settings struct {
	Version      int    `json:"votenode_registry"`
	Chain        string `json:"chain"`
	Election     string `json:"election"`
	Organisation string `json:"organisation"`
	// Organisations are the ids of all organisations of the ledger, ascending.
	Organisations []string `json:"organisations"`
	// Districts are those of the manifest, by ballot style.
	Districts []string `json:"districts"`
}

// Store is an open folder. It belongs to one process at a time: another one that writes the same step is refused, and nothing is lost.
type Store struct {
	folder string
	Settings
	styles map[string]uint32
}

const settingsFile = "registry.json"

// Create makes a folder that does not exist yet, or is empty.
func Create(folder string, s Settings) (*Store, error) {
	s.Version = Version
	if !slices.Contains(s.Organisations, s.Organisation) || !slices.IsSorted(s.Organisations) {
		return nil, fmt.Errorf("%w: %q is none of the organisations %q", ErrFormat, s.Organisation, s.Organisations)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, err
	}
	name := filepath.Join(folder, settingsFile)
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) { // else the list may be lost, and nobody takes an empty one for it
		if err := create(filepath.Join(folder, struckFile), nil); err != nil {
			return nil, err
		}
	}
	if err := keyfile.Create(name, append(data, '\n')); err != nil {
		return nil, err
	}
	return Open(folder)
}

// Open opens a folder. It fails with ErrFormat.
func Open(folder string) (*Store, error) {
	name := filepath.Join(folder, settingsFile)
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; make the folder with: votenode registrar begin", err)
	}
	if err != nil {
		return nil, err
	}
	s := &Store{folder: folder, styles: map[string]uint32{}}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s.Settings); err != nil || s.Version != Version || !slices.Contains(s.Organisations, s.Organisation) {
		return nil, fmt.Errorf("%s: %w", name, ErrFormat)
	}
	for i, d := range s.Districts {
		s.styles[d] = uint32(i)
	}
	return s, nil
}

// others are the ids of the other organisations, ascending.
func (s *Store) others() []string {
	return slices.DeleteFunc(slices.Clone(s.Organisations), func(id string) bool { return id == s.Organisation })
}

// file names a file of a round.
func (s *Store) file(round uint32, what string) string {
	return filepath.Join(s.folder, fmt.Sprintf("round-%04d.%s", round, what))
}

// seal returns a file's bytes behind the checksum that binds them to its name.
func seal(name string, data []byte) []byte {
	sum := checksum(name, data)
	return append(sum[:], data...)
}

func checksum(name string, data []byte) [sha256.Size]byte {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n", filepath.Base(name))
	h.Write(data)
	return [sha256.Size]byte(h.Sum(nil))
}

// create writes a file that is not there yet; one with the same bytes is no error, so that a step can be repeated. It fails where read would
// refuse the file for its length.
func create(name string, data []byte) error {
	if size := sha256.Size + len(data); size > MaxFile {
		return fmt.Errorf("%s would have %d bytes, at most %d are read; import the members in parts", name, size, MaxFile)
	}
	return keyfile.CreateOnce(name, seal(name, data))
}

// read returns the bytes of a file that create wrote. It fails with fs.ErrNotExist, ErrFormat and keyfile.ErrPermissions.
func read(name string) ([]byte, error) {
	data, err := keyfile.ReadAtMost(name, MaxFile)
	if err != nil {
		return nil, err
	}
	if len(data) < sha256.Size || checksum(name, data[sha256.Size:]) != [sha256.Size]byte(data[:sha256.Size]) {
		return nil, fmt.Errorf("%s: %w", name, ErrFormat)
	}
	return data[sha256.Size:], nil
}

// optional is read for a file that need not be there: then it is nil.
func optional(name string) ([]byte, error) {
	data, err := read(name)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return data, err
}

// need is read for a file that a step makes. It fails with ErrOrder where the step was not taken.
func need(name, step string) ([]byte, error) {
	data, err := read(name)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %s (%w)", ErrOrder, step, err)
	}
	return data, err
}

// ReadFile reads a file that another registrar gave, at most MaxFile bytes. It fails with ErrFormat for a longer one.
func ReadFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err == nil && len(data) > MaxFile {
		err = fmt.Errorf("%w: it is longer than %d bytes", ErrFormat, MaxFile)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}

// files returns the paths of the files of all rounds, by round. Those of the members are the first that a round has.
func (s *Store) files() (map[uint32][]string, error) {
	entries, err := os.ReadDir(s.folder)
	if err != nil {
		return nil, err
	}
	files := map[uint32][]string{}
	for _, entry := range entries {
		var round uint32
		if n, _ := fmt.Sscanf(entry.Name(), "round-%d.", &round); n == 1 && strings.HasPrefix(entry.Name(), filepath.Base(s.file(round, ""))) {
			files[round] = append(files[round], filepath.Join(s.folder, entry.Name()))
		}
	}
	return files, nil
}

// Rounds returns how many rounds of members there are. It fails with ErrLost where a round has files but no members, or is missing before others.
func (s *Store) Rounds() (uint32, error) {
	files, err := s.files()
	if err != nil {
		return 0, err
	}
	var newest uint32
	for round := range files {
		newest = max(newest, round)
	}
	for round := uint32(1); round <= newest; round++ {
		if members := s.file(round, "members"); !slices.Contains(files[round], members) {
			return 0, fmt.Errorf("%s: %w", members, ErrLost)
		}
	}
	return newest, nil
}

// Counts say, by ballot style, how many members all rounds have, how many of these are struck, and how many of the struck vote on paper.
type Counts struct{ Members, Struck, Paper []uint64 }

// Counts returns the counts of the folder.
func (s *Store) Counts() (*Counts, error) {
	n := len(s.Districts)
	counts := &Counts{make([]uint64, n), make([]uint64, n), make([]uint64, n)}
	all, err := s.all()
	if err != nil {
		return nil, err
	}
	for _, members := range all {
		for i := range members {
			counts.Members[members[i].Style]++
		}
	}
	struck, err := s.struck(all)
	if err != nil {
		return nil, err
	}
	for _, v := range struck {
		style := all[v.Round-1][v.Slot].Style
		counts.Struck[style]++
		if v.Cause == pb.REVOCATION_PAPER {
			counts.Paper[style]++
		}
	}
	return counts, nil
}
