package client

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
)

// An opened ballot that is read, written and read again is the same.
func FuzzParseChallenge(f *testing.F) {
	f.Add([]byte(`{"genesis_hash": "ab", "election": "primary", "style": 1, "roll_index": 2, "sequence": 3, "code": "c", "randomness": "00", "selections": [[0], []]}`))
	f.Add([]byte(`{} {}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseChallenge(data)
		if err != nil {
			return
		}
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := ParseChallenge(text); err != nil || !reflect.DeepEqual(again, c) {
			t.Errorf("%s, %v", text, err)
		}
		if _, err := ParseChallenge(slices.Concat(data, []byte("{}"))); err == nil {
			t.Errorf("%q with something behind it is read", data)
		}
	})
}
