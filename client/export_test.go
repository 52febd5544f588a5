package client

import "time"

// Impatient lets the ledger turn to the next node soon.
func (l *Ledger) Impatient() { l.patience = 200 * time.Millisecond }

// Epoch returns the number of the validator set that signed the state.
func (v *View) Epoch() uint64 { return v.proven.Epoch }
