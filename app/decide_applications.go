package app

import (
	"cmp"
	"slices"

	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// DecideApplications: a registrar says for the organisation which applications it registers and which it refuses, and why. A decision
// stands. Spec 9.42.
func checkDecideApplications(r *reading, p *tx.Parsed, m *pb.DecideApplications) error {
	o, err := r.registrar(p.Signer())
	if err != nil {
		return err
	}
	s, n, err := r.openedNominations(m.Nominations)
	if err != nil {
		return err
	}
	if err := r.before(s, n.DecisionsUntil, "the time for decisions"); err != nil {
		return err
	}
	organisations, err := state.Organisations(r)
	if err != nil {
		return err
	}
	standing := make(map[string]uint32) // who will stand, by list
	for i := range m.Decisions {
		d := &m.Decisions[i]
		a, err := r.application(m.Nominations, d.Application)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(a.Decisions, func(d pb.DecidedApplication) bool { return d.Organisation == o.Id }) {
			return tx.Refuse(tx.CodeApplicationDecided, "%q has decided on the application %x", o.Id, d.Application)
		}
		if a.Withdrawn != 0 {
			return tx.Refuse(tx.CodeApplicationWithdrawn, "the application %x was withdrawn", d.Application)
		}
		if decide(a, decided(r, o, p, d)); !stands(a, len(organisations)) {
			continue
		}
		list := a.Signed.Application.List
		if _, known := standing[list]; !known {
			if standing[list], err = r.standing(m.Nominations, list); err != nil {
				return err
			}
		}
		if most := n.Lists[n.lists[list]].Most; standing[list] >= most {
			return tx.Refuse(tx.CodeListFull, "%d stand on the list %q", most, list)
		}
		standing[list]++
	}
	return nil
}

func decided(r *reading, o *pb.Organisation, p *tx.Parsed, d *pb.ApplicationDecision) pb.DecidedApplication {
	return pb.DecidedApplication{Organisation: o.Id, Registrar: p.Signer(), Refused: d.Refused, Height: r.height}
}

// decide adds an organisation's decision.
func decide(a *pb.ApplicationState, d pb.DecidedApplication) {
	a.Decisions = append(a.Decisions, d)
	slices.SortFunc(a.Decisions, func(a, b pb.DecidedApplication) int { return cmp.Compare(a.Organisation, b.Organisation) })
}

func applyDecideApplications(w *writing, v *tx.Verified, m *pb.DecideApplications) error {
	o, err := w.registrar(v.Parsed().Signer())
	if err != nil {
		return err
	}
	organisations, err := state.Organisations(w)
	if err != nil {
		return err
	}
	s, err := state.MustLoad[pb.NominationsState](w, state.NominationsKey(m.Nominations))
	if err != nil {
		return err
	}
	for i := range m.Decisions {
		d := &m.Decisions[i]
		a, err := w.application(m.Nominations, d.Application)
		if err != nil {
			return err
		}
		before := refused(a)
		decide(a, decided(&w.reading, o, v.Parsed(), d))
		if refused(a) && !before {
			s.Refused++
			w.setFree(&a.Signed.Application)
		}
		if stands(a, len(organisations)) {
			if err := w.countStanding(s, &a.Signed.Application, 1); err != nil {
				return err
			}
		}
		w.save(state.ApplicationKey(m.Nominations, d.Application), a)
	}
	w.save(state.NominationsKey(m.Nominations), s)
	return nil
}
