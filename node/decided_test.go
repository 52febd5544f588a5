package node

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"

	"votenode/genesis"
	"votenode/node/signing"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

// read returns the file of the last decided block.
func (h Home) read(t *testing.T) decided {
	t.Helper()
	var d decided
	if err := signing.ReadJSON(h.decided(), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// signAt signs a precommit and says whether it was signed.
func signAt(s *signer, height int64) error {
	v := vote(height, 0, 1)
	err := s.SignVote("chain", v)
	if (err == nil) != (v.Signature != nil) {
		return fmt.Errorf("signature %x with the error %w", v.Signature, err)
	}
	return err
}

// TestDecided: the file names the parent of what is signed, before it is signed, once per height.
func TestDecided(t *testing.T) {
	h := home(t)
	s := h.signer(t, nil)
	if err := signAt(s, 1); err != nil || h.read(t).Height != 0 {
		t.Fatal(err, h.read(t))
	}
	for height := int64(2); height < 6; height++ {
		s.stored = blocks(height-1, 9, 0)
		proposal := &cmtproto.Proposal{Type: cmtproto.ProposalType, Height: height, PolRound: -1}
		if err := s.SignProposal("chain", proposal); err != nil {
			t.Fatal(err)
		}
		d := h.read(t)
		if d.Height != height-1 || !bytes.Equal(d.Hash, bytes.Repeat([]byte{byte(height - 1)}, 32)) {
			t.Errorf("at height %d: %+v", height, d)
		}
		if err := os.Remove(h.decided()); err != nil {
			t.Fatal(err)
		}
		if err := signAt(s, height); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(h.decided()); err == nil {
			t.Errorf("written again at height %d", height)
		}
	}
}

// TestDecidedBeforeSigned: where the file cannot be written nothing is signed, then or later; a start finds the file of before and
// goes on.
func TestDecidedBeforeSigned(t *testing.T) {
	h := home(t)
	if err := signAt(h.signer(t, blocks(4, 9, 0)), 5); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(h.state())
	if err != nil {
		t.Fatal(err)
	}
	s := h.signer(t, blocks(5, 9, 0))
	s.home = Home(filepath.Join(string(h), "gone"))
	for range 2 {
		if err := signAt(s, 6); err == nil || s.fault() == nil {
			t.Fatal("signed though the decided block is not on the disk")
		}
		s.home = h
	}
	if after, err := os.ReadFile(h.state()); err != nil || !bytes.Equal(before, after) {
		t.Error("the sign state has moved", err)
	}
	if d := h.read(t); d.Height != 4 {
		t.Error(d)
	}
	if err := signAt(h.signer(t, blocks(5, 9, 0)), 6); err != nil {
		t.Error(err)
	}
}

// TestDecidedThenKilled: killed between the file and the signature, with its data the node goes on.
func TestDecidedThenKilled(t *testing.T) {
	h := home(t)
	if err := signAt(h.signer(t, blocks(4, 9, 0)), 5); err != nil {
		t.Fatal(err)
	}
	s := h.signer(t, blocks(7, 9, 0))
	if err := s.decide(7); err != nil {
		t.Fatal(err)
	}
	if err := signAt(h.signer(t, blocks(7, 9, 0)), 8); err != nil {
		t.Error(err)
	}
}

// TestAbandonedBranch: a key that has signed on block 6 signs on no chain without it, now or ever.
func TestAbandonedBranch(t *testing.T) {
	for _, c := range []struct {
		name      string
		start     stored // at the start
		synced    stored // before the first signature
		abandoned bool
	}{
		{"the same chain", blocks(7, 9, 0), blocks(7, 9, 0), false},
		{"another one after it", blocks(8, 6, 1), blocks(8, 6, 1), false},
		{"another one before it", blocks(8, 5, 1), blocks(8, 5, 1), true},
		{"fetched again", nil, blocks(9, 9, 0), false},
		{"fetched again from another branch", nil, blocks(9, 5, 1), true},
		{"no block there", stored{8: blocks(8, 9, 0)[8]}, blocks(8, 9, 0), true},
		{"no block there after the sync", nil, stored{8: blocks(8, 9, 0)[8]}, true},
	} {
		h := home(t)
		if err := signAt(h.signer(t, blocks(6, 9, 0)), 7); err != nil {
			t.Fatal(err)
		}
		s := h.signer(t, c.start)
		if known := c.start.Height() >= 6; known && (s.fault() != nil) != c.abandoned || !known && s.fault() != nil {
			t.Errorf("%s: at the start %v", c.name, s.fault())
		}
		s.stored = c.synced
		err := signAt(s, c.synced.Height()+1)
		if errors.Is(err, ErrAbandonedBranch) != c.abandoned || errors.Is(err, ErrRetired) != c.abandoned || !c.abandoned && err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if !c.abandoned {
			continue
		}
		for _, part := range []string{strings.Repeat("06", 32), "height 6", "ChangeValidators"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q is not in: %v", c.name, part, err)
			}
		}
		s = h.signer(t, blocks(9, 9, 0)) // the old data again
		if err := signAt(s, 10); !errors.Is(err, ErrRetired) || !strings.Contains(err.Error(), "height 6") {
			t.Errorf("%s: with the old data again %v", c.name, err)
		}
	}
}

// TestShortChain: while the chain has not got to the block that was decided nothing is signed, and nothing is said for good.
func TestShortChain(t *testing.T) {
	h := home(t)
	if err := h.signer(t, blocks(6, 9, 0)).decide(6); err != nil { // killed before it signed at 7
		t.Fatal(err)
	}
	s := h.signer(t, nil)
	for height := int64(1); height <= 6; height++ {
		s.stored = blocks(height-1, 9, 0)
		if err := signAt(s, height); err == nil || errors.Is(err, ErrRetired) || s.fault() != nil || s.waits() == nil {
			t.Fatalf("height %d: %v", height, err)
		}
	}
	s.stored = blocks(6, 9, 0)
	if err := signAt(s, 7); err != nil || s.waits() != nil {
		t.Error(err)
	}
	s.stored = blocks(6, 9, 0) // CometBFT asks for height 8, and block 7 is not there
	if err := signAt(s, 8); err == nil || errors.Is(err, ErrRetired) {
		t.Error(err)
	}
}

// TestDecidedFile: a file that is damaged, or older than the sign state, does not start.
func TestDecidedFile(t *testing.T) {
	h := home(t)
	if err := signAt(h.signer(t, blocks(4, 9, 0)), 5); err != nil {
		t.Fatal(err)
	}
	older, err := os.ReadFile(h.decided())
	if err != nil {
		t.Fatal(err)
	}
	if err := signAt(h.signer(t, blocks(5, 9, 0)), 6); err != nil {
		t.Fatal(err)
	}
	hash := strings.Repeat("06", 32)
	for _, text := range []string{
		string(older), string(older[:len(older)/2]), "", "{}", `{"height": "6", "hash": "06"}`, `{"height": "6"}`, `{"height": "-1", "hash": "` + hash + `"}`,
	} {
		if err := os.WriteFile(h.decided(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := h.open(blocks(5, 9, 0))
		if err == nil || errors.Is(err, ErrSignStateOld) != (text == string(older)) || errors.Is(err, signing.ErrSignStateDamaged) != (text != string(older)) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := os.Stat(h.retired()); err == nil {
		t.Error("a damaged file retires the key")
	}
	for _, wrong := range []decided{{Hash: make([]byte, 32)}, {Height: 6, Hash: make([]byte, 2)}, {Height: 6}, {Height: -1, Hash: make([]byte, 32)}} {
		if err := wrong.check(0); err == nil {
			t.Errorf("%+v", wrong)
		}
	}
}

// TestRetired: the file's being there is enough; where it cannot be read the node does not start; where it cannot be written this
// process signs no more all the same.
func TestRetired(t *testing.T) {
	h := home(t)
	if err := os.WriteFile(h.retired(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := h.signer(t, blocks(4, 9, 0))
	if err := signAt(s, 5); !errors.Is(err, ErrRetired) || !errors.Is(s.fault(), ErrRetired) {
		t.Error(err)
	}
	if err := os.Remove(h.retired()); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(h.retired(), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := h.open(blocks(4, 9, 0)); err == nil {
		t.Error("it started, retired or not")
	}
	if err := os.Remove(h.retired()); err != nil {
		t.Fatal(err)
	}
	s = h.signer(t, blocks(4, 9, 0))
	if err := signAt(s, 5); err != nil {
		t.Fatal(err)
	}
	s.stored, s.home = blocks(5, 3, 1), Home(filepath.Join(string(h), "gone"))
	for range 2 {
		if err := signAt(s, 6); !errors.Is(err, ErrRetired) || !errors.Is(err, ErrAbandonedBranch) {
			t.Error(err)
		}
		s.stored = blocks(5, 9, 0)
	}
}

// TestValidatorSince: a key of the first epoch is searched for from the first block on, one that came later since its epoch.
func TestValidatorSince(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "verify", "certified", "testdata", "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Genesis string
		Epochs  []string
	}
	if err := json.Unmarshal(b, &vectors); err != nil {
		t.Fatal(err)
	}
	doc, err := genesis.Parse(unhex(t, vectors.Genesis))
	if err != nil {
		t.Fatal(err)
	}
	trust, err := certified.FromGenesis(doc)
	if err != nil {
		t.Fatal(err)
	}
	first := trust.Newest()
	proof, err := certified.ParseEpochProof(unhex(t, vectors.Epochs[0]))
	if err == nil {
		trust, err = trust.Advance(proof)
	}
	if err != nil {
		t.Fatal(err)
	}
	stayed, came := false, false
	for _, v := range trust.Newest().Validators() {
		old := slices.ContainsFunc(first.Validators(), func(w pb.Validator) bool { return bytes.Equal(v.Key, w.Key) })
		stayed, came = stayed || old, came || !old
		if since := validatorSince(trust, v.Key); old && since != 1 || !old && since != trust.Newest().FirstHeight() {
			t.Errorf("%s: since %d", v.Name, since)
		}
	}
	if !stayed || !came {
		t.Error("the vectors do not have both cases")
	}
	if since := validatorSince(trust, make([]byte, 32)); since != 1 {
		t.Error("a key that nobody has, since", since)
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// BenchmarkDecided measures what a height costs before its first signature: the block that was decided is written and synced.
func BenchmarkDecided(b *testing.B) {
	s := &signer{home: Home(b.TempDir()), stored: blocks(2, 9, 0)}
	if err := os.MkdirAll(filepath.Dir(s.home.decided()), 0o700); err != nil {
		b.Fatal(err)
	}
	height := int64(1)
	for b.Loop() {
		if err := s.decide(height); err != nil {
			b.Fatal(err)
		}
		height = 3 - height
	}
}
