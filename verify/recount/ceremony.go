package recount

import (
	"cmp"
	"slices"

	"votenode/crypto/threshold"
	pb "votenode/proto/votenode/v1"
)

// ceremony is one organisation's key ceremony.
type ceremony struct {
	organisation string
	record       pb.Ceremony
	deals        map[dealer]*pb.Deal
}

// dealer is a trustee in one attempt.
type dealer struct{ attempt, index uint32 }

// ceremony returns an organisation's ceremony, nil where there is none.
func (e *election) ceremony(organisation string) *ceremony {
	for _, c := range e.ceremonies {
		if c.organisation == organisation {
			return c
		}
	}
	return nil
}

// active lists the trustees who are not ejected, ascending.
func (c *ceremony) active() []uint32 {
	var list []uint32
	for i := range c.record.Trustees {
		if c.record.Trustees[i].Ejected == pb.EJECTION_NONE {
			list = append(list, uint32(i+1))
		}
	}
	return list
}

// peers lists the active trustees but one.
func (c *ceremony) peers(self uint32) []uint32 {
	return slices.DeleteFunc(c.active(), func(index uint32) bool { return index == self })
}

// deal returns what a trustee has sent in the present attempt, nil before it announced.
func (c *ceremony) deal(index uint32) *pb.Deal { return c.deals[dealer{c.record.Attempt, index}] }

// acted says whether a trustee has done its part of a step of the present attempt.
func (c *ceremony) acted(index uint32, step pb.CeremonyStep) bool {
	d := c.deal(index)
	switch step {
	case pb.CEREMONY_ANNOUNCE:
		return d != nil
	case pb.CEREMONY_DEAL:
		return d != nil && len(d.Commitments) > 0
	case pb.CEREMONY_CONFIRM:
		return d != nil && d.Confirmed
	}
	return false
}

// context is what the mathematics of the present attempt is bound to.
func (r *Recount) context(e *election, c *ceremony) threshold.Ceremony {
	return threshold.Ceremony{
		Chain: r.chain, Election: e.id, Organisation: c.organisation,
		Attempt: c.record.Attempt, Slots: e.slots, Quorum: int(c.record.Quorum),
	}
}

// trustee returns the election, the ceremony and the index of an active trustee.
func (r *Recount) trustee(id, organisation string, signer []byte, phase pb.Phase) (*election, *ceremony, uint32, error) {
	e, err := r.in(id, phase)
	if err != nil {
		return nil, nil, 0, err
	}
	c := e.ceremony(organisation)
	if c == nil {
		return nil, nil, 0, refuse(codeNotAuthorised, "%q has no trustees", organisation)
	}
	for i := range c.record.Trustees {
		t := &c.record.Trustees[i]
		if string(t.Trustee.Key) == string(signer) {
			if t.Ejected != pb.EJECTION_NONE {
				return nil, nil, 0, refuse(codeTrusteeEjected, "trustee %d is out", i+1)
			}
			return e, c, uint32(i + 1), nil
		}
	}
	return nil, nil, 0, refuse(codeNotAuthorised, "%x is no trustee's key", signer)
}

// acting is trustee for a transaction of one step of the ceremony. Spec 9.15.
func (r *Recount) acting(id, organisation string, attempt uint32, signer []byte, step pb.CeremonyStep) (*election, *ceremony, uint32, error) {
	e, c, index, err := r.trustee(id, organisation, signer, pb.PHASE_KEY_CEREMONY)
	switch {
	case err != nil:
		return nil, nil, 0, err
	case c.record.Attempt != attempt:
		return nil, nil, 0, refuse(codeWrongAttempt, "the ceremony is at attempt %d", c.record.Attempt)
	case c.acted(index, step):
		return nil, nil, 0, refuse(codeSecondDeal, "trustee %d has acted", index)
	case c.record.Step != step:
		return nil, nil, 0, refuse(codeWrongStep, "the ceremony is at %v", c.record.Step)
	}
	return e, c, index, nil
}

