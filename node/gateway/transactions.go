package gateway

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"votenode/abci"
	"votenode/app/tx"
)

// submission is the body of POST /v1/transactions.
type submission struct {
	Transactions [][]byte `json:"transactions"`
}

// admissions answers it.
type admissions struct {
	Results []outcome `json:"results"`
	full    bool
}

// retryAfter implements what answer looks for: whoever was told "later" by code is told when by the header.
func (a admissions) retryAfter() int {
	if a.full {
		return 1
	}
	return 0
}

// outcome is what is told of one transaction.
type outcome struct {
	Hash   string `json:"hash"`
	Height *int64 `json:"height,omitempty"`
	Index  *int   `json:"index,omitempty"`
	Code   uint32 `json:"code"`
	Name   string `json:"name"`
	// Message says what was found and what to do; of a ballot that waits, why it is not promised.
	Message string `json:"message"`
	// Slip is the acceptance slip that this node signed for a ballot.
	Slip []byte `json:"slip,omitempty"`
}

func outcomeOf(hash [32]byte, code tx.Code, detail string) outcome {
	o := outcome{Hash: hex.EncodeToString(hash[:]), Code: uint32(code), Name: code.String()}
	if o.Message = detail; code != tx.CodeOK {
		o.Message = fmt.Sprintf("%s; %s", detail, code.Advice())
	}
	return o
}

// submit serves POST /v1/transactions: the path of CheckTx for each, in order.
func (s *Server) submit(r *http.Request) (any, error) {
	if err := queryOf(r).done(); err != nil {
		return nil, err
	}
	if s.source.CatchingUp() {
		return nil, errCatchingUp
	}
	if r.ContentLength < 0 {
		return nil, &refusal{status: http.StatusLengthRequired, text: "the request must say its length"}
	}
	body, free, err := s.read(r)
	defer free()
	if err != nil {
		return nil, err
	}
	transactions, err := parseSubmission(body)
	if err != nil {
		return nil, err
	}
	// Whoever hangs up keeps the place until the answer is there: otherwise hanging up would be a way around all bounds; and a ballot
	// counts whether its bearer's connection lasts or not.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), submitTimeout)
	defer cancel()
	found, err := s.source.App.Submit(ctx, sourceOf(r), transactions...)
	if err != nil {
		return nil, err
	}
	if err := s.passOn(ctx, transactions, found); err != nil {
		return nil, err
	}
	answer := admissions{Results: make([]outcome, len(found))}
	for i, a := range found {
		answer.Results[i] = outcomeOf(a.Hash, a.Code, a.Detail)
		answer.Results[i].Slip = a.Slip
		answer.full = answer.full || a.Code >= tx.CodeRetryLater
	}
	return answer, nil
}

// passOn gets slips for the ballots that this node has taken, where it is no validator.
func (s *Server) passOn(ctx context.Context, transactions [][]byte, found []abci.Admission) error {
	validator, err := s.source.Validator()
	if err != nil || validator != nil || len(s.validators) == 0 {
		return err
	}
	var ballots [][]byte
	var at []int
	for i, a := range found {
		if parsed, err := tx.Parse(transactions[i]); err == nil && parsed.Kind().Casts() && a.Code == tx.CodeOK && a.Slip == nil {
			ballots, at = append(ballots, transactions[i]), append(at, i)
		}
	}
	if len(ballots) == 0 {
		return nil
	}
	for i, slip := range s.source.PassOn(ctx, ballots) {
		if slip != nil {
			found[at[i]].Slip, found[at[i]].Detail = slip, ""
		}
	}
	return nil
}

// read reads the body of a request while all bodies together have room. What a body takes of it is what has come, not what it says that it
// will be: otherwise a few requests that send nothing would keep everybody out. free gives the room back; it is never nil.
func (s *Server) read(r *http.Request) (body []byte, free func(), err error) {
	held := int64(0)
	free = func() { s.bodies.Release(held) }
	for {
		if len(body) == cap(body) {
			more := int64(max(minBody, len(body)))
			if !s.bodies.TryAcquire(more) {
				return nil, free, errBusy
			}
			held += more
			body = append(make([]byte, 0, held), body...)
		}
		n, err := r.Body.Read(body[len(body):cap(body)])
		switch body = body[:len(body)+n]; {
		case err == io.EOF:
			return body, free, nil
		case errors.As(err, new(*http.MaxBytesError)):
			return nil, free, err
		case err != nil:
			return nil, free, bad("the body does not come to its end: %v", err)
		}
	}
}

func parseSubmission(b []byte) ([][]byte, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var body submission
	if err := d.Decode(&body); err != nil {
		return nil, bad("the body is no {\"transactions\": [base64, ...]}: %v", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, bad("something follows the body")
	}
	if n := len(body.Transactions); n == 0 || n > maxTransactions {
		return nil, bad("the body has %d transactions; 1 to %d are taken", n, maxTransactions)
	}
	return body.Transactions, nil
}

// transaction serves GET /v1/transactions/{hash}?wait=SECONDS.
func (s *Server) transaction(r *http.Request) (any, error) {
	hash, err := pathHash(r, "hash")
	if err != nil {
		return nil, err
	}
	return s.poll(r, queryOf(r), func() (any, error) {
		result, ok := s.source.App.Results().Find(hash)
		if !ok {
			return nil, nil
		}
		o := outcomeOf(hash, result.Code, result.Detail)
		index := int(result.Index)
		o.Height, o.Index = &result.Height, &index
		return o, nil
	})
}
