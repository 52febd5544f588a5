package recount

import (
	"bytes"
	"slices"

	"votenode/crypto/threshold"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/recount/rules"
)

// kindOf returns the number of a resolution's kind: that of the decision's field. Spec 9.3.
func kindOf(m *pb.Resolution) uint32 {
	switch m.Decision.(type) {
	case *pb.Resolution_CreateElection:
		return 3
	case *pb.Resolution_AppointTrustees:
		return 4
	case *pb.Resolution_SealRoll:
		return 5
	case *pb.Resolution_ScheduleElection:
		return 6
	case *pb.Resolution_ExtendElection:
		return 7
	case *pb.Resolution_CancelElection:
		return 8
	case *pb.Resolution_ChangeValidators:
		return 9
	case *pb.Resolution_ChangeOfficers:
		return 10
	case *pb.Resolution_ChangeParameters:
		return 11
	case *pb.Resolution_RevokeVoters:
		return 12
	case *pb.Resolution_ReplaceTrustees:
		return 13
	case *pb.Resolution_ExcuseTrial:
		return 14
	case *pb.Resolution_UpgradeSoftware:
		return 15
	case *pb.Resolution_CancelUpgrade:
		return 16
	case *pb.Resolution_PaperTotals:
		return 22
	case *pb.Resolution_ExcusePaper:
		return 23
	case *pb.Resolution_OpenNominations:
		return 20
	case *pb.Resolution_RemoveCandidate:
		return 21
	case *pb.Resolution_OpenInitiatives:
		return 24
	case *pb.Resolution_AnswerInitiative:
		return 25
	case *pb.Resolution_RemovePost:
		return 26
	case *pb.Resolution_RenewLot:
		return 27
	case *pb.Resolution_CancelNominations:
		return 28
	}
	return 0
}

// rule says why a resolution cannot take effect now.
func (r *Recount) rule(m *pb.Resolution) error {
	switch d := m.Decision.(type) {
	case *pb.Resolution_CreateElection:
		return r.mayCreate(d.CreateElection)
	case *pb.Resolution_AppointTrustees:
		return r.mayAppoint(d.AppointTrustees)
	case *pb.Resolution_SealRoll:
		return r.maySeal(d.SealRoll)
	case *pb.Resolution_ScheduleElection:
		return r.maySchedule(d.ScheduleElection)
	case *pb.Resolution_ExtendElection:
		return r.mayExtend(d.ExtendElection)
	case *pb.Resolution_CancelElection:
		_, err := r.in(d.CancelElection.Election, alive...)
		return err
	case *pb.Resolution_RevokeVoters:
		return r.mayRevoke(d.RevokeVoters)
	case *pb.Resolution_ChangeValidators:
		return r.mayChangeValidators(d.ChangeValidators)
	case *pb.Resolution_ChangeOfficers:
		return r.mayChangeOfficers(&d.ChangeOfficers.Organisation)
	case *pb.Resolution_ChangeParameters:
		return r.mayChangeParameters(&d.ChangeParameters.Parameters)
	case *pb.Resolution_ReplaceTrustees:
		return r.mayReplace(d.ReplaceTrustees)
	case *pb.Resolution_ExcuseTrial:
		return r.mayExcuse(d.ExcuseTrial)
	case *pb.Resolution_UpgradeSoftware:
		return r.mayUpgrade(d.UpgradeSoftware)
	case *pb.Resolution_CancelUpgrade:
		return r.mayCancelUpgrade(d.CancelUpgrade)
	case *pb.Resolution_PaperTotals:
		return r.mayTotal(d.PaperTotals)
	case *pb.Resolution_ExcusePaper:
		_, _, err := r.place(d.ExcusePaper.Election, d.ExcusePaper.Place, d.ExcusePaper.Corrects)
		return err
	case *pb.Resolution_OpenNominations:
		return r.mayOpen(d.OpenNominations)
	case *pb.Resolution_RemoveCandidate:
		return r.mayRemove(d.RemoveCandidate)
	case *pb.Resolution_OpenInitiatives:
		return r.mayOpenInitiatives(d.OpenInitiatives)
	case *pb.Resolution_AnswerInitiative:
		return r.mayAnswer(d.AnswerInitiative)
	case *pb.Resolution_RemovePost:
		return r.mayRemovePost(d.RemovePost)
	case *pb.Resolution_RenewLot:
		return r.mayRenew(d.RenewLot)
	case *pb.Resolution_CancelNominations:
		return r.mayCancelNominations(d.CancelNominations)
	}
	return refuse(codeInvalidField, "the resolution decides nothing")
}

