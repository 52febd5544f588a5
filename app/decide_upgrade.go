package app

import (
	"errors"
	"fmt"

	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// Protocol is the greatest protocol version whose rules this state machine knows; it knows all before it too. A ledger begins with 1.
const Protocol = 1

// ErrProtocol says that a block is made by the rules of a protocol version that this state machine does not know.
var ErrProtocol = errors.New("another program is needed")

// UpgradeSoftware: the rules of the next protocol version come into force behind a height that is still ahead. Spec 9.37.
func (d upgradeSoftware) check(r *reading) error {
	upgrades, err := loadUpgrades(r)
	if err != nil {
		return err
	}
	if last := lastUpgrade(upgrades); last != nil && last.Height >= r.height {
		return tx.Refuse(tx.CodeUpgradePending, "version %d comes after height %d", last.Version, last.Height)
	}
	if next := versionAt(upgrades, r.height) + 1; d.Version != next {
		return tx.Refuse(tx.CodeInvalidUpgrade, "the next version is %d, not %d", next, d.Version)
	}
	if d.Height <= r.height {
		return tx.Refuse(tx.CodeInvalidUpgrade, "height %d is not ahead of block %d", d.Height, r.height)
	}
	return nil
}

func (d upgradeSoftware) apply(w *writing) error {
	upgrades, err := loadUpgrades(w)
	if err != nil {
		return err
	}
	upgrades.Upgrades = append(upgrades.Upgrades, *d.UpgradeSoftware)
	w.save(state.KeyUpgrades, upgrades)
	return nil
}

// CancelUpgrade: an upgrade whose height is still ahead is taken back. Spec 9.38.
func (d cancelUpgrade) check(r *reading) error {
	upgrades, err := loadUpgrades(r)
	if err != nil {
		return err
	}
	if last := lastUpgrade(upgrades); last == nil || last.Height != d.Height || d.Height <= r.height {
		return tx.Refuse(tx.CodeNoUpgrade, "no upgrade at height %d is ahead of block %d", d.Height, r.height)
	}
	return nil
}

func (d cancelUpgrade) apply(w *writing) error {
	upgrades, err := loadUpgrades(w)
	if err != nil {
		return err
	}
	if upgrades.Upgrades = upgrades.Upgrades[:len(upgrades.Upgrades)-1]; len(upgrades.Upgrades) == 0 {
		w.DeleteRecord(state.KeyUpgrades)
		return nil
	}
	w.save(state.KeyUpgrades, upgrades)
	return nil
}

// endUpgrade tells consensus the version of the next height where it is another one.
func (x *execution) endUpgrade() error {
	upgrades, err := loadUpgrades(x)
	if err != nil {
		return err
	}
	if last := lastUpgrade(upgrades); last != nil && last.Height == x.height {
		x.outcome.Version = last.Version
	}
	return nil
}

// VersionAt returns the protocol version of a height, as far as a state knows: at least up to the height after its own.
func VersionAt(v state.View, height int64) (uint64, error) {
	upgrades, err := loadUpgrades(v)
	if err != nil {
		return 0, err
	}
	return versionAt(upgrades, height), nil
}

// Beyond returns the upgrade that this state machine does not know and that is in force at the height after a state; nil where it knows
// the rules of that height.
func (a *App) Beyond(v state.View) (*pb.UpgradeSoftware, error) {
	upgrades, err := loadUpgrades(v)
	if err != nil {
		return nil, err
	}
	for i := range upgrades.Upgrades {
		if u := &upgrades.Upgrades[i]; u.Height <= v.Height() && u.Version > a.protocol {
			return u, nil
		}
	}
	return nil, nil
}

// knows fails with ErrProtocol unless this state machine knows the rules of a height.
func (a *App) knows(v state.View, height int64) error {
	version, err := VersionAt(v, height)
	if err == nil && version > a.protocol {
		err = fmt.Errorf("%w: it knows protocol version %d, and block %d is of version %d", ErrProtocol, a.protocol, height, version)
	}
	return err
}

func loadUpgrades(v state.View) (*pb.Upgrades, error) {
	upgrades, err := state.Load[pb.Upgrades](v, state.KeyUpgrades)
	if upgrades == nil {
		upgrades = new(pb.Upgrades)
	}
	return upgrades, err
}

// lastUpgrade returns the newest upgrade, in force or ahead, nil where there is none.
func lastUpgrade(u *pb.Upgrades) *pb.UpgradeSoftware {
	if n := len(u.Upgrades); n > 0 {
		return &u.Upgrades[n-1]
	}
	return nil
}

// versionAt returns the version of a height: 1, or that of the last upgrade whose height is below.
func versionAt(u *pb.Upgrades, height int64) uint64 {
	version := uint64(1)
	for i := range u.Upgrades {
		if u.Upgrades[i].Height < height {
			version = u.Upgrades[i].Version
		}
	}
	return version
}
