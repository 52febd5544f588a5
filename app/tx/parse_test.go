package tx

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"

	"votenode/app/election"
	pb "votenode/proto/votenode/v1"
)

var key = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

// bodies has a good body of every kind.
func bodies() map[Kind]election.Message {
	h, p := make([]byte, 32), make([]byte, 64)
	return map[Kind]election.Message{
		KindPublishDocument:   &pb.PublishDocument{Hash: h, Size_: 3, Chunk: []byte("abc")},
		KindProposeResolution: &pb.ProposeResolution{Resolution: pb.Resolution{Decision: &pb.Resolution_CreateElection{CreateElection: &pb.CreateElection{Manifest: h}}}},
		KindApproveResolution: &pb.ApproveResolution{Resolution: h},
		KindWithdrawApproval:  &pb.WithdrawApproval{Resolution: h},
		KindAddRollEntries:    signedPart("chain", &pb.AddRollEntries{Election: "e", Entries: []pb.RollEntry{{Key: h}}}),
		KindAnnounceDeal:      &pb.AnnounceDeal{Election: "e", DealHash: h, ReceiverKeys: []pb.ReceiverKey{{Dealer: 2, Key: h}}},
		KindPublishDeal:       &pb.PublishDeal{Election: "e", Commitments: h, Possession: p, Shares: []pb.EncryptedShare{{Receiver: 2, Ciphertext: h}}},
		KindConfirmDeals:      &pb.ConfirmDeals{Election: "e"},
		KindComplainDeal:      &pb.ComplainDeal{Election: "e", PrivateKey: h},
		KindPostTrial:         &pb.PostTrial{Election: "e", Shares: h, Proof: p},
		KindCastBallot:        &pb.CastBallot{Election: "e", Ciphertext: h, Proof: h},
		KindSpoilBallot:       &pb.SpoilBallot{Election: "e", Code: h, NoncePoint: h},
		KindPostPartials:      &pb.PostPartials{Election: "e", Partials: []pb.PartialDecryption{{Shares: h, Proof: p}}},
		KindAuthorBlock:       &pb.AuthorBlock{Height: 1, Proposer: h[:20], Content: h},
		KindPublishInitiative: &pb.PublishInitiative{Election: "e", Title: "t", Text: "t"},
		KindSupportInitiative: &pb.SupportInitiative{Election: "e"},
		KindPostComment:       &pb.PostComment{Election: "e", Text: "t"},
		KindReportIntake:      &pb.ReportIntake{Start: 1, Height: 60, Taken: 3, Refused: []pb.RefusalCount{{Code: 602, Count: 1}, {Code: 32_000, Count: 2}}},

		KindSubmitApplications:  &pb.SubmitApplications{Applications: []pb.SignedApplication{{Application: pb.Application{Key: h}, Signature: p}}},
		KindDecideApplications:  &pb.DecideApplications{Nominations: "n", Decisions: []pb.ApplicationDecision{{Application: h, Refused: "no member"}}},
		KindWithdrawApplication: &pb.WithdrawApplication{Nominations: "n", Application: h},
		KindCommitLot:           &pb.CommitLot{Election: "e", Commitment: h, Round: 1},
		KindRevealLot:           &pb.RevealLot{Election: "e", Secret: h},
		KindCastChoice:          &pb.CastChoice{Election: "e", Sequence: 1, Choices: []pb.Choice{{Options: []uint32{0, 199}}, {}}},
	}
}

func strike(struck ...pb.StruckVoter) *pb.ProposeResolution {
	d := &pb.SealRoll{Root: make([]byte, 32), Struck: struck}
	return &pb.ProposeResolution{Resolution: pb.Resolution{Decision: &pb.Resolution_SealRoll{SealRoll: d}}}
}

// signedPart signs a part of a roll with the one key of these tests.
func signedPart(chain string, m *pb.AddRollEntries) *pb.AddRollEntries {
	m.Signatures = []pb.RollSignature{SignRoll(chain, m, key)}
	return m
}

// envelope wraps a body as its kind wants it.
func envelope(k Kind, body election.Message) []byte {
	if k.signedByVoter() {
		return Ballot(body, make([]byte, 64))
	}
	return Sign("chain", body, key)
}

func TestParseEveryKind(t *testing.T) {
	all := bodies()
	for _, k := range Kinds() {
		raw := envelope(k, all[k])
		p, err := Parse(raw)
		if err != nil {
			t.Errorf("%v: %v", k, err)
			continue
		}
		if p.Kind() != k || !bytes.Equal(election.Encode(p.Body()), election.Encode(all[k])) || p.Units() < 10 {
			t.Errorf("%v: parsed as %v, %d units", k, p.Kind(), p.Units())
		}
	}
	if len(all) != len(Kinds()) {
		t.Errorf("%d bodies for %d kinds", len(all), len(Kinds()))
	}
}

