package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"votenode/internal/network"
	pb "votenode/proto/votenode/v1"
)

// TestMain lets the test binary be votenode itself, as a process of its own, for scripts. What a shell has started in the background ignores
// interrupts, and so would all that scripts start and interrupt: with a handler here they begin with the default.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "4"); err != nil { // unless the command line says otherwise: most scripts wait, for a time or a block
		panic(err)
	}
	if signal.Ignored(os.Interrupt) {
		signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	}
	testscript.Main(m, map[string]func(){"votenode": main})
}

// TestScripts runs testdata/script, one script for each role.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":    exits,
			"ports":    ports,
			"keep":     keep,
			"page":     page,
			"flip":     flip,
			"schedule": schedule,
		},
		Condition: func(name string) (bool, error) {
			if name == "short" {
				return testing.Short(), nil
			}
			return false, errors.New("there is no condition " + name)
		},
	})
}

// exits CODE command args...: the command ends with this exit code. Its output can be looked at as after exec.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE command [args...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// ports NAME...: sets each variable to a host:port on loopback that nobody listens on.
func ports(ts *testscript.TestScript, neg bool, args []string) {
	free, err := network.FreePorts(len(args))
	ts.Check(err)
	for i, address := range free {
		ts.Setenv(args[i], address)
	}
}

// schedule ELECTION SECONDS: has both organisations open voting soon, for so many seconds. However slow the machine is, some opening is late enough
// for both approvals.
func schedule(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: schedule ELECTION SECONDS")
	}
	seconds, err := strconv.Atoi(args[1])
	ts.Check(err)
	resolution := func(args ...string) error {
		return ts.Exec("votenode", append(append([]string{"resolution"}, args...), "--genesis-hash="+ts.Getenv("HASH"), ts.Getenv("LEDGER"))...)
	}
	for delay := 4; delay < 300; delay *= 2 {
		if resolution("propose", "schedule", "--election="+args[0], fmt.Sprintf("--opening=+%ds", delay), fmt.Sprintf("--closing=+%ds", delay+seconds), "--key=keys/party.json") != nil {
			continue
		}
		proposed, _, _ := strings.Cut(ts.ReadFile("stdout"), "\n")
		if resolution("approve", proposed, "--key=keys/league.json") != nil {
			continue
		}
		ts.Check(resolution("show", proposed, "--wait"))
		if strings.Contains(ts.ReadFile("stdout"), pb.RESOLUTION_EFFECTIVE.String()) {
			return
		}
	}
	ts.Fatalf("no opening was late enough")
}

// keep NAME: sets a variable to the first line of the last standard output.
func keep(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: keep NAME")
	}
	line := ts.ReadFile("stdout")
	for i, r := range line {
		if r == '\n' {
			line = line[:i]
			break
		}
	}
	ts.Setenv(args[0], line)
}

var (
	codeBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")
	onPage    = regexp.MustCompile(`127\.0\.0\.1:\d+`)
)

// page NAME FILE: puts all shell commands of a page of docs into a file, with free ports in the place of the page's.
func page(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: page NAME FILE")
	}
	text, err := os.ReadFile(filepath.Join(docs, args[0]))
	ts.Check(err)
	var commands strings.Builder
	for _, block := range codeBlock.FindAllStringSubmatch(string(text), -1) {
		commands.WriteString(block[1])
	}
	named := onPage.FindAllString(commands.String(), -1)
	slices.Sort(named)
	named = slices.Compact(named)
	free, err := network.FreePorts(len(named))
	ts.Check(err)
	script := onPage.ReplaceAllStringFunc(commands.String(), func(address string) string {
		i, _ := slices.BinarySearch(named, address)
		return free[i]
	})
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(script), 0o600))
}

// flip FOLDER: changes one bit in the middle of the largest file of a folder.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: flip FOLDER")
	}
	var largest string
	var size int64
	ts.Check(filepath.Walk(ts.MkAbs(args[0]), func(path string, info fs.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() && info.Size() > size {
			largest, size = path, info.Size()
		}
		return err
	}))
	data, err := os.ReadFile(largest)
	ts.Check(err)
	data[len(data)/2] ^= 1
	ts.Check(os.WriteFile(largest, data, 0o600))
}

// docs is the folder of the pages.
var docs = func() string {
	path, err := filepath.Abs("../../docs")
	if err != nil {
		panic(err)
	}
	return path
}()
