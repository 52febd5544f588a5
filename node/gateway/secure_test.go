package gateway

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// SelfSigned writes a certificate for 127.0.0.1 and its key into a folder, and returns the files and the pool that trusts it.
func SelfSigned(t *testing.T, dir string) (certificate, key string, pool *x509.CertPool) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pool = x509.NewCertPool()
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if !pool.AppendCertsFromPEM(chain) {
		t.Fatal("the certificate cannot be trusted")
	}
	for path, data := range map[string][]byte{certificate: chain, key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, key, pool
}

// TestRenewedCertificate: new files are used after a minute, not before; what cannot be used leaves the old pair, and is looked at again.
func TestRenewedCertificate(t *testing.T) {
	dir, now := t.TempDir(), time.Unix(1, 0)
	chain, key, _ := SelfSigned(t, dir)
	c, err := newCertificate(chain, key, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	shown := func() []byte {
		t.Helper()
		pair, err := c.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		return pair.Certificate[0]
	}
	first := shown()
	SelfSigned(t, dir)
	now = now.Add(certificateAge - 1)
	if !bytes.Equal(shown(), first) {
		t.Error("the files are read before their time")
	}
	now = now.Add(1)
	second := shown()
	if bytes.Equal(second, first) {
		t.Error("the new certificate is not taken")
	}
	SelfSigned(t, dir)
	if err := os.WriteFile(key, []byte("half a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	now = now.Add(certificateAge)
	if !bytes.Equal(shown(), second) {
		t.Error("half a pair is taken")
	}
	SelfSigned(t, dir)
	now = now.Add(certificateAge)
	if bytes.Equal(shown(), second) {
		t.Error("after half a pair a whole one is not taken")
	}
	if _, err := newCertificate(chain, chain, time.Now, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a gateway starts without a key")
	}
}

// TestSharedOverHTTP2: one connection that carries many requests has no more of them than there may be connections; what comes on top is broken
// off, and what ends makes room.
func TestSharedOverHTTP2(t *testing.T) {
	inside, leave := make(chan struct{}, 3), make(chan struct{})
	server := httptest.NewUnstartedServer(shared(newShares(2), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inside <- struct{}{}
		<-leave
	})))
	server.EnableHTTP2 = true
	server.Config.HTTP2 = http2
	server.StartTLS()
	defer server.Close()
	answers := make(chan *http.Response, 2)
	ask := func() {
		res, err := server.Client().Get(server.URL)
		if err != nil {
			t.Error(err)
		} else {
			res.Body.Close()
		}
		answers <- res
	}
	go ask()
	go ask()
	<-inside
	<-inside
	if res, err := server.Client().Get(server.URL); err == nil {
		t.Error("a third is served:", res)
	}
	close(leave)
	for range 2 {
		if res := <-answers; res == nil || res.ProtoMajor != 2 {
			t.Errorf("%+v", res)
		}
	}
	ask()
	if res := <-answers; res == nil || res.StatusCode != http.StatusOK {
		t.Errorf("%+v", res)
	}
}

// TestHTTP2Settings: a connection is told how many requests it may carry at once.
func TestHTTP2Settings(t *testing.T) {
	dir := t.TempDir()
	config := DefaultConfig()
	config.Listen = "127.0.0.1:0"
	chain, key, pool := SelfSigned(t, dir)
	config.Certificate, config.Key = chain, key
	s, err := New(config, Source{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	go s.Serve(t.Context())
	c, err := tls.Dial("tcp", s.Addr(), &tls.Config{RootCAs: pool, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.ConnectionState().NegotiatedProtocol != "h2" {
		t.Fatal("HTTP/2 is not offered")
	}
	const empty = "\x00\x00\x00\x04\x00\x00\x00\x00\x00" // a SETTINGS frame
	if _, err := c.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + empty)); err != nil {
		t.Fatal(err)
	}
	frame := make([]byte, 512)
	n, err := c.Read(frame)
	if err != nil || n < 9 || frame[3] != 4 || !bytes.Contains(frame[9:9+int(frame[2])], []byte{0, 3, 0, 0, 0, byte(http2.MaxConcurrentStreams)}) {
		t.Errorf("%x, %v", frame[:n], err)
	}
}
