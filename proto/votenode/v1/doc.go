// Package votenodev1 holds the messages of the protocol, generated from the .proto files beside it by proto/generate.sh. Their canonical
// encoding, and what every field must hold, is in docs/spec; it is checked in app/election and app/tx, never here.
package votenodev1
