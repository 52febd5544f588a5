package recount

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"votenode/crypto/ballot"
	"votenode/crypto/threshold"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/cells"
	"votenode/verify/recount/rules"
)

// ErrContradiction says that the recount cannot go on: what it was told contradicts what it knows.
var ErrContradiction = errors.New("contradiction")

// Recount is the second count on its way. It belongs to one goroutine but for Statement and VoterKey, which may be asked by several between two blocks.
type Recount struct {
	chain      string
	genesis    [32]byte
	space      *cells.Space
	recorded   func(election string, index uint64) ([]byte, error)
	height     int64
	now        int64 // block time, unix nanoseconds
	parameters pb.Parameters

	organisations []pb.Organisation // sorted by id
	present, next pb.ValidatorEpoch // next has number 0 unless announced
	keys          map[string]*pb.ValidatorKey
	misbehaviour  map[string]*pb.Misbehaviour // by key of the record
	blocks        log
	upgrades      []pb.UpgradeSoftware // the last one may be ahead
	reports       log
	reported      map[string]*pb.LastIntake  // by consensus key
	history       map[string][]pb.LastIntake // reports that an extension may ask for, by slip key, oldest first
	windows       map[int64]*pb.Signing      // by number, those that the ledger keeps
	initiatives   initiatives

	documents   map[[32]byte]*document
	uploads     map[upload]*document
	acts        map[[32]byte]pb.OfficerActs // by officer
	resolutions map[[32]byte]*pb.ResolutionRecord
	pending     [][32]byte

	elections   []*election // in order of creation
	byID        map[string]*election
	nominations []*nominations      // in order of opening
	digests     map[[32]byte]string // elections by key digest
	moved       []string            // elections whose phase has changed in this block
	logs        *threshold.LogTable
	parts       bool   // partial decryptions took effect in this block
	combined    uint64 // what the contests combined at the end of this block cost
	formed      int    // lists formed at the end of this block
	searched    uint64 // the greatest count for which logs is large enough
}

// New starts a recount from a genesis document that keeps the rules. recorded returns a transaction of an election's ballot log by its
// index, as this block or an earlier one brought it; it is asked for ballots that are superseded or revoked. What grows with rolls lies in
// space.
func New(doc *pb.Genesis, recorded func(election string, index uint64) ([]byte, error), space *cells.Space) *Recount {
	r := &Recount{
		chain: doc.ChainId, genesis: sha256.Sum256(rules.Encode(doc)), space: space, recorded: recorded, parameters: doc.Parameters,
		present: pb.ValidatorEpoch{Number: 1, FirstHeight: 1}, keys: map[string]*pb.ValidatorKey{}, misbehaviour: map[string]*pb.Misbehaviour{}, reported: map[string]*pb.LastIntake{},
		history: map[string][]pb.LastIntake{}, windows: map[int64]*pb.Signing{},
		documents: map[[32]byte]*document{}, uploads: map[upload]*document{}, acts: map[[32]byte]pb.OfficerActs{}, resolutions: map[[32]byte]*pb.ResolutionRecord{},
		byID: map[string]*election{}, digests: map[[32]byte]string{}, initiatives: newInitiatives(),
	}
	for i := range doc.Organisations {
		r.organisations = append(r.organisations, doc.Organisations[i].Organisation)
		r.present.Validators = append(r.present.Validators, doc.Organisations[i].Validators...)
	}
	slices.SortFunc(r.present.Validators, func(a, b pb.Validator) int { return bytes.Compare(a.Key, b.Key) })
	r.register(r.present.Validators)
	return r
}

// Block is a block for the recount.
type Block struct {
	Height int64
	// Time of the header, unix nanoseconds.
	Time int64
	// Hash of the header.
	Hash [32]byte
	Txs  [][]byte
	// Verdicts holds for every transaction that casts a ballot what came of its signature and proof over the statement that this
	// recount has given.
	Verdicts []Verdict
	// Signers are the addresses of those whose precommits for the block before stand in LastCommit.
	Signers map[[20]byte]bool
	// Evidence is what the block carries, one entry for each validator that it names.
	Evidence []Evidence
}

