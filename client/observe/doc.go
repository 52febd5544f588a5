// Package observe follows nodes of several organisations and believes none of them. It verifies what each of them shows as certified and
// as signed, holds the nodes against each other and against what was seen before, and raises an alarm, with evidence, where something is
// wrong.
//
//	file          what
//	observer.go   the observer: looking at a node, again and again
//	look.go       one look at one node: certified state and signed headers
//	fork.go       two states that contradict each other
//	logs.go       logs that must only grow, leaves that must not change
//	lots.go       secrets that a list waits for
//	slips.go      promises that must be kept
//	judge.go      what a look means for time, height and signatures
//	alarm.go      alarms and events
//	evidence.go   the files that prove an alarm
//	file.go       what is kept on disk
//
// A node is looked at by one goroutine at a time, with a limit of time, and what it answers is bounded by package client; none keeps the
// observer from looking at the others. The package has no clock and no terminal: time comes in as a function, and whoever calls Look or
// Run says when. It must not take anything that no signature or proof stands for as a fact about the ledger.
//
// Source: docs/spec/13-observer.md.
package observe
