package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	dbm "github.com/cometbft/cometbft-db"
	"github.com/cometbft/cometbft/consensus"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	cmtnode "github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	cmtstate "github.com/cometbft/cometbft/state"
	cmtstore "github.com/cometbft/cometbft/store"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/abci"
	"votenode/app/state"
	"votenode/genesis"
	"votenode/node/gateway"
	"votenode/node/signing"
	pb "votenode/proto/votenode/v1"
	"votenode/store"
)

// lockHome takes the home for this process. One that was moved away is not used any more.
func (n *Node) lockHome() (err error) {
	if n.lock, err = signing.Lock(string(n.home)); err != nil {
		return err
	}
	return signing.CheckMoved(string(n.home))
}

func (n *Node) readHome() (err error) {
	if n.config, err = ReadConfig(n.home.ConfigFile()); err != nil {
		return err
	}
	if err := n.openLog(); err != nil {
		return err
	}
	n.document, err = os.ReadFile(n.home.GenesisFile())
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("this home has no genesis document yet (%w); give it one with `votenode node genesis`", err)
	}
	if err != nil {
		return fmt.Errorf("the genesis document: %w", err)
	}
	if n.doc, err = genesis.Parse(n.document); err != nil {
		return fmt.Errorf("%s: %w", n.home.GenesisFile(), err)
	}
	if n.approvals, err = os.ReadFile(n.home.ApprovalsFile()); err != nil {
		return fmt.Errorf("the approvals of the genesis document: %w", err)
	}
	approvals, err := genesis.ParseApprovals(n.approvals)
	if err == nil {
		err = genesis.VerifyApprovals(n.doc, approvals)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", n.home.ApprovalsFile(), err)
	}
	return nil
}

// openLog makes the logger that the configuration asks for, where none is given.
func (n *Node) openLog() (err error) {
	if n.log == nil {
		n.log, err = NewLogger(os.Stderr, n.config.Log)
	}
	return err
}

// openStores opens the stores of the state and of the blocks.
func (n *Node) openStores() error {
	if err := finishRollback(n.home); err != nil {
		return err
	}
	disk, err := store.Open(store.Options{Dir: n.home.ledger(), Archive: n.config.Store.Archive, Logger: n.log.With("part", "store")})
	if err != nil {
		return err
	}
	n.disk = disk
	n.space = newSpace(n.home, uint64(n.config.Store.ReserveMegabytes)<<20, n.freeSpace)
	n.dbs = databases{dir: n.home.comet(), open: map[string]dbm.DB{}}
	blocks, err := n.dbs.get("blockstore")
	if err != nil {
		return err
	}
	n.blocks = cmtstore.NewBlockStore(blocks)
	n.ledger = newLeavesInBlocks(disk, n.blocks)
	return nil
}

// openLedger opens the state and the application over it.
func (n *Node) openLedger() error {
	if err := n.openStores(); err != nil {
		return err
	}
	ledger, err := state.Open(n.ledger)
	if err != nil {
		return err
	}
	results, err := n.dbs.get("results")
	if err != nil {
		return err
	}
	slip, err := SlipKey(string(n.home))
	if err != nil {
		return fmt.Errorf("the slip key: %w", err)
	}
	own, err := ValidatorOf(string(n.home))
	if err != nil {
		return err
	}
	slips, err := n.dbs.get("slips")
	if err != nil {
		return err
	}
	start, err := countStart(n.home.starts())
	if err != nil {
		return err
	}
	kept, err := abci.OpenSnapshots(n.home.snapshots())
	if err != nil {
		return err
	}
	n.snapshots = newSnapshots(n, kept)
	pool := abci.DefaultPoolLimits()
	pool.Bytes, pool.Count = n.config.Pool.Megabytes<<20, n.config.Pool.Transactions
	n.app, err = abci.New(abci.Options{
		Genesis: n.doc, GenesisHash: genesis.Hash(n.doc), Ledger: ledger, ClockFile: n.home.clock(), Results: results, Now: n.now,
		Pool: pool, SlipKey: slip, Validator: own.Key, Slips: slips, Start: start, Protocol: n.protocol, Turns: n.turns.between, Snapshots: kept,
		Closed: n.space.closed, Welcome: n.config.P2P.welcome(), Version: Version(), Logger: n.log.With("part", "abci"),
	})
	if err != nil {
		return err
	}
	n.dbs.release("results", "slips")
	return nil
}

