package app

import (
	"votenode/app/election"
	pb "votenode/proto/votenode/v1"
)

// votesOf returns the votes of a result by option, of which lists are formed: electronic and on paper together.
func votesOf(result *pb.Result) []uint64 { return election.Votes(result) }
