// Package registry keeps what one organisation's registrar knows of the members of an election: who they are, which the ledger never
// learns, and its half of each voting key.
//
// A folder holds the settings, and rounds of members that were imported together. Every file is written whole, synced, and found again only
// with its checksum, so a crash at any point leaves what was there before; no file is changed but the list of struck members and, before
// the own half-key file is shown, a noted commitment: these are replaced whole. A file that is lost is an error, never taken for an empty one,
// nor made anew. What leaves the folder is public, half keys and proofs, but for the codes that HandOut gives, which are for their members
// alone. References of members never leave it otherwise (R13). The secret halves lie in the clear under mode 0600: the folder belongs on an
// encrypted disk. Source: docs/spec/15-registrars.md.
package registry
