package ballot

import (
	"errors"
	"strings"
	"testing"
)

// TestBech32m checks the vectors of BIP 350.
func TestBech32m(t *testing.T) {
	for _, text := range []string{
		"A1LQFN3A", "a1lqfn3a",
		"an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6",
		"abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx",
		"11llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllludsr8",
		"split1checkupstagehandshakeupstreamerranterredcaperredlc445v", "?1v759aa",
	} {
		prefix, _, ok := checkBech32m(text)
		if want := strings.ToLower(text[:strings.LastIndexByte(text, '1')]); !ok || prefix != want {
			t.Errorf("%q: %q, %v", text, prefix, ok)
		}
	}
	for _, text := range []string{
		"\x201xj0phk", "\x7f1g6xzxy", "\x801vctc34", // characters out of range
		"an84characterslonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11d6pts4", // too long
		"qyrz8wqd2c9m", "1qyrz8wqd2c9m", "y1b0jsk6g", "lt1igcx5c0", "in1muywd", "mm1crxm3i", "au1s5cgom", "M1VUXWEZ", "16plkw9",
		"1p2gdwpf",
		"a12uel5l", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", // good Bech32, the older checksum
		"A1lqfn3a", "", "1",
	} {
		if _, _, ok := checkBech32m(text); ok {
			t.Errorf("%q passes", text)
		}
	}
}

func TestCodes(t *testing.T) {
	code := ConfirmationCode("chain", "election", 1, 2, 3, []byte("ciphertext"))
	text := FormatCode(code)
	for _, typed := range []string{
		text, strings.ToUpper(text), strings.ReplaceAll(text, "-", ""), strings.ReplaceAll(text, "-", " "), " " + text + " ",
	} {
		if got, err := ParseCode(typed); err != nil || got != code {
			t.Errorf("%q: %x, %v", typed, got, err)
		}
	}
	// One wrong character, or two exchanged, never pass.
	plain := strings.ReplaceAll(text, "-", "")
	for i := range plain {
		for _, c := range "qpzr1b" {
			if typed := plain[:i] + string(c) + plain[i+1:]; typed != plain {
				if _, err := ParseCode(typed); !errors.Is(err, ErrCode) {
					t.Errorf("%q passes", typed)
				}
			}
		}
		if i > 0 && plain[i] != plain[i-1] {
			if _, err := ParseCode(plain[:i-1] + plain[i:i+1] + plain[i-1:i] + plain[i+1:]); !errors.Is(err, ErrCode) {
				t.Errorf("exchange at %d passes", i)
			}
		}
	}
	for _, typed := range []string{
		"", "code1", plain[:len(plain)-1], plain + "q", encodeBech32m("node", code[:]), encodeBech32m("code", code[:31]),
		encodeBech32m("code", append(code[:], 0)), "C" + plain[1:], strings.Replace(plain, "k", "\u212a", 1) + "\u212a",
	} {
		if _, err := ParseCode(typed); !errors.Is(err, ErrCode) {
			t.Errorf("%q passes", typed)
		}
	}
	for name, other := range map[string][32]byte{
		"chain":      ConfirmationCode("chain2", "election", 1, 2, 3, []byte("ciphertext")),
		"election":   ConfirmationCode("chain", "election2", 1, 2, 3, []byte("ciphertext")),
		"boundary":   ConfirmationCode("chaine", "lection", 1, 2, 3, []byte("ciphertext")),
		"style":      ConfirmationCode("chain", "election", 0, 2, 3, []byte("ciphertext")),
		"roll index": ConfirmationCode("chain", "election", 1, 1, 3, []byte("ciphertext")),
		"sequence":   ConfirmationCode("chain", "election", 1, 2, 2, []byte("ciphertext")),
		"ciphertext": ConfirmationCode("chain", "election", 1, 2, 3, []byte("ciphertexT")),
	} {
		if other == code {
			t.Errorf("the code does not depend on the %s", name)
		}
	}
}

func FuzzParseCode(f *testing.F) {
	f.Add(FormatCode([32]byte{1, 2, 3}))
	f.Add("code1")
	f.Fuzz(func(t *testing.T, text string) {
		code, err := ParseCode(text)
		if err != nil {
			return
		}
		plain := strings.NewReplacer("-", "", " ", "").Replace(text)
		if got := strings.ReplaceAll(FormatCode(code), "-", ""); got != strings.ToLower(plain) {
			t.Errorf("%q is a second form of %q", text, got)
		}
	})
}
