package vectors

import (
	"encoding/json"

	"votenode/app/election"
	"votenode/app/state"
)

// proofsFile is proofs.json: section 5.6.
type proofsFile struct {
	Comment     string              `json:"comment"`
	Inclusion   []inclusionVector   `json:"inclusion"`
	Consistency []consistencyVector `json:"consistency"`
	Voters      []inclusionVector   `json:"voters"`
	Records     []recordProofVector `json:"records"`
}

// inclusionVector shows that a leaf, by H(0x00 || leaf), stands at an index of a tree.
type inclusionVector struct {
	// Tree is the id of a log; of a voters' tree the election, with the height of the state.
	Tree     string     `json:"tree"`
	Height   int64      `json:"height,omitempty"`
	Size     uint64     `json:"size"`
	Root     hexBytes   `json:"root"`
	Index    uint64     `json:"index"`
	LeafHash hexBytes   `json:"leaf_hash"`
	Path     []hexBytes `json:"path"`
}

type consistencyVector struct {
	Tree    string     `json:"tree"`
	OldSize uint64     `json:"old_size"`
	OldRoot hexBytes   `json:"old_root"`
	Size    uint64     `json:"size"`
	Root    hexBytes   `json:"root"`
	Path    []hexBytes `json:"path"`
}

// recordProofVector shows a record, or its absence, in the state after a height. Index and Total are what CometBFT's operator `simple:v`
// asks for besides (spec 5.3).
type recordProofVector struct {
	Height  int64           `json:"height"`
	AppHash hexBytes        `json:"app_hash"`
	Key     string          `json:"key"`
	Present bool            `json:"present"`
	Index   *uint64         `json:"index,omitempty"`
	Total   *uint64         `json:"total,omitempty"`
	Proof   hexBytes        `json:"proof"`
	Fields  json.RawMessage `json:"fields"`
}

// sizes are those between which proofs of a log are shown.
var sizes = map[string][]uint64{
	state.LogBlocks:           {1, 2, 3, 6, 8, 13, 32, 33, 64, 88},
	state.LogRoll(primary):    {1, 2, 3, 4, 5, 6, 7, 8},
	state.LogBallots(primary): {1, 2, 3, 4, 5, 6, 7},
}

// shownRecords are the records that are proven, or proven to be absent, in some states.
var (
	shownRecords = []string{
		"a", "chain", "validators", state.LogKey(state.LogBlocks), state.LogKey(state.LogBallots(primary)), state.ElectionKey(primary),
		state.VotersKey(primary), state.SpoiledKey(primary, 4), state.ResultKey(primary, 1), "zzz",
	}
	shownHeights = []int64{0, 1, 34, 48, 88}
)

func (w *world) proofsFile() any {
	f := &proofsFile{Comment: "inclusion and consistency of logs, leaves of the voters' tree, presence and absence of records: section 5.6"}
	for _, log := range []string{state.LogBlocks, state.LogRoll(primary), state.LogBallots(primary)} {
		w.logProofs(f, log)
	}
	for _, h := range []int64{33, 46, w.last()} {
		s := w.at(h)
		head := must(state.ParseHead(must(s.Record(state.VotersKey(primary)))))
		for i := range head.Size {
			leaf := must(s.Voter(primary, i))
			f.Voters = append(f.Voters, inclusionVector{
				primary, h, head.Size, head.Root[:], i, hash(append([]byte{0}, leaf...)), many(must(s.ProveVoter(primary, i))),
			})
		}
	}
	for _, h := range shownHeights {
		for _, key := range shownRecords {
			f.Records = append(f.Records, w.recordProof(h, key))
		}
	}
	return f
}

func (w *world) logProofs(f *proofsFile, log string) {
	s := w.at(w.last())
	var leaves []hexBytes
	w.must(s.Leaves(log, 0, must(s.Head(log)).Size, func(_ uint64, leaf []byte) error {
		leaves = append(leaves, leaf)
		return nil
	}))
	for i, size := range sizes[log] {
		at := root(leaves[:size])
		for _, index := range []uint64{0, size / 2, size - 1} {
			f.Inclusion = append(f.Inclusion, inclusionVector{
				log, 0, size, at, index, hash(append([]byte{0}, leaves[index]...)), many(must(s.ProveInclusion(log, index, size))),
			})
			if size < 3 {
				break
			}
		}
		for _, old := range sizes[log][:i+1] {
			f.Consistency = append(f.Consistency, consistencyVector{log, old, root(leaves[:old]), size, at, many(must(s.ProveConsistency(log, old, size)))})
		}
	}
}

func (w *world) recordProof(height int64, key string) recordProofVector {
	s := w.at(height)
	p := must(s.ProveRecord(key))
	appHash := s.AppHash()
	v := recordProofVector{
		Height: height, AppHash: appHash[:], Key: key, Present: !p.Absent, Proof: election.Encode(p), Fields: fields(p),
	}
	if v.Present {
		index, total, err := s.Place(key)
		w.must(err)
		v.Index, v.Total = &index, &total
	}
	return v
}
