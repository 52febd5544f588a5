package recount

import (
	"votenode/crypto/ballot"
	"votenode/crypto/transcript"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/recount/rules"
)

// mayShare says why a manifest cannot take the roll that it names. Spec 9.20.
func (r *Recount) mayShare(m *pb.Manifest) error {
	if m.RollOf == "" {
		return nil
	}
	owner := r.byID[m.RollOf]
	if owner == nil || !owner.sealed || owner.owner != nil {
		return refuse(codeNoRoll, "%q has no sealed roll of its own", m.RollOf)
	}
	for i := range m.Styles {
		if owner.district(m.Styles[i].District) < 0 {
			return refuse(codeUnknownDistrict, "%q has no district %q", m.RollOf, m.Styles[i].District)
		}
	}
	return nil
}

// district returns the index of the style of a district, -1 where there is none.
func (e *election) district(name string) int {
	if e.districts == nil {
		e.districts = map[string]int{}
		for i := range e.manifest.Styles {
			e.districts[e.manifest.Styles[i].District] = i
		}
	}
	if i, ok := e.districts[name]; ok {
		return i
	}
	return -1
}

// share gives an election the roll of another one, of which nobody has cast anything in it yet. Spec 19.1.
func (e *election) share(owner *election, r *Recount) {
	e.owner, e.sealed, e.rollRoot = owner, true, owner.rollRoot
	e.roll = &roll{size: owner.roll.size, entries: owner.roll.entries, voters: r.space.Cells(voterBytes)}
}

// style returns the style of an entry of the roll in this election: the one on the roll, or that of the same district; false where there
// is none. Spec 19.2.
func (e *election) style(entry rollEntry) (uint32, bool) {
	if e.owner == nil {
		return entry.style, true
	}
	i := e.district(e.owner.manifest.Styles[entry.style].District)
	return uint32(i), i >= 0
}

// eligible returns what the ledger says of a voter, and the entry, where it may cast in a style under a number now. Spec 9.30, 9.50.
func (r *Recount) eligible(e *election, index uint64, style uint32, sequence uint64) (v voter, entry rollEntry, err error) {
	if v, err = e.roll.voter(index); err != nil {
		return v, entry, err
	}
	if entry, err = e.roll.entry(index); err != nil {
		return v, entry, err
	}
	gone, err := e.revoked(index, v)
	if err != nil {
		return v, entry, err
	}
	own, inside := e.style(entry)
	switch {
	case gone:
		return v, entry, refuse(codeRevoked, "the entry was revoked")
	case !inside:
		return v, entry, refuse(codeNotInPart, "the election is for other districts")
	case style != own:
		return v, entry, refuse(codeWrongStyle, "the roll gives style %d", own)
	case sequence <= v.sequence:
		return v, entry, refuse(codeSequence, "number %d is not above %d", sequence, v.sequence)
	case v.status == pb.VOTER_COUNTS && r.now/millisecond-v.time < int64(e.manifest.RevoteInterval)*1_000:
		return v, entry, refuse(codeTooSoon, "the last ballot is too recent")
	}
	return v, entry, nil
}

// revoked says whether a voter was revoked here, or from the roll that is another election's. Spec 19.2.
func (e *election) revoked(index uint64, v voter) (bool, error) {
	if v.status == pb.VOTER_REVOKED || e.owner == nil {
		return v.status == pb.VOTER_REVOKED, nil
	}
	there, err := e.owner.roll.voter(index)
	return there.status == pb.VOTER_REVOKED || e.owner.barred[index] != 0, err
}

// polls returns the elections that are not over and vote by the roll of this one.
func (r *Recount) polls(e *election) (all []*election) {
	for _, p := range r.elections {
		if p.owner == e && !p.over() {
			all = append(all, p)
		}
	}
	return all
}

// choiceSigned: spec 3.16.
func (r *Recount) choiceSigned(envelope *pb.Envelope, m *pb.CastChoice) error {
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
	signed := ballot.Signed{
		Chain: r.chain, Election: e.id, RollIndex: m.RollIndex, Voter: key, Kind: envelope.Kind, Body: envelope.Body,
	}
	if signed.Verify(envelope.Signature) != nil {
		return refuse(codeBadSignature, "its signature does not hold")
	}
	return nil
}

