package app

import (
	"votenode/app/organisation"
	"votenode/app/state"
	"votenode/app/text"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// SubmitApplications: a registrar or an officer of any organisation brings what candidates have signed. What is on the ledger already is
// left out. Spec 9.41.
func checkSubmitApplications(r *reading, p *tx.Parsed, m *pb.SubmitApplications) error {
	if _, err := r.submitter(p.Signer()); err != nil {
		return err
	}
	s, n, err := r.openedNominations(m.Applications[0].Application.Nominations)
	if err != nil {
		return err
	}
	if err := r.before(s, n.ApplicationsUntil, "the time for applications"); err != nil {
		return err
	}
	fresh, err := r.freshApplications(m)
	if err != nil {
		return err
	}
	if len(fresh) == 0 {
		return tx.Refuse(tx.CodeAlreadyDone, "the ledger holds these applications")
	}
	if int(s.Submitted)+len(fresh) > maxApplications {
		return tx.Refuse(tx.CodeNominationsFull, "these nominations take %d applications and have %d", maxApplications, s.Submitted)
	}
	taken := make(map[string]bool) // keys of records that this transaction will write
	for _, signed := range fresh {
		if err := r.checkApplication(n, &signed.Application, taken); err != nil {
			return err
		}
	}
	return nil
}

// freshApplications returns those applications that are not on the ledger, in order.
func (r *reading) freshApplications(m *pb.SubmitApplications) ([]*pb.SignedApplication, error) {
	var fresh []*pb.SignedApplication
	for i := range m.Applications {
		signed := &m.Applications[i]
		hash := tx.ApplicationHash(r.chain, &signed.Application)
		known, err := r.Record(state.ApplicationKey(signed.Application.Nominations, hash[:]))
		if err != nil {
			return nil, err
		}
		if known == nil {
			fresh = append(fresh, signed)
		}
	}
	return fresh, nil
}

func (r *reading) checkApplication(n *nominations, a *pb.Application, taken map[string]bool) error {
	districts, ok := n.districts[a.List]
	if !ok {
		return tx.Refuse(tx.CodeInvalidApplication, "%q: there is no list %q", a.Name, a.List)
	}
	if !districts[a.District] {
		return tx.Refuse(tx.CodeInvalidApplication, "%q: the list %q is not one of the district %q", a.Name, a.List, a.District)
	}
	if err := organisation.CheckKey(a.Key); err != nil {
		return tx.Refuse(tx.CodeInvalidApplication, "%q: %v", a.Name, err)
	}
	if err := text.Check(a.Name, organisation.MaxTitle); err != nil {
		return tx.Refuse(tx.CodeInvalidApplication, "the name: %v", err)
	}
	if a.PutForwardBy != "" {
		if err := text.Check(a.PutForwardBy, organisation.MaxTitle); err != nil {
			return tx.Refuse(tx.CodeInvalidApplication, "%q: put_forward_by: %v", a.Name, err)
		}
	}
	for _, once := range []struct {
		key  string
		code tx.Code
	}{
		{state.CandidateKey(a.Nominations, a.Key), tx.CodeCandidateTwice},
		{state.NameKey(a.Nominations, a.List, a.Name), tx.CodeNameTwice},
	} {
		known, err := r.Record(once.key)
		if err != nil {
			return err
		}
		if known != nil || taken[once.key] {
			return tx.Refuse(once.code, "%q on the list %q", a.Name, a.List)
		}
		taken[once.key] = true
	}
	return nil
}

func applySubmitApplications(w *writing, v *tx.Verified, m *pb.SubmitApplications) error {
	o, err := w.submitter(v.Parsed().Signer())
	if err != nil {
		return err
	}
	id := m.Applications[0].Application.Nominations
	s, err := state.MustLoad[pb.NominationsState](w, state.NominationsKey(id))
	if err != nil {
		return err
	}
	fresh, err := w.freshApplications(m)
	if err != nil {
		return err
	}
	for _, signed := range fresh {
		a := &signed.Application
		hash := tx.ApplicationHash(w.chain, a)
		w.save(state.ApplicationKey(id, hash[:]), &pb.ApplicationState{Signed: *signed, Submitted: w.height, Organisation: o.Id})
		w.SetRecord(state.CandidateKey(id, a.Key), hash[:])
		w.SetRecord(state.NameKey(id, a.List, a.Name), hash[:])
	}
	s.Submitted += uint32(len(fresh))
	w.save(state.NominationsKey(id), s)
	return nil
}
