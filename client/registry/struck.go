package registry

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"

	"votenode/client/keyfile"
	pb "votenode/proto/votenode/v1"
)

// Place is where a member stands: its round, from 1, and its slot there, from 0.
type Place struct {
	Round uint32
	Slot  uint64
}

func (p Place) String() string { return fmt.Sprintf("slot %d of round %d", p.Slot, p.Round) }

// Struck is a member whose entry is to give no right to vote.
type Struck struct {
	Place
	Cause pb.RevocationCause
}

const struckFile = "struck"

// Struck lists the struck members in the order in which they were struck.
func (s *Store) Struck() ([]Struck, error) {
	all, err := s.all()
	if err != nil {
		return nil, err
	}
	return s.struck(all)
}

// struck is Struck among the members of all rounds. It fails with ErrLost, and with ErrFormat for a place that no round has.
func (s *Store) struck(all [][]Member) ([]Struck, error) {
	name := filepath.Join(s.folder, struckFile)
	data, err := read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", name, ErrLost)
	}
	if err != nil {
		return nil, err
	}
	reader := csv.NewReader(bytes.NewReader(data))
	reader.FieldsPerRecord = 3
	rows, err := reader.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, ErrFormat, err)
	}
	list := make([]Struck, len(rows))
	for i, row := range rows {
		round, err1 := strconv.ParseUint(row[0], 10, 32)
		slot, err2 := strconv.ParseUint(row[1], 10, 64)
		cause, err3 := strconv.ParseInt(row[2], 10, 32)
		if err := errors.Join(err1, err2, err3); err != nil {
			return nil, fmt.Errorf("%s: %w: %w", name, ErrFormat, err)
		}
		if round == 0 || round > uint64(len(all)) || slot >= uint64(len(all[round-1])) {
			return nil, fmt.Errorf("%s: %w: there is no slot %d of round %d", name, ErrFormat, slot, round)
		}
		list[i] = Struck{Place{uint32(round), slot}, pb.RevocationCause(cause)}
	}
	return list, nil
}

func (s *Store) writeStruck(list []Struck) error {
	var data bytes.Buffer
	for _, v := range list {
		fmt.Fprintf(&data, "%d,%d,%d\n", v.Round, v.Slot, v.Cause)
	}
	name := filepath.Join(s.folder, struckFile)
	return keyfile.Replace(name, seal(name, data.Bytes()))
}

// byPlace gives the causes of struck members by their places.
func byPlace(list []Struck) map[Place]pb.RevocationCause {
	places := make(map[Place]pb.RevocationCause, len(list))
	for _, v := range list {
		places[v.Place] = v.Cause
	}
	return places
}

// Found is a member with its newest place.
type Found struct {
	Place
	Member
}

// Find returns members by their references, in their order. It fails where one is asked for twice or is in no round.
func (s *Store) Find(references []string) ([]Found, error) {
	all, err := s.all()
	if err != nil {
		return nil, err
	}
	return find(all, references)
}

func find(all [][]Member, references []string) ([]Found, error) {
	asked := make(map[string]int, len(references))
	for i, reference := range references {
		if _, twice := asked[reference]; twice {
			return nil, fmt.Errorf("member %q is named twice", reference)
		}
		asked[reference] = i
	}
	found := make([]Found, len(references))
	for i, members := range all {
		for slot := range members {
			if at, ok := asked[members[slot].Reference]; ok {
				found[at] = Found{Place{uint32(i + 1), uint64(slot)}, members[slot]}
			}
		}
	}
	for i := range found {
		if found[i].Round == 0 {
			return nil, fmt.Errorf("no round has a member %q", references[i])
		}
	}
	return found, nil
}

// findStruck returns members by their references, and all who are struck.
func (s *Store) findStruck(references []string) ([]Found, []Struck, error) {
	all, err := s.all()
	if err != nil {
		return nil, nil, err
	}
	found, err := find(all, references)
	if err != nil {
		return nil, nil, err
	}
	list, err := s.struck(all)
	return found, list, err
}

