package gateway

import (
	"net/http"
	"strconv"

	"votenode/app/state"
	"votenode/client/readable"
	pb "votenode/proto/votenode/v1"
)

// pollingPlaces serves GET /v1/elections/{id}/polling-places?from=I&limit=N: the places of the manifest, in order, with what stands about each.
func (s *Server) pollingPlaces(r *http.Request) (any, error) {
	e, err := s.electionOf(r)
	if err != nil {
		return nil, err
	}
	answer := struct {
		Height int64                   `json:"height"`
		Open   uint32                  `json:"places_open"`
		Places []readable.PollingPlace `json:"polling_places"`
		Next   *uint64                 `json:"next,omitempty"`
	}{Height: e.Height(), Open: e.record.PlacesOpen}
	answer.Places, answer.Next, err = listPage(r, uint64(len(e.manifest.PollingPlaces)), func(i uint64) (readable.PollingPlace, int, error) {
		return e.pollingPlace(&e.manifest.PollingPlaces[i])
	})
	return answer, err
}

// pollingPlace returns a polling place, and about how many bytes it is.
func (e *shownElection) pollingPlace(p *pb.PollingPlace) (readable.PollingPlace, int, error) {
	standing, err := state.Load[pb.PaperPlace](e, state.PaperKey(e.id, p.Id))
	if err != nil || standing == nil {
		return readable.ShowPlace(p, nil, nil), escaped * len(p.Title), err
	}
	record, err := state.MustLoad[pb.ResolutionRecord](e, state.ResolutionKey(standing.Resolution))
	if err != nil {
		return readable.PollingPlace{}, 0, err
	}
	return readable.ShowPlace(p, standing, &record.Resolution), escaped * (len(p.Title) + record.Size()), nil
}

// extensions serves GET /v1/elections/{id}/extensions?after=K&limit=N, in order.
func (s *Server) extensions(r *http.Request) (any, error) {
	view, err := s.newest()
	if err != nil {
		return nil, err
	}
	height, list, next, err := electionRecords(s, r, "extension", func(rest string, x *pb.Extension) (readable.Extension, int, error) {
		n, err := strconv.Atoi(rest)
		if err != nil {
			return readable.Extension{}, 0, err
		}
		record, err := state.MustLoad[pb.ResolutionRecord](view, state.ResolutionKey(x.Resolution))
		if err != nil {
			return readable.Extension{}, 0, err
		}
		return readable.ShowExtension(n, x, record.Resolution.Reason), len(record.Resolution.Reason), nil
	})
	return struct {
		Height     int64                `json:"height"`
		Extensions []readable.Extension `json:"extensions"`
		Next       string               `json:"next,omitempty"`
	}{height, list, next}, err
}
