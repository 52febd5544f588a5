package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/spf13/cobra"

	"votenode/client"
	"votenode/client/export"
	"votenode/verify/audit"
)

// auditFlags say what is audited, and what an earlier audit vouches for.
type auditFlags struct {
	ledgerFlags
	height            int64
	since, checkpoint string
}

func newAuditCommand() *cobra.Command {
	var f auditFlags
	c := &cobra.Command{
		Use:   "audit FOLDER | --node URL",
		Short: "Check the record of a ledger, from a folder or straight from nodes",
		Long: `audit repeats every hash, signature, proof, sum, step of the key ceremony, decryption and result of the record in a folder: once by
executing all blocks, and once by counting the elections again. It needs no network and believes no node. With --node instead of a
folder it fetches the blocks from nodes on the way, believes them as little, and names the one that lies.

Give --genesis-hash as the organisations have published it: without it, the audit says what follows from whatever genesis document
lies in the folder. Exit code 3 means that a check failed; the last line names the first one.

--checkpoint FILE notes how far the audit has come, and --since FILE goes on from there: signatures and proofs of ballots are not verified
again, all else is. Take --since only from a file that an audit of yours has written, and keep it where nobody else writes.`,
		Example: `  votenode audit record --genesis-hash HASH --checkpoint mine
  votenode audit longer-record --genesis-hash HASH --since mine --checkpoint mine
  votenode audit --node https://a.example,https://b.example --genesis-hash HASH`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			report, err := f.run(c, args)
			if err != nil {
				return err
			}
			if err := show(c, report, report.Write); err != nil {
				return err
			}
			if failed := report.Failure(); failed != nil {
				return fmt.Errorf("%w: %s", client.ErrVerification, failed)
			}
			return nil
		},
	}
	c.Flags().StringVar(&f.genesisHash, "genesis-hash", "", "hash of the genesis document; without it the folder's own is taken on trust")
	c.Flags().StringSliceVar(&f.nodes, "node", nil, "address of a node's gateway, in the place of a folder; give one of each organisation")
	c.Flags().Int64Var(&f.height, "height", 0, "with --node: height of the last block; 0 goes on until the record proves by itself what is certified now")
	c.Flags().StringVar(&f.since, "since", "", "checkpoint of an earlier audit of this ledger, to go on from")
	c.Flags().StringVar(&f.checkpoint, "checkpoint", "", "file in which checkpoints are noted, outside the folder; it may be that of --since")
	return c
}

// run audits a folder or nodes.
func (f *auditFlags) run(c *cobra.Command, args []string) (*audit.Report, error) {
	if err := f.check(args); err != nil {
		return nil, err
	}
	sparing()
	options, err := f.options()
	if err != nil {
		return nil, err
	}
	var report *audit.Report
	if len(f.nodes) > 0 {
		report, err = f.nodesReport(c, options)
	} else if _, err = os.Stat(args[0]); err == nil {
		bar := newMeter(c, "bytes")
		options.Progress = bar.set
		report, err = audit.Run(c.Context(), os.DirFS(args[0]), options)
		bar.end()
	}
	if errors.Is(err, context.Canceled) && f.checkpoint != "" {
		err = fmt.Errorf("%w; to go on, repeat the command with: --since %s", err, f.checkpoint)
	}
	return report, err
}

// sparing has memory collected when half as much again has been allocated as an audit holds: it makes much garbage beside little that it
// keeps.
func sparing() { debug.SetGCPercent(50) }

// check says what is wrong with the flags as a whole.
func (f *auditFlags) check(args []string) error {
	switch fromNodes := len(f.nodes) > 0; {
	case fromNodes == (len(args) == 1):
		return usagef("give the folder of a record, or nodes with --node")
	case fromNodes && f.genesisHash == "":
		return usagef("--node needs --genesis-hash: nodes are believed in nothing")
	case f.height < 0 || f.height > 0 && !fromNodes:
		return usagef("--height: %d; it says how far nodes are audited, and is above 0", f.height)
	case f.checkpoint != "" && !fromNodes && within(f.checkpoint, args[0]):
		return usagef("--checkpoint: %s lies in the folder of the record, which holds nothing else; choose another folder", f.checkpoint)
	}
	return nil
}

// within says whether a file lies, or would, in a folder.
func within(file, folder string) bool {
	in, err := os.Stat(filepath.Dir(file))
	if err != nil {
		return false
	}
	there, err := os.Stat(folder)
	return err == nil && os.SameFile(in, there)
}

// options reads the hash and the checkpoint.
func (f *auditFlags) options() (audit.Options, error) {
	var options audit.Options
	if f.genesisHash != "" {
		hash, err := parseHash(f.genesisHash)
		if err != nil {
			return options, usagef("--genesis-hash: %w", err)
		}
		options.GenesisHash = &hash
	}
	if f.since == "" && f.checkpoint == "" {
		return options, nil
	}
	var err error
	if options.Program, err = program(); err != nil {
		return options, err
	}
	if f.since != "" {
		if options.Since, err = audit.LoadCheckpoint(f.since); err != nil {
			return options, fmt.Errorf("--since: %w", err)
		}
	}
	if f.checkpoint != "" {
		options.Checkpoint = func(noted *audit.Checkpoint) error { return noted.Save(f.checkpoint) }
	}
	return options, nil
}

// program names this very program: its version and the SHA-256 of its file.
func program() (string, error) {
	hash, err := ownHash()
	return readVersion().Votenode + " " + hash, err
}

// nodesReport audits the blocks that nodes have.
func (f *auditFlags) nodesReport(c *cobra.Command, options audit.Options) (report *audit.Report, err error) {
	ledger, err := f.open(c)
	if err != nil {
		return nil, err
	}
	bar := newMeter(c, "blocks")
	defer bar.end()
	source, err := export.Open(c.Context(), ledger, export.Options{Height: f.height, Progress: bar.set, Notice: f.notice(c)})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	return audit.RunSource(c.Context(), source, options)
}
