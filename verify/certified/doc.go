// Package certified verifies that a block, and the state after it, are certified: that in every organisation more than the
// share `certify` of its voting power has signed a child of the block.
//
// Verification starts from a genesis document, which gives the first Trust: the validator set of the first epoch, with
// organisations. Trust.Verify counts the precommits of a CertifiedState one by one over CometBFT's canonical vote;
// Trust.Advance learns the set of the next epoch from a certified state that announces it; State.Earlier and
// State.EarlierHeader reach every earlier block through the blocks log; FindFork and FindForkBelow name who signed two states that
// contradict each other. All of it is pure: no network, no clock, no store.
// Whatever is given in is bounded before work is done on it.
//
// The package knows CometBFT's header, vote and hashes, and must not know elections or nodes.
//
// Source: docs/spec/06-certified-states.md.
package certified
