package recount

import (
	"crypto/sha256"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"votenode/crypto/ballot"
	"votenode/crypto/threshold"
	"votenode/crypto/transcript"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/cells"
	"votenode/verify/recount/rules"
)

// election is one election as the recount knows it.
type election struct {
	id           string
	manifest     *pb.Manifest
	manifestHash [32]byte
	slots        int
	phase        pb.Phase
	opening      int64
	closing      int64

	owner     *election      // the one that has the roll, nil where it is its own
	districts map[string]int // styles by district, once asked for

	roll     *roll
	members  *cells.Cells // memberBytes each; nil before the roll was open to initiatives
	rollLog  log
	counts   pb.RollCounts // one number for each style
	sealed   bool
	rollRoot [32]byte
	barred   map[uint64]int64 // heights at which entries of the roll were revoked after voting

	ceremonies  []*ceremony // by organisation, sorted
	keys        []*threshold.OrganisationKey
	joint       []byte // P_j, encoded
	digest      [32]byte
	trial       pb.Trial
	trialShares map[pb.TrusteeRef]*pb.TrialShares
	trialPassed bool

	ballots   *ballot.Election
	ballotLog log
	spoiled   map[uint64]*pb.Spoiled

	sums     []*ballot.EncryptedTally // by contest, from the opening on
	partials map[part]*pb.Partial
	queue    []uint32
	tallying bool                              // decryption has begun
	results  []*pb.Result                      // by contest, nil before
	joined   map[uint32]*ballot.EncryptedTally // sums that are opened with those of others, by contest

	paper      map[string]*place       // about which a resolution stands, by id
	onPaper    map[uint32]bool         // contests of which there were totals
	paperSums  map[uint32]*pb.PaperSum // what stands on paper when decryption begins
	places     uint32                  // that were open at the closing
	extensions []*pb.Extension

	removed   []pb.RemovedCandidate // sorted
	lot       pb.Lot                // the present round
	ended     []pb.Lot              // the rounds before it, from the first on
	listQueue pb.ListQueue
	lists     map[uint32]*pb.List // by contest
}

func newElection(m *pb.Manifest, hash [32]byte, space *cells.Space) *election {
	return &election{
		id: m.Election, manifest: m, manifestHash: hash, slots: rules.Slots(m), opening: m.Opening, closing: m.Closing,
		roll: newRoll(space), counts: pb.RollCounts{Entries: make([]uint64, len(m.Styles)), Revoked: make([]uint64, len(m.Styles))}, trialShares: map[pb.TrusteeRef]*pb.TrialShares{},
		spoiled: map[uint64]*pb.Spoiled{}, partials: map[part]*pb.Partial{}, results: make([]*pb.Result, len(m.Contests)),
		lists: map[uint32]*pb.List{}, joined: map[uint32]*ballot.EncryptedTally{}, paper: map[string]*place{}, onPaper: map[uint32]bool{},
		barred: map[uint64]int64{},
	}
}

// alive are the phases of an election that is not over.
var alive = []pb.Phase{
	pb.PHASE_SETUP, pb.PHASE_KEY_CEREMONY, pb.PHASE_READY, pb.PHASE_VOTING, pb.PHASE_CLOSED, pb.PHASE_DECRYPTING,
}

func (e *election) over() bool { return e.phase == pb.PHASE_FINAL || e.phase == pb.PHASE_CANCELLED }

func (r *Recount) move(e *election, to pb.Phase) {
	e.phase = to
	r.moved = append(r.moved, e.id)
}

// moveByTime moves an election as far as block time takes it. Spec 8.3.
func (r *Recount) moveByTime(e *election) error {
	if e.opening != 0 && r.reached(e.opening) {
		switch e.phase {
		case pb.PHASE_SETUP, pb.PHASE_KEY_CEREMONY:
			e.opening, e.closing = 0, 0
		case pb.PHASE_READY:
			if e.manifest.OpenChoices {
				e.beginCount()
			} else {
				for i := range e.manifest.Contests {
					e.sums = append(e.sums, ballot.NewEncryptedTally(len(e.manifest.Contests[i].Options)))
				}
			}
			r.move(e, pb.PHASE_VOTING)
		}
	}
	if e.phase == pb.PHASE_VOTING && r.reached(e.closing) {
		e.places = uint32(len(e.manifest.PollingPlaces))
		if e.manifest.OpenChoices {
			r.move(e, pb.PHASE_FINAL)
			return r.endCount(e)
		}
		r.move(e, pb.PHASE_CLOSED)
	}
	if e.phase == pb.PHASE_CLOSED && int(e.places) == len(e.paper) && r.reached(e.closing+int64(e.manifest.ObjectionWindow)) {
		r.move(e, pb.PHASE_DECRYPTING)
		return r.beginTally(e)
	}
	return nil
}

// moveWhenReady: spec 8.2. An opening that has passed meanwhile is forgotten.
func (r *Recount) moveWhenReady(e *election) {
	made := e.phase == pb.PHASE_KEY_CEREMONY && e.trialPassed || e.phase == pb.PHASE_SETUP && e.manifest.OpenChoices
	if !made || !e.sealed || e.hasList() && e.lot.Committed == 0 {
		return
	}
	if e.opening != 0 && r.reached(e.opening) {
		e.opening, e.closing = 0, 0
	}
	r.move(e, pb.PHASE_READY)
}