// refusedMany counts one refusal with each of n codes.
func refusedMany(n int) []pb.RefusalCount {
	list := make([]pb.RefusalCount, n)
	for i := range list {
		list[i] = pb.RefusalCount{Code: uint32(i + 1), Count: 1}
	}
	return list
}

func code(err error) Code {
	var r *Refusal
	if !errors.As(err, &r) {
		return 0
	}
	return r.Code
}

func TestParseRefusesFields(t *testing.T) {
	h, p := make([]byte, 32), make([]byte, 64)
	many := func(n int) []uint64 {
		list := make([]uint64, n)
		for i := range list {
			list[i] = uint64(i)
		}
		return list
	}
	revoke := func(voters []uint64) *pb.ProposeResolution {
		return &pb.ProposeResolution{Resolution: pb.Resolution{Decision: &pb.Resolution_RevokeVoters{RevokeVoters: &pb.RevokeVoters{Voters: voters}}}}
	}
	for name, body := range map[string]election.Message{
		"document hash":          &pb.PublishDocument{Hash: h[1:], Size_: 3, Chunk: []byte("abc")},
		"document without bytes": &pb.PublishDocument{Hash: h},
		"document too long":      &pb.PublishDocument{Hash: h, Size_: MaxDocument + 1, Chunk: make([]byte, ChunkSize)},
		"chunk too short":        &pb.PublishDocument{Hash: h, Size_: 3, Chunk: []byte("ab")},
		"chunk too long":         &pb.PublishDocument{Hash: h, Size_: 3, Chunk: []byte("abcd")},
		"offset between chunks":  &pb.PublishDocument{Hash: h, Size_: 3, Offset: 1, Chunk: []byte("bc")},
		"offset behind the end":  &pb.PublishDocument{Hash: h, Size_: ChunkSize, Offset: ChunkSize},
		"no decision":            &pb.ProposeResolution{},
		"reason too long":        &pb.ProposeResolution{Resolution: pb.Resolution{Reason: strings.Repeat("r", 1001), Decision: &pb.Resolution_CancelElection{CancelElection: &pb.CancelElection{}}}},
		"reason with an escape":  &pb.ProposeResolution{Resolution: pb.Resolution{Reason: "\x1b[2J", Decision: &pb.Resolution_CancelElection{CancelElection: &pb.CancelElection{}}}},
		"reason not UTF-8":       &pb.ProposeResolution{Resolution: pb.Resolution{Reason: "\xff", Decision: &pb.Resolution_CancelElection{CancelElection: &pb.CancelElection{}}}},
		"manifest hash":          &pb.ProposeResolution{Resolution: pb.Resolution{Decision: &pb.Resolution_CreateElection{CreateElection: &pb.CreateElection{Manifest: p}}}},
		"root":                   &pb.ProposeResolution{Resolution: pb.Resolution{Decision: &pb.Resolution_SealRoll{SealRoll: &pb.SealRoll{Root: p}}}},
		"no voters":              revoke(nil),
		"too many voters":        revoke(many(MaxRevocations + 1)),
		"unknown cause":          &pb.ProposeResolution{Resolution: pb.Resolution{Reason: "r", Decision: &pb.Resolution_RevokeVoters{RevokeVoters: &pb.RevokeVoters{Voters: []uint64{1}, Cause: 4}}}},
		"other without reason":   &pb.ProposeResolution{Resolution: pb.Resolution{Decision: &pb.Resolution_RevokeVoters{RevokeVoters: &pb.RevokeVoters{Voters: []uint64{1}}}}},
		"struck twice":           strike(pb.StruckVoter{Voter: 1, Cause: pb.REVOCATION_PAPER}, pb.StruckVoter{Voter: 1, Cause: pb.REVOCATION_LEFT}),
		"struck for no cause":    strike(pb.StruckVoter{Voter: 1}),
		"voter twice":            revoke([]uint64{4, 4}),
		"proposer":               &pb.AuthorBlock{Proposer: h, Content: h},
		"content":                &pb.AuthorBlock{Proposer: h[:20], Content: p},
		"commitment":             &pb.CommitLot{Commitment: h[1:]},
		"secret":                 &pb.RevealLot{Secret: p},
		"no start":               &pb.ReportIntake{Height: 60},
		"report before block 1":  &pb.ReportIntake{Start: 1},
		"report in between":      &pb.ReportIntake{Start: 1, Height: 61},
		"report below zero":      &pb.ReportIntake{Start: 1, Height: -60},
		"refused without code":   &pb.ReportIntake{Start: 1, Height: 60, Refused: []pb.RefusalCount{{Count: 1}}},
		"refused nothing":        &pb.ReportIntake{Start: 1, Height: 60, Refused: []pb.RefusalCount{{Code: 1}}},
		"refused unordered":      &pb.ReportIntake{Start: 1, Height: 60, Refused: []pb.RefusalCount{{Code: 2, Count: 1}, {Code: 1, Count: 1}}},
		"refused twice":          &pb.ReportIntake{Start: 1, Height: 60, Refused: []pb.RefusalCount{{Code: 1, Count: 1}, {Code: 1, Count: 1}}},
		"no applications":        &pb.SubmitApplications{},
		"too many applications":  &pb.SubmitApplications{Applications: make([]pb.SignedApplication, MaxApplications+1)},
		"candidate's key":        &pb.SubmitApplications{Applications: []pb.SignedApplication{{Application: pb.Application{Key: h[1:]}, Signature: p}}},
		"candidate's signature":  &pb.SubmitApplications{Applications: []pb.SignedApplication{{Application: pb.Application{Key: h}, Signature: p[1:]}}},
		"two nominations": &pb.SubmitApplications{Applications: []pb.SignedApplication{
			{Application: pb.Application{Key: h, Nominations: "a"}, Signature: p}, {Application: pb.Application{Key: h, Nominations: "b"}, Signature: p},
		}},
		"no decisions":       &pb.DecideApplications{},
		"application's hash": &pb.DecideApplications{Decisions: []pb.ApplicationDecision{{Application: h[1:]}}},
		"decided twice":      &pb.DecideApplications{Decisions: []pb.ApplicationDecision{{Application: h}, {Application: h}}},
		"refusal too long":   &pb.DecideApplications{Decisions: []pb.ApplicationDecision{{Application: h, Refused: strings.Repeat("r", MaxRefusal+1)}}},
		"refusal turned":     &pb.DecideApplications{Decisions: []pb.ApplicationDecision{{Application: h, Refused: "\u202e"}}},
		"refusal not UTF-8":  &pb.DecideApplications{Decisions: []pb.ApplicationDecision{{Application: h, Refused: "\xff"}}},
		"withdrawn hash":     &pb.WithdrawApplication{Application: h[1:]},
		"nominations' hash": &pb.ProposeResolution{Resolution: pb.Resolution{Decision: &pb.Resolution_OpenNominations{
			OpenNominations: &pb.OpenNominations{Nominations: h[1:]}}}},
		"removed for no reason": &pb.ProposeResolution{Resolution: pb.Resolution{Decision: &pb.Resolution_RemoveCandidate{
			RemoveCandidate: &pb.RemoveCandidate{Election: "e"}}}},
		"cancelled for no reason": &pb.ProposeResolution{Resolution: pb.Resolution{Decision: &pb.Resolution_CancelNominations{
			CancelNominations: &pb.CancelNominations{Nominations: "e"}}}},
		"too many refused":   &pb.ReportIntake{Start: 1, Height: 60, Refused: refusedMany(MaxRefusalCounts + 1)},
		"approval":           &pb.ApproveResolution{Resolution: p},
		"withdrawal":         &pb.WithdrawApproval{},
		"no entries":         &pb.AddRollEntries{},
		"too many entries":   &pb.AddRollEntries{Entries: make([]pb.RollEntry, MaxRollEntries+1)},
		"entry's key":        &pb.AddRollEntries{Entries: []pb.RollEntry{{Key: p}}},
		"deal hash":          &pb.AnnounceDeal{},
		"receiver zero":      &pb.AnnounceDeal{DealHash: h, ReceiverKeys: []pb.ReceiverKey{{Key: h}}},
		"receiver unordered": &pb.AnnounceDeal{DealHash: h, ReceiverKeys: []pb.ReceiverKey{{Dealer: 2, Key: h}, {Dealer: 1, Key: h}}},
		"receiver too great": &pb.AnnounceDeal{DealHash: h, ReceiverKeys: []pb.ReceiverKey{{Dealer: MaxTrustees + 1, Key: h}}},
		"receiver's key":     &pb.AnnounceDeal{DealHash: h, ReceiverKeys: []pb.ReceiverKey{{Dealer: 1, Key: p}}},
		"no commitments":     &pb.PublishDeal{Possession: p},
		"commitments":        &pb.PublishDeal{Commitments: h[1:], Possession: p},
		"possession":         &pb.PublishDeal{Commitments: h, Possession: h},
		"empty ciphertext":   &pb.PublishDeal{Commitments: h, Possession: p, Shares: []pb.EncryptedShare{{Receiver: 1}}},
		"private key":        &pb.ComplainDeal{},
		"trial shares":       &pb.PostTrial{Proof: p},
		"trial proof":        &pb.PostTrial{Shares: h, Proof: h},
		"no ciphertext":      &pb.CastBallot{Proof: h},
		"no proof":           &pb.CastBallot{Ciphertext: h},
		"code":               &pb.SpoilBallot{NoncePoint: h},
		"nonce point":        &pb.SpoilBallot{Code: h, NoncePoint: p},
		"no partials":        &pb.PostPartials{},
		"contest twice":      &pb.PostPartials{Partials: []pb.PartialDecryption{{Shares: h, Proof: p}, {Shares: h, Proof: p}}},
		"partial's proof":    &pb.PostPartials{Partials: []pb.PartialDecryption{{Shares: h, Proof: h}}},
		"too many partials":  &pb.PostPartials{Partials: make([]pb.PartialDecryption, MaxPartials+1)},
	} {
		if _, err := Parse(envelope(kindOf(body), body)); code(err) != CodeInvalidField {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseRefusesEnvelopes(t *testing.T) {
	h, s := make([]byte, 32), make([]byte, 64)
	document := election.Encode(bodies()[KindPublishDocument])
	ballot := election.Encode(bodies()[KindCastBallot])
	for name, c := range map[string]struct {
		want Code
		e    pb.Envelope
	}{
		"kind 0":                   {CodeUnknownKind, pb.Envelope{Body: document, Signer: h, Signature: s}},
		"kind 1,000":               {CodeUnknownKind, pb.Envelope{Kind: 1_000, Body: document, Signer: h, Signature: s}},
		"another kind's body":      {CodeMalformed, pb.Envelope{Kind: uint32(KindPostPartials), Body: document, Signer: h, Signature: s}},
		"no signer":                {CodeMalformed, pb.Envelope{Kind: uint32(KindPublishDocument), Body: document, Signature: s}},
		"a voter's kind, a signer": {CodeMalformed, pb.Envelope{Kind: uint32(KindCastBallot), Body: ballot, Signer: h, Signature: s}},
		"short signature":          {CodeMalformed, pb.Envelope{Kind: uint32(KindCastBallot), Body: ballot, Signature: s[1:]}},
		"body with a byte more":    {CodeMalformed, pb.Envelope{Kind: uint32(KindPublishDocument), Body: append(document, 0), Signer: h, Signature: s}},
	} {
		if _, err := Parse(election.Encode(&c.e)); code(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSignatureBinds: chain, kind, body and signer are all under the signature.
func TestSignatureBinds(t *testing.T) {
	raw := Sign("chain", bodies()[KindApproveResolution], key)
	p, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.CheckSignature("chain"); err != nil {
		t.Fatal(err)
	}
	if err := p.CheckSignature("another"); code(err) != CodeBadSignature {
		t.Errorf("another chain: %v", err)
	}
	for name, change := range map[string]func(e *pb.Envelope){
		"kind":      func(e *pb.Envelope) { e.Kind = uint32(KindWithdrawApproval) },
		"body":      func(e *pb.Envelope) { e.Body[len(e.Body)-1] ^= 1 },
		"signer":    func(e *pb.Envelope) { e.Signer[0] ^= 1 },
		"signature": func(e *pb.Envelope) { e.Signature[0] ^= 1 },
	} {
		var e pb.Envelope
		if err := election.Decode(bytes.Clone(raw), &e); err != nil {
			t.Fatal(err)
		}
		change(&e)
		changed, err := Parse(election.Encode(&e))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := changed.CheckSignature("chain"); code(err) != CodeBadSignature {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzParse: bytes from anywhere are refused with a code of the 1xx family, or are the one encoding of what they were parsed as.
func FuzzParse(f *testing.F) {
	for k, body := range bodies() {
		f.Add(envelope(k, body))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := Parse(bytes.Clone(raw))
		if err != nil {
			if c := code(err); c < 100 || c >= 200 {
				t.Fatalf("code %v: %v", c, err)
			}
			return
		}
		again := election.Encode(&pb.Envelope{
			Kind: uint32(p.Kind()), Body: election.Encode(p.Body()), Signer: p.Signer(), Signature: p.Signature(),
		})
		if !bytes.Equal(again, raw) {
			t.Fatal("two encodings of one transaction")
		}
		p.Units()
	})
}