// effect applies a resolution whose rule lets it pass.
func (r *Recount) effect(hash [32]byte, m *pb.Resolution) error {
	switch d := m.Decision.(type) {
	case *pb.Resolution_CreateElection:
		r.create(d.CreateElection)
	case *pb.Resolution_AppointTrustees:
		r.appoint(d.AppointTrustees)
	case *pb.Resolution_SealRoll:
		e := r.byID[d.SealRoll.Election]
		e.roll.keys = nil // no key comes any more
		e.sealed, e.rollRoot = true, [32]byte(d.SealRoll.Root)
		for _, s := range d.SealRoll.Struck {
			if err := r.revoke(e, s.Voter); err != nil {
				return err
			}
		}
	case *pb.Resolution_ScheduleElection:
		e := r.byID[d.ScheduleElection.Election]
		e.opening, e.closing = d.ScheduleElection.Opening, d.ScheduleElection.Closing
	case *pb.Resolution_ExtendElection:
		r.extend(hash, d.ExtendElection)
	case *pb.Resolution_CancelElection:
		r.move(r.byID[d.CancelElection.Election], pb.PHASE_CANCELLED)
	case *pb.Resolution_ChangeValidators:
		r.announce(d.ChangeValidators.Validators)
	case *pb.Resolution_ChangeOfficers:
		r.organisations = r.with(&d.ChangeOfficers.Organisation)
	case *pb.Resolution_ChangeParameters:
		r.parameters = d.ChangeParameters.Parameters
	case *pb.Resolution_PaperTotals:
		r.byID[d.PaperTotals.Election].stand(d.PaperTotals.Place, hash, d.PaperTotals)
	case *pb.Resolution_ExcusePaper:
		r.byID[d.ExcusePaper.Election].stand(d.ExcusePaper.Place, hash, nil)
	case *pb.Resolution_UpgradeSoftware:
		r.upgrades = append(r.upgrades, *d.UpgradeSoftware)
	case *pb.Resolution_CancelUpgrade:
		r.upgrades = r.upgrades[:len(r.upgrades)-1]
	case *pb.Resolution_OpenNominations:
		r.openNominations(d.OpenNominations)
	case *pb.Resolution_RemoveCandidate:
		r.remove(m, d.RemoveCandidate)
	case *pb.Resolution_RevokeVoters:
		return r.revokeEverywhere(d.RevokeVoters)
	case *pb.Resolution_OpenInitiatives:
		r.openInitiatives(d.OpenInitiatives)
	case *pb.Resolution_AnswerInitiative:
		r.answer(d.AnswerInitiative, r.resolutionHash(m))
	case *pb.Resolution_RemovePost:
		r.removePost(d.RemovePost, r.resolutionHash(m))
	case *pb.Resolution_RenewLot:
		r.byID[d.RenewLot.Election].renew(hash)
	case *pb.Resolution_CancelNominations:
		n, err := r.opened(d.CancelNominations.Nominations)
		if err != nil {
			return err
		}
		n.state.Cancelled, n.state.CancelledBy = r.height, hash[:]
	case *pb.Resolution_ReplaceTrustees:
		e := r.byID[d.ReplaceTrustees.Election]
		c := e.ceremony(d.ReplaceTrustees.Organisation)
		for _, t := range d.ReplaceTrustees.Trustees {
			c.record.Trustees = append(c.record.Trustees, pb.TrusteeState{Trustee: t})
		}
		r.restart(e, c)
	case *pb.Resolution_ExcuseTrial:
		e := r.byID[d.ExcuseTrial.Election]
		for _, index := range d.ExcuseTrial.Trustees {
			e.trial.Excused = with(e.trial.Excused, pb.TrusteeRef{Organisation: d.ExcuseTrial.Organisation, Index: index})
		}
	}
	return nil
}

