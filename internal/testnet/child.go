package testnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"testing"

	"votenode/node"
)

// Environment of a child process.
const (
	// homeVariable names the home of which the process is the node, signerVariable the folder of which it is the signer.
	homeVariable   = "VOTENODE_TESTNET_HOME"
	signerVariable = "VOTENODE_TESTNET_SIGNER"
	// crashVariable is the number of CometBFT's crash point at which it exits, none where it is empty.
	crashVariable = "VOTENODE_TESTNET_CRASH"
	// protocolVariable is the greatest protocol version that the process knows, the released program's where it is empty.
	protocolVariable = "VOTENODE_TESTNET_PROTOCOL"
)

// Main runs the tests, or a node or a signer where the process was started as one. A package whose tests start processes calls it from
// TestMain.
func Main(m *testing.M) {
	home, signer := os.Getenv(homeVariable), os.Getenv(signerVariable)
	if home == "" && signer == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	do := run
	if home == "" {
		home, do = signer, runSigner
	}
	if err := do(ctx, home); err != nil {
		fmt.Fprintln(os.Stderr, err)
		var coded interface{ ExitCode() int }
		if errors.As(err, &coded) {
			os.Exit(coded.ExitCode())
		}
		os.Exit(1)
	}
}

// run is node.Start, but for a protocol version that the released program does not know, and for a crash point, which a node would not
// start with: it is set when the node is open.
func run(ctx context.Context, home string) error {
	crash, protocol := os.Getenv(crashVariable), os.Getenv(protocolVariable)
	var o node.Options
	if protocol != "" {
		var err error
		if o.Protocol, err = strconv.ParseUint(protocol, 10, 64); err != nil {
			return err
		}
	}
	if crash == "" {
		return node.Start(ctx, home, o)
	}
	n, err := node.Open(ctx, home, o)
	if err != nil {
		return err
	}
	if err := os.Setenv("FAIL_TEST_INDEX", crash); err != nil {
		return err
	}
	return errors.Join(n.Run(ctx), n.Close())
}

// child is a node in a process of its own.
type child struct {
	cmd    *exec.Cmd
	output bytes.Buffer // standard output; to be read when it has ended
	talk   bytes.Buffer // standard error; to be read when it has ended
	ended  chan error
}

// StartProcess runs the node as a child process of the test binary, whose TestMain calls Main.
func (e *Node) StartProcess() error { return e.startProcess() }

// StartProcessOf does the same with a program that knows protocol versions up to another one than the released program does.
func (e *Node) StartProcessOf(protocol uint64) error {
	return e.startProcess(protocolVariable + "=" + strconv.FormatUint(protocol, 10))
}

// StartToCrash does the same with a process that exits at the n-th point at which CometBFT can be made to crash: before and after
// every step of deciding, storing, executing and committing a block.
func (e *Node) StartToCrash(n int) error {
	return e.startProcess(crashVariable + "=" + strconv.Itoa(n))
}

func (e *Node) startProcess(variables ...string) error {
	if e.node != nil || e.child != nil {
		return fmt.Errorf("%s runs already", e.Name)
	}
	c, err := e.startChild(append(variables, homeVariable+"="+e.Home)...)
	if err != nil {
		return err
	}
	e.child = c
	return nil
}

// startChild runs the test binary with these variables of the environment.
func (e *Node) startChild(variables ...string) (*child, error) {
	binary, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.Command(binary), ended: make(chan error, 1)}
	c.cmd.Env = append(os.Environ(), variables...)
	c.cmd.Stdout, c.cmd.Stderr = &c.output, io.MultiWriter(&c.talk, e.network.options.Log)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { c.ended <- c.cmd.Wait() }()
	return c, nil
}

// Kill kills the node's process at once, as a power cut would, but for what the operating system has in its caches.
func (e *Node) Kill() error {
	if e.child == nil {
		return fmt.Errorf("%s is no process", e.Name)
	}
	err := e.child.cmd.Process.Kill()
	<-e.child.ended
	e.child = nil
	return err
}

// WaitExit waits for a process to end by itself, and returns its exit code and what it said on standard error.
func (e *Node) WaitExit(ctx context.Context) (code int, talk string, err error) {
	c := e.child
	select {
	case <-c.ended:
		e.child = nil
		return c.cmd.ProcessState.ExitCode(), c.talk.String(), nil
	case <-ctx.Done():
		return 0, "", fmt.Errorf("%s goes on: %w", e.Name, ctx.Err())
	}
}

// WaitCrash waits for the end of a process that StartToCrash started. It fails where that ended in any other way than at its
// crash point.
func (e *Node) WaitCrash() error {
	c := e.child
	err := <-c.ended
	e.child = nil
	if !bytes.Contains(c.output.Bytes(), []byte("*** fail-test")) { // CometBFT's last words
		return fmt.Errorf("%s ended by %v instead of crashing: %s", e.Name, err, c.output.Bytes())
	}
	return nil
}

// WaitEnd waits for the end of the node's process, which comes by itself, and returns how it ended, or ctx's error.
func (e *Node) WaitEnd(ctx context.Context) error {
	select {
	case err := <-e.child.ended:
		e.child = nil
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *Node) stopChild() error {
	c := e.child
	e.child = nil
	if err := c.cmd.Process.Signal(syscall.SIGTERM); errors.Is(err, os.ErrProcessDone) {
		return <-c.ended
	}
	return <-c.ended
}

// WaitGatewayHeight waits until the node says over its gateway that it has committed a height: for nodes that are processes.
func (e *Node) WaitGatewayHeight(ctx context.Context, height int64) error {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/v1/heights/%d?wait=30", e.gateway, height), nil)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
