// Package ballot encrypts a ballot, proves that it is valid, and checks such proofs one by one or in batches.
//
// A ballot is one point for the randomness and one for each option (ElGamal with one randomness for many keys), a proof that
// every option was selected zero times or once and that each contest has between its least and greatest number of selections,
// and a Schnorr signature of the voter over all of it. The bit proof is that of Bootle, Cerulli, Chaidos, Ghadafi, Groth and
// Petit, "Short Accountable Ring Signatures Based on DDH" (ESORICS 2015), over a vector Pedersen commitment. The normative
// text, with the security argument, is docs/spec/03-ballot.md; the section numbers in this package are its.
//
// The package knows no ledger, no phase and no roll: whether a key may vote, which sequence number is next and what is counted
// is decided elsewhere. It draws no randomness of its own and never decrypts. Verification runs in variable time over public
// values; everything that touches a selection, a mask or a secret key runs in constant time.
package ballot
