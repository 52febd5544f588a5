package node

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
)

// stored are commits as CometBFT's store has them.
type stored map[int64]*cmttypes.Commit

func (s stored) Height() int64 {
	var newest int64
	for h := range s {
		newest = max(newest, h)
	}
	return newest
}

func (s stored) LoadSeenCommit(h int64) *cmttypes.Commit  { return s[h] }
func (s stored) LoadBlockCommit(h int64) *cmttypes.Commit { return s[h] }

// home returns a fresh home.
func home(t *testing.T) Home {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "node")
	if err := Init(dir, DefaultConfig()); err != nil {
		t.Fatal(err)
	}
	return Home(dir)
}

func (h Home) signer(t *testing.T, s stored) *signer {
	t.Helper()
	opened, err := openSigner(h.consensusKey(), h.signState(), s)
	if err != nil {
		t.Fatal(err)
	}
	opened.first = func() error { return nil }
	return opened
}

func vote(height int64, round int32, block byte) *cmtproto.Vote {
	hash := bytes.Repeat([]byte{block}, 32)
	return &cmtproto.Vote{
		Type: cmtproto.PrecommitType, Height: height, Round: round, Timestamp: time.Unix(1_700_000_000, 0),
		BlockID: cmtproto.BlockID{Hash: hash, PartSetHeader: cmtproto.PartSetHeader{Total: 1, Hash: hash}},
	}
}

// signedCommit is a commit that the key has signed.
func signedCommit(t *testing.T, h Home, height int64, round int32) *cmttypes.Commit {
	t.Helper()
	v, err := ValidatorOf(string(h))
	if err != nil {
		t.Fatal(err)
	}
	return &cmttypes.Commit{Height: height, Round: round, Signatures: []cmttypes.CommitSig{{
		BlockIDFlag: cmttypes.BlockIDFlagCommit, ValidatorAddress: consensusAddress(v.Key), Signature: make([]byte, 64),
	}}}
}

// TestSignerNeverSignsTwice: across restarts, one signature for one step; the same vote gets the same signature again.
func TestSignerNeverSignsTwice(t *testing.T) {
	h := home(t)
	first := vote(5, 0, 1)
	if err := h.signer(t, nil).SignVote("chain", first); err != nil {
		t.Fatal(err)
	}
	s := h.signer(t, nil)
	again := vote(5, 0, 1)
	if err := s.SignVote("chain", again); err != nil || !bytes.Equal(again.Signature, first.Signature) {
		t.Error("the same vote does not get the same signature", err)
	}
	for _, v := range []*cmtproto.Vote{vote(5, 0, 2), vote(4, 7, 1), vote(3, 0, 1)} {
		if err := s.SignVote("chain", v); err == nil || v.Signature != nil {
			t.Errorf("signed %d/%d after 5/0", v.Height, v.Round)
		}
	}
	proposal := &cmtproto.Proposal{Type: cmtproto.ProposalType, Height: 5, Round: 0, PolRound: -1, Timestamp: time.Unix(1_700_000_000, 0)}
	if err := s.SignProposal("chain", proposal); err == nil || proposal.Signature != nil {
		t.Error("a proposal is signed after the precommit of its round")
	}
	proposal.Height = 6
	if err := s.SignProposal("chain", proposal); err != nil || proposal.Signature == nil {
		t.Error(err)
	}
}

func TestSignStateMissing(t *testing.T) {
	h := home(t)
	if err := os.Remove(h.signState()); err != nil {
		t.Fatal(err)
	}
	for _, blocks := range []stored{nil, {7: &cmttypes.Commit{Height: 7}}} {
		if _, err := openSigner(h.consensusKey(), h.signState(), blocks); !errors.Is(err, ErrSignStateMissing) {
			t.Error(err)
		}
	}
	if _, err := os.Stat(h.signState()); err == nil {
		t.Error("a new one was made")
	}
}

