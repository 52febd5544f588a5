package gateway

import (
	"net"
	"net/http"
	"sync"
)

// endpoint answers one kind of request.
type endpoint func(r *http.Request) (any, error)

// unbounded are the patterns of what is not bounded here: it is asked when the node is at its limits, or bounded by itself.
func (s *Server) unbounded() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /healthz":       s.health,
		"GET /readyz":        s.ready,
		"GET /v1/events":     s.events,
		"POST /cometbft":     s.comet,
		"POST /cometbft/{$}": s.comet,
	}
}

// endpoints are the patterns of everything else, by the shares that bound how many are served at once. openapi.json describes each.
func (s *Server) endpoints() map[*shares]map[string]endpoint {
	return map[*shares]map[string]endpoint{
		s.polls: {
			"GET /v1/transactions/{hash}": s.transaction,
			"GET /v1/heights/{height}":    s.height,
			"GET /v1/receipt":             s.receipt,
		},
		s.cases: {
			"POST /v1/slip-cases": s.slipCase,
		},
		s.manifests: {
			"GET /v1/elections/{id}/manifest": s.manifest,
			"GET /v1/nominations/{id}":        s.nominationsByID,
		},
		s.large: {
			"GET /v1/records":         s.records,
			"GET /v1/log/leaves":      s.logLeaves,
			"GET /v1/blocks/{height}": s.block,
			"GET /v1/elections/{id}":  s.election,

			"GET /v1/organisations":           s.organisations,
			"GET /v1/signatures":              s.signatures,
			"GET /v1/evidence":                s.misbehaviours,
			"GET /v1/intake-reports":          s.intakeReports,
			"GET /v1/initiatives":             s.initiatives,
			"GET /v1/initiatives/{number}":    s.initiative,
			"GET /v1/resolutions":             s.resolutions,
			"GET /v1/elections/{id}/trustees": s.trustees,
			"GET /v1/elections/{id}/deals":    s.deals,
			"GET /v1/elections/{id}/keys":     s.keys,
			"GET /v1/elections/{id}/trial":    s.trial,
			"GET /v1/elections/{id}/turnout":  s.turnout,
			"GET /v1/elections/{id}/ballots":  s.ballots,
			"GET /v1/elections/{id}/tallies":  s.tallies,
			"GET /v1/elections/{id}/partials": s.partials,
			"GET /v1/elections/{id}/results":  s.results,

			"GET /v1/elections/{id}/lists":          s.lists,
			"GET /v1/elections/{id}/polling-places": s.pollingPlaces,
			"GET /v1/elections/{id}/extensions":     s.extensions,
			"GET /v1/elections/{id}/removed":        s.removed,
			"GET /v1/elections/{id}/roll-counts":    s.rollCounts,

			"GET /v1/nominations/{id}/applications": s.applications,
		},
		s.requests: {
			"GET /v1/status":           s.status,
			"GET /v1/genesis":          s.genesis,
			"POST /v1/transactions":    s.submit,
			"GET /v1/slips/{hash}":     s.slip,
			"GET /v1/record":           s.record,
			"GET /v1/log/head":         s.logHead,
			"GET /v1/log/inclusion":    s.logInclusion,
			"GET /v1/log/consistency":  s.logConsistency,
			"GET /v1/voter":            s.voter,
			"GET /v1/member":           s.member,
			"GET /v1/headers/{height}": s.header,
			"GET /v1/certified":        s.certified,
			"GET /v1/epochs":           s.epochs,
			"GET /v1/elections":        s.elections,
			"GET /v1/nominations":      s.allNominations,

			"GET /v1/openapi.json":                  s.openAPI,
			"GET /v1/organisations/{id}":            s.organisation,
			"GET /v1/validators":                    s.validatorSet,
			"GET /v1/upgrades":                      s.upgrades,
			"GET /v1/initiatives/{number}/text":     s.initiativeText,
			"GET /v1/resolutions/{hash}":            s.resolution,
			"GET /v1/elections/{id}/phases":         s.phases,
			"GET /v1/elections/{id}/lot":            s.lot,
			"GET /v1/elections/{id}/ballots/{code}": s.ballot,
			"GET /v1/elections/{id}/voters/{index}": s.place,
		},
	}
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range s.unbounded() {
		mux.HandleFunc(pattern, h)
	}
	for places, endpoints := range s.endpoints() {
		for pattern, e := range endpoints {
			mux.HandleFunc(pattern, s.bounded(places, e))
		}
	}
	return mux
}

// bounded serves an endpoint while there are places and the client has not too many requests, and no more. A place is taken until the
// answer is written, for that long it is in memory.
func (s *Server) bounded(places *shares, e endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		if !s.clients.enter(host) {
			s.answer(w, nil, &refusal{status: http.StatusTooManyRequests, after: 1, text: "too many requests at once from one address"})
			return
		}
		defer s.clients.leave(host)
		if !places.enter(host) {
			s.answer(w, nil, errBusy)
			return
		}
		defer places.leave(host)
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		answer, err := e(r)
		s.answer(w, answer, err)
	}
}

// clients counts the requests that are being served, by address, and remembers nothing else.
type clients struct {
	limit  int
	mu     sync.Mutex
	active map[string]int
}

func newClients(limit int) *clients { return &clients{limit: limit, active: map[string]int{}} }

// enter says whether one more request of an address may be served, and counts it.
func (c *clients) enter(host string) bool {
	if c.free(host) {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.active[host] >= c.limit {
		return false
	}
	c.active[host]++
	return true
}

func (c *clients) leave(host string) {
	if c.free(host) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.active[host]--; c.active[host] == 0 {
		delete(c.active, host)
	}
}

// free says whether an address is not counted.
func (c *clients) free(host string) bool { return c.limit == 0 || loopback(host) }
