package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"votenode/client"
	"votenode/client/keyfile"
	"votenode/genesis"
	"votenode/node"
	pb "votenode/proto/votenode/v1"
)

func newGenesisCommand() *cobra.Command {
	return group("genesis", "Make, check and approve the founding document of a ledger",
		newGenesisParametersCommand(), newGenesisEntryCommand(), newGenesisAssembleCommand(), newGenesisCheckCommand(),
		newGenesisShowCommand(), newGenesisHashCommand(), newGenesisApproveCommand())
}

// readDocument reads a genesis document, canonical bytes or JSON.
func readDocument(path string) (*pb.Genesis, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	read := genesis.Parse
	if strings.HasPrefix(strings.TrimSpace(string(data)), "{") {
		read = genesis.FromJSON
	}
	doc, err := read(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return doc, nil
}

func newGenesisParametersCommand() *cobra.Command {
	var organisations int
	c := &cobra.Command{
		Use:   "parameters",
		Short: "Print the recommended parameters, to be edited",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			data, err := genesis.ParametersToJSON(genesis.DefaultParameters(organisations))
			if err != nil {
				return err
			}
			return createFile(c, "-", data)
		},
	}
	c.Flags().IntVar(&organisations, "organisations", 2, "how many organisations the ledger has")
	return c
}

// entryFlags are what all entries have.
type entryFlags struct{ chain, organisation, name, out string }

func (e *entryFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&e.chain, "chain", "", "id of the ledger")
	c.Flags().StringVar(&e.organisation, "organisation", "", "id of the organisation")
	c.Flags().StringVar(&e.name, "name", "", "name for people")
	c.Flags().StringVar(&e.out, "out", "-", "new file for the entry")
	require(c, "chain", "organisation", "name")
}

func newGenesisEntryCommand() *cobra.Command {
	return group("entry", "Make the signed entry that brings a person or a validator into the document",
		newMemberEntryCommand(keyfile.Officer), newMemberEntryCommand(keyfile.Registrar), newValidatorEntryCommand())
}

func newMemberEntryCommand(role keyfile.Role) *cobra.Command {
	var flags entryFlags
	var key keyFlags
	c := &cobra.Command{
		Use:   string(role),
		Short: fmt.Sprintf("Make the entry of a person who is %s", role),
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			opened, err := key.load()
			if err != nil {
				return err
			}
			private, err := opened.Ed25519(role)
			if err != nil {
				return err
			}
			member := &pb.Member{Name: flags.name, Key: opened.Public()}
			entry := &pb.GenesisEntry{ChainId: flags.chain, Organisation: flags.organisation, Entry: &pb.GenesisEntry_Officer{Officer: member}}
			if role == keyfile.Registrar {
				entry.Entry = &pb.GenesisEntry_Registrar{Registrar: member}
			}
			if err := genesis.SignEntry(entry, private); err != nil {
				return err
			}
			return writeEntry(c, flags.out, entry)
		},
	}
	flags.add(c)
	key.add(c, role)
	return c
}

func newValidatorEntryCommand() *cobra.Command {
	var flags entryFlags
	var home, address string
	var power int64
	c := &cobra.Command{
		Use:   "validator",
		Short: "Make the entry of a validator from its node's folder",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			v, err := node.ValidatorOf(home)
			if err != nil {
				return err
			}
			v.Organisation, v.Name, v.Power, v.Address = flags.organisation, flags.name, power, address
			slip, err := node.SlipKey(home)
			if err != nil {
				return err
			}
			entry := &pb.GenesisEntry{ChainId: flags.chain, Organisation: flags.organisation, Entry: &pb.GenesisEntry_Validator{Validator: &v}}
			if err := genesis.SignEntry(entry, slip); err != nil {
				return err
			}
			return writeEntry(c, flags.out, entry)
		},
	}
	flags.add(c)
	homeFlag(c, &home)
	c.Flags().StringVar(&address, "address", "", "host:port under which other nodes reach this one")
	c.Flags().Int64Var(&power, "power", 1, "voting power")
	require(c, "address")
	return c
}

func writeEntry(c *cobra.Command, out string, entry *pb.GenesisEntry) error {
	data, err := genesis.EntryToJSON(entry)
	if err != nil {
		return err
	}
	return createFile(c, out, data)
}

