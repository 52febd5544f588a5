package genesis_test

import (
	"bytes"
	"testing"

	"votenode/app/election"
	"votenode/genesis"
)

func FuzzParse(f *testing.F) {
	f.Add(genesis.Bytes(assemble(f, sampleParties)))
	f.Fuzz(func(t *testing.T, b []byte) {
		doc, err := genesis.Parse(b)
		if err != nil {
			return
		}
		if !bytes.Equal(genesis.Bytes(doc), b) {
			t.Fatal("a second encoding was accepted")
		}
		genesis.Check(doc)
		if _, err := genesis.CometGenesis(doc); err != nil {
			t.Fatal("a good document gives no genesis.json:", err)
		}
	})
}

func FuzzParseEntry(f *testing.F) {
	for _, e := range entries(f, sampleParties[:1]) {
		f.Add(election.Encode(e))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := genesis.ParseEntry(b); err == nil && !bytes.Equal(election.Encode(e), b) {
			t.Fatal("a second encoding was accepted")
		}
	})
}

func FuzzJSON(f *testing.F) {
	j, err := genesis.ToJSON(assemble(f, sampleParties))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(j)
	f.Fuzz(func(t *testing.T, b []byte) {
		if doc, err := genesis.FromJSON(b); err == nil {
			if _, err := genesis.Parse(genesis.Bytes(doc)); err != nil {
				t.Fatal("JSON gave a document that does not parse:", err)
			}
		}
		_, _ = genesis.EntryFromJSON(b)
		_, _ = genesis.ParametersFromJSON(b, 2)
	})
}
