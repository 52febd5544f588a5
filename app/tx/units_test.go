package tx

import (
	"testing"

	"votenode/app/election"
	pb "votenode/proto/votenode/v1"
)

// TestUnits holds the numbers of spec 2.7.
func TestUnits(t *testing.T) {
	b := func(n int) []byte { return make([]byte, n) }
	create := pb.Resolution{Decision: &pb.Resolution_CreateElection{CreateElection: &pb.CreateElection{Manifest: b(32)}}}
	cancel := pb.Resolution{Decision: &pb.Resolution_CancelElection{CancelElection: &pb.CancelElection{Election: "e"}}}
	open := pb.Resolution{Decision: &pb.Resolution_OpenNominations{OpenNominations: &pb.OpenNominations{Nominations: b(32)}}}
	for _, c := range []struct {
		name string
		want uint64
		body election.Message
	}{
		{"a first chunk", 10, &pb.PublishDocument{Size_: ChunkSize + 1, Chunk: b(ChunkSize)}},
		{"a last chunk", 10 + 64, &pb.PublishDocument{Size_: ChunkSize, Chunk: b(ChunkSize)}},
		{"the last chunk of the longest document", 10 + 32_768, &pb.PublishDocument{Size_: MaxDocument, Offset: MaxDocument - ChunkSize, Chunk: b(ChunkSize)}},
		{"a short last chunk", 10 + 64, &pb.PublishDocument{Size_: ChunkSize + 1, Offset: ChunkSize, Chunk: b(1)}},
		{"a resolution", 10 + uint64(len(election.Encode(&pb.ProposeResolution{Resolution: cancel})))/16, &pb.ProposeResolution{Resolution: cancel}},
		{"a new election", 5_010 + uint64(len(election.Encode(&pb.ProposeResolution{Resolution: create})))/16, &pb.ProposeResolution{Resolution: create}},
		{"an approval", 10, &pb.ApproveResolution{}},
		{"a withdrawal", 10, &pb.WithdrawApproval{}},
		{"two entries, signed twice", 32, &pb.AddRollEntries{Entries: make([]pb.RollEntry, 2), Signatures: make([]pb.RollSignature, 2)}},
		{"three keys", 240, &pb.AnnounceDeal{ReceiverKeys: make([]pb.ReceiverKey, 3)}},
		{"a deal", 222, &pb.PublishDeal{Commitments: b(128), Shares: make([]pb.EncryptedShare, 4)}},
		{"a confirmation", 210, &pb.ConfirmDeals{}},
		{"a complaint", 5_210, &pb.ComplainDeal{}},
		{"a trial", 216, &pb.PostTrial{Shares: b(64)}},
		{"a ballot", 15, &pb.CastBallot{Ciphertext: b(64), Proof: b(96)}},
		{"a spoiled ballot", 10, &pb.SpoilBallot{}},
		{"new nominations", 5_010 + uint64(len(election.Encode(&pb.ProposeResolution{Resolution: open})))/16, &pb.ProposeResolution{Resolution: open}},
		{"three applications", 40, &pb.SubmitApplications{Applications: make([]pb.SignedApplication, 3)}},
		{"three decisions", 13, &pb.DecideApplications{Decisions: make([]pb.ApplicationDecision, 3)}},
		{"a candidate's withdrawal", 10, &pb.WithdrawApplication{}},
		{"an initiative", 10 + 32, &pb.PublishInitiative{Text: string(b(MaxInitiative))}},
		{"a comment", 10 + 2, &pb.PostComment{Text: string(b(MaxComment))}},
		{"a support", 10, &pb.SupportInitiative{}},
		{"two partial decryptions", 239, &pb.PostPartials{Partials: []pb.PartialDecryption{{Shares: b(32)}, {Shares: b(64)}}}},
	} {
		if got := units(c.body); got != c.want {
			t.Errorf("%s: %d units, want %d", c.name, got, c.want)
		}
	}
}

// TestUnitsFit: the dearest transaction of each kind that the parameters can allow fits the smallest block that they can allow.
func TestUnitsFit(t *testing.T) {
	const longest, least = 512 << 10, 60_000
	b := make([]byte, longest)
	partials := make([]pb.PartialDecryption, MaxPartials)
	for i := range partials {
		partials[i].Shares = b[:longest/MaxPartials]
	}
	resolution := pb.Resolution{Reason: string(b), Decision: &pb.Resolution_CreateElection{CreateElection: &pb.CreateElection{}}}
	for _, body := range []election.Message{
		&pb.PublishDocument{Size_: MaxDocument, Offset: MaxDocument},
		&pb.ProposeResolution{Resolution: resolution},
		&pb.AddRollEntries{Entries: make([]pb.RollEntry, MaxRollEntries)},
		&pb.AnnounceDeal{ReceiverKeys: make([]pb.ReceiverKey, MaxTrustees)},
		&pb.PublishDeal{Commitments: b},
		&pb.ComplainDeal{},
		&pb.PostTrial{Shares: b},
		&pb.CastBallot{Ciphertext: b[:32<<10], Proof: b[:32<<10]},
		&pb.PostPartials{Partials: partials},
	} {
		if got := units(body); got > least {
			t.Errorf("%T takes %d units, a block may have only %d", body, got, least)
		}
	}
}

func TestCheckSize(t *testing.T) {
	limits := &pb.Limits{BallotBytes: 1_000, TransactionBytes: 2_000}
	for _, c := range []struct {
		kind Kind
		size int
		want Code
	}{{KindCastBallot, 1_000, CodeOK}, {KindCastBallot, 1_001, CodeTooLarge}, {KindSpoilBallot, 2_000, CodeOK}, {KindSpoilBallot, 2_001, CodeTooLarge}} {
		p := &Parsed{kind: c.kind, raw: make([]byte, c.size)}
		if got := code(p.CheckSize(limits)); got != c.want {
			t.Errorf("%v of %d bytes: %v", c.kind, c.size, got)
		}
	}
}

// TestRefusesBlock: form, signature and proof refuse a block, and nothing else.
func TestRefusesBlock(t *testing.T) {
	for c := range codes {
		want := c >= 100 && c < 200 || c == CodeBadSignature || c == CodeBadProof
		if c.RefusesBlock() != want {
			t.Errorf("%v: %v", c, !want)
		}
		if c.Advice() == "" || c.String() == "" {
			t.Errorf("%d has no name or no advice", c)
		}
	}
	if Code(999).String() != "code_999" || Code(999).Advice() != "" {
		t.Error("an unknown code")
	}
}
