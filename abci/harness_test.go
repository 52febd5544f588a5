package abci

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	dbm "github.com/cometbft/cometbft-db"
	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/oasisprotocol/curve25519-voi/curve"

	"votenode/app"
	"votenode/app/election"
	"votenode/app/organisation"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	"votenode/crypto/group"
	"votenode/genesis"
	pb "votenode/proto/votenode/v1"
	"votenode/store"
)

const (
	chainID    = "test-chain"
	electionID = "primary"
	// begin is the genesis time; the planted election closes an hour later. Unix seconds.
	begin   = int64(1_700_000_000)
	closing = begin + 3_600
	voters  = 24
)

// key returns an Ed25519 key that depends on its name only.
func key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func public(name string) []byte { return key(name).Public().(ed25519.PublicKey) }

// document is a genesis document of two organisations with two validators each.
func document(t testing.TB) *pb.Genesis {
	t.Helper()
	doc := &pb.Genesis{ChainId: chainID, Time: begin, Parameters: *genesis.DefaultParameters(2)}
	for _, id := range []string{"league", "party"} {
		g := pb.GenesisOrganisation{Organisation: pb.Organisation{
			Id: id, Title: id, OfficerQuorum: 1,
			Officers:   []pb.Member{{Name: id + " officer", Key: public(id + " officer")}},
			Registrars: []pb.Member{{Name: id + " registrar", Key: public(id + " registrar")}},
		}}
		for i := range 2 {
			name := fmt.Sprintf("%s %d", id, i)
			node := sha256.Sum256([]byte(name))
			g.Validators = append(g.Validators, pb.Validator{
				Organisation: id, Name: name, Key: public(name), Power: 1, SlipKey: public(name + " slip"), NodeId: node[:20], Address: "127.0.0.1:26656",
			})
		}
		slices.SortFunc(g.Validators, func(a, b pb.Validator) int { return bytes.Compare(a.Key, b.Key) })
		doc.Organisations = append(doc.Organisations, g)
	}
	if err := organisation.CheckGenesis(doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// ledger drives one application as CometBFT would, with a clock that the test sets.
type ledger struct {
	t     testing.TB
	dir   string
	doc   *pb.Genesis
	app   *Application
	store *store.Store
	time  int64        // of the newest block, unix nanoseconds
	now   atomic.Int64 // local clock, unix nanoseconds; the application reads it at any time

	amend func(*Options) // of the application when it is opened; nil changes nothing
}

// open opens, or opens again, the application in a folder.
func (l *ledger) open() {
	l.t.Helper()
	if err := l.tryOpen(); err != nil {
		l.t.Fatal(err)
	}
}

func (l *ledger) tryOpen() (err error) {
	l.t.Helper()
	if l.store, err = store.Open(store.Options{Dir: filepath.Join(l.dir, "ledger")}); err != nil {
		l.t.Fatal(err)
	}
	kept, err := state.Open(l.store)
	if err != nil {
		l.t.Fatal(err)
	}
	results, err := dbm.NewDB("results", dbm.GoLevelDBBackend, l.dir)
	if err != nil {
		l.t.Fatal(err)
	}
	slips, err := dbm.NewDB("slips", dbm.GoLevelDBBackend, l.dir)
	if err != nil {
		l.t.Fatal(err)
	}
	options := Options{
		Genesis: l.doc, GenesisHash: genesis.Hash(l.doc), Ledger: kept, ClockFile: filepath.Join(l.dir, "clock.json"), Results: results,
		Now:     func() time.Time { return time.Unix(0, l.now.Load()) },
		SlipKey: key(own + " slip"), Validator: public(own), Slips: slips, Start: 1,
		Turns: func(after, through int64) (int, error) { return int(through-after) / 4, nil },
		Pool:  PoolLimits{Bytes: 8 << 20, Count: 1_000, PerVoter: 2, PerSigner: 8}, Welcome: []string{"00000000000000000000000000000000000000aa"},
		Logger: slog.New(slog.DiscardHandler),
	}
	if l.amend != nil {
		l.amend(&options)
	}
	l.app, err = New(options)
	if err != nil {
		return errors.Join(err, l.store.Close(), results.Close(), slips.Close())
	}
	return nil
}

func (l *ledger) close() {
	l.t.Helper()
	if err := l.app.Close(); err != nil {
		l.t.Error(err)
	}
	if err := l.store.Close(); err != nil {
		l.t.Error(err)
	}
}

// newLedger returns an application after InitChain.
func newLedger(t testing.TB) *ledger {
	t.Helper()
	return newLedgerOf(t, nil)
}

// newLedgerOf returns an application with other options after InitChain.
func newLedgerOf(t testing.TB, amend func(*Options)) *ledger {
	t.Helper()
	l := &ledger{t: t, dir: t.TempDir(), doc: document(t), time: begin * 1e9, amend: amend}
	l.now.Store(begin * 1e9)
	l.open()
	t.Cleanup(func() { l.close() })
	l.initChain()
	return l
}

func (l *ledger) initChain() *abcitypes.ResponseInitChain {
	l.t.Helper()
	comet, err := genesis.CometGenesis(l.doc)
	if err != nil {
		l.t.Fatal(err)
	}
	res, err := l.app.InitChain(context.Background(), &abcitypes.RequestInitChain{
		Time: comet.GenesisTime, ChainId: comet.ChainID, InitialHeight: comet.InitialHeight, AppStateBytes: comet.AppState,
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return res
}

func (l *ledger) height() int64 { return l.app.Tip().Height }

// request is what CometBFT hands over of the next block with these transactions, at l.time.
func (l *ledger) request(txs [][]byte) *abcitypes.RequestFinalizeBlock {
	hash := sha256.Sum256(fmt.Appendf(nil, "%d %x", l.height()+1, txs))
	req := &abcitypes.RequestFinalizeBlock{Height: l.height() + 1, Time: time.Unix(0, l.time), Txs: txs, Hash: hash[:]}
	for _, v := range organisation.FirstEpoch(l.doc).Validators {
		address := organisation.ConsensusAddress(v.Key)
		req.DecidedLastCommit.Votes = append(req.DecidedLastCommit.Votes, abcitypes.VoteInfo{
			Validator: abcitypes.Validator{Address: address[:], Power: v.Power}, BlockIdFlag: cmtproto.BlockIDFlagCommit,
		})
	}
	return req
}

// finalize executes a block, a second after the one before, and commits nothing.
func (l *ledger) finalize(txs ...[]byte) *abcitypes.ResponseFinalizeBlock {
	l.t.Helper()
	l.time += 1e9
	l.now.Store(max(l.now.Load(), l.time))
	res, err := l.app.FinalizeBlock(context.Background(), l.request(txs))
	if err != nil {
		l.t.Fatal(err)
	}
	return res
}

func (l *ledger) commit() {
	l.t.Helper()
	if _, err := l.app.Commit(context.Background(), nil); err != nil {
		l.t.Fatal(err)
	}
}

// block executes and commits a block and returns the codes.
func (l *ledger) block(txs ...[]byte) []tx.Code {
	l.t.Helper()
	res := l.finalize(txs...)
	l.commit()
	codes := make([]tx.Code, len(res.TxResults))
	for i, r := range res.TxResults {
		codes[i] = tx.Code(r.Code)
	}
	return codes
}

// process asks for a verdict on a proposal of the next height, a second after the newest block.
func (l *ledger) process(txs ...[]byte) bool {
	l.t.Helper()
	return l.processAt(l.time+1e9, txs...)
}

func (l *ledger) processAt(blockTime int64, txs ...[]byte) bool {
	l.t.Helper()
	return l.processWhole(blockTime, l.authored(other, l.now.Load(), txs...))
}

// processWhole asks for a verdict on a block as it is.
func (l *ledger) processWhole(blockTime int64, txs [][]byte) bool {
	l.t.Helper()
	r := l.request(txs)
	res, err := l.app.ProcessProposal(context.Background(), &abcitypes.RequestProcessProposal{
		Height: r.Height, Time: time.Unix(0, blockTime), Txs: txs, Hash: r.Hash, ProposedLastCommit: r.DecidedLastCommit,
		ProposerAddress: address(other),
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return res.IsAccepted()
}

// prepare asks for a proposal of the next height, a second after the newest block, and returns what it holds behind the author's
// transaction.
func (l *ledger) prepare(maxBytes int64) [][]byte {
	l.t.Helper()
	txs := l.prepareWhole(maxBytes)
	if len(txs) == 0 {
		l.t.Fatal("a block that does not say who made it")
	}
	if want := l.authored(own, l.now.Load(), txs[1:]...); !bytes.Equal(txs[0], want[0]) {
		l.t.Fatal("the block does not begin with its author's signature")
	}
	return txs[1:]
}

func (l *ledger) prepareWhole(maxBytes int64) [][]byte {
	l.t.Helper()
	res, err := l.app.PrepareProposal(context.Background(), &abcitypes.RequestPrepareProposal{
		Height: l.height() + 1, Time: time.Unix(0, l.time+1e9), MaxTxBytes: maxBytes, ProposerAddress: address(own),
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return res.Txs
}

// own is the validator whose node the application is, other is another one.
const own, other = "league 0", "party 1"

// address is the consensus address of a validator.
func address(validator string) []byte {
	a := organisation.ConsensusAddress(public(validator))
	return a[:]
}

// authored returns transactions of the next block with their author's in front.
func (l *ledger) authored(author string, local int64, txs ...[]byte) [][]byte {
	hashes := make([][32]byte, len(txs))
	for i := range txs {
		hashes[i] = sha256.Sum256(txs[i])
	}
	content := app.BlockContent(hashes)
	m := &pb.AuthorBlock{Height: l.height() + 1, Proposer: address(author), Time: local, Content: content[:]}
	return append([][]byte{tx.Sign(chainID, m, key(author+" slip"))}, txs...)
}

// submit has transactions taken in and returns the codes.
func (l *ledger) submit(txs ...[]byte) []tx.Code {
	l.t.Helper()
	answers, err := l.app.Submit(context.Background(), "", txs...)
	if err != nil {
		l.t.Fatal(err)
	}
	codes := make([]tx.Code, len(answers))
	for i, a := range answers {
		codes[i] = a.Code
	}
	return codes
}

// forget drops every remembered verdict, as a restart does.
func (l *ledger) forget() { l.app.verdicts = newVerdicts(verdictBytes) }

// processCold is the verdict of a node with the same state that has seen none of the transactions.
func (l *ledger) processCold(txs ...[]byte) bool {
	l.t.Helper()
	pool, verdicts := l.app.pool, l.app.verdicts
	defer func() { l.app.pool, l.app.verdicts = pool, verdicts }()
	l.app.pool, l.app.verdicts = newPool(DefaultPoolLimits(), 0), newVerdicts(verdictBytes)
	return l.process(txs...)
}

// publish is a transaction of an officer that the ledger takes, another one for each n.
func publish(n int) []byte {
	text := fmt.Appendf(nil, "document %d", n)
	hash := sha256.Sum256(text)
	return tx.Sign(chainID, &pb.PublishDocument{Hash: hash[:], Size_: uint64(len(text)), Chunk: text}, key("party officer"))
}

// booth is an election in its voting phase, written straight into the state of block 1: what abci does with ballots does not
// depend on how an election came to be.
type booth struct {
	election *ballot.Election
	wrong    *ballot.Election    // the same with another key of the first slot: what is proven for it does not hold
	keys     []*ballot.SecretKey // by roll index
}

// plant commits block 1 with the booth's election in it.
func plant(l *ledger, b *booth) {
	l.t.Helper()
	l.edit(func(w state.Writer) { b.write(l.t, w) })
	view := l.app.ledger.Newest()
	e, err := state.LoadElection(view, electionID)
	if err != nil {
		l.t.Fatal(err)
	}
	parameters := ballot.Parameters{
		Chain: chainID, Election: electionID, Manifest: [32]byte(e.Manifest), RollRoot: [32]byte(e.RollRoot),
		KeyDigest: [32]byte(e.KeyDigest), Keys: points(b.slots()), Styles: election.BallotStyles(manifest()),
	}
	if b.election, err = ballot.NewElection(parameters); err != nil {
		l.t.Fatal(err)
	}
	parameters.Keys[0] = points(b.slots() + 1)[b.slots()]
	if b.wrong, err = ballot.NewElection(parameters); err != nil {
		l.t.Fatal(err)
	}
}

// edit commits a block without transactions, and what is written besides.
func (l *ledger) edit(write func(w state.Writer)) {
	l.t.Helper()
	l.time += 1e9
	l.now.Store(max(l.now.Load(), l.time))
	draft := l.app.ledger.NewDraft()
	outcome, err := l.app.app.Execute(draft, blockOf(l.request(nil), nil))
	if err != nil {
		l.t.Fatal(err)
	}
	write(draft)
	block, err := draft.Finish()
	if err != nil {
		l.t.Fatal(err)
	}
	l.app.next = &finalized{block: block, tip: Tip{l.height() + 1, l.time}, results: resultsOf(l.height()+1, outcome)}
	l.commit()
}

func newBooth(t testing.TB) *booth { return newBoothOf(t, voters) }

func newBoothOf(t testing.TB, voters int) *booth {
	t.Helper()
	b := new(booth)
	for range voters {
		k, err := ballot.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		b.keys = append(b.keys, k)
	}
	return b
}

func manifest() *pb.Manifest {
	return &pb.Manifest{
		Election: electionID, Title: "A primary", Opening: begin, Closing: closing,
		Contests:       []pb.Contest{{Title: "Who", Options: []string{"a", "b", "c"}, MaxSelections: 1}},
		Styles:         []pb.BallotStyle{{District: "north", Contests: []uint32{0}}},
		RevoteInterval: 1, CeremonyStep: 60, OpenMin: 1,
	}
}

func (b *booth) slots() int { return election.Slots(manifest()) }

// points are keys of slots; nobody needs their secrets here.
func points(n int) []*curve.RistrettoPoint {
	list := make([]*curve.RistrettoPoint, n)
	for i := range list {
		list[i] = group.HashToGroup("votenode/v1/test", []byte{byte(i)})
	}
	return list
}

func (b *booth) write(t testing.TB, w state.Writer) {
	t.Helper()
	m := manifest()
	doc, hash := election.Encode(m), election.ManifestHash(m)
	var keys []byte
	for _, p := range points(b.slots()) {
		keys = append(keys, group.PointBytes(p)...)
	}
	publisher := public("party officer")
	state.Save(w, state.DocumentKey(hash[:]), &pb.Document{Size_: uint64(len(doc)), Received: uint64(len(doc)), Publisher: publisher})
	w.SetRecord(state.ChunkKey(hash[:], publisher, 0), doc)
	state.Save(w, state.KeyElections, &pb.ElectionList{Ids: []string{electionID}})
	state.Save(w, state.KeysKey(electionID), &pb.ElectionKeys{Keys: keys})
	w.SetRecord(state.SumKey(electionID, 0), ballot.NewEncryptedTally(len(m.Contests[0].Options)).Bytes())
	for _, k := range b.keys {
		w.Append(state.LogRoll(electionID), election.Encode(&pb.RollEntry{Key: k.Public().Bytes()}))
	}
	head, err := w.Head(state.LogRoll(electionID))
	if err != nil {
		t.Fatal(err)
	}
	w.CreateVoters(electionID, head.Size)
	digest := sha256.Sum256(keys)
	state.Save(w, state.ElectionKey(electionID), &pb.Election{
		Phase: pb.PHASE_VOTING, Manifest: hash[:], Opening: begin, Closing: closing,
		RollSealed: true, RollSize: head.Size, RollRoot: head.Root[:], KeyDigest: digest[:], TrialPassed: true,
	})
}

// cast is a ballot of a voter.
func (b *booth) cast(t testing.TB, voter int, sequence uint64) []byte {
	t.Helper()
	body, signature := b.body(t, voter, sequence)
	return tx.Ballot(body, signature)
}

func (b *booth) body(t testing.TB, voter int, sequence uint64) (*pb.CastBallot, []byte) {
	t.Helper()
	st := ballot.Statement{RollIndex: uint64(voter), Voter: b.keys[voter].Public(), Sequence: sequence}
	draft, err := b.election.Encrypt(st, [][]int{{voter % 3}}, b.keys[voter], rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ciphertext, proof, signature, err := draft.Cast()
	if err != nil {
		t.Fatal(err)
	}
	return &pb.CastBallot{
		Election: electionID, RollIndex: uint64(voter), Sequence: sequence, Ciphertext: ciphertext, Proof: proof,
	}, signature
}
