package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	cmtjson "github.com/cometbft/cometbft/libs/json"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
)

// The gateway answers the part of CometBFT's JSON-RPC that CometBFT's light client asks for, so that stock tools verify this ledger
// (docs/spec 7.10). CometBFT's own server is not started: it has no limits, and serves much that no outsider needs.

const (
	maxCometBody = 512 << 10       // bytes of a request, the evidence in it included
	maxCometID   = 64              // bytes of a request's id
	cometWait    = 3 * time.Second // for a height that is about to come; CometBFT's light client gives up after 5
	cometAhead   = 2               // how many heights may be about to come
)

// cometMethod answers one method. It reads its parameters first, and asks done of them before it does anything.
type cometMethod func(ctx context.Context, p *cometParams) (any, error)

func (s *Server) cometMethods() map[string]cometMethod {
	return map[string]cometMethod{
		"health":             s.cometHealth,
		"status":             s.cometStatus,
		"genesis":            s.cometGenesis,
		"header":             s.cometHeader,
		"commit":             s.cometCommit,
		"validators":         s.cometValidators,
		"block":              s.cometBlock,
		"abci_info":          s.cometInfo,
		"abci_query":         s.cometQuery,
		"broadcast_evidence": s.cometEvidence,
	}
}

// comet serves POST /cometbft. It is bounded as polls are, and a large answer keeps its place among those until it is written.
func (s *Server) comet(w http.ResponseWriter, r *http.Request) {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	large := &place{among: s.large, host: host}
	defer large.leave()
	s.bounded(s.polls, func(r *http.Request) (any, error) { return s.call(r, large) })(w, r)
}

// call answers a request of JSON-RPC. What is wrong with it, or not there, is told in a JSON-RPC response, as CometBFT does; a full gateway
// says so by the status, as everywhere else.
func (s *Server) call(r *http.Request, large *place) (any, error) {
	if err := queryOf(r).done(); err != nil {
		return nil, err
	}
	r.Body = http.MaxBytesReader(nil, r.Body, maxCometBody)
	body, free, err := s.read(r)
	defer free()
	if err != nil {
		return nil, err
	}
	call, err := parseCometCall(body)
	if err != nil {
		return cometAnswer(rpctypes.RPCInvalidRequestError(nil, err))
	}
	method := s.cometMethods()[call.Method]
	if method == nil {
		err := fmt.Errorf("this gateway has no method %q; docs/spec 7.10 lists those that it has", call.Method)
		return cometAnswer(rpctypes.NewRPCErrorResponse(call.ID, -32601, "Method not found", err.Error()))
	}
	call.params.large = large
	result, err := method(r.Context(), &call.params)
	var refused *refusal
	switch {
	case err == nil:
		return cometAnswer(rpctypes.NewRPCSuccessResponse(call.ID, result))
	case !errors.As(err, &refused) || refused.status == http.StatusServiceUnavailable:
		return nil, err
	case refused.status == http.StatusBadRequest:
		return cometAnswer(rpctypes.RPCInvalidParamsError(call.ID, err))
	}
	return cometAnswer(rpctypes.RPCInternalError(call.ID, err))
}

func cometAnswer(response rpctypes.RPCResponse) (any, error) {
	b, err := json.Marshal(response)
	return rawJSON(b), err
}

// cometCall is a request.
type cometCall struct {
	rpctypes.RPCRequest // but for its parameters
	params              cometParams
}

// parseCometCall reads one request, no batch: a batch would be a way around the bound on requests.
func parseCometCall(b []byte) (*cometCall, error) {
	var body struct {
		Version string                     `json:"jsonrpc"`
		ID      json.RawMessage            `json:"id"`
		Method  string                     `json:"method"`
		Params  map[string]json.RawMessage `json:"params"`
	}
	if first := bytes.TrimLeft(b, " \t\r\n"); len(first) > 0 && first[0] == '[' {
		return nil, errors.New("batches are not served; send one request at a time")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil {
		return nil, fmt.Errorf("the body is no {\"jsonrpc\": \"2.0\", \"id\", \"method\", \"params\": {...}}: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows the request")
	}
	if body.Version != "2.0" {
		return nil, fmt.Errorf("jsonrpc is %.20q; it is 2.0", body.Version)
	}
	c := &cometCall{RPCRequest: rpctypes.RPCRequest{Method: body.Method}, params: cometParams{values: body.Params}}
	var text string
	if n, err := strconv.ParseInt(string(body.ID), 10, 64); err == nil {
		c.ID = rpctypes.JSONRPCIntID(n)
	} else if err := json.Unmarshal(body.ID, &text); err == nil && len(body.ID) <= maxCometID && text != "" {
		c.ID = rpctypes.JSONRPCStringID(text)
	} else {
		return nil, fmt.Errorf("the id is an integer, or a text of at most %d bytes; what has none is not answered", maxCometID)
	}
	return c, nil
}

// cometParams are the parameters of a request by name, in CometBFT's JSON: numbers of 64 bits are texts. The first that is malformed is
// kept in err.
type cometParams struct {
	values map[string]json.RawMessage
	err    error
	large  *place // for whoever has a large answer to take
}

// take reads a parameter, and says whether it is there.
func (p *cometParams) take(name string, v any) bool {
	raw, ok := p.values[name]
	delete(p.values, name)
	if !ok || string(raw) == "null" {
		return false
	}
	if err := cmtjson.Unmarshal(raw, v); err != nil && p.err == nil {
		p.err = bad("%s cannot be read: %v", name, err)
	}
	return true
}

// done returns the first error; an unknown parameter is one.
func (p *cometParams) done() error {
	for name := range p.values {
		if p.err == nil {
			p.err = bad("there is no parameter %.40q here", name)
		}
	}
	return p.err
}
