// Package testnet starts networks of nodes on loopback for tests: in process, where a test can look inside, or as child processes
// of the test binary, which can be killed. It waits for heights and events and never sleeps.
//
// It must not be imported by anything that is released.
package testnet
