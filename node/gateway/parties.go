package gateway

import (
	"net/http"

	"votenode/app/organisation"
	"votenode/app/state"
	"votenode/app/text"
	pb "votenode/proto/votenode/v1"
)

// party is an organisation with its people.
type party struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	// OfficerQuorum of the officers suffice to approve for the organisation.
	OfficerQuorum uint32    `json:"officer_quorum"`
	Officers      []officer `json:"officers"`
	Registrars    []member  `json:"registrars"`
	// Term is how often its officers and registrars were changed.
	Term uint64 `json:"term"`
}

type member struct {
	Name string `json:"name"`
	Key  digits `json:"key"`
}

// officer is an officer with what it has begun, ever.
type officer struct {
	member
	Documents   uint32 `json:"documents"`
	Resolutions uint32 `json:"resolutions"`
}

func partyOf(view *state.Snapshot, o *pb.Organisation) (*party, error) {
	p := &party{ID: o.Id, Title: o.Title, OfficerQuorum: o.OfficerQuorum, Officers: []officer{}, Registrars: []member{}, Term: o.Term}
	for _, m := range o.Officers {
		acts, err := state.Load[pb.OfficerActs](view, state.OfficerKey(m.Key))
		if err != nil {
			return nil, err
		}
		if acts == nil {
			acts = new(pb.OfficerActs)
		}
		p.Officers = append(p.Officers, officer{member{m.Name, m.Key}, acts.Documents, acts.Resolutions})
	}
	for _, m := range o.Registrars {
		p.Registrars = append(p.Registrars, member{m.Name, m.Key})
	}
	return p, nil
}

// organisations serves GET /v1/organisations, sorted by id.
func (s *Server) organisations(r *http.Request) (any, error) {
	if err := queryOf(r).done(); err != nil {
		return nil, err
	}
	view, err := s.newest()
	if err != nil {
		return nil, err
	}
	list, err := state.Organisations(view)
	if err != nil {
		return nil, err
	}
	all := make([]*party, len(list))
	for i := range list {
		if all[i], err = partyOf(view, &list[i]); err != nil {
			return nil, err
		}
	}
	return struct {
		Height        int64    `json:"height"`
		Organisations []*party `json:"organisations"`
	}{view.Height(), all}, nil
}

// organisation serves GET /v1/organisations/{id}.
func (s *Server) organisation(r *http.Request) (any, error) {
	if err := queryOf(r).done(); err != nil {
		return nil, err
	}
	view, err := s.newest()
	if err != nil {
		return nil, err
	}
	id := r.PathValue("id")
	var o *pb.Organisation
	if text.CheckID(id, organisation.MaxOrganisationID) == nil {
		if o, err = state.Load[pb.Organisation](view, state.OrganisationKey(id)); err != nil {
			return nil, err
		}
	}
	if o == nil {
		return nil, missing("there is no organisation %q", id)
	}
	p, err := partyOf(view, o)
	if err != nil {
		return nil, err
	}
	return struct {
		Height int64 `json:"height"`
		*party
	}{view.Height(), p}, nil
}

// epoch is a validator set with the height from which it signs.
type epoch struct {
	Number      uint64      `json:"number"`
	FirstHeight int64       `json:"first_height"`
	Validators  []validator `json:"validators"`
}

type validator struct {
	Organisation string `json:"organisation"`
	Name         string `json:"name"`
	Key          digits `json:"key"`
	// Address is what blocks and commits call the key.
	Address digits `json:"address"`
	Power   int64  `json:"power"`
	SlipKey digits `json:"slip_key"`
	NodeID  digits `json:"node_id"`
	// P2P is the host:port of the node's p2p listener.
	P2P string `json:"p2p"`
}

func epochOf(e *pb.ValidatorEpoch) *epoch {
	shown := &epoch{Number: e.Number, FirstHeight: e.FirstHeight, Validators: make([]validator, len(e.Validators))}
	for i, v := range e.Validators {
		address := organisation.ConsensusAddress(v.Key)
		shown.Validators[i] = validator{v.Organisation, v.Name, v.Key, address[:], v.Power, v.SlipKey, v.NodeId, v.Address}
	}
	return shown
}

// validatorSet serves GET /v1/validators: the set in force, and the announced one where there is one.
func (s *Server) validatorSet(r *http.Request) (any, error) {
	if err := queryOf(r).done(); err != nil {
		return nil, err
	}
	view, err := s.newest()
	if err != nil {
		return nil, err
	}
	epochs, err := state.MustLoad[pb.ValidatorEpochs](view, state.KeyValidators)
	if err != nil {
		return nil, err
	}
	answer := struct {
		Height    int64  `json:"height"`
		Present   *epoch `json:"present"`
		Announced *epoch `json:"announced,omitempty"`
	}{Height: view.Height(), Present: epochOf(&epochs.Present)}
	if epochs.Next.Number != 0 {
		answer.Announced = epochOf(&epochs.Next)
	}
	return answer, nil
}
