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
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"

	"votenode/genesis"
	"votenode/node/signing"
	pb "votenode/proto/votenode/v1"
)

// Home is the folder of a node:
//
//	node.json                the configuration
//	genesis, approvals       the genesis document and the officers' approvals, canonical bytes
//	keys/consensus.json      the consensus key, CometBFT's format; without its private part where a signer has that
//	keys/connection.json     the key by which the signer knows the node, CometBFT's format of p2p keys; only where there is a signer
//	keys/p2p.json            the p2p key, CometBFT's format
//	keys/slip                the slip key: the 32 bytes of the Ed25519 seed, hexadecimal
//	sign-state/state.json    what the consensus key has signed last, CometBFT's format: never copied, never restored
//	sign-state/asked.json    in its place where there is a signer: what that was asked to sign last; never copied, never restored
//	sign-state/decided.json  the last block that the node decided and signed on, height and hash: never copied, never restored
//	sign-state/retired       why the consensus key never signs again, in words; only where it is so
//	data/ledger              the state, Badger
//	data/comet               CometBFT's blocks, states, evidence and write-ahead log, the index of results and the slips, goleveldb
//	data/commit-time.json    local time of the last commit
//	data/starts              how often the node was started, decimal
//	data/epoch-000002 ...    proofs of the validator sets after the first
//	data/snapshots           what other nodes may begin with (docs/spec chapter 14)
//	data.new                 data in the making, from a snapshot; what a kill leaves of it is dropped when it is tried again
//	move.key, moved          where the home is being moved to, or was moved from: see signing.PrepareMove
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

func (h Home) consensusKey() string  { return h.path("keys", "consensus.json") }
func (h Home) connectionKey() string { return h.path("keys", "connection.json") }
func (h Home) p2pKey() string        { return h.path("keys", "p2p.json") }
func (h Home) slipKey() string       { return h.path("keys", "slip") }
func (h Home) signState() string     { return h.path("sign-state", "state.json") }
func (h Home) asked() string         { return h.path("sign-state", "asked.json") }
func (h Home) decided() string       { return h.path("sign-state", "decided.json") }
func (h Home) retired() string       { return h.path("sign-state", "retired") }
func (h Home) data() string          { return h.path("data") }
func (h Home) newData() string       { return h.path("data.new") }
func (h Home) ledger() string        { return h.path("data", "ledger") }
func (h Home) rolledBack() string    { return h.path("data", "ledger-rolled-back") }
func (h Home) abandoned() string     { return h.path("data", "ledger-abandoned") }
func (h Home) comet() string         { return h.path("data", "comet") }
func (h Home) wal() string           { return h.path("data", "comet", "wal", "wal") }
func (h Home) clock() string         { return h.path("data", "commit-time.json") }
func (h Home) starts() string        { return h.path("data", "starts") }
func (h Home) snapshots() string     { return h.path("data", "snapshots") }

// epochProof is where the proof of a validator set belongs.
func (h Home) epochProof(epoch uint64) string { return h.path("data", epochProofFile(epoch)) }

func epochProofFile(epoch uint64) string { return fmt.Sprintf("epoch-%06d", epoch) }

// stores are the folders in data that grow, by the name under which their size is told.
func (h Home) stores() map[string]string {
	dirs := map[string]string{"ledger": h.ledger(), "wal": filepath.Dir(h.wal())}
	for _, name := range []string{"blockstore", "state", "evidence", "results", "slips"} {
		dirs[name] = filepath.Join(h.comet(), name+".db")
	}
	return dirs
}

// Init makes a home with fresh keys, from the randomness of the operating system, and a configuration. It fails where there is
// one already: keys are never overwritten. It fails with signing.ErrMoved and signing.ErrMoving.
func Init(home string, c Config) error {
	return initHome(Home(home), c, cmted25519.GenPrivKey(), nil)
}

// InitRemote makes a home whose consensus key a signer has; the configuration says which signer.
func InitRemote(home string, c Config, consensus cmted25519.PubKey) error {
	if c.Signer == (SignerConfig{}) {
		return fmt.Errorf("%w: it names no signer", ErrConfig)
	}
	if err := c.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return initHome(Home(home), c, nil, consensus)
}

// initHome makes a home with a consensus key, or for the public key of one elsewhere.
func initHome(h Home, c Config, private cmted25519.PrivKey, public cmted25519.PubKey) error {
	if err := signing.CheckMoved(string(h)); err != nil {
		return err
	}
	if _, err := os.Lstat(h.ConfigFile()); err == nil {
		return fmt.Errorf("%s is a node's home already; it is left as it is", h)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, dir := range []string{h.path("keys"), h.path("sign-state"), h.comet()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	type file struct {
		path  string
		value any
	}
	files := []file{{h.decided(), decided{}}, {h.p2pKey(), &p2p.NodeKey{PrivKey: cmted25519.GenPrivKey()}}}
	if private != nil {
		consensus := privval.NewFilePV(private, h.consensusKey(), h.signState())
		files = append(files, file{h.consensusKey(), consensus.Key}, file{h.signState(), &consensus.LastSignState})
	} else {
		files = append(files, file{h.consensusKey(), privval.FilePVKey{Address: public.Address(), PubKey: public}}, file{h.asked(), signing.NewAsked()})
	}
	for _, f := range files {
		if err := signing.CreateJSON(f.path, f.value); err != nil {
			return err
		}
	}
	if private == nil {
		if err := signing.NewConnectionKey(h.connectionKey()); err != nil {
			return err
		}
	}
	seed := make([]byte, ed25519.SeedSize)
	rand.Read(seed)
	if err := signing.CreateFile(h.slipKey(), []byte(hex.EncodeToString(seed)+"\n")); err != nil {
		return err
	}
	return signing.CreateFile(h.ConfigFile(), c.Bytes())
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
	if err := signing.CreateFile(h.ApprovalsFile(), approvals); err != nil {
		return err
	}
	return signing.CreateFile(h.GenesisFile(), document)
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
	key, err := h.readConsensusKey()
	if err != nil {
		return pb.Validator{}, err
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
		Key:     key.PubKey.Bytes(),
		SlipKey: slip.Public().(ed25519.PublicKey),
		NodeId:  node.PubKey().Address(),
	}, nil
}

// readConsensusKey reads the consensus key, whose private part may be with a signer.
func (h Home) readConsensusKey() (privval.FilePVKey, error) {
	key, err := signing.ReadKey(h.consensusKey())
	if err != nil {
		return key, err
	}
	if key.PrivKey != nil {
		key.PubKey = key.PrivKey.PubKey()
	}
	if key.PubKey == nil {
		return key, fmt.Errorf("the consensus key: %s holds none", h.consensusKey())
	}
	return key, nil
}

// ConnectionKey returns the public key by which the signer knows the node of a home.
func ConnectionKey(home string) (cmted25519.PubKey, error) {
	key, err := signing.ConnectionKey(Home(home).connectionKey())
	if err != nil {
		return nil, err
	}
	return key.PubKey().(cmted25519.PubKey), nil
}
