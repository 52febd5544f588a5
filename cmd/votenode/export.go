package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"votenode/client/export"
)

func newExportCommand() *cobra.Command {
	var ledger ledgerFlags
	var height int64
	c := &cobra.Command{
		Use:   "export FOLDER",
		Short: "Write the record of a ledger into a new folder, for auditors",
		Long: `export fetches the genesis document, its approvals and all blocks from the nodes, and writes them into a new folder. It follows
the chain of hashes on the way; everything else is checked by: votenode audit FOLDER.

An export that was broken off goes on where it stopped. Two exports up to the same height are the same bytes.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if height < 0 {
				return usagef("--height: %d is below 0", height)
			}
			opened, err := ledger.open(c)
			if err != nil {
				return err
			}
			bar := newMeter(c, "blocks")
			last, err := export.Run(c.Context(), opened, args[0], export.Options{Height: height, Progress: bar.set, Notice: ledger.notice(c)})
			bar.end()
			if err != nil {
				return err
			}
			data := struct {
				Folder string `json:"folder"`
				Height int64  `json:"height"`
			}{args[0], last}
			return show(c, data, func(w io.Writer) {
				fmt.Fprintf(w, "%s: blocks 1 to %d\n", args[0], last)
			})
		},
	}
	ledger.add(c)
	c.Flags().Int64Var(&height, "height", 0, "height of the last block; 0 goes on until the record proves by itself what is certified now")
	return c
}
