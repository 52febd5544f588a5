// Package perturb is the test of what an election survives. A ledger of two organisations runs as processes of the real program, or in containers; in every
// phase of an election, and under load while voting is open, validators are killed, paused, cut off, slowed down and restarted. In the
// end all that was promised is recorded, the result is that of the ballots, the audit passes, and all nodes have the same state.
//
//	file                what
//	election_test.go    the election, from its founding to its audit
//	perturb_test.go     what is done to it
//	load_test.go        voters
//	processes_test.go   a network of processes
//	mesh_test.go        their connections, which can be cut and slowed down
//	containers_test.go  the network of docker-compose.yml
//
// go test runs a choice of it on processes, and scripts/perturb.sh everything; docs/reliability.md tells what came of it.
package perturb
