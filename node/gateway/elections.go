package gateway

import (
	"net/http"

	"votenode/app/election"
	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
)

// summary tells people of an election. None of it is proven.
type summary struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Phase string `json:"phase"`
	// Opening and Closing are block times, unix seconds; 0 where not set.
	Opening int64 `json:"opening"`
	Closing int64 `json:"closing"`
	// Voters is the number of entries of the roll, Recorded that of ballots in the ballot log, superseded ones included.
	Voters   uint64 `json:"voters"`
	Recorded uint64 `json:"recorded"`
}

// contest is one question with its result, where it has one.
type contest struct {
	Title   string   `json:"title"`
	Options []string `json:"options"`
	// Status is none, opened or withheld; Votes are by option and Ballots counts those that were counted, where opened.
	Status  string   `json:"status"`
	Votes   []uint64 `json:"votes,omitempty"`
	Ballots uint64   `json:"ballots,omitempty"`
}

// elections serves GET /v1/elections, in order of creation.
func (s *Server) elections(r *http.Request) (any, error) {
	if err := queryOf(r).done(); err != nil {
		return nil, err
	}
	view, err := s.newest()
	if err != nil {
		return nil, err
	}
	list, err := state.MustLoad[pb.ElectionList](view, state.KeyElections)
	if err != nil {
		return nil, err
	}
	all := make([]summary, len(list.Ids))
	for i, id := range list.Ids {
		sum, _, err := s.summarise(view, id)
		if err != nil {
			return nil, err
		}
		all[i] = *sum
	}
	return struct {
		Height    int64     `json:"height"`
		Elections []summary `json:"elections"`
	}{view.Height(), all}, nil
}

func (s *Server) summarise(view *state.Snapshot, id string) (*summary, *pb.Manifest, error) {
	e, err := state.LoadElection(view, id)
	if err != nil {
		return nil, nil, err
	}
	if e == nil {
		return nil, nil, missing("there is no election %q", id)
	}
	manifest, err := s.source.App.App().Manifest(view, e)
	if err != nil {
		return nil, nil, err
	}
	roll, err := view.Head(state.LogRoll(id))
	if err != nil {
		return nil, nil, err
	}
	ballots, err := view.Head(state.LogBallots(id))
	if err != nil {
		return nil, nil, err
	}
	return &summary{
		ID: id, Title: manifest.Title, Phase: election.PhaseName(e.Phase), Opening: e.Opening, Closing: e.Closing,
		Voters: roll.Size, Recorded: ballots.Size,
	}, manifest, nil
}

// election serves GET /v1/elections/{id}.
func (s *Server) election(r *http.Request) (any, error) {
	if err := queryOf(r).done(); err != nil {
		return nil, err
	}
	view, err := s.newest()
	if err != nil {
		return nil, err
	}
	id := r.PathValue("id")
	sum, manifest, err := s.summarise(view, id)
	if err != nil {
		return nil, err
	}
	contests := make([]contest, len(manifest.Contests))
	for i := range manifest.Contests {
		c := &manifest.Contests[i]
		contests[i] = contest{Title: c.Title, Options: c.Options, Status: "none"}
		result, err := state.Load[pb.Result](view, state.ResultKey(id, uint32(i)))
		if err != nil {
			return nil, err
		}
		if result == nil {
			continue
		}
		switch result.Status {
		case pb.RESULT_OPENED:
			contests[i].Status, contests[i].Votes, contests[i].Ballots = "opened", result.Votes, result.Ballots
		case pb.RESULT_WITHHELD:
			contests[i].Status = "withheld"
		}
	}
	return struct {
		Height int64 `json:"height"`
		summary
		Contests []contest `json:"contests"`
	}{view.Height(), *sum, contests}, nil
}
