package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"votenode/genesis"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/audit"
	"votenode/verify/record"
)

// votenode runs a command line, and returns exit code and output.
func votenode(args ...string) (code int, stdout, stderr string) {
	var out, talk bytes.Buffer
	code = run(args, strings.NewReader(""), &out, &talk)
	return code, out.String(), talk.String()
}

// unpack writes files into a new folder.
func unpack(t *testing.T, files fstest.MapFS) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "record")
	if err := os.CopyFS(folder, files); err != nil {
		t.Fatal(err)
	}
	return folder
}

// The exit codes of audit, and what it says on which stream.
func TestAudit(t *testing.T) {
	l := rehearsal.New(t)
	for range 6 {
		l.Make(1)
	}
	l.Absent["party validator 1"] = true
	l.Make(1)
	delete(l.Absent, "party validator 1")
	for range 3 {
		l.Make(1)
	}
	good := unpack(t, l.Record(l.Blocks))
	hash := genesis.Hash(l.Genesis)
	known := "--genesis-hash=" + hex.EncodeToString(hash[:])

	code, stdout, stderr := votenode("audit", good, known)
	if code != exitOK || stderr != "" || !strings.HasSuffix(stdout, "\naudit: passed\n") {
		t.Errorf("exit %d\n%s\n%s", code, stdout, stderr)
	}
	for _, want := range []string{
		"blocks 1 to 10; certified: the state after height 8", "party party validator 1 did not sign 1 blocks: 6",
		"party did not by itself certify 1 states, after heights 5",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the report lacks %q:\n%s", want, stdout)
		}
	}

	code, stdout, _ = votenode("audit", good)
	if code != exitOK || !strings.Contains(stdout, "taken on trust") {
		t.Errorf("without a genesis hash: exit %d\n%s", code, stdout)
	}

	var report audit.Report
	code, stdout, stderr = votenode("audit", good, known, "--json")
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || code != exitOK || stderr != "" {
		t.Fatalf("--json: exit %d, %v\n%s", code, err, stderr)
	}
	if !report.Passed || report.Height != 10 || report.Committed != 9 || report.Attested != 8 || report.Certified != 8 || report.Trusted {
		t.Errorf("--json: %+v", report)
	}

	damaged := unpack(t, l.Record(l.Blocks))
	if err := os.WriteFile(filepath.Join(damaged, record.ApprovalsName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		last string
	}{
		"damaged":                    {[]string{damaged, known}, exitVerification, "votenode: verification failed: check 1 (files): damaged record: approvals.pb"},
		"another hash":               {[]string{good, "--genesis-hash=" + strings.Repeat("00", 32)}, exitVerification, "votenode: verification failed: check 2 (genesis): "},
		"not a record":               {[]string{t.TempDir(), known}, exitVerification, "votenode: verification failed: check 1 (files): damaged record: it has no record.json"},
		"no folder":                  {[]string{filepath.Join(good, "none"), known}, exitError, "votenode: "},
		"a file":                     {[]string{filepath.Join(good, "record.json"), known}, exitError, "votenode: "},
		"no argument":                {nil, exitUsage, "Run 'votenode audit --help'"},
		"two sources":                {[]string{good, known, "--node=127.0.0.1:1"}, exitUsage, "Run 'votenode audit --help'"},
		"nodes on trust":             {[]string{"--node=127.0.0.1:1"}, exitUsage, "Run 'votenode audit --help'"},
		"no node":                    {[]string{"--node=127.0.0.1:1", known}, exitError, "votenode: "},
		"a height":                   {[]string{good, known, "--height=3"}, exitUsage, "Run 'votenode audit --help'"},
		"a checkpoint in the record": {[]string{good, known, "--checkpoint=" + filepath.Join(good, "checkpoint")}, exitUsage, "Run 'votenode audit --help'"},
		"no checkpoint":              {[]string{good, known, "--since=" + filepath.Join(good, "none")}, exitError, "votenode: --since: "},
		"bad checkpoint":             {[]string{good, known, "--since=" + filepath.Join(good, "record.json")}, exitError, "votenode: --since: "},
		"bad hash":                   {[]string{good, "--genesis-hash=abc"}, exitUsage, "Run 'votenode audit --help'"},
		"two arguments":              {[]string{good, good}, exitUsage, "Run 'votenode audit --help'"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := votenode(append([]string{"audit"}, c.args...)...)
			lines := strings.Split(strings.TrimSpace(stderr), "\n")
			if code != c.code || !strings.HasPrefix(lines[len(lines)-1], c.last) {
				t.Errorf("exit %d, want %d; %q, want %q", code, c.code, lines[len(lines)-1], c.last)
			}
			if shown := strings.HasSuffix(stdout, "\naudit: failed\n"); shown != (c.code == exitVerification) {
				t.Errorf("stdout: %q", stdout)
			}
		})
	}
}