// Strike notes that the entries of members are to give no right to vote, and returns them, also those that were struck for this cause before.
// All are noted or none; it fails where one is struck for another cause.
func (s *Store) Strike(references []string, cause pb.RevocationCause) ([]Struck, error) {
	found, list, err := s.findStruck(references)
	if err != nil {
		return nil, err
	}
	known := byPlace(list)
	asked := make([]Struck, len(found))
	for i := range found {
		asked[i] = Struck{found[i].Place, cause}
		switch before, there := known[found[i].Place]; {
		case !there:
			list = append(list, asked[i])
		case before != cause:
			return nil, fmt.Errorf("member %q is struck already, for %v; nothing was noted. Before the roll is sealed that is taken back with: votenode registrar revoke REFERENCE --undo",
				references[i], before)
		}
	}
	return asked, s.writeStruck(list)
}

// Reinstate takes back that members were struck, before the roll is sealed; all of them or none. A member who was reissued or imported again
// stands in a newer place, and the old one stays struck: nobody gets two entries.
func (s *Store) Reinstate(references []string) error {
	found, list, err := s.findStruck(references)
	if err != nil {
		return err
	}
	known := byPlace(list)
	for i := range found {
		if _, there := known[found[i].Place]; !there {
			return fmt.Errorf("member %q is not struck; nothing was noted", references[i])
		}
		list = slices.DeleteFunc(list, func(v Struck) bool { return v.Place == found[i].Place })
	}
	return s.writeStruck(list)
}

// Reissue strikes the entries of members whose keys are lost and makes a round with the same members, who get new halves there. All
// registrars reissue the same members in the same order. Asked again before that round has its keys, after a crash or a success, it ends in
// the same state: nobody can have lost a key that is not made yet. Nobody is reissued who was struck for another cause: whoever votes on paper
// would vote twice.
func (s *Store) Reissue(references []string) (round uint32, struck []Struck, err error) {
	all, err := s.all()
	if err != nil {
		return 0, nil, err
	}
	found, err := find(all, references)
	if err != nil {
		return 0, nil, err
	}
	before, err := s.struck(all)
	if err != nil {
		return 0, nil, err
	}
	known := byPlace(before)
	list := make([]Member, len(found))
	for i := range found {
		if cause, struck := known[found[i].Place]; struck && cause != pb.REVOCATION_KEY_LOST {
			return 0, nil, fmt.Errorf("member %q was struck for another cause than a lost key, and gets no new one", references[i])
		}
		list[i] = Member{Reference: found[i].Reference, Style: found[i].Style}
	}
	if struck, err = s.begun(all, references, known); err != nil || struck != nil {
		return uint32(len(all)), struck, err
	}
	if struck, err = s.Strike(references, pb.REVOCATION_KEY_LOST); err != nil {
		return 0, nil, err
	}
	round = uint32(len(all)) + 1
	return round, struck, s.writeMembers(round, list)
}

// begun returns whom a reissue of these members struck, where the newest of all rounds is the one that it made and has no keys yet.
func (s *Store) begun(all [][]Member, references []string, known map[Place]pb.RevocationCause) ([]Struck, error) {
	earlier := len(all) - 1
	if earlier < 1 || !slices.EqualFunc(all[earlier], references, func(m Member, reference string) bool { return m.Reference == reference }) {
		return nil, nil
	}
	if _, err := s.Keys(uint32(len(all))); !errors.Is(err, ErrOrder) {
		return nil, err
	}
	before, err := find(all[:earlier], references)
	if err != nil {
		return nil, nil // one of them is new there
	}
	struck := make([]Struck, len(before))
	for i := range before {
		struck[i] = Struck{before[i].Place, known[before[i].Place]}
		if struck[i].Cause != pb.REVOCATION_KEY_LOST {
			return nil, nil
		}
	}
	return struck, nil
}
