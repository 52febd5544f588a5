package gateway

import (
	"encoding/json"
	"net/http"

	"votenode/app/state"
	"votenode/client/readable"
	pb "votenode/proto/votenode/v1"
)

// nominations tells people of nominations. Spec 16.
type nominations struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	Document digits `json:"document"`
	// Until when applications are submitted, decided on and withdrawn: block times, unix seconds.
	ApplicationsUntil int64 `json:"applications_until"`
	DecisionsUntil    int64 `json:"decisions_until"`
	WithdrawalsUntil  int64 `json:"withdrawals_until"`
	// Submitted counts applications, Refused those refused by some organisation, Withdrawn those withdrawn, and Standing those registered by all.
	Submitted uint32 `json:"submitted"`
	Refused   uint32 `json:"refused"`
	Withdrawn uint32 `json:"withdrawn"`
	Standing  uint32 `json:"standing"`
	// Formed is the height at which the manifest was formed, 0 before, and Manifest its hash, empty where there is none.
	Formed   int64  `json:"formed"`
	Manifest digits `json:"manifest"`
	// Cancelled is the height at which the resolution CancelledBy cancelled them, 0 and empty where none did.
	Cancelled   int64  `json:"cancelled"`
	CancelledBy digits `json:"cancelled_by"`
}

// loadNominations returns nominations and their rules, or a refusal where there are none.
func (s *Server) loadNominations(view *state.Snapshot, id string) (*nominations, *pb.NominationsState, *pb.Nominations, error) {
	record, err := state.LoadNominations(view, id)
	if err != nil {
		return nil, nil, nil, err
	}
	if record == nil {
		return nil, nil, nil, missing("there are no nominations %q", id)
	}
	rules, err := s.source.App.App().Nominations(view, record)
	if err != nil {
		return nil, nil, nil, err
	}
	return &nominations{
		ID: id, Title: rules.Manifest.Title, Document: record.Document,
		ApplicationsUntil: rules.ApplicationsUntil, DecisionsUntil: rules.DecisionsUntil, WithdrawalsUntil: rules.WithdrawalsUntil,
		Submitted: record.Submitted, Refused: record.Refused, Withdrawn: record.Withdrawn, Standing: record.Standing,
		Formed: record.Formed, Manifest: record.Manifest, Cancelled: record.Cancelled, CancelledBy: record.CancelledBy,
	}, record, rules, nil
}

// allNominations serves GET /v1/nominations, in order of opening.
func (s *Server) allNominations(r *http.Request) (any, error) {
	if err := queryOf(r).done(); err != nil {
		return nil, err
	}
	view, err := s.newest()
	if err != nil {
		return nil, err
	}
	list, err := state.Load[pb.NominationsIndex](view, state.KeyNominations)
	if err != nil {
		return nil, err
	}
	all := []*nominations{}
	for _, id := range list.GetIds() {
		shown, _, _, err := s.loadNominations(view, id)
		if err != nil {
			return nil, err
		}
		all = append(all, shown)
	}
	return struct {
		Height      int64          `json:"height"`
		Nominations []*nominations `json:"nominations"`
	}{view.Height(), all}, nil
}

