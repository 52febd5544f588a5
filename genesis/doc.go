// Package genesis makes, reads and explains the founding document of a ledger.
//
// The document names the organisations with their officers, registrars and first validators, and the consensus parameters.
// Its hash, SHA-256 of its canonical bytes, is what every verification starts from. People hand in signed entries; Assemble
// makes the same document from the same entries in any order; officers approve its hash; Check says in plain words who can
// halt and who can falsify; CometGenesis derives CometBFT's genesis.json.
//
// The rules that a document keeps are those of app/organisation. The package reads no file, no clock and no network.
// Source: docs/spec/01-parties-and-genesis.md.
package genesis
