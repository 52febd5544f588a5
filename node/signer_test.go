package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/node/signing"
)

// stored are blocks and commits as CometBFT's store has them.
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

func (s stored) LoadBlockMeta(h int64) *cmttypes.BlockMeta {
	if s[h] == nil {
		return nil
	}
	return &cmttypes.BlockMeta{BlockID: s[h].BlockID}
}

// with returns the same blocks with other commits for some.
func (s stored) with(commits ...*cmttypes.Commit) stored {
	s = maps.Clone(s)
	for _, c := range commits {
		c.BlockID = s[c.Height].BlockID
		s[c.Height] = c
	}
	return s
}

// blocks returns a chain that others have signed: branches that fork after a height have the same blocks up to it.
func blocks(height, fork int64, branch byte) stored {
	s := stored{}
	for h := int64(1); h <= height; h++ {
		hash := bytes.Repeat([]byte{byte(h)}, 32)
		if h > fork {
			hash[0] = branch
		}
		s[h] = &cmttypes.Commit{Height: h, BlockID: cmttypes.BlockID{Hash: hash}}
	}
	return s
}

// TestRemoteKeyRules: what a node asks of its own key it asks of one that a signer has, too.
func TestRemoteKeyRules(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"never twice": TestSignerNeverSignsTwice, "state missing": TestSignStateMissing, "state old": TestSignStateOld,
		"state old after sync": TestSignStateOldAfterSync, "either commit": TestSignStateOldEitherCommit, "state old while signing": TestSignStateOldWhileSigning,
		"state old, fresh": TestSignStateOldFresh, "failed write": TestSignerAfterAFailedWrite, "begins": TestSignerBegins, "decided": TestDecided,
		"decided before signed": TestDecidedBeforeSigned, "decided, then killed": TestDecidedThenKilled, "abandoned branch": TestAbandonedBranch,
		"short chain": TestShortChain, "decided file": TestDecidedFile, "retired": TestRetired,
	} {
		t.Run(name, func(t *testing.T) {
			remoteHomes = map[Home]*remoteHome{}
			t.Cleanup(func() { remoteHomes = nil })
			test(t)
		})
	}
}

// remoteHomes are the homes of a test whose keys are with signers; nil where they are in the homes.
var remoteHomes map[Home]*remoteHome

// remoteHome is the signer of a home. It runs while the home is open.
type remoteHome struct {
	folder string
	keys   signing.Keys
	stop   func() error // nil before it is opened
}

// home returns a fresh home.
func home(t *testing.T) Home {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "node")
	if remoteHomes == nil {
		if err := Init(dir, DefaultConfig()); err != nil {
			t.Fatal(err)
		}
		return Home(dir)
	}
	r := &remoteHome{folder: dir + "-signer"}
	if err := signing.Init(r.folder); err != nil {
		t.Fatal(err)
	}
	var err error
	if r.keys, err = signing.PublicKeys(r.folder); err != nil {
		t.Fatal(err)
	}
	c := DefaultConfig()
	c.Signer = SignerConfig{Listen: "127.0.0.1:0", Key: signing.Hex(r.keys.Connection)}
	if err := InitRemote(dir, c, r.keys.Consensus); err != nil {
		t.Fatal(err)
	}
	remoteHomes[Home(dir)] = r
	t.Cleanup(func() {
		if err := r.close(); err != nil {
			t.Error(err)
		}
	})
	return Home(dir)
}

// state is the file of what the key has signed last, or was asked to sign.
func (h Home) state() string {
	if remoteHomes[h] != nil {
		return h.asked()
	}
	return h.signState()
}

// open opens the signer of a home over a chain.
func (h Home) open(s stored) (*signer, error) {
	var key signing.Key
	var err error
	if r := remoteHomes[h]; r != nil {
		key, err = r.open(h)
	} else {
		key, err = signing.OpenFileKey(h.consensusKey(), h.signState())
	}
	if err != nil {
		return nil, err
	}
	return openSigner(h, key, s, slog.New(slog.DiscardHandler))
}

func (r *remoteHome) close() error {
	if r.stop == nil {
		return nil
	}
	return r.stop()
}

// open opens the key anew, as a process does that was started again, and waits for the signer, which ends with the connection.
func (r *remoteHome) open(h Home) (signing.Key, error) {
	if err := r.close(); err != nil {
		return nil, err
	}
	own, err := signing.ConnectionKey(h.connectionKey())
	if err != nil {
		return nil, err
	}
	quiet := slog.New(slog.DiscardHandler)
	link, err := signing.Listen(signing.LinkOptions{
		Listen: "127.0.0.1:0", Own: own, Signer: r.keys.Connection, Consensus: r.keys.Consensus, Chain: "chain", Logger: quiet,
	})
	if err != nil {
		return nil, err
	}
	public, err := ConnectionKey(string(h))
	if err != nil {
		return nil, err
	}
	if err := signing.Pair(r.folder, signing.Pairing{Node: link.Addr(), NodeKey: signing.Hex(public), Chain: "chain"}); err != nil {
		return nil, err
	}
	s, err := signing.Open(r.folder, quiet)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- errors.Join(s.Run(ctx), s.Close()) }()
	r.stop = func() error {
		r.stop = nil
		cancel()
		return errors.Join(link.Close(), <-ended)
	}
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for _, err := link.Reached(); err != nil; _, err = link.Reached() {
		<-again.C
	}
	return signing.OpenRemoteKey(link, h.asked())
}

