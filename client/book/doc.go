// Package book keeps a voter's own list of what was cast and challenged with a key, and holds the ledger against it: a ballot that is
// recorded under the voter's place in the roll and is not in the book was cast by somebody else, or on another device.
//
// A Book is a JSON file of mode 0600 on the voter's machine. A ballot is noted and synced before anything of it leaves the machine, so
// that no crash and no lost answer makes a voter's own ballot look foreign. A foreign ballot stays in the book, once seen, until the voter
// says that it was cast elsewhere.
//
// The package must not be given a secret key, randomness or selections, believes nothing but certified views, and casts nothing. Its file
// tells when the voter voted, as the ledger does, and no more. Sources: docs/spec/05-records-and-logs.md for leaves and records,
// docs/spec/09-transactions.md, sections 9.28, 9.30 and 9.31, for what changes them.
package book