// fix derives what all ballots share, once roll and keys are fixed. Spec 3.5.
func (r *Recount) fix(e *election) error {
	if e.ballots != nil || !e.sealed || e.keys == nil {
		return nil
	}
	points, err := threshold.ParsePoints(e.joint, e.slots)
	if err != nil {
		return contradiction("joint keys of %q: %v", e.id, err)
	}
	e.ballots, err = ballot.NewElection(ballot.Parameters{
		Chain: r.chain, Election: e.id, Manifest: e.manifestHash, RollRoot: e.rollRoot, KeyDigest: e.digest,
		Keys: points, Styles: rules.Styles(e.manifest),
	})
	if err != nil {
		return contradiction("election %q: %v", e.id, err)
	}
	return nil
}

// addRollEntries continues a roll. Spec 9.14.
func (r *Recount) addRollEntries(signer []byte, m *pb.AddRollEntries) error {
	if !r.isRegistrar(signer) {
		return refuse(codeNotAuthorised, "%x is no registrar's key", signer)
	}
	if len(m.Signatures) != len(r.organisations) {
		return refuse(codeNotCosigned, "%d signatures", len(m.Signatures))
	}
	for i, s := range m.Signatures {
		if !hasKey(r.organisations[i].Registrars, s.Key) {
			return refuse(codeNotCosigned, "signature %d is of no registrar of %q", i, r.organisations[i].Id)
		}
	}
	e, err := r.in(m.Election, pb.PHASE_SETUP, pb.PHASE_KEY_CEREMONY)
	if err != nil {
		return err
	}
	if e.sealed {
		return refuse(codeRollSealed, "the roll is sealed")
	}
	if held, err := e.holds(m); err != nil {
		return err
	} else if held {
		return refuse(codeAlreadyDone, "the roll holds these entries")
	}
	if m.First != e.roll.size {
		return refuse(codeRollGap, "the roll continues at %d", e.roll.size)
	}
	if e.roll.size+uint64(len(m.Entries)) > 1<<27 {
		return refuse(codeTooLarge, "a roll has at most %d entries", 1<<27)
	}
	fresh := map[[32]byte]bool{}
	for i := range m.Entries {
		entry := &m.Entries[i]
		key := [32]byte(entry.Key)
		if uint64(entry.Style) >= uint64(len(e.manifest.Styles)) {
			return refuse(codeUnknownStyle, "entry %d has an unknown style", i)
		}
		if _, err := ballot.ParsePublicKey(entry.Key); err != nil {
			return refuse(codeVoterKey, "entry %d: %v", i, err)
		}
		_, known, err := e.roll.keys.Find(entry.Key)
		if err != nil {
			return err
		}
		if known || fresh[key] {
			return refuse(codeVoterKeyTwice, "the key of entry %d stands twice", i)
		}
		fresh[key] = true
	}
	for i := range m.Entries {
		entry := &m.Entries[i]
		if err := e.roll.add(rollEntry{[32]byte(entry.Key), entry.Style}); err != nil {
			return err
		}
		e.rollLog.add(rules.Encode(entry))
		e.counts.Entries[entry.Style]++
	}
	return nil
}

// rollSigned asks for the signatures that a part of a roll carries. Spec 9.14.
func (r *Recount) rollSigned(m *pb.AddRollEntries) error {
	part := *m
	part.Signatures = nil
	// Frame("votenode/v1/roll-part", chain, part)
	message := transcript.Frame(transcript.LabelRollPart, []byte(r.chain), rules.Encode(&part))
	for i, s := range m.Signatures {
		if !ed25519.VerifyWithOptions(s.Key, message, s.Signature, zip215) {
			return refuse(codeBadSignature, "registrar's signature %d does not hold", i)
		}
	}
	return nil
}

// holds says whether the roll has these entries where they are to stand.
func (e *election) holds(m *pb.AddRollEntries) (bool, error) {
	if m.First > e.roll.size || uint64(len(m.Entries)) > e.roll.size-m.First {
		return false, nil
	}
	for i := range m.Entries {
		there, err := e.roll.entry(m.First + uint64(i))
		if err != nil || there != (rollEntry{[32]byte(m.Entries[i].Key), m.Entries[i].Style}) {
			return false, err
		}
	}
	return true, nil
}

// log is a Merkle log of which only the right edge is kept. Spec 5.1.
type log struct{ edge *compact.Range }

var factory = &compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}

func (l *log) add(leaf []byte) {
	if l.edge == nil {
		l.edge = factory.NewEmptyRange(0)
	}
	if err := l.edge.Append(rfc6962.DefaultHasher.HashLeaf(leaf), nil); err != nil {
		panic("recount: a log from 0 on always grows: " + err.Error())
	}
}

func (l *log) size() uint64 {
	if l.edge == nil {
		return 0
	}
	return l.edge.End()
}

func (l *log) root() [32]byte {
	if l.size() == 0 {
		return sha256.Sum256(nil)
	}
	root, err := l.edge.GetRootHash(nil)
	if err != nil {
		panic("recount: a log from 0 on has a root: " + err.Error())
	}
	return [32]byte(root)
}
