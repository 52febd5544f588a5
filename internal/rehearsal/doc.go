// Package rehearsal holds an election on a ledger in memory, for tests: the state machine executes real transactions, and every block is
// a real CometBFT block with header, commit and signatures, as four validators of two organisations would have made it.
//
// There is no consensus, no network and no clock: the test says which transactions a block holds, who signs it and what time it is. The
// keys of officers, registrars, trustees and validators follow from names; voters' keys, and all that is encrypted or proven, are fresh.
// Nothing here is part of the program.
//
//	file               what
//	ledger.go          founding, and making one block after the other
//	fork.go            two ledgers with one past
//	seal.go            making a chain of changed blocks whole again, as an enemy with all validators' keys would
//	people.go          resolutions and rolls
//	trustees.go        key ceremony, trial, decryption
//	voters.go          ballots
//	nominations.go     candidates and what is decided on them
//	lots.go            lists and their lot
//	archive.go         the state of every height
//	replay.go          the ledger of a record
//	proofs.go          states with what proves them
//	story.go           a whole election in which much goes wrong
//	scenes.go          short ledgers on which something rare happens
//	random.go          ledgers on which people do what they please
//	random_people.go   what they send
//	random_wrong.go    what is wrong with it
//	mutate.go          changes of one thing in any message
package rehearsal