// announceDeal: spec 9.15.
func (r *Recount) announceDeal(signer []byte, m *pb.AnnounceDeal) error {
	_, c, index, err := r.acting(m.Election, m.Organisation, m.Attempt, signer, pb.CEREMONY_ANNOUNCE)
	if err != nil {
		return err
	}
	var dealers []uint32
	for i := range m.ReceiverKeys {
		k := &m.ReceiverKeys[i]
		if threshold.CheckReceiverKey(k.Key) != nil {
			return refuse(codeReceiverKeys, "the key for dealer %d is not valid", k.Dealer)
		}
		dealers = append(dealers, k.Dealer)
	}
	if !slices.Equal(dealers, c.peers(index)) {
		return refuse(codeReceiverKeys, "there is not one key for each other trustee")
	}
	c.deals[dealer{m.Attempt, index}] = &pb.Deal{DealHash: m.DealHash, ReceiverKeys: m.ReceiverKeys}
	return nil
}

// publishDeal: spec 9.16.
func (r *Recount) publishDeal(signer []byte, m *pb.PublishDeal) error {
	e, c, index, err := r.acting(m.Election, m.Organisation, m.Attempt, signer, pb.CEREMONY_DEAL)
	if err != nil {
		return err
	}
	var receivers []uint32
	for i := range m.Shares {
		if len(m.Shares[i].Ciphertext) != threshold.EncryptedShareSize(e.slots) {
			return refuse(codeShareList, "a share has a wrong length")
		}
		receivers = append(receivers, m.Shares[i].Receiver)
	}
	if !slices.Equal(receivers, c.peers(index)) {
		return refuse(codeShareList, "there is not one share for each other trustee")
	}
	context, d := r.context(e, c), c.deal(index)
	commitments, err := context.ParseCommitments(m.Commitments)
	if err != nil {
		return refuse(codeCommitments, "commitments: %v", err)
	}
	if hash := context.DealHash(index, m.Commitments); string(hash[:]) != string(d.DealHash) {
		return refuse(codeDealHash, "the commitments are not those announced")
	}
	if err := context.VerifyPossession(index, commitments, threshold.Proof(m.Possession)); err != nil {
		return refuse(codePossession, "possession: %v", err)
	}
	d.Commitments, d.Shares = m.Commitments, m.Shares
	return nil
}

// confirmDeals: spec 9.17.
func (r *Recount) confirmDeals(signer []byte, m *pb.ConfirmDeals) error {
	_, c, index, err := r.acting(m.Election, m.Organisation, m.Attempt, signer, pb.CEREMONY_CONFIRM)
	if err != nil {
		return err
	}
	c.deal(index).Confirmed = true
	return nil
}

// complainDeal: spec 9.18. Exactly one of the two is out.
func (r *Recount) complainDeal(signer []byte, m *pb.ComplainDeal) error {
	e, c, index, err := r.acting(m.Election, m.Organisation, m.Attempt, signer, pb.CEREMONY_CONFIRM)
	if err != nil {
		return err
	}
	var public, ciphertext []byte
	for _, k := range c.deal(index).ReceiverKeys {
		if k.Dealer == m.Dealer {
			public = k.Key
		}
	}
	if public == nil {
		return refuse(codeComplaintKey, "trustee %d published no key for dealer %d", index, m.Dealer)
	}
	dealt := c.deal(m.Dealer)
	for _, s := range dealt.Shares {
		if s.Receiver == index {
			ciphertext = s.Ciphertext
		}
	}
	context := r.context(e, c)
	commitments, err := context.ParseCommitments(dealt.Commitments)
	if err != nil {
		return contradiction("commitments of dealer %d: %v", m.Dealer, err)
	}
	guilty, err := context.JudgeComplaint(m.Dealer, index, commitments, public, m.PrivateKey, ciphertext)
	if err != nil {
		return refuse(codeComplaintKey, "complaint: %v", err)
	}
	if guilty {
		c.eject([]uint32{m.Dealer}, pb.EJECTION_BAD_SHARE)
	} else {
		c.eject([]uint32{index}, pb.EJECTION_FALSE_COMPLAINT)
	}
	r.restart(e, c)
	return nil
}

