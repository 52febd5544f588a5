package gateway

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"

	"votenode/app/election"
	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
)

// What is served for people is a reading of the newest state, with its height, unproven: /v1/record and /v1/log prove the same. Hashes,
// keys, addresses and confirmation codes are hexadecimal digits, all other bytes base64. Long lists come in pages; `next` is
// what to ask for then, and absent at the end.

// digits are bytes that are shown in lower-case hexadecimal digits.
type digits []byte

// MarshalText implements encoding.TextMarshaler.
func (d digits) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(d)), nil }

// words returns the name of a value of an enumeration for people: without what all its names begin with, in small letters.
func words(prefix string, value fmt.Stringer) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(value.String(), prefix)), "_", " ")
}

// recordOf is a pointer to M that is a record.
type recordOf[M any] interface {
	*M
	election.Message
}

// recordPage reads one page of records of one kind: of those whose keys begin with prefix the first ones whose rest of the key is
// greater than after, at most limit, and fewer where they would be too long: show says of how many bytes of text, beside the record, what it
// shows is made. next is the rest of the last key where more follow.
func recordPage[M any, P recordOf[M], T any](view *state.Snapshot, prefix, after string, limit int, show func(rest string, m P) (shown T, beside int, err error)) (shown []T, next string, err error) {
	shown, bytes := []T{}, 0
	for _, key := range view.Keys(prefix, prefix+after, limit+1) {
		value, err := view.Record(key)
		if err != nil {
			return nil, "", err
		}
		if bytes += len(value); len(shown) == limit || bytes > maxAnswer && len(shown) > 0 {
			return shown, next, nil
		}
		m := P(new(M))
		if err := election.Decode(value, m); err != nil {
			return nil, "", fmt.Errorf("%w: record %q is %v", state.ErrCorrupted, key, err)
		}
		rest := strings.TrimPrefix(key, prefix)
		each, beside, err := show(rest, m)
		if err != nil {
			return nil, "", err
		}
		bytes += escaped * beside
		shown, next = append(shown, each), rest
	}
	return shown, "", nil
}

// askedPage is recordPage as a request asks for it: with after and limit.
func askedPage[M any, P recordOf[M], T any](r *http.Request, view *state.Snapshot, prefix string, show func(rest string, m P) (shown T, beside int, err error)) (shown []T, next string, err error) {
	q := queryOf(r)
	after, limit := q.text("after"), q.limit(maxRecords)
	if err := q.done(); err != nil {
		return nil, "", err
	}
	return recordPage(view, prefix, after, limit, show)
}

// nextOf returns where the next page of a list begins, nil where this one, which ends before end, is the last.
func nextOf(end, size uint64) *uint64 {
	if end >= size {
		return nil
	}
	return &end
}

// listPage reads the page of a list of so many entries that a request asks for: show is called for those at from and behind while what it
// has shown, bytes, is not too much.
func listPage[T any](r *http.Request, size uint64, show func(i uint64) (shown T, bytes int, err error)) (page []T, next *uint64, err error) {
	q := queryOf(r)
	from, limit := q.number("from", 0), q.limit(maxRecords)
	if err := q.done(); err != nil {
		return nil, nil, err
	}
	page, bytes := []T{}, 0
	for i := from; i < min(size, from+uint64(limit)) && bytes <= maxAnswer; i++ {
		each, n, err := show(i)
		if err != nil {
			return nil, nil, err
		}
		bytes += n
		page, next = append(page, each), nextOf(i+1, size)
	}
	return page, next, nil
}

// shownElection is an election in the newest state.
type shownElection struct {
	*state.Snapshot
	id       string
	record   *pb.Election
	manifest *pb.Manifest
}

// electionOf returns the election that the path names.
func (s *Server) electionOf(r *http.Request) (*shownElection, error) {
	view, err := s.newest()
	if err != nil {
		return nil, err
	}
	return s.loadElection(view, r.PathValue("id"))
}

func (s *Server) loadElection(view *state.Snapshot, id string) (*shownElection, error) {
	e, err := state.LoadElection(view, id)
	if err != nil {
		return nil, err
	}
	if e == nil {
		return nil, missing("there is no election %q", id)
	}
	manifest, err := s.source.App.App().Manifest(view, e)
	return &shownElection{view, id, e, manifest}, err
}

// contests is a page of something that there is for each contest of an election.
type contests[T any] struct {
	Contests []T     `json:"contests"`
	Next     *uint64 `json:"next,omitempty"`
}

// contestPage is listPage of the contests of an election.
func contestPage[T any](e *shownElection, r *http.Request, show func(contest uint32) (shown T, bytes int, err error)) (*contests[T], error) {
	list, next, err := listPage(r, uint64(len(e.manifest.Contests)), func(i uint64) (T, int, error) { return show(uint32(i)) })
	return &contests[T]{list, next}, err
}
