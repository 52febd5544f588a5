package gateway

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestRoutesAreDescribed: the gateway serves what the document describes, and nothing else.
func TestRoutesAreDescribed(t *testing.T) {
	var served, described []string
	s := new(Server)
	s.requests, s.large, s.manifests, s.cases, s.polls = newShares(1), newShares(1), newShares(1), newShares(1), newShares(1)
	for _, endpoints := range s.endpoints() {
		served = slices.AppendSeq(served, maps.Keys(endpoints))
	}
	served = slices.AppendSeq(served, maps.Keys(s.unbounded()))
	for _, o := range describe(t).operations {
		described = append(described, o.method+" "+o.path)
	}
	slices.Sort(served)
	slices.Sort(described)
	var paths []string
	for _, pattern := range served {
		paths = append(paths, strings.TrimSuffix(pattern, "{$}")) // the end of a path that ends with a slash
	}
	if !slices.Equal(paths, described) {
		t.Errorf("served:\n%s\ndescribed:\n%s", strings.Join(paths, "\n"), strings.Join(described, "\n"))
	}
	if written := patterns(t); !slices.Equal(served, written) {
		t.Errorf("served:\n%s\nin the sources, and so perhaps served beside the tables:\n%s", strings.Join(served, "\n"), strings.Join(written, "\n"))
	}
}

// TestNamesAreDescribed: the methods under /cometbft and the kinds of events are those that there are.
func TestNamesAreDescribed(t *testing.T) {
	d := describe(t)
	same := func(what string, have []string, described any) {
		t.Helper()
		var names []string
		for _, name := range described.([]any) {
			names = append(names, name.(string))
		}
		slices.Sort(have)
		slices.Sort(names)
		if !slices.Equal(have, names) {
			t.Errorf("%s: there are %v, described are %v", what, have, names)
		}
	}
	same("methods", slices.Collect(maps.Keys(new(Server).cometMethods())), d.value("/components/schemas/CometCall/properties/method/enum"))
	for _, p := range d.parameters(d.operations["events"]) {
		if p.name == "kinds" {
			same("kinds that can be asked for", slices.Clone(eventKinds), p.schema["items"].(map[string]any)["enum"])
		}
	}
	var kinds []any
	for _, alternative := range d.value("/components/schemas/Event/oneOf").([]any) {
		kinds = append(kinds, alternative.(map[string]any)["properties"].(map[string]any)["event"].(map[string]any)["const"])
	}
	same("kinds of events", append(slices.Clone(eventKinds), "end"), kinds)
}

// patterns returns what looks like the pattern of a route in the sources of this package.
func patterns(t *testing.T) (list []string) {
	t.Helper()
	pattern := regexp.MustCompile(`^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) /`)
	for _, name := range must(filepath.Glob("*.go")) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		ast.Inspect(must(parser.ParseFile(token.NewFileSet(), name, nil, 0)), func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if text := must(strconv.Unquote(literal.Value)); pattern.MatchString(text) {
					list = append(list, text)
				}
			}
			return true
		})
	}
	slices.Sort(list)
	return list
}
