// Package tx is the transaction on its way to the state machine: strict decoding, signed bytes, codes and costs.
//
// There are two types, so that no handler can see what nobody has checked: Parsed leaves the strict decoder, Verified only the
// verifier, which has checked the signature and, of a ballot, the proof. The package decides nothing that depends on state but
// for the keys and statements that a Lookup hands in. Source: docs/spec/02-encodings.md, sections 2.4 to 2.7.
package tx
