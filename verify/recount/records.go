package recount

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"votenode/crypto/threshold"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/recount/rules"
)

// Subject says what a record is about.
type Subject int

// The subjects.
const (
	// Ledger: parties, validators, parameters, documents, initiatives, the blocks log.
	Ledger Subject = iota
	// Elections: resolutions, the list of elections, and the record of each.
	Elections
	Rolls
	Keys
	// Ballots: ballot logs, voters' trees, what is spoiled.
	Ballots
	Sums
	// Tally: partial decryptions and results.
	Tally
	// Lists: lots and lists.
	Lists
)

// Emit takes a record: its subject, its key of spec 5.2, and the value that it must have.
type Emit func(subject Subject, key string, value []byte)

// All tells every record of the ledger. The error is the file system's.
func (r *Recount) All(emit Emit) error {
	r.partyRecords(emit)
	r.documentRecords(emit)
	r.resolutionRecords(emit)
	head(emit, Ledger, "log/blocks", &r.blocks)
	r.reportRecords(emit)
	r.nominationRecords(emit)
	r.initiativeRecords(emit)
	for _, e := range r.elections {
		if err := r.Records(e.id, emit); err != nil {
			return err
		}
	}
	return nil
}

// Root returns the AppHash of the state by this count: the root over all records. Spec 5.3. The error is the file system's.
func (r *Recount) Root() ([32]byte, error) {
	hashes := map[string][32]byte{}
	if err := r.All(func(_ Subject, key string, value []byte) { hashes[key] = sha256.Sum256(value) }); err != nil {
		return [32]byte{}, err
	}
	var tree log
	for _, key := range slices.Sorted(maps.Keys(hashes)) {
		hash := hashes[key]
		leaf := append(binary.AppendUvarint(nil, uint64(len(key))), key...)
		tree.add(append(append(leaf, 32), hash[:]...))
	}
	return tree.root(), nil
}

// resolutionRecords tells the records about resolutions, the list of elections, and the digests of all keys.
func (r *Recount) resolutionRecords(emit Emit) {
	for hash, record := range r.resolutions {
		emit(Elections, fmt.Sprintf("resolution/%x", hash), rules.Encode(record))
	}
	for officer, acts := range r.acts {
		emit(Ledger, fmt.Sprintf("officer/%x", officer), rules.Encode(&acts))
	}
	pending := new(pb.PendingResolutions)
	for _, hash := range r.pending {
		pending.Hashes = append(pending.Hashes, hash[:])
	}
	emit(Elections, "resolutions/pending", rules.Encode(pending))
	emit(Elections, "elections", rules.Encode(&pb.ElectionList{Ids: r.Elections()}))
	for digest, id := range r.digests {
		emit(Keys, fmt.Sprintf("key-digest/%x", digest), []byte(id))
	}
}

// Records tells all records about one election. The error is the file system's.
func (r *Recount) Records(id string, emit Emit) error {
	e := r.byID[id]
	if e == nil {
		return nil
	}
	at := "election/" + id
	emit(Elections, at, rules.Encode(e.record()))
	head(emit, Rolls, "log/"+at+"/roll", &e.rollLog)
	if e.roll.size > 0 && e.owner == nil {
		emit(Rolls, at+"/roll-counts", rules.Encode(&e.counts))
	}
	for index, height := range e.barred {
		emit(Rolls, fmt.Sprintf("%s/barred/%010d", at, index), rules.Encode(&pb.Barred{Height: height}))
	}
	e.keyRecords(at, emit)
	if err := e.ballotRecords(at, emit); err != nil {
		return err
	}
	for contest, sum := range e.sums {
		emit(Sums, fmt.Sprintf("%s/sum/%05d", at, contest), sum.Bytes())
	}
	for contest, sum := range e.joined {
		emit(Sums, fmt.Sprintf("%s/merged-sum/%05d", at, contest), sum.Bytes())
	}
	e.paperRecords(at, emit)
	for i, x := range e.extensions {
		emit(Elections, fmt.Sprintf("%s/extension/%03d", at, i+1), rules.Encode(x))
	}
	for p, partial := range e.partials {
		emit(Tally, fmt.Sprintf("%s/partial/%05d/%s/%05d", at, p.contest, p.organisation, p.index), rules.Encode(partial))
	}
	if len(e.removed) > 0 {
		emit(Elections, at+"/removed", rules.Encode(&pb.RemovedCandidates{Removed: e.removed}))
	}
	if len(e.queue) > 0 {
		emit(Tally, at+"/tally-queue", rules.Encode(&pb.TallyQueue{Contests: e.queue}))
	}
	e.listRecords(at, emit)
	for contest, result := range e.results {
		if result != nil {
			emit(Tally, fmt.Sprintf("%s/result/%05d", at, contest), rules.Encode(result))
		}
	}
	return nil
}

