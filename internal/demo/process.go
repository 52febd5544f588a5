package demo

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

// processes starts programs and answers for their end. It is safe for concurrent use.
type processes struct {
	binary string
	logs   string                  // folder of their output
	fail   context.CancelCauseFunc // called when one ends unasked

	mu   sync.Mutex
	live []*process // in the order of their start
}

// process is one running program. Its group is its own, so that ctrl-C reaches the demo alone, which then ends all in order.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string
	done chan struct{}

	mu      sync.Mutex
	ending  bool // its end was asked for
	outcome error
}

// start runs the program with args until it is ended. Its output goes to the log of that name.
func (ps *processes) start(name string, args ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(ps.logs, name+".log"), done: make(chan struct{})}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close() // the child has its own
	p.cmd = exec.Command(ps.binary, args...)
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
			ps.fail(fmt.Errorf("%s ended by itself: %w", name, describe(err, p.log)))
		}
	}()
	return p, nil
}

// run runs the program to its end and returns what it wrote to standard output. A failing program's error holds its talk.
func (ps *processes) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, ps.binary, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = patience
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = &commandError{args: args, code: exit.ExitCode(), talk: strings.TrimSpace(string(exit.Stderr))}
	}
	return out, err
}

// commandError is the failure of a command of the program.
type commandError struct {
	args []string
	code int
	talk string
}

func (e *commandError) Error() string {
	return fmt.Sprintf("votenode %s: exit %d: %s", strings.Join(e.args, " "), e.code, e.talk)
}

// end asks a process to end and waits; kill ends it as a power cut would.
func (p *process) end() error  { return p.stop(syscall.SIGTERM) }
func (p *process) kill() error { return p.stop(syscall.SIGKILL) }

func (p *process) stop(signal syscall.Signal) error {
	p.mu.Lock()
	p.ending = true
	p.mu.Unlock()
	select {
	case <-p.done:
		return nil
	default:
	}
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s: %w", p.name, err)
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
	return errors.Join(fmt.Errorf("%s did not end within %v and was killed", p.name, patience), err)
}

// pid is the process id.
func (p *process) pid() int { return p.cmd.Process.Pid }

// endAll ends what still runs, all at the same time.
func (ps *processes) endAll() error {
	ps.mu.Lock()
	live := ps.live
	ps.live = nil
	ps.mu.Unlock()
	errs := make([]error, len(live))
	var group sync.WaitGroup
	for i, p := range live {
		group.Go(func() { errs[i] = p.end() })
	}
	group.Wait()
	return errors.Join(errs...)
}

// release lets go of what still runs: it goes on after the demo.
func (ps *processes) release() []*process {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	var running []*process
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
