package rules

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/oasisprotocol/curve25519-voi/curve"
)

// Message is a message of proto/votenode/v1.
type Message interface {
	Marshal() ([]byte, error)
	Unmarshal([]byte) error
}

// ErrForm says that bytes are not the canonical encoding of their message.
var ErrForm = errors.New("not a canonical encoding")

// Decode reads the one canonical encoding of a message, or returns ErrForm. Spec 2.2.
func Decode(b []byte, m Message) error {
	if m.Unmarshal(b) != nil || !bytes.Equal(Encode(m), b) {
		return ErrForm
	}
	return nil
}

// Encode returns the canonical encoding of a message.
func Encode(m Message) []byte {
	b, err := m.Marshal()
	if err != nil {
		panic("recount: a message of ours always encodes: " + err.Error())
	}
	return b
}

// isID says whether s has 1 to most characters of a-z, 0-9 and '-'. Spec 1.2.
func isID(s string, most int) bool {
	return len(s) >= 1 && len(s) <= most && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// IsText says whether s is 1 to most bytes of UTF-8 without the code points that would disguise what stands around it. Spec 1.2.
func IsText(s string, most int) bool {
	if len(s) < 1 || len(s) > most || !utf8.ValidString(s) {
		return false
	}
	return strings.IndexFunc(s, disguises) < 0
}

// IsMarkdown says whether s is such a text that may have line feeds and tabs. Spec 2.6.
func IsMarkdown(s string, most int) bool { return s != "" && IsProse(s, most) }

// IsProse says whether s is empty or a text for IsMarkdown. Spec 2.6.
func IsProse(s string, most int) bool {
	return len(s) <= most && utf8.ValidString(s) &&
		strings.IndexFunc(s, func(c rune) bool { return c != 0x0a && c != 0x09 && disguises(c) }) < 0
}

// disguises says whether a code point is one of those that no text has.
func disguises(c rune) bool {
	return c < 0x20 || c >= 0x7f && c <= 0x9f || c == 0x200e || c == 0x200f || c >= 0x2028 && c <= 0x202e ||
		c >= 0x2066 && c <= 0x2069 || c == 0xfeff
}

// isKey says whether b is the canonical encoding of a point of edwards25519 that is not of small order. Spec 1.2.
func isKey(b []byte) bool {
	var encoded curve.CompressedEdwardsY
	if _, err := encoded.SetBytes(b); err != nil || !encoded.IsCanonicalVartime() {
		return false
	}
	var point curve.EdwardsPoint
	_, err := point.SetCompressedY(&encoded)
	return err == nil && !point.IsSmallOrder()
}

// isAddress says whether s is host:port. Spec 1.4.
func isAddress(s string) bool {
	at := strings.LastIndexByte(s, ':')
	if at < 1 || len(s) > 255 {
		return false
	}
	host, allowed := s[:at], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-"
	if host[0] == '[' && host[len(host)-1] == ']' {
		host, allowed = host[1:len(host)-1], "0123456789abcdefABCDEF:."
		if !strings.Contains(host, ":") {
			return false
		}
	}
	for _, c := range []byte(host) {
		if strings.IndexByte(allowed, c) < 0 {
			return false
		}
	}
	port, err := strconv.ParseUint(s[at+1:], 10, 16)
	return host != "" && err == nil && port >= 1 && strconv.FormatUint(port, 10) == s[at+1:]
}
