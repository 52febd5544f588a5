package slip

import (
	"fmt"
	"time"

	"votenode/crypto/ballot"
)

// Words says in plain words what became of the promise, one sentence a line.
func (f *Finding) Words() []string {
	s := f.Slip
	lines := []string{
		fmt.Sprintf("%s of %s promised at height %d to have ballot %d of the voter with the roll index %d, with the confirmation code %s, recorded in %q on %q by height %d.",
			f.Validator.Name, f.Validator.Organisation, s.Issued, s.Sequence, s.RollIndex, ballot.FormatCode([32]byte(s.Code)), s.Election, s.ChainId, s.Promised),
		fmt.Sprintf("Judged by the certified state after block %d, of %s.", f.State.Height, f.State.Child.Time.UTC().Format(time.RFC3339)),
	}
	switch f.Verdict {
	case Kept:
		return append(lines, fmt.Sprintf("The promise is kept: %s.", f.How))
	case Pending:
		return append(lines, fmt.Sprintf("The promise is pending: height %d, by which it is to be kept, has not come.", s.Promised))
	case Broken:
		return append(lines,
			fmt.Sprintf("The promise is broken: %s made block %d, while voting was open by its own clock, and the ballot was not recorded in it.", f.Validator.Name, f.Height),
			"This file is evidence against it that anybody can check. Cast the ballot again, through another organisation's node.")
	}
	return append(lines,
		fmt.Sprintf("The promise is not kept, but no block was decided that %s made from height %d to %d, while voting was open by its own clock and a ballot of this length was allowed.", f.Validator.Name, s.Issued+1, s.Promised),
		"This blames nobody alone: whoever holds a third of the power can refuse a proposer. Cast the ballot again, through another organisation's node.")
}
