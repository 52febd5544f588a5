package network

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// patience is how long a process that was asked to end may take before it is killed.
const patience = 20 * time.Second

// Processes starts programs and answers for their end. It is safe for concurrent use.
type Processes struct {
	// Binary is the program.
	Binary string
	// Logs is the folder for their output, one file each.
	Logs string
	// Fail is called when one ends unasked.
	Fail context.CancelCauseFunc

	mu   sync.Mutex
	live []*Process // in the order of their start
}

// Process is one running program. Its group is its own, so that ctrl-C reaches the demo alone, which then ends all in order.
type Process struct {
	Name string
	cmd  *exec.Cmd
	log  string
	done chan struct{}

	mu      sync.Mutex
	ending  bool // its end was asked for
	outcome error
}

// Start runs the program with args until it is ended. Its output goes to the log of that name.
func (ps *Processes) Start(name string, args ...string) (*Process, error) {
	p := &Process{Name: name, log: filepath.Join(ps.Logs, name+".log"), done: make(chan struct{})}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close() // the child has its own
	p.cmd = exec.Command(ps.Binary, args...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s does not start: %w", name, err)
	}
	ps.mu.Lock()
	ps.live = append(ps.live, p)
	ps.mu.Unlock()
	go func() {
		err := p.cmd.Wait()
		p.mu.Lock()
		p.outcome = err
		asked := p.ending
		p.mu.Unlock()
		close(p.done)
		if !asked {
			ps.Fail(fmt.Errorf("%s ended by itself: %w", name, describe(err, p.log)))
		}
	}()
	return p, nil
}

// Run runs the program to its end and returns what it wrote to standard output. Where it fails, the error is a *CommandError.
func (ps *Processes) Run(ctx context.Context, args ...string) ([]byte, error) {
	return ps.output(ctx, args, func(*exec.Cmd) bool { return true })
}

// RunOffline is Run without any network, where the system can keep a process from it; whether it did is returned.
func (ps *Processes) RunOffline(ctx context.Context, args ...string) (out []byte, kept bool, err error) {
	out, err = ps.output(ctx, args, offline)
	var failed *CommandError
	if err == nil || errors.As(err, &failed) || ctx.Err() != nil {
		return out, true, err
	}
	out, err = ps.Run(ctx, args...) // it did not even start
	return out, false, err
}

var errOnline = errors.New("a process cannot be kept from the network here")

func (ps *Processes) output(ctx context.Context, args []string, prepare func(*exec.Cmd) bool) ([]byte, error) {
	cmd := exec.CommandContext(ctx, ps.Binary, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = patience
	if !prepare(cmd) {
		return nil, errOnline
	}
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = &CommandError{Args: args, Code: exit.ExitCode(), Talk: strings.TrimSpace(string(exit.Stderr))}
	}
	return out, err
}

// CommandError is the failure of a command of the program.
type CommandError struct {
	Args []string
	Code int
	// Talk is what it wrote to standard error.
	Talk string
}

func (e *CommandError) Error() string {
	return fmt.Sprintf("votenode %s: exit %d: %s", strings.Join(e.Args, " "), e.Code, e.Talk)
}

// End asks the process to end and waits; after a while it is killed, which is an error.
func (p *Process) End() error { return p.stop(syscall.SIGTERM) }

// Kill ends the process as a power cut would, and waits.
func (p *Process) Kill() error { return p.stop(syscall.SIGKILL) }

func (p *Process) stop(signal syscall.Signal) error {
	p.mu.Lock()
	p.ending = true
	p.mu.Unlock()
	select {
	case <-p.done:
		return nil
	default:
	}
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
	}
	err := p.cmd.Process.Kill()
	<-p.done
	return errors.Join(fmt.Errorf("%s did not end within %v and was killed", p.Name, patience), err)
}

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// EndAll ends what still runs, all at the same time.
func (ps *Processes) EndAll() error {
	ps.mu.Lock()
	live := ps.live
	ps.live = nil
	ps.mu.Unlock()
	errs := make([]error, len(live))
	var group sync.WaitGroup
	for i, p := range live {
		group.Go(func() { errs[i] = p.End() })
	}
	group.Wait()
	return errors.Join(errs...)
}

// Release lets go of what still runs, and returns it: it goes on without this program.
func (ps *Processes) Release() []*Process {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	var running []*Process
	for _, p := range ps.live {
		p.mu.Lock()
		if !p.ending {
			p.ending = true
			running = append(running, p)
		}
		p.mu.Unlock()
	}
	ps.live = nil
	return running
}

// describe joins the outcome of a process with the end of its log.
func describe(err error, log string) error {
	if err == nil {
		err = errors.New("exit status 0")
	}
	b, readErr := os.ReadFile(log)
	if readErr != nil {
		return errors.Join(err, readErr)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return fmt.Errorf("%w; its log %s ends with:\n%s", err, log, strings.Join(lines[max(0, len(lines)-15):], "\n"))
}
