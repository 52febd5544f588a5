package rehearsal

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/cometbft/cometbft/version"

	"votenode/app"
	"votenode/app/organisation"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/genesis"
	pb "votenode/proto/votenode/v1"
)

// Chain is the id of every rehearsed ledger, Start its genesis time.
const (
	Chain = "rehearsal"
	Start = int64(1_700_000_000)
)

// protocol is the greatest version that a rehearsed ledger can come to: what versions differ in is no matter of a rehearsal.
const protocol = 1_000

// Organisations are the two organisations. Each has three officers, of whom two suffice, a registrar and two validators.
var Organisations = []string{"league", "party"}

// Ledger is a chain in memory that a test drives block by block.
type Ledger struct {
	t testing.TB
	// App and Genesis are those of the chain.
	App     *app.App
	Genesis *pb.Genesis
	// Blocks are the blocks so far, Results what came of their transactions, Events what they told.
	Blocks  []*cmttypes.Block
	Results [][]app.Result
	Events  [][]app.Event
	// Absent says who does not sign the next blocks, by name.
	Absent map[string]bool
	// Evidence goes into the next block.
	Evidence []cmttypes.Evidence
	// Proposer is the validator that the next block's header names; nil where they take turns. Make forgets it.
	Proposer *pb.Validator
	// Alter, where set, changes the next block before it is signed, as validators could that all lie. Make forgets it.
	Alter func(*cmttypes.Block)
	// Drift is added to the time of every block, so that it is no whole second.
	Drift time.Duration
	// Watch, where set, is called after each block.
	Watch func()

	ledger        *state.Ledger
	archive       *archive
	states        []*state.Snapshot // by height
	now           time.Time
	nonce         uint64
	lastSet       *cmttypes.ValidatorSet
	set, nextSet  *cmttypes.ValidatorSet
	sets          []*cmttypes.ValidatorSet // that signed each block
	version       uint64                   // protocol version of the next height
	consensusHash []byte
	resultsHash   []byte
}

// keys are the keys by name, so that each is derived once.
var keys sync.Map

// Key returns the Ed25519 key that belongs to a name.
func Key(name string) ed25519.PrivateKey {
	if key, ok := keys.Load(name); ok {
		return key.(ed25519.PrivateKey)
	}
	seed := sha256.Sum256([]byte(name))
	key := ed25519.NewKeyFromSeed(seed[:])
	keys.Store(name, key)
	return key
}

func public(name string) []byte { return Key(name).Public().(ed25519.PublicKey) }

// Validator returns the n-th validator of an organisation.
func Validator(organisation string, n int) pb.Validator {
	name := fmt.Sprintf("%s validator %d", organisation, n)
	node := sha256.Sum256([]byte(name))
	return pb.Validator{
		Organisation: organisation, Name: name, Key: public(name), Power: 10,
		SlipKey: public(name + " slip"), NodeId: node[:20], Address: fmt.Sprintf("127.0.0.1:%d", 20000+n),
	}
}

// Sorted returns a list of validators in the order in which a record has them.
func Sorted(list ...pb.Validator) []pb.Validator {
	slices.SortFunc(list, func(a, b pb.Validator) int { return bytes.Compare(a.Key, b.Key) })
	return list
}

// New founds a ledger; change may alter the genesis document before.
func New(t testing.TB, change ...func(*pb.Genesis)) *Ledger {
	t.Helper()
	g := &pb.Genesis{ChainId: Chain, Time: Start, Parameters: *genesis.DefaultParameters(2)}
	g.Parameters.Handover, g.Parameters.Limits.SpoilsPerVoter, g.Parameters.Initiatives = 6, 2, rules
	for _, o := range Organisations {
		g.Organisations = append(g.Organisations, pb.GenesisOrganisation{
			Organisation: pb.Organisation{
				Id: o, Title: o, OfficerQuorum: 2, Officers: members("officer", o, 3), Registrars: members("registrar", o, 1),
			},
			Validators: Sorted(Validator(o, 1), Validator(o, 2)),
		})
	}
	for _, f := range change {
		f(g)
	}
	l := &Ledger{t: t, App: app.NewOf(g.ChainId, protocol), version: genesis.AppVersion, Genesis: g, Absent: map[string]bool{}, now: time.Unix(g.Time, 0).UTC()}
	l.must(organisation.CheckGenesis(g))
	var err error
	l.archive = newArchive()
	l.ledger, err = state.Open(l.archive)
	l.must(err)
	draft := l.ledger.NewGenesis()
	l.App.InitLedger(draft, g, genesis.Hash(g))
	l.commit(draft)
	l.set = ValidatorSet(organisation.FirstEpoch(g).Validators)
	l.nextSet, l.resultsHash = l.set, cmttypes.ABCIResults(nil).Hash()
	l.consensusHash = genesis.ConsensusParams(&g.Parameters).Hash()
	return l
}

