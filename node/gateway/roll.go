package gateway

import (
	"net/http"

	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
)

// districtCount is how many entries of a roll have a ballot style.
type districtCount struct {
	Style    uint32 `json:"style"`
	District string `json:"district"`
	Entries  uint64 `json:"entries"`
	Revoked  uint64 `json:"revoked"`
}

// rollCounts serves GET /v1/elections/{id}/roll-counts?from=I&limit=N, by ballot style of the election that has the roll.
func (s *Server) rollCounts(r *http.Request) (any, error) {
	e, err := s.electionOf(r)
	if err != nil {
		return nil, err
	}
	if e.record.RollOf != "" {
		if e, err = s.loadElection(e.Snapshot, e.record.RollOf); err != nil {
			return nil, err
		}
	}
	counts, err := state.Load[pb.RollCounts](e, state.RollCountsKey(e.id))
	if err != nil {
		return nil, err
	}
	list, next, err := listPage(r, uint64(len(e.manifest.Styles)), func(i uint64) (districtCount, int, error) {
		each := districtCount{Style: uint32(i), District: e.manifest.Styles[i].District}
		if counts != nil {
			each.Entries, each.Revoked = counts.Entries[i], counts.Revoked[i]
		}
		return each, escaped * len(each.District), nil
	})
	return struct {
		Height    int64           `json:"height"`
		Sealed    bool            `json:"roll_sealed"`
		Districts []districtCount `json:"districts"`
		Next      *uint64         `json:"next,omitempty"`
	}{e.Height(), e.record.RollSealed, list, next}, err
}
