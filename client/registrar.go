package client

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// Registrar sends the parts of the roll of an election.
type Registrar struct {
	Ledger *Ledger
	Key    ed25519.PrivateKey
}

// RollEntries returns the whole roll of an election as it stands in a view.
func RollEntries(ctx context.Context, v *View, electionID string) ([]pb.RollEntry, error) {
	var entries []pb.RollEntry
	err := v.Leaves(ctx, state.LogRoll(electionID), func() { entries = nil }, func(_ uint64, leaf []byte) error {
		var e pb.RollEntry
		err := election.Decode(leaf, &e)
		entries = append(entries, e)
		return err
	})
	return entries, err
}

// missingEntries returns those wanted entries that a roll does not hold, in their order. It fails where a key stands twice or has
// another ballot style in the roll.
func missingEntries(roll, wanted []pb.RollEntry) ([]pb.RollEntry, error) {
	styles := make(map[string]uint32, len(roll))
	for _, e := range roll {
		styles[string(e.Key)] = e.Style
	}
	seen := make(map[string]bool, len(wanted))
	var missing []pb.RollEntry
	for i, e := range wanted {
		style, there := styles[string(e.Key)]
		switch {
		case seen[string(e.Key)]:
			return nil, fmt.Errorf("entry %d: the key %x stands twice", i+1, e.Key)
		case there && style != e.Style:
			return nil, fmt.Errorf("entry %d: the roll has the key %x with ballot style %d, not %d", i+1, e.Key, style, e.Style)
		case !there:
			missing = append(missing, e)
		}
		seen[string(e.Key)] = true
	}
	return missing, nil
}

// partOfRoll returns how many entries go into one transaction.
func partOfRoll(ctx context.Context, v *View) (int, error) {
	const entry, rest = 48, 8192 // bytes, more than either takes: the rest is names, and signatures of all organisations
	p, err := MustLoad[pb.Parameters](ctx, v, state.KeyParameters)
	if err != nil {
		return 0, err
	}
	return min(tx.MaxRollEntries, max(1, (int(p.Limits.TransactionBytes)-rest)/entry)), nil
}

// RollParts returns the transactions, not signed yet, that append those entries to a roll which it does not hold as it stands in a view.
// It fails where a key stands twice or has another ballot style in the roll.
func RollParts(ctx context.Context, v *View, electionID string, entries []pb.RollEntry) ([]pb.AddRollEntries, error) {
	roll, err := RollEntries(ctx, v, electionID)
	if err != nil {
		return nil, err
	}
	missing, err := missingEntries(roll, entries)
	if err != nil {
		return nil, err
	}
	size, err := partOfRoll(ctx, v)
	if err != nil {
		return nil, err
	}
	first := uint64(len(roll))
	var parts []pb.AddRollEntries
	for part := range slices.Chunk(missing, size) {
		parts = append(parts, pb.AddRollEntries{Election: electionID, First: first, Entries: part})
		first += uint64(len(part))
	}
	return parts, nil
}

// Organisations returns all organisations as they stand in a view, sorted by id.
func Organisations(ctx context.Context, v *View) ([]pb.Organisation, error) {
	var all []pb.Organisation
	genesis := v.ledger.Genesis()
	for i := range genesis.Organisations {
		o, err := MustLoad[pb.Organisation](ctx, v, state.OrganisationKey(genesis.Organisations[i].Organisation.Id))
		if err != nil {
			return nil, err
		}
		all = append(all, *o)
	}
	slices.SortFunc(all, func(a, b pb.Organisation) int { return strings.Compare(a.Id, b.Id) })
	return all, nil
}

// ErrNoRegistrar says that a key is no registrar's of any organisation.
var ErrNoRegistrar = errors.New("no registrar has this key")

// SignParts adds a registrar's signature to parts of a roll, behind those of the organisations before its own; one of its organisation that
// stands there already is replaced. It fails with ErrNoRegistrar, and with ErrVerification where a signature that stands there does not
// hold.
func SignParts(chain string, organisations []pb.Organisation, parts []pb.AddRollEntries, key ed25519.PrivateKey) error {
	own := organisationOfRegistrar(organisations, key.Public().(ed25519.PublicKey))
	if own < 0 {
		return fmt.Errorf("%w: %x", ErrNoRegistrar, key.Public())
	}
	for i := range parts {
		part := &parts[i]
		if err := tx.CheckRollSignatures(chain, part); err != nil {
			return fmt.Errorf("%w: part %d: %w", ErrVerification, i+1, err)
		}
		signatures := append(slices.Clone(part.Signatures), tx.SignRoll(chain, part, key))
		part.Signatures = nil
		for o := range organisations {
			of := func(s pb.RollSignature) bool { return organisationOfRegistrar(organisations, s.Key) == o }
			if at := slices.IndexFunc(signatures, of); o == own {
				part.Signatures = append(part.Signatures, signatures[len(signatures)-1])
			} else if at >= 0 {
				part.Signatures = append(part.Signatures, signatures[at])
			}
		}
	}
	return nil
}

// OrganisationOf returns the id of the organisation whose registrar has a key. It fails with ErrNoRegistrar.
func OrganisationOf(organisations []pb.Organisation, key ed25519.PrivateKey) (string, error) {
	at := organisationOfRegistrar(organisations, key.Public().(ed25519.PublicKey))
	if at < 0 {
		return "", fmt.Errorf("%w: %x", ErrNoRegistrar, key.Public())
	}
	return organisations[at].Id, nil
}