// An audit notes a checkpoint, and a later one of a longer record goes on from it; another record is none of its continuation.
func TestAuditSince(t *testing.T) {
	l := rehearsal.New(t)
	for range 5 {
		l.Make(1)
	}
	other := l.Fork(t)
	short := unpack(t, l.Record(l.Blocks))
	for range 5 {
		l.Make(1)
		other.Make(2)
	}
	hash := genesis.Hash(l.Genesis)
	known := "--genesis-hash=" + hex.EncodeToString(hash[:])
	mine := filepath.Join(t.TempDir(), "mine")
	if code, stdout, stderr := votenode("audit", short, known, "--checkpoint="+mine); code != exitOK || strings.Contains(stdout, "continuation") {
		t.Fatalf("exit %d\n%s\n%s", code, stdout, stderr)
	}
	long := unpack(t, l.Record(l.Blocks))
	code, stdout, stderr := votenode("audit", long, known, "--since="+mine, "--checkpoint="+mine)
	if code != exitOK || !strings.Contains(stdout, "ballots up to height 4: by the earlier audit") || !strings.Contains(stdout, "26  continuation") {
		t.Errorf("exit %d\n%s\n%s", code, stdout, stderr)
	}
	code, stdout, stderr = votenode("audit", unpack(t, other.Record(other.Blocks)), known, "--since="+mine)
	if code != exitVerification || !strings.HasPrefix(stderr, "votenode: verification failed: check 26 (continuation): ") {
		t.Errorf("another history: exit %d\n%s\n%s", code, stdout, stderr)
	}
	elsewhere := rehearsal.New(t, func(g *pb.Genesis) { g.Time++ })
	for range 5 {
		elsewhere.Make(1)
	}
	code, _, stderr = votenode("audit", unpack(t, elsewhere.Record(elsewhere.Blocks)), "--since="+mine)
	if code != exitError || !strings.Contains(stderr, "audit the whole record, without it") {
		t.Errorf("another ledger: exit %d\n%s", code, stderr)
	}
}

// Whatever is done to a folder: a failed check and exit code 3, in little memory and time.
func TestAuditOfDamage(t *testing.T) {
	l := rehearsal.New(t)
	other := rehearsal.New(t, func(g *pb.Genesis) { g.Time++ })
	for range 5 {
		l.Make(1)
		other.Make(1)
	}
	foreign := other.Record(other.Blocks)
	hash := genesis.Hash(l.Genesis)
	known := "--genesis-hash=" + hex.EncodeToString(hash[:])
	blocks := record.BlocksName(1)
	for name, c := range map[string]struct {
		change func(path func(name string) string) error
		check  string
	}{
		"a file is missing": {func(path func(string) string) error { return os.Remove(path(blocks)) }, "1 (files)"},
		"a file is doubled": {func(path func(string) string) error { return os.Link(path(blocks), path(record.BlocksName(2))) }, "1 (files)"},
		"two are swapped": {func(path func(string) string) error {
			return errors.Join(os.Rename(path(blocks), path("x")), os.Rename(path(record.GenesisName), path(blocks)), os.Rename(path("x"), path(record.GenesisName)))
		}, "1 (files)"},
		"one is cut short":   {func(path func(string) string) error { return os.Truncate(path(blocks), 1_000) }, "1 (files)"},
		"one is emptied":     {func(path func(string) string) error { return os.Truncate(path(record.GenesisName), 0) }, "1 (files)"},
		"gigabytes of zeros": {func(path func(string) string) error { return os.Truncate(path(blocks), 10<<30) }, "1 (files)"},
		"an index of zeros":  {func(path func(string) string) error { return os.Truncate(path(record.IndexName), 10<<30) }, "1 (files)"},
		"blocks of another ledger": {func(path func(string) string) error {
			return os.WriteFile(path(blocks), foreign[blocks].Data, 0o600)
		}, "1 (files)"},
		"another ledger": {func(path func(string) string) error {
			for name, file := range foreign {
				if err := os.WriteFile(path(name), file.Data, 0o600); err != nil {
					return err
				}
			}
			return nil
		}, "2 (genesis)"},
		"a link": {func(path func(string) string) error {
			return errors.Join(os.Rename(path(blocks), path("x")), os.Symlink("x", path(blocks)))
		}, "1 (files)"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			for name, file := range l.Record(l.Blocks) {
				if err := os.WriteFile(filepath.Join(folder, name), file.Data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.change(func(name string) string { return filepath.Join(folder, name) }); err != nil {
				t.Fatal(err)
			}
			code, stdout, stderr := votenode("audit", folder, known)
			if code != exitVerification || !strings.HasPrefix(stderr, "votenode: verification failed: check "+c.check) || !strings.HasSuffix(stdout, "\naudit: failed\n") {
				t.Errorf("exit %d\n%s\n%s", code, stdout, stderr)
			}
		})
	}
}

func TestExportUsage(t *testing.T) {
	hash := "--genesis-hash=" + strings.Repeat("00", 32)
	for _, args := range [][]string{
		{"export"}, {"export", "x"}, {"export", "x", hash}, {"export", "x", hash, "--node=127.0.0.1:1", "--height=-1"},
	} {
		if code, _, stderr := votenode(args...); code != exitUsage {
			t.Errorf("%v: exit %d, %s", args, code, stderr)
		}
	}
	folder := filepath.Join(t.TempDir(), "record")
	if code, _, stderr := votenode("export", folder, hash, "--node=127.0.0.1:1"); code != exitError {
		t.Errorf("no node: exit %d, %s", code, stderr)
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("a folder was made: %v", err)
	}
}
