// Package election holds what an election is, apart from any ledger: its manifest and the rules a manifest keeps, its phases
// and the one table of their moves, and the canonical encoding of messages.
//
// It knows no state, no transaction and no clock. Source: docs/spec/02-encodings.md, docs/spec/08-elections.md.
package election