func (h Home) signer(t *testing.T, s stored) *signer {
	t.Helper()
	opened, err := h.open(s)
	if err != nil {
		t.Fatal(err)
	}
	opened.first = func() (int64, error) { return 1, nil }
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
	if err := h.signer(t, blocks(9, 9, 0)).SignVote("chain", first); err != nil {
		t.Fatal(err)
	}
	s := h.signer(t, blocks(9, 9, 0))
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
	for _, file := range []func(Home) string{Home.state, Home.decided} {
		h := home(t)
		if err := os.Remove(file(h)); err != nil {
			t.Fatal(err)
		}
		for _, chain := range []stored{nil, blocks(7, 7, 0)} {
			if _, err := h.open(chain); !errors.Is(err, ErrSignStateMissing) {
				t.Error(err)
			}
		}
		if _, err := os.Stat(file(h)); err == nil {
			t.Error("a new one was made")
		}
	}
}

// TestSignStateOld: a sign state from before one of the key's own stored signatures retires the key, at the start where the commit is
// there already, and else before the first signature after the blocks have come.
func TestSignStateOld(t *testing.T) {
	for _, c := range []struct {
		name          string
		height, round int64 // of the key's precommit that the chain holds
		old           bool
	}{
		{"the same precommit", 5, 1, false},
		{"an earlier round", 5, 0, false},
		{"a later round", 5, 2, true},
		{"a later height", 6, 0, true},
		{"a later height below many others", 7, 0, true},
	} {
		h := home(t)
		chain := blocks(20, 20, 0)
		if err := h.signer(t, chain).SignVote("chain", vote(5, 1, 1)); err != nil {
			t.Fatal(err)
		}
		if c.name == "a later height below many others" {
			chain = blocks(200, 200, 0)
		}
		chain = chain.with(signedCommit(t, h, c.height, int32(c.round)))
		s := h.signer(t, chain)
		if errors.Is(s.fault(), ErrSignStateOld) != c.old {
			t.Errorf("%s, at the start: %v", c.name, s.fault())
		}
		if err := checkOld(s, chain.Height()+1, c.old); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	h := home(t)
	prevote := vote(5, 1, 1)
	prevote.Type = cmtproto.PrevoteType
	if err := h.signer(t, blocks(4, 4, 0)).SignVote("chain", prevote); err != nil {
		t.Fatal(err)
	}
	if err := checkOld(h.signer(t, blocks(5, 5, 0).with(signedCommit(t, h, 5, 1))), 6, true); err != nil {
		t.Errorf("a later step: %v", err)
	}
}

// TestSignStateOldAfterSync: the blocks come between start and first signature, more of them than are searched at the start.
func TestSignStateOldAfterSync(t *testing.T) {
	for _, height := range []int64{0, 6, 2_900} {
		h := home(t)
		if err := h.signer(t, blocks(4, 4, 0)).SignVote("chain", vote(5, 0, 1)); err != nil {
			t.Fatal(err)
		}
		s := h.signer(t, blocks(5, 5, 0))
		if s.fault() != nil {
			t.Fatal(s.fault())
		}
		synced := blocks(3_000, 3_000, 0)
		if height > 0 {
			synced = synced.with(signedCommit(t, h, height, 0))
		}
		s.stored = synced
		if err := checkOld(s, 3_001, height > 0); err != nil {
			t.Errorf("signed at %d: %v", height, err)
		}
	}
}

// halfStored has commits of one kind only.
type halfStored struct {
	stored
	seen bool
}

func (s halfStored) LoadSeenCommit(h int64) *cmttypes.Commit {
	if s.seen {
		return s.stored[h]
	}
	return nil
}

func (s halfStored) LoadBlockCommit(h int64) *cmttypes.Commit {
	if s.seen {
		return nil
	}
	return s.stored[h]
}

// TestSignStateOldEitherCommit: a signature may stand in the next block, or only in the commit that this node saw.
func TestSignStateOldEitherCommit(t *testing.T) {
	for _, seen := range []bool{false, true} {
		h := home(t)
		if err := h.signer(t, blocks(4, 4, 0)).SignVote("chain", vote(5, 0, 1)); err != nil {
			t.Fatal(err)
		}
		s := h.signer(t, blocks(5, 5, 0))
		s.stored = halfStored{blocks(30, 30, 0).with(signedCommit(t, h, 9, 0)), seen}
		if err := checkOld(s, 31, true); err != nil {
			t.Errorf("seen %v: %v", seen, err)
		}
	}
}

// TestSignStateOldWhileSigning: a signature that another copy of the key made comes with a later block.
func TestSignStateOldWhileSigning(t *testing.T) {
	h := home(t)
	s := h.signer(t, blocks(4, 4, 0))
	if err := s.SignVote("chain", vote(5, 0, 1)); err != nil {
		t.Fatal(err)
	}
	s.stored = blocks(5, 5, 0).with(signedCommit(t, h, 5, 0))
	if err := checkOld(s, 6, false); err != nil {
		t.Error(err)
	}
	s.stored = blocks(6, 6, 0).with(signedCommit(t, h, 6, 1))
	if err := checkOld(s, 7, true); err != nil {
		t.Error(err)
	}
}

// TestSignStateOldFresh: a key with a fresh sign state is searched for since it is a validator's, and no further back.
func TestSignStateOldFresh(t *testing.T) {
	for since, old := range map[int64]bool{1: true, 50: true, 51: false} {
		h := home(t)
		s := h.signer(t, blocks(4, 4, 0))
		s.stored = blocks(3_000, 3_000, 0).with(signedCommit(t, h, 50, 0))
		s.first = func() (int64, error) { return since, nil }
		if err := checkOld(s, 3_001, old); err != nil {
			t.Errorf("since %d: %v", since, err)
		}
	}
}

// checkOld lets a signer sign at a height, and says what was not as it should be.
func checkOld(s *signer, height int64, old bool) error {
	v := vote(height, 0, 1)
	err := s.SignVote("chain", v)
	_, mark := os.Stat(s.home.retired())
	switch {
	case !old && (err != nil || mark == nil):
		return fmt.Errorf("not signed: %v, %v", err, mark)
	case old && (v.Signature != nil || !errors.Is(err, ErrSignStateOld) || !errors.Is(err, ErrRetired) || mark != nil):
		return fmt.Errorf("signed, or not retired: %v, %v", err, mark)
	}
	return nil
}

func TestSignStateForeign(t *testing.T) {
	h, other := home(t), home(t)
	if err := other.signer(t, blocks(9, 9, 0)).SignVote("chain", vote(5, 0, 1)); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(other.signState())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.signState(), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := h.open(stored(nil)); !errors.Is(err, ErrSignStateForeign) {
		t.Error(err)
	}
	if err := os.WriteFile(h.signState(), b[:len(b)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := h.open(stored(nil)); !errors.Is(err, signing.ErrSignStateDamaged) {
		t.Error("half a sign state is read")
	}
}

// TestSignerAfterAFailedWrite: when the sign state cannot be written, the signature does not leave, and none after it.
func TestSignerAfterAFailedWrite(t *testing.T) {
	h := home(t)
	s := h.signer(t, blocks(9, 9, 0))
	if err := s.SignVote("chain", vote(5, 0, 1)); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(h.signState())
	if err := os.Rename(dir, dir+".gone"); err != nil {
		t.Fatal(err)
	}
	v := vote(5, 1, 1)
	if err := s.SignVote("chain", v); !errors.Is(err, signing.ErrNotOnDisk) || v.Signature != nil {
		t.Error("a signature left before the sign state was on the disk", err)
	}
	if err := os.Rename(dir+".gone", dir); err != nil {
		t.Fatal(err)
	}
	if err := s.SignVote("chain", vote(6, 0, 1)); err == nil || s.fault() == nil {
		t.Error("it signs on")
	}
}

// TestSignerBegins: the first signature of a key waits for the permission, later ones do not.
func TestSignerBegins(t *testing.T) {
	h := home(t)
	s := h.signer(t, blocks(9, 9, 0))
	refuse := errors.New("not yet")
	s.first = func() (int64, error) { return 0, refuse }
	v := vote(5, 0, 1)
	if err := s.SignVote("chain", v); !errors.Is(err, refuse) || v.Signature != nil || s.waits() == nil || s.fault() != nil {
		t.Error(err)
	}
	s.first = func() (int64, error) { return 1, nil }
	if err := s.SignVote("chain", vote(5, 0, 1)); err != nil || s.waits() != nil {
		t.Error(err)
	}
	s = h.signer(t, blocks(9, 9, 0))
	s.first = func() (int64, error) { return 0, refuse }
	if err := s.SignVote("chain", vote(6, 0, 1)); err != nil {
		t.Error("a key that has signed before is held up:", err)
	}
}

// TestInit: keys are for their owner only, and never overwritten.
func TestInit(t *testing.T) {
	h := home(t)
	for _, path := range []string{h.consensusKey(), h.p2pKey(), h.slipKey(), h.signState(), h.decided()} {
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
