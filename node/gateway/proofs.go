package gateway

import (
	"encoding/hex"
	"errors"
	"io"
	"net/http"

	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/prooffile"
	"votenode/verify/slip"
)

// receipt serves GET /v1/receipt?election=E&code=C&certified=1&format=F&wait=S: the file of a receipt.
func (s *Server) receipt(r *http.Request) (any, error) {
	q := queryOf(r)
	id, digits, certified, format := q.needed("election"), q.text("code"), q.number("certified", 0), q.text("format")
	code, err := hex.DecodeString(digits)
	if err != nil || len(code) != 32 {
		return nil, bad("code is %q, which is no confirmation code: 64 hexadecimal digits", digits)
	}
	if certified > 1 {
		return nil, bad("certified is 0 or 1")
	}
	return s.poll(r, q, func() (any, error) {
		found, err := s.source.Receipt(id, code, certified == 1)
		if errors.Is(err, state.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return fileOf(prooffile.OfReceipt(found), format)
	})
}

// fileOf is a proof file in one of its two forms.
func fileOf(f *pb.ProofFile, format string) (any, error) {
	switch format {
	case "", "json":
		b, err := prooffile.JSON(f)
		return rawJSON(b), err
	case "protobuf":
		return raw(prooffile.Bytes(f)), nil
	}
	return nil, errFormat(format)
}

func errFormat(format string) error { return bad("format is %q; it is json or protobuf", format) }

// slip serves GET /v1/slips/{hash}: the slip that this node signed for a transaction.
func (s *Server) slip(r *http.Request) (any, error) {
	if err := queryOf(r).done(); err != nil {
		return nil, err
	}
	hash, err := pathHash(r, "hash")
	if err != nil {
		return nil, err
	}
	encoded, err := s.source.App.Slip(hash)
	if err != nil {
		return nil, err
	}
	if len(encoded) == 0 {
		return nil, missing("this node has promised nothing for %x", hash)
	}
	return struct {
		Slip []byte `json:"slip"`
	}{encoded}, nil
}

// slipCase serves POST /v1/slip-cases?format=F: the body is the file of a promise, the answer that of its case.
func (s *Server) slipCase(r *http.Request) (any, error) {
	q := queryOf(r)
	format := q.text("format")
	if err := q.done(); err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	f, err := prooffile.Parse(b)
	if err != nil {
		return nil, bad("the body: %v", err)
	}
	p, ok := f.Content.(*pb.ProofFile_Promise)
	if !ok {
		return nil, bad("the body is no promise")
	}
	found, err := s.source.SlipCase(p.Promise)
	switch {
	case errors.Is(err, slip.ErrEarly):
		return nil, missing("not yet: %v", err)
	case errors.Is(err, slip.ErrSlip):
		return nil, bad("%v", err)
	case err != nil:
		return nil, err
	}
	return fileOf(prooffile.OfSlipCase(found), format)
}
