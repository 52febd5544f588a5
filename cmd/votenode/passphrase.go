package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"votenode/client/keyfile"
)

// passphraseFlags say where a passphrase comes from: a file of mode 0600, or the terminal. Never the command line or the
// environment, which other processes can read.
type passphraseFlags struct {
	file string
	none bool
}

func (p *passphraseFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&p.file, "passphrase-file", "", "file of mode 0600, or pipe, whose first line is the passphrase of the key")
}

func (p *passphraseFlags) addNew(c *cobra.Command) {
	p.add(c)
	c.Flags().BoolVar(&p.none, "no-passphrase", false, "leave the secret key unencrypted in its file")
	c.MarkFlagsMutuallyExclusive("passphrase-file", "no-passphrase")
}

// existing returns the passphrase of a key file.
func (p *passphraseFlags) existing(path string) func() (string, error) {
	return func() (string, error) {
		if p.file != "" {
			return p.read()
		}
		return ask(fmt.Sprintf("Passphrase of %s: ", path))
	}
}

// fresh returns the passphrase for a new key, empty only with --no-passphrase.
func (p *passphraseFlags) fresh() (string, error) {
	switch {
	case p.none:
		return "", nil
	case p.file != "":
		return p.read()
	}
	first, err := ask("New passphrase: ")
	if err != nil {
		return "", err
	}
	if first == "" {
		return "", errors.New("the passphrase is empty; give --no-passphrase to leave the key unencrypted")
	}
	second, err := ask("The same passphrase again: ")
	if err == nil && first != second {
		err = errors.New("the two passphrases differ; run the command again")
	}
	return first, err
}

func (p *passphraseFlags) read() (string, error) {
	data, err := keyfile.Read(p.file)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(data), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", fmt.Errorf("%s: the first line is empty", p.file)
	}
	return line, nil
}

// ask reads a line from the terminal without showing it.
func ask(prompt string) (string, error) {
	terminal, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return "", errors.New("there is no terminal to ask for the passphrase; give --passphrase-file")
	}
	defer terminal.Close()
	fmt.Fprint(terminal, prompt)
	defer fmt.Fprintln(terminal)
	line, err := term.ReadPassword(int(terminal.Fd()))
	return string(line), err
}