// openSigner opens the blocks and holds genesis and sign state against them.
func (n *Node) openSigner() (err error) {
	if n.key, err = p2p.LoadNodeKey(n.home.p2pKey()); err != nil {
		return fmt.Errorf("the p2p key: %w", err)
	}
	if err := n.checkCometGenesis(); err != nil {
		return err
	}
	log := n.log.With("part", "signer")
	key, err := n.openKey(log)
	if err != nil {
		return err
	}
	n.signer, err = openSigner(n.home, key, n.blocks, log)
	return err
}

// openKey opens the consensus key, in its file or behind the link to the signer.
func (n *Node) openKey(log *slog.Logger) (signing.Key, error) {
	key, err := n.home.readConsensusKey()
	if err != nil {
		return nil, err
	}
	c := n.config.Signer
	if (key.PrivKey != nil) == (c != SignerConfig{}) {
		return nil, fmt.Errorf("%w: signer: the private part of the consensus key is either in the home or with a signer, and signer names that; where it is, is settled when the home is made", ErrConfig)
	}
	if key.PrivKey != nil {
		return signing.OpenFileKey(n.home.consensusKey(), n.home.signState())
	}
	consensus, ok := key.PubKey.(cmted25519.PubKey)
	if !ok {
		return nil, fmt.Errorf("the consensus key: %s holds a %T", n.home.consensusKey(), key.PubKey)
	}
	own, err := signing.ConnectionKey(n.home.connectionKey())
	if err != nil {
		return nil, err
	}
	peer, err := signing.ParseKey(c.Key)
	if err != nil {
		return nil, fmt.Errorf("%w: signer.key: %w", ErrConfig, err)
	}
	n.link, err = signing.Listen(signing.LinkOptions{
		Listen: c.Listen, Own: own, Signer: peer, Consensus: consensus, Chain: n.doc.ChainId, Logger: log,
	})
	if err != nil {
		return nil, err
	}
	return signing.OpenRemoteKey(n.link, n.home.asked())
}

// cometGenesisKey is where CometBFT keeps the genesis that it was first started with; it never reads the file again.
var cometGenesisKey = []byte("genesisDoc")

// checkCometGenesis holds CometBFT's copy of its genesis, where it has one, against the node's document.
func (n *Node) checkCometGenesis() error {
	db, err := n.dbs.get("state")
	if err != nil {
		return err
	}
	b, err := db.Get(cometGenesisKey)
	if err != nil || len(b) == 0 {
		return err
	}
	var copied *cmttypes.GenesisDoc
	if err := cmtjson.Unmarshal(b, &copied); err != nil {
		return fmt.Errorf("CometBFT's copy of the genesis: %w", err)
	}
	if copied.ChainID != n.doc.ChainId {
		return fmt.Errorf("%w: of chain %q", ErrGenesis, copied.ChainID)
	}
	if err := genesis.CheckAppState(copied.AppState, n.doc); err != nil {
		return fmt.Errorf("%w: %w", ErrGenesis, err)
	}
	return nil
}

// openComet makes CometBFT's node, which replays stored blocks that the state lacks.
func (n *Node) openComet(ctx context.Context) error {
	params, err := n.parameters()
	if err != nil {
		return err
	}
	config, err := CometConfig(n.home, n.config, params)
	if err != nil {
		return err
	}
	if err := n.tellSnapshot(); err != nil {
		return err
	}
	if n.evidence, err = newEvidence(n); err != nil {
		return err
	}
	n.signer.first = func() (int64, error) { return n.evidence.mayBegin(n.signer.key.Public().Bytes()) }
	n.comet, err = cmtnode.NewNodeWithContext(ctx, config, newStandIn(), n.key, abci.NewClientCreator(n.app),
		func() (*cmttypes.GenesisDoc, error) { return genesis.CometGenesis(n.doc) },
		n.dbs.provide, n.round.provide, cometLogger{n.log.With("part", "cometbft")})
	if err != nil {
		return err
	}
	if n.env, err = n.comet.ConfigureRPC(); err != nil {
		return err
	}
	var ok bool
	if n.consensus, ok = n.env.ConsensusState.(*consensus.State); !ok {
		return fmt.Errorf("CometBFT's consensus is a %T, which cannot be watched", n.env.ConsensusState)
	}
	n.signer.stored = n.comet.BlockStore() // n.blocks has the same blocks, but the height of the start
	n.consensus.SetPrivValidator(n.signer)
	n.peers = newPeers(n)
	n.turns.states, n.turns.address = n.env.StateStore, consensusAddress(n.signer.key.Public().Bytes())
	n.recoverResults()
	return nil
}

