package registry

import (
	"crypto/rand"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var members = flag.Int("members", 100_000, "members of BenchmarkRound")

// BenchmarkRound measures the steps of two registrars with many members:
//
//	go test ./client/registry -run ^$ -bench Round -benchtime 1x -members 1000000
func BenchmarkRound(b *testing.B) {
	var list strings.Builder
	list.WriteString("member,district\n")
	for i := range *members {
		fmt.Fprintf(&list, "member-%07d,%s\n", i, []string{"North", `"South, by the sea"`}[i%2])
	}
	open := func(organisation string) *Store {
		s := settings(organisation)
		s.Organisations = []string{"league", "party"}
		return must(Create(filepath.Join(b.TempDir(), organisation), s))
	}
	for b.Loop() {
		league, party := open("league"), open("party")
		step := func(name string, do func()) {
			start := time.Now()
			do()
			b.ReportMetric(time.Since(start).Seconds(), name+"-s")
		}
		imported := func(s *Store) {
			if _, _, err := s.Import(strings.NewReader(list.String()), nil); err != nil {
				b.Fatal(err)
			}
		}
		step("import", func() { imported(league) })
		imported(party)
		var proof []byte
		step("issue", func() { must(league.Issue(1, rand.Reader, nil)) })
		if err := league.Expect(1, "party", must(party.Issue(1, rand.Reader, nil))); err != nil {
			b.Fatal(err)
		}
		if err := party.Expect(1, "league", must(league.Issue(1, rand.Reader, nil))); err != nil {
			b.Fatal(err)
		}
		step("prove", func() { must(league.Prove(1, [][]byte{must(party.Reveal(1))}, rand.Reader)) })
		proof = must(party.Prove(1, [][]byte{must(league.Reveal(1))}, rand.Reader))
		step("accept", func() {
			if _, _, err := league.Accept(proof, nil); err != nil {
				b.Fatal(err)
			}
		})
		step("entries", func() {
			if got := must(league.Entries(1)); len(got) != *members {
				b.Fatal(len(got))
			}
		})
	}
}
