package recount

import (
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"

	"votenode/crypto/transcript"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/recount/rules"
)

// zip215 is how Ed25519 signatures are checked everywhere. Spec 2.3.
var zip215 = &ed25519.Options{Verify: ed25519.VerifyOptionsZIP_215}

// transaction applies one transaction, or returns why it has no effect. Spec 2.4, 2.6, 9.1.
func (r *Recount) transaction(v Verdict, raw []byte) error {
	var e pb.Envelope
	if rules.Decode(raw, &e) != nil {
		return refuse(codeMalformed, "the envelope is not canonical")
	}
	body := newBody(e.Kind)
	if body == nil {
		return refuse(codeUnknownKind, "there is no kind %d", e.Kind)
	}
	limit, signer := r.parameters.Limits.TransactionBytes, 32
	switch body.(type) {
	case *pb.CastBallot:
		limit, signer = r.parameters.Limits.BallotBytes, 0
	case *pb.CastChoice:
		limit, signer = r.parameters.Limits.BallotBytes, 0
	case *pb.SpoilBallot, memberBody:
		signer = 0
	}
	switch {
	case rules.Decode(e.Body, body) != nil || len(e.Signer) != signer || len(e.Signature) != 64:
		return refuse(codeMalformed, "body, signer or signature are not of the form of kind %d", e.Kind)
	case !wellFormed(body):
		return refuse(codeInvalidField, "a field of kind %d is not as spec 2.6 has it", e.Kind)
	}
	if err := r.signed(v, &e, body); err != nil {
		return err
	}
	if uint64(len(raw)) > limit {
		return refuse(codeTooLarge, "it has %d bytes", len(raw))
	}
	switch m := body.(type) {
	case *pb.PublishDocument:
		return r.publishDocument(e.Signer, m)
	case *pb.ProposeResolution:
		return r.propose(e.Signer, m)
	case *pb.ApproveResolution:
		return r.approve(e.Signer, m)
	case *pb.WithdrawApproval:
		return r.withdraw(e.Signer, m)
	case *pb.AddRollEntries:
		return r.addRollEntries(e.Signer, m)
	case *pb.AnnounceDeal:
		return r.announceDeal(e.Signer, m)
	case *pb.PublishDeal:
		return r.publishDeal(e.Signer, m)
	case *pb.ConfirmDeals:
		return r.confirmDeals(e.Signer, m)
	case *pb.ComplainDeal:
		return r.complainDeal(e.Signer, m)
	case *pb.PostTrial:
		return r.postTrial(e.Signer, m)
	case *pb.CastBallot:
		return r.castBallot(raw, v.Ballot, m)
	case *pb.SpoilBallot:
		return r.spoilBallot(m)
	case *pb.CastChoice:
		return r.castChoice(raw, m)
	case *pb.PostPartials:
		return r.postPartials(e.Signer, m)
	case *pb.AuthorBlock:
		return r.authorBlock(e.Signer, m)
	case *pb.ReportIntake:
		return r.reportIntake(raw, e.Signer, m)
	case *pb.SubmitApplications:
		return r.submitApplications(e.Signer, m)
	case *pb.DecideApplications:
		return r.decideApplications(e.Signer, m)
	case *pb.WithdrawApplication:
		return r.withdrawApplication(e.Signer, m)
	case *pb.PublishInitiative:
		return r.publishInitiative(raw, m)
	case *pb.SupportInitiative:
		return r.supportInitiative(m)
	case *pb.PostComment:
		return r.postComment(raw, m)
	case *pb.CommitLot:
		return r.commitLot(e.Signer, m)
	case *pb.RevealLot:
		return r.revealLot(e.Signer, m)
	}
	return contradiction("kind %d has no rule", e.Kind)
}

// signed asks for the signature of a transaction, and of a ballot for its proof, against what was fixed in blocks before. Spec 2.4, 9.1.
func (r *Recount) signed(v Verdict, e *pb.Envelope, body rules.Message) error {
	switch m := body.(type) {
	case *pb.CastBallot:
		return r.ballotSigned(v, m)
	case *pb.SpoilBallot:
		return r.spoilSigned(e.Signature, m)
	case *pb.CastChoice:
		return r.choiceSigned(e, m)
	case memberBody:
		return r.memberSigned(e, m)
	}
	// Frame("votenode/v1/transaction", chain, kind, body)
	message := transcript.Frame(transcript.LabelTransaction, []byte(r.chain), transcript.Uint64(uint64(e.Kind)), e.Body)
	if !ed25519.VerifyWithOptions(e.Signer, message, e.Signature, zip215) {
		return refuse(codeBadSignature, "its signature does not hold")
	}
	if m, ok := body.(*pb.SubmitApplications); ok {
		for i := range m.Applications {
			if !r.candidateSigned(&m.Applications[i]) {
				return refuse(codeBadSignature, "the signature of candidate %d does not hold", i)
			}
		}
	}
	if m, ok := body.(*pb.AddRollEntries); ok {
		return r.rollSigned(m)
	}
	return nil
}

