package organisation

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Lengths in bytes. Spec 1.2.
const (
	MaxChainID        = 40
	MaxOrganisationID = 32
	MaxTitle          = 200
	MaxName           = 80
	MaxAddress        = 255
)

// CheckID accepts 1 to max characters of a-z, 0-9 and '-'. Spec 1.2.
func CheckID(id string, max int) error {
	if len(id) == 0 || len(id) > max {
		return fmt.Errorf("id %q has %d characters; give it 1 to %d", clip(id), len(id), max)
	}
	for i := 0; i < len(id); i++ {
		if c := id[i]; !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-') {
			return fmt.Errorf("id %q has a character other than a-z, 0-9 and '-'; leave it out", id)
		}
	}
	return nil
}

// CheckText accepts text for people: 1 to max bytes of UTF-8 without control characters, line separators and characters
// that turn the direction of writing. The refused characters are a fixed list, so that no table of a library decides.
// Spec 1.2.
func CheckText(s string, max int) error {
	if len(s) == 0 || len(s) > max {
		return fmt.Errorf("text %q has %d bytes; give it 1 to %d", clip(s), len(s), max)
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("text %q is not UTF-8; write it in UTF-8", clip(s))
	}
	for _, r := range s {
		if Invisible(r) {
			return fmt.Errorf("text %q holds the invisible character U+%04X; leave it out", s, r)
		}
	}
	return nil
}

// Invisible says whether a text for people may not hold a code point. Spec 1.2.
func Invisible(r rune) bool {
	return r < 0x20 || 0x7f <= r && r <= 0x9f || // C0, DEL, C1
		r == 0x200e || r == 0x200f || 0x2028 <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069 || r == 0xfeff
}

// CheckAddress accepts host:port, at most MaxAddress bytes: the host is a name, an IPv4 address, or an IPv6 address in
// brackets; the port is 1 to 65535 without leading zeros. Whether the host exists is not asked. Spec 1.4.
func CheckAddress(address string) error {
	fault := fmt.Errorf("address %q is not host:port with a port from 1 to 65535; write it like node1.example.org:26656", clip(address))
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

// clip shortens what stands in an error message.
func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}
