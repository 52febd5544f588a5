package testnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"testing"

	"votenode/node"
)

// Environment of a child process: of which home it is the node, and at which of CometBFT's crash points it exits, none where it
// is empty.
const (
	homeVariable  = "VOTENODE_TESTNET_HOME"
	crashVariable = "VOTENODE_TESTNET_CRASH"
)

// Main runs the tests, or a node where the process was started as one by StartProcess. A package whose tests start processes calls
// it from TestMain.
func Main(m *testing.M) {
	home := os.Getenv(homeVariable)
	if home == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := run(ctx, home); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run is node.Start, but for a crash point, which a node would not start with: it is set when the node is open.
func run(ctx context.Context, home string) error {
	crash := os.Getenv(crashVariable)
	if crash == "" {
		return node.Start(ctx, home)
	}
	n, err := node.Open(ctx, home, node.Options{})
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
	ended  chan error
}

// StartProcess runs the node as a child process of the test binary, whose TestMain calls Main.
func (e *Node) StartProcess() error { return e.startProcess("") }

// StartToCrash does the same with a process that exits at the n-th point at which CometBFT can be made to crash: before and after
// every step of deciding, storing, executing and committing a block.
func (e *Node) StartToCrash(n int) error { return e.startProcess(strconv.Itoa(n)) }

func (e *Node) startProcess(crash string) error {
	if e.node != nil || e.child != nil {
		return fmt.Errorf("%s runs already", e.Name)
	}
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	c := &child{cmd: exec.Command(binary), ended: make(chan error, 1)}
	c.cmd.Env = append(os.Environ(), homeVariable+"="+e.Home, crashVariable+"="+crash)
	c.cmd.Stdout, c.cmd.Stderr = &c.output, e.network.options.Log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.cmd.Start(); err != nil {
		return err
	}
	go func() { c.ended <- c.cmd.Wait() }()
	e.child = c
	return nil
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
