package tx

import (
	"bytes"
	"unicode/utf8"

	"votenode/app/election"
	"votenode/app/organisation"
	"votenode/app/text"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// Static bounds of bodies. Spec 2.6.
const (
	// ChunkSize is the length of every chunk of a document but the last, bytes.
	ChunkSize = 131_072
	// MaxDocument is the length of a document, bytes, whatever the parameters say.
	MaxDocument = 64 << 20
	// MaxRollEntries is the number of entries of one AddRollEntries.
	MaxRollEntries = 5_000
	// MaxPartials is the number of contests of one PostPartials.
	MaxPartials = 256
	// MaxRevocations is the number of voters of one RevokeVoters.
	MaxRevocations = 1_000
	// MaxStruck is the number of entries that one SealRoll strikes.
	MaxStruck = 10_000
	// MaxTrustees is the number of trustees of one organisation.
	MaxTrustees = 64
	// MaxRefusalCounts is the number of codes of one ReportIntake.
	MaxRefusalCounts = 128
	// MaxExtensionSpan is the number of heights for which an extension makes up.
	MaxExtensionSpan = 65_536
	// MaxPaper bounds every count of PaperTotals: the number of entries of a roll.
	MaxPaper = 1 << 27
	// MaxApplications is the number of applications of one SubmitApplications, and of decisions of one DecideApplications.
	MaxApplications = 100
	// MaxRefusal is the length of the reason for which an application is refused, bytes.
	MaxRefusal = 1_000
	// MaxChoices is the number of contests of one CastChoice, and of options of each.
	MaxChoices = ballot.MaxPositions
	// IntakeInterval is the number of heights from one report of a validator's intake to the next.
	IntakeInterval = 60
	// MaxInitiative is the length of the text of an initiative, bytes.
	MaxInitiative = 65_536
	// MaxComment is the length of a comment, bytes.
	MaxComment = 4_096

	maxReason = 1_000
)

// checkFields checks all that a body can be asked without any state.
func checkFields(body election.Message) error {
	switch m := body.(type) {
	case *pb.PublishDocument:
		return checkDocument(m)
	case *pb.ProposeResolution:
		return checkResolution(&m.Resolution)
	case *pb.ApproveResolution:
		return length("resolution", m.Resolution, 32)
	case *pb.WithdrawApproval:
		return length("resolution", m.Resolution, 32)
	case *pb.AddRollEntries:
		return checkRollEntries(m)
	case *pb.AnnounceDeal:
		return checkAnnounce(m)
	case *pb.PublishDeal:
		return checkDeal(m)
	case *pb.ConfirmDeals:
		return nil
	case *pb.ComplainDeal:
		return length("private_key", m.PrivateKey, 32)
	case *pb.PostTrial:
		return firstOf(points("shares", m.Shares), length("proof", m.Proof, 64))
	case *pb.CastBallot:
		return firstOf(points("ciphertext", m.Ciphertext), points("proof", m.Proof))
	case *pb.SpoilBallot:
		return firstOf(length("code", m.Code, 32), length("nonce_point", m.NoncePoint, 32))
	case *pb.PostPartials:
		return checkPartials(m)
	case *pb.CastChoice:
		return checkChoices(m)
	case *pb.AuthorBlock:
		return firstOf(length("proposer", m.Proposer, 20), length("content", m.Content, 32))
	case *pb.ReportIntake:
		return checkIntake(m)
	case *pb.SubmitApplications:
		return checkApplications(m)
	case *pb.DecideApplications:
		return checkApplicationDecisions(m)
	case *pb.WithdrawApplication:
		return length("application", m.Application, 32)
	case *pb.PublishInitiative:
		return firstOf(checkTitle(m.Title), checkMarkdown(m.Text, MaxInitiative))
	case *pb.SupportInitiative:
		return nil
	case *pb.PostComment:
		return checkMarkdown(m.Text, MaxComment)
	case *pb.CommitLot:
		return length("commitment", m.Commitment, 32)
	case *pb.RevealLot:
		return length("secret", m.Secret, 32)
	}
	return Refuse(CodeUnknownKind, "%T has no static checks", body)
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func length(field string, b []byte, n int) error {
	if len(b) != n {
		return Refuse(CodeInvalidField, "%s has %d bytes instead of %d", field, len(b), n)
	}
	return nil
}

func points(field string, b []byte) error {
	if len(b) == 0 || len(b)%32 != 0 {
		return Refuse(CodeInvalidField, "%s has %d bytes, which is no positive multiple of 32", field, len(b))
	}
	return nil
}

func checkDocument(m *pb.PublishDocument) error {
	if err := length("hash", m.Hash, 32); err != nil {
		return err
	}
	if m.Size_ > MaxDocument {
		return Refuse(CodeInvalidField, "size is %d, at most %d is allowed", m.Size_, MaxDocument)
	}
	want := uint64(ChunkSize)
	if m.Offset%ChunkSize != 0 || m.Offset >= m.Size_ {
		return Refuse(CodeInvalidField, "offset %d is no multiple of %d below the size", m.Offset, ChunkSize)
	}
	if rest := m.Size_ - m.Offset; rest < want {
		want = rest
	}
	if uint64(len(m.Chunk)) != want {
		return Refuse(CodeInvalidField, "the chunk at %d has %d bytes instead of %d", m.Offset, len(m.Chunk), want)
	}
	return nil
}

func checkResolution(r *pb.Resolution) error {
	if err := checkProse("reason", r.Reason, maxReason); err != nil {
		return err
	}
	switch d := r.Decision.(type) {
	case nil:
		return Refuse(CodeInvalidField, "the resolution decides nothing")
	case *pb.Resolution_CreateElection:
		return length("manifest", d.CreateElection.Manifest, 32)
	case *pb.Resolution_SealRoll:
		return firstOf(length("root", d.SealRoll.Root, 32), checkStruck(d.SealRoll.Struck, r.Reason))
	case *pb.Resolution_UpgradeSoftware:
		return length("binary", d.UpgradeSoftware.Binary, 32)
	case *pb.Resolution_RevokeVoters:
		return firstOf(checkRevocations(d.RevokeVoters.Voters), checkCause(d.RevokeVoters.Cause, r.Reason))
	case *pb.Resolution_ExtendElection:
		return checkExtension(d.ExtendElection)
	case *pb.Resolution_PaperTotals:
		return checkPaperTotals(d.PaperTotals)
	case *pb.Resolution_ExcusePaper:
		return firstOf(required(r.Reason), checkCorrects(d.ExcusePaper.Corrects))
	case *pb.Resolution_OpenNominations:
		return length("nominations", d.OpenNominations.Nominations, 32)
	case *pb.Resolution_AnswerInitiative:
		return checkAnswer(r.Reason, d.AnswerInitiative.Document)
	case *pb.Resolution_RemoveCandidate, *pb.Resolution_CancelNominations, *pb.Resolution_RemovePost, *pb.Resolution_RenewLot:
		return required(r.Reason)
	}
	return nil
}

func checkExtension(d *pb.ExtendElection) error {
	if d.Cause <= pb.EXTENSION_NONE || d.Cause > pb.EXTENSION_OTHER {
		return Refuse(CodeInvalidField, "cause is %d; an extension names outage, halt, attack or other", d.Cause)
	}
	if d.From == 0 && d.To == 0 && d.Cause == pb.EXTENSION_OTHER {
		return nil
	}
	if d.From < 1 || d.To < d.From || d.To-d.From >= MaxExtensionSpan {
		return Refuse(CodeInvalidField, "from %d to %d is no span of 1 to %d heights", d.From, d.To, MaxExtensionSpan)
	}
	return nil
}

func checkCorrects(hash []byte) error {
	if len(hash) == 0 {
		return nil
	}
	return length("corrects", hash, 32)
}

func checkPaperTotals(d *pb.PaperTotals) error {
	if err := checkCorrects(d.Corrects); err != nil {
		return err
	}
	if err := checkCounts(d.Entitled, d.Issued, d.Spoiled, d.Cast); err != nil {
		return err
	}
	for i := range d.Contests {
		c := &d.Contests[i]
		if i > 0 && c.Contest <= d.Contests[i-1].Contest {
			return Refuse(CodeInvalidField, "contests is not strictly ascending by contest")
		}
		if err := firstOf(checkCounts(c.Valid, c.Invalid), checkCounts(c.Votes...)); err != nil {
			return err
		}
	}
	return nil
}

func checkCounts(counts ...uint64) error {
	for _, n := range counts {
		if n > MaxPaper {
			return Refuse(CodeInvalidField, "a count is %d, at most %d is allowed", n, uint64(MaxPaper))
		}
	}
	return nil
}

// checkCause checks the cause of a revocation: one that has no name of its own needs the reason of the resolution.
func checkCause(c pb.RevocationCause, reason string) error {
	if c < pb.REVOCATION_OTHER || c > pb.REVOCATION_LEFT {
		return Refuse(CodeInvalidField, "there is no cause %d of a revocation", c)
	}
	if c == pb.REVOCATION_OTHER && reason == "" {
		return Refuse(CodeInvalidField, "the reason is empty; it must say why entries of the roll are revoked")
	}
	return nil
}

func checkStruck(struck []pb.StruckVoter, reason string) error {
	if len(struck) > MaxStruck {
		return Refuse(CodeInvalidField, "struck has %d entries; at most %d are allowed", len(struck), MaxStruck)
	}
	for i := range struck {
		if i > 0 && struck[i].Voter <= struck[i-1].Voter {
			return Refuse(CodeInvalidField, "struck is not strictly ascending at position %d", i)
		}
		if err := checkCause(struck[i].Cause, reason); err != nil {
			return err
		}
	}
	return nil
}

func checkRevocations(voters []uint64) error {
	if len(voters) == 0 || len(voters) > MaxRevocations {
		return Refuse(CodeInvalidField, "voters has %d entries; 1 to %d are allowed", len(voters), MaxRevocations)
	}
	for i := 1; i < len(voters); i++ {
		if voters[i] <= voters[i-1] {
			return Refuse(CodeInvalidField, "voters is not strictly ascending at position %d", i)
		}
	}
	return nil
}

func checkRollEntries(m *pb.AddRollEntries) error {
	if len(m.Entries) == 0 || len(m.Entries) > MaxRollEntries {
		return Refuse(CodeInvalidField, "entries has %d members; 1 to %d are allowed", len(m.Entries), MaxRollEntries)
	}
	for i := range m.Entries {
		if err := length("key", m.Entries[i].Key, 32); err != nil {
			return err
		}
	}
	if len(m.Signatures) == 0 || len(m.Signatures) > organisation.MaxOrganisations {
		return Refuse(CodeInvalidField, "signatures has %d members; 1 to %d are allowed", len(m.Signatures), organisation.MaxOrganisations)
	}
	for i := range m.Signatures {
		if err := firstOf(length("key", m.Signatures[i].Key, signerSize), length("signature", m.Signatures[i].Signature, signatureSize)); err != nil {
			return err
		}
	}
	return nil
}

func checkAnnounce(m *pb.AnnounceDeal) error {
	if err := length("deal_hash", m.DealHash, 32); err != nil {
		return err
	}
	return ascending("receiver_keys", len(m.ReceiverKeys), func(i int) (uint32, error) {
		k := &m.ReceiverKeys[i]
		return k.Dealer, length("key", k.Key, 32)
	})
}

func checkDeal(m *pb.PublishDeal) error {
	if err := firstOf(points("commitments", m.Commitments), length("possession", m.Possession, 64)); err != nil {
		return err
	}
	return ascending("shares", len(m.Shares), func(i int) (uint32, error) {
		s := &m.Shares[i]
		if len(s.Ciphertext) == 0 {
			return 0, Refuse(CodeInvalidField, "a ciphertext is empty")
		}
		return s.Receiver, nil
	})
}

// ascending checks a list by trustee index: from 1, strictly ascending, at most MaxTrustees.
func ascending(field string, n int, at func(i int) (uint32, error)) error {
	last := uint32(0)
	for i := 0; i < n; i++ {
		index, err := at(i)
		if err != nil {
			return err
		}
		if index <= last || index > MaxTrustees {
			return Refuse(CodeInvalidField, "%s is not strictly ascending from 1 to %d", field, MaxTrustees)
		}
		last = index
	}
	return nil
}

func checkPartials(m *pb.PostPartials) error {
	if len(m.Partials) == 0 || len(m.Partials) > MaxPartials {
		return Refuse(CodeInvalidField, "partials has %d members; 1 to %d are allowed", len(m.Partials), MaxPartials)
	}
	for i := range m.Partials {
		p := &m.Partials[i]
		if i > 0 && p.Contest <= m.Partials[i-1].Contest {
			return Refuse(CodeInvalidField, "partials is not strictly ascending by contest")
		}
		if err := firstOf(points("shares", p.Shares), length("proof", p.Proof, 64)); err != nil {
			return err
		}
	}
	return nil
}

func checkChoices(m *pb.CastChoice) error {
	if len(m.Choices) == 0 || len(m.Choices) > MaxChoices {
		return Refuse(CodeInvalidField, "choices has %d members; 1 to %d are allowed", len(m.Choices), MaxChoices)
	}
	for i := range m.Choices {
		for j, option := range m.Choices[i].Options {
			if option >= MaxChoices || j > 0 && option <= m.Choices[i].Options[j-1] {
				return Refuse(CodeInvalidField, "the options of choice %d are not strictly ascending below %d", i, MaxChoices)
			}
		}
	}
	return nil
}

func checkIntake(m *pb.ReportIntake) error {
	if m.Start == 0 {
		return Refuse(CodeInvalidField, "start is 0; starts count from 1")
	}
	if m.Height < IntakeInterval || m.Height%IntakeInterval != 0 {
		return Refuse(CodeInvalidField, "height %d is no positive multiple of %d", m.Height, IntakeInterval)
	}
	if len(m.Refused) > MaxRefusalCounts {
		return Refuse(CodeInvalidField, "refused has %d members; at most %d are allowed", len(m.Refused), MaxRefusalCounts)
	}
	last := uint32(0)
	for _, r := range m.Refused {
		if r.Code <= last || r.Count == 0 {
			return Refuse(CodeInvalidField, "refused is not strictly ascending by code, from 1, without a count of 0")
		}
		last = r.Code
	}
	return nil
}

func checkApplications(m *pb.SubmitApplications) error {
	if len(m.Applications) == 0 || len(m.Applications) > MaxApplications {
		return Refuse(CodeInvalidField, "applications has %d members; 1 to %d are allowed", len(m.Applications), MaxApplications)
	}
	for i := range m.Applications {
		s := &m.Applications[i]
		if err := firstOf(length("key", s.Application.Key, 32), length("signature", s.Signature, 64)); err != nil {
			return err
		}
		if s.Application.Nominations != m.Applications[0].Application.Nominations {
			return Refuse(CodeInvalidField, "application %d names other nominations than the first", i)
		}
	}
	return nil
}

// checkAnswer accepts the answer to an initiative: a document, or else a reason.
func checkAnswer(reason string, document []byte) error {
	if len(document) > 0 {
		return length("document", document, 32)
	}
	return required(reason)
}

func required(reason string) error {
	if reason == "" {
		return Refuse(CodeInvalidField, "reason is empty; this decision needs one")
	}
	return nil
}

func checkApplicationDecisions(m *pb.DecideApplications) error {
	if len(m.Decisions) == 0 || len(m.Decisions) > MaxApplications {
		return Refuse(CodeInvalidField, "decisions has %d members; 1 to %d are allowed", len(m.Decisions), MaxApplications)
	}
	for i := range m.Decisions {
		d := &m.Decisions[i]
		if err := length("application", d.Application, 32); err != nil {
			return err
		}
		if i > 0 && bytes.Compare(d.Application, m.Decisions[i-1].Application) <= 0 {
			return Refuse(CodeInvalidField, "decisions is not strictly ascending by application")
		}
		if err := checkProse("refused", d.Refused, MaxRefusal); err != nil {
			return err
		}
	}
	return nil
}

func checkTitle(title string) error {
	if err := text.Check(title, organisation.MaxTitle); err != nil {
		return Refuse(CodeInvalidField, "title: %v", err)
	}
	return nil
}

// checkMarkdown accepts 1 to most bytes of such a text as checkProse does.
func checkMarkdown(body string, most int) error {
	if body == "" {
		return Refuse(CodeInvalidField, "text is empty; 1 to %d bytes are allowed", most)
	}
	return checkProse("text", body, most)
}

// checkProse accepts at most most bytes of a text for people (spec 1.2) that may have line feeds and tabs.
func checkProse(what, s string, most int) error {
	if len(s) > most || !utf8.ValidString(s) {
		return Refuse(CodeInvalidField, "%s has %d bytes; at most %d of UTF-8 are allowed", what, len(s), most)
	}
	for at, r := range s {
		if r != '\n' && r != '\t' && text.Invisible(r) {
			return Refuse(CodeInvalidField, "%s holds the invisible character U+%04X at byte %d", what, r, at)
		}
	}
	return nil
}
