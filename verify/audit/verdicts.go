package audit

import (
	"votenode/app/tx"
	"votenode/crypto/ballot"
	"votenode/verify/recount"
)

// lookup gives the verifier of transactions what ballots are checked against: what the recount has derived, not what the state machine
// under audit says.
type lookup struct {
	chain   string
	recount *recount.Recount
}

// Chain implements tx.Lookup.
func (l lookup) Chain() string { return l.chain }

// BallotElection implements tx.Lookup.
func (l lookup) BallotElection(id string) (*ballot.Election, error) {
	s := l.recount.Statement(id)
	switch {
	case !s.Known:
		return nil, tx.Refuse(tx.CodeUnknownElection, "there is no election %q", id)
	case s.Ballots == nil:
		return nil, tx.Refuse(tx.CodeWrongPhase, "roll and keys of %q are not fixed yet", id)
	}
	return s.Ballots, nil
}

// VoterKey implements tx.Lookup.
func (l lookup) VoterKey(id string, index uint64) (ballot.PublicKey, error) {
	s := l.recount.Statement(id)
	switch {
	case !s.Known:
		return ballot.PublicKey{}, tx.Refuse(tx.CodeUnknownElection, "there is no election %q", id)
	case !s.Sealed:
		return ballot.PublicKey{}, tx.Refuse(tx.CodeWrongPhase, "the roll of %q is not sealed", id)
	}
	key, ok := l.recount.VoterKey(id, index)
	if !ok {
		return ballot.PublicKey{}, tx.Refuse(tx.CodeUnknownVoter, "the roll of %q has no entry %d", id, index)
	}
	return key, nil
}

func (a *auditor) lookup() lookup { return lookup{a.doc.ChainId, a.recount.Recount} }

// verifyAhead checks the proofs and signatures of the ballots in some blocks to come, in large batches on all cores. What a ballot is
// checked against never changes once it is fixed, so a verdict from now holds later; a ballot for which it is not fixed yet waits for
// a later call, at last for its block.
func (a *auditor) verifyAhead(blocks []*block) error {
	var ballots []*tx.Parsed
	var at []*tx.Verdict
	for _, b := range blocks {
		for i, p := range b.parsed {
			if p != nil && p.Kind() == tx.KindCastBallot && b.verdicts[i].Verified == nil && b.verdicts[i].Refusal == nil {
				ballots, at = append(ballots, p), append(at, &b.verdicts[i])
			}
		}
	}
	verdicts, err := tx.Verify(a.lookup(), ballots, a.Rand)
	if err != nil {
		return err
	}
	for i, v := range verdicts {
		if v.Refusal == nil || v.Refusal.Code == tx.CodeBadSignature || v.Refusal.Code == tx.CodeBadProof {
			*at[i] = v
		}
	}
	return nil
}

// verify completes the verdicts on the transactions of a block against the state before it.
func (a *auditor) verify(b *block) error {
	var open []*tx.Parsed
	var at []int
	for i, p := range b.parsed {
		if v := b.verdicts[i]; v.Verified == nil && v.Refusal == nil {
			open, at = append(open, p), append(at, i)
		}
	}
	verdicts, err := tx.Verify(a.lookup(), open, a.Rand)
	if err != nil {
		return err
	}
	for i, v := range verdicts {
		b.verdicts[at[i]] = v
	}
	return nil
}
