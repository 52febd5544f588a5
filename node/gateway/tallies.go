package gateway

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/client/readable"
	"votenode/crypto/group"
	pb "votenode/proto/votenode/v1"
)

// manifest serves GET /v1/elections/{id}/manifest?format=F: the rules, for people, or the bytes that were published and hashed.
func (s *Server) manifest(r *http.Request) (any, error) {
	q := queryOf(r)
	format := q.text("format")
	if err := q.done(); err != nil {
		return nil, err
	}
	e, err := s.electionOf(r)
	if err != nil {
		return nil, err
	}
	switch format {
	case "", "json":
		return struct {
			Hash     digits          `json:"hash"`
			Manifest json.RawMessage `json:"manifest"`
		}{e.record.Manifest, readable.CompactMessage(e.manifest)}, nil
	case "protobuf":
		return raw(election.Encode(e.manifest)), nil
	}
	return nil, errFormat(format)
}

// sum is the encrypted sum of a contest.
type sum struct {
	// Ballots are those that were added up.
	Ballots uint64 `json:"ballots"`
	// Nonces is A_0, Options are A_1 and the following, by option.
	Nonces  []byte   `json:"nonces"`
	Options [][]byte `json:"options"`
}

// loadSum returns the sum of a contest, nil before voting: then all sums are written, empty.
func loadSum(e *shownElection, contest uint32) (*sum, error) {
	return readSum(e, contest, state.SumKey(e.id, contest))
}

// readSum returns the sum in a record, nil where there is none.
func readSum(e *shownElection, contest uint32, key string) (*sum, error) {
	b, err := e.Record(key)
	if err != nil || b == nil {
		return nil, err
	}
	const counter = 8
	options := len(e.manifest.Contests[contest].Options)
	if len(b) != counter+group.PointSize*(1+options) {
		return nil, fmt.Errorf("%w: record %q has %d bytes for %d options", state.ErrCorrupted, key, len(b), options)
	}
	shown := &sum{Ballots: binary.BigEndian.Uint64(b), Nonces: b[counter : counter+group.PointSize]}
	for at := counter + group.PointSize; at < len(b); at += group.PointSize {
		shown.Options = append(shown.Options, b[at:at+group.PointSize])
	}
	return shown, nil
}

// tally is the encrypted sum of one contest.
type tally struct {
	Contest uint32 `json:"contest"`
	Title   string `json:"title"`
	*sum
	// Merged is the sum that is opened, of this contest and of those that are merged into it, where there are any.
	Merged *sum `json:"merged,omitempty"`
}

// tallies serves GET /v1/elections/{id}/tallies?from=I&limit=N: what is opened, as it was fixed at closing.
func (s *Server) tallies(r *http.Request) (any, error) {
	e, err := s.electionOf(r)
	if err != nil {
		return nil, err
	}
	if !e.closed() {
		return nil, missing("the sums of %q are fixed when it closes; its phase is %s", e.id, election.PhaseName(e.record.Phase))
	}
	if e.manifest.OpenChoices {
		return nil, missing("nothing is encrypted in %q; its counts are its results", e.id)
	}
	page, err := contestPage(e, r, func(i uint32) (tally, int, error) {
		fixed, err := loadSum(e, i)
		if err == nil && fixed == nil {
			err = fmt.Errorf("%w: record %q is missing", state.ErrCorrupted, state.SumKey(e.id, i))
		}
		if err != nil {
			return tally{}, 0, err
		}
		merged, err := readSum(e, i, state.MergedSumKey(e.id, i))
		return tally{i, e.manifest.Contests[i].Title, fixed, merged}, 2 * group.PointSize * len(fixed.Options), err
	})
	return struct {
		Height int64 `json:"height"`
		*contests[tally]
	}{e.Height(), page}, err
}

// partial is a trustee's part in opening one contest.
type partial struct {
	Contest uint32 `json:"contest"`
	seat
	Shares []byte `json:"shares"`
	Proof  []byte `json:"proof"`
}

// partials serves GET /v1/elections/{id}/partials?after=K&limit=N, by contest, organisation and trustee.
func (s *Server) partials(r *http.Request) (any, error) {
	height, list, next, err := electionRecords(s, r, "partial", func(rest string, p *pb.Partial) (partial, int, error) {
		number, rest, _ := strings.Cut(rest, "/")
		organisation, numbers, err := splitKey(rest, 1)
		if err != nil {
			return partial{}, 0, err
		}
		contest, err := strconv.ParseUint(number, 10, 32)
		return partial{uint32(contest), seat{organisation, numbers[0]}, p.Shares, p.Proof}, 0, err
	})
	return struct {
		Height   int64     `json:"height"`
		Partials []partial `json:"partials"`
		Next     string    `json:"next,omitempty"`
	}{height, list, next}, err
}
