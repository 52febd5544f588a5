// Package network founds a ledger of several organisations and runs it on this machine, every validator as a process of the real
// program, joined by CometBFT's p2p over loopback; or takes one that runs elsewhere. The demo and tests of whole networks use it.
//
// It holds the keys of everybody, which no real participant does. It decides nothing about elections, and it ends the processes that
// it started, each by its id, and no others.
package network

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"votenode/app/organisation"
	"votenode/client"
	"votenode/client/keyfile"
	"votenode/genesis"
	"votenode/node"
	pb "votenode/proto/votenode/v1"
)

// Plan says what to found.
type Plan struct {
	Chain         string
	Organisations []Organisation
	Parameters    *pb.Parameters
}

// Organisation is one of a plan: so many validators of one Power, 1 where that is 0, officers of whom Quorum suffice, and one registrar.
type Organisation struct {
	ID, Title                    string
	Validators, Officers, Quorum int
	Power                        int64
}

// Network is a founded ledger with its people and processes.
type Network struct {
	Processes
	Folder     string
	Document   *pb.Genesis
	Hash       [32]byte
	Validators []*Validator
	// Followers are nodes that are no validators.
	Followers []*client.Node
	// Officers and Registrars are keys by organisation.
	Officers   map[string][]ed25519.PrivateKey
	Registrars map[string]ed25519.PrivateKey
}

// Validator is one validator with its process.
type Validator struct {
	Name, Organisation string
	// Home and Process are empty where it runs elsewhere.
	Home string
	// Address is CometBFT's address of the consensus key, 20 bytes.
	Address []byte
	Node    *client.Node
	Process *Process
}

