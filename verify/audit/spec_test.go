package audit

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// The table of checks in the specification and the one in the program are the same, and every section that it cites exists.
func TestSpec(t *testing.T) {
	spec := filepath.Join("..", "..", "docs", "spec")
	text, err := os.ReadFile(filepath.Join(spec, "11-auditor.md"))
	if err != nil {
		t.Fatal(err)
	}
	var written, known []string
	for _, row := range regexp.MustCompile(`(?m)^\| (\d+) \| ([^|]+) \| [^|]+ \| ([^|]+) \|$`).FindAllStringSubmatch(string(text), -1) {
		written = append(written, fmt.Sprintf("%s %s %s", row[1], row[2], row[3]))
	}
	for _, c := range newChecks().list() {
		known = append(known, fmt.Sprintf("%d %s %s", c.Number, c.Name, c.Section))
	}
	if !slices.Equal(written, known) {
		t.Errorf("the specification has the checks\n%q\nthe program\n%q", written, known)
	}
	chapters, err := filepath.Glob(filepath.Join(spec, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]bool{}
	for _, chapter := range chapters {
		text, err := os.ReadFile(chapter)
		if err != nil {
			t.Fatal(err)
		}
		for _, title := range regexp.MustCompile(`(?m)^## (\d+\.\d+) `).FindAllStringSubmatch(string(text), -1) {
			sections[title[1]] = true
		}
	}
	for _, c := range newChecks().list() {
		if !sections[c.Section] {
			t.Errorf("check %d cites section %s, which does not exist", c.Number, c.Section)
		}
	}
}
