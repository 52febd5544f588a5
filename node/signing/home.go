package signing

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"

	"votenode/abci"
)

// Home is the folder of a signer:
//
//	signer.json            for which node it signs; only when that is agreed on
//	keys/consensus.json    the consensus key, CometBFT's format
//	keys/connection.json   the key by which the node knows the signer, CometBFT's format of p2p keys
//	sign-state/state.json  what the consensus key has signed last, CometBFT's format: never copied, never restored
//	move.key, moved        where the folder is being moved to, or was moved from: see PrepareMove
type Home string

func (h Home) path(names ...string) string {
	return filepath.Join(append([]string{string(h)}, names...)...)
}

func (h Home) pairing() string      { return h.path("signer.json") }
func (h Home) consensusKey() string { return h.path("keys", "consensus.json") }
func (h Home) connection() string   { return h.path("keys", "connection.json") }
func (h Home) signState() string    { return h.path("sign-state", "state.json") }

// Pairing says for whom a signer signs. Key and chain are fixed for ever: a node's home keeps on which block it has signed, and another
// home would not know of it.
type Pairing struct {
	// Node is the host:port at which the node waits for its signer.
	Node string `json:"node"`
	// NodeKey is the node's connection key, 64 hexadecimal digits.
	NodeKey string `json:"node_key"`
	// Chain is the chain id.
	Chain string `json:"chain"`
}

// Keys are the public keys of a signer.
type Keys struct {
	Consensus  cmted25519.PubKey
	Connection cmted25519.PubKey
}

// Init makes a folder with fresh keys. It fails where there is one already: keys are never overwritten. It fails with ErrMoved and ErrMoving.
func Init(home string) error {
	h := Home(home)
	if err := CheckMoved(home); err != nil {
		return err
	}
	if _, err := os.Lstat(h.consensusKey()); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is a signer's home already (%v)", home, err)
	}
	for _, dir := range []string{h.path("keys"), h.path("sign-state")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	consensus := privval.NewFilePV(cmted25519.GenPrivKey(), h.consensusKey(), h.signState())
	if err := CreateJSON(h.consensusKey(), consensus.Key); err != nil {
		return err
	}
	if err := CreateJSON(h.signState(), &consensus.LastSignState); err != nil {
		return err
	}
	return NewConnectionKey(h.connection())
}

// NewConnectionKey makes a key for one end of a connection.
func NewConnectionKey(path string) error {
	return CreateJSON(path, &p2p.NodeKey{PrivKey: cmted25519.GenPrivKey()})
}

// ConnectionKey reads the key for one end of a connection.
func ConnectionKey(path string) (cmted25519.PrivKey, error) {
	if err := checkPrivate(path); err != nil {
		return nil, fmt.Errorf("the connection key: %w", err)
	}
	key, err := p2p.LoadNodeKey(path)
	if err != nil {
		return nil, fmt.Errorf("the connection key: %w", err)
	}
	private, ok := key.PrivKey.(cmted25519.PrivKey)
	if !ok {
		return nil, fmt.Errorf("the connection key: %s holds a %T", path, key.PrivKey)
	}
	return private, nil
}

// CreateJSON writes a file in CometBFT's JSON that does not exist yet, for its owner only.
func CreateJSON(path string, v any) error {
	b, err := cmtjson.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return CreateFile(path, b)
}

// CreateFile writes a file that does not exist yet, for its owner only, and syncs file and folder.
func CreateFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close(), abci.SyncDir(filepath.Dir(path)))
}

// PublicKeys returns the public keys of a signer's folder.
func PublicKeys(home string) (Keys, error) {
	h := Home(home)
	key, err := ReadKey(h.consensusKey())
	if err != nil {
		return Keys{}, err
	}
	connection, err := ConnectionKey(h.connection())
	if err != nil {
		return Keys{}, err
	}
	consensus, ok := key.PrivKey.(cmted25519.PrivKey)
	if !ok {
		return Keys{}, fmt.Errorf("the consensus key: %s holds no Ed25519 key", h.consensusKey())
	}
	return Keys{consensus.PubKey().(cmted25519.PubKey), connection.PubKey().(cmted25519.PubKey)}, nil
}

func (p Pairing) check() error {
	if host, port, err := net.SplitHostPort(p.Node); err != nil || host == "" || port == "" {
		return fmt.Errorf("%q is no host:port", p.Node)
	}
	if _, err := ParseKey(p.NodeKey); err != nil {
		return err
	}
	if p.Chain == "" {
		return errors.New("the chain has no id")
	}
	return nil
}

// Pair says for which node a signer signs. Later on only the address may change. It fails with ErrRunning, ErrMoved and ErrMoving.
func Pair(home string, p Pairing) error {
	if err := p.check(); err != nil {
		return err
	}
	lock, err := Lock(home)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := CheckMoved(home); err != nil {
		return err
	}
	if _, err := PublicKeys(home); err != nil {
		return err
	}
	h := Home(home)
	switch before, err := ReadPairing(home); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case before.NodeKey != p.NodeKey || before.Chain != p.Chain:
		return fmt.Errorf("this signer signs for the node %s on the chain %q, for ever: only its address can change; for another node make a fresh signer", before.NodeKey, before.Chain)
	}
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	return abci.WriteFile(h.pairing(), append(b, '\n'))
}

// ReadPairing returns for which node a signer signs. It fails with fs.ErrNotExist where that is not agreed on.
func ReadPairing(home string) (Pairing, error) {
	b, err := os.ReadFile(Home(home).pairing())
	if err != nil {
		return Pairing{}, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var p Pairing
	err = d.Decode(&p)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("something follows")
		}
	}
	if err == nil {
		err = p.check()
	}
	if err != nil {
		return Pairing{}, fmt.Errorf("%s: %w", Home(home).pairing(), err)
	}
	return p, nil
}

// Hex returns a key as people write it.
func Hex(key cmted25519.PubKey) string { return hex.EncodeToString(key) }
