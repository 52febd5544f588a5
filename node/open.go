package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	dbm "github.com/cometbft/cometbft-db"
	"github.com/cometbft/cometbft/consensus"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	cmtnode "github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	cmtstore "github.com/cometbft/cometbft/store"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/abci"
	"votenode/app/state"
	"votenode/genesis"
	"votenode/node/gateway"
	pb "votenode/proto/votenode/v1"
	"votenode/store"
)

func (n *Node) readHome() (err error) {
	if n.config, err = ReadConfig(n.home.ConfigFile()); err != nil {
		return err
	}
	if n.log == nil {
		if n.log, err = NewLogger(os.Stderr, n.config.Log); err != nil {
			return err
		}
	}
	if n.document, err = os.ReadFile(n.home.GenesisFile()); err != nil {
		return fmt.Errorf("the genesis document: %w", err)
	}
	if n.doc, err = genesis.Parse(n.document); err != nil {
		return fmt.Errorf("%s: %w", n.home.GenesisFile(), err)
	}
	n.approvals, err = os.ReadFile(n.home.ApprovalsFile())
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
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
	pool := abci.DefaultPoolLimits()
	pool.Bytes, pool.Count = n.config.Pool.Megabytes<<20, n.config.Pool.Transactions
	n.app, err = abci.New(abci.Options{
		Genesis: n.doc, GenesisHash: genesis.Hash(n.doc), Ledger: ledger, ClockFile: n.home.clock(), Results: results, Now: n.now,
		Pool: pool, SlipKey: slip, Validator: own.Key, Slips: slips, Turns: n.turns.between, Closed: n.space.closed, Welcome: n.config.P2P.welcome(), Version: Version(), Logger: n.log.With("part", "abci"),
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
	n.signer, err = openSigner(n.home, n.blocks, n.log.With("part", "signer"))
	return err
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
	if n.evidence, err = newEvidence(n); err != nil {
		return err
	}
	n.signer.first = func() (int64, error) { return n.evidence.mayBegin(n.signer.file.Key.PubKey.Bytes()) }
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
	n.turns.states, n.turns.address = n.env.StateStore, consensusAddress(n.signer.file.Key.PubKey.Bytes())
	n.recoverResults()
	return nil
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
	if height == 0 {
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
