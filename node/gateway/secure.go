package gateway

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// http2 bounds what one connection may ask of the gateway over HTTP/2. What a client sends before anybody reads it is kept in memory, so that
// is little.
var http2 = &http.HTTP2Config{
	MaxConcurrentStreams:          64,
	MaxReceiveBufferPerConnection: 64 << 10,
	MaxReceiveBufferPerStream:     64 << 10,
	SendPingTimeout:               30 * time.Second,
	PingTimeout:                   15 * time.Second,
	WriteByteTimeout:              30 * time.Second,
}

// secureMemory is what a connection takes beside, where it is one of TLS and HTTP/2: the records and frames of both directions and what was
// received, bytes.
const secureMemory = 128 << 10

// shared serves so many requests at once as there may be connections, whatever is refused or waits for its reader included. Over HTTP/1.1 that is
// nothing new; over HTTP/2 a connection carries many, and whoever does not read the answers would keep them all. What comes on top is
// broken off without an answer.
func shared(s *shares, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		if !s.enter(host) {
			panic(http.ErrAbortHandler)
		}
		defer s.leave(host)
		next.ServeHTTP(w, r)
	})
}

// certificateAge is how long a certificate is used before its files are read again.
const certificateAge = time.Minute

// certificate is a pair of files that may be renewed while the gateway runs. They are read at a handshake, at most once in certificateAge; where
// they cannot be used, as while one of the two is new, the pair before stays.
type certificate struct {
	chain, key string
	now        func() time.Time
	log        *slog.Logger

	mu   sync.Mutex
	pair *tls.Certificate
	read time.Time
}

func newCertificate(chain, key string, now func() time.Time, logger *slog.Logger) (*certificate, error) {
	pair, err := tls.LoadX509KeyPair(chain, key)
	return &certificate{chain: chain, key: key, now: now, log: logger, pair: &pair, read: now()}, err
}

// get is called for every handshake.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now().Sub(c.read) < certificateAge {
		return c.pair, nil
	}
	c.read = c.now()
	pair, err := tls.LoadX509KeyPair(c.chain, c.key)
	switch {
	case err != nil:
		c.log.Warn("the gateway's certificate cannot be read again; the one before stays", "error", err)
	case !slices.EqualFunc(pair.Certificate, c.pair.Certificate, bytes.Equal):
		c.log.Info("the gateway has a new certificate", "expires", pair.Leaf.NotAfter)
		c.pair = &pair
	}
	return c.pair, nil
}
