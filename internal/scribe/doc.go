// Package scribe writes the record of a whole election that was held on no network: a folder as `votenode export` writes it, of any size,
// for measuring what an audit of it takes.
//
// One hand holds all keys. The state machine executes every block, and every block is a real CometBFT block with header, commit and
// signatures, as eight validators of two organisations would have made it; so an auditor finds nothing amiss. Nothing goes wrong in this
// election: internal/rehearsal has the stories in which it does, for tests. All keys but those of voters and what trustees draw follow from
// names that stand here, so that nobody should take such a ledger for one that means anything.
//
//	file         what
//	scribe.go    the election from founding to result
//	ledger.go    making one block after the other
//	people.go    officers, registrar and voters
//	trustees.go  key ceremony, trial, decryption
//	tally.go     an election of many contests without voters, for measuring its tally
package scribe
