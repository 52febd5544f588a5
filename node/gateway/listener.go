package gateway

import (
	"net"
	"sync"
)

// bounded is a listener that keeps no more than so many connections open. Whoever comes on top is let in and at once cut off, so that the
// queue of the system stays short and those who were served and went make room.
type bounded struct {
	net.Listener
	*shares
}

func newBounded(l net.Listener, limit int) *bounded { return &bounded{l, newShares(limit)} }

// shares counts what is open, connections, requests or answers of a kind. One address has never more of it than is free beside, so that one alone fills half and
// whoever comes finds room. Addresses of this machine are not counted apart: a proxy speaks for everybody. Addresses are counted while
// they are connected, and kept nowhere.
type shares struct {
	limit int

	mu     sync.Mutex
	open   int
	byHost map[string]int
}

func newShares(limit int) *shares { return &shares{limit: limit, byHost: map[string]int{}} }

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

// enter says whether there is room for one more of an address, and counts it.
func (s *shares) enter(host string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	free := s.limit - s.open
	if free < 1 || !loopback(host) && s.byHost[host]+1 > max(1, free) {
		return false
	}
	s.open++
	s.byHost[host]++
	return true
}

func (s *shares) leave(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	if s.byHost[host]--; s.byHost[host] == 0 {
		delete(s.byHost, host)
	}
}

// place is one that an address may take.
type place struct {
	among *shares
	host  string
	taken bool
}

// take fails with errBusy where there is none.
func (p *place) take() error {
	if p.taken = p.among.enter(p.host); !p.taken {
		return errBusy
	}
	return nil
}

// leave gives it back, if it is taken.
func (p *place) leave() {
	if p.taken {
		p.among.leave(p.host)
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