// Verdict is what came of checking signature and proof of a ballot.
type Verdict struct {
	// Ballot is the decoded ballot, nil where signature or proof do not hold.
	Ballot *ballot.EncryptedBallot
	// Code says why not. It is of no account where the statement of the ballot is not known yet.
	Code uint32
}

// Evidence says that a validator broke the rules of consensus.
type Evidence struct {
	Address [20]byte
	Type    uint32
	Height  int64
	// Time is that of the offence, unix nanoseconds.
	Time int64
}

// Block counts a block. It returns for each transaction why it had no effect, nil where it took effect; see Code. An error is
// ErrContradiction or comes from recorded or the file system; the recount is over then. Spec 9.1.
func (r *Recount) Block(b *Block) (refusals []error, err error) {
	before := r.now
	r.height, r.now, r.moved = b.Height, b.Time, nil
	r.parts, r.combined, r.formed = false, 0, 0
	for _, e := range b.Evidence {
		r.misbehaviour[fmt.Sprintf("misbehaviour/%012d/%x", e.Height, e.Address)] = &pb.Misbehaviour{Type: e.Type, Time: e.Time, Reported: b.Height}
	}
	r.sawSigners(b.Signers, before)
	r.beginEpoch()
	for _, e := range r.elections {
		if !e.over() {
			if err := r.moveByTime(e); err != nil {
				return nil, err
			}
		}
	}
	r.formManifests()
	refusals = make([]error, len(b.Txs))
	for i, raw := range b.Txs {
		err := r.transaction(b.Verdicts[i], raw)
		var refused *refusal
		if err != nil && !errors.As(err, &refused) {
			return nil, fmt.Errorf("transaction %d: %w", i, err)
		}
		refusals[i] = err
	}
	if err := r.decide(b.Signers); err != nil {
		return nil, err
	}
	attested := r.attested(b.Signers)
	for _, e := range r.elections {
		if e.over() {
			continue
		}
		if err := r.advance(e); err != nil {
			return nil, fmt.Errorf("election %q: %w", e.id, err)
		}
		r.advanceLists(e, b.Hash, attested)
	}
	r.blocks.add(rules.Encode(&pb.BlockLeaf{Height: b.Height, Time: b.Time, HeaderHash: b.Hash[:], Logs: r.sizes()}))
	return refusals, nil
}

// sizes returns the sizes of the logs of all elections, those without a leaf too, and of the logs of reports and of initiatives where they
// have one, sorted by log id. Spec 9.6.
func (r *Recount) sizes() []pb.LogSize {
	var list []pb.LogSize
	if n := r.reports.size(); n > 0 {
		list = append(list, pb.LogSize{Log: "intake", Size_: n})
	}
	if n := r.initiatives.log.size(); n > 0 {
		list = append(list, pb.LogSize{Log: "initiatives", Size_: n})
	}
	for _, e := range r.elections {
		for name, l := range map[string]*log{"ballots": &e.ballotLog, "roll": &e.rollLog} {
			list = append(list, pb.LogSize{Log: "election/" + e.id + "/" + name, Size_: l.size()})
		}
	}
	slices.SortFunc(list, func(a, b pb.LogSize) int { return cmp.Compare(a.Log, b.Log) })
	return list
}

// advance does what the end of a block does for an election. Spec 9.1, step 6.
func (r *Recount) advance(e *election) error {
	if err := r.advanceCeremony(e); err != nil {
		return err
	}
	if err := r.fix(e); err != nil {
		return err
	}
	if err := r.advanceTrial(e); err != nil {
		return err
	}
	r.moveWhenReady(e)
	return r.advanceTally(e)
}

// Moved returns the elections whose phase the last block changed.
func (r *Recount) Moved() []string { return r.moved }