// Found makes all keys, homes and the genesis document in a folder, and starts nothing.
func Found(ctx context.Context, folder, binary string, plan Plan, fail context.CancelCauseFunc) (*Network, error) {
	n := in(folder, binary, fail)
	if err := n.makeFolders(); err != nil {
		return nil, err
	}
	f := &founding{network: n, plan: plan}
	for _, o := range plan.Organisations {
		if err := f.organisation(ctx, o); err != nil {
			return nil, err
		}
	}
	var err error
	n.Document, err = genesis.Assemble(plan.Chain, time.Now().Unix(), plan.Parameters, f.organisations, f.entries)
	if err != nil {
		return nil, err
	}
	n.Hash = genesis.Hash(n.Document)
	approvals := new(pb.GenesisApprovals)
	for _, keys := range n.Officers {
		for _, key := range keys {
			a, err := genesis.Approve(n.Document, key)
			if err != nil {
				return nil, err
			}
			genesis.AddApproval(approvals, a)
		}
	}
	for _, v := range n.Validators {
		if err := node.SetGenesis(v.Home, genesis.Bytes(n.Document), genesis.ApprovalsBytes(approvals)); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// in returns a network in a folder of which nothing is known yet.
func in(folder, binary string, fail context.CancelCauseFunc) *Network {
	return &Network{
		Processes: Processes{Binary: binary, Logs: filepath.Join(folder, "logs"), Fail: fail}, Folder: folder,
		Officers: map[string][]ed25519.PrivateKey{}, Registrars: map[string]ed25519.PrivateKey{},
	}
}

// founding collects what a genesis document is assembled from.
type founding struct {
	network       *Network
	plan          Plan
	organisations []pb.Organisation
	entries       []*pb.GenesisEntry
}

func (f *founding) organisation(ctx context.Context, o Organisation) error {
	f.organisations = append(f.organisations, pb.Organisation{Id: o.ID, Title: o.Title, OfficerQuorum: uint32(o.Quorum)})
	for i := range o.Officers {
		name := fmt.Sprintf("%s-officer-%d", o.ID, i+1)
		key, err := f.network.NewPerson(keyfile.Officer, name)
		if err != nil {
			return err
		}
		f.network.Officers[o.ID] = append(f.network.Officers[o.ID], key)
		member := &pb.Member{Name: name, Key: key[ed25519.SeedSize:]}
		if err := f.enter(o, &pb.GenesisEntry{Entry: &pb.GenesisEntry_Officer{Officer: member}}, key); err != nil {
			return err
		}
	}
	name := o.ID + "-registrar"
	key, err := f.network.NewPerson(keyfile.Registrar, name)
	if err != nil {
		return err
	}
	f.network.Registrars[o.ID] = key
	member := &pb.Member{Name: name, Key: key[ed25519.SeedSize:]}
	if err := f.enter(o, &pb.GenesisEntry{Entry: &pb.GenesisEntry_Registrar{Registrar: member}}, key); err != nil {
		return err
	}
	for i := range o.Validators {
		if err := f.validator(ctx, o, fmt.Sprintf("%s-%d", o.ID, i+1)); err != nil {
			return err
		}
	}
	return nil
}

// validator makes a validator's home. Its gateway and its peers are on loopback.
func (f *founding) validator(ctx context.Context, o Organisation, name string) error {
	ports, err := FreePorts(2)
	if err != nil {
		return err
	}
	home := filepath.Join(f.network.Folder, name)
	if _, err := f.network.Run(ctx, "node", "init", "--home", home, "--p2p", ports[0], "--gateway", ports[1]); err != nil {
		return err
	}
	public, err := node.ValidatorOf(home)
	if err != nil {
		return err
	}
	public.Organisation, public.Name, public.Power, public.Address = o.ID, name, max(o.Power, 1), ports[0]
	slip, err := node.SlipKey(home)
	if err != nil {
		return err
	}
	entry := &pb.GenesisEntry{Entry: &pb.GenesisEntry_Validator{Validator: &public}}
	if err := f.enter(o, entry, slip); err != nil {
		return err
	}
	gateway, err := client.NewNode(ports[1])
	if err == nil {
		f.network.addValidator(&public, home, gateway)
	}
	return err
}

// addValidator adds a validator with its home and its gateway.
func (n *Network) addValidator(v *pb.Validator, home string, gateway *client.Node) {
	address := organisation.ConsensusAddress(v.Key)
	n.Validators = append(n.Validators, &Validator{
		Name: v.Name, Organisation: v.Organisation, Home: home, Address: address[:], Node: gateway,
	})
}

func (f *founding) enter(o Organisation, entry *pb.GenesisEntry, key ed25519.PrivateKey) error {
	entry.ChainId, entry.Organisation = f.plan.Chain, o.ID
	f.entries = append(f.entries, entry)
	return genesis.SignEntry(entry, key)
}

// KeyFile is where the key of a person lies, without a passphrase.
func (n *Network) KeyFile(name string) string { return keyFile(n.Folder, name) }

func keyFile(folder, name string) string { return filepath.Join(folder, "people", name+".key") }

// NewPerson makes a signing key for a person of a role and writes its file.
func (n *Network) NewPerson(role keyfile.Role, name string) (ed25519.PrivateKey, error) {
	key, err := keyfile.Generate(role, rand.Reader)
	if err != nil {
		return nil, err
	}
	if err := key.Write(n.KeyFile(name), ""); err != nil {
		return nil, err
	}
	signing, err := key.Ed25519(role)
	return ed25519.PrivateKey(signing), err
}

// NewSigner makes a signing key of somebody whom the ledger does not know.
func NewSigner() (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}

// reserved are the UDP sockets that keep ports for this process.
var reserved struct {
	mu      sync.Mutex
	sockets []net.PacketConn
}

// FreePorts returns addresses on loopback that nobody listens on. Their ports are below those that the system takes by itself for connections:
// one of these could take the port of a node that is restarted. A port is given to nobody else while this process lives, by no process on this
// machine: nothing here speaks UDP, so the UDP socket of the same port is the mark of who has it.
func FreePorts(n int) ([]string, error) {
	const lowest, count = 10_000, 22_000
	reserved.mu.Lock()
	defer reserved.mu.Unlock()
	var addresses []string
	var last error
	for range 1_000 {
		if len(addresses) == n {
			return addresses, nil
		}
		address := fmt.Sprintf("127.0.0.1:%d", lowest+mathrand.IntN(count))
		mark, err := net.ListenPacket("udp", address)
		if err != nil {
			last = err
			continue
		}
		reserved.sockets = append(reserved.sockets, mark)
		l, err := net.Listen("tcp", address)
		if err != nil {
			last = err
			continue
		}
		l.Close()
		addresses = append(addresses, address)
	}
	return nil, fmt.Errorf("no port is free: %w", last)
}

// StartValidator starts a validator's process, and does not wait for it.
func (n *Network) StartValidator(v *Validator) error {
	var err error
	v.Process, err = n.Start(v.Name, "node", "start", "--home", v.Home)
	return err
}

// AwaitHeight waits until all validators, which may still be starting, have a height.
func (n *Network) AwaitHeight(ctx context.Context, height int64) error {
	for _, v := range n.Validators {
		if _, err := v.Node.AwaitHeight(ctx, height); err != nil {
			return err
		}
	}
	return nil
}

// Addresses are those of all gateways.
func (n *Network) Addresses() []string {
	var addresses []string
	for _, v := range n.Validators {
		addresses = append(addresses, strings.TrimPrefix(v.Node.Address(), "http://"))
	}
	return addresses
}

// HashHex is the genesis hash as people write it.
func (n *Network) HashHex() string { return hex.EncodeToString(n.Hash[:]) }

// StartTrustee starts the program of a trustee, which is given its key file, the genesis hash and the gateways' addresses.
func (n *Network) StartTrustee(name string) (*Process, error) {
	args := []string{"trustee", "run", "--key", n.KeyFile(name), "--state", filepath.Join(n.Folder, name), "--genesis-hash", n.HashHex()}
	for _, address := range n.Addresses() {
		args = append(args, "--node", address)
	}
	return n.Start(name, args...)
}
