// Command votenode is the node of the ledger and the tool of everybody who takes part: operators, officers, registrars, trustees,
// voters and auditors.
//
// It holds flags, subcommands and exit codes, and no logic: what it does stands in the packages client, node, genesis and verify.
// Data goes to stdout, talk to stderr. Exit codes: 0 done, 1 error, 2 wrong usage, 3 a verification failed,
// 4 the ledger needs another binary.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"votenode/app"
	"votenode/client"
)

// The exit codes.
const (
	exitOK           = 0
	exitError        = 1
	exitUsage        = 2
	exitVerification = 3
	exitProtocol     = 4
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run executes one command line and returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRootCommand()
	running := false
	markRunning(root, &running)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	code := exitCode(err, running)
	text := err.Error()
	if code == exitUsage {
		text = plainUsage(text)
	}
	fmt.Fprintf(stderr, "votenode: %s\n", text)
	if code == exitUsage {
		fmt.Fprintf(stderr, "Usage: %s\nRun '%s --help' to see more.\n", command.UseLine(), command.CommandPath())
	}
	return code
}

// markRunning wraps every command below root, so that errors before a command runs are known as wrong usage.
func markRunning(command *cobra.Command, running *bool) {
	if inner := command.RunE; inner != nil {
		command.RunE = func(c *cobra.Command, args []string) error {
			*running = true
			return inner(c, args)
		}
	}
	for _, child := range command.Commands() {
		markRunning(child, running)
	}
}

// usageError says that flags or arguments are wrong in a way that only the running command could see.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exitCode is 2 for wrong usage, 3 for a failed verification, 4 where the ledger goes on by rules that this program does not know, and 1 for
// anything else. An error may name its own code.
func exitCode(err error, running bool) int {
	var usage usageError
	var coded interface{ ExitCode() int }
	switch {
	case !running || errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &coded):
		return coded.ExitCode()
	case errors.Is(err, app.ErrProtocol):
		return exitProtocol
	case errors.Is(err, client.ErrVerification):
		return exitVerification
	}
	return exitError
}
