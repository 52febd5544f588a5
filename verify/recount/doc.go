// Package recount counts the elections of a ledger a second time, from the transactions alone.
//
// It is written from the specification and shares no code with package app: it decodes the transactions itself and keeps resolutions,
// rolls, ceremonies, ballots, sums and decryptions in its own form, with the mathematics of package crypto. What it computes are the
// records of spec 5.2 about elections and resolutions, for comparison with those of the state machine.
//
// It takes two things from elsewhere. Whether proof and signature of a ballot hold is the verdict of crypto/ballot over the statement
// that this package derives, handed in with the block. And whether a new list of validators or officers, or new parameters, keep the
// rules of chapter 1 is what the state machine decided: the recount goes on from the list itself.
//
// It reads no file, no clock and no random source. Sources: docs/spec/08-elections.md, docs/spec/09-transactions.md; what it is for:
// docs/spec/11-auditor.md.
package recount
