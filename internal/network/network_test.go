package network

import (
	"net"
	"testing"
)

// TestFreePorts: a port that was given out can be listened on, and stays marked, so that neither this process nor another one gives it out again.
func TestFreePorts(t *testing.T) {
	given := map[string]bool{}
	for range 20 {
		addresses, err := FreePorts(3)
		if err != nil || len(addresses) != 3 {
			t.Fatal(addresses, err)
		}
		for _, address := range addresses {
			if given[address] {
				t.Errorf("%s is given out twice", address)
			}
			given[address] = true
			l, err := net.Listen("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			l.Close()
			if mark, err := net.ListenPacket("udp", address); err == nil {
				mark.Close()
				t.Errorf("another process could give %s out", address)
			}
		}
	}
}
