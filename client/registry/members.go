package registry

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"votenode/crypto/ballot"
	"votenode/crypto/group"
)

// Member is one member in one round. Its slot is its place there, from 0: the same with all registrars.
type Member struct {
	// Reference is by what this registrar knows the member; nobody else learns it.
	Reference string
	Style     uint32
	// Key and Signature are the member's application where it brings a key of its own, else empty.
	Key, Signature []byte
}

// maxFaults bounds the faults of a list that are told.
const maxFaults = 100

// Faults are the faults of a list of members, told by line. Nothing of the list was imported.
type Faults struct {
	Lines []string
	// More says that there are others behind the last line that was looked at.
	More bool
}

func (f *Faults) Error() string {
	text := fmt.Sprintf("nothing was imported; correct these and import the list again:\n  %s", strings.Join(f.Lines, "\n  "))
	if f.More {
		text += "\n  and perhaps others behind them"
	}
	return text
}

// add notes a fault and says whether there is room for another.
func (f *Faults) add(line int, format string, args ...any) bool {
	f.Lines = append(f.Lines, fmt.Sprintf("line %d: ", line)+fmt.Sprintf(format, args...))
	f.More = len(f.Lines) >= maxFaults
	return !f.More
}

// Import reads a list of members as the next round: CSV with the header member,district or member,district,key. The order of the lines is
// that of the slots, so all registrars import the same members in the same order, each under its own references. It keeps the whole list or
// nothing; the error is *Faults where lines are wrong. progress, if not nil, is told how many bytes are read.
func (s *Store) Import(r io.Reader, progress func(read int64)) (round uint32, members int, err error) {
	round, err = s.Rounds()
	if err != nil {
		return 0, 0, err
	}
	taken, err := s.taken()
	if err != nil {
		return 0, 0, err
	}
	list, err := s.parse(r, taken, progress)
	if err != nil {
		return 0, 0, err
	}
	return round + 1, len(list), s.writeMembers(round+1, list)
}

// taken says of each reference and of each key of its own that counts in an earlier round where it stands.
func (s *Store) taken() (map[string]string, error) {
	all, err := s.all()
	if err != nil {
		return nil, err
	}
	list, err := s.struck(all)
	if err != nil {
		return nil, err
	}
	struck := byPlace(list)
	taken := map[string]string{}
	for i, members := range all {
		for slot := range members {
			place := Place{uint32(i + 1), uint64(slot)}
			if _, gone := struck[place]; !gone {
				taken["member "+members[slot].Reference] = place.String()
			}
			if key := members[slot].Key; key != nil { // a key never comes back, not even to its member
				taken["key "+string(key)] = place.String()
			}
		}
	}
	return taken, nil
}

// byteOrderMark is what spreadsheets write before a text in UTF-8.
const byteOrderMark = "\ufeff"

func (s *Store) parse(r io.Reader, taken map[string]string, progress func(int64)) ([]Member, error) {
	buffered := bufio.NewReader(r)
	if mark, err := buffered.Peek(len(byteOrderMark)); err == nil && string(mark) == byteOrderMark {
		if _, err := buffered.Discard(len(byteOrderMark)); err != nil {
			return nil, err
		}
	}
	reader := csv.NewReader(buffered)
	reader.FieldsPerRecord, reader.ReuseRecord = -1, true
	header, err := reader.Read()
	if err != nil {
		return nil, fmt.Errorf("the list has no first line: %w", err)
	}
	fields := len(header)
	if !slices.Equal(header, []string{"member", "district"}) && !slices.Equal(header, []string{"member", "district", "key"}) {
		return nil, fmt.Errorf("the first line is %q; it must be member,district or member,district,key and nothing else", strings.Join(header, ","))
	}
	faults, list := new(Faults), []Member(nil)
	for more := true; more; {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var wrong *csv.ParseError
		if errors.As(err, &wrong) {
			more = faults.add(wrong.Line, "%v", wrong.Err)
			continue
		}
		if err != nil {
			return nil, err
		}
		line, _ := reader.FieldPos(0)
		if len(row) != fields {
			more = faults.add(line, "it has %d fields instead of %d", len(row), fields)
			continue
		}
		m, err := s.parseMember(row)
		if err != nil {
			more = faults.add(line, "%v", err)
			continue
		}
		for _, name := range m.names() {
			if place, twice := taken[name]; twice && more {
				more = faults.add(line, "its %s is that of %s", strings.SplitN(name, " ", 2)[0], place)
			}
			taken[name] = fmt.Sprintf("line %d", line)
		}
		if len(list) == MaxMembers {
			return nil, fmt.Errorf("line %d: a list has at most %d members; import it in parts", line, MaxMembers)
		}
		if list = append(list, m); progress != nil && len(list)%4096 == 0 {
			progress(reader.InputOffset())
		}
	}
	if len(faults.Lines) > 0 {
		return nil, faults
	}
	if len(list) == 0 {
		return nil, errors.New("the list has no member")
	}
	return list, nil
}

