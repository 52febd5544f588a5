// Package app is the state machine: what each transaction does to the ledger, and what the end of a block does.
//
// It is a pure function of the state and of the block that consensus decided. It has no clock, no network, no disk and no random
// source of its own, and it knows nothing of CometBFT. A bad transaction is a code and leaves no write; an error means a
// corrupted store, and the node stops.
//
// Each transaction has one file with one pair of functions, check over a reader and apply over a writer, in the same order:
// authorisation, phase, rule, then writes. Handlers see only tx.Verified.
//
//	transaction        phases                         file
//	PublishDocument    -                              publish_document.go
//	ProposeResolution  -                              propose_resolution.go
//	ApproveResolution  -                              approve_resolution.go
//	WithdrawApproval   -                              withdraw_approval.go
//	AddRollEntries     setup, key ceremony            add_roll_entries.go
//	AnnounceDeal       key ceremony                   announce_deal.go
//	PublishDeal        key ceremony                   publish_deal.go
//	ConfirmDeals       key ceremony                   confirm_deals.go
//	ComplainDeal       key ceremony                   complain_deal.go
//	PostTrial          key ceremony                   post_trial.go
//	CastBallot         voting                         cast_ballot.go
//	SpoilBallot        voting                         spoil_ballot.go
//	PostPartials       decrypting                     post_partials.go
//	AuthorBlock        -                              author_block.go
//	ReportIntake       -                              report_intake.go
//	PublishInitiative  -                              publish_initiative.go
//	SupportInitiative  -                              support_initiative.go
//	PostComment        -                              post_comment.go
//
// What a resolution does when it takes effect stands in decide_*.go, one file per subject; the end of a block in end_block.go,
// phases.go, ceremony.go and decryption.go. Source: docs/spec/08-elections.md and docs/spec/09-transactions.md; of initiatives
// docs/spec/20-initiatives.md.
package app
