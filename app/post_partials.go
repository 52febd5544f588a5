package app

import (
	"fmt"
	"slices"
	"strings"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	"votenode/crypto/threshold"
	"votenode/crypto/transcript"
	pb "votenode/proto/votenode/v1"
)

// PostPartials: a trustee opens its part of the sums that consensus fixed at closing, contest by contest. A proof that fails
// names the trustee. Spec 9.32.
func checkPostPartials(r *reading, p *tx.Parsed, m *pb.PostPartials) error {
	e, err := r.election(m.Election, pb.PHASE_DECRYPTING)
	if err != nil {
		return err
	}
	_, index, err := r.trustee(m.Election, m.Organisation, p.Signer())
	if err != nil {
		return err
	}
	manifest, err := r.manifest(r, e.Manifest)
	if err != nil {
		return err
	}
	keys, err := r.keyRow(m.Election, m.Organisation, index, 32*election.Slots(manifest))
	if err != nil {
		return err
	}
	var fresh []*part
	for i := range m.Partials {
		var p *part
		if p, err = r.readPart(e, manifest, m, &m.Partials[i], index, keys); err != nil {
			break // a proof before it that fails comes first
		}
		if p != nil {
			fresh = append(fresh, p)
		}
	}
	if fault := r.prove(fresh, keys); fault != nil {
		return fault
	}
	if err == nil && len(fresh) == 0 {
		err = tx.Refuse(tx.CodeAlreadyDone, "trustee %d of %q has posted these", index, m.Organisation)
	}
	return err
}

// part is a trustee's part in opening a contest, on the way to its proof.
type part struct {
	name   [32]byte // of all that the proof depends on
	slot   int      // the first of the contest
	slots  int
	posted threshold.PostedPartial // its Keys come last
}

// readPart reads what one contest's part speaks about, given the row of the trustee's keys. It returns nil where the trustee has posted
// it before.
func (r *reading) readPart(e *pb.Election, manifest *pb.Manifest, m *pb.PostPartials, p *pb.PartialDecryption, index uint32, row []byte) (*part, error) {
	if int64(p.Contest) >= int64(len(manifest.Contests)) {
		return nil, tx.Refuse(tx.CodeUnknownContest, "there is no contest %d", p.Contest)
	}
	known, err := r.Record(state.PartialKey(m.Election, p.Contest, m.Organisation, index))
	if err != nil || known != nil {
		return nil, err
	}
	result, err := r.Record(state.ResultKey(m.Election, p.Contest))
	if err != nil {
		return nil, err
	}
	if result != nil {
		return nil, tx.Refuse(tx.CodeContestDecided, "contest %d has its result", p.Contest)
	}
	sum, _, err := r.sumToOpen(m.Election, p.Contest)
	if err != nil {
		return nil, err
	}
	contest := &manifest.Contests[p.Contest]
	c := &part{slot: int(contest.FirstSlot), slots: len(contest.Options)}
	c.name = nameOf(
		[]byte(m.Election), e.KeyDigest, transcript.Uint64(uint64(p.Contest)), []byte(m.Organisation), transcript.Uint64(uint64(index)),
		sum.Points, row[32*c.slot:][:32*c.slots], p.Shares, p.Proof,
	)
	c.posted = threshold.PostedPartial{
		Chain: r.chain, Election: m.Election, KeyDigest: [32]byte(e.KeyDigest), Contest: p.Contest,
		Organisation: m.Organisation, Trustee: index, Sum: sum.Points, Shares: p.Shares, Proof: p.Proof,
	}
	return c, nil
}

// prove verifies the parts of one trustee that are not known to be right, on all cores. The refusal is that of the first that fails.
func (r *reading) prove(parts []*part, row []byte) error {
	parts = slices.DeleteFunc(slices.Clone(parts), func(p *part) bool { return r.proven.has(p.name) })
	if len(parts) == 0 {
		return nil
	}
	keys, err := threshold.ParseRow(row, len(row)/32)
	if err != nil {
		return fmt.Errorf("%w: keys of trustee %d of %q: %w", state.ErrCorrupted, parts[0].posted.Trustee, parts[0].posted.Organisation, err)
	}
	return inParallel(len(parts), func(i int) (err error) {
		p := parts[i]
		if p.posted.Keys, err = keys.Range(p.slot, p.slots); err != nil {
			return err
		}
		if err := p.posted.Verify(); err != nil {
			return tx.Refuse(tx.CodeDecryptionProof, "contest %d: %v", p.posted.Contest, err)
		}
		r.proven.add(p.name)
		return nil
	})
}

// sum returns the encrypted sum of a contest, undecoded.
func (r *reading) sum(id string, contest uint32) (*ballot.TallyBytes, error) {
	value, err := r.Record(state.SumKey(id, contest))
	if err != nil {
		return nil, err
	}
	return splitSum(id, contest, value)
}

// sumToOpen returns the sum that is opened of a contest, undecoded: joined with those that are merged into it, where there are any. Spec 8.10.
func (r *reading) sumToOpen(id string, contest uint32) (sum *ballot.TallyBytes, joined bool, err error) {
	value, err := r.Record(state.MergedSumKey(id, contest))
	if err != nil {
		return nil, false, err
	}
	if value == nil {
		sum, err = r.sum(id, contest)
		return sum, false, err
	}
	sum, err = splitSum(id, contest, value)
	return sum, true, err
}

func splitSum(id string, contest uint32, value []byte) (*ballot.TallyBytes, error) {
	sum, err := ballot.SplitTally(value)
	if err != nil {
		return nil, fmt.Errorf("%w: sum of contest %d of %q: %w", state.ErrCorrupted, contest, id, err)
	}
	return sum, nil
}

func applyPostPartials(w *writing, v *tx.Verified, m *pb.PostPartials) error {
	_, index, err := w.trustee(m.Election, m.Organisation, v.Parsed().Signer())
	if err != nil {
		return err
	}
	keys, err := state.MustLoad[pb.ElectionKeys](w, state.KeysKey(m.Election))
	if err != nil {
		return err
	}
	queue, err := state.Load[pb.TallyQueue](w, state.QueueKey(m.Election))
	if err != nil {
		return err
	}
	if queue == nil {
		queue = new(pb.TallyQueue)
	}
	for i := range m.Partials {
		p := &m.Partials[i]
		key := state.PartialKey(m.Election, p.Contest, m.Organisation, index)
		known, err := w.Record(key)
		if err != nil {
			return err
		}
		if known != nil {
			continue
		}
		w.save(key, &pb.Partial{Shares: p.Shares, Proof: p.Proof})
		complete, err := w.complete(m.Election, p.Contest, keys)
		if err != nil {
			return err
		}
		if complete && !slices.Contains(queue.Contests, p.Contest) {
			queue.Contests = append(queue.Contests, p.Contest)
		}
	}
	w.parts = true
	if len(queue.Contests) > 0 {
		w.save(state.QueueKey(m.Election), queue)
	}
	return nil
}

// complete says whether in every organisation a quorum has posted its part of a contest.
func (r *reading) complete(id string, contest uint32, keys *pb.ElectionKeys) (bool, error) {
	counts := make(map[string]uint32)
	prefix := state.PartialPrefix(id, contest)
	err := r.Records(prefix, func(key string, _ []byte) error {
		organisation, _, _ := strings.Cut(key[len(prefix):], "/")
		counts[organisation]++
		return nil
	})
	if err != nil {
		return false, err
	}
	for i := range keys.Organisations {
		if o := &keys.Organisations[i]; counts[o.Organisation] < o.Quorum {
			return false, nil
		}
	}
	return true, nil
}
