package registry

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"votenode/app/election"
	"votenode/crypto/ballot"
	"votenode/crypto/group"
	pb "votenode/proto/votenode/v1"
)

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
