// Package audit repeats everything that a ledger claims, from its record alone: every hash, signature, proof, sum, sequence, step of
// a key ceremony, decryption and result, without a network and without believing any node.
//
// It executes all blocks with package app and compares the outcome with what the next header attests. Proofs and signatures of
// ballots are verified in batches on all cores.
//
// Every check has a number, which messages and the exit of the program name; checks.go has the list. An enemy may have made the
// record: nothing in it is trusted, and it is read block by block. Source: docs/spec/11-auditor.md.
package audit
