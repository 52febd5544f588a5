package certified_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"

	"votenode/app/election"
	"votenode/app/organisation"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

var update = flag.Bool("update", false, "rewrite the vectors")

const vectorFile = "testdata/vectors.json"

// vectors is the form of testdata/vectors.json (spec 6.9). All bytes are lower-case hex.
type vectors struct {
	Comment string `json:"comment"`
	// Genesis is the canonical document; verification starts from GenesisHash.
	Genesis     string `json:"genesis"`
	GenesisHash string `json:"genesis_hash"`
	// ValidatorsHash is that of the first epoch's headers.
	ValidatorsHash string `json:"validators_hash"`
	// Vote is what one precommit of the first state's first child signs.
	Vote struct {
		Key       string `json:"key"`
		Message   string `json:"message"`
		Signature string `json:"signature"`
	} `json:"vote"`
	// Epochs are EpochProofs, to be followed in order before States are verified.
	Epochs []string      `json:"epochs"`
	States []stateVector `json:"states"`
	Blocks []blockVector `json:"blocks"`
}

// stateVector is a CertifiedState and what it shows; or the error.
type stateVector struct {
	Name      string `json:"name"`
	State     string `json:"state"`
	Error     string `json:"error,omitempty"`
	Height    int64  `json:"height,omitempty"`
	Epoch     uint64 `json:"epoch,omitempty"`
	BlockHash string `json:"block_hash,omitempty"`
	AppHash   string `json:"app_hash,omitempty"`
	Certified bool   `json:"certified"`
	Committed bool   `json:"committed"`
}

// blockVector is a BlockProof with a header, under the state with this name.
type blockVector struct {
	State  string `json:"state"`
	Proof  string `json:"proof"`
	Header string `json:"header"`
	Height int64  `json:"height"`
}

