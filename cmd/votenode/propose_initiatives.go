package main

import (
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"votenode/client"
	pb "votenode/proto/votenode/v1"
)

func newOpenInitiativesCommand() *cobra.Command {
	var id *string
	c := decide("open-initiatives", "Propose that the members of a sealed roll publish initiatives from now on", cobra.NoArgs,
		func(c *cobra.Command, o client.Officer, args []string) (*pb.Resolution, error) {
			return &pb.Resolution{Decision: &pb.Resolution_OpenInitiatives{OpenInitiatives: &pb.OpenInitiatives{Election: *id}}}, nil
		})
	id = electionFlag(c)
	return c
}

func newAnswerInitiativeCommand() *cobra.Command {
	var document string
	c := decide("answer-initiative NUMBER", "Propose the answer to an initiative", cobra.ExactArgs(1),
		func(c *cobra.Command, o client.Officer, args []string) (*pb.Resolution, error) {
			number, err := initiativeNumber(args[0])
			if err != nil {
				return nil, err
			}
			d := &pb.AnswerInitiative{Initiative: number}
			if document != "" {
				data, err := os.ReadFile(document)
				if err != nil {
					return nil, err
				}
				hash, err := o.Publish(c.Context(), data, bar(c, "publishing", len(data)))
				if err != nil {
					return nil, err
				}
				d.Document = hash[:]
			}
			return &pb.Resolution{Decision: &pb.Resolution_AnswerInitiative{AnswerInitiative: d}}, nil
		})
	c.Long = `Propose the answer to an initiative: the reason, of at most 1,000 bytes, or a document that is published with it.`
	c.Flags().StringVar(&document, "document", "", "file with the answer")
	return c
}

func newRemovePostCommand() *cobra.Command {
	c := decide("remove-post POST", "Propose to hide the body of an initiative or a comment", cobra.ExactArgs(1),
		func(c *cobra.Command, o client.Officer, args []string) (*pb.Resolution, error) {
			post, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return nil, usagef("%q is no number of a post; 'initiative show' shows them", args[0])
			}
			return &pb.Resolution{Decision: &pb.Resolution_RemovePost{RemovePost: &pb.RemovePost{Post: post}}}, nil
		})
	c.Long = `Propose that gateways and programs show the body of a post no more, but the reason of the resolution. The number of a post is that of its initiative, or
stands above the comment. The leaf stays on the ledger, and proofs and exports have it.`
	return c
}
