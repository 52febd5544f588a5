package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"votenode/client/readable"
	"votenode/internal/rehearsal"
)

// TestInitiatives: what members published is served in pages, its text as text alone, and what was removed nowhere but in proofs.
func TestInitiatives(t *testing.T) {
	e := rehearsal.Open(t, rehearsal.Manifest("primary"), 3)
	e.Debate()
	w := serve(t, e.Ledger)
	var list struct {
		Election    string
		Initiatives []readable.Initiative
		Next        *uint64
	}
	get := func(target string, into any) answer {
		t.Helper()
		a := w.request("GET", target, "")
		if a.status != http.StatusOK {
			t.Fatalf("%s: %d %s", target, a.status, a.body)
		}
		if err := json.Unmarshal(a.body, into); into != nil && err != nil {
			t.Fatal(err)
		}
		return a
	}
	all := get("/v1/initiatives", &list)
	if list.Election != "primary" || len(list.Initiatives) != 3 || list.Next != nil {
		t.Fatalf("%s", all.body)
	}
	for i, want := range []string{"answered Streetlights", "removed ", "overdue A library"} {
		if got := list.Initiatives[i].State + " " + list.Initiatives[i].Title; got != want {
			t.Errorf("initiative %d is %s, want %s", i, got, want)
		}
	}
	if r := list.Initiatives[1].Removed; r == nil || r.Reason != "It names a person." || strings.Contains(string(all.body), "neighbour") {
		t.Errorf("the removed one is served: %s", all.body)
	}
	if get("/v1/initiatives?from=0&limit=2", &list); len(list.Initiatives) != 2 || list.Next == nil || *list.Next != 2 {
		t.Errorf("a page of %d, next %v", len(list.Initiatives), list.Next)
	}
	list.Next = nil
	if get("/v1/initiatives?from=2", &list); len(list.Initiatives) != 1 || list.Next != nil || list.Initiatives[0].Supports != 2 {
		t.Errorf("a page of %d, next %v", len(list.Initiatives), list.Next)
	}

	var now struct {
		Overdue []uint64 `json:"overdue_answers"`
	}
	if get("/v1/status", &now); len(now.Overdue) != 1 || now.Overdue[0] != 2 {
		t.Errorf("overdue: %v", now.Overdue)
	}

	var one struct {
		List []readable.Post `json:"comment_list"`
		Next *uint64
	}
	if get("/v1/initiatives/0?limit=1", &one); len(one.List) != 1 || one.List[0].Text != "Yes." || one.Next == nil || *one.Next != 1 {
		t.Errorf("comments %v, next %v", one.List, one.Next)
	}
	one.Next = nil
	if get("/v1/initiatives/0?from=1", &one); len(one.List) != 1 || one.List[0].Text != "No." || one.Next != nil {
		t.Errorf("comments %v, next %v", one.List, one.Next)
	}

	text := w.request("GET", "/v1/initiatives/2/text", "")
	if text.status != http.StatusOK || string(text.body) != "# A library\n\n\tBecause.\n" {
		t.Errorf("%d: %q", text.status, text.body)
	}
	if kind, sniff := text.header.Get("Content-Type"), text.header.Get("X-Content-Type-Options"); kind != "text/plain; charset=utf-8" || sniff != "nosniff" {
		t.Errorf("served as %q, %q", kind, sniff)
	}
	for target, want := range map[string]int{
		"/v1/initiatives/1/text": http.StatusGone, "/v1/initiatives/9/text": http.StatusNotFound, "/v1/initiatives/9": http.StatusNotFound,
		"/v1/initiatives/x": http.StatusBadRequest, "/v1/member?election=primary/members&index=0": http.StatusNotFound,
		"/v1/voter?election=primary/members&index=0": http.StatusNotFound, "/v1/member?election=primary&index=3": http.StatusNotFound,
	} {
		if a := w.request("GET", target, ""); a.status != want || want == http.StatusGone && !strings.Contains(string(a.body), "It names a person.") {
			t.Errorf("%s: %s", target, fmt.Sprintf("%d %s", a.status, a.body))
		}
	}
}