func (c *ceremony) eject(indices []uint32, why pb.Ejection) {
	for _, index := range indices {
		c.record.Trustees[index-1].Ejected = why
	}
}

// restart begins the next attempt, or lets the ceremony wait where fewer than 2k-1 are left. Spec 8.5.
func (r *Recount) restart(e *election, c *ceremony) {
	c.record.Attempt++
	r.step(e, c, pb.CEREMONY_ANNOUNCE)
	if threshold.CheckQuorum(int(c.record.Quorum), len(c.active())) != nil {
		c.record.Step = pb.CEREMONY_WAITING
	}
}

func (r *Recount) step(e *election, c *ceremony, to pb.CeremonyStep) {
	c.record.Step, c.record.Deadline = to, r.deadline(e.manifest.CeremonyStep)
}

// advanceCeremony ends the steps in which everybody has acted or whose deadline is reached. Spec 8.5 and 8.6.
func (r *Recount) advanceCeremony(e *election) error {
	if e.phase != pb.PHASE_KEY_CEREMONY || e.keys != nil {
		return nil
	}
	var complete []*ceremony
	barrier := false // somebody's first announcements are not all in
	for _, c := range e.ceremonies {
		if c.record.Step >= pb.CEREMONY_DONE {
			continue
		}
		silent := slices.DeleteFunc(c.active(), func(index uint32) bool { return c.acted(index, c.record.Step) })
		switch {
		case len(silent) == 0:
			complete = append(complete, c)
		case r.reached(c.record.Deadline):
			c.eject(silent, pb.EJECTION_SILENT)
			r.restart(e, c)
		case c.record.Attempt == 1 && c.record.Step == pb.CEREMONY_ANNOUNCE:
			barrier = true
		}
	}
	for _, c := range complete {
		if c.record.Step != pb.CEREMONY_ANNOUNCE || c.record.Attempt > 1 || !barrier {
			r.step(e, c, c.record.Step+1)
		}
	}
	return r.makeKeys(e)
}

// makeKeys computes the keys when every organisation is done, or has everybody begin again where they may not be used. Spec 8.6.
func (r *Recount) makeKeys(e *election) error {
	var keys []*threshold.OrganisationKey
	for _, c := range e.ceremonies {
		if c.record.Step != pb.CEREMONY_DONE {
			return nil
		}
		context, indices := r.context(e, c), c.active()
		var commitments []*threshold.Commitments
		for _, index := range indices {
			parsed, err := context.ParseCommitments(c.deal(index).Commitments)
			if err != nil {
				return contradiction("commitments of trustee %d of %q: %v", index, c.organisation, err)
			}
			commitments = append(commitments, parsed)
		}
		key, err := context.NewOrganisationKey(indices, commitments)
		if err != nil {
			return contradiction("key of %q: %v", c.organisation, err)
		}
		keys = append(keys, key)
	}
	digest := threshold.KeyDigest(r.chain, e.id, keys)
	joint, err := threshold.JointKeys(keys)
	if _, used := r.digests[digest]; used || err != nil {
		for _, c := range e.ceremonies {
			r.restart(e, c)
		}
		return nil
	}
	e.keys, e.joint, e.digest, r.digests[digest] = keys, threshold.PointsBytes(joint), digest, e.id
	e.trial.Deadline = r.deadline(e.manifest.CeremonyStep)
	return nil
}

