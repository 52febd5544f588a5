package organisation

import (
	"fmt"
	"strconv"
	"strings"
)

// Lengths in bytes. Spec 1.2.
const (
	MaxChainID        = 40
	MaxOrganisationID = 32
	MaxTitle          = 200
	MaxName           = 80
	MaxAddress        = 255
)

// CheckAddress accepts host:port, at most MaxAddress bytes: the host is a name, an IPv4 address, or an IPv6 address in
// brackets; the port is 1 to 65535 without leading zeros. Whether the host exists is not asked. Spec 1.4.
func CheckAddress(address string) error {
	fault := fmt.Errorf("address %.60q is not host:port with a port from 1 to 65535; write it like node1.example.org:26656", address)
	colon := strings.LastIndexByte(address, ':')
	if len(address) > MaxAddress || colon < 0 {
		return fault
	}
	host, port := address[:colon], address[colon+1:]
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || port != strconv.FormatUint(n, 10) {
		return fault
	}
	allowed := "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-"
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host, allowed = host[1:len(host)-1], "0123456789abcdefABCDEF:."
		if !strings.Contains(host, ":") {
			return fault
		}
	}
	if host == "" || strings.Trim(host, allowed) != "" {
		return fault
	}
	return nil
}