// newBody returns an empty body of a kind, nil for one that does not exist. Spec 2.6.
func newBody(kind uint32) rules.Message {
	switch kind {
	case 1:
		return new(pb.PublishDocument)
	case 2:
		return new(pb.ProposeResolution)
	case 3:
		return new(pb.ApproveResolution)
	case 4:
		return new(pb.WithdrawApproval)
	case 5:
		return new(pb.AddRollEntries)
	case 6:
		return new(pb.AnnounceDeal)
	case 7:
		return new(pb.PublishDeal)
	case 8:
		return new(pb.ConfirmDeals)
	case 9:
		return new(pb.ComplainDeal)
	case 10:
		return new(pb.PostTrial)
	case 11:
		return new(pb.CastBallot)
	case 12:
		return new(pb.SpoilBallot)
	case 13:
		return new(pb.PostPartials)
	case 14:
		return new(pb.AuthorBlock)
	case 15:
		return new(pb.ReportIntake)
	case 16:
		return new(pb.SubmitApplications)
	case 17:
		return new(pb.DecideApplications)
	case 18:
		return new(pb.WithdrawApplication)
	case 22:
		return new(pb.PublishInitiative)
	case 23:
		return new(pb.SupportInitiative)
	case 24:
		return new(pb.PostComment)
	case 19:
		return new(pb.CommitLot)
	case 20:
		return new(pb.RevealLot)
	case 21:
		return new(pb.CastChoice)
	}
	return nil
}

const chunkSize = 131_072

// wellFormed holds a body against the static rules of spec 2.6.
func wellFormed(body rules.Message) bool {
	switch m := body.(type) {
	case *pb.PublishDocument:
		return len(m.Hash) == 32 && m.Size_ <= 64<<20 && m.Offset%chunkSize == 0 && m.Offset < m.Size_ &&
			uint64(len(m.Chunk)) == min(chunkSize, m.Size_-m.Offset)
	case *pb.ProposeResolution:
		return wellFormedResolution(&m.Resolution)
	case *pb.ApproveResolution:
		return len(m.Resolution) == 32
	case *pb.WithdrawApproval:
		return len(m.Resolution) == 32
	case *pb.AddRollEntries:
		return allOf(m.Entries, 1, 5_000, func(_, e *pb.RollEntry) bool { return len(e.Key) == 32 }) &&
			allOf(m.Signatures, 1, 32, func(_, s *pb.RollSignature) bool { return len(s.Key) == 32 && len(s.Signature) == 64 })
	case *pb.AnnounceDeal:
		return len(m.DealHash) == 32 && allOf(m.ReceiverKeys, 0, 64, func(last, k *pb.ReceiverKey) bool {
			return len(k.Key) == 32 && k.Dealer >= 1 && k.Dealer <= 64 && (last == nil || k.Dealer > last.Dealer)
		})
	case *pb.PublishDeal:
		return rows(m.Commitments) && len(m.Possession) == 64 && allOf(m.Shares, 0, 64, func(last, s *pb.EncryptedShare) bool {
			return len(s.Ciphertext) > 0 && s.Receiver >= 1 && s.Receiver <= 64 && (last == nil || s.Receiver > last.Receiver)
		})
	case *pb.ConfirmDeals:
		return true
	case *pb.ComplainDeal:
		return len(m.PrivateKey) == 32
	case *pb.PostTrial:
		return rows(m.Shares) && len(m.Proof) == 64
	case *pb.CastBallot:
		return rows(m.Ciphertext) && rows(m.Proof)
	case *pb.SpoilBallot:
		return len(m.Code) == 32 && len(m.NoncePoint) == 32
	case *pb.PostPartials:
		return allOf(m.Partials, 1, 256, func(last, p *pb.PartialDecryption) bool {
			return rows(p.Shares) && len(p.Proof) == 64 && (last == nil || p.Contest > last.Contest)
		})
	case *pb.CastChoice:
		return allOf(m.Choices, 1, 200, func(_, c *pb.Choice) bool {
			return allOf(c.Options, 0, 200, func(last, option *uint32) bool { return *option < 200 && (last == nil || *option > *last) })
		})
	case *pb.AuthorBlock:
		return len(m.Proposer) == 20 && len(m.Content) == 32
	case *pb.PublishInitiative:
		return rules.IsText(m.Title, 200) && rules.IsMarkdown(m.Text, 65_536)
	case *pb.SupportInitiative:
		return true
	case *pb.PostComment:
		return rules.IsMarkdown(m.Text, 4_096)
	case *pb.ReportIntake:
		return m.Start > 0 && m.Height > 0 && m.Height%reportEvery == 0 && allOf(m.Refused, 0, 128, func(last, c *pb.RefusalCount) bool {
			return c.Code > 0 && c.Count > 0 && (last == nil || c.Code > last.Code)
		})
	case *pb.SubmitApplications:
		return allOf(m.Applications, 1, 100, func(last, s *pb.SignedApplication) bool {
			return len(s.Application.Key) == 32 && len(s.Signature) == 64 && (last == nil || s.Application.Nominations == last.Application.Nominations)
		})
	case *pb.DecideApplications:
		return allOf(m.Decisions, 1, 100, func(last, d *pb.ApplicationDecision) bool {
			return len(d.Application) == 32 && rules.IsProse(d.Refused, 1_000) &&
				(last == nil || string(d.Application) > string(last.Application))
		})
	case *pb.WithdrawApplication:
		return len(m.Application) == 32
	case *pb.CommitLot:
		return len(m.Commitment) == 32
	case *pb.RevealLot:
		return len(m.Secret) == 32
	}
	return false
}

