package gateway

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/cometbft/cometbft/crypto/merkle"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
)

// askForAbsence: that a record does not exist and that a voter has no ballot is proven under the AppHash of the next header.
func askForAbsence(w *world, e *rehearsal.Election) {
	var r struct {
		Height int64
		Proof  []byte
	}
	prove := func(key string) (state.Hash, *pb.RecordProof) {
		w.get("/v1/record?key="+key, &r)
		p := new(pb.RecordProof)
		if err := election.Decode(r.Proof, p); err != nil {
			w.Fatal(err)
		}
		return state.Hash(e.BlockAt(r.Height + 1).AppHash), p
	}
	for _, key := range []string{"election/none", "!", "~", "election/primary/spoiled/0000000000", "resolution/" + strings.Repeat("0", 64)} {
		hash, p := prove(key)
		if err := state.VerifyAbsence(hash, key, p); err != nil {
			w.Errorf("%s: %v", key, err)
		}
	}
	var v struct {
		Height int64
		Leaf   []byte
		Size   uint64
		Path   [][]byte
	}
	w.get("/v1/voter?election=primary&index=6", &v)
	hash, p := prove(state.VotersKey("primary"))
	head, err := state.ParseHead(must(state.VerifyRecord(hash, state.VotersKey("primary"), p)))
	if err != nil || v.Height != r.Height || head.Size != v.Size || len(v.Leaf) != 0 {
		w.Fatal(err, v)
	}
	if err := state.VerifyInclusion(head, 6, v.Leaf, v.Path); err != nil {
		w.Error(err)
	}
}

// askForLogs: inclusion and consistency hold between any two sizes.
func askForLogs(w *world, e *rehearsal.Election) {
	for _, log := range []string{state.LogBlocks, state.LogBallots("primary")} {
		var all struct {
			From, Size uint64
			Leaves     [][]byte
		}
		w.get("/v1/log/leaves?log="+log+"&from=0&to=1000000", &all)
		head := func(size uint64) state.Head {
			return state.Head{Size: size, Root: state.Hash(merkle.HashFromByteSlices(all.Leaves[:size]))}
		}
		sizes := []uint64{0, 1, 2, 3, 4, 5, 6, 7}
		if all.Size > 8 {
			sizes = append(sizes, 31, 32, all.Size-1, all.Size)
		}
		for _, n := range sizes {
			for _, m := range sizes {
				if m > n {
					w.refused(http.StatusNotFound, fmt.Sprintf("/v1/log/consistency?log=%s&from=%d&to=%d", log, m, n))
					w.refused(http.StatusNotFound, fmt.Sprintf("/v1/log/inclusion?log=%s&index=%d&size=%d", log, m, n))
					continue
				}
				var p struct{ Path [][]byte }
				w.get(fmt.Sprintf("/v1/log/consistency?log=%s&from=%d&to=%d", log, m, n), &p)
				if err := state.VerifyConsistency(head(m), head(n), p.Path); err != nil {
					w.Errorf("%s: %d to %d: %v", log, m, n, err)
				}
				if m == n {
					continue
				}
				w.get(fmt.Sprintf("/v1/log/inclusion?log=%s&index=%d&size=%d", log, m, n), &p)
				if err := state.VerifyInclusion(head(n), m, all.Leaves[m], p.Path); err != nil {
					w.Errorf("%s: leaf %d of %d: %v", log, m, n, err)
				}
			}
		}
		w.refused(http.StatusNotFound, fmt.Sprintf("/v1/log/consistency?log=%s&from=0&to=%d", log, all.Size+1))
	}
	var p struct{ Path [][]byte }
	w.get("/v1/log/consistency?log=none&from=0&to=0", &p)
	w.refused(http.StatusNotFound, "/v1/log/consistency?log=none&from=0&to=1")
	w.refused(http.StatusBadRequest, "/v1/log/head")
}
