package registry

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"votenode/crypto/ballot"
)

// FuzzImport: a list of members is imported as a whole and read back as it was taken, or nothing is there and the faults are bounded.
func FuzzImport(f *testing.F) {
	s := must(Create(filepath.Join(f.TempDir(), "party"), settings("party")))
	brought := application(f, must(ballot.GenerateKey(rand.Reader)), "primary")
	for _, list := range []string{
		"", "member,district\n", "member,district\n,North\n", "member,district\na,North\n", "member,district\r\na,North\r\n\r\nb,\"South, by the sea\"", "district,member\nNorth,a\n",
		"member,district,key\na,North,\nb,North," + brought + "\n", "member,district,key\na,North," + brought + "\nb,North," + brought + "\n",
		"member,district,key\na,North," + strings.ToUpper(brought) + "\n", "member,district,key\na,North," + brought[2:] + "\n", "\ufeffmember,district\na,North\n",
		"member,district\n\"a \"\"b\"\"\",North\n a,North\n\\.,North\n#a,North\n", "member,district\n\"a\nb\",North\n", "member,district\na,\"No\"rth\n\"b,North\n",
		"member,district\na\n,North\na,North,\nb,East\n\xff,North\n\x00,North\n", "member,district\na,North\na,North\n" + strings.Repeat("a,North\n", maxFaults),
	} {
		f.Add([]byte(list))
	}
	f.Fuzz(func(t *testing.T, list []byte) {
		round, n, err := s.Import(strings.NewReader(string(list)), nil)
		if err != nil {
			var faults *Faults
			if errors.As(err, &faults) && (len(faults.Lines) == 0 || len(faults.Lines) > maxFaults) {
				t.Errorf("%d faults", len(faults.Lines))
			}
			if must(s.Rounds()) != 0 {
				t.Fatalf("refused and imported: %v", err)
			}
			return
		}
		defer os.Remove(s.file(1, "members"))
		members, err := s.Members(1)
		if err != nil || round != 1 || len(members) != n || n == 0 {
			t.Fatalf("round %d of %d members, %d are read: %v", round, n, len(members), err)
		}
		taken, err := s.parse(strings.NewReader(string(list)), map[string]string{}, nil)
		if err != nil || !reflect.DeepEqual(members, taken) {
			t.Errorf("taken are %v, read %v: %v", taken, members, err)
		}
		seen := map[string]bool{}
		for i := range members {
			m := &members[i]
			if m.Reference == "" || len(m.Reference) > maxReference || !utf8.ValidString(m.Reference) || strings.ContainsAny(m.Reference, "\r\n\x00") || int(m.Style) >= len(s.Districts) {
				t.Errorf("member %d is %v", i, m)
			}
			if m.Key != nil && s.checkApplication(m.Key, m.Signature) != nil {
				t.Errorf("member %d brings a key that is not its own", i)
			}
			for _, name := range m.names() {
				if seen[name] {
					t.Errorf("%q stands there twice", name)
				}
				seen[name] = true
			}
		}
	})
}
