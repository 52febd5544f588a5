// Package state keeps the bytes of the ledger and hashes them: the sorted map of records whose root is the AppHash, the
// append-only logs, and one voters' tree per election. Every tree is that of RFC 6962 with SHA-256.
//
// The package reads through a small interface (Backend, implemented by the package store over Badger and by Memory) and
// writes nothing itself: a Draft collects what one height changes, Finish hashes it, and Ledger.Commit hands the sorted
// changes to the backend and publishes the new Snapshot. Snapshots are immutable; any number of goroutines may read them
// while the next height is drafted.
//
// It must not know what a ballot, a roll or an election rule is: ids, keys and leaves are opaque here. The meaning of the
// keys of records is that of docs/spec/05-records-and-logs.md, section 5.2, and lives in the files typed_*.go; every
// encoding and every proof is in the other sections of that chapter. Sources: RFC 6962 section 2.1 (trees and proofs) and
// CometBFT's crypto/merkle (leaf encoding of the record map, proof operator "simple:v").
package state
