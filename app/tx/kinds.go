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
	KindPublishDocument     Kind = 1
	KindProposeResolution   Kind = 2
	KindApproveResolution   Kind = 3
	KindWithdrawApproval    Kind = 4
	KindAddRollEntries      Kind = 5
	KindAnnounceDeal        Kind = 6
	KindPublishDeal         Kind = 7
	KindConfirmDeals        Kind = 8
	KindComplainDeal        Kind = 9
	KindPostTrial           Kind = 10
	KindCastBallot          Kind = 11
	KindSpoilBallot         Kind = 12
	KindPostPartials        Kind = 13
	KindAuthorBlock         Kind = 14
	KindReportIntake        Kind = 15
	KindSubmitApplications  Kind = 16
	KindDecideApplications  Kind = 17
	KindWithdrawApplication Kind = 18
	KindCommitLot           Kind = 19
	KindRevealLot           Kind = 20
	KindCastChoice          Kind = 21
	KindPublishInitiative   Kind = 22
	KindSupportInitiative   Kind = 23
	KindPostComment         Kind = 24
)

// kinds is the one table of kinds, ascending: the message that a transaction of the kind carries, and its name.
var kinds = []struct {
	kind Kind
	name string
	body func() election.Message
}{
	{KindPublishDocument, "PublishDocument", empty[pb.PublishDocument]},
	{KindProposeResolution, "ProposeResolution", empty[pb.ProposeResolution]},
	{KindApproveResolution, "ApproveResolution", empty[pb.ApproveResolution]},
	{KindWithdrawApproval, "WithdrawApproval", empty[pb.WithdrawApproval]},
	{KindAddRollEntries, "AddRollEntries", empty[pb.AddRollEntries]},
	{KindAnnounceDeal, "AnnounceDeal", empty[pb.AnnounceDeal]},
	{KindPublishDeal, "PublishDeal", empty[pb.PublishDeal]},
	{KindConfirmDeals, "ConfirmDeals", empty[pb.ConfirmDeals]},
	{KindComplainDeal, "ComplainDeal", empty[pb.ComplainDeal]},
	{KindPostTrial, "PostTrial", empty[pb.PostTrial]},
	{KindCastBallot, "CastBallot", empty[pb.CastBallot]},
	{KindSpoilBallot, "SpoilBallot", empty[pb.SpoilBallot]},
	{KindPostPartials, "PostPartials", empty[pb.PostPartials]},
	{KindAuthorBlock, "AuthorBlock", empty[pb.AuthorBlock]},
	{KindReportIntake, "ReportIntake", empty[pb.ReportIntake]},
	{KindSubmitApplications, "SubmitApplications", empty[pb.SubmitApplications]},
	{KindDecideApplications, "DecideApplications", empty[pb.DecideApplications]},
	{KindWithdrawApplication, "WithdrawApplication", empty[pb.WithdrawApplication]},
	{KindCommitLot, "CommitLot", empty[pb.CommitLot]},
	{KindRevealLot, "RevealLot", empty[pb.RevealLot]},
	{KindCastChoice, "CastChoice", empty[pb.CastChoice]},
	{KindPublishInitiative, "PublishInitiative", empty[pb.PublishInitiative]},
	{KindSupportInitiative, "SupportInitiative", empty[pb.SupportInitiative]},
	{KindPostComment, "PostComment", empty[pb.PostComment]},
}

func empty[M any, P interface {
	*M
	election.Message
}]() election.Message {
	return P(new(M))
}

// Kinds lists all kinds, ascending.
func Kinds() []Kind {
	all := make([]Kind, len(kinds))
	for i := range kinds {
		all[i] = kinds[i].kind
	}
	return all
}

// String returns the name of the kind's message.
func (k Kind) String() string {
	for i := range kinds {
		if kinds[i].kind == k {
			return kinds[i].name
		}
	}
	return fmt.Sprintf("kind %d", uint32(k))
}

// signedByVoter says whether a voter's key of the roll signs this kind; all others are signed by the key in the envelope.
func (k Kind) signedByVoter() bool {
	_, ok := k.newBody().(voterBody)
	return ok
}

// voterBody is the body of a transaction that a voter signs: it names the voter's place in the roll of an election.
type voterBody interface {
	election.Message
	GetElection() string
	GetRollIndex() uint64
}

// FromMember says whether a transaction of the kind is about initiatives. It never takes the room of ballots.
func (k Kind) FromMember() bool {
	return k == KindPublishInitiative || k == KindSupportInitiative || k == KindPostComment
}

// newBody returns an empty message of the kind, nil for an unknown one.
func (k Kind) newBody() election.Message {
	for i := range kinds {
		if kinds[i].kind == k {
			return kinds[i].body()
		}
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
	hashing := func(length uint64) uint64 { return length / 2048 }
	points := func(b []byte) uint64 { return uint64(len(b)) / 32 }
	switch m := body.(type) {
	case *pb.PublishDocument:
		if m.Offset+uint64(len(m.Chunk)) < m.Size_ {
			return signature
		}
		return signature + hashing(m.Size_) // the whole is read and hashed
	case *pb.ProposeResolution:
		n := signature + uint64(m.Size())/16 // keys, most of them
		if m.Resolution.GetCreateElection() != nil || m.Resolution.GetOpenNominations() != nil {
			n += manifest
		}
		return n
	case *pb.CastBallot:
		return signature + points(m.Ciphertext) + points(m.Proof)
	case *pb.AddRollEntries:
		return signature + signature*uint64(len(m.Signatures)) + uint64(len(m.Entries))
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
	case *pb.PublishInitiative:
		return signature + hashing(uint64(len(m.Text)))
	case *pb.PostComment:
		return signature + hashing(uint64(len(m.Text)))
	case *pb.PostPartials:
		n := uint64(signature + deal)
		for i := range m.Partials {
			n += signature + 3*points(m.Partials[i].Shares)
		}
		return n
	case *pb.SubmitApplications:
		return signature + signature*uint64(len(m.Applications))
	case *pb.DecideApplications:
		return signature + uint64(len(m.Decisions))
	}
	return signature
}