// ValidatorSet returns validators as CometBFT orders them.
func ValidatorSet(list []pb.Validator) *cmttypes.ValidatorSet {
	var all []*cmttypes.Validator
	for _, v := range list {
		all = append(all, cmttypes.NewValidator(cmted25519.PubKey(v.Key), v.Power))
	}
	return cmttypes.NewValidatorSet(all)
}

func members(role, organisation string, n int) []pb.Member {
	var list []pb.Member
	for i := range n {
		name := fmt.Sprintf("%s %s %d", organisation, role, i+1)
		list = append(list, pb.Member{Name: name, Key: public(name)})
	}
	slices.SortFunc(list, func(a, b pb.Member) int { return bytes.Compare(a.Key, b.Key) })
	return list
}

func (l *Ledger) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (l *Ledger) commit(d *state.Draft) {
	l.t.Helper()
	l.must(l.ledger.Commit(must(d.Finish())))
	l.states = append(l.states, l.ledger.Newest())
}

// View returns the newest state.
func (l *Ledger) View() *state.Snapshot { return l.ledger.Newest() }

// Now returns the time of the newest block, unix seconds.
func (l *Ledger) Now() int64 { return l.now.Unix() }

// Height returns the height of the newest block.
func (l *Ledger) Height() int64 { return int64(len(l.Blocks)) }

// Make makes the next block, so many seconds after the last, and returns what came of its transactions.
func (l *Ledger) Make(seconds int64, raw ...[]byte) []app.Result {
	l.t.Helper()
	b := l.header(time.Duration(seconds) * time.Second)
	for _, r := range raw {
		b.Txs = append(b.Txs, r)
	}
	b.Evidence.Evidence, l.Evidence = l.Evidence, nil
	b.LastCommit = l.sign()
	if l.Alter != nil {
		l.Alter(b)
	}
	seal(b)
	return l.add(b)
}

// add executes a block and goes to the next height.
func (l *Ledger) add(b *cmttypes.Block) []app.Result {
	l.t.Helper()
	outcome := l.execute(b)
	results := make([]*abcitypes.ExecTxResult, len(outcome.Results))
	for i, r := range outcome.Results {
		results[i] = &abcitypes.ExecTxResult{Code: uint32(r.Code)}
	}
	l.Blocks, l.Results, l.Events = append(l.Blocks, b), append(l.Results, outcome.Results), append(l.Events, outcome.Events)
	l.sets = append(l.sets, l.set)
	l.Proposer, l.Alter = nil, nil
	l.resultsHash = cmttypes.NewResults(results).Hash()
	if outcome.Version != 0 {
		l.version = outcome.Version
	}
	if outcome.Parameters != nil {
		l.consensusHash = genesis.ConsensusParams(outcome.Parameters).Hash()
	}
	l.lastSet, l.set = l.set, l.nextSet
	if len(outcome.ValidatorUpdates) > 0 {
		l.update(outcome.ValidatorUpdates)
	}
	if l.Watch != nil {
		l.Watch()
	}
	return outcome.Results
}

func (l *Ledger) update(updates []app.ValidatorUpdate) {
	var changes []*cmttypes.Validator
	for _, u := range updates {
		changes = append(changes, cmttypes.NewValidator(cmted25519.PubKey(u.Key[:]), u.Power))
	}
	l.nextSet = l.nextSet.Copy()
	l.must(l.nextSet.UpdateWithChangeSet(changes))
}

// proposer returns the address that the next block's header names.
func (l *Ledger) proposer() []byte {
	if l.Proposer != nil {
		return cmted25519.PubKey(l.Proposer.Key).Address()
	}
	return l.set.Validators[int(l.Height())%l.set.Size()].Address
}

