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
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"votenode/app/election"
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
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: there is no round %d; import its members with: votenode registrar import", ErrOrder, round)
	}
	if err != nil {
		return nil, err
	}
	secrets, err := read(s.file(round, "secrets"))
	if errors.Is(err, fs.ErrNotExist) {
		if secrets, err = makeSecrets(members, random, progress); err == nil {
			err = create(s.file(round, "secrets"), secrets)
		}
	}
	if err != nil {
		return nil, err
	}
	file, err := s.halfKeys(round, s.Organisation)
	if err == nil {
		return file, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if file, err = s.publicHalves(round, members, secrets); err != nil {
		return nil, err
	}
	return file, create(s.halfKeysFile(round, s.Organisation), file)
}

func (s *Store) halfKeysFile(round uint32, organisation string) string {
	return s.file(round, organisation+".half-keys")
}

// halfKeys returns the half-key file of an organisation as it was kept.
func (s *Store) halfKeys(round uint32, organisation string) ([]byte, error) {
	return read(s.halfKeysFile(round, organisation))
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
	if len(secrets) != len(members)*group.ScalarSize {
		return nil, fmt.Errorf("%s: %w", s.file(round, "secrets"), ErrFormat)
	}
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

// Expect notes the commitment of another registrar to its half-key file, before that file is seen. The own halves must be made.
func (s *Store) Expect(round uint32, organisation string, commitment [sha256.Size]byte) error {
	if !slices.Contains(s.others(), organisation) {
		return fmt.Errorf("%q is none of the other organisations: %s", organisation, strings.Join(s.others(), ", "))
	}
	if _, err := s.halfKeys(round, s.Organisation); err != nil {
		return fmt.Errorf("%w: make the own halves first, so that they cannot depend on what others say: votenode registrar issue (%w)", ErrOrder, err)
	}
	return create(s.file(round, organisation+".commitment"), []byte(hex.EncodeToString(commitment[:])))
}

// Reveal returns the half-key file for the other registrars, once the commitments of all of them are noted. It fails with ErrOrder.
func (s *Store) Reveal(round uint32) ([]byte, error) {
	for _, o := range s.others() {
		if _, err := read(s.file(round, o+".commitment")); err != nil {
			return nil, fmt.Errorf("%w: note the commitment of %q first: votenode registrar expect (%w)", ErrOrder, o, err)
		}
	}
	file, err := s.halfKeys(round, s.Organisation)
	if err != nil {
		return nil, fmt.Errorf("%w: votenode registrar issue (%w)", ErrOrder, err)
	}
	return file, nil
}

// Prove takes the half-key files of all other registrars, one of each, holds them against their commitments and against the own members,
// keeps them, and returns the proof of possession of the own halves: the bytes of a HalfProof. It fails with ErrOrder and ErrMismatch.
func (s *Store) Prove(round uint32, files [][]byte, random io.Reader) ([]byte, error) {
	own, err := s.halfKeys(round, s.Organisation)
	if err != nil {
		return nil, fmt.Errorf("%w: votenode registrar issue (%w)", ErrOrder, err)
	}
	mine, err := s.parseHalves(round, s.Organisation, own)
	if err != nil {
		return nil, err
	}
	given := map[string][]byte{}
	for _, file := range files {
		m := new(pb.HalfKeys)
		if err := election.Decode(file, m); err != nil {
			return nil, fmt.Errorf("%w: a file is no half-key file: %w", ErrMismatch, err)
		}
		if err := s.checkOther(round, m, file, mine); err != nil {
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
	secrets, err := read(s.file(round, "secrets"))
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

// checkOther holds another registrar's half-key file, m decoded, against its commitment and against the own members.
func (s *Store) checkOther(round uint32, m *pb.HalfKeys, file []byte, mine *pb.HalfKeys) error {
	if !slices.Contains(s.others(), m.Organisation) {
		return fmt.Errorf("%w: half keys of %q, which is none of the other organisations", ErrMismatch, m.Organisation)
	}
	if err := s.checkHalves(round, m.Organisation, m); err != nil {
		return err
	}
	commitment, err := read(s.file(round, m.Organisation+".commitment"))
	if err != nil {
		return fmt.Errorf("%w: note the commitment of %q before its file is seen: votenode registrar expect (%w)", ErrOrder, m.Organisation, err)
	}
	if hash := sha256.Sum256(file); hex.EncodeToString(hash[:]) != string(commitment) {
		return fmt.Errorf("%w: the file of %q has the hash %x, and its commitment was %s", ErrMismatch, m.Organisation, hash, commitment)
	}
	if len(m.Halves) != len(mine.Halves) {
		return fmt.Errorf("%w: %q has %d members in round %d, this folder %d", ErrMismatch, m.Organisation, len(m.Halves), round, len(mine.Halves))
	}
	var differ []string
	for slot := range m.Halves {
		his, own := &m.Halves[slot], &mine.Halves[slot]
		switch {
		case his.Style != own.Style:
			differ = append(differ, fmt.Sprintf("slot %d has district %d there, %d here", slot, his.Style, own.Style))
		case !bytes.Equal(his.Application, own.Application) || len(own.Application) > 0 && !bytes.Equal(his.Key, own.Key):
			differ = append(differ, fmt.Sprintf("slot %d has another key of the member's own", slot))
		}
		if len(differ) == maxDifferences {
			break
		}
	}
	if len(differ) > 0 {
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
			return nil, fmt.Errorf("%w: take the half-key files of all others: votenode registrar prove (%w)", ErrOrder, err)
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
	return m.Organisation, m.Round, create(s.file(m.Round, m.Organisation+".proof"), file)
}

// Keys returns the voting keys of a round by slot, once the proofs of all other registrars are accepted. It fails with ErrOrder.
func (s *Store) Keys(round uint32) ([][]byte, error) {
	parts := make([]*pb.HalfKeys, len(s.Organisations))
	for i, o := range s.Organisations {
		if o != s.Organisation {
			if _, err := read(s.file(round, o+".proof")); err != nil {
				return nil, fmt.Errorf("%w: accept the proof of %q: votenode registrar accept (%w)", ErrOrder, o, err)
			}
		}
		file, err := s.halfKeys(round, o)
		if errors.Is(err, fs.ErrNotExist) && o == s.Organisation {
			return nil, fmt.Errorf("%w: make the own halves: votenode registrar issue (%w)", ErrOrder, err)
		}
		if err != nil {
			return nil, err
		}
		if parts[i], err = s.parseHalves(round, o, file); err != nil {
			return nil, err
		}
	}
	keys := make([][]byte, len(parts[0].Halves))
	return keys, inChunks(len(keys), nil, func(first, last int) (err error) {
		for slot := first; slot < last; slot++ {
			if len(parts[0].Halves[slot].Application) > 0 {
				keys[slot] = parts[0].Halves[slot].Key
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

// Halves returns a function that gives this registrar's secret halves of a round by slot, each for its member alone. It fails with ErrOrder,
// also for a member that brought a key of its own.
func (s *Store) Halves(round uint32) (func(slot uint64) (*ballot.SecretKey, error), error) {
	secrets, err := read(s.file(round, "secrets"))
	if err != nil {
		return nil, fmt.Errorf("%w: votenode registrar issue (%w)", ErrOrder, err)
	}
	return func(slot uint64) (*ballot.SecretKey, error) {
		if slot >= uint64(len(secrets)/group.ScalarSize) {
			return nil, fmt.Errorf("round %d has no slot %d", round, slot)
		}
		half, err := ballot.ParseSecretKey(secrets[slot*group.ScalarSize : (slot+1)*group.ScalarSize])
		if err != nil {
			return nil, fmt.Errorf("%w: the member of slot %d brought a key of its own", ErrOrder, slot)
		}
		return half, nil
	}, nil
}
