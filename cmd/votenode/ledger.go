package main

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/cosmos/gogoproto/proto"
	"github.com/spf13/cobra"

	"votenode/client"
	"votenode/client/keyfile"
	"votenode/client/readable"
	"votenode/crypto/ballot"
	"votenode/genesis"
	pb "votenode/proto/votenode/v1"
)

// ledgerFlags say which ledger, and through whose nodes.
type ledgerFlags struct {
	genesisHash string
	nodes       []string
}

func (l *ledgerFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&l.genesisHash, "genesis-hash", "", "hash of the genesis document, from which everything is verified")
	c.Flags().StringSliceVar(&l.nodes, "node", nil, "address of a node's gateway; give one of each organisation, separated by commas or with the flag repeated")
	require(c, "genesis-hash", "node")
}

// open verifies the ledger from its genesis hash. Nodes that fail or lie are told on stderr, each trouble once.
func (l *ledgerFlags) open(c *cobra.Command) (*client.Ledger, error) {
	hash, err := parseHash(l.genesisHash)
	if err != nil {
		return nil, usagef("--genesis-hash: %w", err)
	}
	return client.Open(c.Context(), hash, l.nodes, l.notice(c))
}

// view is open with the newest certified state.
func (l *ledgerFlags) view(c *cobra.Command) (*client.View, error) {
	opened, err := l.open(c)
	if err != nil {
		return nil, err
	}
	return opened.Certified(c.Context())
}

// loadRules returns the newest certified state, and the manifest that an election has there.
func loadRules(c *cobra.Command, l *client.Ledger, id string) (*client.View, *pb.Manifest, error) {
	v, err := l.Certified(c.Context())
	if err != nil {
		return nil, nil, err
	}
	_, m, err := client.LoadRules(c.Context(), v, id)
	return v, m, err
}

// notice tells of nodes that fail or lie, each trouble once.
func (l *ledgerFlags) notice(c *cobra.Command) client.Notice {
	otherwise := ""
	if len(l.nodes) > 1 {
		otherwise = "; going on with the other nodes"
	}
	var said sync.Map
	return func(node string, reason error) {
		line := fmt.Sprintf("%s: %v%s", node, reason, otherwise)
		if _, repeated := said.LoadOrStore(line, true); !repeated {
			say(c, "%s", line)
		}
	}
}

// parseHash reads 64 hexadecimal digits.
func parseHash(s string) ([32]byte, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 32 {
		return [32]byte{}, fmt.Errorf("%q is no hash: it has 64 hexadecimal digits", s)
	}
	return [32]byte(b), nil
}

// keyFlags name the file of a person's key.
type keyFlags struct {
	file       string
	passphrase passphraseFlags
}

func (k *keyFlags) add(c *cobra.Command, role keyfile.Role) {
	c.Flags().StringVar(&k.file, "key", "", fmt.Sprintf("key file of the %s", role))
	require(c, "key")
	k.passphrase.add(c)
}

func (k *keyFlags) load() (*keyfile.Key, error) {
	key, err := keyfile.Load(k.file, k.passphrase.existing(k.file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; make one with: votenode key new", err)
	}
	return key, err
}

// ed25519 returns the key where it is of a role that signs with Ed25519.
func (k *keyFlags) ed25519(role keyfile.Role) (ed25519.PrivateKey, error) {
	key, err := k.load()
	if err != nil {
		return nil, err
	}
	return key.Ed25519(role)
}

// voter returns the key where it is a voter's.
func (k *keyFlags) voter() (*ballot.SecretKey, error) {
	key, err := k.load()
	if err != nil {
		return nil, err
	}
	return key.Voter()
}

// waitFlag says what a command waits for.
type waitFlag struct{ name string }

func (w *waitFlag) add(c *cobra.Command) {
	c.Flags().StringVar(&w.name, "wait", "certified", "what to wait for: accepted (by a node), committed (a node says so) or certified (proven)")
}

func (w *waitFlag) parse() (client.Wait, error) {
	wait, err := client.ParseWait(w.name)
	if err != nil {
		return 0, usagef("--wait: %w", err)
	}
	return wait, nil
}

// readMessage reads a message in JSON, as readable.FormatMessage writes it, from a file.
func readMessage(path string, m proto.Message) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := readable.ParseMessage(data, m); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// readEntry reads an entry of a genesis document, as 'genesis entry' writes it.
func readEntry(path string) (*pb.GenesisEntry, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	entry, err := genesis.EntryFromJSON(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return entry, nil
}

// unused refuses the path of a new file where something stands already: before work is done that would be lost.
func unused(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s: %w; choose another name", path, keyfile.ErrExists)
	}
	return nil
}

// createFile writes a new file for everybody to read, or to stdout where the path is -.
func createFile(c *cobra.Command, path string, data []byte) error {
	if path == "-" {
		_, err := c.OutOrStdout().Write(data)
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s: %w; choose another name", path, keyfile.ErrExists)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
