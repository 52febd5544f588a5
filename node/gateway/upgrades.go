package gateway

import (
	"net/http"

	"votenode/app"
	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
)

// upgrade is a protocol version with the last height under the one before, and the program that was agreed on.
type upgrade struct {
	Height  int64  `json:"height"`
	Version uint64 `json:"version"`
	Binary  digits `json:"binary"`
}

// upgrades serves GET /v1/upgrades: the version of the next height, and all upgrades.
func (s *Server) upgrades(r *http.Request) (any, error) {
	if err := queryOf(r).done(); err != nil {
		return nil, err
	}
	view, err := s.newest()
	if err != nil {
		return nil, err
	}
	answer := struct {
		Height   int64     `json:"height"`
		Version  uint64    `json:"version"`
		Upgrades []upgrade `json:"upgrades"`
	}{Height: view.Height(), Upgrades: []upgrade{}}
	if answer.Version, err = app.VersionAt(view, view.Height()+1); err != nil {
		return nil, err
	}
	record, err := state.Load[pb.Upgrades](view, state.KeyUpgrades)
	if err != nil || record == nil {
		return answer, err
	}
	for _, u := range record.Upgrades {
		answer.Upgrades = append(answer.Upgrades, upgrade{u.Height, u.Version, u.Binary})
	}
	return answer, nil
}