// rows says whether bytes are a positive number of points or scalars.
func rows(b []byte) bool { return len(b) > 0 && len(b)%32 == 0 }

// allOf says whether a list has least to most members, each of which is ok behind the one before it.
func allOf[T any](list []T, least, most int, ok func(last, member *T) bool) bool {
	if len(list) < least || len(list) > most {
		return false
	}
	var last *T
	for i := range list {
		if !ok(last, &list[i]) {
			return false
		}
		last = &list[i]
	}
	return true
}

func wellFormedResolution(m *pb.Resolution) bool {
	if !rules.IsProse(m.Reason, 1_000) {
		return false
	}
	switch d := m.Decision.(type) {
	case nil:
		return false
	case *pb.Resolution_CreateElection:
		return len(d.CreateElection.Manifest) == 32
	case *pb.Resolution_SealRoll:
		return len(d.SealRoll.Root) == 32 && allOf(d.SealRoll.Struck, 0, 10_000, func(last, s *pb.StruckVoter) bool {
			return mayRevokeFor(s.Cause, m.Reason) && (last == nil || s.Voter > last.Voter)
		})
	case *pb.Resolution_UpgradeSoftware:
		return len(d.UpgradeSoftware.Binary) == 32
	case *pb.Resolution_ExtendElection:
		return wellFormedExtension(d.ExtendElection)
	case *pb.Resolution_PaperTotals:
		return wellFormedTotals(d.PaperTotals)
	case *pb.Resolution_ExcusePaper:
		return m.Reason != "" && maybeHash(d.ExcusePaper.Corrects)
	case *pb.Resolution_RevokeVoters:
		return mayRevokeFor(d.RevokeVoters.Cause, m.Reason) && allOf(d.RevokeVoters.Voters, 1, 1_000, func(last, v *uint64) bool { return last == nil || *v > *last })
	case *pb.Resolution_OpenNominations:
		return len(d.OpenNominations.Nominations) == 32
	case *pb.Resolution_AnswerInitiative:
		document := d.AnswerInitiative.Document
		return len(document) == 32 || len(document) == 0 && m.Reason != ""
	case *pb.Resolution_RemoveCandidate, *pb.Resolution_RemovePost, *pb.Resolution_RenewLot, *pb.Resolution_CancelNominations:
		return m.Reason != ""
	}
	return true
}

// mayRevokeFor says whether entries of a roll may be revoked for a cause: "other" needs words.
func mayRevokeFor(cause pb.RevocationCause, reason string) bool {
	return cause >= 0 && cause <= 3 && (cause != 0 || reason != "")
}
