package vectors

import (
	"encoding/json"
	"errors"

	"votenode/app/election"
	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
)

// refusedProofs are proofs that show nothing, each one change away from a good one. Spec 5.6.
type refusedProofs struct {
	Inclusion   []refusedInclusion   `json:"inclusion"`
	Consistency []refusedConsistency `json:"consistency"`
	Records     []refusedRecord      `json:"records"`
}

type refusedInclusion struct {
	Name string `json:"name"`
	inclusionVector
}

type refusedConsistency struct {
	Name string `json:"name"`
	consistencyVector
}

// refusedRecord is a proof that a key is present, or absent, in the state after a height, and does not show it.
type refusedRecord struct {
	Name    string          `json:"name"`
	Height  int64           `json:"height"`
	AppHash hexBytes        `json:"app_hash"`
	Key     string          `json:"key"`
	Present bool            `json:"present"`
	Proof   hexBytes        `json:"proof"`
	Fields  json.RawMessage `json:"fields"`
}

func (w *world) refusedProofs() *refusedProofs {
	return &refusedProofs{w.refusedInclusions(), w.refusedConsistencies(), w.refusedRecords()}
}

// refusedBy checks that our code refuses a proof.
func (w *world) refusedBy(name string, err error) {
	w.t.Helper()
	if !errors.Is(err, state.ErrProof) {
		w.t.Errorf("%s: %v", name, err)
	}
}

// leafAt returns a leaf of the roll.
func (w *world) leafAt(index uint64) []byte {
	return must(w.at(w.last()).Leaf(state.LogRoll(primary), index))
}

func (w *world) refusedInclusions() (list []refusedInclusion) {
	const size, index = 6, 2
	log, s := state.LogRoll(primary), w.at(w.last())
	var leaves []hexBytes
	for i := range uint64(size) {
		leaves = append(leaves, w.leafAt(i))
	}
	for _, c := range []struct {
		name   string
		leaf   uint64
		change func(p *inclusionVector)
	}{
		{"the place of the next leaf", index, func(p *inclusionVector) { p.Index++ }},
		{"a place behind the tree", index, func(p *inclusionVector) { p.Index = size }},
		{"another leaf", index + 1, func(p *inclusionVector) {}},
		{"another root", index, func(p *inclusionVector) { p.Root = root(leaves[:size-1]) }},
		{"a hash too many", index, func(p *inclusionVector) { p.Path = append(p.Path, p.Path[0]) }},
		{"a hash too few", index, func(p *inclusionVector) { p.Path = p.Path[:len(p.Path)-1] }},
		{"no hash", index, func(p *inclusionVector) { p.Path = []hexBytes{} }},
		{"two hashes exchanged", index, func(p *inclusionVector) { p.Path[0], p.Path[1] = p.Path[1], p.Path[0] }},
		{"a hash of 31 bytes", index, func(p *inclusionVector) { p.Path[0] = p.Path[0][1:] }},
	} {
		leaf := leaves[c.leaf]
		p := inclusionVector{log, 0, size, root(leaves), index, hash(append([]byte{0}, leaf...)), many(must(s.ProveInclusion(log, index, size)))}
		c.change(&p)
		w.refusedBy(c.name, state.VerifyInclusion(state.Head{Size: p.Size, Root: state.Hash(p.Root)}, p.Index, leaf, plain(p.Path)))
		list = append(list, refusedInclusion{c.name, p})
	}
	return list
}

// plain brings byte strings out of the type that stands as digits.
func plain(list []hexBytes) (out [][]byte) {
	for _, b := range list {
		out = append(out, b)
	}
	return out
}

func (w *world) refusedConsistencies() (list []refusedConsistency) {
	log, s := state.LogBlocks, w.at(w.last())
	var leaves []hexBytes
	for i := range uint64(14) {
		leaves = append(leaves, must(s.Leaf(log, i)))
	}
	other := root(leaves[:7])
	for _, c := range []struct {
		name      string
		old, size uint64
		change    func(p *consistencyVector)
	}{
		{"another old root", 6, 13, func(p *consistencyVector) { p.OldRoot = other }},
		{"another old root, of a power of two", 4, 13, func(p *consistencyVector) { p.OldRoot = other }},
		{"another new root", 6, 13, func(p *consistencyVector) { p.Root = other }},
		{"an old root that is the new one", 6, 13, func(p *consistencyVector) { p.OldRoot = p.Root }},
		{"a larger tree before a smaller one", 6, 13, func(p *consistencyVector) {
			p.OldSize, p.OldRoot, p.Size, p.Root = p.Size, p.Root, p.OldSize, p.OldRoot
		}},
		{"another old size", 6, 13, func(p *consistencyVector) { p.OldSize++ }},
		{"no hash between two sizes", 6, 13, func(p *consistencyVector) { p.Path = []hexBytes{} }},
		{"no hash, and an old size of a power of two", 8, 13, func(p *consistencyVector) { p.Path = []hexBytes{} }},
		{"a hash too many", 6, 13, func(p *consistencyVector) { p.Path = append(p.Path, p.Path[0]) }},
		{"a hash too few", 6, 13, func(p *consistencyVector) { p.Path = p.Path[:len(p.Path)-1] }},
		{"two hashes exchanged", 6, 13, func(p *consistencyVector) { p.Path[0], p.Path[1] = p.Path[1], p.Path[0] }},
		{"a hash of 31 bytes", 6, 13, func(p *consistencyVector) { p.Path[1] = p.Path[1][1:] }},
		{"one size with two roots", 6, 6, func(p *consistencyVector) { p.OldRoot = other }},
		{"one size with a hash", 6, 6, func(p *consistencyVector) { p.Path = []hexBytes{p.Root} }},
		{"an empty tree with a root", 6, 13, func(p *consistencyVector) { p.OldSize, p.Path = 0, []hexBytes{} }},
		{"an empty tree with a hash", 6, 13, func(p *consistencyVector) { p.OldSize, p.OldRoot = 0, root(nil) }},
	} {
		p := consistencyVector{log, c.old, root(leaves[:c.old]), c.size, root(leaves[:c.size]), many(must(s.ProveConsistency(log, c.old, c.size)))}
		c.change(&p)
		old, grown := state.Head{Size: p.OldSize, Root: state.Hash(p.OldRoot)}, state.Head{Size: p.Size, Root: state.Hash(p.Root)}
		w.refusedBy(c.name, state.VerifyConsistency(old, grown, plain(p.Path)))
		list = append(list, refusedConsistency{c.name, p})
	}
	return list
}

