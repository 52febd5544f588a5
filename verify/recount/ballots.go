package recount

import (
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/recount/rules"
)

// ballotSigned: spec 3.5, 3.9. The verdict counts once the statement is known.
func (r *Recount) ballotSigned(verdict Verdict, m *pb.CastBallot) error {
	e := r.byID[m.Election]
	switch {
	case e == nil:
		return refuse(codeUnknownElection, "there is no election %q", m.Election)
	case e.ballots == nil:
		return refuse(codeWrongPhase, "roll and keys are not fixed yet")
	case m.RollIndex >= e.roll.size:
		return refuse(codeUnknownVoter, "the roll has no entry %d", m.RollIndex)
	case verdict.Ballot == nil:
		return refuse(verdict.Code, "signature or proof do not hold")
	}
	return nil
}

// castBallot: spec 9.30.
func (r *Recount) castBallot(raw []byte, decoded *ballot.EncryptedBallot, m *pb.CastBallot) error {
	e, err := r.inVoting(m.Election, false)
	if err != nil {
		return err
	}
	v, entry, err := r.eligible(e, m.RollIndex, m.Style, m.Sequence)
	if err != nil {
		return err
	}
	for _, s := range e.spoiledBy(m.RollIndex) {
		if s.Sequence == m.Sequence || string(s.NoncePoint) == string(m.Ciphertext[:32]) {
			return refuse(codeSpoiled, "this number or this C_0 was spoiled")
		}
	}
	code := ballot.ConfirmationCode(r.chain, e.id, m.Style, m.RollIndex, m.Sequence, m.Ciphertext)
	if st := decoded.Statement(); st.Style != m.Style || st.RollIndex != m.RollIndex || st.Sequence != m.Sequence ||
		string(st.Voter.Bytes()) != string(entry.key[:]) || decoded.Code() != code {
		return contradiction("the verdict is about another ballot")
	}
	if v.status == pb.VOTER_COUNTS {
		if err := r.takeOut(e, m.RollIndex, v); err != nil {
			return err
		}
	}
	v = voter{status: pb.VOTER_COUNTS, sequence: m.Sequence, index: e.ballotLog.size(), code: code, time: r.now / millisecond}
	if err := e.roll.setVoter(m.RollIndex, v); err != nil {
		return err
	}
	e.ballotLog.add(raw)
	return e.fold(m.Style, decoded.Ciphertext(), (*ballot.EncryptedTally).Add)
}

// fold adds a ballot to the sums of all contests of its style, or subtracts it from them.
func (e *election) fold(style uint32, c *ballot.Ciphertext, fold func(*ballot.EncryptedTally, *ballot.Ciphertext, int) error) error {
	for i, contest := range e.manifest.Styles[style].Contests {
		if err := fold(e.sums[contest], c, i); err != nil {
			return contradiction("sum of contest %d: %v", contest, err)
		}
	}
	return nil
}

// takeOut subtracts the ballot or choice of a voter that counts. What the record gives again is compared with the confirmation code.
func (r *Recount) takeOut(e *election, index uint64, v voter) error {
	if e.manifest.OpenChoices {
		m, err := r.recordedChoice(e, index, v)
		if err == nil {
			e.tell(m, func(n *uint64) { *n-- })
		}
		return err
	}
	raw, err := r.recorded(e.id, v.index)
	if err != nil {
		return err
	}
	var envelope pb.Envelope
	var m pb.CastBallot
	if rules.Decode(raw, &envelope) != nil || rules.Decode(envelope.Body, &m) != nil ||
		ballot.ConfirmationCode(r.chain, e.id, m.Style, index, v.sequence, m.Ciphertext) != v.code {
		return contradiction("ballot %d of %q is not the one that was recorded", v.index, e.id)
	}
	c, err := e.ballots.ParseCiphertext(m.Style, m.Ciphertext)
	if err != nil {
		return contradiction("ballot %d of %q: %v", v.index, e.id, err)
	}
	return e.fold(m.Style, c, (*ballot.EncryptedTally).Subtract)
}

// spoiledBy returns what a voter has spoiled.
func (e *election) spoiledBy(index uint64) []pb.SpoiledBallot {
	if s := e.spoiled[index]; s != nil {
		return s.Ballots
	}
	return nil
}

// spoilSigned: spec 3.11.
func (r *Recount) spoilSigned(signature []byte, m *pb.SpoilBallot) error {
	e := r.byID[m.Election]
	switch {
	case e == nil:
		return refuse(codeUnknownElection, "there is no election %q", m.Election)
	case !e.sealed:
		return refuse(codeWrongPhase, "the roll is not sealed")
	}
	key, known, err := r.VoterKey(m.Election, m.RollIndex)
	if err != nil {
		return err
	}
	if !known {
		return refuse(codeUnknownVoter, "the roll has no entry %d", m.RollIndex)
	}
	spoil := ballot.Spoil{
		Chain: r.chain, Election: e.id, RollIndex: m.RollIndex, Voter: key, Sequence: m.Sequence,
		Code: [32]byte(m.Code), C0: [32]byte(m.NoncePoint),
	}
	if ballot.VerifySpoil(spoil, signature) != nil {
		return refuse(codeBadSignature, "its signature does not hold")
	}
	return nil
}

// spoilBallot: spec 9.31.
func (r *Recount) spoilBallot(m *pb.SpoilBallot) error {
	e, err := r.inVoting(m.Election, false)
	if err != nil {
		return err
	}
	v, err := e.roll.voter(m.RollIndex)
	if err != nil {
		return err
	}
	gone, err := e.revoked(m.RollIndex, v)
	if err != nil {
		return err
	}
	before := e.spoiledBy(m.RollIndex)
	switch {
	case gone:
		return refuse(codeRevoked, "the entry was revoked")
	case m.Sequence <= v.sequence:
		return refuse(codeRecorded, "a ballot with number %d is recorded", v.sequence)
	}
	for _, s := range before {
		if s.Sequence == m.Sequence && string(s.NoncePoint) == string(m.NoncePoint) {
			return refuse(codeAlreadyDone, "it was spoiled")
		}
	}
	if len(before) >= int(r.parameters.Limits.SpoilsPerVoter) {
		return refuse(codeSpoilLimit, "%d were spoiled", len(before))
	}
	if e.spoiled[m.RollIndex] == nil {
		e.spoiled[m.RollIndex] = new(pb.Spoiled)
	}
	s := e.spoiled[m.RollIndex]
	s.Ballots = append(s.Ballots, pb.SpoiledBallot{Sequence: m.Sequence, NoncePoint: m.NoncePoint})
	return nil
}
