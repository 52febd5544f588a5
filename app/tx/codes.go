package tx

import "fmt"

// Code is the outcome of a transaction as it stands on the ledger (it enters LastResultsHash). Spec 2.5.
type Code uint32

// The codes: 1xx form, 2xx signatures and proofs, 3xx documents and resolutions, 4xx elections and rolls, 5xx trustees,
// 6xx ballots, 7xx validators' reports, 8xx what leads to and follows from an election. 32,000 and above are never on the ledger.
const (
	CodeOK Code = 0

	CodeMalformed    Code = 100
	CodeUnknownKind  Code = 101
	CodeTooLarge     Code = 102
	CodeInvalidField Code = 103
	CodeAuthorship   Code = 104

	CodeBadSignature  Code = 200
	CodeNotAuthorised Code = 201
	CodeBadProof      Code = 202

	CodeAlreadyDone         Code = 300
	CodeDocumentUnknown     Code = 301
	CodeDocumentOrder       Code = 302
	CodeDocumentHash        Code = 303
	CodeOfficerLimit        Code = 304
	CodeUnknownResolution   Code = 310
	CodeResolutionClosed    Code = 311
	CodeNotApproved         Code = 312
	CodeWithdrawn           Code = 313
	CodeElectionExists      Code = 320
	CodeInvalidManifest     Code = 321
	CodeInvalidBoard        Code = 322
	CodeRollMismatch        Code = 323
	CodeInvalidTimes        Code = 324
	CodeInvalidValidators   Code = 330
	CodePowerCap            Code = 331
	CodeChangePending       Code = 332
	CodeKeyReused           Code = 333
	CodeInvalidOrganisation Code = 335
	CodeInvalidParameters   Code = 336
	CodeEmptyOrganisation   Code = 337
	CodeInvalidUpgrade      Code = 338
	CodeUpgradePending      Code = 339
	CodeNoUpgrade           Code = 340

	CodeUnknownElection Code = 400
	CodeWrongPhase      Code = 401
	CodeRollSealed      Code = 402
	CodeRollGap         Code = 403
	CodeVoterKey        Code = 404
	CodeVoterKeyTwice   Code = 405
	CodeUnknownStyle    Code = 406

	CodeWrongAttempt    Code = 500
	CodeWrongStep       Code = 501
	CodeTrusteeEjected  Code = 502
	CodeSecondDeal      Code = 503
	CodeReceiverKeys    Code = 504
	CodeDealHash        Code = 505
	CodeCommitments     Code = 506
	CodePossession      Code = 507
	CodeShareList       Code = 508
	CodeComplaintKey    Code = 509
	CodeTrialProof      Code = 510
	CodeUnknownContest  Code = 511
	CodeContestDecided  Code = 512
	CodeDecryptionProof Code = 513
	CodeNotMissing      Code = 514

	CodeUnknownVoter Code = 600
	CodeWrongStyle   Code = 601
	CodeSequence     Code = 602
	CodeTooSoon      Code = 603
	CodeSpoiled      Code = 604
	CodeRevoked      Code = 605
	CodeSpoilLimit   Code = 606
	CodeRecorded     Code = 607

	CodeReportHeight Code = 700
	CodeReportShrunk Code = 701

	CodeNotCosigned          Code = 800
	CodeInvalidNominations   Code = 810
	CodeNominationsExist     Code = 811
	CodeUnknownNominations   Code = 812
	CodeNominationsClosed    Code = 813
	CodeInvalidApplication   Code = 814
	CodeUnknownApplication   Code = 815
	CodeCandidateTwice       Code = 816
	CodeNameTwice            Code = 817
	CodeNominationsFull      Code = 818
	CodeListFull             Code = 819
	CodeApplicationDecided   Code = 820
	CodeApplicationWithdrawn Code = 821
	CodeManifestMismatch     Code = 822
	CodeUnknownCandidate     Code = 823
	CodeNoList               Code = 830
	CodeLotCommitted         Code = 831
	CodeLotEarly             Code = 832
	CodeLotSecret            Code = 833
	CodeLotRound             Code = 834
	CodeLotNotDue            Code = 835
	CodeLotMissing           Code = 836
	CodeLotTurn              Code = 837
	CodeUnknownPlace         Code = 840
	CodePaperContests        Code = 841
	CodePaperIssued          Code = 842
	CodePaperBallots         Code = 843
	CodePaperVotes           Code = 844
	CodePaperCorrects        Code = 845
	CodeInvalidSpan          Code = 846
	CodeExtensionLimit       Code = 847
	CodeNoRoll               Code = 850
	CodeUnknownDistrict      Code = 851
	CodeNotInPart            Code = 852
	CodeChoice               Code = 853
	CodeOpenChoices          Code = 854
	CodeRollElsewhere        Code = 855
	CodeOtherRoll            Code = 860
	CodeUnknownInitiative    Code = 861
	CodeInitiativeClosed     Code = 862
	CodeMemberNumber         Code = 863
	CodeMemberRate           Code = 864
	CodeNotSupported         Code = 865
	CodeSupportLimit         Code = 866
	CodeUnknownPost          Code = 867

	// CodeRetryLater says that the node is full; the transaction was neither refused nor kept.
	CodeRetryLater Code = 32000
)

