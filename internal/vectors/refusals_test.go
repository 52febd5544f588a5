package vectors

import (
	"bytes"

	"votenode/app/tx"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
)

// Encodings that are no elements, or not the one encoding of theirs. Spec 2.3.
var (
	identityPoint = make([]byte, 32)
	negativePoint = append([]byte{1}, make([]byte, 31)...)
	// orderScalar is the group order, which a scalar must be below.
	orderScalar = append([]byte{
		0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
	}, append(make([]byte, 15), 0x10)...)
)

// refusals are changed transactions: which, in whose place, and the code that they must have there.
var refusals = []struct {
	name, section string
	height        int64
	index         int
	want          tx.Code
	change        change
}{
	// Form: chapter 2.
	{"a byte behind the envelope", "2.2", 4, 0, tx.CodeMalformed, bytesOf(func(raw []byte) []byte { return append(raw, 0) })},
	{"an unknown field behind the envelope", "2.2", 4, 0, tx.CodeMalformed, bytesOf(func(raw []byte) []byte { return append(raw, 0x28, 1) })},
	{"the kind in a varint of two bytes", "2.2", 4, 0, tx.CodeMalformed, bytesOf(func(raw []byte) []byte {
		return append([]byte{raw[0], raw[1] | 0x80, 0}, raw[2:]...)
	})},
	{"a default value spelled out in the body", "2.2", 34, 1, tx.CodeMalformed, envelope(func(e *pb.Envelope) {
		at := bytes.IndexByte(e.Body, 0x20) // the sequence, behind election and (left out) style and roll index
		e.Body = append(append(bytes.Clone(e.Body[:at]), 0x10, 0), e.Body[at:]...)
	})},
	{"no bytes", "2.4", 4, 0, tx.CodeUnknownKind, bytesOf(func([]byte) []byte { return nil })},
	{"a kind that there is not", "2.6", 4, 0, tx.CodeUnknownKind, envelope(func(e *pb.Envelope) { e.Kind = 1_000 })},
	{"a signature of 63 bytes", "2.4", 4, 0, tx.CodeMalformed, envelope(func(e *pb.Envelope) { e.Signature = e.Signature[:63] })},
	{"a signer beside a voter's signature", "2.4", 34, 1, tx.CodeMalformed, envelope(func(e *pb.Envelope) { e.Signer = make([]byte, 32) })},
	{"a hash of 31 bytes", "2.6", 4, 0, tx.CodeInvalidField, signed(func(m *pb.ApproveResolution) { m.Resolution = m.Resolution[:31] })},
	{"a chunk that is not all that is left", "2.6", 2, 0, tx.CodeInvalidField, signed(func(m *pb.PublishDocument) { m.Chunk = m.Chunk[1:] })},

	// Signatures: 2.4.
	{"a signature with a flipped bit", "2.4", 4, 0, tx.CodeBadSignature, envelope(func(e *pb.Envelope) { e.Signature[0] ^= 1 })},
	{"another signer than signed", "2.4", 4, 0, tx.CodeBadSignature, envelope(func(e *pb.Envelope) { e.Signer[0] ^= 1 })},
	{"signed for another chain", "2.4", 4, 0, tx.CodeBadSignature, func(_ *world, p *tx.Parsed) []byte {
		return tx.Sign("another", p.Body(), keyOf(p.Signer()))
	}},
	{"another body than signed", "2.4", 4, 0, tx.CodeBadSignature, envelope(func(e *pb.Envelope) { e.Body[2] ^= 1 })},

	// Documents and resolutions: 9.10 to 9.34.
	{"a registrar approves", "9.12", 4, 0, tx.CodeNotAuthorised, by("party registrar 1")},
	{"an approval of what nobody proposed", "9.12", 4, 0, tx.CodeUnknownResolution, signed(func(m *pb.ApproveResolution) { m.Resolution[0] ^= 1 })},
	{"an approval twice", "9.12", 4, 1, tx.CodeAlreadyDone, another(4, 0)},
	{"an approval of what is in effect", "9.12", 7, 0, tx.CodeResolutionClosed, another(4, 0)},
	{"a withdrawal by one who has not approved", "9.13", 15, 0, tx.CodeNotApproved, by("party officer 2")},
	{"a document under another hash", "9.10", 2, 0, tx.CodeDocumentHash, signed(func(m *pb.PublishDocument) { m.Hash[0] ^= 1 })},
	{"a manifest that nobody published", "9.20", 3, 0, tx.CodeDocumentUnknown, resolved(func(r *pb.Resolution) { r.GetCreateElection().Manifest[0] ^= 1 })},
	{"the manifest of an election that exists", "9.20", 6, 0, tx.CodeElectionExists, another(3, 0).then(resolved(func(r *pb.Resolution) { r.Nonce = 99 }))},
	{"a board with one trustee twice", "9.21", 20, 0, tx.CodeInvalidBoard, resolved(func(r *pb.Resolution) {
		trustees := r.GetAppointTrustees().Boards[0].Trustees
		trustees[1] = trustees[0]
	})},
	{"a quorum of three of three", "9.21", 20, 0, tx.CodeInvalidBoard, resolved(func(r *pb.Resolution) { r.GetAppointTrustees().Boards[0].Quorum = 3 })},
	{"the roll sealed under another root", "9.22", 13, 0, tx.CodeRollMismatch, resolved(func(r *pb.Resolution) { r.GetSealRoll().Root[0] ^= 1 })},
	{"closing at the opening", "9.23", 31, 0, tx.CodeInvalidTimes, resolved(func(r *pb.Resolution) {
		r.GetScheduleElection().Closing = r.GetScheduleElection().Opening
	})},
	{"an extension to an earlier closing", "9.24", 78, 0, tx.CodeInvalidTimes, resolved(func(r *pb.Resolution) { r.GetExtendElection().Closing -= 61 })},
	{"a voter revoked whom the roll lacks", "9.28", 45, 0, tx.CodeUnknownVoter, resolved(func(r *pb.Resolution) { r.GetRevokeVoters().Voters[1] = 8 })},
	{"power above the cap", "9.26", 63, 0, tx.CodePowerCap, resolved(func(r *pb.Resolution) { r.GetChangeValidators().Validators[0].Power++ })},
	{"validators out of order", "9.26", 63, 0, tx.CodeInvalidValidators, resolved(func(r *pb.Resolution) {
		list := r.GetChangeValidators().Validators
		list[0], list[1] = list[1], list[0]
	})},
	{"an officers' quorum above their number", "9.33", 73, 0, tx.CodeInvalidOrganisation, resolved(func(r *pb.Resolution) {
		r.GetChangeOfficers().Organisation.OfficerQuorum = 5
	})},
	{"officers for the term that is", "9.33", 73, 0, tx.CodeInvalidOrganisation, resolved(func(r *pb.Resolution) { r.GetChangeOfficers().Organisation.Term = 0 })},
	{"another handover", "9.34", 75, 0, tx.CodeInvalidParameters, resolved(func(r *pb.Resolution) { r.GetChangeParameters().Parameters.Handover++ })},
	{"an upgrade to the version after the next", "9.37", 87, 2, tx.CodeInvalidUpgrade, resolved(func(r *pb.Resolution) { r.GetUpgradeSoftware().Version++ })},
	{"an upgrade at the height of its own block", "9.37", 87, 2, tx.CodeInvalidUpgrade, resolved(func(r *pb.Resolution) { r.GetUpgradeSoftware().Height = 87 })},
	{"an upgrade to a binary with a hash of 31 bytes", "2.6", 87, 2, tx.CodeInvalidField, resolved(func(r *pb.Resolution) {
		r.GetUpgradeSoftware().Binary = r.GetUpgradeSoftware().Binary[1:]
	})},
	{"no upgrade to cancel", "9.38", 87, 2, tx.CodeNoUpgrade, resolved(func(r *pb.Resolution) {
		r.Decision = &pb.Resolution_CancelUpgrade{CancelUpgrade: &pb.CancelUpgrade{Height: 1_000}}
	})},

	// Roll: 9.14.
	{"a gap in the roll", "9.14", 11, 0, tx.CodeRollGap, enrolled(func(m *pb.AddRollEntries) { m.First++ })},
	{"a voter's key that is the identity", "9.14", 11, 0, tx.CodeVoterKey, enrolled(func(m *pb.AddRollEntries) { m.Entries[0].Key = identityPoint })},
	{"a voter's key that is no point", "9.14", 11, 0, tx.CodeVoterKey, enrolled(func(m *pb.AddRollEntries) { m.Entries[0].Key = negativePoint })},
	{"a voter's key twice", "9.14", 11, 0, tx.CodeVoterKeyTwice, enrolled(func(m *pb.AddRollEntries) { m.Entries[1].Key = m.Entries[0].Key })},
	{"a style that the manifest lacks", "9.14", 11, 0, tx.CodeUnknownStyle, enrolled(func(m *pb.AddRollEntries) { m.Entries[0].Style = 2 })},

	{"a part of a roll that one organisation has signed", "9.14", 11, 0, tx.CodeNotCosigned, signed(func(m *pb.AddRollEntries) { m.Signatures = m.Signatures[1:] })},
	{"registrars' signatures in another order", "9.14", 11, 0, tx.CodeNotCosigned, signed(func(m *pb.AddRollEntries) {
		m.Signatures[0], m.Signatures[1] = m.Signatures[1], m.Signatures[0]
	})},
	{"a registrar's signature under another part", "9.14", 11, 0, tx.CodeBadSignature, signed(func(m *pb.AddRollEntries) { m.Entries[0].Style ^= 1 })},
	{"an entry struck that the roll lacks", "9.22", 13, 0, tx.CodeUnknownVoter, resolved(func(r *pb.Resolution) {
		r.GetSealRoll().Struck = []pb.StruckVoter{{Voter: 8, Cause: pb.REVOCATION_PAPER}}
	})},
	{"a reason that turns the direction of writing", "2.6", 45, 0, tx.CodeInvalidField, resolved(func(r *pb.Resolution) { r.Reason = "a\u202eb" })},
	{"a voter revoked for no cause", "2.6", 45, 0, tx.CodeInvalidField, resolved(func(r *pb.Resolution) { r.Reason = "" })},

	// Key ceremony: 9.15 to 9.19.
	{"an announcement of another attempt", "9.15", 27, 0, tx.CodeWrongAttempt, signed(func(m *pb.AnnounceDeal) { m.Attempt = 1 })},
	{"a receiver key of small order", "4.5", 27, 0, tx.CodeReceiverKeys, signed(func(m *pb.AnnounceDeal) { m.ReceiverKeys[0].Key = negativePoint })},
	{"a receiver key too few", "9.15", 27, 0, tx.CodeReceiverKeys, signed(func(m *pb.AnnounceDeal) { m.ReceiverKeys = m.ReceiverKeys[1:] })},
	{"commitments exchanged", "4.4", 28, 0, tx.CodeDealHash, signed(func(m *pb.PublishDeal) {
		m.Commitments = append(bytes.Clone(m.Commitments[32:]), m.Commitments[:32]...)
	})},
	{"a commitment that is the identity", "4.3", 28, 0, tx.CodeCommitments, signed(func(m *pb.PublishDeal) { copy(m.Commitments, identityPoint) })},
	{"a proof of possession with another response", "4.6", 28, 0, tx.CodePossession, signed(func(m *pb.PublishDeal) { m.Possession[32] ^= 1 })},
	{"another dealer's deal", "4.4", 28, 0, tx.CodeDealHash, another(28, 1).then(signed(func(m *pb.PublishDeal) {
		m.Shares[0].Receiver = 2
	})).then(by("league trustee 1"))},
	{"a share too few", "9.16", 28, 0, tx.CodeShareList, signed(func(m *pb.PublishDeal) { m.Shares = m.Shares[1:] })},
	{"a share a byte short", "4.5", 28, 0, tx.CodeShareList, signed(func(m *pb.PublishDeal) { m.Shares[0].Ciphertext = m.Shares[0].Ciphertext[1:] })},
	{"a complaint with another private key", "4.8", 24, 4, tx.CodeComplaintKey, signed(func(m *pb.ComplainDeal) { m.PrivateKey[1] ^= 1 })},
	{"a complaint with a key that is not clamped", "4.8", 24, 4, tx.CodeComplaintKey, signed(func(m *pb.ComplainDeal) { m.PrivateKey[0] |= 1 })},
	{"a trial share of another slot", "4.9", 30, 0, tx.CodeTrialProof, signed(func(m *pb.PostTrial) { copy(m.Shares[32:], m.Shares[:32]) })},
	{"a trial proof with another challenge", "4.9", 30, 0, tx.CodeTrialProof, signed(func(m *pb.PostTrial) { m.Proof[0] ^= 1 })},

	// Ballots: chapter 3, 9.30, 9.31.
	{"C_1 and C_2 exchanged", "3.7", 34, 1, tx.CodeBadSignature, voted(func(m *pb.CastBallot) {
		m.Ciphertext = bytes.Join([][]byte{m.Ciphertext[:32], m.Ciphertext[64:96], m.Ciphertext[32:64], m.Ciphertext[96:]}, nil)
	})},
	{"C_0 is the identity", "3.1", 34, 1, tx.CodeBadProof, voted(func(m *pb.CastBallot) { copy(m.Ciphertext, identityPoint) })},
	{"B is no point", "3.6", 34, 1, tx.CodeBadProof, voted(func(m *pb.CastBallot) { copy(m.Proof[32:], negativePoint) })},
	{"the first f is the group order", "3.6", 34, 1, tx.CodeBadProof, voted(func(m *pb.CastBallot) { copy(m.Proof[192:], orderScalar) })},
	{"a proof that is an element too long", "3.6", 34, 1, tx.CodeBadProof, voted(func(m *pb.CastBallot) { m.Proof = append(m.Proof, make([]byte, 32)...) })},
	{"a ballot of another style", "3.6", 34, 1, tx.CodeBadProof, voted(func(m *pb.CastBallot) { m.Style = 1 })},
	{"a ballot of a style that there is not", "3.6", 34, 1, tx.CodeBadProof, voted(func(m *pb.CastBallot) { m.Style = 2 })},
	{"R with a flipped bit", "3.9", 34, 1, tx.CodeBadProof, envelope(func(e *pb.Envelope) { e.Signature[31] ^= 0x80 })},
	{"s is the group order", "3.9", 34, 1, tx.CodeBadProof, envelope(func(e *pb.Envelope) { copy(e.Signature[32:], orderScalar) })},
	{"another s", "3.9", 34, 1, tx.CodeBadSignature, envelope(func(e *pb.Envelope) { e.Signature[32] ^= 1 })},
	{"another voter's place", "3.5", 34, 1, tx.CodeBadSignature, voted(func(m *pb.CastBallot) { m.RollIndex = 3 })},
	{"another sequence number", "3.5", 34, 1, tx.CodeBadSignature, voted(func(m *pb.CastBallot) { m.Sequence++ })},
	{"a place that the roll lacks", "9.30", 34, 1, tx.CodeUnknownVoter, voted(func(m *pb.CastBallot) { m.RollIndex = 8 })},
	{"another election", "9.30", 34, 1, tx.CodeUnknownElection, voted(func(m *pb.CastBallot) { m.Election = "another" })},
	{"an election without keys", "9.30", 34, 1, tx.CodeWrongPhase, voted(func(m *pb.CastBallot) { m.Election = "cancelled" })},
	{"a ballot twice in a block", "9.30", 34, 2, tx.CodeSequence, another(34, 1)},
	{"a ballot after closing", "9.30", 83, 0, tx.CodeWrongPhase, another(44, 0)},
	{"a challenge of a recorded ballot", "9.31", 44, 1, tx.CodeRecorded, another(40, 0)},
	{"a challenge of another number", "3.11", 40, 0, tx.CodeBadSignature, func(_ *world, p *tx.Parsed) []byte {
		m := p.Body().(*pb.SpoilBallot)
		m.Sequence++
		return tx.Ballot(m, p.Signature())
	}},

	// Decryption: 9.32.
	{"a partial decryption with another response", "4.10", 83, 0, tx.CodeDecryptionProof, signed(func(m *pb.PostPartials) { m.Partials[0].Proof[32] ^= 1 })},
	{"the shares of another contest", "4.10", 83, 0, tx.CodeDecryptionProof, signed(func(m *pb.PostPartials) {
		m.Partials[0].Shares, m.Partials[1].Shares = m.Partials[1].Shares, m.Partials[0].Shares
	})},
	{"a contest that the manifest lacks", "9.32", 83, 0, tx.CodeUnknownContest, signed(func(m *pb.PostPartials) { m.Partials[1].Contest = 2 })},
	{"another trustee's decryption", "4.10", 83, 0, tx.CodeDecryptionProof, by("league trustee 2")},
	{"a decryption by an ejected trustee", "9.32", 83, 0, tx.CodeTrusteeEjected, by("league trustee 3")},

	// Lots: 9.45, 9.46.
	{"a commitment by a registrar", "9.45", 30, 6, tx.CodeNotAuthorised, by("league registrar 1")},
	{"a commitment a byte short", "2.6", 30, 6, tx.CodeInvalidField, signed(func(m *pb.CommitLot) { m.Commitment = m.Commitment[1:] })},
	{"a commitment for the next round", "9.45", 30, 6, tx.CodeLotRound, signed(func(m *pb.CommitLot) { m.Round++ })},
	{"a commitment once more", "9.45", 30, 7, tx.CodeAlreadyDone, another(30, 6)},
	{"another commitment of an organisation", "9.45", 30, 7, tx.CodeLotCommitted, by("league officer 2")},
	{"a secret while voting", "9.46", 34, 1, tx.CodeWrongPhase, func(*world, *tx.Parsed) []byte {
		return tx.Sign(rehearsal.Chain, &pb.RevealLot{Election: primary, Secret: rehearsal.LotSecret(primary, "party", 1)}, rehearsal.Key("party officer 2"))
	}},
	{"another organisation's secret", "9.46", 83, 2, tx.CodeLotSecret, by("party officer 1")},
	{"a secret with another bit", "9.46", 86, 0, tx.CodeLotSecret, signed(func(m *pb.RevealLot) { m.Secret[31] ^= 1 })},
	{"a secret once more", "9.46", 86, 0, tx.CodeAlreadyDone, another(83, 2)},

	// Authors of blocks: 9.35.
	{"an author of another height", "9.35", 34, 0, tx.CodeAuthorship, signed(func(m *pb.AuthorBlock) { m.Height++ })},
	{"another validator's author", "9.35", 34, 0, tx.CodeAuthorship, by("league validator 1 slip")},

	// Reports: 9.36.
	{"a report that is not due yet", "9.36", 87, 0, tx.CodeReportHeight, signed(func(m *pb.ReportIntake) { m.Height += 60 })},
	{"a report between two multiples", "2.6", 87, 0, tx.CodeInvalidField, signed(func(m *pb.ReportIntake) { m.Height++ })},
	{"a report without a start", "2.6", 87, 0, tx.CodeInvalidField, signed(func(m *pb.ReportIntake) { m.Start = 0 })},
	{"refusals out of order", "2.6", 87, 0, tx.CodeInvalidField, signed(func(m *pb.ReportIntake) { m.Refused[0], m.Refused[1] = m.Refused[1], m.Refused[0] })},
	{"a report by a validator that left", "9.36", 87, 0, tx.CodeNotAuthorised, by("party validator 2 slip")},
	{"a report by an officer", "9.36", 87, 0, tx.CodeNotAuthorised, by("party officer 1")},
	{"a second report of a height", "9.36", 88, 0, tx.CodeAlreadyDone, signed(func(m *pb.ReportIntake) { m.Taken++ })},

	// Initiatives: chapter 20, 9.52 to 9.57.
	{"a text with a carriage return", "2.6", 92, 0, tx.CodeInvalidField, envelope(func(e *pb.Envelope) {
		e.Body = bytes.Replace(e.Body, []byte("\n\n"), []byte("\r\n"), 1)
	})},
	{"a member's signature with another s", "3.16", 94, 0, tx.CodeBadSignature, envelope(func(e *pb.Envelope) { e.Signature[32] ^= 1 })},
	{"an initiative a second time", "20.2", 94, 0, tx.CodeMemberNumber, another(92, 0)},
	{"a support by a revoked member", "20.2", 97, 0, tx.CodeRevoked, another(96, 0)},
	{"a second support under another number", "9.53", 97, 1, tx.CodeAlreadyDone, another(95, 0)},
	{"a roll that is open already", "9.55", 99, 0, tx.CodeAlreadyDone, resolved(func(r *pb.Resolution) {
		r.Decision = &pb.Resolution_OpenInitiatives{OpenInitiatives: &pb.OpenInitiatives{Election: primary}}
	})},
	{"an answer to a comment", "9.56", 99, 0, tx.CodeUnknownInitiative, resolved(func(r *pb.Resolution) { r.GetAnswerInitiative().Initiative = 2 })},
	{"an answer without words", "2.6", 99, 0, tx.CodeInvalidField, resolved(func(r *pb.Resolution) { r.Reason = "" })},
	{"a removal without a reason", "2.6", 102, 0, tx.CodeInvalidField, resolved(func(r *pb.Resolution) { r.Reason = "" })},
	{"a removal of what there is not", "9.57", 102, 0, tx.CodeUnknownPost, resolved(func(r *pb.Resolution) { r.GetRemovePost().Post = 4 })},
}
