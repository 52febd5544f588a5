package main

import (
	"bytes"
	"encoding/hex"
	"slices"

	"github.com/spf13/cobra"

	"votenode/app/state"
	"votenode/client"
	pb "votenode/proto/votenode/v1"
)

func newChangeOfficersCommand() *cobra.Command {
	var id string
	var add, remove []string
	var quorum uint32
	c := decide("change-officers", "Propose an organisation's officers and registrars with some added and removed", cobra.NoArgs,
		func(c *cobra.Command, o client.Officer, args []string) (*pb.Resolution, error) {
			v, err := o.Ledger.Certified(c.Context())
			if err != nil {
				return nil, err
			}
			present, err := client.MustLoad[pb.Organisation](c.Context(), v, state.OrganisationKey(id))
			if err != nil {
				return nil, err
			}
			if quorum > 0 {
				present.OfficerQuorum = quorum
			}
			if err := changeMembers(present, add, remove); err != nil {
				return nil, err
			}
			present.Term++
			return &pb.Resolution{Decision: &pb.Resolution_ChangeOfficers{ChangeOfficers: &pb.ChangeOfficers{Organisation: *present}}}, nil
		})
	c.Flags().StringVar(&id, "organisation", "", "whose officers and registrars")
	c.Flags().StringSliceVar(&add, "add", nil, "entry of a person, as 'genesis entry officer' or 'genesis entry registrar' makes it")
	c.Flags().StringSliceVar(&remove, "remove", nil, "key of an officer or a registrar")
	c.Flags().Uint32Var(&quorum, "quorum", 0, "how many officers approve for the organisation from then on; 0 leaves that")
	require(c, "organisation")
	c.MarkFlagsOneRequired("add", "remove", "quorum")
	return c
}

// changeMembers adds the persons of entry files to an organisation and removes those of keys; both lists stay sorted by key.
func changeMembers(o *pb.Organisation, add, remove []string) error {
	for _, text := range remove {
		key, err := hex.DecodeString(text)
		if err != nil {
			return usagef("--remove: %q is no key in hexadecimal digits", text)
		}
		is := func(m pb.Member) bool { return bytes.Equal(m.Key, key) }
		before := len(o.Officers) + len(o.Registrars)
		o.Officers, o.Registrars = slices.DeleteFunc(o.Officers, is), slices.DeleteFunc(o.Registrars, is)
		if len(o.Officers)+len(o.Registrars) == before {
			return usagef("--remove: %s has no officer and no registrar with the key %q", o.Id, text)
		}
	}
	for _, path := range add {
		entry, err := readEntry(path)
		if err != nil {
			return err
		}
		switch officer, registrar := entry.GetOfficer(), entry.GetRegistrar(); {
		case entry.Organisation != o.Id:
			return usagef("--add: %s is of %s, not of %s", path, entry.Organisation, o.Id)
		case officer != nil:
			o.Officers = append(o.Officers, *officer)
		case registrar != nil:
			o.Registrars = append(o.Registrars, *registrar)
		default:
			return usagef("--add: %s is no entry of an officer or a registrar", path)
		}
	}
	byKey := func(a, b pb.Member) int { return bytes.Compare(a.Key, b.Key) }
	slices.SortFunc(o.Officers, byKey)
	slices.SortFunc(o.Registrars, byKey)
	return nil
}
