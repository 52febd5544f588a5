package gateway

import (
	"encoding/hex"
	"net/http"
	"time"

	"votenode/app/election"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

// health serves GET /healthz: 200 where nothing is wrong, else 503.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	reasons, status := told(s.source.Health())
	writeJSON(w, status, struct {
		Healthy bool     `json:"healthy"`
		Reasons []string `json:"reasons"`
	}{len(reasons) == 0, reasons})
}

// ready serves GET /readyz: 200 where clients are taken, else 503.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	reasons, status := told(s.source.Ready())
	writeJSON(w, status, struct {
		Ready   bool     `json:"ready"`
		Reasons []string `json:"reasons"`
	}{len(reasons) == 0, reasons})
}

// told returns reasons as JSON wants them, and the status that goes with them.
func told(reasons []string) ([]string, int) {
	if len(reasons) > 0 {
		return reasons, http.StatusServiceUnavailable
	}
	return []string{}, http.StatusOK
}

// status is the answer of GET /v1/status.
type status struct {
	ChainID     string `json:"chain_id"`
	GenesisHash string `json:"genesis_hash"`
	// Node is the p2p id; Validator and Organisation are empty for an observer.
	Node         string    `json:"node"`
	Validator    string    `json:"validator"`
	Organisation string    `json:"organisation"`
	Height       int64     `json:"height"`
	Time         time.Time `json:"time"`
	AppHash      string    `json:"app_hash"`
	Certified    int64     `json:"certified_height"`
	CatchingUp   bool      `json:"catching_up"`
	Peers        int       `json:"peers"`
	Version      string    `json:"version"`
	// Alarms are what is wrong with the ledger as this node sees it.
	Alarms []string `json:"alarms"`
	// OverdueAnswers are initiatives that wait for their answer behind the deadline, at most 100.
	OverdueAnswers []uint64 `json:"overdue_answers"`
	// Pool is how many transactions wait for a block.
	Pool   int    `json:"pool"`
	Intake intake `json:"intake"`
	// Clocks are the validators' clock offsets, as they signed them.
	Clocks []Clock `json:"clocks"`
}

// intake counts what the node was asked to take in since it started.
type intake struct {
	Taken     uint64            `json:"taken"`
	FromPeers uint64            `json:"from_peers"`
	Refused   map[string]uint64 `json:"refused"`
	PoolBytes int               `json:"pool_bytes"`
	// Promised ballots that are not settled.
	Promised int `json:"promised"`
	// Verified ballots before they came into the pool.
	Verified uint64 `json:"verified"`
	// Prepare, Process and Finalize tell how the transactions of proposals and blocks were known.
	Prepare  lookups `json:"prepare"`
	Process  lookups `json:"process"`
	Finalize lookups `json:"finalize"`
}

// lookups is abci.Lookups.
type lookups struct {
	Pool       uint64 `json:"pool"`
	Remembered uint64 `json:"remembered"`
	Unseen     uint64 `json:"unseen"`
}

// status serves GET /v1/status.
func (s *Server) status(r *http.Request) (any, error) {
	if err := queryOf(r).done(); err != nil {
		return nil, err
	}
	return s.statusNow()
}

func (s *Server) statusNow() (*status, error) {
	tip := s.source.App.Tip()
	certified, _, _, err := s.source.Certified()
	if err != nil {
		return nil, err
	}
	validator, err := s.source.Validator()
	if err != nil {
		return nil, err
	}
	clocks, err := s.source.Clocks()
	if err != nil {
		return nil, err
	}
	in := s.source.App.Intake()
	refused := map[string]uint64{}
	for code, n := range in.Refused {
		refused[code.String()] = n
	}
	st := &status{
		ChainID: s.source.Chain, GenesisHash: hex.EncodeToString(s.source.GenesisHash[:]), Node: s.source.NodeID,
		Height: tip.Height, Time: time.Unix(0, tip.Time).UTC(), Certified: certified,
		CatchingUp: s.source.CatchingUp(), Peers: s.source.Peers(), Version: s.source.Version,
		Alarms: append([]string{}, s.source.Alarms()...), OverdueAnswers: []uint64{},
		Pool: in.Pending, Clocks: append([]Clock{}, clocks...),
		Intake: intake{
			in.Taken, in.FromPeers, refused, in.PendingBytes, in.Promised,
			in.Verified, lookups(in.Prepare), lookups(in.Process), lookups(in.Finalize),
		},
	}
	if validator != nil {
		st.Validator, st.Organisation = validator.Name, validator.Organisation
	}
	if newest := s.source.App.Ledger().Newest(); newest != nil {
		hash := newest.AppHash()
		st.AppHash = hex.EncodeToString(hash[:])
		if st.OverdueAnswers, err = overdueAnswers(newest); err != nil {
			return nil, err
		}
	}
	return st, nil
}