// Elections returns the ids of all elections, in order of creation.
func (r *Recount) Elections() []string {
	ids := make([]string, len(r.elections))
	for i, e := range r.elections {
		ids[i] = e.id
	}
	return ids
}

// Statement says what the ballots of an election are checked against, as far as it is known.
type Statement struct {
	// Known says that there is such an election, Sealed that its roll is fixed.
	Known, Sealed bool
	// Ballots is what the ballots of the election share, nil before roll and keys are fixed.
	Ballots *ballot.Election
}

// Statement returns what is known of an election's ballots.
func (r *Recount) Statement(id string) Statement {
	e := r.byID[id]
	if e == nil {
		return Statement{}
	}
	return Statement{Known: true, Sealed: e.sealed, Ballots: e.ballots}
}

// VoterKey returns the key of an entry of a sealed roll, and false where there is none. The error is the file system's.
func (r *Recount) VoterKey(id string, index uint64) (ballot.PublicKey, bool, error) {
	e := r.byID[id]
	if e == nil || !e.sealed || index >= e.roll.size {
		return ballot.PublicKey{}, false, nil
	}
	entry, err := e.roll.entry(index)
	if err != nil {
		return ballot.PublicKey{}, false, err
	}
	key, err := ballot.ParsePublicKey(entry.key[:])
	return key, err == nil, nil
}

// refusal says why a transaction or a decision has no effect.
type refusal struct {
	code uint32
	text string
}

func (r *refusal) Error() string { return fmt.Sprintf("code %d: %s", r.code, r.text) }

// Code returns the code of 2.5 of a transaction by what Block returned for it.
func Code(err error) uint32 {
	var refused *refusal
	if errors.As(err, &refused) {
		return refused.code
	}
	return 0
}

func refuse(code uint32, format string, args ...any) error {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

func contradiction(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrContradiction, fmt.Sprintf(format, args...))
}

const (
	second      = 1_000_000_000
	millisecond = 1_000_000
)

// reached says whether block time has come to a moment in unix seconds. Spec 8.
func (r *Recount) reached(seconds int64) bool { return r.now >= seconds*second }

// deadline returns the end of a step that begins now: block time rounded up to seconds, and so many seconds more. Spec 8.5.
func (r *Recount) deadline(seconds uint32) int64 { return (r.now+second-1)/second + int64(seconds) }

// officer returns the organisation whose officer holds a key.
func (r *Recount) officer(key []byte) (*pb.Organisation, error) {
	for i := range r.organisations {
		if hasKey(r.organisations[i].Officers, key) {
			return &r.organisations[i], nil
		}
	}
	return nil, refuse(codeNotAuthorised, "%x is no officer's key", key)
}

// isRegistrar says whether a key is some registrar's.
func (r *Recount) isRegistrar(key []byte) bool {
	return slices.ContainsFunc(r.organisations, func(o pb.Organisation) bool { return hasKey(o.Registrars, key) })
}

func hasKey(members []pb.Member, key []byte) bool {
	return slices.ContainsFunc(members, func(m pb.Member) bool { return bytes.Equal(m.Key, key) })
}

// in returns an election that is in one of some phases.
func (r *Recount) in(id string, phases ...pb.Phase) (*election, error) {
	e := r.byID[id]
	if e == nil {
		return nil, refuse(codeUnknownElection, "there is no election %q", id)
	}
	if !slices.Contains(phases, e.phase) {
		return nil, refuse(codeWrongPhase, "the phase of %q is %v", id, e.phase)
	}
	return e, nil
}

// inVoting returns an election that is open for voting, with encrypted ballots or with open choices.
func (r *Recount) inVoting(id string, open bool) (*election, error) {
	e, err := r.in(id, pb.PHASE_VOTING)
	if err == nil && e.manifest.OpenChoices != open {
		err = refuse(codeOpenChoices, "open_choices is %t", e.manifest.OpenChoices)
	}
	return e, err
}
