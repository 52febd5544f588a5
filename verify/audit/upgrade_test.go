package audit_test

import (
	"errors"
	"testing"

	"votenode/app"
	"votenode/genesis"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/audit"
)

// upgraded returns a ledger that goes on behind an upgrade to version 2, whose last height under version 1 it returns, too.
func upgraded(t *testing.T) (*rehearsal.Ledger, int64) {
	l := rehearsal.New(t)
	l.Make(1)
	last := l.Height() + 8
	l.Resolve(&pb.Resolution{Decision: &pb.Resolution_UpgradeSoftware{
		UpgradeSoftware: &pb.UpgradeSoftware{Height: last, Version: 2, Binary: make([]byte, 32)},
	}})
	for l.Height() < last {
		l.Make(1)
	}
	parameters := l.Genesis.Parameters
	parameters.Limits.BlockBytes = 5 << 20
	l.Resolve(&pb.Resolution{Decision: &pb.Resolution_ChangeParameters{ChangeParameters: &pb.ChangeParameters{Parameters: parameters}}})
	for range 4 {
		l.Make(1)
	}
	return l, last
}

// TestUpgradedLedger: an audit passes over an upgrade where the program knows the version, and is not done where it does not; nobody is
// accused of that.
func TestUpgradedLedger(t *testing.T) {
	l, last := upgraded(t)
	hash := genesis.Hash(l.Genesis)
	report, err := audit.Run(t.Context(), l.Record(l.Blocks), audit.Options{GenesisHash: &hash, Protocol: 2})
	if err != nil || !report.Passed {
		t.Fatalf("%v %v", report.Failure(), err)
	}
	if _, err := audit.Run(t.Context(), l.Record(l.Blocks), audit.Options{GenesisHash: &hash}); !errors.Is(err, app.ErrProtocol) {
		t.Error(err)
	}
	// Up to the height of the upgrade, and the block behind it that is not executed, any program will do.
	report, err = audit.Run(t.Context(), l.Record(l.Blocks[:last+1]), audit.Options{GenesisHash: &hash})
	if err != nil || !report.Passed {
		t.Errorf("%v %v", report.Failure(), err)
	}
}

// TestVersionInHeaders: the version changes behind the height of the upgrade and nowhere else.
func TestVersionInHeaders(t *testing.T) {
	l, last := upgraded(t)
	hash := genesis.Hash(l.Genesis)
	for at, version := range map[int64]uint64{last: 2, last + 1: 1, last + 3: 3} {
		blocks := rehearsal.Clone(l.Blocks)
		blocks[at-1].Version.App = version
		l.Seal(blocks)
		report, err := audit.Run(t.Context(), l.Record(blocks), audit.Options{GenesisHash: &hash, Protocol: 3})
		if err != nil {
			t.Fatal(err)
		}
		if failed := report.Failure(); failed == nil || failed.Name != "headers" {
			t.Errorf("height %d with version %d: %v", at, version, failed)
		}
	}
}
