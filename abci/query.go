package abci

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	abcitypes "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/crypto/merkle"
	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"

	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
)

// Codes of queries. They are no codes of transactions.
const (
	queryRefused  = 1 // the query, or the peer, is none that this node serves
	queryNotFound = 2 // no such record
	queryNoHeight = 3 // the height has no successor yet, or its state is not kept
)

// PathRecord is the path of queries for records.
const PathRecord = "/record"

// CometBFT asks the filters for every peer.
const (
	pathFilterID   = "/p2p/filter/id/"
	pathFilterAddr = "/p2p/filter/addr/"
)

// Query implements CometBFT's Application. It reads snapshots and takes no lock. /record with a record's key as data answers
// with value and proof under the AppHash of header height+1; height 0 is the newest height whose successor exists.
func (a *Application) Query(_ context.Context, req *abcitypes.RequestQuery) (*abcitypes.ResponseQuery, error) {
	if req.Path == PathRecord {
		return a.queryRecord(req), nil
	}
	if id, ok := strings.CutPrefix(req.Path, pathFilterID); ok {
		if allowed, err := a.Allowed(id); err != nil || !allowed {
			return refuseQuery(queryRefused, "node %s is no validator's, and not welcome by configuration (%v)", id, err), nil
		}
		return &abcitypes.ResponseQuery{}, nil
	}
	if strings.HasPrefix(req.Path, pathFilterAddr) {
		return &abcitypes.ResponseQuery{}, nil // an address identifies nobody; the id is asked next
	}
	return refuseQuery(queryRefused, "there is no path %q", req.Path), nil
}

func refuseQuery(code uint32, format string, args ...any) *abcitypes.ResponseQuery {
	return &abcitypes.ResponseQuery{Code: code, Log: fmt.Sprintf(format, args...)}
}

// Provable returns the snapshot of a height under the AppHash of a header that exists already; height 0 is the newest such. It
// fails with state.ErrPruned where the height has no successor yet, or where its snapshot is not kept any more.
func (a *Application) Provable(height int64) (*state.Snapshot, error) {
	tip := a.height()
	if height == 0 {
		height = tip - 1
	}
	if tip == 0 || height >= tip || height < 0 {
		return nil, fmt.Errorf("%w: block %d, which would carry the hash of the state after %d, does not exist yet", state.ErrPruned, height+1, height)
	}
	return a.ledger.At(height)
}

func (a *Application) queryRecord(req *abcitypes.RequestQuery) *abcitypes.ResponseQuery {
	snapshot, err := a.Provable(req.Height)
	if err != nil {
		return refuseQuery(queryNoHeight, "%v", err)
	}
	proof, err := snapshot.ProveRecord(string(req.Data))
	if err != nil {
		return refuseQuery(queryRefused, "%v", err)
	}
	if proof.Absent {
		return refuseQuery(queryNotFound, "height %d has no record %q; the gateway proves the absence", snapshot.Height(), req.Data)
	}
	index, total, err := snapshot.Place(string(req.Data))
	if err != nil {
		return refuseQuery(queryRefused, "%v", err)
	}
	leaf := proof.Leaves[0]
	return &abcitypes.ResponseQuery{
		Key: req.Data, Value: leaf.Value, Height: snapshot.Height(), Index: int64(index),
		ProofOps: &cmtcrypto.ProofOps{Ops: []cmtcrypto.ProofOp{valueOp(leaf, index, total).ProofOp()}},
	}
}

// valueOp translates a proof into the one operator that CometBFT's default proof runtime knows.
func valueOp(leaf *pb.RecordLeaf, index, total uint64) merkle.ValueOp {
	hash := leafHash(leaf.Key, leaf.Value)
	return merkle.NewValueOp([]byte(leaf.Key), &merkle.Proof{
		Total: int64(total), Index: int64(index), LeafHash: hash[:], Aunts: leaf.Path,
	})
}

// leafHash is the hash of a record's leaf, as CometBFT's ValueOp computes it (docs/spec section 5.3): SHA-256 of a zero byte, the
// key and the SHA-256 of the value, each with its length before it.
func leafHash(key string, value []byte) [32]byte {
	valueHash := sha256.Sum256(value)
	b := binary.AppendUvarint([]byte{0}, uint64(len(key)))
	b = append(b, key...)
	b = binary.AppendUvarint(b, uint64(len(valueHash)))
	return sha256.Sum256(append(b, valueHash[:]...))
}

// Allowed says whether a node, by its id of 40 hexadecimal digits, may connect: a validator's of the present or the announced
// set, or one that the configuration names.
func (a *Application) Allowed(id string) (bool, error) {
	if a.welcome[id] {
		return true, nil
	}
	validators, err := a.Validators()
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(validators, func(v pb.Validator) bool { return fmt.Sprintf("%x", v.NodeId) == id }), nil
}

// Validators returns the validators of the present set and of the announced one, before the first block those of the genesis
// document. One that stands in both comes twice.
func (a *Application) Validators() ([]pb.Validator, error) {
	newest := a.ledger.Newest()
	if newest == nil {
		var all []pb.Validator
		for i := range a.options.Genesis.Organisations {
			all = append(all, a.options.Genesis.Organisations[i].Validators...)
		}
		return all, nil
	}
	epochs, err := state.MustLoad[pb.ValidatorEpochs](newest, state.KeyValidators)
	if err != nil {
		return nil, err
	}
	return append(slices.Clone(epochs.Present.Validators), epochs.Next.Validators...), nil
}
