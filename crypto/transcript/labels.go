package transcript

// Version is the protocol version that stands in every ballot transcript.
const Version = 1

// The domain labels of the whole project. A label is used for one purpose only; docs/spec/02-encodings.md lists for each what
// is framed after it.
const (
	LabelBallot           = "votenode/v1/ballot"            // transcript of a ballot's proof and signature
	LabelBallotGenerator  = "votenode/v1/ballot-generator"  // hash-to-group of H and K_i
	LabelBallotRandomness = "votenode/v1/ballot-randomness" // hedged randomness of a ballot
	LabelConfirmationCode = "votenode/v1/confirmation-code" // digest of an encrypted ballot
	LabelSpoil            = "votenode/v1/spoil"             // transcript of a spoiling signature
	LabelVoterTransaction = "votenode/v1/voter-transaction" // transcript of a voter's signature under any other transaction
	LabelChoiceCode       = "votenode/v1/choice-code"       // digest of an open choice

	LabelHalfPossession = "votenode/v1/half-possession" // transcript of a registrar's proof that it knows its halves of voting keys
	LabelHalfRandomness = "votenode/v1/half-randomness" // hedged randomness of that proof
	LabelKeyApplication = "votenode/v1/key-application" // transcript of a member's signature under a key of its own

	LabelDealHash        = "votenode/v1/deal-hash"        // digest of a dealer's commitments, published before them
	LabelDealRandomness  = "votenode/v1/deal-randomness"  // hedged randomness of a dealer
	LabelPossession      = "votenode/v1/possession"       // transcript of a dealer's proof of possession
	LabelShare           = "votenode/v1/share"            // HPKE info of an encrypted share
	LabelKeyDigest       = "votenode/v1/key-digest"       // digest of the joint keys of an election
	LabelTrialBase       = "votenode/v1/trial-base"       // hash-to-group of the trial ciphertext
	LabelTrial           = "votenode/v1/trial"            // transcript of a trial decryption's proof
	LabelDecryption      = "votenode/v1/decryption"       // transcript of a partial decryption's proof
	LabelShareRandomness = "votenode/v1/share-randomness" // hedged randomness of a trustee's proofs

	LabelTransaction     = "votenode/v1/transaction"      // signed bytes of a transaction
	LabelRollPart        = "votenode/v1/roll-part"        // registrars' signed bytes of a part of a roll
	LabelBlockContent    = "votenode/v1/block-content"    // digest of a block's transactions, for its author's signature
	LabelSlip            = "votenode/v1/slip"             // signed bytes of an acceptance slip
	LabelResolution      = "votenode/v1/resolution"       // digest of a resolution
	LabelApplication     = "votenode/v1/application"      // signed bytes, and digest, of a candidate's application
	LabelLotCommitment   = "votenode/v1/lot-commitment"   // commitment to an organisation's part in a lot
	LabelLotSeed         = "votenode/v1/lot-seed"         // seed of an election's lot
	LabelLotOrder        = "votenode/v1/lot-order"        // place of a candidate in the order of the lot
	LabelGenesisEntry    = "votenode/v1/genesis-entry"    // signed bytes of an entry for a genesis document
	LabelGenesisApproval = "votenode/v1/genesis-approval" // signed bytes of an organisation's approval of a genesis hash
)
