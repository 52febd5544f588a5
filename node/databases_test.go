package node

import (
	"testing"

	dbm "github.com/cometbft/cometbft-db"
)

// TestClosedDatabase: what looks into a closed store finds nothing, as CometBFT's stopped goroutines want; what writes fails.
func TestClosedDatabase(t *testing.T) {
	d := databases{dir: t.TempDir(), open: map[string]dbm.DB{}}
	db, err := d.get("one")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := d.get("one"); err != nil || again != db {
		t.Error("opened twice", err)
	}
	other := databases{dir: d.dir, open: map[string]dbm.DB{}}
	if _, err := other.get("one"); err == nil {
		t.Error("a second process opens it")
	}
	if err := db.Set([]byte("k"), []byte("v")); err != nil {
		t.Fatal(err)
	}
	if v, err := db.Get([]byte("k")); err != nil || string(v) != "v" {
		t.Error(v, err)
	}
	if _, err := db.Get(nil); err == nil {
		t.Error("an error of an open database is hidden")
	}
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	if v, err := db.Get([]byte("k")); err != nil || v != nil {
		t.Error(v, err)
	}
	if db.Set([]byte("k"), []byte("w")) == nil {
		t.Error("a write to a closed database succeeds")
	}
}
