package demo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"votenode/internal/network"
)

// exitVerification is the exit code of the program when a verification failed.
const exitVerification = 3

// export writes the record of the election into a folder that stays.
func (r *run) export(ctx context.Context) error {
	folder := r.Record
	if folder == "" {
		parent, err := os.MkdirTemp("", "votenode-record-")
		if err != nil {
			return err
		}
		folder = filepath.Join(parent, "record")
	}
	args := []string{"export", folder, "--genesis-hash", r.network.HashHex()}
	for _, address := range r.network.Addresses() {
		args = append(args, "--node", address)
	}
	if _, err := r.network.Run(ctx, args...); err != nil {
		if r.Record == "" {
			err = errors.Join(err, os.RemoveAll(filepath.Dir(folder)))
		}
		return err
	}
	r.report.Record = folder
	var err error
	if r.report.RecordBytes, err = network.Allocated(folder); err != nil {
		return err
	}
	r.say("record exported to %s", folder)
	return nil
}

// audit has another process audit the record: it is told the folder and the genesis hash, and kept from the network where the
// system can do that.
func (r *run) audit(ctx context.Context) error {
	r.report.Audit = "failed"
	_, offline, err := r.network.RunOffline(ctx, "audit", r.report.Record, "--genesis-hash", r.network.HashHex())
	r.report.AuditOffline = offline
	var failed *network.CommandError
	if errors.As(err, &failed) && failed.Code == exitVerification {
		r.report.AuditTalk = failed.Talk
		r.say("the audit fails: %s", failed.Talk)
		return nil
	}
	if err == nil {
		r.report.Audit = "passed"
		r.say("audit passed")
	}
	return err
}

// auditDamaged flips one bit in the middle of the largest file of a copy: the audit must fail and name the check.
func (r *run) auditDamaged(ctx context.Context, folder string) error {
	damaged, err := copyRecord(r.report.Record, folder)
	if err != nil {
		return err
	}
	if err := flip(damaged); err != nil {
		return err
	}
	_, _, err = r.network.RunOffline(ctx, "audit", folder, "--genesis-hash", r.network.HashHex())
	var failed *network.CommandError
	if !errors.As(err, &failed) || failed.Code != exitVerification {
		return fmt.Errorf("a bit was flipped in %s, and the audit did not notice: %w", damaged, err)
	}
	lines := strings.Split(failed.Talk, "\n")
	r.report.Damaged = strings.TrimPrefix(lines[len(lines)-1], "votenode: ")
	r.say("one bit flipped in a copy: exit %d, %s", failed.Code, r.report.Damaged)
	return nil
}

// copyRecord makes a copy whose largest file is its own and whose others are links, and returns the largest.
func copyRecord(from, to string) (largest string, err error) {
	var size int64 = -1
	err = filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		if d.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Size() > size {
			size, largest = info.Size(), target
		}
		if err := os.Link(name, target); err == nil {
			return nil
		}
		return copyFile(name, target) // another file system
	})
	if err != nil {
		return "", err
	}
	relative, err := filepath.Rel(to, largest)
	if err != nil {
		return "", err
	}
	return largest, errors.Join(os.Remove(largest), copyFile(filepath.Join(from, relative), largest))
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o600)
}

// flip changes the lowest bit of the byte in the middle of a file.
func flip(name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if len(b) == 0 {
		return fmt.Errorf("%s is empty", name)
	}
	b[len(b)/2] ^= 1
	return os.WriteFile(name, b, 0o600)
}
