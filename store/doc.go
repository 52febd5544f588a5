// Package store keeps the bytes of the ledger in Badger: every committed height whole or not at all, and the heights before
// it for as long as they are wanted. It implements state.Backend and knows nothing of what it stores.
//
// Badger runs in managed mode: what a height writes gets the version height+1, so that a read at a version sees exactly one
// height. A height is written in as many Badger transactions as its size asks for, the marker key in the last one, synced.
// The newest height is the one of the newest marker; what a crash left of a later height is above that version and no
// read sees it. The height is then executed again from the same block, as CometBFT does, and writes the same bytes once
// more; Commit compares and refuses anything else.
//
// Source: docs/spec/05-records-and-logs.md, section 5.7.
package store
