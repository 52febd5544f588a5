package tx

import (
	"votenode/app/election"
	"votenode/crypto/ballot"
	"votenode/crypto/transcript"
	pb "votenode/proto/votenode/v1"
)

// Cast is what a voter casts: a leaf of a ballot log, an encrypted ballot or an open choice.
type Cast struct {
	Election            string
	Style               uint32
	RollIndex, Sequence uint64
	// One of the two is set.
	Ballot *pb.CastBallot
	Choice *pb.CastChoice
}

// Casts says whether a transaction of the kind casts something. Such transactions are limited by `ballot_bytes`, take their turn as
// ballots do, and validators promise them.
func (k Kind) Casts() bool { return k == KindCastBallot || k == KindCastChoice }

// Cast returns what the transaction casts, nil where it casts nothing.
func (p *Parsed) Cast() *Cast {
	switch m := p.body.(type) {
	case *pb.CastBallot:
		return &Cast{Election: m.Election, Style: m.Style, RollIndex: m.RollIndex, Sequence: m.Sequence, Ballot: m}
	case *pb.CastChoice:
		return &Cast{Election: m.Election, Style: m.Style, RollIndex: m.RollIndex, Sequence: m.Sequence, Choice: m}
	}
	return nil
}

// Code returns the confirmation code: of a ballot that of spec 3.11, of a choice that of spec 19.3.
func (c *Cast) Code(chain string) [32]byte {
	if c.Choice != nil {
		return transcript.Digest(transcript.LabelChoiceCode, []byte(chain), election.Encode(c.Choice))
	}
	return ballot.ConfirmationCode(chain, c.Election, c.Style, c.RollIndex, c.Sequence, c.Ballot.Ciphertext)
}

// Code returns the confirmation code of what the transaction casts; it casts something.
func (v *Verified) Code(chain string) [32]byte {
	if v.ballot != nil {
		return v.ballot.Code()
	}
	return v.parsed.Cast().Code(chain)
}
