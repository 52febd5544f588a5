// Package text says which ids and which texts for people the ledger accepts. An error is a sentence that says what to correct; it is part of
// no hash.
//
// Source: docs/spec/01-parties-and-genesis.md, 1.2.
package text

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// CheckID accepts 1 to max characters of a-z, 0-9 and '-'. Spec 1.2.
func CheckID(id string, max int) error {
	if len(id) == 0 || len(id) > max {
		return fmt.Errorf("id %.60q has %d characters; give it 1 to %d", id, len(id), max)
	}
	for i := 0; i < len(id); i++ {
		if c := id[i]; !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-') {
			return fmt.Errorf("id %q has a character other than a-z, 0-9 and '-'; leave it out", id)
		}
	}
	return nil
}

// Check accepts text for people: 1 to max bytes of UTF-8 without control characters, line separators and characters
// that turn the direction of writing. The refused characters are a fixed list, so that no table of a library decides.
// Spec 1.2.
func Check(s string, max int) error {
	if len(s) == 0 || len(s) > max {
		return fmt.Errorf("text %.60q has %d bytes; give it 1 to %d", s, len(s), max)
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("text %.60q is not UTF-8; write it in UTF-8", s)
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

// OneLine puts what somebody wrote on one line, so that it cannot write lines that look like the program's.
func OneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
