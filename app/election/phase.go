package election

import (
	"strings"

	pb "votenode/proto/votenode/v1"
)

// Cause is what moves an election from one phase to another.
type Cause int

// The causes, each with the only place that raises it.
const (
	TrusteesAppointed Cause = iota // resolution AppointTrustees takes effect
	EverythingReady                // roll sealed, ceremony done, trial decryption passed, commitments to the lot where there are lists
	RollFixed                      // roll sealed, and choices are open: there is nothing else to make
	OpeningReached                 // block time has reached the opening
	ClosingReached                 // block time has reached the closing
	ChoicesOver                    // block time has reached the closing, and choices are open: they are counted
	ObjectionsOver                 // block time has reached the end of the objection window, and all polling places have reported or are excused
	ContestsDecided                // every contest has a result, and every list is formed
	Cancellation                   // resolution CancelElection takes effect
)

// moves is the whole life of an election. Spec 8.2.
var moves = map[pb.Phase]map[Cause]pb.Phase{
	pb.PHASE_SETUP:        {TrusteesAppointed: pb.PHASE_KEY_CEREMONY, RollFixed: pb.PHASE_READY, Cancellation: pb.PHASE_CANCELLED},
	pb.PHASE_KEY_CEREMONY: {EverythingReady: pb.PHASE_READY, Cancellation: pb.PHASE_CANCELLED},
	pb.PHASE_READY:        {OpeningReached: pb.PHASE_VOTING, Cancellation: pb.PHASE_CANCELLED},
	pb.PHASE_VOTING:       {ClosingReached: pb.PHASE_CLOSED, ChoicesOver: pb.PHASE_FINAL, Cancellation: pb.PHASE_CANCELLED},
	pb.PHASE_CLOSED:       {ObjectionsOver: pb.PHASE_DECRYPTING, Cancellation: pb.PHASE_CANCELLED},
	pb.PHASE_DECRYPTING:   {ContestsDecided: pb.PHASE_FINAL, Cancellation: pb.PHASE_CANCELLED},
	pb.PHASE_FINAL:        {},
	pb.PHASE_CANCELLED:    {},
}

// Move returns the phase that follows for this cause, and whether there is one.
func Move(from pb.Phase, cause Cause) (pb.Phase, bool) {
	to, ok := moves[from][cause]
	return to, ok
}

// Over says whether a phase is the last one.
func Over(p pb.Phase) bool { return len(moves[p]) == 0 }

// PhaseName returns the phase in words for people: setup, key ceremony, ready, voting, closed, decrypting, final, cancelled.
func PhaseName(p pb.Phase) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(p.String(), "PHASE_")), "_", " ")
}
