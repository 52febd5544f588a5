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
	posted := 0
	for i := range m.Partials {
		known, err := r.checkPartial(e, manifest, m, &m.Partials[i], index, keys)
		if err != nil {
			return err
		}
		if known {
			posted++
		}
	}
	if posted == len(m.Partials) {
		return tx.Refuse(tx.CodeAlreadyDone, "trustee %d of %q has posted these", index, m.Organisation)
	}
	return nil
}

// checkPartial checks one contest's part, given the row of the trustee's keys. It says whether the trustee has posted it before.
func (r *reading) checkPartial(e *pb.Election, manifest *pb.Manifest, m *pb.PostPartials, p *pb.PartialDecryption, index uint32, row []byte) (bool, error) {
	if int64(p.Contest) >= int64(len(manifest.Contests)) {
		return false, tx.Refuse(tx.CodeUnknownContest, "there is no contest %d", p.Contest)
	}
	known, err := r.Record(state.PartialKey(m.Election, p.Contest, m.Organisation, index))
	if err != nil || known != nil {
		return known != nil, err
	}
	result, err := r.Record(state.ResultKey(m.Election, p.Contest))
	if err != nil {
		return false, err
	}
	if result != nil {
		return false, tx.Refuse(tx.CodeContestDecided, "contest %d has its result", p.Contest)
	}
	contest := &manifest.Contests[p.Contest]
	options := len(contest.Options)
	pd, err := threshold.ParsePartialDecryption(p.Shares, p.Proof, options)
	if err != nil {
		return false, tx.Refuse(tx.CodeDecryptionProof, "contest %d: %v", p.Contest, err)
	}
	keys, err := threshold.ParsePoints(row[32*contest.FirstSlot:][:32*options], options)
	if err != nil {
		return false, fmt.Errorf("%w: keys of trustee %d of %q: %w", state.ErrCorrupted, index, m.Organisation, err)
	}
	sum, err := r.sum(m.Election, p.Contest, options)
	if err != nil {
		return false, err
	}
	st := &threshold.TallyStatement{
		Chain: r.chain, Election: m.Election, KeyDigest: [32]byte(e.KeyDigest), Contest: p.Contest,
		Organisation: m.Organisation, Trustee: index, A0: sum.A0, A: sum.A, Keys: keys,
	}
	if err := threshold.VerifyPartial(st, pd); err != nil {
		return false, tx.Refuse(tx.CodeDecryptionProof, "contest %d: %v", p.Contest, err)
	}
	return false, nil
}

// sum returns the encrypted sum of a contest.
func (r *reading) sum(id string, contest uint32, options int) (*ballot.EncryptedTally, error) {
	value, err := r.Record(state.SumKey(id, contest))
	if err != nil {
		return nil, err
	}
	sum, err := ballot.ParseTally(options, value)
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
