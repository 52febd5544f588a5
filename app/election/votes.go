package election

import (
	"slices"

	pb "votenode/proto/votenode/v1"
)

// Votes returns the votes of a result by option, electronic and on paper together. It is nil where they are not known: the result is
// withheld, or merged into another. Spec 18.4.
func Votes(result *pb.Result) []uint64 {
	if result.Status != pb.RESULT_OPENED && result.Status != pb.RESULT_COUNTED {
		return nil
	}
	votes := slices.Clone(result.Votes)
	for option, n := range result.PaperVotes {
		votes[option] += n
	}
	return votes
}
