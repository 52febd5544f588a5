package signing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	privvalproto "github.com/cometbft/cometbft/proto/tendermint/privval"
)

// maxHandshakes bounds how many who dial in may be proving themselves at once.
const maxHandshakes = 16

// refusedInterval is how often at most the log speaks of those who were refused.
const refusedInterval = time.Minute

// ErrUnreached says that the signer is not connected.
var ErrUnreached = errors.New("the signer is not reached")

// LinkOptions say who may answer for a key.
type LinkOptions struct {
	// Listen is the host:port at which the signer dials in.
	Listen string
	// Own is the node's connection key; Signer is that of the signer.
	Own    cmted25519.PrivKey
	Signer cmted25519.PubKey
	// Consensus is the key with which the signer is to sign, and Chain the chain for which.
	Consensus cmted25519.PubKey
	Chain     string
	Logger    *slog.Logger
}

// Link is the node's end of the connection to its signer. The signer dials in; the newest connection on which it proved itself is the
// one that is used. Nobody is ever waited for who is not connected. It is safe for concurrent use.
type Link struct {
	o        LinkOptions
	listener net.Listener
	work     sync.WaitGroup
	closed   context.Context // done when Close was called
	close    context.CancelFunc

	asking sync.Mutex // held from request to answer

	mu    sync.Mutex
	conn  net.Conn  // nil while the signer is not reached
	since time.Time // when that began or ended
	why   error     // of the end of the last connection

	refused int       // who dialled in, since that was said
	told    time.Time // when it was
}

// Listen begins to wait for the signer.
func Listen(o LinkOptions) (*Link, error) {
	listener, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("waiting for the signer: %w", err)
	}
	l := &Link{o: o, listener: listener, since: time.Now(), why: errors.New("it has not dialled in yet")}
	l.closed, l.close = context.WithCancel(context.Background())
	l.work.Go(l.accept)
	l.work.Go(l.ping)
	return l, nil
}

// Addr returns the host:port at which the signer dials in.
func (l *Link) Addr() string { return l.listener.Addr().String() }

// Close ends the connection. What is being asked fails.
func (l *Link) Close() error {
	l.close()
	err := l.listener.Close()
	l.drop(nil, errors.New("the node stops"))
	l.work.Wait()
	return err
}

// Reached says whether the signer is connected, since when that is so or not, and why not: an error that is ErrUnreached.
func (l *Link) Reached() (since time.Time, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		return l.since, nil
	}
	return l.since, fmt.Errorf("%w since %s: %w", ErrUnreached, l.since.UTC().Format(time.RFC3339), l.why)
}

// accept lets everybody who dials in prove who they are, so many at a time. Who says nothing is cut off, and keeps nobody else waiting.
func (l *Link) accept() {
	places := make(chan struct{}, maxHandshakes)
	for {
		conn, err := l.listener.Accept()
		if err != nil {
			select {
			case <-l.closed.Done():
				return
			case <-time.After(redialInterval): // no file descriptors, say
				l.o.Logger.Warn("waiting for the signer", "error", err)
				continue
			}
		}
		select {
		case places <- struct{}{}:
		case <-l.closed.Done():
			conn.Close()
			return
		}
		go func() {
			defer func() { <-places }()
			if err := l.admit(conn); err != nil {
				l.tellRefused(conn, err)
			}
		}()
	}
}

// tellRefused says that somebody was refused, once a minute however many there are.
func (l *Link) tellRefused(conn net.Conn, why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused++
	if time.Since(l.told) < refusedInterval {
		return
	}
	l.o.Logger.Warn("somebody who dialled in as the signer was refused", "address", conn.RemoteAddr(), "error", why, "times", l.refused)
	l.refused, l.told = 0, time.Now()
}

// admit takes a connection in the place of the one before, if it is the signer's, and the signer has the right key.
func (l *Link) admit(conn net.Conn) error {
	secret, err := secure(conn, l.o.Own, l.o.Signer)
	if err != nil {
		return err
	}
	answer, err := exchange(secret, &privvalproto.Message{Sum: &privvalproto.Message_PubKeyRequest{
		PubKeyRequest: &privvalproto.PubKeyRequest{ChainId: l.o.Chain},
	}})
	if err == nil {
		err = l.checkKey(answer.GetPubKeyResponse())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		if l.conn == nil {
			l.why = err
		}
		secret.Close()
		return err
	}
	if l.closed.Err() != nil {
		return secret.Close()
	}
	if l.conn != nil {
		l.conn.Close() // whoever waits there for an answer gets none
	}
	l.conn, l.since, l.why = secret, time.Now(), nil
	l.o.Logger.Info("the signer is connected", "address", conn.RemoteAddr())
	return nil
}

func (l *Link) checkKey(r *privvalproto.PubKeyResponse) error {
	if r == nil {
		return errors.New("the signer does not say its consensus key")
	}
	if r.Error != nil {
		return &RefusedError{r.Error.Description}
	}
	if got := r.PubKey.GetEd25519(); !bytes.Equal(got, l.o.Consensus) {
		return fmt.Errorf("the signer has the consensus key %x, this node's is %x", got, l.o.Consensus.Bytes())
	}
	return nil
}

// drop ends a connection, whichever it is where it is nil, unless another has taken its place.
func (l *Link) drop(conn net.Conn, why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil || conn != nil && conn != l.conn {
		return
	}
	l.conn.Close()
	l.conn, l.since, l.why = nil, time.Now(), why
	l.o.Logger.Error("the signer is lost, nothing is signed until it is back", "reason", why)
}

// ask sends a request and returns its answer. It fails with ErrUnreached, at once where there is no connection; one that fails or does
// not answer in time is given up.
func (l *Link) ask(m *privvalproto.Message) (*privvalproto.Message, error) {
	l.asking.Lock()
	defer l.asking.Unlock()
	l.mu.Lock()
	conn := l.conn
	l.mu.Unlock()
	if conn == nil {
		_, err := l.Reached()
		return nil, err
	}
	answer, err := exchange(conn, m)
	if err != nil {
		l.drop(conn, err)
		return nil, fmt.Errorf("%w: %w", ErrUnreached, err)
	}
	return answer, nil
}

func exchange(conn net.Conn, m *privvalproto.Message) (*privvalproto.Message, error) {
	if err := send(conn, m, answerTimeout); err != nil {
		return nil, err
	}
	return receive(conn, answerTimeout)
}

// ping finds out that the signer is lost though nothing is asked of it.
func (l *Link) ping() {
	ticker := time.NewTicker(pingInterval)
	defer ticker.Stop()
	for {
		select {
		case <-l.closed.Done():
			return
		case <-ticker.C:
			l.ask(&privvalproto.Message{Sum: &privvalproto.Message_PingRequest{PingRequest: &privvalproto.PingRequest{}}})
		}
	}
}
