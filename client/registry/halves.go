package registry

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"votenode/app/election"
	"votenode/client/keyfile"
	"votenode/crypto/ballot"
	"votenode/crypto/group"
	pb "votenode/proto/votenode/v1"
)

// issueChunk is how many halves one goroutine makes at a time.
const issueChunk = 4096

// Issue makes this registrar's halves of the keys of a round, once, and returns the commitment to them: SHA-256 of the half-key file, which the
// other registrars get before the file. random is safe for concurrent use. progress, if not nil, is told how many are made.
func (s *Store) Issue(round uint32, random io.Reader, progress func(done int)) ([sha256.Size]byte, error) {
	file, err := s.issue(round, random, progress)
	return sha256.Sum256(file), err
}

func (s *Store) issue(round uint32, random io.Reader, progress func(done int)) ([]byte, error) {
	members, err := s.Members(round)
	if err != nil {
		return nil, err
	}
	files, err := s.files()
	if err != nil {
		return nil, err
	}
	secrets, err := s.secrets(round, len(members))
	if errors.Is(err, ErrLost) && len(files[round]) == 1 { // the members' alone
		if secrets, err = makeSecrets(members, random, progress); err == nil {
			err = create(s.file(round, "secrets"), secrets)
		}
	}
	if err != nil {
		return nil, err
	}
	file, err := s.publicHalves(round, members, secrets)
	if err != nil {
		return nil, err
	}
	name := s.halfKeysFile(round, s.Organisation)
	there, err := optional(name)
	if err != nil {
		return nil, err
	}
	if there != nil && !bytes.Equal(there, file) {
		return nil, fmt.Errorf("%s: %w: the secret halves beside it are others", name, ErrFormat)
	}
	return file, create(name, file)
}

// secrets returns the secret halves of a round of so many members, 32 bytes each; zeros for one that brings a key. It fails with ErrLost.
func (s *Store) secrets(round uint32, members int) ([]byte, error) {
	name := s.file(round, "secrets")
	secrets, err := read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", name, ErrLost)
	}
	if err == nil && len(secrets) != members*group.ScalarSize {
		err = fmt.Errorf("%s: %w", name, ErrFormat)
	}
	return secrets, err
}

func (s *Store) halfKeysFile(round uint32, organisation string) string {
	return s.file(round, organisation+".half-keys")
}

// halfKeys returns the half-key file of an organisation as it was kept. It fails with ErrOrder.
func (s *Store) halfKeys(round uint32, organisation string) ([]byte, error) {
	step := "take the half-key files of all others: votenode registrar prove"
	if organisation == s.Organisation {
		step = "make the own halves: votenode registrar issue"
	}
	return need(s.halfKeysFile(round, organisation), step)
}

// own returns the members of a round and the own public halves, which go together. It fails with ErrOrder before they are made.
func (s *Store) own(round uint32) ([]Member, *pb.HalfKeys, error) {
	members, err := s.Members(round)
	if err != nil {
		return nil, nil, err
	}
	file, err := s.halfKeys(round, s.Organisation)
	if err != nil {
		return nil, nil, err
	}
	m, err := s.parseHalves(round, s.Organisation, file)
	if err != nil {
		return nil, nil, err
	}
	if len(s.differences(members, m)) > 0 || len(members) != len(m.Halves) {
		return nil, nil, fmt.Errorf("%s: %w: the members are others", s.halfKeysFile(round, s.Organisation), ErrFormat)
	}
	return members, m, nil
}

// inChunks calls work for parts of n slots on all cores and tells progress.
func inChunks(n int, progress func(done int), work func(first, last int) error) error {
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	var mu sync.Mutex // progress is told by one at a time
	done := 0
	for first := 0; first < n; first += issueChunk {
		last := min(first+issueChunk, n)
		g.Go(func() error {
			err := work(first, last)
			mu.Lock()
			defer mu.Unlock()
			if done += last - first; progress != nil {
				progress(done)
			}
			return err
		})
	}
	return g.Wait()
}

// makeSecrets draws a secret half for each member, 32 bytes; zeros for one that brings a key.
func makeSecrets(members []Member, random io.Reader, progress func(int)) ([]byte, error) {
	secrets := make([]byte, len(members)*group.ScalarSize)
	return secrets, inChunks(len(members), progress, func(first, last int) error {
		for slot := first; slot < last; slot++ {
			if members[slot].Key != nil {
				continue
			}
			half, err := ballot.GenerateKey(random)
			if err != nil {
				return err
			}
			copy(secrets[slot*group.ScalarSize:], half.Bytes())
		}
		return nil
	})
}

