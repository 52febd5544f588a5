package scribe

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/cometbft/cometbft/version"

	"votenode/app"
	"votenode/app/election"
	"votenode/app/organisation"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/genesis"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/record"
)

// The ledger: its id, its genesis time in unix seconds, its organisations, and how many validators each has.
const (
	chain      = "bench"
	start      = int64(1_700_000_000)
	validators = 4
)

var organisations = []string{"league", "party"}

// key returns the Ed25519 key that belongs to a name.
func key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("votenode bench: " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func public(name string) []byte { return key(name).Public().(ed25519.PublicKey) }

// sign returns a transaction signed by the key of a name.
func sign(name string, body election.Message) []byte { return tx.Sign(chain, body, key(name)) }

// ledger is a chain whose blocks go into a record. No validator is ever away, and their set never changes.
type ledger struct {
	app    *app.App
	doc    *pb.Genesis
	state  *state.Ledger
	writer *record.Writer // nil where nothing is kept

	set    *cmttypes.ValidatorSet
	names  []string // of validators, in the order of the set
	height int64
	now    time.Time // of the last block
	lastID cmttypes.BlockID
	nonce  uint64 // of the last resolution

	consensusHash, resultsHash []byte

	// What a tally asks for besides: known is a second state machine, of a node that has admitted every transaction before its block, and
	// must come to the same state; cost is that of the last block; planted writes once, after the transactions of the next block.
	known   *app.App
	cost    Cost
	planted func(w state.Writer)
}

// Cost is what a block takes a validator.
type Cost struct {
	// Check is the judgement of the proposal by a node that has seen none of its transactions, from bytes to verdicts.
	Check time.Duration
	// Execute is the state machine on such a node, Known on one that has admitted the transactions before; Hash is the making of the trees.
	Execute, Known, Hash time.Duration
	// Processor is what Check, Execute and Hash took of all cores: no other process that runs meanwhile adds to it.
	Processor time.Duration
}

// processorTime is what this process has had so far.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// found founds the ledger whose record goes into a new folder; without a folder nothing is kept.
func found(folder string) (*ledger, error) {
	l := &ledger{app: app.New(chain), doc: document(), now: time.Unix(start, 0).UTC(), resultsHash: cmttypes.ABCIResults(nil).Hash()}
	if err := organisation.CheckGenesis(l.doc); err != nil {
		return nil, err
	}
	var all []*cmttypes.Validator
	names := map[string]string{} // by address
	for _, v := range organisation.FirstEpoch(l.doc).Validators {
		all = append(all, cmttypes.NewValidator(cmted25519.PubKey(v.Key), v.Power))
		names[string(cmted25519.PubKey(v.Key).Address())] = v.Name
	}
	l.set = cmttypes.NewValidatorSet(all)
	for _, v := range l.set.Validators {
		l.names = append(l.names, names[string(v.Address)])
	}
	l.consensusHash = genesis.ConsensusParams(&l.doc.Parameters).Hash()
	var err error
	if l.state, err = state.Open(new(state.Memory)); err != nil {
		return nil, err
	}
	draft := l.state.NewGenesis()
	l.app.InitLedger(draft, l.doc, genesis.Hash(l.doc))
	if err := l.commit(draft); err != nil {
		return nil, err
	}
	if folder != "" {
		l.writer, err = record.Create(folder)
	}
	return l, err
}

// document is the genesis document, with the parameters that are recommended.
func document() *pb.Genesis {
	g := &pb.Genesis{ChainId: chain, Time: start, Parameters: *genesis.DefaultParameters(len(organisations))}
	for o, id := range organisations {
		entry := pb.GenesisOrganisation{Organisation: pb.Organisation{
			Id: id, Title: id, OfficerQuorum: 1,
			Officers:   []pb.Member{{Name: officer(id), Key: public(officer(id))}},
			Registrars: []pb.Member{{Name: registrar(id), Key: public(registrar(id))}},
		}}
		for n := range validators {
			name := fmt.Sprintf("%s validator %d", id, n+1)
			node := sha256.Sum256([]byte(name))
			entry.Validators = append(entry.Validators, pb.Validator{
				Organisation: id, Name: name, Key: public(name), Power: 10, SlipKey: public(slip(name)),
				NodeId: node[:20], Address: fmt.Sprintf("127.0.0.1:%d", 20_000+validators*o+n),
			})
		}
		slices.SortFunc(entry.Validators, func(a, b pb.Validator) int { return bytes.Compare(a.Key, b.Key) })
		g.Organisations = append(g.Organisations, entry)
	}
	return g
}

// The names of keys.
func officer(organisation string) string   { return organisation + " officer" }
func registrar(organisation string) string { return organisation + " registrar" }
func slip(validator string) string         { return validator + " slip" }

func (l *ledger) commit(d *state.Draft) error {
	finished, err := d.Finish()
	if err != nil {
		return err
	}
	return l.state.Commit(finished)
}

// view returns the newest state.
func (l *ledger) view() *state.Snapshot { return l.state.Newest() }

// make makes the next block, so many seconds after the last, and fails where a transaction takes no effect.
func (l *ledger) make(seconds int64, raw ...[]byte) error {
	b := &cmttypes.Block{LastCommit: &cmttypes.Commit{}}
	if l.height > 0 {
		l.now = l.now.Add(time.Duration(seconds) * time.Second)
	}
	l.height++
	proposer := int(l.height) % l.set.Size()
	b.Txs = cmttypes.ToTxs(append([][]byte{l.author(proposer, raw)}, raw...))
	if l.height > 1 {
		var err error
		if b.LastCommit, err = l.precommits(); err != nil {
			return err
		}
	}
	appHash := l.view().AppHash()
	b.Header.Populate(
		cmtversion.Consensus{Block: version.BlockProtocol, App: genesis.AppVersion}, chain, l.now, l.lastID,
		l.set.Hash(), l.set.Hash(), l.consensusHash, appHash[:], l.resultsHash, l.set.Validators[proposer].Address,
	)
	b.Height = l.height
	b.DataHash, b.EvidenceHash, b.LastCommitHash = b.Data.Hash(), b.Evidence.Hash(), b.LastCommit.Hash()
	if err := l.execute(b); err != nil {
		return fmt.Errorf("height %d: %w", l.height, err)
	}
	return l.write(b)
}

// author returns the transaction by which a validator says that it made the block.
func (l *ledger) author(proposer int, raw [][]byte) []byte {
	hashes := make([][32]byte, len(raw))
	for i := range raw {
		hashes[i] = sha256.Sum256(raw[i])
	}
	content := app.BlockContent(hashes)
	return sign(slip(l.names[proposer]), &pb.AuthorBlock{
		Height: l.height, Proposer: l.set.Validators[proposer].Address, Time: l.now.UnixNano(), Content: content[:],
	})
}

// precommits makes the commit of the last block. Its timestamps make now the time of the next.
func (l *ledger) precommits() (*cmttypes.Commit, error) {
	c := &cmttypes.Commit{Height: l.height - 1, BlockID: l.lastID}
	for _, v := range l.set.Validators {
		c.Signatures = append(c.Signatures, cmttypes.CommitSig{
			BlockIDFlag: cmttypes.BlockIDFlagCommit, ValidatorAddress: v.Address, Timestamp: l.now,
		})
	}
	for i, name := range l.names {
		signature, err := cmted25519.PrivKey(key(name)).Sign(c.VoteSignBytes(chain, int32(i)))
		if err != nil {
			return nil, err
		}
		c.Signatures[i].Signature = signature
	}
	return c, nil
}

// execute runs the state machine over a block.
func (l *ledger) execute(b *cmttypes.Block) error {
	l.cost = Cost{}
	start, processor := time.Now(), processorTime()
	verdicts, err := l.judge(b)
	if err != nil {
		return err
	}
	l.cost.Check = time.Since(start)
	in := app.Block{Height: b.Height, Time: b.Time.UnixNano(), Hash: [32]byte(b.Hash()), Txs: verdicts}
	for _, s := range b.LastCommit.Signatures {
		in.LastCommit = append(in.LastCommit, app.CommitVote{Address: [20]byte(s.ValidatorAddress), Signed: true})
	}
	finished, err := l.run(l.app, in, &l.cost.Execute, &l.cost.Hash)
	if err != nil {
		return err
	}
	l.cost.Processor = processorTime() - processor
	if l.known != nil {
		again, err := l.run(l.known, in, &l.cost.Known, new(time.Duration))
		if err != nil {
			return err
		}
		if again.AppHash() != finished.AppHash() {
			return errors.New("a node that knew the transactions comes to another state")
		}
	}
	l.planted = nil
	return l.state.Commit(finished)
}

// judge says of the transactions of a proposal what a validator says who has seen none of them.
func (l *ledger) judge(b *cmttypes.Block) ([]tx.Verdict, error) {
	parsed := make([]*tx.Parsed, len(b.Txs))
	for i, raw := range b.Txs {
		var err error
		if parsed[i], err = tx.Parse(raw); err != nil {
			return nil, err
		}
	}
	verdicts, err := l.app.Verify(l.view(), parsed, rand.Reader)
	if err != nil {
		return nil, err
	}
	fault, err := l.app.AuthorshipFault(l.view(), b.ProposerAddress, parsed)
	if err == nil && fault == nil {
		fault, err = l.app.ProposalFault(l.view(), parsed, verdicts)
	}
	if err == nil && fault != nil {
		err = fault
	}
	return verdicts, err
}

// run executes a block on the newest state and fails where a transaction takes no effect. What is planted comes on top.
func (l *ledger) run(a *app.App, in app.Block, execute, hash *time.Duration) (*state.Block, error) {
	start := time.Now()
	draft := l.state.NewDraft()
	outcome, err := a.Execute(draft, in)
	if err != nil {
		return nil, err
	}
	*execute = time.Since(start)
	results := make([]*abcitypes.ExecTxResult, len(outcome.Results))
	for i, r := range outcome.Results {
		if r.Code != tx.CodeOK {
			return nil, fmt.Errorf("transaction %d: %v: %s", i, r.Code, r.Detail)
		}
		results[i] = &abcitypes.ExecTxResult{Code: uint32(r.Code)}
	}
	l.resultsHash = cmttypes.NewResults(results).Hash()
	if l.planted != nil {
		l.planted(draft)
	}
	start = time.Now()
	finished, err := draft.Finish()
	*hash = time.Since(start)
	return finished, err
}

// write appends a block to the record, and notes the id under which it is signed.
func (l *ledger) write(b *cmttypes.Block) error {
	m, err := b.ToProto()
	if err != nil {
		return err
	}
	raw, err := m.Marshal()
	if err != nil {
		return err
	}
	parts := cmttypes.NewPartSetFromData(raw, cmttypes.BlockPartSizeBytes)
	l.lastID = cmttypes.BlockID{Hash: b.Hash(), PartSetHeader: parts.Header()}
	if l.writer == nil {
		return nil
	}
	return l.writer.Append(raw)
}

// finish completes the record.
func (l *ledger) finish() error {
	approvals := new(pb.GenesisApprovals)
	for _, id := range organisations {
		a, err := genesis.Approve(l.doc, key(officer(id)))
		if err != nil {
			return err
		}
		genesis.AddApproval(approvals, a)
	}
	return l.writer.Finish(chain, genesis.Hash(l.doc), genesis.Bytes(l.doc), genesis.ApprovalsBytes(approvals))
}
