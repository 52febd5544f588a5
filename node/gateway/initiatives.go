package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"votenode/app/state"
	"votenode/client"
	"votenode/client/readable"
	pb "votenode/proto/votenode/v1"
)

// posts reads a state as a client reads a certified one.
type posts struct {
	view  *state.Snapshot
	chain string
}

func (p posts) Chain() string { return p.chain }

func (p posts) Height() int64 { return p.view.Height() }

func (p posts) Record(_ context.Context, key string) ([]byte, error) { return p.view.Record(key) }

func (p posts) Leaf(_ context.Context, log string, index uint64) ([]byte, error) {
	return p.view.Leaf(log, index)
}

// newestPosts reads the newest state.
func (s *Server) newestPosts() (posts, error) {
	view, err := s.newest()
	return posts{view, s.source.Chain}, err
}

// initiatives serves GET /v1/initiatives?from=N&limit=L, by number.
func (s *Server) initiatives(r *http.Request) (any, error) {
	q := queryOf(r)
	from, limit := q.number("from", 0), q.limit(maxRecords)
	if err := q.done(); err != nil {
		return nil, err
	}
	p, err := s.newestPosts()
	if err != nil {
		return nil, err
	}
	open, err := state.Load[pb.Initiatives](p.view, state.KeyInitiatives)
	if err != nil {
		return nil, err
	}
	answer := struct {
		Height int64 `json:"height"`
		// Election is the one whose members publish, empty where there is none.
		Election    string                 `json:"election"`
		Initiatives []*readable.Initiative `json:"initiatives"`
		Next        *uint64                `json:"next,omitempty"`
	}{Height: p.Height(), Election: open.GetElection(), Initiatives: []*readable.Initiative{}}
	after := ""
	if from > 0 {
		after = state.InitiativeKey(from - 1)
	}
	bytes := 0
	for _, key := range p.view.Keys(state.InitiativePrefix, after, limit+1) {
		number, err := strconv.ParseUint(strings.TrimPrefix(key, state.InitiativePrefix), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%w: record %q: %w", state.ErrCorrupted, key, err)
		}
		if len(answer.Initiatives) == limit || bytes > maxAnswer {
			answer.Next = &number
			break
		}
		i, post, err := readable.LoadInitiative(r.Context(), p, number)
		if err != nil {
			return nil, err
		}
		bytes += len(post.Text) + escaped*(len(i.Title)+reasons(i.Answer, i.Removed)) // the text is read, and not shown
		answer.Initiatives = append(answer.Initiatives, i)
	}
	return answer, nil
}

// reasons counts the bytes of the reasons that are shown with a post.
func reasons(a *readable.Answer, r *readable.Removal) (n int) {
	if a != nil {
		n += len(a.Reason)
	}
	if r != nil {
		n += len(r.Reason)
	}
	return n
}

// maxOverdue is how many overdue answers a status names.
const maxOverdue = 100

// overdueAnswers returns the initiatives of which the answer is overdue, those that have waited longest first, and no more than maxOverdue.
func overdueAnswers(view *state.Snapshot) ([]uint64, error) {
	overdue := []uint64{}
	for _, key := range view.Keys(state.OwedPrefix, "", maxOverdue) {
		deadline, number, err := state.ParseOwedKey(key)
		if err != nil {
			return nil, fmt.Errorf("%w: record %q: %w", state.ErrCorrupted, key, err)
		}
		if deadline >= view.Height() {
			break
		}
		overdue = append(overdue, number)
	}
	return overdue, nil
}

// pathInitiative returns the initiative that the path names, in the newest state.
func (s *Server) pathInitiative(r *http.Request) (posts, *readable.Initiative, *readable.Post, error) {
	number, err := strconv.ParseUint(r.PathValue("number"), 10, 63)
	if err != nil {
		return posts{}, nil, nil, bad("%q is no number of an initiative", r.PathValue("number"))
	}
	p, err := s.newestPosts()
	if err != nil {
		return p, nil, nil, err
	}
	i, post, err := readable.LoadInitiative(r.Context(), p, number)
	if errors.Is(err, client.ErrAbsent) {
		err = missing("there is no initiative %d", number)
	}
	return p, i, post, err
}

// initiative serves GET /v1/initiatives/{number}?from=I&limit=N: with a page of its comments.
func (s *Server) initiative(r *http.Request) (any, error) {
	p, i, _, err := s.pathInitiative(r)
	if err != nil {
		return nil, err
	}
	answer := struct {
		Height int64 `json:"height"`
		*readable.Initiative
		List []*readable.Post `json:"comment_list"`
		Next *uint64          `json:"next,omitempty"`
	}{Height: p.Height(), Initiative: i}
	answer.List, answer.Next, err = listPage(r, i.Comments, func(at uint64) (*readable.Post, int, error) {
		comment, err := readable.LoadComment(r.Context(), p, i.Number, at)
		if err != nil {
			return nil, 0, err
		}
		return comment, escaped * (len(comment.Text) + reasons(nil, comment.Removed)), nil
	})
	return answer, err
}

// initiativeText serves GET /v1/initiatives/{number}/text: the Markdown as it is, never as anything that a browser runs.
func (s *Server) initiativeText(r *http.Request) (any, error) {
	if err := queryOf(r).done(); err != nil {
		return nil, err
	}
	_, _, post, err := s.pathInitiative(r)
	if err != nil {
		return nil, err
	}
	if post.Removed != nil {
		return nil, gone("%v", post.Removed)
	}
	return plain(post.Text), nil
}
