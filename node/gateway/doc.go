// Package gateway serves a node's ledger to everybody else: JSON over HTTP, as docs/spec section 7.8 lists it and openapi.json describes it, the
// part of CometBFT's own interface that its light client asks for (7.10), and a stream of events (7.11).
//
// It takes transactions in by the same path as CometBFT's own CheckTx, and shows what the node has. Nothing of it has to be
// believed: records, leaves and headers come with proofs, and package client checks them. It reads immutable snapshots only, so
// that no request holds up a block, and everything is bounded: bodies, pages, waiting times, requests at once.
//
// It must not log or keep who asked, nor link a submitted transaction to an address.
package gateway
