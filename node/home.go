package node

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"

	"votenode/abci"
	"votenode/genesis"
	pb "votenode/proto/votenode/v1"
)

// Home is the folder of a node:
//
//	node.json                the configuration
//	genesis, approvals       the genesis document and the officers' approvals, canonical bytes
//	keys/consensus.json      the consensus key, CometBFT's format
//	keys/p2p.json            the p2p key, CometBFT's format
//	keys/slip                the slip key: the 32 bytes of the Ed25519 seed, hexadecimal
//	sign-state/state.json    what the consensus key has signed last, CometBFT's format: never copied, never restored
//	sign-state/decided.json  the last block that the node decided and signed on, height and hash: never copied, never restored
//	sign-state/retired       why the consensus key never signs again, in words; only where it is so
//	data/ledger              the state, Badger
//	data/comet               CometBFT's blocks, states, evidence and write-ahead log, the index of results and the slips, goleveldb
//	data/commit-time.json    local time of the last commit
type Home string

func (h Home) path(names ...string) string {
	return filepath.Join(append([]string{string(h)}, names...)...)
}

// ConfigFile returns the path of the configuration.
func (h Home) ConfigFile() string { return h.path("node.json") }

// GenesisFile returns the path of the genesis document.
func (h Home) GenesisFile() string { return h.path("genesis") }

// ApprovalsFile returns the path of the officers' approvals.
func (h Home) ApprovalsFile() string { return h.path("approvals") }

func (h Home) consensusKey() string { return h.path("keys", "consensus.json") }
func (h Home) p2pKey() string       { return h.path("keys", "p2p.json") }
func (h Home) slipKey() string      { return h.path("keys", "slip") }
func (h Home) signState() string    { return h.path("sign-state", "state.json") }
func (h Home) decided() string      { return h.path("sign-state", "decided.json") }
func (h Home) retired() string      { return h.path("sign-state", "retired") }
func (h Home) ledger() string       { return h.path("data", "ledger") }
func (h Home) rolledBack() string   { return h.path("data", "ledger-rolled-back") }
func (h Home) abandoned() string    { return h.path("data", "ledger-abandoned") }
func (h Home) comet() string        { return h.path("data", "comet") }
func (h Home) wal() string          { return h.path("data", "comet", "wal", "wal") }
func (h Home) clock() string        { return h.path("data", "commit-time.json") }

// stores are the folders in data that grow, by the name under which their size is told.
func (h Home) stores() map[string]string {
	dirs := map[string]string{"ledger": h.ledger(), "wal": filepath.Dir(h.wal())}
	for _, name := range []string{"blockstore", "state", "evidence", "results", "slips"} {
		dirs[name] = filepath.Join(h.comet(), name+".db")
	}
	return dirs
}

// Init makes a home with fresh keys, from the randomness of the operating system, and a configuration. It fails where there is
// one already: keys are never overwritten.
func Init(home string, c Config) error {
	h := Home(home)
	if _, err := os.Lstat(h.ConfigFile()); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is a node's home already (%v)", home, err)
	}
	for _, dir := range []string{h.path("keys"), h.path("sign-state"), h.comet()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	consensus := privval.NewFilePV(cmted25519.GenPrivKey(), h.consensusKey(), h.signState())
	seed := make([]byte, ed25519.SeedSize)
	rand.Read(seed)
	files := []struct {
		path  string
		value any
	}{
		{h.consensusKey(), consensus.Key},
		{h.signState(), &consensus.LastSignState},
		{h.decided(), decided{}},
		{h.p2pKey(), &p2p.NodeKey{PrivKey: cmted25519.GenPrivKey()}},
	}
	for _, f := range files {
		b, err := cmtjson.MarshalIndent(f.value, "", "  ")
		if err != nil {
			return err
		}
		if err := createFile(f.path, b); err != nil {
			return err
		}
	}
	if err := createFile(h.slipKey(), []byte(hex.EncodeToString(seed)+"\n")); err != nil {
		return err
	}
	return createFile(h.ConfigFile(), c.Bytes())
}

// createFile writes a file that does not exist yet, for its owner only, and syncs file and folder.
func createFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close(), abci.SyncDir(filepath.Dir(path)))
}

// SetGenesis puts a genesis document and its approvals into a home that has none. The document is checked; it is for the caller
// to compare its hash with what was agreed.
func SetGenesis(home string, document, approvals []byte) error {
	if _, err := genesis.Parse(document); err != nil {
		return err
	}
	if _, err := genesis.ParseApprovals(approvals); err != nil {
		return err
	}
	h := Home(home)
	if err := createFile(h.ApprovalsFile(), approvals); err != nil {
		return err
	}
	return createFile(h.GenesisFile(), document)
}

// SlipKey returns the slip key of a home. It signs what the node promises and reports, and the entry that brings the validator
// into a genesis document.
func SlipKey(home string) (ed25519.PrivateKey, error) {
	b, err := os.ReadFile(Home(home).slipKey())
	if err != nil {
		return nil, err
	}
	seed, err := hex.DecodeString(strings.TrimSpace(string(b)))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("%s holds no slip key: 64 hexadecimal digits", Home(home).slipKey())
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// ValidatorOf returns the public part of a home, as a validator's record: its keys and node id. Organisation, name, power and
// address are left to the caller.
func ValidatorOf(home string) (pb.Validator, error) {
	h := Home(home)
	var key privval.FilePVKey
	if err := readJSON(h.consensusKey(), &key); err != nil {
		return pb.Validator{}, fmt.Errorf("the consensus key: %w", err)
	}
	node, err := p2p.LoadNodeKey(h.p2pKey())
	if err != nil {
		return pb.Validator{}, fmt.Errorf("the p2p key: %w", err)
	}
	slip, err := SlipKey(home)
	if err != nil {
		return pb.Validator{}, err
	}
	return pb.Validator{
		Key:     key.PrivKey.PubKey().Bytes(),
		SlipKey: slip.Public().(ed25519.PublicKey),
		NodeId:  node.PubKey().Address(),
	}, nil
}
