package signing

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"time"

	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/libs/protoio"
	p2pconn "github.com/cometbft/cometbft/p2p/conn"
	privvalproto "github.com/cometbft/cometbft/proto/tendermint/privval"
)

const (
	// handshakeTimeout bounds how long the other end may take to prove who it is.
	handshakeTimeout = 3 * time.Second
	// answerTimeout bounds how long the signer may take to answer. The node's consensus stands still meanwhile, once: the connection is
	// given up then, and without one nothing is waited for.
	answerTimeout = 3 * time.Second
	// pingInterval is how often the node asks whether the signer is there.
	pingInterval = time.Second
	// idleTimeout is after how long without a request, a ping even, the signer takes the node for gone.
	idleTimeout = 10 * time.Second
	// redialInterval is how long the signer waits before it dials again.
	redialInterval = 500 * time.Millisecond
	// tellInterval is how often at most the log speaks of something that others can bring about as often as they like.
	tellInterval = time.Minute
	// maxMessage bounds a message, bytes. The longest that is sent is a vote, below one kilobyte.
	maxMessage = 16 << 10
)

// ErrPeer says that the other end of a connection is not the one that was agreed on.
var ErrPeer = errors.New("the other end has another connection key than the one that was agreed on")

// ParseKey reads a public key, 64 hexadecimal digits.
func ParseKey(text string) (cmted25519.PubKey, error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != cmted25519.PubKeySize {
		return nil, fmt.Errorf("%q is no public key: 64 hexadecimal digits", text)
	}
	return b, nil
}

// secure makes a connection secret and proves both ends to each other. CometBFT's secret connection only says whose key the other end
// has: that it is the right one is checked here. The connection is closed on an error; it fails with ErrPeer.
func secure(conn net.Conn, own cmted25519.PrivKey, peer cmted25519.PubKey) (net.Conn, error) {
	err := conn.SetDeadline(time.Now().Add(handshakeTimeout))
	var secret *p2pconn.SecretConnection
	if err == nil {
		secret, err = p2pconn.MakeSecretConnection(conn, own)
	}
	if err == nil && !bytes.Equal(secret.RemotePubKey().Bytes(), peer) {
		err = fmt.Errorf("%w: %x", ErrPeer, secret.RemotePubKey().Bytes())
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return secret, nil
}

// send writes a message within a time.
func send(conn net.Conn, m *privvalproto.Message, timeout time.Duration) error {
	if err := conn.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	_, err := protoio.NewDelimitedWriter(conn).WriteMsg(m)
	return err
}

// receive reads a message within a time.
func receive(conn net.Conn, timeout time.Duration) (*privvalproto.Message, error) {
	if err := conn.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return nil, err
	}
	m := new(privvalproto.Message)
	_, err := protoio.NewDelimitedReader(conn, maxMessage).ReadMsg(m)
	return m, err
}