func TestSignStateOld(t *testing.T) {
	h := home(t)
	if err := h.signer(t, nil).SignVote("chain", vote(5, 1, 1)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		blocks stored
		old    bool
	}{
		{"no block", nil, false},
		{"the same precommit", stored{5: signedCommit(t, h, 5, 1)}, false},
		{"an earlier round", stored{5: signedCommit(t, h, 5, 0)}, false},
		{"a later round", stored{5: signedCommit(t, h, 5, 2)}, true},
		{"a later height", stored{6: signedCommit(t, h, 6, 0)}, true},
		{"a later height below others", stored{6: signedCommit(t, h, 6, 0), 7: {Height: 7}, 9: {Height: 9}}, true},
		{"later heights of others", stored{5: signedCommit(t, h, 5, 1), 8: {Height: 8}}, false},
	} {
		_, err := openSigner(h.consensusKey(), h.signState(), c.blocks)
		if errors.Is(err, ErrSignStateOld) != c.old || !c.old && err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestSignStateForeign(t *testing.T) {
	h, other := home(t), home(t)
	if err := other.signer(t, nil).SignVote("chain", vote(5, 0, 1)); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(other.signState())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.signState(), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openSigner(h.consensusKey(), h.signState(), stored(nil)); !errors.Is(err, ErrSignStateForeign) {
		t.Error(err)
	}
	if err := os.WriteFile(h.signState(), b[:len(b)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openSigner(h.consensusKey(), h.signState(), stored(nil)); err == nil {
		t.Error("half a sign state is read")
	}
}

// TestSignerAfterAFailedSync: when the folder cannot be synced, the signature does not leave, and none after it.
func TestSignerAfterAFailedSync(t *testing.T) {
	h := home(t)
	s := h.signer(t, nil)
	dir := s.dir
	s.dir = filepath.Join(dir, "gone")
	v := vote(5, 0, 1)
	if err := s.SignVote("chain", v); err == nil || v.Signature != nil {
		t.Error("a signature left before the sign state was on the disk")
	}
	s.dir = dir
	if err := s.SignVote("chain", vote(6, 0, 1)); err == nil || s.fault() == nil {
		t.Error("it signs on")
	}
}

// TestSignerBegins: the first signature of a key waits for the permission, later ones do not.
func TestSignerBegins(t *testing.T) {
	h := home(t)
	s := h.signer(t, nil)
	refuse := errors.New("not yet")
	s.first = func() error { return refuse }
	v := vote(5, 0, 1)
	if err := s.SignVote("chain", v); !errors.Is(err, refuse) || v.Signature != nil {
		t.Error(err)
	}
	s.first = func() error { return nil }
	if err := s.SignVote("chain", vote(5, 0, 1)); err != nil {
		t.Error(err)
	}
	s = h.signer(t, nil)
	s.first = func() error { return refuse }
	if err := s.SignVote("chain", vote(6, 0, 1)); err != nil {
		t.Error("a key that has signed before is held up:", err)
	}
}

// TestInit: keys are for their owner only, and never overwritten.
func TestInit(t *testing.T) {
	h := home(t)
	for _, path := range []string{h.consensusKey(), h.p2pKey(), h.slipKey(), h.signState()} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", path, info.Mode(), err)
		}
	}
	before, err := ValidatorOf(string(h))
	if err != nil || len(before.Key) != 32 || len(before.NodeId) != 20 || len(before.SlipKey) != 32 || bytes.Equal(before.Key, before.SlipKey) {
		t.Fatal(before, err)
	}
	if err := Init(string(h), DefaultConfig()); err == nil {
		t.Error("a home is made over another")
	}
	if err := os.Remove(h.ConfigFile()); err != nil {
		t.Fatal(err)
	}
	if err := Init(string(h), DefaultConfig()); err == nil {
		t.Error("keys are overwritten")
	}
	if after, err := ValidatorOf(string(h)); err != nil || !bytes.Equal(after.Key, before.Key) {
		t.Error("the keys have changed")
	}
}
