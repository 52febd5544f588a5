package app

import (
	"encoding/binary"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	"votenode/crypto/transcript"
	pb "votenode/proto/votenode/v1"
)

// AddRollEntries: the registrars of all organisations continue the roll of an election; one of them sends it. Spec 9.14.
func checkAddRollEntries(r *reading, p *tx.Parsed, m *pb.AddRollEntries) error {
	if _, err := r.registrar(p.Signer()); err != nil {
		return err
	}
	if err := r.cosigned(m); err != nil {
		return err
	}
	e, err := r.election(m.Election, pb.PHASE_SETUP, pb.PHASE_KEY_CEREMONY)
	if err != nil {
		return err
	}
	if e.RollSealed {
		return tx.Refuse(tx.CodeRollSealed, "the roll of %q is sealed", m.Election)
	}
	head, err := r.Head(state.LogRoll(m.Election))
	if err != nil {
		return err
	}
	if m.First != head.Size {
		return r.rollGap(m, head.Size)
	}
	if m.First+uint64(len(m.Entries)) > state.MaxVoters {
		return tx.Refuse(tx.CodeTooLarge, "a roll has at most %d entries", state.MaxVoters)
	}
	manifest, err := r.manifest(r, e.Manifest)
	if err != nil {
		return err
	}
	seen := make(map[string]bool, len(m.Entries))
	for i := range m.Entries {
		if err := r.checkRollEntry(m, i, len(manifest.Styles)); err != nil {
			return err
		}
		if key := string(m.Entries[i].Key); seen[key] {
			return tx.Refuse(tx.CodeVoterKeyTwice, "the key of entry %d stands twice in this part", m.First+uint64(i))
		} else {
			seen[key] = true
		}
	}
	return nil
}

// cosigned refuses a part of a roll that not every organisation has signed: one registrar of each, in the order of the organisations. That
// the signatures hold is known.
func (r *reading) cosigned(m *pb.AddRollEntries) error {
	all, err := state.Organisations(r)
	if err != nil {
		return err
	}
	if len(m.Signatures) != len(all) {
		return tx.Refuse(tx.CodeNotCosigned, "%d registrars have signed, one of each of %d organisations must", len(m.Signatures), len(all))
	}
	for i := range all {
		if key := m.Signatures[i].Key; !isMember(all[i].Registrars, key) {
			return tx.Refuse(tx.CodeNotCosigned, "signature %d is of %x, who is no registrar of %q", i, key, all[i].Id)
		}
	}
	return nil
}

func (r *reading) checkRollEntry(m *pb.AddRollEntries, i, styles int) error {
	entry, index := &m.Entries[i], m.First+uint64(i)
	if int64(entry.Style) >= int64(styles) {
		return tx.Refuse(tx.CodeUnknownStyle, "entry %d has style %d of %d", index, entry.Style, styles)
	}
	if _, err := ballot.ParsePublicKey(entry.Key); err != nil {
		return tx.Refuse(tx.CodeVoterKey, "entry %d: %v", index, err)
	}
	known, err := r.Index(state.RollIndexKey(m.Election, entry.Key))
	if err != nil {
		return err
	}
	if known != nil {
		return tx.Refuse(tx.CodeVoterKeyTwice, "the key of entry %d is that of entry %d", index, binary.BigEndian.Uint64(known))
	}
	return nil
}

// rollGap tells a part that was added before from one that leaves a gap.
func (r *reading) rollGap(m *pb.AddRollEntries, size uint64) error {
	if m.First+uint64(len(m.Entries)) > size || m.First > size {
		return tx.Refuse(tx.CodeRollGap, "the roll continues at %d, not at %d", size, m.First)
	}
	for i := range m.Entries {
		leaf, err := r.Leaf(state.LogRoll(m.Election), m.First+uint64(i))
		if err != nil {
			return err
		}
		if string(leaf) != string(election.Encode(&m.Entries[i])) {
			return tx.Refuse(tx.CodeRollGap, "the roll continues at %d; entry %d differs from what it holds", size, m.First+uint64(i))
		}
	}
	return tx.Refuse(tx.CodeAlreadyDone, "these entries stand in the roll")
}

func applyAddRollEntries(w *writing, _ *tx.Verified, m *pb.AddRollEntries) error {
	counts, err := w.rollCounts(m.Election)
	if err != nil {
		return err
	}
	for i := range m.Entries {
		index := w.Append(state.LogRoll(m.Election), election.Encode(&m.Entries[i]))
		w.SetIndex(state.RollIndexKey(m.Election, m.Entries[i].Key), transcript.Uint64(index))
		counts.Entries[m.Entries[i].Style]++
	}
	w.save(state.RollCountsKey(m.Election), counts)
	return nil
}

// rollCounts returns the counts of a roll; of one without an entry, zeros for all styles.
func (w *writing) rollCounts(id string) (*pb.RollCounts, error) {
	counts, err := state.Load[pb.RollCounts](w, state.RollCountsKey(id))
	if err != nil || counts != nil {
		return counts, err
	}
	e, err := state.MustLoad[pb.Election](w, state.ElectionKey(id))
	if err != nil {
		return nil, err
	}
	m, err := w.manifest(w, e.Manifest)
	if err != nil {
		return nil, err
	}
	return &pb.RollCounts{Entries: make([]uint64, len(m.Styles)), Revoked: make([]uint64, len(m.Styles))}, nil
}
