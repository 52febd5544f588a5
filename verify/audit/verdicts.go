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
	key, ok, err := l.recount.VoterKey(id, index)
	if err != nil {
		return ballot.PublicKey{}, err
	}
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
	for len(blocks) > 0 {
		part := blocks
		for i, b := range blocks {
			if a.vouchedFor(b) != a.vouchedFor(blocks[0]) {
				part = blocks[:i]
				break
			}
		}
		if err := a.verifyPart(part); err != nil {
			return err
		}
		blocks = blocks[len(part):]
	}
	return nil
}

// verifyPart checks the ballots of blocks that are all vouched for, or all not.
func (a *auditor) verifyPart(blocks []*block) error {
	var ballots []*tx.Parsed
	var at []*tx.Verdict
	for _, b := range blocks {
		for i, p := range b.parsed {
			if p != nil && p.Kind().Casts() && b.verdicts[i].Verified == nil && b.verdicts[i].Refusal == nil {
				ballots, at = append(ballots, p), append(at, &b.verdicts[i])
			}
		}
	}
	verdicts, err := a.verdicts(blocks[0], ballots)
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

// vouchedFor says whether an earlier audit has verified the ballots of a block.
func (a *auditor) vouchedFor(b *block) bool { return b.Height <= a.vouched.until }

// verdicts verifies transactions of a block, or of several that are vouched for like it.
func (a *auditor) verdicts(b *block, list []*tx.Parsed) ([]tx.Verdict, error) {
	if a.vouchedFor(b) {
		return tx.Vouched(a.lookup(), list)
	}
	return tx.Verify(a.lookup(), list, a.Rand)
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
	verdicts, err := a.verdicts(b, open)
	if err != nil {
		return err
	}
	for i, v := range verdicts {
		b.verdicts[at[i]] = v
	}
	return nil
}