// key returns an organisation's part of the key, and P_{o,i,j} of one of its trustees, nil where it has no share.
func (e *election) key(organisation string, index uint32) (*threshold.OrganisationKey, *threshold.TrusteeKeys) {
	for _, k := range e.keys {
		if k.Organisation != organisation {
			continue
		}
		for i := range k.Trustees {
			if k.Trustees[i].Index == index {
				return k, &k.Trustees[i]
			}
		}
		return k, nil
	}
	return nil, nil
}

// postTrial: spec 9.19.
func (r *Recount) postTrial(signer []byte, m *pb.PostTrial) error {
	e, _, index, err := r.trustee(m.Election, m.Organisation, signer, pb.PHASE_KEY_CEREMONY)
	if err != nil {
		return err
	}
	ref := pb.TrusteeRef{Organisation: m.Organisation, Index: index}
	_, own := e.key(m.Organisation, index)
	switch {
	case e.keys == nil:
		return refuse(codeWrongStep, "the keys are not made yet")
	case has(e.trial.Posted, ref):
		return refuse(codeAlreadyDone, "trustee %d has posted", index)
	case own == nil:
		return refuse(codeTrusteeEjected, "trustee %d has no share of the key", index)
	}
	shares, err := threshold.ParsePartialDecryption(m.Shares, m.Proof, e.slots)
	if err != nil {
		return refuse(codeTrialProof, "shares: %v", err)
	}
	statement := &threshold.TrialStatement{
		Chain: r.chain, Election: e.id, KeyDigest: e.digest, Organisation: m.Organisation, Trustee: index, Keys: own.Keys,
	}
	if err := threshold.VerifyTrial(statement, shares); err != nil {
		return refuse(codeTrialProof, "proof: %v", err)
	}
	e.trial.Posted = with(e.trial.Posted, ref)
	e.trialShares[ref] = &pb.TrialShares{Shares: m.Shares, Proof: m.Proof}
	return nil
}

// advanceTrial ends the trial when all have posted or are excused. Spec 8.7.
func (r *Recount) advanceTrial(e *election) error {
	if e.phase != pb.PHASE_KEY_CEREMONY || e.keys == nil || e.trialPassed {
		return nil
	}
	var missing []pb.TrusteeRef
	for _, k := range e.keys {
		for _, t := range k.Trustees {
			if ref := (pb.TrusteeRef{Organisation: k.Organisation, Index: t.Index}); !has(e.trial.Posted, ref) && !has(e.trial.Excused, ref) {
				missing = append(missing, ref)
			}
		}
	}
	if len(missing) > 0 {
		if r.reached(e.trial.Deadline) {
			e.trial.Missing = missing
		}
		return nil
	}
	for _, k := range e.keys {
		var shares []threshold.TrusteeShares
		for _, t := range k.Trustees {
			posted := e.trialShares[pb.TrusteeRef{Organisation: k.Organisation, Index: t.Index}]
			if posted == nil {
				continue
			}
			points, err := threshold.ParsePoints(posted.Shares, e.slots)
			if err != nil {
				return contradiction("trial shares of %q: %v", k.Organisation, err)
			}
			shares = append(shares, threshold.TrusteeShares{Index: t.Index, Shares: points})
		}
		if err := k.CheckTrial(shares); err != nil {
			return contradiction("trial of %q: %v", k.Organisation, err)
		}
	}
	e.trialPassed = true
	return nil
}

func compare(a, b pb.TrusteeRef) int {
	return cmp.Or(cmp.Compare(a.Organisation, b.Organisation), cmp.Compare(a.Index, b.Index))
}

func has(list []pb.TrusteeRef, ref pb.TrusteeRef) bool { return slices.Contains(list, ref) }

// with returns a sorted list that holds one more.
func with(list []pb.TrusteeRef, ref pb.TrusteeRef) []pb.TrusteeRef {
	if has(list, ref) {
		return list
	}
	list = append(slices.Clone(list), ref)
	slices.SortFunc(list, compare)
	return list
}
