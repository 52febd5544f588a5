package signing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	privvalproto "github.com/cometbft/cometbft/proto/tendermint/privval"
)

// maxHandshakes bounds how many who dial in may be proving themselves at once.
const maxHandshakes = 16

// ErrUnreached says that the signer is not connected.
var ErrUnreached = errors.New("the signer is not reached")

// errTwin says that there are two signers for this node, of which one must be a copy.
var errTwin = errors.New("another signer with the same connection key is connected and answers; if two run, stop the one that is a copy, and delete its folder")

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

// Link is the node's end of the connection to its signer. The signer dials in; a connection on which it proved itself is used as long as
// it answers. Nobody is ever waited for who is not connected. It is safe for concurrent use.
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

	unproven []net.Conn // those who have not proven yet who they are, the oldest first

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
	if conn, unreached := l.current(); unreached == nil {
		l.drop(conn, errors.New("the node stops"))
	}
	l.work.Wait()
	return err
}

// Reached says whether the signer is connected, since when that is so or not, and why not: an error that is ErrUnreached.
func (l *Link) Reached() (since time.Time, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.since, l.unreached()
}

// unreached returns why the signer is not connected, nil where it is; mu is held.
func (l *Link) unreached() error {
	if l.conn != nil {
		return nil
	}
	return fmt.Errorf("%w since %s: %w", ErrUnreached, l.since.UTC().Format(time.RFC3339), l.why)
}

// current returns the connection to the signer. It fails with ErrUnreached.
func (l *Link) current() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conn, l.unreached()
}

// accept lets everybody who dials in prove who they are. Who says nothing is cut off, and keeps nobody else waiting.
func (l *Link) accept() {
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
		l.enter(conn)
		go func() {
			defer l.leave(conn)
			if err := l.admit(conn); err != nil {
				l.tellRefused(conn, err)
			}
		}()
	}
}

// enter counts one who has to prove who it is. Where there are too many the oldest is cut off: the signer needs a moment only, and so
// gets in however many there are who say nothing.
func (l *Link) enter(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unproven = append(l.unproven, conn)
	if len(l.unproven) > maxHandshakes {
		l.unproven[0].Close()
		l.unproven = slices.Delete(l.unproven, 0, 1)
	}
}

// leave counts one no more, who has proven who it is or has gone.
func (l *Link) leave(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unproven = slices.DeleteFunc(l.unproven, func(c net.Conn) bool { return c == conn })
}

// tellRefused says that somebody was refused, once a minute however many there are.
func (l *Link) tellRefused(conn net.Conn, why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused++
	if time.Since(l.told) < tellInterval {
		return
	}
	l.o.Logger.Warn("somebody who dialled in as the signer was refused", "address", conn.RemoteAddr(), "error", why, "times", l.refused)
	l.refused, l.told = 0, time.Now()
}

// admit takes a connection, if it is the signer's, the signer has the right key, and none is connected that answers.
func (l *Link) admit(conn net.Conn) error {
	secret, err := secure(conn, l.o.Own, l.o.Signer)
	if err != nil {
		return err
	}
	l.leave(conn)
	answer, err := exchange(secret, &privvalproto.Message{Sum: &privvalproto.Message_PubKeyRequest{
		PubKeyRequest: &privvalproto.PubKeyRequest{ChainId: l.o.Chain},
	}})
	if err == nil {
		err = l.checkKey(answer.GetPubKeyResponse())
	}
	if err == nil {
		if before, unreached := l.current(); unreached == nil {
			l.pingOn(before) // a connection whose other end is gone ends by that
		}
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
		secret.Close()
		return errTwin
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

// drop ends a connection, unless that has ended.
func (l *Link) drop(conn net.Conn, why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if conn != l.conn {
		return
	}
	l.conn.Close()
	l.conn, l.since, l.why = nil, time.Now(), why
	if l.closed.Err() == nil {
		l.o.Logger.Error("the signer is lost, nothing is signed until it is back", "reason", why)
	}
}

// ask sends a request over a connection and returns its answer. It fails with ErrUnreached, at once where the connection is not the
// present one. A connection that fails, that does not answer in time, or whose answer check does not take for one to the request is given
// up: whatever comes over it later would be an answer to something else.
func (l *Link) ask(conn net.Conn, m *privvalproto.Message, check func(answer *privvalproto.Message) error) (*privvalproto.Message, error) {
	l.asking.Lock()
	defer l.asking.Unlock()
	switch now, err := l.current(); {
	case err != nil:
		return nil, err
	case now != conn:
		return nil, fmt.Errorf("%w: it has dialled in anew", ErrUnreached)
	}
	answer, err := exchange(conn, m)
	if err == nil {
		err = check(answer)
	}
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
			if conn, err := l.current(); err == nil {
				l.pingOn(conn)
			}
		}
	}
}

// pingOn gives up a connection whose other end does not answer.
func (l *Link) pingOn(conn net.Conn) {
	l.ask(conn, &privvalproto.Message{Sum: &privvalproto.Message_PingRequest{PingRequest: &privvalproto.PingRequest{}}},
		func(answer *privvalproto.Message) error {
			if answer.GetPingResponse() == nil {
				return fmt.Errorf("the signer answers a ping with a %T", answer.Sum)
			}
			return nil
		})
}
