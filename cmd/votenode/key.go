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
	return group("key", "Make and show the keys of persons", newKeyNewCommand(), newKeyShowCommand())
}

func newKeyNewCommand() *cobra.Command {
	var passphrase passphraseFlags
	c := &cobra.Command{
		Use:       "new ROLE FILE",
		Short:     "Make a key for an officer, a registrar, a trustee or a voter",
		Long:      "Make a key and write it to a new file of mode 0600, encrypted under a passphrase. The public key is printed.\nAn existing file is never overwritten. ROLE is officer, registrar, trustee or voter.",
		Example:   "  votenode key new officer officer.key",
		ValidArgs: []string{"officer", "registrar", "trustee", "voter"},
		Args: func(c *cobra.Command, args []string) error {
			if err := cobra.ExactArgs(2)(c, args); err != nil {
				return err
			}
			if !slices.Contains(keyfile.Roles, keyfile.Role(args[0])) {
				return fmt.Errorf("there is no role %q: choose officer, registrar, trustee or voter", args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
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

func showKey(c *cobra.Command, role keyfile.Role, public []byte) error {
	data := shownKey{role, hex.EncodeToString(public)}
	return show(c, data, func(w io.Writer) { fmt.Fprintln(w, data.Public) })
}