// mayCreate: spec 9.20.
func (r *Recount) mayCreate(d *pb.CreateElection) error {
	document := r.documents[[32]byte(d.Manifest)]
	if document == nil {
		return refuse(codeDocumentUnknown, "the manifest is not on the ledger")
	}
	m, err := rules.ParseManifest(document.bytes())
	if err != nil {
		return refuse(codeInvalidManifest, "manifest: %v", err)
	}
	for i, s := range rules.Styles(m) {
		if !m.OpenChoices && uint64(256+s.CiphertextSize()+s.ProofSize()) > r.parameters.Limits.BallotBytes {
			return refuse(codeInvalidManifest, "ballots of style %d are too long", i)
		}
	}
	switch {
	case r.byID[m.Election] != nil:
		return refuse(codeElectionExists, "there is an election %q", m.Election)
	case len(r.elections) >= 1_000:
		return refuse(codeElectionExists, "the chain has held its elections")
	case !r.isFormed(m, d.Manifest):
		return refuse(codeManifestMismatch, "the manifest is not the one that was formed of nominations")
	case m.Opening != 0 && r.reached(m.Opening):
		return refuse(codeInvalidTimes, "the opening has passed")
	}
	return r.mayShare(m)
}

func (r *Recount) create(d *pb.CreateElection) {
	m, err := rules.ParseManifest(r.documents[[32]byte(d.Manifest)].bytes())
	if err != nil {
		panic("recount: a manifest that passed its rule: " + err.Error())
	}
	e := newElection(m, [32]byte(d.Manifest), r.space)
	if m.RollOf != "" {
		e.share(r.byID[m.RollOf], r)
	}
	r.elections, r.byID[e.id] = append(r.elections, e), e
	r.move(e, pb.PHASE_SETUP)
}

// maySeal: spec 9.22.
func (r *Recount) maySeal(d *pb.SealRoll) error {
	e, err := r.in(d.Election, pb.PHASE_SETUP, pb.PHASE_KEY_CEREMONY)
	if err != nil {
		return err
	}
	root := e.rollLog.root()
	switch {
	case e.sealed:
		return refuse(codeRollSealed, "the roll is sealed")
	case e.roll.size == 0 || e.roll.size != d.Size_ || !bytes.Equal(root[:], d.Root):
		return refuse(codeRollMismatch, "size or root are not those of the roll")
	}
	for _, s := range d.Struck {
		if s.Voter >= e.roll.size {
			return refuse(codeUnknownVoter, "the roll has no entry %d to strike", s.Voter)
		}
	}
	return nil
}

// maySchedule: spec 9.23.
func (r *Recount) maySchedule(d *pb.ScheduleElection) error {
	if _, err := r.in(d.Election, pb.PHASE_SETUP, pb.PHASE_KEY_CEREMONY, pb.PHASE_READY); err != nil {
		return err
	}
	if d.Opening <= 0 || d.Closing <= d.Opening || d.Closing > rules.LastMoment || r.reached(d.Opening) {
		return refuse(codeInvalidTimes, "the times are out of order or have passed")
	}
	return nil
}

// mayExtend: spec 9.24.
func (r *Recount) mayExtend(d *pb.ExtendElection) error {
	e, err := r.in(d.Election, pb.PHASE_VOTING)
	if err != nil {
		return err
	}
	if d.Closing <= e.closing || d.Closing > rules.LastMoment {
		return refuse(codeInvalidTimes, "the closing is not later")
	}
	if d.From > 0 && (d.To >= r.height || r.windows[d.From/64] == nil) {
		return refuse(codeInvalidSpan, "it is not known who signed the heights from %d to %d", d.From, d.To)
	}
	if len(e.extensions) >= 999 {
		return refuse(codeExtensionLimit, "there were %d extensions", len(e.extensions))
	}
	return nil
}

