package perturb

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// mesh is what lies between validators: of each ordered pair, the way by which the first one dials the second. A way can be cut, and slowed
// down. It carries bytes and reads none of them.
type mesh struct {
	ways map[[2]int]*way
}

type way struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	cut   bool
	delay time.Duration // of each packet
	live  map[net.Conn]bool
}

// newMesh makes the ways between nodes that listen at these addresses.
func newMesh(t testing.TB, addresses []string) *mesh {
	m := &mesh{ways: map[[2]int]*way{}}
	for from := range addresses {
		for to, address := range addresses {
			if from == to {
				continue
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			w := &way{listener: l, target: address, live: map[net.Conn]bool{}}
			m.ways[[2]int{from, to}] = w
			go w.serve()
		}
	}
	t.Cleanup(func() {
		for _, w := range m.ways {
			w.listener.Close()
			w.set(true, 0)
		}
	})
	return m
}

// address is where one node dials another.
func (m *mesh) address(from, to int) string { return m.ways[[2]int{from, to}].listener.Addr().String() }

// divide cuts all ways between nodes of different groups, and opens the others. What is in no group is alone.
func (m *mesh) divide(groups ...[]int) {
	group := map[int]int{}
	for i, members := range groups {
		for _, n := range members {
			group[n] = i + 1
		}
	}
	for pair, w := range m.ways {
		w.set(group[pair[0]] == 0 || group[pair[0]] != group[pair[1]], 0)
	}
}

// slow delays all packets from and to a node.
func (m *mesh) slow(node int, delay time.Duration) {
	for pair, w := range m.ways {
		if pair[0] == node || pair[1] == node {
			w.set(false, delay)
		}
	}
}

// heal opens all ways again.
func (m *mesh) heal() {
	for _, w := range m.ways {
		w.set(false, 0)
	}
}

func (w *way) set(cut bool, delay time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut, w.delay = cut, delay
	if cut {
		for c := range w.live {
			c.Close()
		}
	}
}

func (w *way) serve() {
	for {
		c, err := w.listener.Accept()
		if err != nil {
			return
		}
		go w.carry(c)
	}
}

// carry joins a connection with one to the target until either ends or the way is cut.
func (w *way) carry(c net.Conn) {
	defer c.Close()
	if !w.enter(c) {
		return
	}
	defer w.leave(c)
	d, err := net.DialTimeout("tcp", w.target, 5*time.Second)
	if err != nil {
		return
	}
	defer d.Close()
	if !w.enter(d) {
		return
	}
	defer w.leave(d)
	go w.pass(c, d)
	w.pass(d, c)
}

func (w *way) enter(c net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.live[c] = !w.cut
	return !w.cut
}

func (w *way) leave(c net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.live, c)
}

// pass carries what comes from one end to the other, and closes both at its end.
func (w *way) pass(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	packet := make([]byte, 32<<10)
	for {
		n, err := from.Read(packet)
		w.mu.Lock()
		delay := w.delay
		w.mu.Unlock()
		if delay > 0 {
			time.Sleep(delay) // this is what a slow line is
		}
		if n > 0 {
			if _, err := to.Write(packet[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// TestMesh: what is cut does not pass, what is healed does, and nobody is connected to a node of another group.
func TestMesh(t *testing.T) {
	var addresses []string
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		addresses = append(addresses, l.Addr().String())
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() { io.Copy(c, c); c.Close() }()
			}
		}()
	}
	m := newMesh(t, addresses)
	echo := func(from, to int) error {
		c, err := net.Dial("tcp", m.address(from, to))
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := c.Write([]byte("x")); err != nil {
			return err
		}
		_, err = io.ReadFull(c, make([]byte, 1))
		return err
	}
	held, err := net.Dial("tcp", m.address(0, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	for step, want := range map[string]error{"open": nil, "divided": io.EOF} {
		m.heal()
		if step == "divided" {
			m.divide([]int{0, 2}, []int{1})
			if _, err := held.Read(make([]byte, 1)); err == nil {
				t.Error("a connection lives on")
			}
		}
		if err := echo(0, 1); (err == nil) != (want == nil) {
			t.Errorf("%s: from 0 to 1: %v", step, err)
		}
		if err := echo(0, 2); err != nil {
			t.Errorf("%s: from 0 to 2: %v", step, err)
		}
	}
	m.heal()
	m.slow(2, time.Millisecond)
	if err := errors.Join(echo(1, 2), echo(2, 0), echo(0, 1)); err != nil {
		t.Error(err)
	}
}