// genesis serves GET /v1/genesis.
func (s *Server) genesis(r *http.Request) (any, error) {
	if err := queryOf(r).done(); err != nil {
		return nil, err
	}
	return struct {
		Document  []byte `json:"document"`
		Approvals []byte `json:"approvals"`
	}{s.source.Document, append([]byte{}, s.source.Approvals...)}, nil
}

// height serves GET /v1/heights/{height}?wait=SECONDS.
func (s *Server) height(r *http.Request) (any, error) {
	height, err := pathNumber(r, "height")
	if err != nil {
		return nil, err
	}
	return s.poll(r, queryOf(r), func() (any, error) {
		if s.source.App.Tip().Height < height {
			return nil, nil
		}
		return s.statusNow()
	})
}

// SignedHeader returns the header of a height with the precommits for it that the next block carries. It fails with a 404 where
// the next block does not exist: what a node has seen beyond that differs from node to node.
func SignedHeader(blocks Blocks, height int64) (*pb.SignedHeader, error) {
	meta, commit := blocks.LoadBlockMeta(height), blocks.LoadBlockCommit(height)
	if meta == nil || commit == nil {
		return nil, missing("block %d, or the one after it, does not exist yet", height)
	}
	return certified.FromCommit(&meta.Header, commit)
}

// keeps refuses a block that this node will never have, because it began with a snapshot of a later state.
func (s *Server) keeps(height int64) error {
	if height < 1 || height > s.source.App.Tip().Height || s.source.Blocks.LoadBlockMeta(height) != nil {
		return nil
	}
	return gone("block %d is not kept here: this node began with a snapshot of a later state; ask another node", height)
}

// header serves GET /v1/headers/{height}.
func (s *Server) header(r *http.Request) (any, error) {
	if err := queryOf(r).done(); err != nil {
		return nil, err
	}
	height, err := pathNumber(r, "height")
	if err != nil {
		return nil, err
	}
	if err := s.keeps(height); err != nil {
		return nil, err
	}
	signed, err := SignedHeader(s.source.Blocks, height)
	if err != nil {
		return nil, err
	}
	return struct {
		SignedHeader []byte `json:"signed_header"`
	}{election.Encode(signed)}, nil
}

// certified serves GET /v1/certified.
func (s *Server) certified(r *http.Request) (any, error) {
	if err := queryOf(r).done(); err != nil {
		return nil, err
	}
	height, evidence, _, err := s.source.Certified()
	if err != nil {
		return nil, err
	}
	if height == 0 {
		return nil, missing("no height is certified yet")
	}
	return struct {
		Height int64  `json:"height"`
		State  []byte `json:"state"`
	}{height, election.Encode(evidence)}, nil
}

// epochs serves GET /v1/epochs.
func (s *Server) epochs(r *http.Request) (any, error) {
	if err := queryOf(r).done(); err != nil {
		return nil, err
	}
	proofs, err := s.source.Epochs()
	if err != nil {
		return nil, err
	}
	encoded := make([][]byte, len(proofs))
	for i, p := range proofs {
		encoded[i] = election.Encode(p)
	}
	return struct {
		Proofs [][]byte `json:"proofs"`
	}{encoded}, nil
}

// block serves GET /v1/blocks/{height}.
func (s *Server) block(r *http.Request) (any, error) {
	if err := queryOf(r).done(); err != nil {
		return nil, err
	}
	height, err := pathNumber(r, "height")
	if err != nil {
		return nil, err
	}
	if err := s.keeps(height); err != nil {
		return nil, err
	}
	block := s.source.Blocks.LoadBlock(height)
	if block == nil {
		return nil, missing("block %d does not exist yet", height)
	}
	message, err := block.ToProto()
	if err != nil {
		return nil, err
	}
	b, err := message.Marshal()
	return raw(b), err
}