func TestVectors(t *testing.T) {
	if *update {
		b, err := json.MarshalIndent(makeVectors(t), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorFile, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	made := must(json.MarshalIndent(makeVectors(t), "", "  "))
	if !bytes.Equal(stored, append(made, '\n')) {
		t.Error("the vectors are not what is generated; look at the difference, then run with -update")
	}
	var v vectors
	if err := json.Unmarshal(stored, &v); err != nil {
		t.Fatal(err)
	}
	checkVectors(t, &v)
}

// checkVectors verifies the stored vectors from the genesis hash on.
func checkVectors(t *testing.T, v *vectors) {
	doc := new(pb.Genesis)
	if err := election.Decode(unhex(v.Genesis), doc); err != nil {
		t.Fatal(err)
	}
	trust := must(certified.FromGenesis(doc))
	if hash := trust.GenesisHash(); hex.EncodeToString(hash[:]) != v.GenesisHash {
		t.Fatal("another genesis hash")
	}
	for _, p := range v.Epochs {
		trust = must(trust.Advance(must(certified.ParseEpochProof(unhex(p)))))
	}
	states := map[string]*certified.State{}
	for _, test := range v.States {
		s, err := inspect(trust, unhex(test.State))
		if kind(err) != test.Error {
			t.Errorf("%s: %v, want %s", test.Name, err, test.Error)
		}
		if err != nil {
			continue
		}
		states[test.Name] = s
		if got := describe(test.Name, test.State, s); got != test {
			t.Errorf("%+v\n%+v", got, test)
		}
	}
	for _, test := range v.Blocks {
		p := new(pb.BlockProof)
		if err := election.Decode(unhex(test.Proof), p); err != nil {
			t.Fatal(err)
		}
		h, err := states[test.State].EarlierHeader(p, unhex(test.Header))
		if err != nil || h.Height != test.Height {
			t.Errorf("block %d: %v", test.Height, err)
		}
	}
}

func inspect(trust *certified.Trust, b []byte) (*certified.State, error) {
	s, err := certified.ParseState(b)
	if err != nil {
		return nil, err
	}
	return trust.Inspect(s)
}

// kind names the class of an error, as spec 6.3 does.
func kind(err error) string {
	for name, class := range map[string]error{
		"malformed": certified.ErrMalformed, "mismatch": certified.ErrMismatch, "signature": certified.ErrSignature,
	} {
		if errors.Is(err, class) {
			return name
		}
	}
	return ""
}

func describe(name, state string, s *certified.State) stateVector {
	return stateVector{
		Name: name, State: state, Height: s.Height, Epoch: s.Epoch, BlockHash: fmt.Sprintf("%x", []byte(s.BlockID.Hash)),
		AppHash: hex.EncodeToString(s.AppHash[:]), Certified: s.Certified, Committed: s.Committed,
	}
}

func unhex(s string) []byte { return must(hex.DecodeString(s)) }

// makeVectors builds a chain with one change of validators and offers good and bad evidence about it.
func makeVectors(t *testing.T) *vectors {
	w := newWorld(t, []party{{"league", []int64{2, 2, 1, 1}}, {"party", []int64{1, 1, 1, 1}}})
	w.grow(3)
	first := w.announce(without(w.epochs[0], []string{"league-1"}, validator("league", "league-5", 2)))
	w.grow(first + handover + 2)
	proof := w.epochProof(first)
	v := &vectors{
		Comment:        "made by TestVectors of verify/certified; run it with -update to make them again",
		Genesis:        hex.EncodeToString(election.Encode(w.doc)),
		ValidatorsHash: hex.EncodeToString(validatorsHash(organisation.FirstEpoch(w.doc).Validators)),
		Epochs:         []string{hex.EncodeToString(election.Encode(proof))},
	}
	hash := w.trust.GenesisHash()
	v.GenesisHash = hex.EncodeToString(hash[:])
	h := w.headers[3]
	v.Vote.Key = hex.EncodeToString(publicKey("league-2"))
	v.Vote.Signature = hex.EncodeToString(vote("league-2", h, 1, nil).Signature)
	v.Vote.Message = hex.EncodeToString(voteMessage("league-2", h, 1))

	trust := must(w.trust.Advance(proof))
	everybody, short := names(w.epochs[0]), []string{"league-1", "league-2", "party-1", "party-2", "party-3"}
	sibling := *h
	sibling.DataHash = digest("other")
	otherState := *h
	otherState.AppHash = digest("other")
	flipped := signed(h, 0, everybody...)
	flipped.Precommits[0].Signature[0] ^= 1
	unsorted := signed(h, 0, everybody...)
	unsorted.Precommits[0], unsorted.Precommits[1] = unsorted.Precommits[1], unsorted.Precommits[0]
	for _, c := range []struct {
		name  string
		state *pb.CertifiedState
	}{
		{"everybody", certificate(signed(h, 1, everybody...))},
		{"newest", w.certify(first + handover + 1)},
		{"league has exactly two thirds", certificate(signed(h, 0, short...))},
		{"two rounds and a sibling", certificate(signed(h, 0, "league-1", "league-2", "party-1"), signed(h, 2, "league-3", "party-2"), signed(&sibling, 2, "party-3"))},
		{"one key in two rounds", certificate(signed(h, 0, short...), signed(h, 1, "league-1"))},
		{"children with different states", certificate(signed(h, 0, short...), signed(&otherState, 0, "league-3"))},
		{"the first block", certificate(signed(w.headers[1], 0, everybody...))},
		{"a flipped signature", certificate(flipped)},
		{"the old set in the new epoch", certificate(signed(w.headers[first+handover], 0, everybody...))},
		{"precommits out of order", certificate(unsorted)},
		{"no child", certificate()},
	} {
		encoded := hex.EncodeToString(election.Encode(c.state))
		s, err := inspect(trust, unhex(encoded))
		if err != nil {
			v.States = append(v.States, stateVector{Name: c.name, State: encoded, Error: kind(err)})
			continue
		}
		v.States = append(v.States, describe(c.name, encoded, s))
	}
	height := first + handover + 1
	for _, block := range []int64{1, 5, height} {
		v.Blocks = append(v.Blocks, blockVector{
			State: "newest", Height: block, Proof: hex.EncodeToString(election.Encode(w.blockProof(height, block))),
			Header: hex.EncodeToString(must(w.headers[block].ToProto().Marshal())),
		})
	}
	return v
}

// fuzzSeeds is what the fuzz targets start from: a chain, the proof of its second epoch, and a certified state.
func fuzzSeeds(f *testing.F) (w *world, proof *pb.EpochProof, s *pb.CertifiedState) {
	w = newWorld(f, equal)
	w.grow(3)
	first := w.announce(without(w.epochs[0], []string{"league-1"}))
	w.grow(first + handover)
	return w, w.epochProof(first), w.certify(2)
}

func FuzzState(f *testing.F) {
	w, _, s := fuzzSeeds(f)
	f.Add(election.Encode(s))
	f.Add(election.Encode(certificate(signed(w.headers[3], 1, "league-1"), signed(w.headers[3], 2, "league-1"))))
	f.Fuzz(func(t *testing.T, b []byte) {
		parsed, err := certified.ParseState(b)
		if err != nil {
			return
		}
		if !bytes.Equal(election.Encode(parsed), b) {
			t.Fatal("a second encoding was accepted")
		}
		// Whatever is certified is the chain's own: nobody but the fuzz seeds has signed.
		if got, err := w.trust.Verify(parsed); err == nil && (got.Height != 2 || got.AppHash != w.roots[2]) {
			t.Fatalf("forged: %+v", got)
		}
	})
}

func FuzzEpochProof(f *testing.F) {
	w, proof, _ := fuzzSeeds(f)
	f.Add(election.Encode(proof))
	f.Fuzz(func(t *testing.T, b []byte) {
		parsed, err := certified.ParseEpochProof(b)
		if err != nil {
			return
		}
		trust, err := w.trust.Advance(parsed)
		if err == nil && !bytes.Equal(trust.Newest().Validators()[0].Key, w.epochs[1].Validators[0].Key) {
			t.Fatal("forged")
		}
	})
}

func FuzzBlock(f *testing.F) {
	w, _, _ := fuzzSeeds(f)
	s := must(w.trust.Verify(w.certify(5)))
	f.Add(election.Encode(w.blockProof(5, 2)), must(w.headers[2].ToProto().Marshal()))
	f.Fuzz(func(t *testing.T, proof, header []byte) {
		p := new(pb.BlockProof)
		if election.Decode(proof, p) != nil {
			return
		}
		h, err := s.EarlierHeader(p, header)
		if err == nil && !bytes.Equal(h.Hash(), w.headers[h.Height].Hash()) {
			t.Fatal("forged")
		}
	})
}
