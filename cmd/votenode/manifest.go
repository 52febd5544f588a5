package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"votenode/app/election"
	"votenode/client/readable"
	pb "votenode/proto/votenode/v1"
)

// readManifest reads a manifest, JSON or canonical bytes, and checks every rule of it.
func readManifest(path string) (*pb.Manifest, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(strings.TrimSpace(string(data)), "{") {
		m, err := election.ParseManifest(data)
		if err != nil {
			return nil, fmt.Errorf("%s is no JSON, and no manifest in its own bytes: %w", path, err)
		}
		return m, nil
	}
	m := new(pb.Manifest)
	if err := readable.ParseMessage(data, m); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := election.CheckManifest(m); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// shownManifest is what is said of a manifest.
type shownManifest struct {
	Election string `json:"election"`
	Hash     string `json:"hash"`
	Bytes    int    `json:"bytes"`
	Contests int    `json:"contests"`
	Styles   int    `json:"ballot_styles"`
	Slots    int    `json:"slots"`
}

func newManifestCommand() *cobra.Command {
	check := &cobra.Command{
		Use:   "check MANIFEST",
		Short: "Check every rule of a manifest and print its hash",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			m, err := readManifest(args[0])
			if err != nil {
				return err
			}
			data := shownManifest{
				m.Election, fmt.Sprintf("%x", election.ManifestHash(m)), len(election.Encode(m)),
				len(m.Contests), len(m.Styles), election.Slots(m),
			}
			return show(c, data, func(w io.Writer) {
				fmt.Fprintf(w, "%s\n", data.Hash)
				say(c, "election %s: %d contests, %d ballot styles, %d slots, %d bytes", data.Election, data.Contests, data.Styles, data.Slots, data.Bytes)
			})
		},
	}
	return group("manifest", "Check the rules of an election", check)
}

func newDocumentCommand() *cobra.Command {
	var flags officerFlags
	publish := &cobra.Command{
		Use:   "publish FILE",
		Short: "Put a document onto the ledger as it is and print its hash",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			document, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			officer, err := flags.open(c)
			if err != nil {
				return err
			}
			hash, err := officer.Publish(c.Context(), document, bar(c, "publishing", len(document)))
			if err != nil {
				return err
			}
			data := struct {
				Document string `json:"document"`
			}{fmt.Sprintf("%x", hash)}
			return show(c, data, func(w io.Writer) { fmt.Fprintln(w, data.Document) })
		},
	}
	flags.add(publish)
	return group("document", "Publish and read documents", publish, newShowDocumentCommand())
}

func newShowDocumentCommand() *cobra.Command {
	var ledger ledgerFlags
	c := &cobra.Command{
		Use:   "show HASH",
		Short: "Print a document by its hash: manifests and nominations as JSON",
		Long: `Print a document that is on the ledger, such as the manifest that a resolution names, and say what it is. What is printed has the hash; manifests
and nominations are printed as JSON, any other document as it is.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			hash, err := parseHash(args[0])
			if err != nil {
				return usageError{err}
			}
			v, err := ledger.view(c)
			if err != nil {
				return err
			}
			document, err := readable.LoadDocument(c.Context(), v, hash[:])
			if err != nil {
				return err
			}
			say(c, "%s", document.Words)
			return createFile(c, "-", document.Text)
		},
	}
	ledger.add(c)
	return c
}

// bar returns a function that shows progress on a terminal.
func bar(c *cobra.Command, what string, total int) func(done int) {
	m := newMeter(c, what)
	return func(done int) { m.set(int64(done), int64(total)) }
}
