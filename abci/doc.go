// Package abci joins CometBFT and the state machine of package app: it turns ABCI calls into calls of app and holds what lies
// between them, the pool of transactions that wait for a block, the verdicts on signatures and proofs, and the index of results.
//
// It contains no election rule, and reads no clock of its own: the clock rules of proposals are in app, and the local time, by which no
// ballot is promised near closing either, is handed in by package node.
//
//	what CometBFT asks                    file
//	Info, InitChain, snapshots            application.go
//	PrepareProposal, ProcessProposal      proposal.go
//	FinalizeBlock, Commit                 block.go
//	CheckTx, InsertTx, ReapTxs            admission.go: the answers
//	                                      sources.go: who waits, and whose turn it is
//	                                      verifier.go: checks, verification
//	                                      pool.go: what waits for a block
//	acceptance slips                      promise.go, promised.go, slips.go
//	what this node reports of its intake  intake.go, report.go
//	Query                                 query.go
//	the client without locks              client.go
//
// Concurrency: the consensus calls come one at a time, on one goroutine, and are the only writers of the ledger. Everything
// else runs beside them, any number at once, on immutable snapshots, and takes no lock that a consensus call waits for longer
// than a few map operations take.
//
// Sources: docs/spec/07-node-and-gateway.md; CometBFT v0.40.0, spec/abci.
package abci
