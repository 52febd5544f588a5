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
	// OpenChoices says that choices are signed and not encrypted, RollOf names the election that has the roll, where that is another one.
	OpenChoices bool   `json:"open_choices,omitempty"`
	RollOf      string `json:"roll_of,omitempty"`
	// Voters is the number of entries of the roll, Recorded that of ballots in the ballot log, superseded ones included.
	Voters   uint64 `json:"voters"`
	Recorded uint64 `json:"recorded"`
}

// contest is one question with its result, where it has one.
type contest struct {
	Contest uint32   `json:"contest"`
	Title   string   `json:"title"`
	Options []string `json:"options"`
	// Status is none, opened, withheld, merged, or counted for open choices; Votes are by option and Ballots counts those that were counted, where
	// opened or counted. MergedInto is the contest into which it is merged.
	Status     string   `json:"status"`
	Votes      []uint64 `json:"votes,omitempty"`
	Ballots    uint64   `json:"ballots,omitempty"`
	MergedInto *uint32  `json:"merged_into,omitempty"`
	// Paper is what was counted on paper, where any polling place has reported the contest.
	Paper *paperVotes `json:"paper,omitempty"`
	// Sum is electronic and on paper together, by option, where opened.
	Sum []uint64 `json:"sum,omitempty"`
}

type paperVotes struct {
	Ballots uint64   `json:"ballots"`
	Invalid uint64   `json:"invalid"`
	Votes   []uint64 `json:"votes"`
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
		e, err := s.loadElection(view, id)
		if err != nil {
			return nil, err
		}
		sum, err := summarise(e)
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

func summarise(e *shownElection) (*summary, error) {
	roll, err := e.Head(state.LogRoll(state.RollOf(e.id, e.record)))
	if err != nil {
		return nil, err
	}
	ballots, err := e.Head(state.LogBallots(e.id))
	if err != nil {
		return nil, err
	}
	return &summary{
		ID: e.id, Title: e.manifest.Title, Phase: election.PhaseName(e.record.Phase), Opening: e.record.Opening, Closing: e.record.Closing,
		OpenChoices: e.manifest.OpenChoices, RollOf: e.record.RollOf, Voters: roll.Size, Recorded: ballots.Size,
	}, nil
}

// election serves GET /v1/elections/{id}?from=I&limit=N: the summary, and a page of contests with their results.
func (s *Server) election(r *http.Request) (any, error) {
	e, err := s.electionOf(r)
	if err != nil {
		return nil, err
	}
	sum, err := summarise(e)
	if err != nil {
		return nil, err
	}
	page, err := resultPage(e, r)
	return struct {
		Height int64 `json:"height"`
		summary
		*contests[contest]
	}{e.Height(), *sum, page}, err
}

// results serves GET /v1/elections/{id}/results?from=I&limit=N.
func (s *Server) results(r *http.Request) (any, error) {
	e, err := s.electionOf(r)
	if err != nil {
		return nil, err
	}
	page, err := resultPage(e, r)
	return struct {
		Height int64  `json:"height"`
		Phase  string `json:"phase"`
		*contests[contest]
	}{e.Height(), election.PhaseName(e.record.Phase), page}, err
}

func resultPage(e *shownElection, r *http.Request) (*contests[contest], error) {
	return contestPage(e, r, func(i uint32) (contest, int, error) {
		c, err := contestOf(e, i)
		if err != nil {
			return contest{}, 0, err
		}
		size := len(c.Title)
		for _, option := range c.Options {
			size += len(option)
		}
		return *c, escaped * size, nil
	})
}

// contestOf returns a contest with its result.
func contestOf(e *shownElection, i uint32) (*contest, error) {
	c := &e.manifest.Contests[i]
	shown := &contest{Contest: i, Title: c.Title, Options: c.Options, Status: "none"}
	result, err := state.Load[pb.Result](e, state.ResultKey(e.id, i))
	if err != nil || result == nil {
		return shown, err
	}
	switch result.Status {
	case pb.RESULT_OPENED:
		shown.Status, shown.Votes, shown.Ballots = "opened", result.Votes, result.Ballots
	case pb.RESULT_COUNTED:
		shown.Status, shown.Votes, shown.Ballots = "counted", result.Votes, result.Ballots
	case pb.RESULT_WITHHELD:
		shown.Status = "withheld"
	case pb.RESULT_MERGED:
		shown.Status, shown.MergedInto = "merged", &result.MergedInto
	}
	if len(result.PaperVotes) > 0 {
		shown.Paper = &paperVotes{result.PaperBallots, result.PaperInvalid, result.PaperVotes}
	}
	shown.Sum = election.Votes(result)
	return shown, nil
}