// codes gives every code its name and what to do about it.
var codes = map[Code]struct{ name, advice string }{
	CodeOK: {"ok", "nothing is left to do"},

	CodeMalformed:    {"malformed", "encode the transaction canonically, as spec 2.2 has it"},
	CodeUnknownKind:  {"unknown_kind", "use a kind of spec 2.6; a newer client may need a newer network"},
	CodeTooLarge:     {"too_large", "split it: the limits stand in the record `parameters`"},
	CodeInvalidField: {"invalid_field", "correct the named field"},
	CodeAuthorship:   {"authorship", "nothing: only the validator that makes a block says so, in its first transaction"},

	CodeBadSignature:  {"bad_signature", "sign for this chain with the key that the transaction names"},
	CodeNotAuthorised: {"not_authorised", "use a key that holds the role this transaction needs"},
	CodeBadProof:      {"bad_proof", "make the ballot anew for this election, voter, style and sequence number"},

	CodeAlreadyDone:         {"already_done", "nothing: the ledger holds this already"},
	CodeDocumentUnknown:     {"document_unknown", "publish the whole document first"},
	CodeDocumentOrder:       {"document_order", "send the chunks in order; each stands as it came first"},
	CodeDocumentHash:        {"document_hash", "publish the document under the hash of its bytes"},
	CodeOfficerLimit:        {"officer_limit", "have another officer send it: this one has sent as many as one officer ever may"},
	CodeUnknownResolution:   {"unknown_resolution", "propose the resolution first, or check its hash"},
	CodeResolutionClosed:    {"resolution_closed", "propose it anew: it took effect, was refused or has expired"},
	CodeNotApproved:         {"not_approved", "nothing: there is no approval of yours to withdraw"},
	CodeWithdrawn:           {"withdrawn", "propose it anew with another nonce: a withdrawn approval does not come back"},
	CodeElectionExists:      {"election_exists", "choose an election id that was never used on this chain"},
	CodeInvalidManifest:     {"invalid_manifest", "correct the manifest, publish it and propose it anew"},
	CodeInvalidBoard:        {"invalid_board", "name trustees for every organisation, at least 2*quorum-1 of them, quorum at least 2, no key twice"},
	CodeRollMismatch:        {"roll_mismatch", "seal the size and root that the roll log has now"},
	CodeInvalidTimes:        {"invalid_times", "choose times that lie ahead of block time, opening before closing"},
	CodeInvalidValidators:   {"invalid_validators", "correct the list of validators"},
	CodePowerCap:            {"power_cap", "give no organisation more power than the record `parameters` allows"},
	CodeChangePending:       {"change_pending", "wait until the announced validator set is in force"},
	CodeKeyReused:           {"key_reused", "use a fresh key: validator keys never come back and never change their organisation"},
	CodeInvalidOrganisation: {"invalid_organisation", "correct the organisation's officers, quorum or registrars"},
	CodeInvalidParameters:   {"invalid_parameters", "correct the parameters"},
	CodeEmptyOrganisation:   {"empty_organisation", "leave every organisation at least one validator"},
	CodeInvalidUpgrade:      {"invalid_upgrade", "name the version above the one in force, and a height that is still ahead"},
	CodeUpgradePending:      {"upgrade_pending", "cancel the upgrade that is ahead first, or wait until it is in force"},
	CodeNoUpgrade:           {"no_upgrade", "name the height of an upgrade that is still ahead"},

	CodeUnknownElection: {"unknown_election", "check the election's id"},
	CodeWrongPhase:      {"wrong_phase", "look at the election's phase: this is not its time"},
	CodeRollSealed:      {"roll_sealed", "nothing: the roll of this election is closed"},
	CodeRollGap:         {"roll_gap", "continue at the roll's present size"},
	CodeVoterKey:        {"voter_key", "bring a key that is a canonical group element other than the identity"},
	CodeVoterKeyTwice:   {"voter_key_twice", "bring every voter key once"},
	CodeUnknownStyle:    {"unknown_style", "use a ballot style of the manifest"},

	CodeWrongAttempt:    {"wrong_attempt", "follow the attempt that the record of the ceremony names"},
	CodeWrongStep:       {"wrong_step", "follow the step that the record of the ceremony names"},
	CodeTrusteeEjected:  {"trustee_ejected", "nothing: this trustee is out of the ceremony"},
	CodeSecondDeal:      {"second_deal", "nothing: this trustee has acted in this step, and what it sent stands"},
	CodeReceiverKeys:    {"receiver_keys", "publish one valid X25519 key for each other active trustee, ascending"},
	CodeDealHash:        {"deal_hash", "reveal the commitments whose hash was announced"},
	CodeCommitments:     {"commitments", "publish quorum canonical points for each slot, none the identity"},
	CodePossession:      {"possession", "prove possession of all slots' secrets in this attempt"},
	CodeShareList:       {"share_list", "encrypt one share for each other active trustee, ascending"},
	CodeComplaintKey:    {"complaint_key", "complain with the private key of the single-use key published for this dealer"},
	CodeTrialProof:      {"trial_proof", "post one share for each slot with the proof of the trial decryption"},
	CodeUnknownContest:  {"unknown_contest", "name a contest of the election"},
	CodeContestDecided:  {"contest_decided", "nothing: this contest needs no share"},
	CodeDecryptionProof: {"decryption_proof", "open exactly the sum that the ledger fixed at closing, and prove it"},
	CodeNotMissing:      {"not_missing", "excuse only trustees whose trial shares are missing, and leave a quorum"},

	CodeUnknownVoter: {"unknown_voter", "use the roll index that the registrar gave"},
	CodeWrongStyle:   {"wrong_style", "use the ballot style that the roll gives this voter"},
	CodeSequence:     {"sequence", "use a number greater than that of the last recorded ballot"},
	CodeTooSoon:      {"too_soon", "wait until the manifest's revote_interval has passed"},
	CodeSpoiled:      {"spoiled", "make a new ballot: a challenged one can never be cast"},
	CodeRevoked:      {"revoked", "ask the registrars: this entry of the roll was revoked"},
	CodeSpoilLimit:   {"spoil_limit", "cast a ballot: no more can be challenged in this election"},
	CodeRecorded:     {"recorded", "nothing: this ballot is recorded and cannot be spoiled any more"},

	CodeReportHeight: {"report_height", "nothing: the node reports again at the next multiple of 60 heights"},
	CodeReportShrunk: {"report_shrunk", "count on from the report on the ledger, or under a greater number of the start"},

	CodeNotCosigned:          {"not_cosigned", "have a registrar of every organisation sign the part, in the order of their ids"},
	CodeInvalidNominations:   {"invalid_nominations", "correct the nominations, publish them and propose them anew"},
	CodeNominationsExist:     {"nominations_exist", "choose an election id that no nominations on this chain have"},
	CodeUnknownNominations:   {"unknown_nominations", "check the id of the nominations"},
	CodeNominationsClosed:    {"nominations_closed", "nothing: the time for it has passed, or the nominations were cancelled"},
	CodeInvalidApplication:   {"invalid_application", "have the candidate correct the application and sign it anew"},
	CodeUnknownApplication:   {"unknown_application", "submit the application first, or check its hash"},
	CodeCandidateTwice:       {"candidate_twice", "have the candidate withdraw the other application first"},
	CodeNameTwice:            {"name_twice", "have the candidate apply under a name that tells her from the other"},
	CodeNominationsFull:      {"nominations_full", "nothing: these nominations take no more applications"},
	CodeListFull:             {"list_full", "leave it out: as many stand on the list as can"},
	CodeApplicationDecided:   {"application_decided", "leave it out: what your organisation has decided stands"},
	CodeApplicationWithdrawn: {"application_withdrawn", "leave it out: the candidate has withdrawn"},
	CodeManifestMismatch:     {"manifest_mismatch", "publish the manifest that was formed of the nominations, and nothing else"},
	CodeUnknownCandidate:     {"unknown_candidate", "name a contest with candidates and one of its options"},
	CodeNoList:               {"no_list", "nothing: no contest of this election has a list, so there is no lot"},
	CodeLotCommitted:         {"lot_committed", "nothing: this organisation has committed in this round, and a commitment is never replaced"},
	CodeLotEarly:             {"lot_early", "keep the secret until the lot block is fixed, which follows the closing, and reveal it then"},
	CodeLotSecret:            {"lot_secret", "reveal the secret to which this organisation has committed"},
	CodeLotRound:             {"lot_round", "look at the lot, and commit to its present round or end that one"},
	CodeLotNotDue:            {"lot_not_due", "wait: the time in which secrets are revealed is not over, or no list waits for the lot"},
	CodeLotMissing:           {"lot_missing", "name exactly the organisations that have not revealed their secret; where all have there is nothing to renew"},
	CodeLotTurn:              {"lot_turn", "keep the secret until those that kept theirs in more rounds have revealed, and reveal it then"},
	CodeUnknownPlace:         {"unknown_place", "name a polling place of the manifest"},
	CodePaperContests:        {"paper_contests", "bring all contests of the styles that the polling place serves, in order, with a number for each option"},
	CodePaperIssued:          {"paper_issued", "count again: of the ballots issued some are spoiled or cast, and each entitled member keeps at most one"},
	CodePaperBallots:         {"paper_ballots", "count again: valid and invalid ballots of a contest are among those cast"},
	CodePaperVotes:           {"paper_votes", "count again: the valid ballots of the contest cannot hold these votes"},
	CodePaperCorrects:        {"paper_corrects", "name the resolution about this polling place that stands, or none where there is none"},
	CodeInvalidSpan:          {"invalid_span", "name heights of which the ledger still holds who signed, the last one below the present height"},
	CodeExtensionLimit:       {"extension_limit", "nothing: this election was extended as often as one may be"},
	CodeNoRoll:               {"no_roll", "name an election that has a roll of its own, and seal that first"},
	CodeUnknownDistrict:      {"unknown_district", "use districts of the election whose roll it is"},
	CodeNotInPart:            {"not_in_part", "nothing: this election is for other districts of the roll"},
	CodeChoice:               {"choice", "choose in each contest of the ballot style as many options as it allows"},
	CodeOpenChoices:          {"open_choices", "look at open_choices of the manifest: encrypted ballots and trustees are for elections without, choices for those with it"},
	CodeRollElsewhere:        {"roll_elsewhere", "revoke in the election whose roll it is: that holds for its polls, too"},
	CodeOtherRoll:            {"other_roll", "act as a member of the roll that is open to initiatives; for one that runs already, of its own roll"},
	CodeUnknownInitiative:    {"unknown_initiative", "check the initiative's number"},
	CodeInitiativeClosed:     {"initiative_closed", "nothing: the initiative was answered or removed"},
	CodeMemberNumber:         {"member_number", "use a number greater than that of whatever this member sent last"},
	CodeMemberRate:           {"member_rate", "wait for the next multiple of 10,000 heights"},
	CodeNotSupported:         {"not_supported", "nothing: this member does not support the initiative"},
	CodeSupportLimit:         {"support_limit", "take back the support of an initiative that is still open"},
	CodeUnknownPost:          {"unknown_post", "name the index of a leaf of the log of initiatives"},

	CodeRetryLater: {"retry_later", "send the same bytes again in a moment"},
}

// String returns the code's name, stable and unique.
func (c Code) String() string {
	if e, ok := codes[c]; ok {
		return e.name
	}
	return fmt.Sprintf("code_%d", uint32(c))
}

// Advice returns a sentence that says what to do.
func (c Code) Advice() string { return codes[c].advice }

// RefusesBlock says whether a transaction with this fault refuses a whole proposal: form, signature and proof do not depend on
// what else the block holds. Spec 7.2.
func (c Code) RefusesBlock() bool {
	return c >= 100 && c < 200 || c == CodeBadSignature || c == CodeBadProof
}

// Refusal says why a transaction was refused. It is an outcome on the ledger, never a fault of the node.
type Refusal struct {
	Code Code
	// Detail names what was found, for people; it is not part of any hash.
	Detail string
}

// Refuse returns a refusal with a formatted detail.
func Refuse(code Code, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// Error returns name, detail and advice in one line.
func (r *Refusal) Error() string {
	return fmt.Sprintf("%s: %s; %s", r.Code, r.Detail, r.Code.Advice())
}
