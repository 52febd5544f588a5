package readable

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"votenode/app/state"
	"votenode/app/tx"
	"votenode/client"
	pb "votenode/proto/votenode/v1"
)

// Resolution is a resolution for people, as it stands in a certified state.
type Resolution struct {
	Hash   string
	Status string
	Record *pb.ResolutionRecord
}

// Open says whether the resolution can still take effect.
func (s *Resolution) Open() bool { return s.Status == StatusOpen }

// StatusOpen is the status of a resolution that can still take effect.
const StatusOpen = "open"

// LoadResolution returns a resolution by its hash. It fails with ErrAbsent.
func LoadResolution(ctx context.Context, r client.Reader, hash []byte) (*Resolution, error) {
	record, err := client.Find[pb.ResolutionRecord](ctx, r, state.ResolutionKey(hash), fmt.Sprintf("resolution %x", hash))
	if err != nil {
		return nil, err
	}
	return &Resolution{Hash: hex.EncodeToString(hash), Status: statusOf(record, r.Height()), Record: record}, nil
}

// AwaitResolution returns a resolution as soon as it is certified. It fails with ErrAbsent where what is committed now does not hold it.
func AwaitResolution(ctx context.Context, l *client.Ledger, hash []byte) (*Resolution, error) {
	tip, err := l.Tip(ctx)
	if err != nil {
		return nil, err
	}
	var found *Resolution
	_, err = l.Until(ctx, func(ctx context.Context, v *client.View) (bool, error) {
		found, err = LoadResolution(ctx, v, hash)
		if errors.Is(err, client.ErrAbsent) && v.Height() < tip {
			return false, nil
		}
		return err == nil, err
	})
	return found, err
}

// statusOf puts the state of a resolution into words, with the reason where it was refused.
func statusOf(record *pb.ResolutionRecord, height int64) string {
	status := StatusOf(record, height)
	if record.Status == pb.RESOLUTION_REFUSED {
		status += ": " + tx.Code(record.Code).String()
	}
	return status
}

// StatusOf puts the state of a resolution after a height into a word: open, effective, refused or expired.
func StatusOf(record *pb.ResolutionRecord, height int64) string {
	switch {
	case record.Status == pb.RESOLUTION_EFFECTIVE:
		return "effective"
	case record.Status == pb.RESOLUTION_REFUSED:
		return "refused"
	case height > record.Expires:
		return "expired"
	}
	return StatusOpen
}

// Resolutions lists all resolutions, sorted by hash: each is proven, and that none is missing.
func Resolutions(ctx context.Context, v *client.View) ([]*Resolution, error) {
	var all []*Resolution
	for key, err := range v.Keys(ctx, state.ResolutionPrefix) {
		if err != nil {
			return nil, err
		}
		hash, err := hex.DecodeString(strings.TrimPrefix(key, state.ResolutionPrefix))
		if err != nil {
			return nil, fmt.Errorf("record %q: %w", key, err)
		}
		shown, err := LoadResolution(ctx, v, hash)
		if err != nil {
			return nil, err
		}
		all = append(all, shown)
	}
	return all, nil
}
