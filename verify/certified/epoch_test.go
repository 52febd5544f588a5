package certified_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

// without returns the validators of a set but for some, and more.
func without(e *pb.ValidatorEpoch, leaving []string, more ...pb.Validator) []pb.Validator {
	list := slices.DeleteFunc(slices.Clone(e.Validators), func(v pb.Validator) bool { return slices.Contains(leaving, v.Name) })
	return append(list, more...)
}

// TestTwoChanges follows a chain through two changes of validators, and verifies states of all three epochs in the end.
func TestTwoChanges(t *testing.T) {
	w := newWorld(t, equal)
	w.grow(3)
	first := w.announce(without(w.epochs[0], []string{"league-1"}, validator("league", "league-5", 1)))
	proofs := []*pb.EpochProof{w.epochProof(first + 1)}
	w.grow(first + handover + 2)
	second := w.announce(without(w.epochs[1], []string{"party-2", "party-3"}, validator("party", "party-6", 2)))
	w.grow(second + handover + 3)
	proofs = append(proofs, w.epochProof(second))

	trust, err := w.trust.Follow(proofs)
	if err != nil {
		t.Fatal(err)
	}
	if trust.Newest().Epoch() != 3 || trust.Newest().FirstHeight() != second+handover || trust.GenesisHash() != w.trust.GenesisHash() {
		t.Fatalf("%+v", trust.Newest())
	}
	if w.trust.Newest().Epoch() != 1 {
		t.Fatal("the trust of the first epoch has changed")
	}
	if again, err := trust.Follow(proofs); err != nil || again != trust {
		t.Fatal("known epochs were not passed over:", err)
	}
	if step, err := w.trust.Follow(proofs[:1]); err != nil || step.Newest().Epoch() != 2 {
		t.Fatal(err)
	} else if step, err = step.Follow(proofs); err != nil || step.Newest().Epoch() != 3 {
		t.Fatal(err)
	}
	for h := int64(1); h <= second+handover+2; h++ {
		s, err := trust.Verify(w.certify(h))
		if err != nil || s.AppHash != w.roots[h] {
			t.Fatalf("height %d: %v", h, err)
		}
		if want := w.epochAt(h + 1).Number; s.Epoch != want {
			t.Fatalf("height %d is of epoch %d, want %d", h, s.Epoch, want)
		}
	}
	// The first height that a set signs is the announced one, and neither set can stand in for the other.
	edge := first + handover
	old, fresh := names(w.epochs[0]), names(w.epochs[1])
	if _, err := trust.Verify(certificate(signed(w.headers[edge], 0, old...))); !errors.Is(err, certified.ErrSignature) {
		t.Fatal("the old set signed for the new one:", err)
	}
	if _, err := trust.Verify(certificate(signed(w.headers[edge-1], 0, fresh...))); !errors.Is(err, certified.ErrSignature) {
		t.Fatal("the new set signed for the old one:", err)
	}
	// Who does not know the next epoch says so.
	if _, err := w.trust.Verify(w.certify(edge)); !errors.Is(err, certified.ErrMismatch) || !strings.Contains(err.Error(), "later epochs") {
		t.Fatal("a state of an unknown epoch:", err)
	}
	if trust.At(0) != nil || trust.At(edge-1).Epoch() != 1 || trust.At(edge).Epoch() != 2 {
		t.Fatal("epochs begin at other heights")
	}
}

