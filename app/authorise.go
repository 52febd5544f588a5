package app

import (
	"bytes"
	"slices"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// officer returns the organisation whose officer holds a key, or a refusal.
func (r *reading) officer(key []byte) (*pb.Organisation, error) {
	return r.organisationOf("officer", key, func(o *pb.Organisation) []pb.Member { return o.Officers })
}

// What one officer may begin, ever: each leaves records that stay.
const (
	maxDocuments   = 1_000
	maxResolutions = 10_000
)

// mayDo refuses an officer who has sent as many as one officer ever may.
func (r *reading) mayDo(officer []byte, below func(acts *pb.OfficerActs) bool) error {
	acts, err := r.acts(officer)
	if err != nil {
		return err
	}
	if !below(acts) {
		return tx.Refuse(tx.CodeOfficerLimit, "%x has published %d documents and proposed %d resolutions", officer, acts.Documents, acts.Resolutions)
	}
	return nil
}

// did counts what an officer has begun.
func (w *writing) did(officer []byte, count func(acts *pb.OfficerActs)) error {
	acts, err := w.acts(officer)
	if err != nil {
		return err
	}
	count(acts)
	w.save(state.OfficerKey(officer), acts)
	return nil
}

func (r *reading) acts(officer []byte) (*pb.OfficerActs, error) {
	acts, err := state.Load[pb.OfficerActs](r, state.OfficerKey(officer))
	if acts == nil {
		acts = new(pb.OfficerActs)
	}
	return acts, err
}

// registrar returns the organisation whose registrar holds a key, or a refusal.
func (r *reading) registrar(key []byte) (*pb.Organisation, error) {
	return r.organisationOf("registrar", key, func(o *pb.Organisation) []pb.Member { return o.Registrars })
}

// submitter returns the organisation whose officer or registrar holds a key, or a refusal.
func (r *reading) submitter(key []byte) (*pb.Organisation, error) {
	return r.organisationOf("officer's or registrar", key, func(o *pb.Organisation) []pb.Member { return slices.Concat(o.Officers, o.Registrars) })
}

func (r *reading) organisationOf(role string, key []byte, members func(*pb.Organisation) []pb.Member) (*pb.Organisation, error) {
	all, err := state.Organisations(r)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if isMember(members(&all[i]), key) {
			return &all[i], nil
		}
	}
	return nil, tx.Refuse(tx.CodeNotAuthorised, "%x is no %s's key", key, role)
}

func isMember(members []pb.Member, key []byte) bool {
	for i := range members {
		if bytes.Equal(members[i].Key, key) {
			return true
		}
	}
	return false
}

// election returns an election in one of some phases, or a refusal.
func (r *reading) election(id string, phases ...pb.Phase) (*pb.Election, error) {
	e, err := state.LoadElection(r, id)
	if err != nil {
		return nil, err
	}
	if e == nil {
		return nil, tx.Refuse(tx.CodeUnknownElection, "there is no election %q", id)
	}
	for _, p := range phases {
		if e.Phase == p {
			return e, nil
		}
	}
	return nil, tx.Refuse(tx.CodeWrongPhase, "the phase of %q is %s", id, election.PhaseName(e.Phase))
}

// trustee returns an organisation's ceremony and the index of the trustee who holds a key and is not ejected, or a refusal.
func (r *reading) trustee(id, organisation string, key []byte) (*pb.Ceremony, uint32, error) {
	c, err := state.LoadCeremony(r, id, organisation)
	if err != nil {
		return nil, 0, err
	}
	if c != nil {
		for i := range c.Trustees {
			if !bytes.Equal(c.Trustees[i].Trustee.Key, key) {
				continue
			}
			if c.Trustees[i].Ejected != pb.EJECTION_NONE {
				return nil, 0, tx.Refuse(tx.CodeTrusteeEjected, "trustee %d of %q is out of the ceremony", i+1, organisation)
			}
			return c, uint32(i + 1), nil
		}
	}
	return nil, 0, tx.Refuse(tx.CodeNotAuthorised, "%x is no trustee's key of %q in %q", key, organisation, id)
}
