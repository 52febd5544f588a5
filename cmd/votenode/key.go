package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"votenode/client/keyfile"
)

// shownKey is what is said of a key.
type shownKey struct {
	Role   keyfile.Role `json:"role"`
	Public string       `json:"public_key"`
}

func newKeyCommand() *cobra.Command {
	return group("key", "Make and show the keys of persons", newKeyNewCommand(), newKeyShowCommand(), newKeyPassphraseCommand())
}

func newKeyNewCommand() *cobra.Command {
	var passphrase passphraseFlags
	c := &cobra.Command{
		Use:       "new ROLE FILE",
		Short:     "Make a key for an officer, a registrar, a trustee, a candidate or a voter",
		Long:      "Make a key and write it to a new file of mode 0600, encrypted under a passphrase. The public key is printed.\nAn existing file is never overwritten. ROLE is officer, registrar, trustee, candidate or voter.",
		Example:   "  votenode key new officer officer.key",
		ValidArgs: []string{"officer", "registrar", "trustee", "candidate", "voter"},
		Args: func(c *cobra.Command, args []string) error {
			if err := cobra.ExactArgs(2)(c, args); err != nil {
				return err
			}
			if !slices.Contains(keyfile.Roles, keyfile.Role(args[0])) {
				return fmt.Errorf("there is no role %q: choose officer, registrar, trustee, candidate or voter", args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if err := unused(args[1]); err != nil {
				return err
			}
			key, err := keyfile.Generate(keyfile.Role(args[0]), rand.Reader)
			if err != nil {
				return err
			}
			secret, err := passphrase.fresh()
			if err != nil {
				return err
			}
			if err := key.Write(args[1], secret); err != nil {
				return err
			}
			if secret == "" {
				say(c, "%s is not encrypted: whoever can read the file has the key", args[1])
			}
			return showKey(c, key.Role(), key.Public())
		},
	}
	passphrase.addNew(c)
	return c
}

func newKeyShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show FILE",
		Short: "Print role and public key of a key file",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			role, public, err := keyfile.ReadPublic(args[0])
			if err != nil {
				return err
			}
			return showKey(c, role, public)
		},
	}
}

func newKeyPassphraseCommand() *cobra.Command {
	var old, fresh passphraseFlags
	c := &cobra.Command{
		Use:   "passphrase FILE",
		Short: "Give a key file another passphrase",
		Long: `Give a key file another passphrase. The key stays the same. After a crash the file opens with the old passphrase or the new one.
Copies of the file keep the old passphrase: where somebody may have a copy and the passphrase, the key must be replaced.`,
		Example: "  votenode key passphrase officer.key",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			key, err := keyfile.Load(args[0], old.existing(args[0]))
			if err != nil {
				return err
			}
			secret, err := fresh.fresh()
			if err != nil {
				return err
			}
			if err := key.Rewrite(args[0], secret); err != nil {
				return err
			}
			if secret == "" {
				say(c, "%s is not encrypted: whoever can read the file has the key", args[0])
			}
			return showKey(c, key.Role(), key.Public())
		},
	}
	old.add(c)
	c.Flags().StringVar(&fresh.file, "new-passphrase-file", "", "file of mode 0600 whose first line is the new passphrase")
	c.Flags().BoolVar(&fresh.none, "no-passphrase", false, "leave the secret key unencrypted in its file")
	c.MarkFlagsMutuallyExclusive("new-passphrase-file", "no-passphrase")
	return c
}

func showKey(c *cobra.Command, role keyfile.Role, public []byte) error {
	data := shownKey{role, hex.EncodeToString(public)}
	return show(c, data, func(w io.Writer) { fmt.Fprintln(w, data.Public) })
}