// LoadRollCounts returns the counts of a roll by ballot style; of one without an entry, zeros.
func LoadRollCounts(ctx context.Context, r Reader, electionID string, styles int) (*pb.RollCounts, error) {
	counts, err := Load[pb.RollCounts](ctx, r, state.RollCountsKey(electionID))
	if err == nil && counts == nil {
		counts = &pb.RollCounts{Entries: make([]uint64, styles), Revoked: make([]uint64, styles)}
	}
	if err == nil && (len(counts.Entries) != styles || len(counts.Revoked) != styles) {
		err = fmt.Errorf("the counts of the roll of %q are of %d styles, the manifest has %d", electionID, len(counts.Entries), styles)
	}
	return counts, err
}

// organisationOfRegistrar returns the place of the organisation whose registrar has a key, -1 where none has.
func organisationOfRegistrar(organisations []pb.Organisation, key []byte) int {
	return slices.IndexFunc(organisations, func(o pb.Organisation) bool {
		return slices.ContainsFunc(o.Registrars, func(m pb.Member) bool { return bytes.Equal(m.Key, key) })
	})
}

// Submit sends parts of a roll that all organisations have signed, and returns once a certified state holds them, with the head of the
// roll, which is what a resolution seals. Parts that the roll holds are left alone: run again after a failure it goes on where it stopped.
// progress, if not nil, is told how many entries are in blocks.
func (r Registrar) Submit(ctx context.Context, parts []pb.AddRollEntries, progress func(entries int)) (state.Head, error) {
	if len(parts) == 0 || slices.ContainsFunc(parts, func(p pb.AddRollEntries) bool { return len(p.Entries) == 0 }) {
		return state.Head{}, errors.New("there is no part of a roll to send, or one without entries")
	}
	sent := 0
	for i := range parts {
		part := &parts[i]
		if _, err := r.Ledger.Send(ctx, tx.Sign(r.Ledger.Chain(), part, r.Key), WaitCommitted, nil); err != nil {
			return state.Head{}, fmt.Errorf("entries from %d on: %w", part.First, err)
		}
		sent += len(part.Entries)
		if progress != nil {
			progress(sent)
		}
	}
	last := &parts[len(parts)-1]
	var head state.Head
	_, err := r.Ledger.Until(ctx, func(ctx context.Context, v *View) (_ bool, err error) {
		head, err = v.Head(ctx, state.LogRoll(last.Election))
		if err != nil || head.Size < last.First+uint64(len(last.Entries)) {
			return false, err
		}
		return true, rollHolds(ctx, v, parts)
	})
	return head, err
}

// rollHolds says whether the last entry of each part stands in the roll where the part says, and so the whole part: that a node calls it
// recorded proves nothing. It fails with ErrVerification.
func rollHolds(ctx context.Context, v *View, parts []pb.AddRollEntries) error {
	for i := range parts {
		at := len(parts[i].Entries) - 1
		index := parts[i].First + uint64(at)
		leaf, err := v.Leaf(ctx, state.LogRoll(parts[i].Election), index)
		if err != nil {
			return err
		}
		if !bytes.Equal(leaf, election.Encode(&parts[i].Entries[at])) {
			return fmt.Errorf("%w: entry %d of the roll is another than that of part %d; make the parts anew with: votenode registrar roll", ErrVerification, index, i+1)
		}
	}
	return nil
}

// Enrol is all of it for whoever holds a registrar's key of every organisation, as a demonstration does: it appends the entries that the
// roll does not hold yet, signed with all keys, and returns once a certified state holds them all. progress is that of Submit.
func Enrol(ctx context.Context, l *Ledger, keys []ed25519.PrivateKey, electionID string, entries []pb.RollEntry, progress func(entries int)) (state.Head, error) {
	v, err := l.Certified(ctx)
	if err != nil {
		return state.Head{}, err
	}
	organisations, err := Organisations(ctx, v)
	if err != nil {
		return state.Head{}, err
	}
	parts, err := RollParts(ctx, v, electionID, entries)
	if err != nil {
		return state.Head{}, err
	}
	if len(parts) == 0 {
		return v.Head(ctx, state.LogRoll(electionID))
	}
	for _, key := range keys {
		if err := SignParts(l.Chain(), organisations, parts, key); err != nil {
			return state.Head{}, err
		}
	}
	return Registrar{Ledger: l, Key: keys[0]}.Submit(ctx, parts, progress)
}

// CompareRoll says whether the roll of an election names exactly these entries, in any order, and returns its head. It fails with
// ErrVerification where they differ.
func CompareRoll(ctx context.Context, v *View, electionID string, entries []pb.RollEntry) (state.Head, error) {
	head, err := v.Head(ctx, state.LogRoll(electionID))
	if err != nil {
		return state.Head{}, err
	}
	roll, err := RollEntries(ctx, v, electionID)
	if err != nil {
		return state.Head{}, err
	}
	missing, err := missingEntries(roll, entries)
	if err != nil {
		return state.Head{}, verified(err)
	}
	foreign, err := missingEntries(entries, roll)
	if err != nil {
		return state.Head{}, verified(err)
	}
	if len(missing) > 0 || len(foreign) > 0 {
		return state.Head{}, fmt.Errorf("%w: %d entries of the list are not in the roll, and %d of the roll are not in the list", ErrVerification, len(missing), len(foreign))
	}
	return head, nil
}
