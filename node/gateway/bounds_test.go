package gateway

import "testing"

// TestClients: an address has so many requests at once and no more, what is over is forgotten, and this machine is not bounded.
func TestClients(t *testing.T) {
	c := newClients(2)
	for i, host := range []string{"192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"} {
		if want := i != 2; c.enter(host) != want {
			t.Errorf("request %d, of %s: the bound does not hold", i, host)
		}
	}
	c.leave("192.0.2.1")
	if !c.enter("192.0.2.1") {
		t.Error("a place is not given back")
	}
	if c.enter("192.0.2.1") {
		t.Error("more than one place is given back")
	}
	for range 3 {
		if !c.enter("127.0.0.1") || !c.enter("::1") {
			t.Error("this machine is bounded")
		}
	}
	for _, host := range []string{"192.0.2.1", "192.0.2.1", "192.0.2.2", "127.0.0.1"} {
		c.leave(host)
	}
	if len(c.active) != 0 {
		t.Errorf("remembered: %v", c.active)
	}
	if free := newClients(0); !free.enter("192.0.2.1") || len(free.active) != 0 {
		t.Error("without a bound an address is counted")
	}
}

func TestConfigCheck(t *testing.T) {
	if err := DefaultConfig().Check(); err != nil {
		t.Error(err)
	}
	for _, change := range []func(c *Config){
		func(c *Config) { c.Listen = "8080" },
		func(c *Config) { c.Key = "key.pem" },
		func(c *Config) { c.Requests = 0 },
		func(c *Config) { c.Requests = 100_001 },
		func(c *Config) { c.Polls = 0 },
		func(c *Config) { c.PerClient = -1 },
	} {
		c := DefaultConfig()
		if change(&c); c.Check() == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}