// castChoice: spec 9.50.
func (r *Recount) castChoice(raw []byte, m *pb.CastChoice) error {
	e, err := r.inVoting(m.Election, true)
	if err != nil {
		return err
	}
	v, _, err := r.eligible(e, m.RollIndex, m.Style, m.Sequence)
	if err != nil {
		return err
	}
	if !e.chosen(m) {
		return refuse(codeChoice, "it does not choose in each contest what that allows")
	}
	if v.status == pb.VOTER_COUNTS {
		if err := r.takeOut(e, m.RollIndex, v); err != nil {
			return err
		}
	}
	next := voter{status: pb.VOTER_COUNTS, sequence: m.Sequence, index: e.ballotLog.size(), code: r.choiceCode(m), time: r.now / millisecond}
	if err := e.roll.setVoter(m.RollIndex, next); err != nil {
		return err
	}
	e.ballotLog.add(raw)
	e.tell(m, func(n *uint64) { *n++ })
	return nil
}

// chosen says whether a choice chooses in each contest of its style as many of its options as that allows.
func (e *election) chosen(m *pb.CastChoice) bool {
	contests := e.manifest.Styles[m.Style].Contests
	if len(m.Choices) != len(contests) {
		return false
	}
	for i, index := range contests {
		c, options := &e.manifest.Contests[index], m.Choices[i].Options
		if uint64(len(options)) < uint64(c.MinSelections) || uint64(len(options)) > uint64(c.MaxSelections) {
			return false
		}
		for _, option := range options {
			if uint64(option) >= uint64(len(c.Options)) {
				return false
			}
		}
	}
	return true
}

// choiceCode is the confirmation code of a choice: Digest("votenode/v1/choice-code", chain, body). Spec 19.3.
func (r *Recount) choiceCode(m *pb.CastChoice) [32]byte {
	return transcript.Digest(transcript.LabelChoiceCode, []byte(r.chain), rules.Encode(m))
}

// tell changes every number that a choice stands in.
func (e *election) tell(m *pb.CastChoice, change func(n *uint64)) {
	for i, contest := range e.manifest.Styles[m.Style].Contests {
		result := e.results[contest]
		change(&result.Ballots)
		for _, option := range m.Choices[i].Options {
			change(&result.Votes[option])
		}
	}
}

// beginCount starts all contests with nothing counted. Spec 19.4.
func (e *election) beginCount() {
	for i := range e.manifest.Contests {
		e.results[i] = &pb.Result{Status: pb.RESULT_COUNTED, Votes: make([]uint64, len(e.manifest.Contests[i].Options))}
	}
}

// endCount reads all choices that count once more from the record, and compares what they come to with the results.
func (r *Recount) endCount(e *election) error {
	kept := e.results
	e.results = make([]*pb.Result, len(kept))
	e.beginCount()
	err := e.roll.eachVoter(func(i uint64, v voter) error {
		if v.status != pb.VOTER_COUNTS {
			return nil
		}
		m, err := r.recordedChoice(e, i, v)
		if err == nil {
			e.tell(m, func(n *uint64) { *n++ })
		}
		return err
	})
	if err != nil {
		return err
	}
	for i, result := range e.results {
		if string(rules.Encode(result)) != string(rules.Encode(kept[i])) {
			return contradiction("the choices of contest %d of %q come to another result", i, e.id)
		}
	}
	return nil
}

// recordedChoice returns the choice of a voter that counts. What the record gives is compared with the confirmation code.
func (r *Recount) recordedChoice(e *election, index uint64, v voter) (*pb.CastChoice, error) {
	raw, err := r.recorded(e.id, v.index)
	if err != nil {
		return nil, err
	}
	var envelope pb.Envelope
	m := new(pb.CastChoice)
	if rules.Decode(raw, &envelope) != nil || rules.Decode(envelope.Body, m) != nil ||
		m.Election != e.id || m.RollIndex != index || m.Sequence != v.sequence || r.choiceCode(m) != v.code {
		return nil, contradiction("choice %d of %q is not the one that was recorded", v.index, e.id)
	}
	return m, nil
}
