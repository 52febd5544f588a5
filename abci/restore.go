package abci

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	abcitypes "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/proxy"

	"votenode/app"
	"votenode/app/state"
)

// Sink takes the stored form of a state, as store.Load does.
type Sink interface {
	Put(changes []state.Change) error
	Finish() error
}

// Restorer takes a snapshot in, chunk by chunk, and believes none: each is held against the AppHash of a certified state before anything of it
// is stored (docs/spec section 14.4). It is what CometBFT's state sync speaks to in a node that has nothing yet. CometBFT makes its calls one at a time.
type Restorer struct {
	proxy.AppConnQuery // of which nothing but Info is asked

	app   *app.App
	begin func(height int64) (Sink, error)
	log   *slog.Logger

	mu       sync.Mutex // guards what follows, against Stop
	stopped  bool
	rebuild  *state.Rebuild
	sink     Sink
	height   int64
	appHash  state.Hash
	restored bool
}

var (
	_ proxy.AppConnSnapshot = (*Restorer)(nil)
	_ proxy.AppConnQuery    = (*Restorer)(nil)
)

// NewRestorer returns a Restorer. begin is called for each snapshot that is tried, and drops what an earlier one has left.
func NewRestorer(app *app.App, begin func(height int64) (Sink, error), log *slog.Logger) *Restorer {
	return &Restorer{app: app, begin: begin, log: log}
}

// Stop returns when nothing is stored any more, and has CometBFT end its state sync when it asks next.
func (r *Restorer) Stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
}

// Begin takes a snapshot up that must be of the state with an AppHash. It fails with state.ErrSnapshot where the manifest does not show that.
func (r *Restorer) Begin(manifest []byte, height int64, appHash state.Hash) (err error) {
	if r.rebuild, err = state.NewRebuild(manifest, height, appHash); err != nil {
		return err
	}
	r.height, r.appHash, r.restored = height, appHash, false
	r.sink, err = r.begin(height)
	return err
}

// Take takes the next chunk, and stores it once it is verified. It fails as state.Rebuild does.
func (r *Restorer) Take(chunk []byte) error {
	changes, err := r.rebuild.Take(chunk)
	if err != nil {
		return err
	}
	for _, c := range changes {
		log, index, ok := state.LeafOf(c)
		if !ok {
			continue
		}
		key, value, err := r.app.IndexEntry(log, index, c.Value)
		if err != nil {
			return err
		}
		if key != nil {
			changes = append(changes, state.IndexChange(key, value))
		}
	}
	if err := r.sink.Put(changes); err != nil || !r.rebuild.Complete() {
		return err
	}
	if err := r.sink.Finish(); err != nil {
		return err
	}
	r.restored = true
	return nil
}

// Restored says whether a whole snapshot was taken in.
func (r *Restorer) Restored() bool { return r.restored }

// Error implements proxy.AppConnSnapshot.
func (r *Restorer) Error() error { return nil }

// ListSnapshots implements proxy.AppConnSnapshot: it has none to show.
func (r *Restorer) ListSnapshots(context.Context, *abcitypes.RequestListSnapshots) (*abcitypes.ResponseListSnapshots, error) {
	return new(abcitypes.ResponseListSnapshots), nil
}

// LoadSnapshotChunk implements proxy.AppConnSnapshot.
func (r *Restorer) LoadSnapshotChunk(context.Context, *abcitypes.RequestLoadSnapshotChunk) (*abcitypes.ResponseLoadSnapshotChunk, error) {
	return new(abcitypes.ResponseLoadSnapshotChunk), nil
}

// OfferSnapshot implements proxy.AppConnSnapshot. The AppHash is that of a certified state, so whoever offers another one lies.
func (r *Restorer) OfferSnapshot(_ context.Context, req *abcitypes.RequestOfferSnapshot) (*abcitypes.ResponseOfferSnapshot, error) {
	answer := func(result abcitypes.ResponseOfferSnapshot_Result) (*abcitypes.ResponseOfferSnapshot, error) {
		return &abcitypes.ResponseOfferSnapshot{Result: result}, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	offered := req.Snapshot
	switch {
	case r.stopped:
		return answer(abcitypes.ResponseOfferSnapshot_ABORT)
	case offered == nil || len(req.AppHash) != state.HashSize:
		return answer(abcitypes.ResponseOfferSnapshot_REJECT)
	case offered.Format != SnapshotFormat:
		return answer(abcitypes.ResponseOfferSnapshot_REJECT_FORMAT)
	}
	hash := sha256.Sum256(offered.Metadata)
	err := r.Begin(offered.Metadata, int64(offered.Height), state.Hash(req.AppHash))
	if err == nil && (!bytes.Equal(hash[:], offered.Hash) || r.rebuild.Chunks() != int(offered.Chunks)) {
		err = fmt.Errorf("%w: it is offered with another hash or number of chunks", state.ErrSnapshot)
	}
	if errors.Is(err, state.ErrSnapshot) {
		r.log.Warn("a snapshot is refused, and whoever offers it", "height", offered.Height, "reason", err)
		return answer(abcitypes.ResponseOfferSnapshot_REJECT_SENDER)
	}
	if err != nil {
		return nil, err
	}
	return answer(abcitypes.ResponseOfferSnapshot_ACCEPT)
}

// ApplySnapshotChunk implements proxy.AppConnSnapshot. A bad chunk is fetched again from another node, and nothing more from the one that sent it.
func (r *Restorer) ApplySnapshotChunk(_ context.Context, req *abcitypes.RequestApplySnapshotChunk) (*abcitypes.ResponseApplySnapshotChunk, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return &abcitypes.ResponseApplySnapshotChunk{Result: abcitypes.ResponseApplySnapshotChunk_ABORT}, nil
	}
	err := r.Take(req.Chunk)
	switch {
	case errors.Is(err, state.ErrChunk):
		r.log.Warn("a peer has sent a bad chunk; nothing more is taken from it", "peer", req.Sender, "chunk", req.Index, "reason", err)
		return &abcitypes.ResponseApplySnapshotChunk{
			Result: abcitypes.ResponseApplySnapshotChunk_RETRY, RefetchChunks: []uint32{req.Index}, RejectSenders: []string{req.Sender},
		}, nil
	case errors.Is(err, state.ErrSnapshot):
		r.log.Warn("a snapshot is refused", "height", r.height, "reason", err)
		return &abcitypes.ResponseApplySnapshotChunk{Result: abcitypes.ResponseApplySnapshotChunk_REJECT_SNAPSHOT}, nil
	case err != nil:
		return nil, err
	}
	return &abcitypes.ResponseApplySnapshotChunk{Result: abcitypes.ResponseApplySnapshotChunk_ACCEPT}, nil
}

// Info implements proxy.AppConnQuery: CometBFT asks whether the state that it wanted is there. The protocol version is left at 0: it is that of the
// certified header, which whoever restores holds against the records when all is there.
func (r *Restorer) Info(context.Context, *abcitypes.RequestInfo) (*abcitypes.ResponseInfo, error) {
	info := new(abcitypes.ResponseInfo)
	if r.restored {
		info.LastBlockHeight, info.LastBlockAppHash = r.height, r.appHash[:]
	}
	return info, nil
}
