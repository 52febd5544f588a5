package tx

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestSpecListsCodes holds the table of spec 2.5 and that of spec 2.6 against the code: same numbers, names and advice, none more.
func TestSpecListsCodes(t *testing.T) {
	text, err := os.ReadFile("../../docs/spec/02-encodings.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]Code)
	for code, entry := range codes {
		if other, twice := seen[entry.name]; twice {
			t.Errorf("codes %d and %d have the name %q", code, other, entry.name)
		}
		seen[entry.name] = code
		if row := fmt.Sprintf("| %d | `%s` | %s |\n", code, entry.name, entry.advice); !strings.Contains(string(text), row) {
			t.Errorf("spec 2.5 lacks the row %s", row)
		}
	}
	if rows := strings.Count(string(text), "` | ") - strings.Count(string(text), "| `votenode/v1/"); rows != len(codes) {
		t.Errorf("spec 2.5 has %d rows for %d codes", rows, len(codes))
	}
	for _, k := range Kinds() {
		if row := fmt.Sprintf("| %d | %v |", k, k); !strings.Contains(string(text), row) {
			t.Errorf("spec 2.6 lacks %s", row)
		}
	}
}
