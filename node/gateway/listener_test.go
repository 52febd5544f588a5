package gateway

import (
	"io"
	"net"
	"testing"
)

// TestBoundedHosts: one address fills half of what there is, the next finds room, this machine is bounded as a whole only, and what is over
// is forgotten.
func TestBoundedHosts(t *testing.T) {
	b := newBounded(nil, 8)
	for i, c := range []struct {
		host string
		want bool
	}{
		{"192.0.2.1", true}, {"192.0.2.1", true}, {"192.0.2.1", true}, {"192.0.2.1", true}, {"192.0.2.1", false},
		{"192.0.2.2", true}, {"192.0.2.2", true}, {"192.0.2.2", false}, {"127.0.0.1", true}, {"127.0.0.1", true}, {"127.0.0.1", false}, {"192.0.2.3", false},
	} {
		if b.enter(c.host) != c.want {
			t.Errorf("connection %d, of %s: the bound does not hold", i, c.host)
		}
	}
	for host, n := range map[string]int{"192.0.2.1": 4, "192.0.2.2": 2, "127.0.0.1": 2} {
		for range n {
			b.leave(host)
		}
	}
	if b.open != 0 || len(b.byHost) != 0 {
		t.Errorf("%d open, by address %v", b.open, b.byHost)
	}
}

// TestBoundedAccepts: what comes on top is cut off at once, and a connection that is closed, once or twice, makes room for one.
func TestBoundedAccepts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := newBounded(l, 1)
	defer b.Close()
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			c, err := b.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	dial()
	first := <-accepted
	if _, err := dial().Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("what comes on top is not cut off: %v", err)
	}
	first.Close()
	first.Close()
	dial()
	<-accepted
	if _, err := dial().Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("one that was closed twice makes room for two: %v", err)
	}
}