// header begins the next block. Block time never stands still.
func (l *Ledger) header(after time.Duration) *cmttypes.Block {
	b := &cmttypes.Block{}
	if last := l.last(); last != nil {
		l.now = l.now.Add(max(after, time.Millisecond) + l.Drift)
		b.LastBlockID = ID(last)
	}
	appHash := l.View().AppHash()
	b.Header.Populate(
		cmtversion.Consensus{Block: version.BlockProtocol, App: l.version}, l.Genesis.ChainId, l.now, b.LastBlockID,
		l.set.Hash(), l.nextSet.Hash(), l.consensusHash, appHash[:], l.resultsHash,
		l.proposer(),
	)
	b.Height = l.Height() + 1
	return b
}

func (l *Ledger) last() *cmttypes.Block {
	if len(l.Blocks) == 0 {
		return nil
	}
	return l.Blocks[len(l.Blocks)-1]
}

// execute runs the state machine over a block.
func (l *Ledger) execute(b *cmttypes.Block) *app.Outcome {
	l.t.Helper()
	draft, outcome := l.draft(b)
	l.commit(draft)
	return outcome
}

// Try returns what would come of the transactions of a block in the place of the next one. Nothing of it stays.
func (l *Ledger) Try(b *cmttypes.Block) []app.Result {
	l.t.Helper()
	_, outcome := l.draft(b)
	return outcome.Results
}

// draft runs the state machine over a block in the place of the next one.
func (l *Ledger) draft(b *cmttypes.Block) (*state.Draft, *app.Outcome) {
	l.t.Helper()
	in := app.Block{Height: b.Height, Time: b.Time.UnixNano(), Hash: [32]byte(b.Hash()), Txs: make([]tx.Verdict, len(b.Txs))}
	var parsed []*tx.Parsed
	var at []int
	for i, raw := range b.Txs {
		p, err := tx.Parse(raw)
		if err != nil {
			in.Txs[i] = tx.Refused(err.(*tx.Refusal))
			continue
		}
		parsed, at = append(parsed, p), append(at, i)
	}
	for i, v := range must(l.App.Verify(l.View(), parsed, rand.Reader)) {
		in.Txs[at[i]] = v
	}
	if l.lastSet != nil {
		for i, v := range l.lastSet.Validators {
			signed := b.LastCommit.Signatures[i].BlockIDFlag == cmttypes.BlockIDFlagCommit
			in.LastCommit = append(in.LastCommit, app.CommitVote{Address: [20]byte(v.Address), Signed: signed})
		}
	}
	for _, m := range b.Evidence.Evidence.ToABCI() {
		in.Misbehaviour = append(in.Misbehaviour, app.Misbehaviour{
			Address: [20]byte(m.Validator.Address), Type: uint32(m.Type), Height: m.Height, Time: m.Time.UnixNano(),
		})
	}
	draft := l.ledger.NewDraft()
	outcome, err := l.App.Execute(draft, in)
	l.must(err)
	return draft, outcome
}

// Accept makes a block in which every transaction takes effect.
func (l *Ledger) Accept(raw ...[]byte) {
	l.t.Helper()
	for i, r := range l.Make(1, raw...) {
		if r.Code != tx.CodeOK {
			l.t.Fatalf("height %d: transaction %d: %v: %s", l.Height(), i, r.Code, r.Detail)
		}
	}
}

// Refuse makes a block with one transaction that is refused by a code.
func (l *Ledger) Refuse(want tx.Code, raw []byte) {
	l.t.Helper()
	if got := l.Make(0, raw)[0]; got.Code != want {
		l.t.Fatalf("height %d: code %v (%s), want %v", l.Height(), got.Code, got.Detail, want)
	}
}

// Files returns the genesis document and the approvals of two officers of each organisation, as they stand in a record.
func (l *Ledger) Files() (document, approvals []byte) {
	list := new(pb.GenesisApprovals)
	for _, o := range Organisations {
		for n := 1; n <= 2; n++ {
			genesis.AddApproval(list, must(genesis.Approve(l.Genesis, Key(fmt.Sprintf("%s officer %d", o, n)))))
		}
	}
	return genesis.Bytes(l.Genesis), genesis.ApprovalsBytes(list)
}

// Record returns a record of these blocks.
func (l *Ledger) Record(blocks []*cmttypes.Block) fstest.MapFS {
	l.t.Helper()
	raw := make([][]byte, len(blocks))
	for i, b := range blocks {
		raw[i] = Encode(b)
	}
	document, approvals := l.Files()
	return Folder(l.Genesis.ChainId, document, approvals, raw)
}
