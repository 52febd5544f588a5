package tx

import (
	"fmt"

	"votenode/app/election"
	pb "votenode/proto/votenode/v1"
)

// Kind numbers the kinds of transactions. Spec 2.6.
type Kind uint32

// The kinds. A number is never used again.
const (
	KindPublishDocument   Kind = 1
	KindProposeResolution Kind = 2
	KindApproveResolution Kind = 3
	KindWithdrawApproval  Kind = 4
	KindAddRollEntries    Kind = 5
	KindAnnounceDeal      Kind = 6
	KindPublishDeal       Kind = 7
	KindConfirmDeals      Kind = 8
	KindComplainDeal      Kind = 9
	KindPostTrial         Kind = 10
	KindCastBallot        Kind = 11
	KindSpoilBallot       Kind = 12
	KindPostPartials      Kind = 13
	KindAuthorBlock       Kind = 14
	KindReportIntake      Kind = 15
)

// Kinds lists all kinds, ascending.
func Kinds() []Kind {
	all := make([]Kind, 0, KindReportIntake)
	for k := KindPublishDocument; k <= KindReportIntake; k++ {
		all = append(all, k)
	}
	return all
}

// String returns the name of the kind's message.
func (k Kind) String() string {
	switch k {
	case KindPublishDocument:
		return "PublishDocument"
	case KindProposeResolution:
		return "ProposeResolution"
	case KindApproveResolution:
		return "ApproveResolution"
	case KindWithdrawApproval:
		return "WithdrawApproval"
	case KindAddRollEntries:
		return "AddRollEntries"
	case KindAnnounceDeal:
		return "AnnounceDeal"
	case KindPublishDeal:
		return "PublishDeal"
	case KindConfirmDeals:
		return "ConfirmDeals"
	case KindComplainDeal:
		return "ComplainDeal"
	case KindPostTrial:
		return "PostTrial"
	case KindCastBallot:
		return "CastBallot"
	case KindSpoilBallot:
		return "SpoilBallot"
	case KindPostPartials:
		return "PostPartials"
	case KindAuthorBlock:
		return "AuthorBlock"
	case KindReportIntake:
		return "ReportIntake"
	}
	return fmt.Sprintf("kind %d", uint32(k))
}

// signedByVoter says whether a voter's key of the roll signs this kind; all others are signed by the key in the envelope.
func (k Kind) signedByVoter() bool { return k == KindCastBallot || k == KindSpoilBallot }

// newBody returns an empty message of the kind, nil for an unknown one.
func (k Kind) newBody() election.Message {
	switch k {
	case KindPublishDocument:
		return new(pb.PublishDocument)
	case KindProposeResolution:
		return new(pb.ProposeResolution)
	case KindApproveResolution:
		return new(pb.ApproveResolution)
	case KindWithdrawApproval:
		return new(pb.WithdrawApproval)
	case KindAddRollEntries:
		return new(pb.AddRollEntries)
	case KindAnnounceDeal:
		return new(pb.AnnounceDeal)
	case KindPublishDeal:
		return new(pb.PublishDeal)
	case KindConfirmDeals:
		return new(pb.ConfirmDeals)
	case KindComplainDeal:
		return new(pb.ComplainDeal)
	case KindPostTrial:
		return new(pb.PostTrial)
	case KindCastBallot:
		return new(pb.CastBallot)
	case KindSpoilBallot:
		return new(pb.SpoilBallot)
	case KindPostPartials:
		return new(pb.PostPartials)
	case KindAuthorBlock:
		return new(pb.AuthorBlock)
	case KindReportIntake:
		return new(pb.ReportIntake)
	}
	return nil
}

// kindOf returns the kind of a body.
func kindOf(body election.Message) Kind {
	for _, k := range Kinds() {
		if fmt.Sprintf("%T", k.newBody()) == fmt.Sprintf("%T", body) {
			return k
		}
	}
	panic(fmt.Sprintf("tx: %T is not the body of a transaction", body))
}

// units is what checking a transaction costs at most, in points of a batched multiscalar multiplication. Spec 2.7.
func units(body election.Message) uint64 {
	const (
		signature = 10
		manifest  = 5_000 // parsing one of election.MaxManifest
		deal      = 200   // reading a trustee's deal, or keys
		opening   = 5_000 // opening a share
	)
	points := func(b []byte) uint64 { return uint64(len(b)) / 32 }
	switch m := body.(type) {
	case *pb.PublishDocument:
		if m.Offset+uint64(len(m.Chunk)) < m.Size_ {
			return signature
		}
		return signature + m.Size_/2048 // the whole is read and hashed
	case *pb.ProposeResolution:
		n := signature + uint64(m.Size())/16 // keys, most of them
		if m.Resolution.GetCreateElection() != nil {
			n += manifest
		}
		return n
	case *pb.CastBallot:
		return signature + points(m.Ciphertext) + points(m.Proof)
	case *pb.AddRollEntries:
		return signature + uint64(len(m.Entries))
	case *pb.AnnounceDeal:
		return signature + deal + signature*uint64(len(m.ReceiverKeys))
	case *pb.PublishDeal:
		return signature + deal + 3*points(m.Commitments)
	case *pb.ConfirmDeals:
		return signature + deal
	case *pb.ComplainDeal:
		return signature + deal + opening
	case *pb.PostTrial:
		return signature + deal + 3*points(m.Shares)
	case *pb.PostPartials:
		n := uint64(signature + deal)
		for i := range m.Partials {
			n += signature + 3*points(m.Partials[i].Shares)
		}
		return n
	}
	return signature
}
