package vectors

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"testing"

	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/genesis"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

// The record that all vectors are about, the election of it that is held, and the poll beside it.
var recordPath = filepath.Join("..", "..", "verify", "audit", "testdata", "record")

const (
	primary = "primary"
	poll    = "poll"
)

// hexBytes stands in JSON as lower-case hexadecimal digits.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// many brings byte strings into the type that stands as digits.
func many[T ~[]byte](list []T) []hexBytes {
	out := make([]hexBytes, len(list))
	for i, b := range list {
		out[i] = hexBytes(b)
	}
	return out
}

// world is the ledger of the record.
type world struct {
	*rehearsal.Ledger
	t     testing.TB
	trust *certified.Trust
	// transactions of the blocks 1 to last, in order.
	transactions []*transaction
	manifest     *pb.Manifest
	// blocks are those so far, while the record is replayed.
	blocks []*cmttypes.Block
	// branch is another ledger that parts from the record before branchHeight.
	branch *rehearsal.Ledger
	// refused are the changed transactions, in the order of refusals, each tried in the state before its block.
	refused []refusedTransaction
}

// transaction is a transaction of the record that can be read.
type transaction struct {
	*tx.Parsed
	height int64
	index  int
	code   tx.Code
}

// newWorld replays the record.
func newWorld(t testing.TB) *world {
	w := &world{t: t, refused: make([]refusedTransaction, len(refusals))}
	w.Ledger = rehearsal.Replay(t, files(), w.try)
	for h := int64(1); h <= w.last(); h++ {
		for i, raw := range w.BlockAt(h).Txs {
			w.transactions = append(w.transactions, &transaction{must(tx.Parse(raw)), h, i, w.Results[h-1][i].Code})
		}
	}
	var err error
	w.trust, _, err = certified.FromLedgerState(genesis.Hash(w.Genesis), w.LedgerState(w.last()-1))
	w.must(err)
	w.manifest = new(pb.Manifest)
	for _, p := range w.of(tx.KindPublishDocument) {
		m := new(pb.Manifest)
		w.must(election.Decode(p.Body().(*pb.PublishDocument).Chunk, m))
		if m.Election == primary {
			w.manifest = m
		}
	}
	return w
}

// last is the height of the last block that is executed: the block behind it is there for its commit only. Spec 10.4.
func (w *world) last() int64 { return w.Height() - 1 }

// of returns the transactions of a kind that took effect.
func (w *world) of(kind tx.Kind) []*transaction {
	var list []*transaction
	for _, p := range w.transactions {
		if p.Kind() == kind && p.code == tx.CodeOK {
			list = append(list, p)
		}
	}
	return list
}

// at returns the state after a height.
func (w *world) at(height int64) *state.Snapshot { return must(w.StateAt(height)) }

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// load returns a record of the state after a height.
func load[M any, P interface {
	*M
	election.Message
}](w *world, height int64, key string) *M {
	return must(state.MustLoad[M, P](w.at(height), key))
}

// electionAt returns the record of the election after a height.
func (w *world) electionAt(height int64) *pb.Election {
	return load[pb.Election](w, height, state.ElectionKey(primary))
}

// slots returns the number of slots of the election.
func (w *world) slots() int { return election.Slots(w.manifest) }

// keyOf finds the private key of a signer among the names that the rehearsal makes keys of.
func keyOf(public []byte) ed25519.PrivateKey {
	for _, o := range rehearsal.Organisations {
		for _, role := range []string{"officer %d", "registrar %d", "trustee %d", "validator %d slip"} {
			for n := 1; n <= 5; n++ {
				key := rehearsal.Key(o + " " + fmt.Sprintf(role, n))
				if bytes.Equal(key.Public().(ed25519.PublicKey), public) {
					return key
				}
			}
		}
	}
	panic(fmt.Sprintf("nobody has the key %x", public))
}

// validatorsOf returns the set of a height in CometBFT's order: by descending power, then ascending address. Spec 6.2.
func (w *world) validatorsOf(height int64) *cmttypes.ValidatorSet {
	return rehearsal.ValidatorSet(w.trust.At(height).Validators())
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
