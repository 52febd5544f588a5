package genesis

import (
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/organisation"
	pb "votenode/proto/votenode/v1"
)

// UnitMicroseconds is about what one verification unit costs on one core of a validator: one point of a batched multiscalar
// multiplication. DefaultParameters and Check reckon with it; no rule of consensus does.
const UnitMicroseconds = 7

// DefaultParameters returns the parameters that spec 1.5 recommends for so many organisations: no one of two or three holds
// more than half of the power, no one of four or more a third; a block takes at most a third of the proposal timeout to
// verify on one core; evidence counts for six weeks at a block a second.
func DefaultParameters(organisations int) *pb.Parameters {
	const sixWeeks = 6 * 7 * 24 * 60 * 60
	p := &pb.Parameters{
		PowerCap:          pb.Fraction{Numerator: 1, Denominator: 2},
		Certify:           pb.Fraction{Numerator: 2, Denominator: 3},
		Handover:          100,
		ResolutionHeights: 7 * 24 * 60 * 60,
		Limits: pb.Limits{
			BlockBytes:       4 << 20,
			BlockUnits:       140_000,
			BallotBytes:      16 << 10,
			TransactionBytes: 256 << 10,
			SpoilsPerVoter:   16,
			DocumentBytes:    4 << 20,
		},
		Timeouts:        pb.Timeouts{Propose: 3_000, ProposeDelta: 500, Vote: 1_000, VoteDelta: 500, Commit: 1_000},
		EvidenceHeights: sixWeeks,
		EvidenceSeconds: sixWeeks,
		SlipSpan:        30,
		SlipMargin:      60,
		Initiatives: pb.InitiativeRules{
			Threshold: 1_000, AnswerHeights: 30 * 24 * 60 * 60, PublishRate: 2, CommentRate: 20, SupportRate: 50,
		},
	}
	if organisations >= 4 {
		p.PowerCap, p.PowerCapExclusive = pb.Fraction{Numerator: 1, Denominator: 3}, true
	}
	return p
}

// AppVersion is the protocol version with which every ledger begins. That of a height stands in its header; upgrades raise it (spec 9.37).
const AppVersion = 1

// ConsensusParams returns CometBFT's consensus parameters for ours as they are in genesis; later ones differ by the version.
// Spec 1.10.
func ConsensusParams(p *pb.Parameters) *cmttypes.ConsensusParams {
	return &cmttypes.ConsensusParams{
		Block: cmttypes.BlockParams{MaxBytes: int64(p.Limits.BlockBytes), MaxGas: -1},
		Evidence: cmttypes.EvidenceParams{
			MaxAgeNumBlocks: int64(p.EvidenceHeights),
			MaxAgeDuration:  time.Duration(p.EvidenceSeconds) * time.Second,
			MaxBytes:        organisation.EvidenceBytes,
		},
		Validator: cmttypes.ValidatorParams{PubKeyTypes: []string{cmttypes.ABCIPubKeyTypeEd25519}},
		Version:   cmttypes.VersionParams{App: AppVersion},
		ABCI:      cmttypes.ABCIParams{VoteExtensionsEnableHeight: 0},
	}
}
