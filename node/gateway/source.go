package gateway

import (
	"net"
	"net/http"
	"net/netip"
)

// local is the name of all clients on this machine. A proxy in front of the gateway speaks for everybody behind it: they are one source,
// and share its turns. Whoever wants more serves without one.
const local = "local"

// sourceOf names the source of what a request brings, for abci.Application.Submit: the client's address without the port, of IPv6 its
// /64, which is what one household or machine is given. The name is neither logged nor stored.
func sourceOf(r *http.Request) string {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	address, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	address = address.Unmap().WithZone("")
	switch {
	case address.IsLoopback():
		return local
	case address.Is4():
		return address.String()
	}
	return netip.PrefixFrom(address, 64).Masked().String()
}
