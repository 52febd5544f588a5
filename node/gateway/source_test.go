package gateway

import (
	"net/http"
	"testing"
)

// TestSourceOf: a source is an address without the port, of IPv6 its /64; this machine is one.
func TestSourceOf(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1:443":                        "192.0.2.1",
		"192.0.2.1:444":                        "192.0.2.1",
		"192.0.2.2:443":                        "192.0.2.2",
		"[::ffff:192.0.2.1]:443":               "192.0.2.1",
		"[2001:db8:1:2:3:4:5:6]:443":           "2001:db8:1:2::/64",
		"[2001:db8:1:2:ffff:ffff:ffff:0]:1":    "2001:db8:1:2::/64",
		"[2001:db8:1:3::1]:443":                "2001:db8:1:3::/64",
		"[fe80::1%eth0]:443":                   "fe80::/64",
		"127.0.0.1:80":                         local,
		"127.9.9.9:80":                         local,
		"[::1]:80":                             local,
		"[::ffff:127.0.0.1]:80":                local,
		"@":                                    "",
		"no address of the internet at all:80": "no address of the internet at all",
	} {
		if got := sourceOf(&http.Request{RemoteAddr: address}); got != want {
			t.Errorf("%s: %q, not %q", address, got, want)
		}
	}
}
