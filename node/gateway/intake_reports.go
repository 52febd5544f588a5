package gateway

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"

	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// intakeReport is a validator's report of what its node was asked to take in.
type intakeReport struct {
	LogIndex uint64 `json:"log_index"`
	// Recorded is the height of the block that brought it, Height that at which it was due.
	Recorded int64 `json:"recorded"`
	Height   int64 `json:"height"`
	// Organisation and Validator are absent where this node cannot name them.
	Organisation string `json:"organisation,omitempty"`
	Validator    string `json:"validator,omitempty"`
	SlipKey      digits `json:"slip_key"`
	// Start is the number of the start of the node since which it counts.
	Start     uint64            `json:"start"`
	Taken     uint64            `json:"taken"`
	FromPeers uint64            `json:"from_peers"`
	Verified  uint64            `json:"verified"`
	Slips     uint64            `json:"slips"`
	Refused   map[string]uint64 `json:"refused"`
}

// reportReader reads the log of reports. It is for one goroutine.
type reportReader struct {
	heights
	known sets
	low   int64 // no report that is still to be read stands in a block before it
	size  uint64
	bytes int // of the reports that were read
}

// cost is how many bytes of both logs were read.
func (r *reportReader) cost() int { return r.bytes + r.heights.bytes }

// read returns a report of the log. Indices ascend from one call to the next.
func (r *reportReader) read(index uint64) (*intakeReport, error) {
	leaf, err := r.Leaf(state.LogIntake, index)
	if err != nil {
		return nil, err
	}
	parsed, err := tx.Parse(leaf)
	if err != nil {
		return nil, fmt.Errorf("%w: leaf %d of %s: %w", state.ErrCorrupted, index, state.LogIntake, err)
	}
	m, ok := parsed.Body().(*pb.ReportIntake)
	if !ok {
		return nil, fmt.Errorf("%w: leaf %d of %s is no report", state.ErrCorrupted, index, state.LogIntake)
	}
	if r.low, err = r.recorded(r.low, state.LogIntake, index); err != nil {
		return nil, err
	}
	r.bytes += len(leaf)
	shown := &intakeReport{
		LogIndex: index, Recorded: r.low, Height: m.Height, SlipKey: parsed.Signer(), Start: m.Start,
		Taken: m.Taken, FromPeers: m.FromPeers, Verified: m.Verified, Slips: m.Slips, Refused: map[string]uint64{},
	}
	for _, c := range m.Refused {
		shown.Refused[tx.Code(c.Code).String()] = c.Count
	}
	if set := r.known.at(r.low); set != nil {
		if at := slices.IndexFunc(set.Validators, func(v pb.Validator) bool { return bytes.Equal(v.SlipKey, shown.SlipKey) }); at >= 0 {
			shown.Organisation, shown.Validator = set.Validators[at].Organisation, set.Validators[at].Name
		}
	}
	return shown, nil
}

// through returns how many reports the log had after a height.
func (r *reportReader) through(height int64) (uint64, error) {
	if height >= r.Height() {
		return r.size, nil
	}
	if height < 1 {
		return 0, nil
	}
	leaf, err := r.leaf(height)
	if err != nil {
		return 0, err
	}
	for _, l := range leaf.Logs {
		if l.Log == state.LogIntake {
			return l.Size_, nil
		}
	}
	return 0, nil
}

func (s *Server) reportsOf(view *state.Snapshot) (*reportReader, error) {
	known, err := s.setsOf(view)
	if err != nil {
		return nil, err
	}
	head, err := view.Head(state.LogIntake)
	return &reportReader{heights: heights{Snapshot: view}, known: known, low: 1, size: head.Size}, err
}

// intakeReports serves GET /v1/intake-reports?from=I&limit=N&since=H&until=H&slip_key=K: a page of the log of reports, of those that came
// in the blocks since to until, and of the validator with a slip key.
func (s *Server) intakeReports(r *http.Request) (any, error) {
	q := queryOf(r)
	from, limit := q.number("from", 0), q.limit(maxRecords)
	since, until := int64(q.number("since", 1)), int64(q.number("until", 1<<62))
	signer := q.key("slip_key")
	if err := q.done(); err != nil {
		return nil, err
	}
	view, err := s.newest()
	if err != nil {
		return nil, err
	}
	reader, err := s.reportsOf(view)
	if err != nil {
		return nil, err
	}
	begin, err := reader.through(since - 1)
	if err != nil {
		return nil, err
	}
	end, err := reader.through(until)
	if err != nil {
		return nil, err
	}
	answer := struct {
		Height  int64           `json:"height"`
		Size    uint64          `json:"size"`
		Reports []*intakeReport `json:"reports"`
		Next    *uint64         `json:"next,omitempty"`
	}{Height: view.Height(), Size: reader.size, Reports: []*intakeReport{}}
	for i := max(from, begin); i < end && len(answer.Reports) < limit && reader.cost() <= maxAnswer; i++ {
		each, err := reader.read(i)
		if err != nil {
			return nil, err
		}
		if signer == nil || bytes.Equal(each.SlipKey, signer) {
			answer.Reports = append(answer.Reports, each)
		}
		answer.Next = nextOf(i+1, end)
	}
	return answer, nil
}