// nominationsByID serves GET /v1/nominations/{id}: with all rules, the lists that were left out, and why they were cancelled.
func (s *Server) nominationsByID(r *http.Request) (any, error) {
	if err := queryOf(r).done(); err != nil {
		return nil, err
	}
	view, err := s.newest()
	if err != nil {
		return nil, err
	}
	shown, record, rules, err := s.loadNominations(view, r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	var reason string
	if record.Cancelled != 0 {
		resolution, err := state.MustLoad[pb.ResolutionRecord](view, state.ResolutionKey(record.CancelledBy))
		if err != nil {
			return nil, err
		}
		reason = resolution.Resolution.Reason
	}
	return struct {
		Height int64 `json:"height"`
		*nominations
		CancelReason string          `json:"cancel_reason"`
		LeftOut      []string        `json:"left_out"`
		Rules        json.RawMessage `json:"rules"`
	}{view.Height(), shown, reason, append([]string{}, record.LeftOut...), readable.CompactMessage(rules)}, nil
}

// application tells people of an application.
type application struct {
	Hash         string `json:"application"`
	List         string `json:"list"`
	District     string `json:"district"`
	Name         string `json:"name"`
	Key          digits `json:"key"`
	Young        bool   `json:"young"`
	Woman        bool   `json:"woman"`
	PutForwardBy string `json:"put_forward_by"`
	// Status is undecided, refused, stands or withdrawn.
	Status string `json:"status"`
	// Submitted and Withdrawn are heights, the latter 0 where it is not.
	Submitted   int64      `json:"submitted"`
	SubmittedBy string     `json:"submitted_by"`
	Withdrawn   int64      `json:"withdrawn"`
	Decisions   []decision `json:"decisions"`
}

// decision is what an organisation decided on an application: registered, or refused for a reason.
type decision struct {
	Organisation string `json:"organisation"`
	Registrar    digits `json:"registrar"`
	Decision     string `json:"decision"`
	Reason       string `json:"reason,omitempty"`
	Height       int64  `json:"height"`
}

// applications serves GET /v1/nominations/{id}/applications?after=HASH&limit=N, in order of the hash.
func (s *Server) applications(r *http.Request) (any, error) {
	view, err := s.newest()
	if err != nil {
		return nil, err
	}
	id := r.PathValue("id")
	if _, _, _, err := s.loadNominations(view, id); err != nil {
		return nil, err
	}
	organisations, err := state.Organisations(view)
	if err != nil {
		return nil, err
	}
	list, next, err := askedPage(r, view, state.ApplicationPrefix(id), func(hash string, a *pb.ApplicationState) (application, int, error) {
		own := &a.Signed.Application
		shown := application{
			Hash: hash, List: own.List, District: own.District, Name: own.Name, Key: own.Key, Young: own.Young, Woman: own.Woman,
			PutForwardBy: own.PutForwardBy, Status: readable.ApplicationStatus(a, len(organisations)),
			Submitted: a.Submitted, SubmittedBy: a.Organisation, Withdrawn: a.Withdrawn, Decisions: make([]decision, len(a.Decisions)),
		}
		for i := range a.Decisions {
			d := &a.Decisions[i]
			shown.Decisions[i] = decision{d.Organisation, d.Registrar, readable.DecisionWord(d), d.Refused, d.Height}
		}
		return shown, 0, nil
	})
	return struct {
		Height       int64         `json:"height"`
		Applications []application `json:"applications"`
		Next         string        `json:"next,omitempty"`
	}{view.Height(), list, next}, err
}

// removal tells people of a candidate whom a resolution removed.
type removal struct {
	Contest uint32 `json:"contest"`
	Option  uint32 `json:"option"`
	Name    string `json:"name"`
	// Removed is the height at which the resolution, by its hash, took effect; Reason is that of the resolution.
	Removed    int64  `json:"removed"`
	Resolution digits `json:"resolution"`
	Reason     string `json:"reason"`
}

// removed serves GET /v1/elections/{id}/removed?from=I&limit=N, by contest and option.
func (s *Server) removed(r *http.Request) (any, error) {
	e, err := s.electionOf(r)
	if err != nil {
		return nil, err
	}
	record, err := state.Load[pb.RemovedCandidates](e, state.RemovedKey(e.id))
	if err != nil {
		return nil, err
	}
	all := record.GetRemoved()
	answer := struct {
		Height  int64     `json:"height"`
		Removed []removal `json:"removed"`
		Next    *uint64   `json:"next,omitempty"`
	}{Height: e.Height()}
	answer.Removed, answer.Next, err = listPage(r, uint64(len(all)), func(i uint64) (removal, int, error) {
		c := &all[i]
		resolution, err := state.MustLoad[pb.ResolutionRecord](e, state.ResolutionKey(c.Resolution))
		if err != nil {
			return removal{}, 0, err
		}
		name, reason := e.manifest.Contests[c.Contest].Options[c.Option], resolution.Resolution.Reason
		return removal{c.Contest, c.Option, name, c.Height, c.Resolution, reason}, escaped * (len(name) + len(reason)), nil
	})
	return answer, err
}
