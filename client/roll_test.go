package client_test

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"votenode/client"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

func TestParseRoll(t *testing.T) {
	m := &pb.Manifest{Styles: []pb.BallotStyle{{District: "North"}, {District: "South, rural"}}}
	a := fmt.Sprintf("%x", must(ballot.GenerateKey(rand.Reader)).Public().Bytes())
	b := fmt.Sprintf("%x", must(ballot.GenerateKey(rand.Reader)).Public().Bytes())
	good := "key,district\n" + a + ",North\n" + b + ",\"South, rural\"\n"
	entries, err := client.ParseRoll(strings.NewReader(good), m)
	if err != nil || len(entries) != 2 || entries[0].Style != 0 || entries[1].Style != 1 || fmt.Sprintf("%x", entries[1].Key) != b {
		t.Fatalf("%v, %v", entries, err)
	}
	for want, text := range map[string]string{
		"the first line":      "district,key\n" + a + ",North\n",
		"wrong number":        "key,district,name\n" + a + ",North,Aigul\n",
		"line 3: wrong":       "key,district\n" + a + ",North\n" + b + "\n",
		"hexadecimal":         "key,district\nxyz,North\n",
		"no voter's key":      "key,district\n" + strings.Repeat("00", 32) + ",North\n",
		"no voter's key: not": "key,district\n" + strings.Repeat("ff", 32) + ",North\n",
		"no district":         "key,district\n" + a + ",East\n",
		"in line 2 already":   "key,district\n" + a + ",North\n" + a + ",South\n",
		"EOF":                 "",
	} {
		want, _, _ = strings.Cut(want, ": not")
		if _, err := client.ParseRoll(strings.NewReader(text), m); err == nil {
			t.Errorf("%q was taken", text)
		} else if !strings.Contains(err.Error(), strings.TrimPrefix(want, "line 3: ")) && want != "in line 2 already" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParseRoll(f *testing.F) {
	m := &pb.Manifest{Styles: []pb.BallotStyle{{District: "North"}}}
	f.Add("key,district\n" + strings.Repeat("00", 32) + ",North\n")
	f.Fuzz(func(t *testing.T, text string) {
		entries, err := client.ParseRoll(strings.NewReader(text), m)
		if err != nil {
			return
		}
		for _, e := range entries {
			if _, err := ballot.ParsePublicKey(e.Key); err != nil || e.Style != 0 {
				t.Fatalf("entry %v", e)
			}
		}
	})
}