// tellSnapshot tells CometBFT where to go on while there is a state of a snapshot and no block after it yet. It forgets that when it is
// made, and then would not start again.
func (n *Node) tellSnapshot() error {
	db, err := n.dbs.get("state")
	if err != nil {
		return err
	}
	states := cmtstate.NewStore(db, cmtstate.StoreOptions{DiscardABCIResponses: true})
	height, err := n.bareSnapshot(states)
	if err != nil || height == 0 {
		return err
	}
	return states.SetOfflineStateSyncHeight(height)
}

// bareSnapshot returns the height of the snapshot with which the node began, while it has no block after it; 0 where there are blocks, or nothing
// is there yet. It fails with ErrDamaged where there is a state without blocks that came with no snapshot: with one comes the commit for its block.
func (n *Node) bareSnapshot(states cmtstate.Store) (int64, error) {
	if n.blocks.Height() > 0 {
		return 0, nil
	}
	s, err := states.Load()
	if err != nil || s.LastBlockHeight == 0 {
		return 0, err
	}
	if n.blocks.LoadSeenCommit(s.LastBlockHeight) == nil {
		return 0, fmt.Errorf("%w: CometBFT's state is of height %d, and its blocks are not there", ErrDamaged, s.LastBlockHeight)
	}
	return s.LastBlockHeight, nil
}

// parameters returns those on the ledger, before the first block those of the genesis document.
func (n *Node) parameters() (*pb.Parameters, error) {
	newest := n.app.Ledger().Newest()
	if newest == nil {
		return &n.doc.Parameters, nil
	}
	return state.MustLoad[pb.Parameters](newest, state.KeyParameters)
}

// recoverResults hands the application the last block's results, in case it was killed before it wrote them.
func (n *Node) recoverResults() {
	height := n.app.Tip().Height
	if height == 0 || n.blocks.Height() == 0 { // at the beginning, or at a snapshot
		return
	}
	block := n.blocks.LoadBlock(height)
	last, err := n.env.StateStore.LoadLastFinalizeBlockResponse(height)
	if err != nil || block == nil {
		n.log.Warn("the results of the newest block cannot be looked up by hash", "height", height, "error", err)
		return
	}
	n.app.Recover(height, block.Txs.ToSliceOfBytes(), last)
}

func (n *Node) openGateway() (err error) {
	validators, err := newUpstream(n, n.config.Gateway.Validators)
	if err != nil {
		return err
	}
	n.gateway, err = gateway.New(n.config.Gateway, gateway.Source{
		App: n.app, Blocks: n.blocks, Chain: n.doc.ChainId, GenesisHash: genesis.Hash(n.doc),
		Document: n.document, Approvals: n.approvals, Version: Version(),
		NodeID: string(n.key.ID()), Validator: n.self, Clocks: n.clocks, Health: n.Health, Ready: n.Ready, Alarms: n.Alarms, CatchingUp: n.CatchingUp, Peers: n.peers.count,
		Certified: n.evidence.certified, Epochs: n.evidence.epochs, Receipt: n.receipt,
		SlipCase: n.slipCase, PassOn: validators.passOn,
		CertifiedAt: n.evidence.certifiedAt, ValidatorsAt: n.env.StateStore.LoadValidators, Report: n.report,
	}, n.log.With("part", "gateway"))
	return err
}
