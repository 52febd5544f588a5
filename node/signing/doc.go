// Package signing holds consensus keys. A FileKey lies in files of its own process; a RemoteKey is with a signer, a process of its own,
// on another machine as a rule, that is asked over a connection on which both ends prove who they are.
//
//	file.go        a key in files: what it signed is on the disk before a signature leaves
//	remote.go      a key behind a connection: what is asked is on the disk before it is asked
//	link.go        the node's end of the connection
//	server.go      the signer's end
//	connection.go  CometBFT's privval messages over its secret connection, with both keys checked
//	home.go        the signer's folder
//	lock.go        one process at a time for a folder
//	move.go        a folder moves to another machine
//
// It knows nothing of blocks: whether a key may sign on a chain is package node's to say (docs/spec section 7.6). Nothing here may sign two
// things for one height, round and step, and no connection may bring a signature out that the other end has not been proven to be for.
package signing
