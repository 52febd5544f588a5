// Package node is one running node: its home folder and configuration, CometBFT in process with the application of package abci,
// the connections to its peers, the HTTP gateway, and the supervision that ends the process when it cannot do its work.
//
// It decides nothing about elections. It is the only package that reads the clock for consensus (the two clock rules of
// docs/spec section 7.3) and the only one that holds a consensus key.
//
//	file           what
//	config.go      the configuration, and how CometBFT's is made from it and from genesis
//	home.go        the folder, Init
//	signer.go      when the consensus key signs; the key itself is in package signing
//	move.go        a home moves to another machine
//	decided.go     the last block decided: never a signature on another branch; a key that must not sign any more
//	node.go        running, stopping; open.go opening
//	peers.go       keeping the full mesh connected
//	health.go      what is wrong, in sentences with pages of docs/runbook
//	space.go       room on the disk, and none for clients where it is short
//	metrics.go     what Prometheus is told; metrics_blocks.go what is counted block by block; metrics_server.go serves it
//	evidence.go    certified states and epoch proofs, as this node can show them
//	gateway        JSON over HTTP
//
// Sources: docs/spec/07-node-and-gateway.md, docs/monitoring.md, docs/runbook.
package node
