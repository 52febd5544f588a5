package gateway

import (
	"encoding/hex"
	"net/http"

	"votenode/app/election"
	"votenode/app/state"
)

// at returns the state of a height under a header that exists: one of the newest, or the newest certified one; 0 is the newest.
func (s *Server) at(height int64) (*state.Snapshot, error) {
	snapshot, err := s.source.App.Provable(height)
	if err == nil {
		return snapshot, nil
	}
	if h, _, kept, certErr := s.source.Certified(); certErr == nil && kept != nil && h == height {
		return kept, nil
	}
	return nil, err
}

// newest returns the newest state, for what is served without proof.
func (s *Server) newest() (*state.Snapshot, error) {
	if newest := s.source.App.Ledger().Newest(); newest != nil {
		return newest, nil
	}
	return nil, missing("the ledger has not begun")
}

// record serves GET /v1/record?key=K&height=H.
func (s *Server) record(r *http.Request) (any, error) {
	q := queryOf(r)
	key, height := q.needed("key"), q.height()
	if err := q.done(); err != nil {
		return nil, err
	}
	snapshot, err := s.at(height)
	if err != nil {
		return nil, err
	}
	proof, err := snapshot.ProveRecord(key)
	if err != nil {
		return nil, err
	}
	return struct {
		Height int64  `json:"height"`
		Proof  []byte `json:"proof"`
	}{snapshot.Height(), election.Encode(proof)}, nil
}

// keyed is a record without proof.
type keyed struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

// records serves GET /v1/records?prefix=P&after=K&limit=N.
func (s *Server) records(r *http.Request) (any, error) {
	q := queryOf(r)
	prefix, after, limit := q.text("prefix"), q.text("after"), q.number("limit", maxRecords)
	if err := q.done(); err != nil {
		return nil, err
	}
	snapshot, err := s.newest()
	if err != nil {
		return nil, err
	}
	answer := struct {
		Height  int64   `json:"height"`
		Records []keyed `json:"records"`
	}{snapshot.Height(), []keyed{}}
	bytes := 0
	for _, key := range snapshot.Keys(prefix, after, int(min(limit, maxRecords))) {
		value, err := snapshot.Record(key)
		if err != nil {
			return nil, err
		}
		if bytes += len(value); bytes > maxAnswer && len(answer.Records) > 0 {
			break
		}
		answer.Records = append(answer.Records, keyed{key, value})
	}
	return answer, nil
}

// logHead serves GET /v1/log/head?log=ID.
func (s *Server) logHead(r *http.Request) (any, error) {
	q := queryOf(r)
	log := q.needed("log")
	if err := q.done(); err != nil {
		return nil, err
	}
	snapshot, err := s.newest()
	if err != nil {
		return nil, err
	}
	head, err := snapshot.Head(log)
	if err != nil {
		return nil, err
	}
	return struct {
		Height int64  `json:"height"`
		Size   uint64 `json:"size"`
		Root   string `json:"root"`
	}{snapshot.Height(), head.Size, hex.EncodeToString(head.Root[:])}, nil
}

// logLeaves serves GET /v1/log/leaves?log=ID&from=A&to=B: from A on and below B, and fewer where that would be too much.
func (s *Server) logLeaves(r *http.Request) (any, error) {
	q := queryOf(r)
	log, from, to := q.needed("log"), q.required("from"), q.required("to")
	if err := q.done(); err != nil {
		return nil, err
	}
	snapshot, err := s.newest()
	if err != nil {
		return nil, err
	}
	head, err := snapshot.Head(log)
	if err != nil {
		return nil, err
	}
	to = min(to, head.Size, from+maxLeaves)
	leaves, bytes := [][]byte{}, 0
	for i := from; i < to; i++ {
		leaf, err := snapshot.Leaf(log, i)
		if err != nil {
			return nil, err
		}
		if bytes += len(leaf); bytes > maxAnswer && len(leaves) > 0 {
			break
		}
		leaves = append(leaves, leaf)
	}
	return struct {
		From   uint64   `json:"from"`
		Size   uint64   `json:"size"`
		Leaves [][]byte `json:"leaves"`
	}{from, head.Size, leaves}, nil
}

// path is a proof of a log.
type path struct {
	Path [][]byte `json:"path"`
}

func pathOf(hashes [][]byte, err error) (any, error) {
	if hashes == nil {
		hashes = [][]byte{}
	}
	return path{hashes}, err
}

// logInclusion serves GET /v1/log/inclusion?log=ID&index=I&size=N.
func (s *Server) logInclusion(r *http.Request) (any, error) {
	q := queryOf(r)
	log, index, size := q.needed("log"), q.required("index"), q.required("size")
	if err := q.done(); err != nil {
		return nil, err
	}
	snapshot, err := s.newest()
	if err != nil {
		return nil, err
	}
	return pathOf(snapshot.ProveInclusion(log, index, size))
}

// logConsistency serves GET /v1/log/consistency?log=ID&from=M&to=N.
func (s *Server) logConsistency(r *http.Request) (any, error) {
	q := queryOf(r)
	log, from, to := q.needed("log"), q.required("from"), q.required("to")
	if err := q.done(); err != nil {
		return nil, err
	}
	snapshot, err := s.newest()
	if err != nil {
		return nil, err
	}
	return pathOf(snapshot.ProveConsistency(log, from, to))
}

// voter serves GET /v1/voter?election=E&index=I&height=H.
func (s *Server) voter(r *http.Request) (any, error) {
	return s.treeLeaf(r, func(election string) string { return election })
}

// member serves GET /v1/member?election=E&index=I&height=H.
func (s *Server) member(r *http.Request) (any, error) { return s.treeLeaf(r, state.MembersTree) }

// treeLeaf proves a leaf of a tree over the roll of an election.
func (s *Server) treeLeaf(r *http.Request, tree func(election string) string) (any, error) {
	q := queryOf(r)
	id, index, height := q.needed("election"), q.required("index"), q.height()
	if err := q.done(); err != nil {
		return nil, err
	}
	if election.CheckID(id) != nil {
		return nil, missing("there is no election %q", id)
	}
	snapshot, err := s.at(height)
	if err != nil {
		return nil, err
	}
	id = tree(id)
	leaf, err := snapshot.Voter(id, index)
	if err != nil {
		return nil, err
	}
	hashes, err := snapshot.ProveVoter(id, index)
	if err != nil {
		return nil, err
	}
	return struct {
		Height int64    `json:"height"`
		Leaf   []byte   `json:"leaf"`
		Size   uint64   `json:"size"`
		Path   [][]byte `json:"path"`
	}{snapshot.Height(), append([]byte{}, leaf...), snapshot.Voters(id), hashes}, nil
}
