// Package bench measures what a network can carry, for whoever plans one: the cost of the cryptography, the throughput and the delays
// of a network of the real program on this machine beside the ceiling that CometBFT alone would reach there, what becomes of it under
// ten times what it carries and under floods, receipts beside ballots, the import of a roll, the audit and the tally. It asserts nothing but that its own
// accounts add up, and that honest ballots come through a flood; figures of two machines are not to be compared, ratios are.
//
//	file               what
//	stage.go           an election that is open, with ballots that no node has seen, kept on disk
//	network.go         the order of a measurement of a network
//	network_report.go  its report
//	node.go            the nodes of a network, in this process or in their own
//	ceiling.go         nodes of CometBFT alone, with an application that checks nothing
//	offer.go           clients that offer transactions
//	overload.go        more than a network can carry, and what becomes of it
//	flood.go           floods beside honest voters
//	receipts.go        readers of receipts beside voters
//	join.go            a fresh node that joins a ledger with history
//	cold.go            full blocks of which validators have seen nothing
//	roll.go            the import of a roll
//	tally.go           the opening of sums
//	audit.go           the audit
//	crypto*.go         the mathematics
//	ledger.go          what became of every transaction, and when
//	figures.go         percentiles
package bench
