package gateway

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"strconv"

	"votenode/app/state"
	"votenode/app/tx"
)

// recordedBallot is what a leaf of the ballot log says, but for what is encrypted and proven: /v1/log/leaves has the whole.
type recordedBallot struct {
	LogIndex  uint64 `json:"log_index"`
	Code      digits `json:"code"`
	RollIndex uint64 `json:"roll_index"`
	Sequence  uint64 `json:"sequence"`
	Style     uint32 `json:"style"`
	// Choices are the indices of the chosen options, by contest of the style, where it is an open choice.
	Choices [][]uint32 `json:"choices,omitempty"`
	// Height is that of the block that recorded it.
	Height int64 `json:"height"`
}

// ballotReader reads the ballot log of an election. It is for one goroutine.
type ballotReader struct {
	*shownElection
	chain   string
	heights heights
	low     int64 // no ballot that is still to be read stands in a block before it
	bytes   int   // of all leaves that were read
}

func (s *Server) ballotsOf(e *shownElection) *ballotReader {
	return &ballotReader{shownElection: e, chain: s.source.Chain, heights: heights{Snapshot: e.Snapshot}, low: 1}
}

// cost is how many bytes of both logs were read.
func (b *ballotReader) cost() int { return b.bytes + b.heights.bytes }

// read returns a ballot of the log. Indices ascend from one call to the next.
func (b *ballotReader) read(index uint64) (*recordedBallot, error) {
	log := state.LogBallots(b.id)
	leaf, err := b.Leaf(log, index)
	if err != nil {
		return nil, err
	}
	parsed, err := tx.Parse(leaf)
	if err != nil {
		return nil, fmt.Errorf("%w: leaf %d of %s: %w", state.ErrCorrupted, index, log, err)
	}
	cast := parsed.Cast()
	if cast == nil {
		return nil, fmt.Errorf("%w: leaf %d of %s is no ballot", state.ErrCorrupted, index, log)
	}
	if b.low, err = b.heights.recorded(b.low, log, index); err != nil {
		return nil, err
	}
	b.bytes += len(leaf)
	code := cast.Code(b.chain)
	return &recordedBallot{
		LogIndex: index, Code: code[:], RollIndex: cast.RollIndex, Sequence: cast.Sequence, Style: cast.Style, Choices: choicesOf(cast), Height: b.low,
	}, nil
}

// choicesOf returns the indices of the options that an open choice chooses, by contest; nil for a ballot.
func choicesOf(c *tx.Cast) [][]uint32 {
	if c.Choice == nil {
		return nil
	}
	all := make([][]uint32, len(c.Choice.Choices))
	for i := range all {
		all[i] = append([]uint32{}, c.Choice.Choices[i].Options...)
	}
	return all
}

// ballots serves GET /v1/elections/{id}/ballots?from=I&limit=N: a page of the ballot log, superseded ballots included.
func (s *Server) ballots(r *http.Request) (any, error) {
	q := queryOf(r)
	from, limit := q.number("from", 0), q.limit(maxRecords)
	if err := q.done(); err != nil {
		return nil, err
	}
	e, err := s.electionOf(r)
	if err != nil {
		return nil, err
	}
	head, err := e.Head(state.LogBallots(e.id))
	if err != nil {
		return nil, err
	}
	answer := struct {
		Height  int64             `json:"height"`
		Size    uint64            `json:"size"`
		Ballots []*recordedBallot `json:"ballots"`
		Next    *uint64           `json:"next,omitempty"`
	}{Height: e.Height(), Size: head.Size, Ballots: []*recordedBallot{}}
	reader := s.ballotsOf(e)
	for i := from; i < min(head.Size, from+uint64(limit)) && reader.cost() <= maxAnswer; i++ {
		each, err := reader.read(i)
		if err != nil {
			return nil, err
		}
		answer.Ballots, answer.Next = append(answer.Ballots, each), nextOf(i+1, head.Size)
	}
	return answer, nil
}

// ballot serves GET /v1/elections/{id}/ballots/{code}: the ballot with a confirmation code.
func (s *Server) ballot(r *http.Request) (any, error) {
	if err := queryOf(r).done(); err != nil {
		return nil, err
	}
	code, err := pathHash(r, "code")
	if err != nil {
		return nil, err
	}
	e, err := s.electionOf(r)
	if err != nil {
		return nil, err
	}
	at, err := e.Index(state.CodeIndexKey(e.id, code[:]))
	if err != nil {
		return nil, err
	}
	if len(at) != 8 {
		return nil, missing("no ballot with this code is recorded in %q", e.id)
	}
	found, err := s.ballotsOf(e).read(binary.BigEndian.Uint64(at))
	return struct {
		Height int64           `json:"height"`
		Ballot *recordedBallot `json:"ballot"`
	}{e.Height(), found}, err
}

// place serves GET /v1/elections/{id}/voters/{index}: what the voters' tree says of a place in the roll, and the last ballot from there.
func (s *Server) place(r *http.Request) (any, error) {
	if err := queryOf(r).done(); err != nil {
		return nil, err
	}
	index, err := strconv.ParseUint(r.PathValue("index"), 10, 63)
	if err != nil {
		return nil, bad("%q is no index of a roll", r.PathValue("index"))
	}
	e, err := s.electionOf(r)
	if err != nil {
		return nil, err
	}
	leaf, err := state.LoadVoter(e, e.id, index)
	if err != nil {
		return nil, err
	}
	answer := struct {
		Height    int64           `json:"height"`
		RollIndex uint64          `json:"roll_index"`
		Status    string          `json:"status"`
		Ballot    *recordedBallot `json:"ballot,omitempty"`
	}{Height: e.Height(), RollIndex: index, Status: words("VOTER_", leaf.Status)}
	if len(leaf.Code) > 0 {
		answer.Ballot, err = s.ballotsOf(e).read(leaf.LogIndex)
	}
	return answer, err
}
