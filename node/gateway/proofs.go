package gateway

import (
	"encoding/hex"
	"errors"
	"net/http"

	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/prooffile"
)

// receipt serves GET /v1/receipt?election=E&code=C&certified=1&format=F&wait=S: the file of a receipt.
func (s *Server) receipt(r *http.Request) (any, error) {
	q := queryOf(r)
	id, digits, certified, format := q.text("election"), q.text("code"), q.number("certified", 0), q.text("format")
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
	return nil, bad("format is %q; it is json or protobuf", format)
}
