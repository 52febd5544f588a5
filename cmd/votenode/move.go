package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"votenode/client/keyfile"
	"votenode/node/signing"
)

// newMoveCommand returns the commands that move the folder of a node or a signer to another machine.
func newMoveCommand(what string, seal func(home, recipient string) ([]byte, error)) *cobra.Command {
	c := group("move", fmt.Sprintf("Move a %s to another machine without ever signing twice", what),
		newMovePrepareCommand(what), newMoveSealCommand(what, seal), newMoveOpenCommand(what))
	c.Long = fmt.Sprintf(`Move the keys and the sign state of a %s to another machine: prepare a folder there, seal the folder here for it, and
open the bundle there. Once it is sealed the old folder never signs again; the bundle opens in the prepared folder alone, and once.
Each step can be repeated where it was interrupted.`, what)
	return c
}

func moveHome(c *cobra.Command, home *string, what string) {
	c.Flags().StringVar(home, "home", "", fmt.Sprintf("the %s's folder", what))
	require(c, "home")
}

func newMovePrepareCommand(what string) *cobra.Command {
	var home string
	c := &cobra.Command{
		Use:   "prepare",
		Short: "Make the folder at the new place, and print for whom the old one is to be sealed",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			recipient, err := signing.PrepareMove(home)
			if err != nil {
				return err
			}
			data := struct {
				Recipient string `json:"recipient"`
			}{recipient}
			return show(c, data, func(w io.Writer) { fmt.Fprintln(w, data.Recipient) })
		},
	}
	moveHome(c, &home, what)
	return c
}

func newMoveSealCommand(what string, seal func(home, recipient string) ([]byte, error)) *cobra.Command {
	var home, to, out string
	c := &cobra.Command{
		Use:   "seal",
		Short: "End the folder at the old place for good, and write the bundle for the new one",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if err := unused(out); err != nil {
				return err
			}
			bundle, err := seal(home, to)
			if err != nil {
				return err
			}
			if err := keyfile.Create(out, bundle); err != nil {
				return fmt.Errorf("the folder is sealed, but its bundle could not be written; run the command again: %w", err)
			}
			say(c, "%s never signs again; open %s in the folder that was prepared for it", home, out)
			return nil
		},
	}
	moveHome(c, &home, what)
	c.Flags().StringVar(&to, "to", "", "for whom, as prepare prints it")
	c.Flags().StringVar(&out, "out", "", "new file for the bundle")
	require(c, "to", "out")
	return c
}

func newMoveOpenCommand(what string) *cobra.Command {
	var home string
	c := &cobra.Command{
		Use:   "open BUNDLE",
		Short: "Open the bundle at the new place",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			bundle, err := os.ReadFile(args[0]) // encrypted: no secret
			if err != nil {
				return err
			}
			if err := signing.Unseal(home, bundle); err != nil {
				return err
			}
			say(c, "%s has the keys and the sign state of the old place now, and can be started", home)
			return nil
		},
	}
	moveHome(c, &home, what)
	return c
}
