package app

import (
	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// maxElections bounds the list of elections of a chain, and with it the leaf of the blocks log.
const maxElections = 1_000

// CreateElection: the manifest is on the ledger and keeps its rules, and its id is new. Spec 9.20.
func (d createElection) check(r *reading) error {
	m, err := d.manifest(r)
	if err != nil {
		return err
	}
	if err := r.checkBallotSizes(m); err != nil {
		return err
	}
	known, err := state.LoadElection(r, m.Election)
	if err != nil {
		return err
	}
	if known != nil {
		return tx.Refuse(tx.CodeElectionExists, "there is an election %q", m.Election)
	}
	list, err := state.MustLoad[pb.ElectionList](r, state.KeyElections)
	if err != nil {
		return err
	}
	if len(list.Ids) >= maxElections {
		return tx.Refuse(tx.CodeElectionExists, "this chain has held its %d elections", maxElections)
	}
	if err := r.checkFormed(m, d.Manifest); err != nil {
		return err
	}
	if m.Opening != 0 && r.reached(m.Opening) {
		return tx.Refuse(tx.CodeInvalidTimes, "the manifest's opening has passed")
	}
	return r.checkRollOf(m)
}

func (d createElection) manifest(r *reading) (*pb.Manifest, error) {
	known, err := state.Load[pb.Document](r, state.DocumentKey(d.Manifest))
	if err != nil {
		return nil, err
	}
	if known == nil {
		return nil, tx.Refuse(tx.CodeDocumentUnknown, "document %x is not on the ledger", d.Manifest)
	}
	if known.Size_ > election.MaxManifest {
		return nil, tx.Refuse(tx.CodeInvalidManifest, "it has %d bytes, at most %d are allowed", known.Size_, election.MaxManifest)
	}
	return r.candidate(r, d.Manifest)
}

// checkBallotSizes refuses a manifest with a style whose ballots no transaction could carry.
func (r *reading) checkBallotSizes(m *pb.Manifest) error {
	if m.OpenChoices {
		return nil // a choice is short
	}
	params, err := state.MustLoad[pb.Parameters](r, state.KeyParameters)
	if err != nil {
		return err
	}
	const overhead = 256 // of envelope, body and signature, generously
	for i, s := range election.BallotStyles(m) {
		if size := overhead + s.CiphertextSize() + s.ProofSize(); uint64(size) > params.Limits.BallotBytes {
			return tx.Refuse(tx.CodeInvalidManifest, "a ballot of style %d takes %d bytes, at most %d are allowed", i, size, params.Limits.BallotBytes)
		}
	}
	return nil
}

func (d createElection) apply(w *writing) error {
	m, err := d.manifest(&w.reading)
	if err != nil {
		return err
	}
	list, err := state.MustLoad[pb.ElectionList](w, state.KeyElections)
	if err != nil {
		return err
	}
	list.Ids = append(list.Ids, m.Election)
	w.save(state.KeyElections, list)
	e := &pb.Election{Manifest: d.Manifest, Opening: m.Opening, Closing: m.Closing}
	if m.RollOf != "" {
		if err := w.takeRoll(m.Election, e, m.RollOf); err != nil {
			return err
		}
	}
	w.setPhase(m.Election, e, pb.PHASE_SETUP)
	return nil
}

// SealRoll: the roll is what both have seen, but for the entries that both strike. Spec 9.22.
func (d sealRoll) check(r *reading) error {
	e, err := r.election(d.Election, pb.PHASE_SETUP, pb.PHASE_KEY_CEREMONY)
	if err != nil {
		return err
	}
	if e.RollSealed {
		return tx.Refuse(tx.CodeRollSealed, "the roll of %q is sealed", d.Election)
	}
	head, err := r.Head(state.LogRoll(d.Election))
	if err != nil {
		return err
	}
	if head.Size == 0 || head.Size != d.Size_ || head.Root != [32]byte(d.Root) {
		return tx.Refuse(tx.CodeRollMismatch, "the roll has %d entries and root %x", head.Size, head.Root)
	}
	if n := len(d.Struck); n > 0 && d.Struck[n-1].Voter >= head.Size {
		return tx.Refuse(tx.CodeUnknownVoter, "the roll of %q has no entry %d", d.Election, d.Struck[n-1].Voter)
	}
	return nil
}

func (d sealRoll) apply(w *writing) error {
	e, err := state.MustLoad[pb.Election](w, state.ElectionKey(d.Election))
	if err != nil {
		return err
	}
	e.RollSealed, e.RollSize, e.RollRoot = true, d.Size_, d.Root
	w.CreateVoters(d.Election, d.Size_)
	w.save(state.ElectionKey(d.Election), e)
	struck := make([]uint64, len(d.Struck))
	for i := range d.Struck {
		struck[i] = d.Struck[i].Voter
	}
	return w.revoke(d.Election, e, struck)
}

// ScheduleElection sets the times of an election that is not open. Spec 9.23.
func (d scheduleElection) check(r *reading) error {
	if _, err := r.election(d.Election, pb.PHASE_SETUP, pb.PHASE_KEY_CEREMONY, pb.PHASE_READY); err != nil {
		return err
	}
	if err := election.CheckSchedule(d.Opening, d.Closing); err != nil {
		return tx.Refuse(tx.CodeInvalidTimes, "%v", err)
	}
	if r.reached(d.Opening) {
		return tx.Refuse(tx.CodeInvalidTimes, "the opening has passed")
	}
	return nil
}

func (d scheduleElection) apply(w *writing) error {
	e, err := state.MustLoad[pb.Election](w, state.ElectionKey(d.Election))
	if err != nil {
		return err
	}
	e.Opening, e.Closing = d.Opening, d.Closing
	w.save(state.ElectionKey(d.Election), e)
	return nil
}

// ExtendElection sets a later closing. Spec 9.24.
func (d extendElection) check(r *reading) error {
	e, err := r.election(d.Election, pb.PHASE_VOTING)
	if err != nil {
		return err
	}
	if d.Closing <= e.Closing || d.Closing > election.MaxTime {
		return tx.Refuse(tx.CodeInvalidTimes, "a later closing than %s is needed, at most %s", election.Moment(e.Closing), election.Moment(election.MaxTime))
	}
	if !d.spans() {
		return r.mayExtend(d.Election)
	}
	if d.To >= r.height || windowOf(d.From) < r.oldestWindow() {
		return tx.Refuse(tx.CodeInvalidSpan, "from %d to %d; heights from %d to %d can be named", d.From, d.To, max(1, r.oldestWindow()*signingWindow), r.height-1)
	}
	return r.mayExtend(d.Election)
}

func (d extendElection) apply(w *writing) error {
	e, err := state.MustLoad[pb.Election](w, state.ElectionKey(d.Election))
	if err != nil {
		return err
	}
	if err := w.saveExtension(d, e.Closing); err != nil {
		return err
	}
	e.Closing = d.Closing
	w.save(state.ElectionKey(d.Election), e)
	return nil
}

// CancelElection ends an election without a result. Spec 9.25.
func (d cancelElection) check(r *reading) error {
	e, err := state.LoadElection(r, d.Election)
	if err != nil {
		return err
	}
	if e == nil {
		return tx.Refuse(tx.CodeUnknownElection, "there is no election %q", d.Election)
	}
	if _, ok := election.Move(e.Phase, election.Cancellation); !ok {
		return tx.Refuse(tx.CodeWrongPhase, "the phase of %q is %s", d.Election, election.PhaseName(e.Phase))
	}
	return nil
}

func (d cancelElection) apply(w *writing) error {
	e, err := state.MustLoad[pb.Election](w, state.ElectionKey(d.Election))
	if err != nil {
		return err
	}
	w.move(d.Election, e, election.Cancellation)
	return nil
}

// maxSubtracted bounds the ballots that one RevokeVoters subtracts: one of each voter in each election.
const maxSubtracted = 4_000

// RevokeVoters: a counted ballot of a revoked voter is subtracted and stays in the log, in the election that has the roll and in all that
// vote by it. After its own voting an election's roll can be revoked from as long as others vote by it, and always where members
// send by it. Spec 9.28.
func (d revokeVoters) check(r *reading) error {
	e, err := state.LoadElection(r, d.Election)
	if err != nil {
		return err
	}
	if e == nil {
		return tx.Refuse(tx.CodeUnknownElection, "there is no election %q", d.Election)
	}
	if !e.RollSealed {
		return tx.Refuse(tx.CodeWrongPhase, "the roll of %q is not sealed", d.Election)
	}
	polls, err := r.polls(d.Election)
	if err != nil {
		return err
	}
	if !revocable(e.Phase) && len(polls) == 0 && r.Voters(state.MembersTree(d.Election)) == 0 {
		return tx.Refuse(tx.CodeWrongPhase, "the phase of %q is %s, and nobody else goes by its roll", d.Election, election.PhaseName(e.Phase))
	}
	if e.RollOf != "" {
		return tx.Refuse(tx.CodeRollElsewhere, "the roll of %q is that of %q", d.Election, e.RollOf)
	}
	if last := d.Voters[len(d.Voters)-1]; last >= e.RollSize {
		return tx.Refuse(tx.CodeUnknownVoter, "the roll of %q has no entry %d", d.Election, last)
	}
	if elections := 1 + len(polls); elections*len(d.Voters) > maxSubtracted {
		return tx.Refuse(tx.CodeTooLarge, "%d elections go by this roll: at most %d voters are revoked at once", elections, maxSubtracted/elections)
	}
	return nil
}

// revocable says whether voters of an election can be revoked in it: as long as its sums can change.
func revocable(p pb.Phase) bool {
	return p == pb.PHASE_SETUP || p == pb.PHASE_KEY_CEREMONY || p == pb.PHASE_READY || p == pb.PHASE_VOTING
}

func (d revokeVoters) apply(w *writing) error {
	e, err := state.MustLoad[pb.Election](w, state.ElectionKey(d.Election))
	if err != nil {
		return err
	}
	if err := w.revoke(d.Election, e, d.Voters); err != nil {
		return err
	}
	polls, err := w.polls(d.Election)
	if err != nil {
		return err
	}
	for _, p := range polls {
		if p.record.Phase != pb.PHASE_VOTING {
			continue // it asks the roll later
		}
		for _, index := range d.Voters {
			if err := w.strike(p.id, p.record, index); err != nil {
				return err
			}
		}
	}
	return nil
}

// revoke takes the right to vote from entries of a sealed roll and counts them; one that has lost it already stays as it is. After the
// election's own voting, whose result stays, that is noted apart from the leaf.
func (w *writing) revoke(id string, e *pb.Election, voters []uint64) error {
	if len(voters) == 0 {
		return nil
	}
	counts, err := w.rollCounts(id)
	if err != nil {
		return err
	}
	for _, index := range voters {
		lost, err := w.barred(id, index)
		if err != nil {
			return err
		}
		if lost {
			continue
		}
		entry, err := w.rollEntry(w, id, e, index)
		if err != nil {
			return err
		}
		counts.Revoked[entry.Style]++
		if !revocable(e.Phase) {
			w.save(state.BarredKey(id, index), &pb.Barred{Height: w.height})
			continue
		}
		if err := w.strike(id, e, index); err != nil {
			return err
		}
	}
	w.save(state.RollCountsKey(id), counts)
	return nil
}

// strike marks the leaf of a voter as revoked and subtracts its ballot where one counts.
func (w *writing) strike(id string, e *pb.Election, index uint64) error {
	voter, err := state.LoadVoter(w, id, index)
	if err != nil {
		return err
	}
	if voter.Status == pb.VOTER_COUNTS {
		if err := w.subtractRecorded(id, e, voter.LogIndex); err != nil {
			return err
		}
	}
	voter.Status = pb.VOTER_REVOKED
	w.SetVoter(id, index, election.Encode(voter))
	return nil
}
