package text_test

import (
	"strings"
	"testing"

	"votenode/app/text"
)

func TestCheckID(t *testing.T) {
	for id, want := range map[string]string{
		"a": "", "0": "", "-": "", "party-2027": "", strings.Repeat("z", 40): "",
		"": "0 characters", strings.Repeat("z", 41): "41 characters", "Party": "a-z", "a b": "a-z", "a/b": "a-z", "ä": "a-z", "a\x00": "a-z",
		strings.Repeat("ä", 1000): "2000 characters",
	} {
		refused(t, id, text.CheckID(id, 40), want)
	}
}

func TestCheck(t *testing.T) {
	for s, want := range map[string]string{
		"x": "", "Партия «Amanat»": "", "Қазақстан": "", strings.Repeat("x", 80): "", "a b": "",
		"": "0 bytes", strings.Repeat("x", 81): "81 bytes", "\xff": "not UTF-8", "a\xc3": "not UTF-8", "\xed\xa0\x80": "not UTF-8",
		"a\nb": "U+000A", "a\x00": "U+0000", "\x7f": "U+007F", "\u0085": "U+0085", "\u2028": "U+2028", "\u202e": "U+202E",
		"\u2066": "U+2066", "\u200f": "U+200F", "\ufeff": "U+FEFF",
	} {
		refused(t, s, text.Check(s, 80), want)
	}
}

func TestOneLine(t *testing.T) {
	if got := text.OneLine(" a\n\naudit:\tpassed\u2028b\n"); got != "a audit: passed b" {
		t.Errorf("%q", got)
	}
}

func refused(t *testing.T, name string, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("%.40q: got %v, want %q", name, err, want)
	}
}