// TestAnnouncementsRefused: the state is certified, and what it announces breaks a rule.
func TestAnnouncementsRefused(t *testing.T) {
	keys := func(change func(next *pb.ValidatorEpoch)) func(*pb.ValidatorEpochs) {
		return func(r *pb.ValidatorEpochs) {
			change(&r.Next)
			r.Next.Validators = sorted(r.Next.Validators)
		}
	}
	for name, test := range map[string]struct {
		change func(r *pb.ValidatorEpochs)
		want   string
	}{
		"nothing announced": {func(r *pb.ValidatorEpochs) { r.Next = pb.ValidatorEpoch{} }, "announces none"},
		"a number again":    {func(r *pb.ValidatorEpochs) { r.Next.Number = 1 }, "epoch 1 is announced after 1"},
		"a number left out": {func(r *pb.ValidatorEpochs) { r.Next.Number = 3 }, "epoch 3 is announced after 1"},
		"begun already":     {func(r *pb.ValidatorEpochs) { r.Next.FirstHeight = 8 }, "before the block after"},
		"negative height":   {func(r *pb.ValidatorEpochs) { r.Next.FirstHeight = -1 << 63 }, "before the block after"},
		"another present":   {func(r *pb.ValidatorEpochs) { r.Present.Validators[0].Power++ }, "another present epoch"},
		"another first":     {func(r *pb.ValidatorEpochs) { r.Present.FirstHeight++ }, "another present epoch"},
		"an emptied party": {keys(func(n *pb.ValidatorEpoch) {
			n.Validators = without(n, []string{"party-1", "party-2", "party-3", "party-4"})
		}), "has no validator"},
		"a new organisation":  {keys(func(n *pb.ValidatorEpoch) { n.Validators = append(n.Validators, validator("others", "others-1", 1)) }), "there is no organisation"},
		"an unsorted list":    {func(r *pb.ValidatorEpochs) { slices.Reverse(r.Next.Validators) }, "ascending by key"},
		"power 0":             {func(r *pb.ValidatorEpochs) { r.Next.Validators[0].Power = 0 }, "power 0"},
		"two thirds":          {func(r *pb.ValidatorEpochs) { r.Next.Validators[0].Power = 5 }, "two thirds or more"},
		"another key's owner": {func(r *pb.ValidatorEpochs) { swapOwner(r.Next.Validators) }, "goes from"},
	} {
		w := newWorld(t, equal)
		w.grow(6)
		height := w.announce(w.epochs[0].Validators, func(r *pb.ValidatorEpochs) {
			r.Present.Validators, r.Next.Validators = slices.Clone(r.Present.Validators), slices.Clone(r.Next.Validators)
			test.change(r)
		})
		_, err := w.trust.Advance(w.epochProof(height))
		if !errors.Is(err, certified.ErrEpoch) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// swapOwner exchanges the organisations of two validators.
func swapOwner(list []pb.Validator) {
	for i := range list {
		if list[i].Organisation != list[0].Organisation {
			list[0].Organisation, list[i].Organisation = list[i].Organisation, list[0].Organisation
			return
		}
	}
}

// TestHandover: an epoch that begins sooner after the present one than the handover was never announced by honest validators.
func TestHandover(t *testing.T) {
	w := newWorld(t, equal)
	height := w.announce(w.epochs[0].Validators, func(r *pb.ValidatorEpochs) { r.Next.FirstHeight = 1 + handover })
	if _, err := w.trust.Advance(w.epochProof(height)); !errors.Is(err, certified.ErrEpoch) || !strings.Contains(err.Error(), "within the handover") {
		t.Fatal(err)
	}
}

// TestRetiredKeys: a key that has left comes back neither at once nor later.
func TestRetiredKeys(t *testing.T) {
	w := newWorld(t, equal)
	w.grow(2)
	first := w.announce(without(w.epochs[0], []string{"league-1"}))
	w.grow(first + handover)
	second := w.announce(without(w.epochs[1], []string{"party-1"}))
	w.grow(second + handover)
	trust, err := w.trust.Follow([]*pb.EpochProof{w.epochProof(first), w.epochProof(second)})
	if err != nil {
		t.Fatal(err)
	}
	third := w.announce(without(w.epochs[2], nil, validator("league", "league-1", 1)))
	if _, err := trust.Advance(w.epochProof(third)); !errors.Is(err, certified.ErrEpoch) || !strings.Contains(err.Error(), "comes back") {
		t.Fatal("a retired key came back:", err)
	}
}

// TestEpochProofsRefused: the announcement is good, and the proof of it is not.
func TestEpochProofsRefused(t *testing.T) {
	w := newWorld(t, equal)
	w.grow(3)
	height := w.announce(without(w.epochs[0], nil, validator("league", "league-5", 1), validator("party", "party-5", 1)))
	w.grow(height + handover + 2)
	good := w.epochProof(height)
	few := []string{"league-1", "league-2", "league-3", "party-1", "party-2"}
	forged := newWorld(t, equal) // another state under the same headers
	forged.grow(3)
	forged.announce(without(w.epochs[0], nil, validator("league", "evil", 1), validator("party", "party-5", 1)))
	for name, test := range map[string]struct {
		proof *pb.EpochProof
		want  error
	}{
		"nothing":           {nil, certified.ErrMalformed},
		"no record":         {&pb.EpochProof{State: good.State}, state.ErrProof},
		"uncertified":       {&pb.EpochProof{State: certificate(signed(w.headers[height+1], 0, few...)), Validators: good.Validators}, certified.ErrNotCertified},
		"an earlier state":  {&pb.EpochProof{State: w.certify(height - 1), Validators: good.Validators}, state.ErrProof},
		"before the news":   {w.epochProof(height - 1), certified.ErrEpoch},
		"another record":    {&pb.EpochProof{State: good.State, Validators: w.records[height][state.KeyChain]}, state.ErrProof},
		"a forged record":   {&pb.EpochProof{State: good.State, Validators: forged.records[height][state.KeyValidators]}, state.ErrProof},
		"of the next epoch": {w.epochProof(height + handover), certified.ErrMismatch},
		"at the edge":       {w.epochProof(height + handover - 1), certified.ErrMismatch},
	} {
		if _, err := w.trust.Advance(test.proof); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	// The last state whose successor the present set signs still serves.
	trust, err := w.trust.Advance(w.epochProof(height + handover - 2))
	if err != nil {
		t.Fatal(err)
	}
	// With the next epoch known, a state of the epoch before announces nothing any more.
	if _, err := trust.Advance(good); !errors.Is(err, certified.ErrEpoch) || !strings.Contains(err.Error(), "the newest known one is 2") {
		t.Fatal(err)
	}
	if _, err := trust.Advance(w.epochProof(height + handover)); !errors.Is(err, certified.ErrEpoch) {
		t.Fatal(err)
	}
}

// TestEarlier reaches every block from one certified state, and nothing else.
func TestEarlier(t *testing.T) {
	w := newWorld(t, equal)
	w.grow(12)
	s := must(w.trust.Verify(w.certify(11)))
	for block := int64(1); block <= 11; block++ {
		header, err := s.EarlierHeader(w.blockProof(11, block), must(w.headers[block].ToProto().Marshal()))
		if err != nil || header.Height != block {
			t.Fatalf("block %d: %v", block, err)
		}
		if before := w.roots[block-1]; string(header.AppHash) != string(before[:]) {
			t.Fatalf("block %d: another state", block)
		}
	}
	fork := *w.headers[4]
	fork.DataHash = digest("other")
	for name, test := range map[string]struct {
		change func(p *pb.BlockProof)
		want   error
	}{
		"no head":        {func(p *pb.BlockProof) { p.Head = nil }, state.ErrProof},
		"another head":   {func(p *pb.BlockProof) { p.Head = w.records[11][state.KeyChain] }, state.ErrProof},
		"an older head":  {func(p *pb.BlockProof) { *p = *w.blockProof(10, 4) }, state.ErrProof},
		"no leaf":        {func(p *pb.BlockProof) { p.Leaf = nil }, certified.ErrMismatch},
		"malformed leaf": {func(p *pb.BlockProof) { p.Leaf = append(p.Leaf, 0) }, certified.ErrMalformed},
		"long leaf":      {func(p *pb.BlockProof) { p.Leaf = make([]byte, certified.MaxLeafBytes+1) }, certified.ErrMalformed},
		"another leaf":   {func(p *pb.BlockProof) { p.Leaf = w.blockProof(11, 5).Leaf }, state.ErrProof},
		"another path":   {func(p *pb.BlockProof) { p.Path = w.blockProof(11, 5).Path }, state.ErrProof},
		"no path":        {func(p *pb.BlockProof) { p.Path = nil }, state.ErrProof},
		"a later block":  {func(p *pb.BlockProof) { p.Leaf = w.blockProof(12, 12).Leaf }, certified.ErrMismatch},
	} {
		p := clone(w.blockProof(11, 4))
		test.change(p)
		if _, err := s.Earlier(p); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	if _, err := s.Earlier(nil); !errors.Is(err, state.ErrProof) {
		t.Error("no proof:", err)
	}
	for name, h := range map[string]*cmttypes.Header{"another block": w.headers[5], "a fork": &fork} {
		if _, err := s.EarlierHeader(w.blockProof(11, 4), must(h.ToProto().Marshal())); !errors.Is(err, certified.ErrMismatch) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.EarlierHeader(w.blockProof(11, 4), nil); !errors.Is(err, certified.ErrMalformed) {
		t.Error("no header:", err)
	}
}

// TestLogMustEndWithTheBlock: a state whose blocks log does not end with the certified block is no state of that block.
func TestLogMustEndWithTheBlock(t *testing.T) {
	w := newWorld(t, equal)
	w.grow(4)
	h := *w.headers[4]
	h.LastBlockID = blockID(w.headers[2]) // the state after block 3, attested as the state after block 2
	s, err := w.trust.Verify(certificate(signed(&h, 0, names(w.epochs[0])...)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Earlier(w.blockProof(3, 3)); !errors.Is(err, certified.ErrMismatch) {
		t.Fatal(err)
	}
	h.Height, h.LastBlockID = 5, blockID(w.headers[4])
	if s, err = w.trust.Verify(certificate(signed(&h, 0, names(w.epochs[0])...))); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Earlier(w.blockProof(3, 3)); !errors.Is(err, certified.ErrMismatch) {
		t.Fatal(err)
	}
}

// TestLyingLog: a leaf that names another header than its height, time and chain say is refused, though a certified state
// holds it.
func TestLyingLog(t *testing.T) {
	for name, change := range map[string]func(h *cmttypes.Header){
		"another height": func(h *cmttypes.Header) { h.Height = 2 },
		"another time":   func(h *cmttypes.Header) { h.Time = h.Time.Add(1) },
		"another chain":  func(h *cmttypes.Header) { h.ChainID = "sample-2" },
	} {
		w := newWorld(t, equal)
		w.grow(2)
		other := *w.next()
		change(&other)
		w.lie = func(leaf *pb.BlockLeaf) { leaf.HeaderHash = other.Hash() }
		w.block(nil)
		w.lie = nil
		s := must(w.trust.Verify(w.certify(4)))
		if _, err := s.EarlierHeader(w.blockProof(4, 3), must(other.ToProto().Marshal())); !errors.Is(err, certified.ErrMismatch) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
