package recount

import (
	"bytes"
	"cmp"
	"slices"

	"votenode/crypto/transcript"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/recount/rules"
)

// propose takes a resolution that could take effect now. Spec 9.11.
func (r *Recount) propose(signer []byte, m *pb.ProposeResolution) error {
	o, err := r.officer(signer)
	if err != nil {
		return err
	}
	hash := r.resolutionHash(&m.Resolution)
	if r.resolutions[hash] != nil {
		return refuse(codeAlreadyDone, "the resolution was proposed")
	}
	if r.acts[[32]byte(signer)].Resolutions >= 10_000 {
		return refuse(codeOfficerLimit, "this officer has proposed enough")
	}
	if err := r.rule(&m.Resolution); err != nil {
		return err
	}
	r.did([32]byte(signer), pb.OfficerActs{Resolutions: 1})
	r.resolutions[hash] = &pb.ResolutionRecord{
		Resolution: m.Resolution, Proposed: r.height, Expires: r.height + int64(r.parameters.ResolutionHeights),
		Approvals: []pb.Approval{{Organisation: o.Id, Officer: signer}},
	}
	r.pend(hash)
	return nil
}

// resolutionHash: spec 9.3.
func (r *Recount) resolutionHash(m *pb.Resolution) [32]byte {
	return transcript.Digest(transcript.LabelResolution, []byte(r.chain), rules.Encode(m))
}

// open returns a resolution that can still take effect.
func (r *Recount) open(hash [32]byte) (*pb.ResolutionRecord, error) {
	record := r.resolutions[hash]
	if record == nil {
		return nil, refuse(codeUnknownResolution, "there is no such resolution")
	}
	if record.Status != pb.RESOLUTION_OPEN || r.height > record.Expires {
		return nil, refuse(codeResolutionClosed, "the resolution is no longer open")
	}
	return record, nil
}

func approvalOf(record *pb.ResolutionRecord, officer []byte) int {
	return slices.IndexFunc(record.Approvals, func(a pb.Approval) bool { return bytes.Equal(a.Officer, officer) })
}

// approve takes an approval. Spec 9.12.
func (r *Recount) approve(signer []byte, m *pb.ApproveResolution) error {
	o, err := r.officer(signer)
	if err != nil {
		return err
	}
	record, err := r.open([32]byte(m.Resolution))
	if err != nil {
		return err
	}
	if approvalOf(record, signer) >= 0 {
		return refuse(codeAlreadyDone, "this officer has approved")
	}
	if slices.ContainsFunc(record.Withdrawn, func(officer []byte) bool { return bytes.Equal(officer, signer) }) {
		return refuse(codeWithdrawn, "this officer has withdrawn")
	}
	if len(record.Approvals)+len(record.Withdrawn) >= 2_500 {
		return refuse(codeResolutionClosed, "too many officers have signed the resolution")
	}
	record.Approvals = append(record.Approvals, pb.Approval{Organisation: o.Id, Officer: signer})
	slices.SortFunc(record.Approvals, func(a, b pb.Approval) int {
		return cmp.Or(cmp.Compare(a.Organisation, b.Organisation), bytes.Compare(a.Officer, b.Officer))
	})
	r.pend([32]byte(m.Resolution))
	return nil
}

// withdraw takes an approval back. Spec 9.13.
func (r *Recount) withdraw(signer []byte, m *pb.WithdrawApproval) error {
	if _, err := r.officer(signer); err != nil {
		return err
	}
	record, err := r.open([32]byte(m.Resolution))
	if err != nil {
		return err
	}
	at := approvalOf(record, signer)
	if at < 0 {
		return refuse(codeNotApproved, "this officer has not approved")
	}
	record.Approvals = slices.Delete(record.Approvals, at, at+1)
	record.Withdrawn = append(record.Withdrawn, signer)
	r.pend([32]byte(m.Resolution))
	return nil
}

// pend keeps the list of completely approved resolutions, in the order in which they were completed.
func (r *Recount) pend(hash [32]byte) {
	at, complete := slices.Index(r.pending, hash), r.complete(r.resolutions[hash])
	switch {
	case complete && at < 0:
		r.pending = append(r.pending, hash)
	case !complete && at >= 0:
		r.pending = slices.Delete(r.pending, at, at+1)
	}
}

// complete says whether enough organisations approve, each by its quorum of present officers, and all that the resolution touches.
// Spec 9.3.
func (r *Recount) complete(record *pb.ResolutionRecord) bool {
	kind, touched := kindOf(&record.Resolution), r.touched(&record.Resolution)
	needed := len(r.organisations)
	for _, rule := range r.parameters.ResolutionRules {
		if rule.Kind == kind {
			needed = int(rule.Organisations)
		}
	}
	count := 0
	for i := range r.organisations {
		o := &r.organisations[i]
		given := uint32(0)
		for _, a := range record.Approvals {
			if a.Organisation == o.Id && hasKey(o.Officers, a.Officer) {
				given++
			}
		}
		if given >= o.OfficerQuorum {
			count++
		} else if slices.Contains(touched, o.Id) {
			return false
		}
	}
	return count >= needed
}

// touched names the organisations whose own approval a resolution needs in any case.
func (r *Recount) touched(m *pb.Resolution) []string {
	switch d := m.Decision.(type) {
	case *pb.Resolution_ChangeOfficers:
		return []string{d.ChangeOfficers.Organisation.Id}
	case *pb.Resolution_ReplaceTrustees:
		return []string{d.ReplaceTrustees.Organisation}
	case *pb.Resolution_ExcuseTrial:
		return []string{d.ExcuseTrial.Organisation}
	case *pb.Resolution_AppointTrustees:
		var all []string
		for i := range d.AppointTrustees.Boards {
			all = append(all, d.AppointTrustees.Boards[i].Organisation)
		}
		return all
	case *pb.Resolution_ChangeValidators:
		return changed(r.present.Validators, d.ChangeValidators.Validators)
	}
	return nil
}

// decide lets completely approved resolutions take effect, in order. What stays on the list is at most one change of validators that
// waits. Spec 9.3.
func (r *Recount) decide(signers map[[20]byte]bool) error {
	var waiting [][32]byte
	for _, hash := range r.pending {
		record, expired := r.open(hash)
		if expired != nil || !r.complete(record) {
			continue
		}
		var refused error
		switch waits := kindOf(&record.Resolution) == 9 && !r.attested(signers); {
		case waits && len(waiting) == 0:
			waiting = append(waiting, hash)
			continue
		case waits:
			refused = refuse(codeChangePending, "another change of validators waits")
		default:
			refused = r.rule(&record.Resolution)
		}
		if err := r.decideOne(hash, record, refused); err != nil {
			return err
		}
	}
	r.pending = waiting
	return nil
}

// decideOne closes a resolution, with its effect or with why it has none.
func (r *Recount) decideOne(hash [32]byte, record *pb.ResolutionRecord, refused error) error {
	record.Status, record.Decided = pb.RESOLUTION_EFFECTIVE, r.height
	if refused != nil {
		record.Status, record.Code = pb.RESOLUTION_REFUSED, Code(refused)
		return nil
	}
	return r.effect(hash, &record.Resolution)
}
