package signing

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/privval"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
)

const fuzzChain = "ledger-1"

func write(t testing.TB, path string, data []byte) {
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// FuzzSignState: a sign state that is read is the key's own, or tells of no signature; nothing is signed before it.
func FuzzSignState(f *testing.F) {
	dir := f.TempDir()
	keyPath, statePath := filepath.Join(dir, "key.json"), filepath.Join(dir, "state.json")
	pv := privval.NewFilePV(cmted25519.GenPrivKeyFromSecret([]byte("fuzz")), keyPath, statePath)
	if err := CreateJSON(keyPath, pv.Key); err != nil {
		f.Fatal(err)
	}
	for height := range int64(2) {
		vote := &cmtproto.Vote{Type: cmtproto.PrevoteType, Height: height + 4}
		if err := pv.SignVote(fuzzChain, vote); err != nil {
			f.Fatal(err)
		}
		b, err := cmtjson.Marshal(&pv.LastSignState)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"height": "-1", "round": 2147483647, "step": 127}`))
	f.Add([]byte(`{"height": "5", "round": 0, "step": 2, "signature": "AA==", "signbytes": "00"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		write(t, statePath, data)
		k, err := OpenFileKey(keyPath, statePath)
		if err != nil {
			return
		}
		last := k.Last()
		vote := &cmtproto.Vote{Type: cmtproto.PrevoteType, Height: last.Height - 1, Round: last.Round}
		if err := k.SignVote(fuzzChain, vote); last.Height > 0 && err == nil {
			t.Errorf("height %d is signed behind %v", vote.Height, last)
		}
	})
}

// FuzzAsked: what a signer was asked last is read as the file has it, of this chain only.
func FuzzAsked(f *testing.F) {
	path := filepath.Join(f.TempDir(), "asked.json")
	for _, chain := range []string{fuzzChain, "ledger-2"} {
		b, err := voteRequest(chain, &cmtproto.Vote{Type: cmtproto.PrecommitType, Height: 7, Round: 1}).Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(`{"request": "` + base64.StdEncoding.EncodeToString(b) + `"}`))
	}
	f.Add([]byte(`{"request": ""}`))
	f.Add([]byte(`{"request": "AA=="}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		write(t, path, data)
		a, err := readAsked(path, fuzzChain)
		if err != nil {
			return
		}
		if got, err := LastAsked(path, fuzzChain); err != nil || got != a.position() {
			t.Errorf("%v, %v", got, err)
		}
		if _, err := parseAsked(a.Request, "another"); a.Request != "" && err == nil {
			t.Error("it is taken for another chain, too")
		}
	})
}

// FuzzPairing: a pairing that is read is one that may be written.
func FuzzPairing(f *testing.F) {
	home := f.TempDir()
	key := strings.Repeat("ab", 32)
	f.Add([]byte(`{"node": "127.0.0.1:26659", "node_key": "` + key + `", "chain": "ledger-1"}`))
	f.Add([]byte(`{"node": "[::1]:1", "node_key": "` + key[2:] + `", "chain": ""}`))
	f.Add([]byte(`{} {}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		write(t, Home(home).pairing(), data)
		p, err := ReadPairing(home)
		if err != nil {
			return
		}
		if err := p.check(); err != nil {
			t.Error(err)
		}
		write(t, Home(home).pairing(), append(data, "{}"...))
		if _, err := ReadPairing(home); err == nil {
			t.Error("something behind it is passed over")
		}
	})
}

// FuzzBundle: of a folder on the move only files below the folder are taken, each of a bounded length.
func FuzzBundle(f *testing.F) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		f.Fatal(err)
	}
	dir := f.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "keys"), 0o700); err != nil {
		f.Fatal(err)
	}
	write(f, filepath.Join(dir, "keys", "slip"), []byte("key"))
	files, err := pack(dir, []string{"keys/slip"}, []string{"genesis"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(files)
	f.Add(bytes.Replace(files, []byte("keys/slip"), []byte("../../abc"), 1))
	f.Add(files[:600])
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := unpack(data, identity); err == nil {
			t.Fatal("what was not sealed is opened")
		}
		var bundle bytes.Buffer
		w, err := age.Encrypt(&bundle, identity.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		files, err := unpack(bundle.Bytes(), identity)
		if err != nil {
			return
		}
		for _, file := range files {
			if !filepath.IsLocal(file.name) || len(file.data) > maxMoved {
				t.Errorf("%q, %d bytes", file.name, len(file.data))
			}
		}
	})
}
