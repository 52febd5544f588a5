// Package recount counts the elections of a ledger a second time, from the genesis document and the blocks alone.
//
// It is written from the specification and shares no code with the state machine (package app and below): it decodes the
// transactions itself and keeps parties, resolutions, rolls, ceremonies, ballots, sums and decryptions in its own form, with the
// mathematics of package crypto. From elsewhere it takes one thing: whether signature and proof of a ballot hold over the statement that
// it derives is a verdict of crypto/ballot, handed in with the block, so that each proof is checked once.
//
// What it says of a block can be held against what others say of it:
//
//	Block       the code of every transaction (2.5), and why it was refused
//	All, Root   every record of 5.2, byte by byte, and so the AppHash of 5.3
//	Records     those of one election
//
// By subject: Ledger, the chain, parties, validators and their keys, parameters, evidence, documents, initiatives, the blocks log; Elections,
// resolutions and the elections' phases and times; Rolls, heads of the roll logs; Keys, ceremonies, deals, keys and their digests,
// trials; Ballots, heads of the ballot logs and of the voters' trees, spoiled ballots; Sums, the encrypted sums as the ballots that
// count add up to them; Tally, partial decryptions, which ones were verified, and results; Lists, lots and lists.
//
// It knows no clock and no random source, and never gives up silently: what contradicts itself is ErrContradiction. Of rolls it keeps
// nothing in memory but, until they are sealed, an index of their keys (package verify/cells has the rest), and of ballots nothing; the bytes of a
// ballot that is superseded or revoked it asks for.
// Sources: docs/spec, chapters 1, 2, 5, 8, 9, 16 and 17; what it is for: docs/spec/11-auditor.md.
//
//	file            what
//	recount.go      the order of a block
//	transaction.go  form, signature and size of transactions
//	document.go     documents in chunks
//	parties.go      validators, officers, parameters
//	reports.go      validators' reports
//	resolution.go   proposals, approvals, effect
//	decision.go     what resolutions decide about elections
//	nominations.go  applications and the manifests that are formed of them
//	election.go     phases, logs, filling a roll
//	roll.go         entries of a roll and what is known of each
//	ceremony.go     key ceremony and trial
//	ballots.go      casting and challenging
//	tally.go        decryption and results
//	initiatives.go  initiatives, supports, comments, answers and removals
//	lists.go        lots and lists
//	records.go      the records of all this
//	codes.go        names of the codes of 2.5
package recount