// mayAppoint: spec 9.21.
func (r *Recount) mayAppoint(d *pb.AppointTrustees) error {
	e, err := r.in(d.Election, pb.PHASE_SETUP)
	if err != nil {
		return err
	}
	if e.manifest.OpenChoices {
		return refuse(codeOpenChoices, "nothing is encrypted in %q", d.Election)
	}
	if len(d.Boards) != len(r.organisations) {
		return refuse(codeInvalidBoard, "there is not one board for each organisation")
	}
	seen := map[string]bool{}
	for i := range d.Boards {
		b := &d.Boards[i]
		if b.Organisation != r.organisations[i].Id || len(b.Trustees) > 64 {
			return refuse(codeInvalidBoard, "board %d is out of order or too large", i)
		}
		if err := r.mayBeBoard(e, int(b.Quorum), len(b.Trustees), b.Trustees, seen); err != nil {
			return err
		}
	}
	return nil
}

// mayBeBoard checks quorum, sizes and keys of trustees, of whom some are new; seen are keys that are taken.
func (r *Recount) mayBeBoard(e *election, quorum, trustees int, fresh []pb.Member, seen map[string]bool) error {
	if threshold.CheckQuorum(quorum, trustees) != nil {
		return refuse(codeInvalidBoard, "quorum %d of %d trustees", quorum, trustees)
	}
	deal := 512 + 32*e.slots*quorum + trustees*(32*e.slots+64)
	keys := 512 + (trustees+2)*(32*e.slots+16)
	if uint64(deal) > r.parameters.Limits.TransactionBytes || keys*len(r.organisations) > 786_432 {
		return refuse(codeInvalidBoard, "%d trustees for %d slots would not fit", trustees, e.slots)
	}
	for _, list := range [][]pb.Validator{r.present.Validators, r.next.Validators} {
		for i := range list {
			seen[string(list[i].Key)], seen[string(list[i].SlipKey)] = true, true
		}
	}
	for i := range fresh {
		if rules.Member(&fresh[i]) != nil || seen[string(fresh[i].Key)] {
			return refuse(codeInvalidBoard, "trustee %q is malformed, or the key is taken", fresh[i].Name)
		}
		seen[string(fresh[i].Key)] = true
	}
	return nil
}

func (r *Recount) appoint(d *pb.AppointTrustees) {
	e := r.byID[d.Election]
	for i := range d.Boards {
		b := &d.Boards[i]
		c := &ceremony{organisation: b.Organisation, deals: map[dealer]*pb.Deal{}}
		c.record = pb.Ceremony{Quorum: b.Quorum, Attempt: 1, Deadline: r.deadline(e.manifest.CeremonyStep)}
		for _, t := range b.Trustees {
			c.record.Trustees = append(c.record.Trustees, pb.TrusteeState{Trustee: t})
		}
		e.ceremonies = append(e.ceremonies, c)
	}
	r.move(e, pb.PHASE_KEY_CEREMONY)
}

// mayReplace: spec 9.29.
func (r *Recount) mayReplace(d *pb.ReplaceTrustees) error {
	e, err := r.in(d.Election, pb.PHASE_KEY_CEREMONY)
	if err != nil {
		return err
	}
	c := e.ceremony(d.Organisation)
	if c == nil || c.record.Step != pb.CEREMONY_WAITING {
		return refuse(codeWrongStep, "the ceremony does not wait for trustees")
	}
	if len(c.record.Trustees)+len(d.Trustees) > 64 {
		return refuse(codeInvalidBoard, "there would be too many trustees")
	}
	seen := map[string]bool{}
	for _, c := range e.ceremonies {
		for i := range c.record.Trustees {
			seen[string(c.record.Trustees[i].Trustee.Key)] = true
		}
	}
	return r.mayBeBoard(e, int(c.record.Quorum), len(c.active())+len(d.Trustees), d.Trustees, seen)
}

