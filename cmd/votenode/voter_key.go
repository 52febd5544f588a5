package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"votenode/client"
	"votenode/client/keyfile"
	"votenode/crypto/ballot"
)

func newVoterJoinCommand() *cobra.Command {
	var ledger ledgerFlags
	var passphrase passphraseFlags
	var id *string
	var out string
	c := &cobra.Command{
		Use:   "join [FILE...] --out FILE",
		Short: "Join the halves of a key that the registrars gave, and write the key file",
		Long: `Join the halves of a key, one from each organisation's registrar, hold the key against the roll, and write the key file. The halves come from
the files that the registrars gave, or are typed, one to a line; a typing error is told. Exit code 3 where the roll has no such key: then a
half is another member's, or of another time.`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := unused(out); err != nil {
				return err
			}
			l, err := ledger.open(c)
			if err != nil {
				return err
			}
			wanted := len(l.Genesis().Organisations)
			halves, err := readHalves(c, args, wanted)
			if err != nil {
				return err
			}
			secret, err := ballot.JoinHalves(halves)
			if err != nil {
				return err
			}
			v, err := l.Certified(c.Context())
			if err != nil {
				return err
			}
			index, err := client.FindVoter(c.Context(), v, *id, secret.Public())
			if errors.Is(err, client.ErrAbsent) {
				return fmt.Errorf("%w: the roll of %q has no key of these halves: either it does not hold it yet, or one half is of somebody else or was replaced; ask the registrars (%w)", client.ErrVerification, *id, err)
			}
			if err != nil {
				return err
			}
			if err := v.CheckNotRevoked(c.Context(), *id, index); err != nil {
				return err
			}
			key, err := keyfile.NewVoter(secret)
			if err != nil {
				return err
			}
			given, err := passphrase.fresh()
			if err != nil {
				return err
			}
			if err := key.Write(out, given); err != nil {
				return err
			}
			say(c, "%s is the key of entry %d of the roll; destroy the halves", out, index)
			return showKey(c, key.Role(), key.Public())
		},
	}
	ledger.add(c)
	id = electionFlag(c)
	c.Flags().StringVar(&out, "out", "", "new key file")
	require(c, "out")
	passphrase.addNew(c)
	return c
}

// readHalves reads so many halves, from files or, without any, from lines that are typed.
func readHalves(c *cobra.Command, files []string, wanted int) ([]*ballot.SecretKey, error) {
	if len(files) > 0 && len(files) != wanted {
		return nil, usagef("%d files of halves; each of the %d organisations gives one", len(files), wanted)
	}
	var halves []*ballot.SecretKey
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		half, err := nextHalf(bufio.NewScanner(bytes.NewReader(text)))
		if errors.Is(err, ballot.ErrHalfCode) {
			err = fmt.Errorf("the file is damaged or its code mistyped; ask the registrar who gave it for it again (%w)", err)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		halves = append(halves, half)
	}
	typed := bufio.NewScanner(c.InOrStdin())
	for len(halves) < wanted {
		fmt.Fprintf(c.ErrOrStderr(), "Half %d of %d: ", len(halves)+1, wanted)
		half, err := nextHalf(typed)
		if errors.Is(err, ballot.ErrHalfCode) {
			say(c, "that is mistyped; compare it and type it again")
			continue
		}
		if err != nil {
			return nil, err
		}
		halves = append(halves, half)
	}
	for i := range halves {
		for _, other := range halves[:i] {
			if bytes.Equal(halves[i].Public().Bytes(), other.Public().Bytes()) { // bytes.Equal is not for secrets
				return nil, errors.New("two halves are the same; give one of each organisation")
			}
		}
	}
	return halves, nil
}

// nextHalf reads the next line that is neither empty nor a remark. It fails with ballot.ErrHalfCode and io.ErrUnexpectedEOF.
func nextHalf(lines *bufio.Scanner) (*ballot.SecretKey, error) {
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); line != "" && !strings.HasPrefix(line, "#") {
			return ballot.ParseHalf(line)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("no half of a key is there (%w)", io.ErrUnexpectedEOF)
}

func newVoterApplyCommand() *cobra.Command {
	var ledger ledgerFlags
	var key keyFlags
	var id *string
	c := &cobra.Command{
		Use:   "apply",
		Short: "Print the application with which a member brings a key of its own to the registrars",
		Long: `Print the application with which a member brings a key of its own: the public key, and a signature that shows that you have the secret one,
for this ledger and this election. Give it to the registrars of all organisations: each puts it into its list of members.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			secret, err := key.voter()
			if err != nil {
				return err
			}
			l, err := ledger.open(c)
			if err != nil {
				return err
			}
			if _, _, err := loadRules(c, l, *id); err != nil {
				return err
			}
			signature, err := ballot.Application{Chain: l.Chain(), Election: *id, Key: secret.Public()}.Sign(secret, rand.Reader)
			if err != nil {
				return err
			}
			data := struct {
				Application string `json:"application"`
			}{fmt.Sprintf("%x%x", secret.Public().Bytes(), signature)}
			return show(c, data, func(w io.Writer) { fmt.Fprintln(w, data.Application) })
		},
	}
	ledger.add(c)
	key.add(c, keyfile.Voter)
	id = electionFlag(c)
	return c
}
