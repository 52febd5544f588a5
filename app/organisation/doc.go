// Package organisation holds the rules on who takes part in a ledger: ids and names, keys, organisations with their officers
// and registrars, validators and their power, and the consensus parameters.
//
// The rules are pure and deterministic: the state machine asks them for every change, the genesis tool before there is a
// ledger, and a verifier for every validator set that it learns. An error is a sentence that says what to correct; it is
// part of no hash. The package must not know resolutions, state or encodings.
//
// Source: docs/spec/01-parties-and-genesis.md.
package organisation
