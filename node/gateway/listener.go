package gateway

import (
	"net"
	"sync"
)

// bounded is a listener that keeps no more than so many connections open. Whoever comes on top is let in and at once cut off, so that the
// queue of the system stays short and those who were served and went make room; and one address has never more of them than are
// free beside, so that one alone fills half and whoever comes finds room. Addresses of this machine are not counted apart: a proxy
// speaks for everybody. Addresses are counted while they are connected, and kept nowhere.
type bounded struct {
	net.Listener
	limit int

	mu     sync.Mutex
	open   int
	byHost map[string]int
}

func newBounded(l net.Listener, limit int) *bounded {
	return &bounded{Listener: l, limit: limit, byHost: map[string]int{}}
}

// Accept implements net.Listener.
func (b *bounded) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		host, _, _ := net.SplitHostPort(c.RemoteAddr().String())
		if b.enter(host) {
			return &counted{Conn: c, leave: sync.OnceFunc(func() { b.leave(host) })}, nil
		}
		c.Close() // an error is the client's
	}
}

// enter says whether there is room for one more connection of an address, and counts it.
func (b *bounded) enter(host string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	free := b.limit - b.open
	if free < 1 || !loopback(host) && b.byHost[host]+1 > max(1, free) {
		return false
	}
	b.open++
	b.byHost[host]++
	return true
}

func (b *bounded) leave(host string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open--
	if b.byHost[host]--; b.byHost[host] == 0 {
		delete(b.byHost, host)
	}
}

// counted is a connection that is counted while it is open.
type counted struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *counted) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

// loopback says whether an address is one of this machine.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
