// Package rules says which manifests, organisations, lists of validators and parameters the specification allows. It is the recount's
// own reading of chapters 1 and 8.1: it shares no code with the state machine, and holds no state.
//
// Every function is a pure function of public data. An error is a sentence for people that says what breaks a rule; that there is one
// is all that a verdict depends on. Sources: docs/spec/01-parties-and-genesis.md, docs/spec/08-elections.md, section 8.1.
//
//	file           what
//	text.go        ids, texts, addresses, keys, canonical messages
//	manifest.go    rules, slots and ballot styles of an election
//	nominations.go rules of nominations, and the manifest that is formed of them
//	parties.go     organisations, validators, the power cap
//	parameters.go  ranges
package rules
