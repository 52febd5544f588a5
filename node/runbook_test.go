package node

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	runbook    = "../docs/runbook"
	monitoring = "../scripts/monitoring"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestEveryProblemHasAPage: of the sentences with which a node says what is wrong, and of the alerts, each points to a page that there is, the
// page of an alert names it, and the index lists all pages with their alerts.
func TestEveryProblemHasAPage(t *testing.T) {
	index := read(t, filepath.Join(runbook, "README.md"))
	for _, page := range problemPages {
		read(t, filepath.Join(runbook, page+".md"))
	}
	pages, err := filepath.Glob(filepath.Join(runbook, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if name := filepath.Base(page); name != "README.md" && !strings.Contains(index, "]("+name+")") {
			t.Errorf("the index lacks %s", name)
		}
	}
	alerts := regexp.MustCompile(`(?s)- alert: (\w+)\n.*?runbook: docs/runbook/([\w-]+)\.md\n`).FindAllStringSubmatch(read(t, filepath.Join(monitoring, "alerts.yml")), -1)
	if len(alerts) < 10 {
		t.Fatalf("%d alerts are found", len(alerts))
	}
	for _, alert := range alerts {
		if !strings.Contains(read(t, filepath.Join(runbook, alert[2]+".md")), "`"+alert[1]+"`") {
			t.Errorf("%s.md does not name %s", alert[2], alert[1])
		}
		if !regexp.MustCompile(`\(` + alert[2] + `\.md\).*` + alert[1]).MatchString(index) {
			t.Errorf("the index does not lead from %s to %s.md", alert[1], alert[2])
		}
	}
}

// TestEveryAlertIsTested: of each alert there is one test in which it fires and one in which it is silent.
func TestEveryAlertIsTested(t *testing.T) {
	names := func(text, pattern string) (list []string) {
		for _, found := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			list = append(list, found[1])
		}
		slices.Sort(list)
		return list
	}
	rules, tests := read(t, filepath.Join(monitoring, "alerts.yml")), read(t, filepath.Join(monitoring, "alerts_test.yml"))
	alerts := names(rules, `- alert: (\w+)`)
	if silent := names(tests, `alertname: (\w+)\n +exp_alerts: \[\]`); !slices.Equal(alerts, silent) {
		t.Errorf("alerts: %v\nsilent: %v", alerts, silent)
	}
	if fire := names(tests, `alertname: (\w+)\n +exp_alerts:\n`); !slices.Equal(alerts, fire) {
		t.Errorf("alerts: %v\nfire:   %v", alerts, fire)
	}
}

// TestLinks: what the pages for operators link to is there.
func TestLinks(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(runbook, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "../docs/monitoring.md") {
		for _, link := range regexp.MustCompile(`\]\(([^)#]+)`).FindAllStringSubmatch(read(t, page), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), link[1])); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
}
