package bench

import (
	"container/list"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/libs/log"
	cmtnode "github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	"github.com/cometbft/cometbft/proxy"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/tx"
	"votenode/genesis"
	"votenode/internal/network"
	"votenode/node"
	pb "votenode/proto/votenode/v1"
)

// bare is an application that checks nothing: what comes in goes to the peers once and into the next block, in order of arrival.
type bare struct {
	abcitypes.BaseApplication

	mu      sync.Mutex
	order   *list.List // of []byte
	waiting map[[32]byte]*list.Element
	fresh   [][]byte // not given to the peers yet
	blocks  [][][32]byte
	next    chan struct{} // closed by the next block
}

func newBare() *bare {
	return &bare{order: list.New(), waiting: map[[32]byte]*list.Element{}, next: make(chan struct{})}
}

func (b *bare) add(raw []byte, local bool) {
	hash := sha256.Sum256(raw)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting[hash] != nil {
		return
	}
	b.waiting[hash] = b.order.PushBack(raw)
	if local {
		b.fresh = append(b.fresh, raw)
	}
}

// offer implements target.
func (b *bare) offer(_ context.Context, _ string, raws [][]byte) ([]answer, error) {
	for _, raw := range raws {
		b.add(raw, true)
	}
	return make([]answer, len(raws)), nil
}

// InsertTx implements CometBFT's Application.
func (b *bare) InsertTx(_ context.Context, req *abcitypes.RequestInsertTx) (*abcitypes.ResponseInsertTx, error) {
	b.add(req.Tx, false)
	return &abcitypes.ResponseInsertTx{}, nil
}

// ReapTxs implements CometBFT's Application.
func (b *bare) ReapTxs(_ context.Context, req *abcitypes.RequestReapTxs) (*abcitypes.ResponseReapTxs, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := within(b.fresh, int64(req.MaxBytes))
	res := &abcitypes.ResponseReapTxs{Txs: b.fresh[:n:n]}
	b.fresh = b.fresh[n:]
	return res, nil
}

// within returns how many of the first transactions have at most so many bytes together.
func within(raws [][]byte, bytes int64) int {
	for i, raw := range raws {
		if bytes -= int64(len(raw)); bytes < 0 {
			return i
		}
	}
	return len(raws)
}

// PrepareProposal implements CometBFT's Application.
func (b *bare) PrepareProposal(_ context.Context, req *abcitypes.RequestPrepareProposal) (*abcitypes.ResponsePrepareProposal, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	res := new(abcitypes.ResponsePrepareProposal)
	rest := req.MaxTxBytes
	for e := b.order.Front(); e != nil; e = e.Next() {
		raw := e.Value.([]byte)
		if rest -= cmttypes.ComputeProtoSizeForTxs([]cmttypes.Tx{raw}); rest < 0 {
			break
		}
		res.Txs = append(res.Txs, raw)
	}
	return res, nil
}

// FinalizeBlock implements CometBFT's Application.
func (b *bare) FinalizeBlock(_ context.Context, req *abcitypes.RequestFinalizeBlock) (*abcitypes.ResponseFinalizeBlock, error) {
	res := &abcitypes.ResponseFinalizeBlock{AppHash: make([]byte, sha256.Size), TxResults: make([]*abcitypes.ExecTxResult, len(req.Txs))}
	hashes := make([][32]byte, len(req.Txs))
	for i, raw := range req.Txs {
		res.TxResults[i] = new(abcitypes.ExecTxResult)
		hashes[i] = sha256.Sum256(raw)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, hash := range hashes {
		if e := b.waiting[hash]; e != nil {
			b.order.Remove(e)
			delete(b.waiting, hash)
		}
	}
	b.blocks = append(b.blocks, hashes)
	return res, nil
}

// Commit implements CometBFT's Application.
func (b *bare) Commit(context.Context, *abcitypes.RequestCommit) (*abcitypes.ResponseCommit, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.next)
	b.next = make(chan struct{})
	return &abcitypes.ResponseCommit{}, nil
}

// blocksAfter implements chain. Nothing is certified, for the application knows no organisations: committed stands for it.
func (b *bare) blocksAfter(ctx context.Context, height int64) ([][][32]byte, int64, error) {
	for {
		b.mu.Lock()
		all, next := b.blocks, b.next
		b.mu.Unlock()
		if int64(len(all)) > height {
			return all[height:], int64(len(all)), nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
}

// bareNodes are nodes of CometBFT with bare applications, with the configuration and the consensus parameters of a real node.
type bareNodes struct {
	apps  []*bare
	nodes []*cmtnode.Node
}

// startBare starts so many in this process; their files are in a new folder.
func startBare(ctx context.Context, folder string, validators int, p *pb.Parameters) (*bareNodes, error) {
	b := new(bareNodes)
	ports, err := network.FreePorts(validators)
	if err != nil {
		return b, err
	}
	doc := &cmttypes.GenesisDoc{GenesisTime: time.Now(), ChainID: chainID, ConsensusParams: genesis.ConsensusParams(p)}
	keys, addresses := make([]*p2p.NodeKey, validators), make([]string, validators)
	signers := make([]*privval.FilePV, validators)
	for i := range validators {
		home := filepath.Join(folder, fmt.Sprint(i))
		if err := os.MkdirAll(filepath.Join(home, "data", "comet"), 0o700); err != nil {
			return b, err
		}
		keys[i] = &p2p.NodeKey{PrivKey: cmted25519.GenPrivKey()}
		addresses[i] = fmt.Sprintf("%s@%s", keys[i].ID(), ports[i])
		signers[i] = privval.NewFilePV(cmted25519.GenPrivKey(), filepath.Join(home, "key"), filepath.Join(home, "state"))
		public, err := signers[i].GetPubKey()
		if err != nil {
			return b, err
		}
		doc.Validators = append(doc.Validators, cmttypes.GenesisValidator{Address: public.Address(), PubKey: public, Power: 1})
	}
	for i := range validators {
		config := node.DefaultConfig()
		config.P2P.Listen = ports[i]
		home := node.Home(filepath.Join(folder, fmt.Sprint(i)))
		comet, err := node.CometConfig(home, config, p)
		if err != nil {
			return b, err
		}
		comet.P2P.PersistentPeers = strings.Join(append(append([]string(nil), addresses[:i]...), addresses[i+1:]...), ",")
		app := newBare()
		n, err := cmtnode.NewNodeWithContext(ctx, comet, signers[i], keys[i], proxy.NewConnSyncLocalClientCreator(app),
			func() (*cmttypes.GenesisDoc, error) { return doc, nil }, node.CometDatabases(home), cmtnode.DefaultMetricsProvider(comet.Instrumentation), log.NewNopLogger())
		if err != nil {
			return b, err
		}
		if err := n.Start(); err != nil {
			return b, err
		}
		b.apps, b.nodes = append(b.apps, app), append(b.nodes, n)
	}
	return b, nil
}

// targets implements nodes.
func (b *bareNodes) targets() []target {
	targets := make([]target, len(b.apps))
	for i, app := range b.apps {
		targets[i] = app
	}
	return targets
}

func (b *bareNodes) chain() chain { return b.apps[0] }

func (b *bareNodes) stop() (err error) {
	for _, n := range b.nodes {
		if stopped := n.Stop(); err == nil {
			err = stopped
		}
		n.Wait()
	}
	return err
}

// answerOf translates the answer of a node to one transaction.
func answerOf(code tx.Code, slip []byte) answer { return answer{code: code, promised: len(slip) > 0} }
