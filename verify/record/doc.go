// Package record is the folder in which a ledger is handed to an auditor: the genesis document, the officers' approvals of it, and
// all blocks up to a height, with an index that names every file. Two records of one ledger up to one height are the same bytes.
//
// The package writes and reads the folder and judges nothing but its form: bytes that it returns are as they stand in the files.
// Everything that it reads may come from an enemy, is bounded before it is allocated, and is read block by block, so that a record of
// any size takes little memory. Source: docs/spec/10-election-record.md.
package record