// names are what must stand once in all rounds.
func (m *Member) names() []string {
	names := []string{"member " + m.Reference}
	if m.Key != nil {
		names = append(names, "key "+string(m.Key))
	}
	return names
}

// applicationSize is the length of an application: key and signature.
const applicationSize = group.PointSize + ballot.SignatureSize

// parseMember reads a line, whose fields it does not keep.
func (s *Store) parseMember(row []string) (Member, error) {
	m := Member{Reference: strings.Clone(row[0])}
	if m.Reference == "" || len(m.Reference) > maxReference || !utf8.ValidString(m.Reference) || strings.ContainsFunc(m.Reference, unicode.IsControl) {
		return Member{}, fmt.Errorf("a member has 1 to %d bytes of UTF-8 without control characters", maxReference)
	}
	style, ok := s.styles[row[1]]
	if !ok {
		return Member{}, fmt.Errorf("the manifest has no district %q", row[1])
	}
	m.Style = style
	if len(row) < 3 || row[2] == "" {
		return m, nil
	}
	b, err := hex.DecodeString(row[2])
	if err != nil || len(b) != applicationSize {
		return Member{}, fmt.Errorf("a key is the application that its member made with: votenode voter apply")
	}
	m.Key, m.Signature = b[:group.PointSize:group.PointSize], b[group.PointSize:]
	if err := s.checkApplication(m.Key, m.Signature); err != nil {
		return Member{}, fmt.Errorf("the application does not hold for election %q on %q: %w", s.Election, s.Chain, err)
	}
	return m, nil
}

func (s *Store) checkApplication(key, signature []byte) error {
	public, err := ballot.ParsePublicKey(key)
	if err != nil {
		return err
	}
	return ballot.Application{Chain: s.Chain, Election: s.Election, Key: public}.Verify(signature)
}

func (s *Store) writeMembers(round uint32, list []Member) error {
	if round > maxRounds {
		return fmt.Errorf("a folder has at most %d rounds", maxRounds)
	}
	var data bytes.Buffer
	w := csv.NewWriter(&data)
	for i := range list {
		m := &list[i]
		if err := w.Write([]string{m.Reference, s.Districts[m.Style], hex.EncodeToString(append(slices.Clone(m.Key), m.Signature...))}); err != nil {
			return err
		}
	}
	w.Flush()
	return create(s.file(round, "members"), data.Bytes())
}

// Members returns the members of a round, by slot. It fails with ErrOrder where there is no such round.
func (s *Store) Members(round uint32) ([]Member, error) {
	name := s.file(round, "members")
	data, err := need(name, fmt.Sprintf("there is no round %d; import its members with: votenode registrar import", round))
	if errors.Is(err, fs.ErrNotExist) {
		if _, lost := s.Rounds(); lost != nil {
			err = lost
		}
	}
	if err != nil {
		return nil, err
	}
	reader := csv.NewReader(bytes.NewReader(data))
	reader.FieldsPerRecord, reader.ReuseRecord = 3, true
	var list []Member
	for {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %w", name, ErrFormat, err)
		}
		style, ok := s.styles[row[1]]
		application, err := hex.DecodeString(row[2])
		if !ok || err != nil || len(application) != 0 && len(application) != applicationSize {
			return nil, fmt.Errorf("%s: %w", name, ErrFormat)
		}
		m := Member{Reference: strings.Clone(row[0]), Style: style}
		if len(application) > 0 {
			m.Key, m.Signature = application[:group.PointSize:group.PointSize], application[group.PointSize:]
		}
		list = append(list, m)
	}
}

// all returns the members of all rounds.
func (s *Store) all() ([][]Member, error) {
	n, err := s.Rounds()
	if err != nil {
		return nil, err
	}
	all := make([][]Member, n)
	for i := range all {
		if all[i], err = s.Members(uint32(i + 1)); err != nil {
			return nil, err
		}
	}
	return all, nil
}
