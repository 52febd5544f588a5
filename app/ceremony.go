package app

import (
	"fmt"
	"strconv"

	"github.com/oasisprotocol/curve25519-voi/curve"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/threshold"
	pb "votenode/proto/votenode/v1"
)

// dealing is one organisation's ceremony as a trustee's transaction meets it.
type dealing struct {
	election     string
	organisation string
	record       *pb.Ceremony
	trustee      uint32
	deal         *pb.Deal // of this trustee in the present attempt; nil before it announced
	manifest     *pb.Manifest
}

// dealing returns the ceremony in which a trustee may act in this step, or a refusal.
func (r *reading) dealing(id, organisation string, attempt uint32, key []byte, step pb.CeremonyStep) (*dealing, error) {
	e, err := r.election(id, pb.PHASE_KEY_CEREMONY)
	if err != nil {
		return nil, err
	}
	record, index, err := r.trustee(id, organisation, key)
	if err != nil {
		return nil, err
	}
	if record.Attempt != attempt {
		return nil, tx.Refuse(tx.CodeWrongAttempt, "the ceremony of %q is at attempt %d", organisation, record.Attempt)
	}
	deal, err := state.Load[pb.Deal](r, state.DealKey(id, organisation, attempt, index))
	if err != nil {
		return nil, err
	}
	if acted(deal, step) {
		return nil, tx.Refuse(tx.CodeSecondDeal, "trustee %d of %q has acted", index, organisation)
	}
	if record.Step != step {
		return nil, tx.Refuse(tx.CodeWrongStep, "the ceremony of %q is at %v", organisation, record.Step)
	}
	m, err := r.manifest(r, e.Manifest)
	if err != nil {
		return nil, err
	}
	return &dealing{election: id, organisation: organisation, record: record, trustee: index, deal: deal, manifest: m}, nil
}

// acted says whether a trustee has done its part of a step.
func acted(deal *pb.Deal, step pb.CeremonyStep) bool {
	switch {
	case deal == nil:
		return false
	case step == pb.CEREMONY_ANNOUNCE:
		return true
	case step == pb.CEREMONY_DEAL:
		return len(deal.Commitments) > 0
	case step == pb.CEREMONY_CONFIRM:
		return deal.Confirmed
	}
	return false
}

// ceremony returns the context of the mathematics.
func (a *App) ceremony(id, organisation string, record *pb.Ceremony, m *pb.Manifest) threshold.Ceremony {
	return threshold.Ceremony{
		Chain: a.chain, Election: id, Organisation: organisation,
		Attempt: record.Attempt, Slots: election.Slots(m), Quorum: int(record.Quorum),
	}
}

// active lists the indices of the trustees who are not ejected, ascending.
func active(c *pb.Ceremony) []uint32 {
	var indices []uint32
	for i := range c.Trustees {
		if c.Trustees[i].Ejected == pb.EJECTION_NONE {
			indices = append(indices, uint32(i+1))
		}
	}
	return indices
}

// others says whether a list names exactly the active trustees but one, ascending.
func others(c *pb.Ceremony, self uint32, n int, at func(i int) uint32) bool {
	i := 0
	for _, index := range active(c) {
		if index == self {
			continue
		}
		if i >= n || at(i) != index {
			return false
		}
		i++
	}
	return i == n
}

// advanceCeremonies ends the steps in which everybody has acted or whose deadline has come. Spec 8.5.
func (x *execution) advanceCeremonies(id string, e *pb.Election) error {
	if e.Phase != pb.PHASE_KEY_CEREMONY || len(e.KeyDigest) > 0 {
		return nil
	}
	m, err := x.manifest(x, e.Manifest)
	if err != nil {
		return err
	}
	organisations, records, err := x.ceremonies(id)
	if err != nil {
		return err
	}
	ready := make([]bool, len(records))
	barrier := true
	for i, c := range records {
		silent, err := x.silent(id, organisations[i], c)
		if err != nil {
			return err
		}
		ready[i] = len(silent) == 0
		if !ready[i] && x.reached(c.Deadline) && running(c) {
			x.eject(id, organisations[i], c, m, silent, pb.EJECTION_SILENT)
		}
		if c.Attempt == 1 && c.Step == pb.CEREMONY_ANNOUNCE && !ready[i] {
			barrier = false
		}
	}
	for i, c := range records {
		if ready[i] && running(c) && (c.Step != pb.CEREMONY_ANNOUNCE || c.Attempt > 1 || barrier) {
			c.Step++
			x.saveCeremony(id, organisations[i], c, m)
		}
	}
	return x.finishCeremonies(id, e, m, organisations, records)
}

// ceremonies returns all organisations' ceremonies of an election, sorted by organisation.
func (r *reading) ceremonies(id string) (organisations []string, records []*pb.Ceremony, err error) {
	all, err := state.Organisations(r)
	if err != nil {
		return nil, nil, err
	}
	for i := range all {
		c, err := state.MustLoad[pb.Ceremony](r, state.CeremonyKey(id, all[i].Id))
		if err != nil {
			return nil, nil, err
		}
		organisations, records = append(organisations, all[i].Id), append(records, c)
	}
	return organisations, records, nil
}

