// Package trustee is the program of a trustee: given nothing but its key, the genesis hash and the addresses of nodes, it takes part in
// every key ceremony to which its key is appointed, shows in the trial that its share works, and at the end opens its part of the
// sums.
//
// It acts on certified states only, which package client verifies from the genesis hash. Whatever it will need again is on disk,
// synced, before anything that depends on it leaves the machine, so that it can be killed at any moment and started again. Of each
// contest it opens one sum, ever: what was opened is remembered and any other sum is refused. It takes part in no trial once voting has
// opened, and erases its shares after the election. It must not be told by a node what to open, and no secret leaves it but
// a single-use key that is a complaint. Source: docs/spec/04-keys-and-tally.md.
package trustee
