// Package audit repeats everything that a ledger claims, from its record alone: every hash, signature, proof, sum, sequence, step of
// a key ceremony, decryption and result, without a network and without believing any node.
//
// Two legs walk through the blocks side by side. The replay executes them with package app and compares the outcome with what the next
// header attests. The recount (package verify/recount) counts the elections once more with package crypto alone and shares no code with
// app, so that a bug of app cannot hide itself; its records are compared with those of the replay byte by byte. Proof and signature
// of a ballot are verified once, in batches on all cores, and both legs use the verdict.
//
// Every check has a number, which messages and the exit of the program name; checks.go has the list. An enemy may have made the
// record: nothing in it is trusted, and it is read block by block. Source: docs/spec/11-auditor.md.
package audit