func running(c *pb.Ceremony) bool { return c.Step < pb.CEREMONY_DONE }

// silent lists the active trustees who have not acted in the present step.
func (r *reading) silent(id, organisation string, c *pb.Ceremony) ([]uint32, error) {
	var silent []uint32
	for _, index := range active(c) {
		deal, err := state.Load[pb.Deal](r, state.DealKey(id, organisation, c.Attempt, index))
		if err != nil {
			return nil, err
		}
		if !acted(deal, c.Step) {
			silent = append(silent, index)
		}
	}
	return silent, nil
}

// eject puts trustees out and starts the organisation's ceremony afresh, or lets it wait where too few remain: 2k - 1.
func (w *writing) eject(id, organisation string, c *pb.Ceremony, m *pb.Manifest, indices []uint32, why pb.Ejection) {
	for _, index := range indices {
		c.Trustees[index-1].Ejected = why
		w.emit("trustee-ejected", "election", id, "organisation", organisation,
			"trustee", strconv.FormatUint(uint64(index), 10), "reason", why.String())
	}
	w.restart(id, organisation, c, m)
}

// restart begins a new attempt with the trustees that are left.
func (w *writing) restart(id, organisation string, c *pb.Ceremony, m *pb.Manifest) {
	c.Attempt++
	c.Step = pb.CEREMONY_ANNOUNCE
	if threshold.CheckQuorum(int(c.Quorum), len(active(c))) != nil {
		c.Step = pb.CEREMONY_WAITING
	}
	w.saveCeremony(id, organisation, c, m)
}

// saveCeremony writes a ceremony at the beginning of a step.
func (w *writing) saveCeremony(id, organisation string, c *pb.Ceremony, m *pb.Manifest) {
	c.Deadline = w.deadline(m.CeremonyStep)
	w.save(state.CeremonyKey(id, organisation), c)
}

// finishCeremonies computes the election's keys once every organisation is done. Keys of which one is the identity, or two are
// the same, or that stand on the ledger already, are thrown away and everybody begins again. Spec 8.6.
func (x *execution) finishCeremonies(id string, e *pb.Election, m *pb.Manifest, organisations []string, records []*pb.Ceremony) error {
	var keys []*threshold.OrganisationKey
	for i, c := range records {
		if c.Step != pb.CEREMONY_DONE {
			return nil
		}
		key, err := x.organisationKey(id, organisations[i], c, m)
		if err != nil {
			return err
		}
		keys = append(keys, key)
	}
	digest := threshold.KeyDigest(x.chain, id, keys)
	repeated, err := x.Record(state.KeyDigestKey(digest[:]))
	if err != nil {
		return err
	}
	joint, err := threshold.JointKeys(keys)
	if err != nil || repeated != nil {
		for i, c := range records {
			x.restart(id, organisations[i], c, m)
		}
		return nil
	}
	x.SetRecord(state.KeyDigestKey(digest[:]), []byte(id))
	x.save(state.KeysKey(id), electionKeys(joint, keys))
	x.save(state.TrialKey(id), &pb.Trial{Deadline: x.deadline(m.CeremonyStep)})
	e.KeyDigest = digest[:]
	x.save(state.ElectionKey(id), e)
	x.emit("keys", "election", id, "digest", fmt.Sprintf("%x", digest))
	return nil
}

// organisationKey computes an organisation's part of the key from the deals of a finished attempt.
func (x *execution) organisationKey(id, organisation string, c *pb.Ceremony, m *pb.Manifest) (*threshold.OrganisationKey, error) {
	context := x.ceremony(id, organisation, c, m)
	indices := active(c)
	var commitments []*threshold.Commitments
	for _, index := range indices {
		deal, err := state.MustLoad[pb.Deal](x, state.DealKey(id, organisation, c.Attempt, index))
		if err != nil {
			return nil, err
		}
		parsed, err := context.ParseCommitments(deal.Commitments)
		if err != nil {
			return nil, fmt.Errorf("%w: commitments of trustee %d of %q: %w", state.ErrCorrupted, index, organisation, err)
		}
		commitments = append(commitments, parsed)
	}
	key, err := context.NewOrganisationKey(indices, commitments)
	if err != nil {
		return nil, fmt.Errorf("%w: key of %q: %w", state.ErrCorrupted, organisation, err)
	}
	return key, nil
}

func electionKeys(joint []*curve.RistrettoPoint, keys []*threshold.OrganisationKey) *pb.ElectionKeys {
	out := &pb.ElectionKeys{Keys: threshold.PointsBytes(joint)}
	for _, k := range keys {
		o := pb.OrganisationKeys{Organisation: k.Organisation, Quorum: uint32(k.Quorum), Keys: threshold.PointsBytes(k.Keys)}
		for _, t := range k.Trustees {
			o.Trustees = append(o.Trustees, pb.TrusteeKeys{Index: t.Index, Keys: threshold.PointsBytes(t.Keys)})
		}
		out.Organisations = append(out.Organisations, o)
	}
	return out
}