// record returns the record of the election itself.
func (e *election) record() *pb.Election {
	out := &pb.Election{Phase: e.phase, Manifest: e.manifestHash[:], Opening: e.opening, Closing: e.closing, TrialPassed: e.trialPassed}
	if e.sealed {
		out.RollSealed, out.RollSize, out.RollRoot = true, e.roll.size, e.rollRoot[:]
	}
	if e.owner != nil {
		out.RollOf = e.owner.id
	}
	if e.keys != nil {
		out.KeyDigest = e.digest[:]
	}
	if e.tallying {
		out.ContestsOpen = e.undecided()
	}
	if e.places > 0 {
		out.PlacesOpen = e.places - uint32(len(e.paper))
	}
	return out
}

// head tells the head of a log that has leaves. Spec 5.1.
func head(emit Emit, subject Subject, key string, l *log) {
	if l.size() > 0 {
		root := l.root()
		emit(subject, key, append(binary.BigEndian.AppendUint64(nil, l.size()), root[:]...))
	}
}

func (e *election) keyRecords(at string, emit Emit) {
	for _, c := range e.ceremonies {
		emit(Keys, at+"/ceremony/"+c.organisation, rules.Encode(&c.record))
		for d, deal := range c.deals {
			emit(Keys, fmt.Sprintf("%s/deal/%s/%05d/%05d", at, c.organisation, d.attempt, d.index), rules.Encode(deal))
		}
	}
	if e.keys == nil {
		return
	}
	keys := &pb.ElectionKeys{Keys: e.joint}
	for _, k := range e.keys {
		o := pb.OrganisationKeys{Organisation: k.Organisation, Quorum: uint32(k.Quorum), Keys: threshold.PointsBytes(k.Keys)}
		for _, t := range k.Trustees {
			o.Trustees = append(o.Trustees, pb.TrusteeKeys{Index: t.Index, Keys: threshold.PointsBytes(t.Keys)})
		}
		keys.Organisations = append(keys.Organisations, o)
	}
	emit(Keys, at+"/keys", rules.Encode(keys))
	emit(Keys, at+"/trial", rules.Encode(&e.trial))
	for ref, shares := range e.trialShares {
		emit(Keys, fmt.Sprintf("%s/trial/%s/%05d", at, ref.Organisation, ref.Index), rules.Encode(shares))
	}
}

func (e *election) ballotRecords(at string, emit Emit) error {
	head(emit, Ballots, "log/"+at+"/ballots", &e.ballotLog)
	for index, s := range e.spoiled {
		emit(Ballots, fmt.Sprintf("%s/spoiled/%010d", at, index), rules.Encode(s))
	}
	if !e.sealed {
		return nil
	}
	var tree log
	err := e.roll.eachVoter(func(_ uint64, v voter) error {
		tree.add(v.leaf())
		return nil
	})
	head(emit, Ballots, at+"/voters", &tree)
	if err == nil && e.members != nil {
		err = e.memberRecord(at, emit)
	}
	return err
}