func newGenesisAssembleCommand() *cobra.Command {
	var chain, start, parameters, out string
	var organisations []string
	c := &cobra.Command{
		Use:   "assemble ENTRY...",
		Short: "Make the document from everybody's entries",
		Long: `Make the document from the entries of all officers, registrars and validators, in any order: whoever assembles the
same entries with the same flags gets the same document and the same hash.`,
		Example: `  votenode genesis assemble --chain primary-2026 --time 2026-03-01T09:00:00Z --parameters parameters.json \
      --organisation "party:2:The Party" --organisation "league:2:The League" --out genesis entries/*.json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			at, err := time.Parse(time.RFC3339, start)
			if err != nil {
				return usagef("--time: %w", err)
			}
			list, err := parseOrganisations(organisations)
			if err != nil {
				return err
			}
			data, err := os.ReadFile(parameters)
			if err != nil {
				return err
			}
			params, err := genesis.ParametersFromJSON(data, len(list))
			if err != nil {
				return fmt.Errorf("%s: %w", parameters, err)
			}
			var entries []*pb.GenesisEntry
			for _, path := range args {
				entry, err := readEntry(path)
				if err != nil {
					return err
				}
				entries = append(entries, entry)
			}
			doc, err := genesis.Assemble(chain, at.Unix(), params, list, entries)
			if err != nil {
				return err
			}
			if err := createFile(c, out, genesis.Bytes(doc)); err != nil {
				return err
			}
			return showHash(c, doc)
		},
	}
	c.Flags().StringVar(&chain, "chain", "", "id of the ledger")
	c.Flags().StringVar(&start, "time", "", "time of the first block, such as 2026-03-01T09:00:00Z")
	c.Flags().StringVar(&parameters, "parameters", "", "file with the parameters")
	c.Flags().StringArrayVar(&organisations, "organisation", nil, "an organisation as ID:QUORUM:TITLE, repeated; QUORUM of its officers approve for it")
	c.Flags().StringVar(&out, "out", "", "new file for the document")
	require(c, "chain", "time", "parameters", "organisation", "out")
	return c
}

func parseOrganisations(texts []string) ([]pb.Organisation, error) {
	var list []pb.Organisation
	for _, text := range texts {
		parts := strings.SplitN(text, ":", 3)
		if len(parts) != 3 {
			return nil, usagef("--organisation: %q is not ID:QUORUM:TITLE", text)
		}
		quorum, err := strconv.ParseUint(parts[1], 10, 32)
		if err != nil {
			return nil, usagef("--organisation: the quorum of %q is no number", text)
		}
		list = append(list, pb.Organisation{Id: parts[0], OfficerQuorum: uint32(quorum), Title: parts[2]})
	}
	return list, nil
}

func showHash(c *cobra.Command, doc *pb.Genesis) error {
	data := struct {
		GenesisHash string `json:"genesis_hash"`
	}{fmt.Sprintf("%x", genesis.Hash(doc))}
	return show(c, data, func(w io.Writer) { fmt.Fprintln(w, data.GenesisHash) })
}

func newGenesisHashCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "hash DOCUMENT",
		Short: "Print the genesis hash, to be compared aloud",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			doc, err := readDocument(args[0])
			if err != nil {
				return err
			}
			return showHash(c, doc)
		},
	}
}

func newGenesisShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show DOCUMENT",
		Short: "Print the document as JSON",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			doc, err := readDocument(args[0])
			if err != nil {
				return err
			}
			data, err := genesis.ToJSON(doc)
			if err != nil {
				return err
			}
			return createFile(c, "-", data)
		},
	}
}

func newGenesisCheckCommand() *cobra.Command {
	var approvals string
	c := &cobra.Command{
		Use:   "check DOCUMENT",
		Short: "Say in words who can halt and who can falsify the ledger",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			doc, err := readDocument(args[0])
			if err != nil {
				return err
			}
			if approvals != "" {
				list, err := readApprovals(approvals)
				if err != nil {
					return err
				}
				if err := genesis.VerifyApprovals(doc, list); err != nil {
					return fmt.Errorf("%w: %w", client.ErrVerification, err)
				}
				say(c, "every organisation has approved this document")
			}
			report := genesis.Check(doc)
			if asJSON, err := c.Flags().GetBool("json"); err != nil || !asJSON {
				fmt.Fprint(c.OutOrStdout(), report.String())
				return err
			}
			data, err := report.JSON()
			if err != nil {
				return err
			}
			return createFile(c, "-", data)
		},
	}
	c.Flags().StringVar(&approvals, "approvals", "", "file with the officers' approvals, to be verified too")
	return c
}

func readApprovals(path string) (*pb.GenesisApprovals, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	list, err := genesis.ParseApprovals(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return list, nil
}

func newGenesisApproveCommand() *cobra.Command {
	var key keyFlags
	var path string
	c := &cobra.Command{
		Use:   "approve DOCUMENT",
		Short: "Sign the genesis hash as an officer, into a file that goes from hand to hand",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			doc, err := readDocument(args[0])
			if err != nil {
				return err
			}
			list, err := readApprovals(path)
			if errors.Is(err, fs.ErrNotExist) {
				list, err = new(pb.GenesisApprovals), nil
			}
			if err != nil {
				return err
			}
			private, err := key.ed25519(keyfile.Officer)
			if err != nil {
				return err
			}
			approval, err := genesis.Approve(doc, private)
			if err != nil {
				return err
			}
			genesis.AddApproval(list, approval)
			if err := keyfile.Replace(path, genesis.ApprovalsBytes(list)); err != nil {
				return err
			}
			return showHash(c, doc)
		},
	}
	key.add(c, keyfile.Officer)
	c.Flags().StringVar(&path, "approvals", "", "file with the approvals so far; made if it is not there")
	require(c, "approvals")
	return c
}