// publicHalves returns the half-key file of this registrar.
func (s *Store) publicHalves(round uint32, members []Member, secrets []byte) ([]byte, error) {
	m := &pb.HalfKeys{Chain: s.Chain, Election: s.Election, Organisation: s.Organisation, Round: round, Halves: make([]pb.HalfKey, len(members))}
	err := inChunks(len(members), nil, func(first, last int) error {
		for slot := first; slot < last; slot++ {
			half := pb.HalfKey{Style: members[slot].Style, Key: members[slot].Key, Application: members[slot].Signature}
			if half.Key == nil {
				secret, err := ballot.ParseSecretKey(secrets[slot*group.ScalarSize : (slot+1)*group.ScalarSize])
				if err != nil {
					return fmt.Errorf("%s: %w", s.file(round, "secrets"), ErrFormat)
				}
				half.Key = secret.Public().Bytes()
			}
			m.Halves[slot] = half
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return election.Encode(m), nil
}

// Expect notes the commitment of another registrar to its half-key file, before that file is seen. The own halves must be made. Another
// commitment may take its place until the own file is shown, or the other's is taken: until then nobody else knows more of the own halves than
// their hash, so what the other commits to cannot depend on them.
func (s *Store) Expect(round uint32, organisation string, commitment [sha256.Size]byte) error {
	if !slices.Contains(s.others(), organisation) {
		return fmt.Errorf("%q is none of the other organisations: %s", organisation, strings.Join(s.others(), ", "))
	}
	own, err := s.halfKeys(round, s.Organisation)
	if err != nil {
		return err // the own halves come first, so that they cannot depend on what others say
	}
	if sha256.Sum256(own) == commitment {
		return fmt.Errorf("that is the commitment to the own halves of round %d; ask the registrar of %q for its own", round, organisation)
	}
	text := []byte(hex.EncodeToString(commitment[:]))
	revealed, err1 := optional(s.revealedFile(round))
	taken, err2 := optional(s.halfKeysFile(round, organisation))
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if revealed != nil && !bytes.Contains(revealed, revealedLine(organisation, text)) || taken != nil && sha256.Sum256(taken) != commitment {
		return fmt.Errorf("%w: another commitment of %q was noted before half-key files were shown; if that one is false, all registrars take the round back: votenode registrar drop", ErrOrder, organisation)
	}
	name := s.commitmentFile(round, organisation)
	return keyfile.Replace(name, seal(name, text))
}

func (s *Store) commitmentFile(round uint32, organisation string) string {
	return s.file(round, organisation+".commitment")
}

// revealedFile is there once the own half-key file may have been shown, with a line for the commitment of each other organisation.
func (s *Store) revealedFile(round uint32) string { return s.file(round, "revealed") }

func revealedLine(organisation string, commitment []byte) []byte {
	return fmt.Appendf(nil, "%s %s\n", organisation, commitment)
}

// commitment returns the noted commitment of another organisation. It fails with ErrOrder.
func (s *Store) commitment(round uint32, organisation string) ([]byte, error) {
	return need(s.commitmentFile(round, organisation), fmt.Sprintf("note the commitment of %q first: votenode registrar expect", organisation))
}

// Reveal returns the half-key file for the other registrars, once the commitments of all of them are noted. It fails with ErrOrder.
func (s *Store) Reveal(round uint32) ([]byte, error) {
	var revealed []byte
	for _, o := range s.others() {
		commitment, err := s.commitment(round, o)
		if err != nil {
			return nil, err
		}
		revealed = append(revealed, revealedLine(o, commitment)...)
	}
	file, err := s.halfKeys(round, s.Organisation)
	if err != nil {
		return nil, err
	}
	return file, create(s.revealedFile(round), revealed)
}

// Prove takes the half-key files of all other registrars, one of each, holds them against their commitments and against the own members,
// keeps them, and returns the proof of possession of the own halves: the bytes of a HalfProof. It fails with ErrOrder and ErrMismatch.
func (s *Store) Prove(round uint32, files [][]byte, random io.Reader) ([]byte, error) {
	members, mine, err := s.own(round)
	if err != nil {
		return nil, err
	}
	secrets, err := s.secrets(round, len(members))
	if err != nil {
		return nil, err
	}
	given := map[string][]byte{}
	for _, file := range files {
		m := new(pb.HalfKeys)
		if err := election.Decode(file, m); err != nil {
			return nil, fmt.Errorf("%w: a file is no half-key file: %w", ErrMismatch, err)
		}
		if err := s.checkOther(round, m, file, members); err != nil {
			return nil, err
		}
		given[m.Organisation] = file
	}
	for _, o := range s.others() {
		if given[o] == nil {
			return nil, fmt.Errorf("%w: the half-key file of %q is missing", ErrOrder, o)
		}
	}
	for _, o := range s.others() {
		if err := create(s.halfKeysFile(round, o), given[o]); err != nil {
			return nil, err
		}
	}
	statement, err := s.statement(round, s.Organisation)
	if err != nil {
		return nil, err
	}
	proof := &pb.HalfProof{Organisation: s.Organisation, Round: round}
	if len(statement.Public) > 0 {
		row := make([]byte, 0, len(secrets))
		for slot := range mine.Halves {
			if len(mine.Halves[slot].Application) == 0 {
				row = append(row, secrets[slot*group.ScalarSize:(slot+1)*group.ScalarSize]...)
			}
		}
		if proof.Proof, err = statement.Prove(row, random); err != nil {
			return nil, err
		}
	}
	return election.Encode(proof), nil
}

// parseHalves decodes a half-key file and checks what needs no other file. It fails with ErrFormat and ErrMismatch.
func (s *Store) parseHalves(round uint32, organisation string, file []byte) (*pb.HalfKeys, error) {
	m := new(pb.HalfKeys)
	if err := election.Decode(file, m); err != nil {
		return nil, fmt.Errorf("half keys of %q: %w: %w", organisation, ErrFormat, err)
	}
	return m, s.checkHalves(round, organisation, m)
}

// checkHalves checks of a half-key file what needs no other file: what it is for, and the lengths in all of its slots. It fails with ErrMismatch.
func (s *Store) checkHalves(round uint32, organisation string, m *pb.HalfKeys) error {
	if m.Chain != s.Chain || m.Election != s.Election || m.Round != round || m.Organisation != organisation {
		return fmt.Errorf("%w: half keys of %q for round %d of %q on %q", ErrMismatch, m.Organisation, m.Round, m.Election, m.Chain)
	}
	for slot := range m.Halves {
		if h := &m.Halves[slot]; len(h.Key) != group.PointSize || len(h.Application) != 0 && len(h.Application) != ballot.SignatureSize {
			return fmt.Errorf("%w: half keys of %q: slot %d has a key of %d bytes and an application of %d", ErrMismatch, organisation, slot, len(h.Key), len(h.Application))
		}
	}
	return nil
}

// maxDifferences bounds the slots that are told.
const maxDifferences = 20

// differences says where half keys are for other members than these, as far as both go.
func (s *Store) differences(members []Member, m *pb.HalfKeys) []string {
	district := func(style uint32) string {
		if uint64(style) >= uint64(len(s.Districts)) {
			return fmt.Sprintf("number %d, which the manifest has not", style)
		}
		return strconv.Quote(s.Districts[style])
	}
	var differ []string
	for slot := range min(len(members), len(m.Halves)) {
		his, own := &m.Halves[slot], &members[slot]
		switch {
		case his.Style != own.Style:
			differ = append(differ, fmt.Sprintf("member %q (slot %d) has the district %s there, %s here", own.Reference, slot, district(his.Style), district(own.Style)))
		case !bytes.Equal(his.Application, own.Signature) || own.Key != nil && !bytes.Equal(his.Key, own.Key):
			differ = append(differ, fmt.Sprintf("member %q (slot %d) has another key of the member's own", own.Reference, slot))
		}
		if len(differ) == maxDifferences {
			break
		}
	}
	return differ
}

// checkOther holds another registrar's half-key file, m decoded, against its commitment and against the own members.
func (s *Store) checkOther(round uint32, m *pb.HalfKeys, file []byte, members []Member) error {
	if !slices.Contains(s.others(), m.Organisation) {
		return fmt.Errorf("%w: half keys of %q, which is none of the other organisations", ErrMismatch, m.Organisation)
	}
	if err := s.checkHalves(round, m.Organisation, m); err != nil {
		return err
	}
	commitment, err := s.commitment(round, m.Organisation)
	if err != nil {
		return err
	}
	if hash := sha256.Sum256(file); hex.EncodeToString(hash[:]) != string(commitment) {
		return fmt.Errorf("%w: the file of %q has the hash %x, and its commitment was %s", ErrMismatch, m.Organisation, hash, commitment)
	}
	if len(m.Halves) != len(members) {
		return fmt.Errorf("%w: the members of %q in round %d are %d, of this folder %d", ErrMismatch, m.Organisation, round, len(m.Halves), len(members))
	}
	if differ := s.differences(members, m); len(differ) > 0 {
		return fmt.Errorf("%w: %s: import the same members in the same order (%s)", ErrMismatch, m.Organisation, strings.Join(differ, "; "))
	}
	return nil
}

// statement is what an organisation's proof speaks about, once the files of all are kept.
func (s *Store) statement(round uint32, organisation string) (*ballot.Halves, error) {
	h := &ballot.Halves{Chain: s.Chain, Election: s.Election, Organisation: organisation, Round: round}
	for _, o := range s.Organisations {
		file, err := s.halfKeys(round, o)
		if err != nil {
			return nil, err
		}
		h.Files = append(h.Files, sha256.Sum256(file))
		if o != organisation {
			continue
		}
		m, err := s.parseHalves(round, o, file)
		if err != nil {
			return nil, err
		}
		for slot := range m.Halves {
			if len(m.Halves[slot].Application) == 0 {
				h.Public = append(h.Public, m.Halves[slot].Key...)
			}
		}
	}
	return h, nil
}

// Accept verifies another registrar's proof of possession and keeps it. It fails with ErrOrder, or with ErrMismatch where the proof does not
// hold or a half is no key. progress, if not nil, is told how many halves of all are checked.
func (s *Store) Accept(file []byte, progress func(done, all int)) (organisation string, round uint32, err error) {
	m := new(pb.HalfProof)
	if err := election.Decode(file, m); err != nil {
		return "", 0, fmt.Errorf("%w: the file is no proof of half keys: %w", ErrMismatch, err)
	}
	if !slices.Contains(s.others(), m.Organisation) {
		return "", 0, fmt.Errorf("%w: a proof of %q, which is none of the other organisations", ErrMismatch, m.Organisation)
	}
	statement, err := s.statement(m.Round, m.Organisation)
	if err != nil {
		return "", 0, err
	}
	all := len(statement.Public) / group.PointSize
	if all == 0 && len(m.Proof) > 0 {
		return "", 0, fmt.Errorf("%w: a proof of no halves", ErrMismatch)
	}
	if all > 0 {
		if err := statement.Verify(m.Proof, func(done int) {
			if progress != nil {
				progress(done, all)
			}
		}); err != nil {
			return "", 0, fmt.Errorf("%w: proof of %q for round %d: %w", ErrMismatch, m.Organisation, m.Round, err)
		}
	}
	return m.Organisation, m.Round, create(s.proofFile(m.Round, m.Organisation), file)
}

func (s *Store) proofFile(round uint32, organisation string) string {
	return s.file(round, organisation+".proof")
}

// accepted fails with ErrOrder as long as the proof of another registrar is not accepted.
func (s *Store) accepted(round uint32) error {
	for _, o := range s.others() {
		if _, err := need(s.proofFile(round, o), fmt.Sprintf("accept the proof of %q: votenode registrar accept", o)); err != nil {
			return err
		}
	}
	return nil
}

// Drop takes the newest round back, with its members and halves, as long as the proof of another registrar is not accepted: until then this
// registrar has signed nothing with keys of the round, so none of its keys comes into the roll, and whatever of its halves was shown is worth
// nothing. The caller sees to it that the roll has no key of the round whose proofs were lost. Who was struck for a reissue stays struck.
// Interrupted, it is called again.
func (s *Store) Drop(round uint32) error {
	newest, err := s.Rounds()
	if err != nil {
		return err
	}
	if round == 0 || round != newest {
		return fmt.Errorf("the newest round is %d, and no other can be dropped", newest)
	}
	switch err := s.accepted(round); {
	case err == nil:
		return fmt.Errorf("%w: the proofs of round %d are accepted, and its keys may come into the roll; who is not to vote with them is struck: votenode registrar revoke", ErrOrder, round)
	case !errors.Is(err, ErrOrder):
		return err
	}
	list, err := s.Struck()
	if err != nil {
		return err
	}
	if err := s.writeStruck(slices.DeleteFunc(list, func(v Struck) bool { return v.Round == round })); err != nil {
		return err
	}
	files, err := s.files()
	if err != nil {
		return err
	}
	secrets, members := s.file(round, "secrets"), s.file(round, "members")
	for _, name := range append([]string{secrets}, files[round]...) { // the secrets first: without the others they would seem not shown yet
		if name != members {
			if err := keyfile.Remove(name); err != nil {
				return err
			}
		}
	}
	return keyfile.Remove(members) // the last: without it the others would be of a round that is lost
}

// Keys returns the voting keys of a round by slot, once the proofs of all other registrars are accepted. It fails with ErrOrder.
func (s *Store) Keys(round uint32) ([][]byte, error) {
	members, mine, err := s.own(round)
	if err != nil {
		return nil, err
	}
	if err := s.accepted(round); err != nil {
		return nil, err
	}
	parts := make([]*pb.HalfKeys, len(s.Organisations))
	for i, o := range s.Organisations {
		if o == s.Organisation {
			parts[i] = mine
			continue
		}
		file, err := s.halfKeys(round, o)
		if err != nil {
			return nil, err
		}
		if parts[i], err = s.parseHalves(round, o, file); err != nil {
			return nil, err
		}
		if len(parts[i].Halves) != len(members) || len(s.differences(members, parts[i])) > 0 {
			return nil, fmt.Errorf("%s: %w: the members are others", s.halfKeysFile(round, o), ErrFormat)
		}
	}
	keys := make([][]byte, len(members))
	return keys, inChunks(len(keys), nil, func(first, last int) (err error) {
		for slot := first; slot < last; slot++ {
			if members[slot].Key != nil {
				keys[slot] = members[slot].Key
				continue
			}
			halves := make([][]byte, len(parts))
			for i := range parts {
				halves[i] = parts[i].Halves[slot].Key
			}
			if keys[slot], err = ballot.SumHalves(halves); err != nil {
				return fmt.Errorf("slot %d: %w", slot, err)
			}
		}
		return nil
	})
}

// Entries returns the entries that a round brings to the roll, sorted by key: their order says nothing of the order of the list. It fails
// with ErrOrder.
func (s *Store) Entries(round uint32) ([]pb.RollEntry, error) {
	keys, err := s.Keys(round)
	if err != nil {
		return nil, err
	}
	members, err := s.Members(round)
	if err != nil {
		return nil, err
	}
	entries := make([]pb.RollEntry, len(keys))
	for slot := range keys {
		entries[slot] = pb.RollEntry{Key: keys[slot], Style: members[slot].Style}
	}
	slices.SortFunc(entries, func(a, b pb.RollEntry) int { return bytes.Compare(a.Key, b.Key) })
	return entries, nil
}

// Halves returns a function that gives this registrar's secret halves of a round by slot, each for its member alone. It fails with ErrOrder
// before they are made, and with ErrFormat for a half that does not go with the half-key file, and so with no key of the roll.
func (s *Store) Halves(round uint32) (func(slot uint64) (*ballot.SecretKey, error), error) {
	members, mine, err := s.own(round)
	if err != nil {
		return nil, err
	}
	secrets, err := s.secrets(round, len(members))
	if err != nil {
		return nil, err
	}
	return func(slot uint64) (*ballot.SecretKey, error) {
		switch {
		case slot >= uint64(len(members)):
			return nil, fmt.Errorf("round %d has no slot %d", round, slot)
		case members[slot].Key != nil:
			return nil, fmt.Errorf("member %q brought a key of its own, and needs no half", members[slot].Reference)
		}
		half, err := ballot.ParseSecretKey(secrets[slot*group.ScalarSize : (slot+1)*group.ScalarSize])
		if err != nil || !bytes.Equal(half.Public().Bytes(), mine.Halves[slot].Key) {
			return nil, fmt.Errorf("%s: %w: the half of slot %d is another than in the half-key file", s.file(round, "secrets"), ErrFormat, slot)
		}
		return half, nil
	}, nil
}
