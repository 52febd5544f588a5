package audit

import (
	"fmt"
	"slices"
)

// The numbered checks. Spec 11.2 says what each demands.
const (
	checkFiles = 1 + iota
	checkGenesis
	checkApprovals
	checkBlocks
	checkHeaders
	checkChain
	checkContents
	checkValidators
	checkTime
	checkPrecommits
	checkEvidence
	checkProposals
	checkResults
	checkState
	checkCertified
	checkPower
	checkTransactions
	checkLedger
	checkElections
	checkRolls
	checkKeys
	checkBallots
	checkSums
	checkTally
	checkLists
	// checkContinuation is there only where an audit goes on from a checkpoint.
	checkContinuation
)

// names of the checks, what they count as they read, and the section of the specification that they hold the record to, by number.
var names = [...]struct{ name, unit, section string }{
	checkFiles:        {"files", "bytes", "10.1"},
	checkGenesis:      {"genesis", "documents", "1.7"},
	checkApprovals:    {"approvals", "signatures", "1.9"},
	checkBlocks:       {"blocks", "blocks", "10.3"},
	checkHeaders:      {"headers", "headers", "6.2"},
	checkChain:        {"chain", "links", "6.2"},
	checkContents:     {"contents", "blocks", "6.2"},
	checkValidators:   {"validators", "headers", "9.4"},
	checkTime:         {"time", "headers", "11.3"},
	checkPrecommits:   {"precommits", "signatures", "6.2"},
	checkEvidence:     {"evidence", "pieces", "9.1"},
	checkProposals:    {"proposals", "transactions", "7.2"},
	checkResults:      {"results", "transactions", "2.5"},
	checkState:        {"state", "states", "5.3"},
	checkCertified:    {"certified", "states", "6.5"},
	checkPower:        {"power", "states", "1.6"},
	checkTransactions: {"recount: transactions", "transactions", "11.4"},
	checkLedger:       {"recount: ledger", "records", "11.4"},
	checkElections:    {"recount: elections", "records", "11.4"},
	checkRolls:        {"recount: rolls", "records", "8.4"},
	checkKeys:         {"recount: keys", "records", "4.7"},
	checkBallots:      {"recount: ballots", "records", "9.30"},
	checkSums:         {"recount: sums", "records", "3.12"},
	checkTally:        {"recount: tally", "records", "4.11"},
	checkLists:        {"recount: lists", "records", "17.2"},
	checkContinuation: {"continuation", "blocks", "11.7"},
}

// Outcome is what came of a check.
type Outcome string

const (
	Passed Outcome = "passed"
	Failed Outcome = "failed"
	// NotReached says that an earlier fault left nothing to check.
	NotReached Outcome = "not reached"
)

// Check is one numbered check and what came of it.
type Check struct {
	Number  int     `json:"number"`
	Name    string  `json:"name"`
	Section string  `json:"section"`
	Outcome Outcome `json:"outcome"`
	// Read says how much the check read.
	Read string `json:"read"`
	// Found is the first fault, or what else is worth saying.
	Found string `json:"found,omitempty"`
	// Faults is how many faults there are.
	Faults int `json:"faults,omitempty"`

	count int64
}

// String returns the check in one line.
func (c *Check) String() string { return fmt.Sprintf("check %d (%s): %s", c.Number, c.Name, c.Found) }

// checks collects the outcomes by number; [0] stays empty.
type checks []Check

func newChecks() checks {
	all := make(checks, len(names))
	for i := range all {
		all[i] = Check{Number: i, Name: names[i].name, Section: names[i].section, Outcome: NotReached}
	}
	return all
}

// read says that a check has read and accepted so much more, if no fault says otherwise.
func (all checks) read(number int, n int64) {
	c := &all[number]
	c.count += n
	if c.Outcome == NotReached {
		c.Outcome = Passed
	}
}

// fault records a fault; the first one is kept in words.
func (all checks) fault(number int, format string, args ...any) {
	c := &all[number]
	if c.Outcome != Failed {
		c.Outcome, c.Found = Failed, fmt.Sprintf(format, args...)
	}
	c.Faults++
}

// say adds a remark to a check that has no fault.
func (all checks) say(number int, format string, args ...any) {
	if c := &all[number]; c.Outcome == Passed {
		c.Found = fmt.Sprintf(format, args...)
	}
}

// expect records a fault unless ok.
func (all checks) expect(ok bool, number int, format string, args ...any) {
	if !ok {
		all.fault(number, format, args...)
	}
}

// faulty says whether any check has found a fault.
func (all checks) faulty() bool {
	return slices.ContainsFunc(all, func(c Check) bool { return c.Outcome == Failed })
}

// list returns the checks in order, ready for the report.
func (all checks) list() []Check {
	out := slices.Clone(all[1:])
	for i := range out {
		out[i].Read = fmt.Sprintf("%d %s", out[i].count, names[out[i].Number].unit)
	}
	return out
}
