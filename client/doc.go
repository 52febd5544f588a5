// Package client is how programs of persons work with a ledger: they speak to the gateways of several nodes and believe none.
//
// A Node is one gateway; what it says is unproven. A Ledger is given the genesis hash and the addresses of nodes, verifies the
// chain of validator sets and the newest certified state by itself (package verify/certified), and hands out Views: every record,
// log leaf and voter's leaf that a View returns was proven against that state. The files officer.go, registrar.go and voter.go
// build, sign and send what each role sends; package client/trustee follows the ledger for a trustee, client/book for a voter.
//
// The package must not hold a secret longer than the call that needs it (a Draft of a ballot excepted), write no file, and decide
// nothing from an unproven answer but what to send or to ask next. Sources: docs/spec/06-certified-states.md for what is believed,
// docs/spec/05-records-and-logs.md for records and logs, docs/spec/07-node-and-gateway.md, section 7.8, for
// the endpoints.
package client
