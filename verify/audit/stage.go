package audit

// Stage is a kind of work in an audit. Each comes again with every block or group of blocks.
type Stage int

// The stages.
const (
	StageFiles   Stage = iota // hashes of all files, the genesis document
	StageRead                 // decoding blocks and transactions
	StageVerify               // signatures of transactions, and proofs of ballots in batches, on all cores
	StageChain                // headers, hashes, precommits, certificates, validators
	StageReplay               // execution by the state machine
	StageRecount              // the second count, and the comparison of records
	StageReport               // the report
)

// String returns the name of the stage.
func (s Stage) String() string {
	return [...]string{"files", "read", "verify", "chain", "replay", "recount", "report"}[s]
}
