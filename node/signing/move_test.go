package signing

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
)

// TestMoveSigner: of two folders at most one can be used at every step, whatever is repeated, copied or interrupted.
func TestMoveSigner(t *testing.T) {
	p := newPair(t)
	p.run()
	k := p.key()
	p.must(k.SignVote(chain, vote(5, 0, 1)))
	to := filepath.Join(t.TempDir(), "to")
	recipient, err := PrepareMove(to)
	p.must(err)
	if again, err := PrepareMove(to); err != nil || again != recipient {
		t.Error("another recipient", err)
	}
	if _, err := SealSigner(p.signer, recipient); !errors.Is(err, ErrRunning) {
		t.Error(err)
	}
	p.stop()
	if err := Init(to); !errors.Is(err, ErrMoving) {
		t.Error("keys are made where a bundle will be opened:", err)
	}
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	other, err := PrepareMove(elsewhere)
	p.must(err)
	if _, err := SealSigner(p.signer, "nobody"); err == nil || CheckMoved(p.signer) != nil {
		t.Error("sealed for nobody", err)
	}

	_, err = SealSigner(p.signer, recipient) // and the bundle is lost
	p.must(err)
	if _, err := Open(p.signer, quiet); !errors.Is(err, ErrMoved) {
		t.Error(err)
	}
	if _, err := SealSigner(p.signer, other); !errors.Is(err, ErrMoved) {
		t.Error("moved to two places:", err)
	}
	bundle, err := SealSigner(p.signer, recipient)
	p.must(err)
	if err := Unseal(elsewhere, bundle); err == nil {
		t.Error("the bundle opens elsewhere")
	}
	for _, damaged := range [][]byte{bundle[:len(bundle)-1], append(bytes.Clone(bundle), 0), nil} {
		if err := Unseal(to, damaged); err == nil {
			t.Error("a damaged bundle opens")
		}
	}
	if entries, err := os.ReadDir(to); err != nil || len(entries) != 1 { // its key
		t.Error("something was written of a damaged bundle:", entries, err)
	}

	// Interrupted before the key is removed: nothing runs there, and the bundle opens again.
	key, err := os.ReadFile(filepath.Join(to, moveKey))
	p.must(err)
	p.must(Unseal(to, bundle))
	p.must(os.WriteFile(filepath.Join(to, moveKey), key, 0o600))
	if _, err := Open(to, quiet); !errors.Is(err, ErrMoving) {
		t.Error(err)
	}
	p.must(Unseal(to, bundle))
	if err := Unseal(to, bundle); err == nil {
		t.Error("the bundle opens twice")
	}
	if _, err := PrepareMove(to); err == nil {
		t.Error("a folder in use is prepared")
	}
	p.signer = to
	p.run()
	v := vote(5, 0, 2)
	if _, err := p.key().ask(must(p.link.current()), voteRequest(chain, v)); err == nil {
		t.Error("signed twice after the move")
	}
	p.must(p.key().SignVote(chain, vote(6, 0, 1)))

	// Killed at each of its files, and in the middle of one: nothing runs there, and the bundle opens.
	identity := must(age.ParseX25519Identity(strings.TrimSpace(string(key))))
	files := must(unpack(bundle, identity))
	for written := range files {
		torn := filepath.Join(t.TempDir(), "torn")
		p.must(os.MkdirAll(filepath.Join(torn, "keys"), 0o700))
		p.must(os.MkdirAll(filepath.Join(torn, "sign-state"), 0o700))
		p.must(os.WriteFile(filepath.Join(torn, moveKey), key, 0o600))
		for _, f := range files[:written] {
			p.must(os.WriteFile(filepath.Join(torn, f.name), f.data, 0o600))
		}
		p.must(os.WriteFile(filepath.Join(torn, filepath.Dir(files[written].name), ".half.1"), files[written].data[:10], 0o600))
		if _, err := Open(torn, quiet); !errors.Is(err, ErrMoving) {
			t.Error(err)
		}
		p.must(Unseal(torn, bundle))
		p.must(must(Open(torn, quiet)).Close())
	}

	// Its key is put back from a copy after it has signed: the old sign state does not come back with the bundle.
	p.must(os.WriteFile(filepath.Join(to, moveKey), key, 0o600))
	if err := Unseal(to, bundle); !errors.Is(err, ErrRunning) {
		t.Error("opened under a signer that runs:", err)
	}
	p.stop()
	signed := must(os.ReadFile(Home(to).signState()))
	if err := Unseal(to, bundle); err == nil || !bytes.Equal(signed, must(os.ReadFile(Home(to).signState()))) {
		t.Error("the old sign state is back:", err)
	}
}

// TestMovePrepareInterrupted: what a kill left of preparing a folder does not keep it from being prepared.
func TestMovePrepareInterrupted(t *testing.T) {
	to := t.TempDir()
	if err := os.WriteFile(filepath.Join(to, "."+moveKey+".123"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := PrepareMove(to); err != nil {
		t.Error(err)
	}
}
