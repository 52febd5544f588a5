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
