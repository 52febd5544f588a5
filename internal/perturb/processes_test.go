package perturb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"votenode/client"
	"votenode/genesis"
	"votenode/internal/network"
	"votenode/node"
	pb "votenode/proto/votenode/v1"
)

// processes is a network of processes on this machine, whose connections go through a mesh.
type processes struct {
	*election
	*mesh
	// small is the validator whose data lie on a small disk, -1 where there is none; mayEnd allows it to end by itself.
	small  int
	mayEnd atomic.Bool
}

// smallDisk is the size of the small disk in bytes, and reserve what the node on it keeps free, megabytes.
const (
	smallDisk = 768 << 20
	reserve   = 64
)

// foundProcesses builds the program and starts a network of it.
func foundProcesses(e *election) {
	ctx, fail := context.WithCancelCause(e.ctx)
	e.ctx = ctx
	e.Cleanup(func() { fail(nil) })
	folder := e.TempDir()
	binary := filepath.Join(folder, "votenode")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "votenode/cmd/votenode")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		e.Fatalf("%v: %s", err, out)
	}
	p := genesis.DefaultParameters(len(organisations))
	p.Limits.BlockUnits /= 2
	p.SlipMargin = 1
	p.Timeouts = pb.Timeouts{Propose: 1_500, ProposeDelta: 500, Vote: 500, VoteDelta: 500, Commit: 200}
	own := &processes{election: e, small: -1}
	e.controls = own
	e.network = must(network.Found(ctx, folder, binary, network.Plan{Chain: "perturbed", Organisations: organisations, Parameters: p}, func(cause error) {
		if !own.mayEnd.Load() {
			e.Error(cause)
			fail(cause)
		}
	}))
	e.Cleanup(func() { e.check(e.network.EndAll()) })
	own.connect()
	own.mountSmallDisk()
	for _, v := range e.network.Validators {
		e.check(e.network.StartValidator(v))
	}
	e.check(e.network.AwaitHeight(ctx, 2))
	e.ledger = must(client.Open(ctx, e.network.Hash, e.network.Addresses(), nil))
}

// connect lets each validator dial the others through the mesh.
func (p *processes) connect() {
	var addresses, ids []string
	for _, v := range p.network.Validators {
		record := p.record(v)
		addresses, ids = append(addresses, record.Address), append(ids, fmt.Sprintf("%x", record.NodeId))
	}
	p.mesh = newMesh(p, addresses)
	for from, v := range p.network.Validators {
		p.configure(v, func(c *node.Config) {
			c.P2P.Peers = map[string]string{}
			for to, id := range ids {
				if to != from {
					c.P2P.Peers[id] = p.address(from, to)
				}
			}
		})
	}
}

func (p *processes) configure(v *network.Validator, change func(c *node.Config)) {
	file := node.Home(v.Home).ConfigFile()
	c := must(node.ReadConfig(file))
	change(&c)
	p.check(os.WriteFile(file, c.Bytes(), 0o600))
}

// record returns the validator's record in the genesis document.
func (p *processes) record(v *network.Validator) *pb.Validator {
	for i := range p.network.Document.Organisations {
		for j := range p.network.Document.Organisations[i].Validators {
			if r := &p.network.Document.Organisations[i].Validators[j]; r.Name == v.Name {
				return r
			}
		}
	}
	p.Fatalf("%s is no validator", v.Name)
	return nil
}

// mountSmallDisk puts the data of the last validator on a small file system in memory, where this user may mount one.
func (p *processes) mountSmallDisk() {
	last := len(p.network.Validators) - 1
	v := p.network.Validators[last]
	data := filepath.Join(v.Home, "data")
	if err := syscall.Mount("votenode", data, "tmpfs", 0, fmt.Sprintf("size=%d", smallDisk)); err != nil {
		p.Logf("no disk can be filled here: %v", err)
		return
	}
	p.Cleanup(func() { p.check(syscall.Unmount(data, syscall.MNT_DETACH)) })
	p.small = last
	p.configure(v, func(c *node.Config) { c.Store.ReserveMegabytes = reserve })
}

func (p *processes) kill(i int)  { p.check(p.network.Validators[i].Process.Kill()) }
func (p *processes) stop(i int)  { p.check(p.network.Validators[i].Process.End()) }
func (p *processes) start(i int) { p.check(p.network.StartValidator(p.network.Validators[i])) }

func (p *processes) pause(i int) { p.signal(i, syscall.SIGSTOP) }
func (p *processes) goOn(i int)  { p.signal(i, syscall.SIGCONT) }

func (p *processes) signal(i int, s syscall.Signal) {
	p.check(syscall.Kill(p.network.Validators[i].Process.PID(), s))
}

func (p *processes) cutOff(i int)    { p.divide(p.others(i)) }
func (p *processes) joinAgain(int)   { p.heal() }
func (p *processes) can(d deed) bool { return d.name != fullDisk || p.small >= 0 }

// fillDisk leaves not a byte on the small disk, and waits until its node signs no more: it has ended, or says that it is unwell. Then the
// disk has room again, and the node is started again.
func (p *processes) fillDisk() {
	i := p.small
	v := p.network.Validators[i]
	p.mayEnd.Store(true)
	defer p.mayEnd.Store(false)
	full := filepath.Join(v.Home, "data", "full")
	p.fill(full)
	p.rise(p.others(i), further)
	p.unwell(v)
	p.check(os.Remove(full))
	p.stop(i) // where it has not ended by itself
	p.start(i)
}

// agree stops all nodes, and holds their stores against themselves and against each other.
func (p *processes) agree() {
	p.check(p.network.EndAll())
	first := must(node.OpenStopped(p.network.Validators[0].Home))
	defer first.Close()
	for i, v := range p.network.Validators {
		s := first
		if i > 0 {
			s = must(node.OpenStopped(v.Home))
		}
		faults, err := s.Verify(p.ctx, nil)
		p.check(err)
		if faults != nil {
			p.Errorf("%s: %v", v.Name, errors.Join(faults...))
		}
		if i == 0 {
			continue
		}
		d, height, err := node.Compare(first, s)
		if d != nil || err != nil {
			p.Errorf("%s and %s at height %d: %+v, %v", p.network.Validators[0].Name, v.Name, height, d, err)
		}
		p.check(s.Close())
	}
}

var _ testing.TB = (*processes)(nil)
