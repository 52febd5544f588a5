package app

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// ApproveResolution: an officer approves an open resolution. Who has withdrawn does not approve again: an approval carries no number,
// and anybody could send the old one once more. Spec 9.12.
func checkApproveResolution(r *reading, p *tx.Parsed, m *pb.ApproveResolution) error {
	if _, err := r.officer(p.Signer()); err != nil {
		return err
	}
	record, err := r.openResolution(m.Resolution)
	if err != nil {
		return err
	}
	if approvalOf(record, p.Signer()) >= 0 {
		return tx.Refuse(tx.CodeAlreadyDone, "this officer has approved resolution %x", m.Resolution)
	}
	if slices.ContainsFunc(record.Withdrawn, func(officer []byte) bool { return bytes.Equal(officer, p.Signer()) }) {
		return tx.Refuse(tx.CodeWithdrawn, "this officer has withdrawn from resolution %x", m.Resolution)
	}
	if len(record.Approvals)+len(record.Withdrawn) >= maxSignatories {
		return tx.Refuse(tx.CodeResolutionClosed, "%d officers have signed resolution %x", maxSignatories, m.Resolution)
	}
	return nil
}

// maxSignatories is how many officers may sign a resolution, those who hold the office no more and those who have withdrawn
// included: 72 bytes each beside a resolution of the longest transaction stay below state.MaxRecordValue. All officers that
// organisations may have at a time are fewer.
const maxSignatories = 2_500

func applyApproveResolution(w *writing, v *tx.Verified, m *pb.ApproveResolution) error {
	officer := v.Parsed().Signer()
	o, err := w.officer(officer)
	if err != nil {
		return err
	}
	record, err := w.openResolution(m.Resolution)
	if err != nil {
		return err
	}
	record.Approvals = append(record.Approvals, pb.Approval{Organisation: o.Id, Officer: officer})
	slices.SortFunc(record.Approvals, func(a, b pb.Approval) int {
		return cmp.Or(cmp.Compare(a.Organisation, b.Organisation), bytes.Compare(a.Officer, b.Officer))
	})
	return w.saveResolution(m.Resolution, record)
}

// openResolution returns a resolution that can still take effect, or a refusal.
func (r *reading) openResolution(hash []byte) (*pb.ResolutionRecord, error) {
	record, err := state.Load[pb.ResolutionRecord](r, state.ResolutionKey(hash))
	if err != nil {
		return nil, err
	}
	if record == nil {
		return nil, tx.Refuse(tx.CodeUnknownResolution, "there is no resolution %x", hash)
	}
	if record.Status != pb.RESOLUTION_OPEN || r.height > record.Expires {
		return nil, tx.Refuse(tx.CodeResolutionClosed, "resolution %x is no longer open", hash)
	}
	return record, nil
}

// approvalOf returns the position of an officer's approval, -1 where there is none.
func approvalOf(record *pb.ResolutionRecord, officer []byte) int {
	return slices.IndexFunc(record.Approvals, func(a pb.Approval) bool { return bytes.Equal(a.Officer, officer) })
}

// saveResolution writes a resolution and keeps the list of those that are completely approved in step with it.
func (w *writing) saveResolution(hash []byte, record *pb.ResolutionRecord) error {
	w.save(state.ResolutionKey(hash), record)
	complete, err := w.approved(record)
	if err != nil {
		return err
	}
	w.pending.set(hash, complete)
	return nil
}

// approved says whether a resolution has the approval of as many organisations as its kind needs, each by its own quorum of
// officers who are officers now, and of every organisation that it touches. Spec 9.3.
func (r *reading) approved(record *pb.ResolutionRecord) (bool, error) {
	organisations, err := state.Organisations(r)
	if err != nil {
		return false, err
	}
	d, kind, err := decisionOf(&record.Resolution)
	if err != nil {
		return false, fmt.Errorf("%w: %w", state.ErrCorrupted, err)
	}
	var touched []string
	if t, ok := d.(touching); ok {
		if touched, err = t.touches(r); err != nil {
			return false, err
		}
	}
	params, err := state.MustLoad[pb.Parameters](r, state.KeyParameters)
	if err != nil {
		return false, err
	}
	needed := len(organisations)
	for _, rule := range params.ResolutionRules {
		if rule.Kind == kind {
			needed = int(rule.Organisations)
		}
	}
	count := 0
	for i := range organisations {
		o := &organisations[i]
		if approvals(record, o) >= int(o.OfficerQuorum) {
			count++
		} else if slices.Contains(touched, o.Id) {
			return false, nil
		}
	}
	return count >= needed, nil
}

// approvals counts the approvals of an organisation's present officers.
func approvals(record *pb.ResolutionRecord, o *pb.Organisation) int {
	n := 0
	for _, a := range record.Approvals {
		if a.Organisation == o.Id && isMember(o.Officers, a.Officer) {
			n++
		}
	}
	return n
}
