package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"votenode/client"
	"votenode/verify/audit"
)

func newAuditCommand() *cobra.Command {
	var genesisHash string
	c := &cobra.Command{
		Use:   "audit FOLDER",
		Short: "Check the record of a ledger, from the folder alone",
		Long: `audit repeats every hash, signature, proof, sum, step of the key ceremony, decryption and result of the record in a folder: once by
executing all blocks, and once by counting the elections again. It needs no network and believes no node.

Give --genesis-hash as the organisations have published it: without it, the audit says what follows from whatever genesis document
lies in the folder. Exit code 3 means that a check failed; the last line names the first one.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			bar := newMeter(c, "bytes")
			options := audit.Options{Progress: bar.set}
			if genesisHash != "" {
				hash, err := parseHash(genesisHash)
				if err != nil {
					return usagef("--genesis-hash: %w", err)
				}
				options.GenesisHash = &hash
			}
			report, err := audit.Run(c.Context(), os.DirFS(args[0]), options)
			bar.end()
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
	c.Flags().StringVar(&genesisHash, "genesis-hash", "", "hash of the genesis document; without it the folder's own is taken on trust")
	return c
}

// patience is how long a command may take before it shows progress.
const patience = 2 * time.Second

// meter shows progress on a terminal, once a command has taken its time, and nothing elsewhere.
type meter struct {
	out   io.Writer // nil shows nothing
	what  string
	since time.Time
	bar   *progressbar.ProgressBar
}

func newMeter(c *cobra.Command, what string) *meter {
	b := &meter{what: what, since: time.Now()}
	if out := c.ErrOrStderr(); isTerminal(out) {
		b.out = out
	}
	return b
}

func (b *meter) set(done, all int64) {
	if b.out == nil || time.Since(b.since) < patience {
		return
	}
	if b.bar == nil {
		b.bar = progressbar.NewOptions64(all, progressbar.OptionSetWriter(b.out), progressbar.OptionSetDescription(b.what),
			progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
	}
	if b.bar.GetMax64() != all {
		b.bar.ChangeMax64(all)
	}
	_ = b.bar.Set64(done) // drawing is not worth an error
}

func (b *meter) end() {
	if b.bar != nil {
		_ = b.bar.Finish()
	}
}
