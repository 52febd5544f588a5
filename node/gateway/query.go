package gateway

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"votenode/abci"
)

// query reads the parameters of a request; the first that is missing or malformed is kept in err. Unknown ones are refused, so
// that a misspelt name is not taken for its default.
type query struct {
	values url.Values
	known  map[string]bool
	err    error
}

func queryOf(r *http.Request) *query {
	q := &query{known: map[string]bool{}}
	var err error
	if q.values, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		q.err = bad("the parameters of the request: %v", err)
	}
	return q
}

func (q *query) text(name string) string {
	q.known[name] = true
	return q.values.Get(name)
}

// number reads a number; a missing one is the fallback.
func (q *query) number(name string, fallback uint64) uint64 {
	text := q.text(name)
	if text == "" {
		return fallback
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil && q.err == nil {
		q.err = bad("%s is %q, which is no number", name, text)
	}
	return n
}

// needed reads a text that must be given.
func (q *query) needed(name string) string {
	text := q.text(name)
	if text == "" && q.err == nil {
		q.err = bad("%s is missing", name)
	}
	return text
}

// required reads a number that must be given.
func (q *query) required(name string) uint64 {
	q.needed(name)
	return q.number(name, 0)
}

func (q *query) height() int64 { return int64(q.number("height", 0)) }

// key reads a key, 64 hexadecimal digits; nil where it is not given.
func (q *query) key(name string) []byte {
	text := q.text(name)
	if text == "" {
		return nil
	}
	key, err := abci.ParseHash(text)
	if err != nil && q.err == nil {
		q.err = bad("%s: %v", name, err)
	}
	return key[:]
}

// limit reads how many of a page are wanted, 1 to greatest; more are cut to that.
func (q *query) limit(greatest uint64) int {
	n := q.number("limit", greatest)
	if n == 0 && q.err == nil {
		q.err = bad("limit is at least 1")
	}
	return int(min(n, greatest))
}

// done returns the first error.
func (q *query) done() error {
	for name, values := range q.values {
		if q.err == nil && (!q.known[name] || len(values) != 1) {
			q.err = bad("there is no parameter %q, or it is given twice", name)
		}
	}
	return q.err
}

// pathNumber reads a number in the path.
func pathNumber(r *http.Request, name string) (int64, error) {
	n, err := strconv.ParseInt(r.PathValue(name), 10, 64)
	if err != nil || n < 1 {
		return 0, bad("%q is no %s", r.PathValue(name), name)
	}
	return n, nil
}

// pathHash reads a hash in the path, 64 hexadecimal digits.
func pathHash(r *http.Request, name string) ([32]byte, error) {
	hash, err := abci.ParseHash(r.PathValue(name))
	if err != nil {
		return hash, bad("%s: %v", name, err)
	}
	return hash, nil
}

// poll asks look after every commit until it finds something or the time is over, at most maxWait seconds. It does not sleep. The
// other parameters of the request have been read from q.
func (s *Server) poll(r *http.Request, q *query, look func() (any, error)) (any, error) {
	seconds := q.number("wait", 0)
	if err := q.done(); err != nil {
		return nil, err
	}
	if seconds > maxWait {
		return nil, bad("wait is at most %d seconds", maxWait)
	}
	ctx, cancel := context.WithTimeout(r.Context(), time.Duration(seconds)*time.Second)
	defer cancel()
	for {
		advanced := s.source.App.Advanced()
		if answer, err := look(); answer != nil || err != nil {
			return answer, err
		}
		select {
		case <-advanced:
		case <-s.stop:
			return nil, missing("not yet, and the node stops")
		case <-ctx.Done():
			return nil, missing("not yet")
		}
	}
}
