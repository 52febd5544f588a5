package client

import (
	"context"
	"time"
)

// ForgetBlock makes the ledger remember another block than the one that was certified, as if it had followed another branch.
func (l *Ledger) ForgetBlock() {
	l.mu.Lock()
	defer l.mu.Unlock()
	other := *l.newest.proven
	other.BlockID.Hash = append([]byte{other.BlockID.Hash[0] ^ 1}, other.BlockID.Hash[1:]...)
	v := *l.newest
	v.proven = &other
	l.newest = &v
}

// Impatient lets the ledger turn to the next node soon.
func (l *Ledger) Impatient() { l.patience = 200 * time.Millisecond }

// Epoch returns the number of the validator set that signed the state.
func (v *View) Epoch() uint64 { return v.proven.Epoch }

// Rival offers the ledger another certified state of its newest height.
func (l *Ledger) Rival(ctx context.Context) error {
	v := *l.shown()
	other := *v.proven
	child := *other.Child
	other.AppHash[0] ^= 1
	child.AppHash = other.AppHash[:]
	other.Child = &child
	v.proven, v.appHash = &other, other.AppHash
	return l.grow(ctx, &v)
}