func (w *world) refusedRecords() (list []refusedRecord) {
	const height = 88
	s := w.at(height)
	prove := func(key string) *pb.RecordProof { return must(s.ProveRecord(key)) }
	asked := state.SpoiledKey(primary, 5)
	between, front, end := prove(asked), prove("!"), prove("~")
	if len(between.Leaves) != 2 || len(front.Leaves) != 1 || len(end.Leaves) != 1 {
		w.t.Fatal("the keys are not absent in the way that is meant")
	}
	left, right, first, last := between.Leaves[0], between.Leaves[1], front.Leaves[0], end.Leaves[0]
	absent := func(key string, leaves ...*pb.RecordLeaf) *pb.RecordProof {
		return &pb.RecordProof{Key: key, Leaves: leaves, Absent: true}
	}
	present := func(key string, leaves ...*pb.RecordLeaf) *pb.RecordProof {
		return &pb.RecordProof{Key: key, Leaves: leaves}
	}
	shown := func(key string, change func(l *pb.RecordLeaf)) *pb.RecordLeaf {
		l := prove(key).Leaves[0]
		change(l)
		return l
	}
	as := func(*pb.RecordLeaf) {}
	for _, c := range []struct {
		name, key string
		proof     *pb.RecordProof
	}{
		// Of absence: every leaf holds but where the name says otherwise.
		{"absent: two leaves with the record between them", left.Key, absent(left.Key, first, right)},
		{"absent: a leaf behind, that is not the first", left.Key, absent(left.Key, right)},
		{"absent: a leaf before, that is not the last", right.Key, absent(right.Key, left)},
		{"absent: the first leaf, before the key", left.Key, absent(left.Key, first)},
		{"absent: the last leaf, behind the key", right.Key, absent(right.Key, last)},
		{"absent: the first leaf, of the key", first.Key, absent(first.Key, first)},
		{"absent: the last leaf, of the key", last.Key, absent(last.Key, last)},
		{"absent: neighbours before the key", last.Key, absent(last.Key, left, right)},
		{"absent: neighbours behind the key", first.Key, absent(first.Key, left, right)},
		{"absent: neighbours, the first of the key", left.Key, absent(left.Key, left, right)},
		{"absent: neighbours, the second of the key", right.Key, absent(right.Key, left, right)},
		{"absent: neighbours exchanged", asked, absent(asked, right, left)},
		{"absent: one leaf twice", right.Key, absent(right.Key, left, left)},
		{"absent: a third leaf", asked, absent(asked, left, right, last)},
		{"absent: no leaf", left.Key, absent(left.Key)},
		{"absent: a neighbour that does not hold", asked, absent(asked, left, shown(right.Key, func(l *pb.RecordLeaf) { l.Value = hash(nil) }))},
		{"absent: a neighbour with its value", asked, absent(asked, shown(left.Key, as), right)},
		{"absent: another key is asked", left.Key, between},
		{"absent: the first and the last leaf", left.Key, absent(left.Key, first, last)},
		// Of presence.
		{"present: the leaf of another key", "chain", present("chain", shown("parameters", as))},
		{"present: another key is asked", "chain", prove("parameters")},
		{"present: no leaf", "chain", present("chain")},
		{"present: the leaf twice", "chain", present("chain", shown("chain", as), shown("chain", as))},
		{"present: another value", "chain", present("chain", shown("chain", func(l *pb.RecordLeaf) { l.Value[2] ^= 1 }))},
		{"present: the hash of the value", "chain", present("chain", shown("chain", func(l *pb.RecordLeaf) { l.Value = hash(l.Value) }))},
		{"present: another turn", "chain", present("chain", shown("chain", func(l *pb.RecordLeaf) { l.Turns ^= 1 }))},
		{"present: a turn behind the path", "chain", present("chain", shown("chain", func(l *pb.RecordLeaf) { l.Turns |= 1 << 40 }))},
		{"present: a hash too few", "chain", present("chain", shown("chain", func(l *pb.RecordLeaf) { l.Path = l.Path[:len(l.Path)-1] }))},
		{"present: a hash too many", "chain", present("chain", shown("chain", func(l *pb.RecordLeaf) { l.Path = append(l.Path, l.Path[0]) }))},
		{"present: said to be absent", left.Key, absent(left.Key, shown(left.Key, as))},
		{"present: a record that is not there", asked, present(asked, left)},
	} {
		appHash := s.AppHash()
		v := refusedRecord{
			Name: c.name, Height: height, AppHash: appHash[:], Key: c.key, Present: !c.proof.Absent, Proof: election.Encode(c.proof), Fields: fields(c.proof),
		}
		if v.Present {
			_, err := state.VerifyRecord(appHash, c.key, c.proof)
			w.refusedBy(c.name, err)
		} else {
			w.refusedBy(c.name, state.VerifyAbsence(appHash, c.key, c.proof))
		}
		list = append(list, v)
	}
	return list
}
