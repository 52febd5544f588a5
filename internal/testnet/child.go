package testnet

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"votenode/node"
)

// homeVariable tells a test binary that it is a node, and of which home.
const homeVariable = "VOTENODE_TESTNET_HOME"

// Main runs the tests, or a node where the process was started as one by StartProcess. A package whose tests start processes calls
// it from TestMain.
func Main(m *testing.M) {
	home := os.Getenv(homeVariable)
	if home == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := node.Start(ctx, home); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child is a node in a process of its own.
type child struct {
	cmd   *exec.Cmd
	ended chan error
}

// StartProcess runs the node as a child process of the test binary, whose TestMain calls Main. Environment variables are added to
// those of the test.
func (e *Node) StartProcess(env ...string) error {
	if e.node != nil || e.child != nil {
		return fmt.Errorf("%s runs already", e.Name)
	}
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	c := &child{cmd: exec.Command(binary), ended: make(chan error, 1)}
	c.cmd.Env = append(append(os.Environ(), homeVariable+"="+e.Home), env...)
	c.cmd.Stderr = e.network.options.Log
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

// WaitExit waits for the node's process to end by itself and returns how it ended.
func (e *Node) WaitExit() error {
	err := <-e.child.ended
	e.child = nil
	return err
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
