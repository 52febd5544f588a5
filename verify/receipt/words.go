package receipt

import (
	"fmt"
	"time"

	"votenode/crypto/ballot"
)

// String names a standing.
func (s Standing) String() string {
	switch s {
	case Counts:
		return "counts"
	case Counted:
		return "counted"
	case Superseded:
		return "superseded"
	case Revoked:
		return "revoked"
	case Cancelled:
		return "cancelled"
	}
	return fmt.Sprintf("standing %d", int(s))
}

// Signed says how far a state is signed for: certified, or committed.
func (f *Finding) Signed() string {
	return f.State.Standing()
}

// Words says in plain words what the receipt proves, one sentence a line.
func (f *Finding) Words() []string {
	lines := []string{
		fmt.Sprintf("The ballot with the confirmation code %s is recorded: ballot %d of the voter with the roll index %d, at place %d of the ballot log of %q on %q.",
			ballot.FormatCode(f.Code), f.Sequence, f.RollIndex, f.LogIndex, f.Election, f.Chain),
		fmt.Sprintf("It is %s, in the state after block %d of %s: %s.", f.Signed(), f.State.Height, f.State.Child.Time.UTC().Format(time.RFC3339), f.State.Signers()),
	}
	if !f.State.Certified {
		lines = append(lines, "Committed means that an organisation that lies to you could still show others another ledger: ask for the receipt again until it is certified, and tell the observers if it stays so.")
	}
	return append(lines, f.meaning())
}

func (f *Finding) meaning() string {
	switch f.Standing {
	case Counts:
		return "It counts, as long as no later ballot of this voter is recorded."
	case Counted:
		return "Voting has closed, and it is counted."
	case Superseded:
		return fmt.Sprintf("It is superseded by number %d, which the voter cast later, and is not counted.", f.Last)
	case Revoked:
		return "The voter's entry of the roll was revoked by the organisations; it is not counted."
	}
	return "The election was cancelled; nothing of it is counted."
}
