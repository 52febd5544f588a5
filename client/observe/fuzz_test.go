package observe

import (
	"slices"
	"strings"
	"testing"
)

// What is read of an observer's file is something that can be gone on from.
func FuzzParse(f *testing.F) {
	zero := strings.Repeat("0", 64)
	f.Add([]byte(`{"version": 1, "genesis_hash": "` + zero + `", "missed": {}}`))
	f.Add([]byte(`{"version": 1, "genesis_hash": "` + zero + `", "missed": {}, "logs": [null], "alarms": [null]}`))
	f.Add([]byte(`{"version": 1, "genesis_hash": "` + zero + `", "missed": {}, "state": "AAAA"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, _, err := parse(data, [32]byte{})
		if err != nil {
			return
		}
		if err := file.check(); err != nil {
			t.Error(err)
		}
		if _, _, err := parse(slices.Concat(data, []byte("{}")), [32]byte{}); err == nil {
			t.Errorf("%q with something behind it is read", data)
		}
	})
}