// mayExcuse: spec 9.27.
func (r *Recount) mayExcuse(d *pb.ExcuseTrial) error {
	e, err := r.in(d.Election, pb.PHASE_KEY_CEREMONY)
	if err != nil {
		return err
	}
	if e.keys == nil || e.trialPassed {
		return refuse(codeWrongStep, "no trial is under way")
	}
	c := e.ceremony(d.Organisation)
	if c == nil || len(d.Trustees) == 0 {
		return refuse(codeNotMissing, "no trustee is named")
	}
	for i, index := range d.Trustees {
		ref := pb.TrusteeRef{Organisation: d.Organisation, Index: index}
		if !has(e.trial.Missing, ref) || has(e.trial.Posted, ref) || i > 0 && index <= d.Trustees[i-1] {
			return refuse(codeNotMissing, "trustee %d was not named missing", index)
		}
	}
	posted := uint32(0)
	for _, ref := range e.trial.Posted {
		if ref.Organisation == d.Organisation {
			posted++
		}
	}
	if posted < c.record.Quorum {
		return refuse(codeNotMissing, "only %d have posted", posted)
	}
	return nil
}

// beforeResult are the phases in which the sums of an election can still change.
var beforeResult = []pb.Phase{pb.PHASE_SETUP, pb.PHASE_KEY_CEREMONY, pb.PHASE_READY, pb.PHASE_VOTING}

// mayRevoke: spec 9.28.
func (r *Recount) mayRevoke(d *pb.RevokeVoters) error {
	e := r.byID[d.Election]
	switch {
	case e == nil:
		return refuse(codeUnknownElection, "there is no election %q", d.Election)
	case !e.sealed:
		return refuse(codeWrongPhase, "the roll is not sealed")
	case !slices.Contains(beforeResult, e.phase) && e.members == nil && len(r.polls(e)) == 0:
		return refuse(codeWrongPhase, "the phase of %q is %v", d.Election, e.phase)
	case e.owner != nil:
		return refuse(codeRollElsewhere, "the roll is that of %q", e.owner.id)
	case slices.Max(d.Voters) >= e.roll.size:
		return refuse(codeUnknownVoter, "the roll has %d entries", e.roll.size)
	case (1+len(r.polls(e)))*len(d.Voters) > 4_000:
		return refuse(codeTooLarge, "%d voters in %d elections", len(d.Voters), 1+len(r.polls(e)))
	}
	return nil
}

// revokeEverywhere revokes entries from a roll, and from the elections by it whose voting is open. Spec 9.28, 19.2.
func (r *Recount) revokeEverywhere(d *pb.RevokeVoters) error {
	e := r.byID[d.Election]
	for _, index := range d.Voters {
		if err := r.revoke(e, index); err != nil {
			return err
		}
		for _, p := range r.polls(e) {
			if p.phase != pb.PHASE_VOTING {
				continue
			}
			v, err := p.roll.voter(index)
			if err != nil {
				return err
			}
			if err := r.strike(p, index, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// revoke takes the right to vote from an entry of an election's own roll, once: by its leaf, and after the election's voting by a note
// apart. Spec 8.4, 9.28.
func (r *Recount) revoke(e *election, index uint64) error {
	v, err := e.roll.voter(index)
	if err != nil || v.status == pb.VOTER_REVOKED || e.barred[index] != 0 {
		return err
	}
	entry, err := e.roll.entry(index)
	if err != nil {
		return err
	}
	e.counts.Revoked[entry.style]++
	if !slices.Contains(beforeResult, e.phase) {
		e.barred[index] = r.height
		return nil
	}
	return r.strike(e, index, v)
}

// strike marks a voter as revoked in an election, and takes out its ballot if one counts.
func (r *Recount) strike(e *election, index uint64, v voter) error {
	if v.status == pb.VOTER_COUNTS {
		if err := r.takeOut(e, index, v); err != nil {
			return err
		}
	}
	v.status = pb.VOTER_REVOKED
	return e.roll.setVoter(index, v)
}
