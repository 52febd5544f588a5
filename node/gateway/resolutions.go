package gateway

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"

	"votenode/app/state"
	"votenode/app/tx"
	"votenode/client/readable"
	pb "votenode/proto/votenode/v1"
)

// resolution tells people of a resolution.
type resolution struct {
	Hash string `json:"hash"`
	// Decision is the name of what it decides, as in the message Resolution.
	Decision string `json:"decision"`
	Reason   string `json:"reason"`
	// Status is open, waiting (approved, and waits for its block), effective, refused or expired; Code is the name of the code that
	// refused it.
	Status string `json:"status"`
	Code   string `json:"code,omitempty"`
	// Proposed, Expires and Decided are heights; Decided is 0 before the resolution took effect or was refused.
	Proposed  int64      `json:"proposed"`
	Expires   int64      `json:"expires"`
	Decided   int64      `json:"decided"`
	Approvals []approval `json:"approvals"`
	// Withdrawn are the keys of officers who took their approval back.
	Withdrawn []digits `json:"withdrawn"`
}

type approval struct {
	Organisation string `json:"organisation"`
	Officer      digits `json:"officer"`
}

func resolutionOf(view *state.Snapshot, hash string, record *pb.ResolutionRecord, waiting []string) resolution {
	shown := resolution{
		Hash: hash, Decision: readable.DecisionName(&record.Resolution), Reason: record.Resolution.Reason, Status: readable.StatusOf(record, view.Height()),
		Proposed: record.Proposed, Expires: record.Expires, Decided: record.Decided,
		Approvals: make([]approval, len(record.Approvals)), Withdrawn: make([]digits, len(record.Withdrawn)),
	}
	for i, a := range record.Approvals {
		shown.Approvals[i] = approval{a.Organisation, a.Officer}
	}
	for i, key := range record.Withdrawn {
		shown.Withdrawn[i] = key
	}
	switch {
	case record.Status == pb.RESOLUTION_REFUSED:
		shown.Code = tx.Code(record.Code).String()
	case shown.Status == readable.StatusOpen && slices.Contains(waiting, hash):
		shown.Status = "waiting"
	}
	return shown
}

// waitingOf returns the hashes of resolutions that are completely approved and not in effect yet.
func waitingOf(view *state.Snapshot) ([]string, error) {
	pending, err := state.MustLoad[pb.PendingResolutions](view, state.KeyPending)
	if err != nil {
		return nil, err
	}
	var hashes []string
	for _, hash := range pending.Hashes {
		hashes = append(hashes, hex.EncodeToString(hash))
	}
	return hashes, nil
}

// resolutions serves GET /v1/resolutions?after=HASH&limit=N, in order of the hash.
func (s *Server) resolutions(r *http.Request) (any, error) {
	view, err := s.newest()
	if err != nil {
		return nil, err
	}
	waiting, err := waitingOf(view)
	if err != nil {
		return nil, err
	}
	list, next, err := askedPage(r, view, state.ResolutionPrefix, func(hash string, record *pb.ResolutionRecord) (resolution, int, error) {
		return resolutionOf(view, hash, record, waiting), 0, nil
	})
	return struct {
		Height      int64        `json:"height"`
		Resolutions []resolution `json:"resolutions"`
		Next        string       `json:"next,omitempty"`
	}{view.Height(), list, next}, err
}

// resolution serves GET /v1/resolutions/{hash}: with all that it proposes.
func (s *Server) resolution(r *http.Request) (any, error) {
	if err := queryOf(r).done(); err != nil {
		return nil, err
	}
	hash, err := pathHash(r, "hash")
	if err != nil {
		return nil, err
	}
	view, err := s.newest()
	if err != nil {
		return nil, err
	}
	record, err := state.Load[pb.ResolutionRecord](view, state.ResolutionKey(hash[:]))
	if err != nil {
		return nil, err
	}
	if record == nil {
		return nil, missing("there is no resolution %x", hash)
	}
	waiting, err := waitingOf(view)
	if err != nil {
		return nil, err
	}
	return struct {
		Height int64 `json:"height"`
		resolution
		Resolution json.RawMessage `json:"resolution"`
	}{view.Height(), resolutionOf(view, hex.EncodeToString(hash[:]), record, waiting), readable.CompactMessage(&record.Resolution)}, nil
}
