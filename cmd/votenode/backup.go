package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"votenode/app/state"
	"votenode/client"
	"votenode/node"
)

// shownBackup is what a backup or a restored home begins with.
type shownBackup struct {
	Height int64 `json:"height"`
}

func newBackupCommand() *cobra.Command {
	var home, out string
	c := &cobra.Command{
		Use:   "backup",
		Short: "Copy a node's newest certified snapshot, while it runs",
		Long: `Copy the newest certified snapshot of a node, which may run, into a new folder, with the genesis document and what
proves the snapshot. It holds no key and no sign state. Blocks are not in it: 'votenode export' writes those.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			height, err := node.Backup(home, out)
			if err != nil {
				return err
			}
			return show(c, shownBackup{height}, func(w io.Writer) { fmt.Fprintf(w, "the state after block %d\n", height) })
		},
	}
	homeFlag(c, &home)
	c.Flags().StringVar(&out, "out", "", "the folder to make")
	require(c, "out")
	return c
}

func newRestoreCommand() *cobra.Command {
	var home, from, hash string
	c := &cobra.Command{
		Use:   "restore",
		Short: "Begin a node with a backup",
		Long: `Make the data of a node that has none out of a backup, with every byte of it verified from the genesis hash. The home was
made by 'votenode node init'. Its consensus key must never have signed: a validator whose disk is lost gets a fresh key
by a resolution. The node fetches the blocks after the backup from its peers, and lacks those before.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			want, err := parseHash(hash)
			if err != nil {
				return usagef("--genesis-hash: %w", err)
			}
			log, err := node.NewLogger(c.ErrOrStderr(), node.DefaultConfig().Log)
			if err != nil {
				return err
			}
			height, err := node.Restore(home, from, want, node.Options{Logger: log})
			for _, bad := range []error{node.ErrBackup, node.ErrSnapshotProof, state.ErrSnapshot, state.ErrChunk} {
				if errors.Is(err, bad) {
					return fmt.Errorf("%w: %w", client.ErrVerification, err)
				}
			}
			if err != nil {
				return err
			}
			return show(c, shownBackup{height}, func(w io.Writer) { fmt.Fprintf(w, "the node begins with the state after block %d\n", height) })
		},
	}
	homeFlag(c, &home)
	c.Flags().StringVar(&from, "from", "", "the folder of the backup")
	c.Flags().StringVar(&hash, "genesis-hash", "", "the hash that the organisations agreed on")
	require(c, "from", "genesis-hash")
	return c
}
