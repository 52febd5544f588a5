package gateway

import (
	"fmt"
	"net/http"
	"strconv"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/client/readable"
	pb "votenode/proto/votenode/v1"
)

// lists serves GET /v1/elections/{id}/lists?after=K&limit=N: the lists that are formed, by contest.
func (s *Server) lists(r *http.Request) (any, error) {
	e, err := s.electionOf(r)
	if err != nil {
		return nil, err
	}
	answer := struct {
		Height int64            `json:"height"`
		Lists  []*readable.List `json:"lists"`
		Next   string           `json:"next,omitempty"`
	}{Height: e.Height()}
	answer.Lists, answer.Next, err = askedPage(r, e.Snapshot, state.ListPrefix(e.id), func(rest string, l *pb.List) (*readable.List, int, error) {
		contest, err := strconv.ParseUint(rest, 10, 32)
		if err != nil || contest >= uint64(len(e.manifest.Contests)) {
			return nil, 0, fmt.Errorf("%w: a list of contest %q", state.ErrCorrupted, rest)
		}
		shown := readable.ShowList(uint32(contest), &e.manifest.Contests[contest], l)
		return shown, textOf(shown), nil
	})
	return answer, err
}

// textOf counts the bytes of the names in a list: the record has their numbers.
func textOf(l *readable.List) int {
	n := len(l.Title)
	for i := range l.Places {
		n += len(l.Places[i].Candidate)
	}
	for i := range l.Substitutions {
		n += len(l.Substitutions[i].In) + len(l.Substitutions[i].Out)
	}
	for i := range l.Ties {
		for _, name := range l.Ties[i].Candidates {
			n += len(name)
		}
	}
	return n
}

// lot serves GET /v1/elections/{id}/lot?round=N: how far the lot has come, who is waited for, and which contests wait for it; or a round that was ended.
func (s *Server) lot(r *http.Request) (any, error) {
	q := queryOf(r)
	round := q.number("round", 0)
	if err := q.done(); err != nil {
		return nil, err
	}
	e, err := s.electionOf(r)
	if err != nil {
		return nil, err
	}
	if !election.HasList(e.manifest) {
		return nil, missing("no contest of %q has a list, so it has no lot", e.id)
	}
	organisations, err := state.Organisations(e)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(organisations))
	for i := range organisations {
		ids[i] = organisations[i].Id
	}
	record, err := state.Load[pb.Lot](e, state.LotKey(e.id))
	if err != nil {
		return nil, err
	}
	if round > 0 && (record == nil || round != uint64(record.Round)) {
		if record == nil || round > uint64(record.Round) {
			return nil, missing("the lot of %q has no round %d", e.id, round)
		}
		if record, err = state.MustLoad[pb.Lot](e, state.LotRoundKey(e.id, uint32(round))); err != nil {
			return nil, err
		}
	}
	answer := struct {
		Height int64 `json:"height"`
		*readable.Lot
		// Tied are the contests that are decided and whose lists wait for the lot.
		Tied []uint32 `json:"tied"`
	}{e.Height(), readable.ShowLot(ids, record), []uint32{}}
	queue, err := state.Load[pb.ListQueue](e, state.ListQueueKey(e.id))
	if queue != nil {
		answer.Tied = append(answer.Tied, queue.Tied...)
	}
	return answer, err
}
