package gateway

import (
	_ "embed"
	"net/http"
)

// document describes everything that the gateway serves, in OpenAPI 3.1. Tests hold it against the routes and their answers.
//
//go:embed openapi.json
var document []byte

// openAPI serves GET /v1/openapi.json.
func (s *Server) openAPI(r *http.Request) (any, error) {
	if err := queryOf(r).done(); err != nil {
		return nil, err
	}
	return rawJSON(document), nil
}
