package app_test

import (
	"maps"
	"slices"
	"testing"

	"votenode/app"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// TestDecisionsByPhase proposes, in every phase, every decision about an election. Where the decision does not belong, the code is
// wrong_phase; where it does, what spec 9.20 to 9.29 say of a decision that is right, or that is not its time.
func TestDecisionsByPhase(t *testing.T) {
	phases := []pb.Phase{pb.PHASE_SETUP, pb.PHASE_KEY_CEREMONY, pb.PHASE_READY, pb.PHASE_VOTING, pb.PHASE_CLOSED, pb.PHASE_DECRYPTING, pb.PHASE_FINAL, pb.PHASE_CANCELLED}
	type codes map[pb.Phase]tx.Code
	wrong := func(but codes) codes {
		all := codes{}
		for _, p := range phases {
			all[p] = tx.CodeWrongPhase
		}
		maps.Copy(all, but)
		return all
	}
	const (
		setup, ceremony, ready, voting = pb.PHASE_SETUP, pb.PHASE_KEY_CEREMONY, pb.PHASE_READY, pb.PHASE_VOTING
		closed, decrypting             = pb.PHASE_CLOSED, pb.PHASE_DECRYPTING
	)
	want := map[string]codes{
		"appoint":  wrong(codes{setup: tx.CodeOK}),
		"seal":     wrong(codes{setup: tx.CodeRollMismatch, ceremony: tx.CodeRollMismatch}),
		"schedule": wrong(codes{setup: tx.CodeOK, ceremony: tx.CodeOK, ready: tx.CodeOK}),
		"extend":   wrong(codes{voting: tx.CodeOK}),
		"cancel":   wrong(codes{setup: tx.CodeOK, ceremony: tx.CodeOK, ready: tx.CodeOK, voting: tx.CodeOK, closed: tx.CodeOK, decrypting: tx.CodeOK}),
		"revoke":   wrong(codes{ready: tx.CodeOK, voting: tx.CodeOK}), // in the two phases before, the roll is not sealed here
		"replace":  wrong(codes{ceremony: tx.CodeWrongStep}),
		"excuse":   wrong(codes{ceremony: tx.CodeWrongStep}),
	}
	l := newLedger(t)
	decisions := func() map[string]pb.Resolution {
		return map[string]pb.Resolution{
			"appoint":  {Decision: &pb.Resolution_AppointTrustees{AppointTrustees: &pb.AppointTrustees{Election: id, Boards: boards(3, 2)}}},
			"seal":     {Decision: &pb.Resolution_SealRoll{SealRoll: &pb.SealRoll{Election: id, Size_: 99, Root: make([]byte, 32)}}},
			"schedule": {Decision: &pb.Resolution_ScheduleElection{ScheduleElection: &pb.ScheduleElection{Election: id, Opening: l.now + 1, Closing: l.now + 2}}},
			"extend":   {Decision: &pb.Resolution_ExtendElection{ExtendElection: &pb.ExtendElection{Election: id, Cause: pb.EXTENSION_OTHER, Closing: l.now + 10_000}}},
			"cancel":   {Decision: &pb.Resolution_CancelElection{CancelElection: &pb.CancelElection{Election: id}}},
			"revoke":   {Reason: "left", Decision: &pb.Resolution_RevokeVoters{RevokeVoters: &pb.RevokeVoters{Election: id, Voters: []uint64{0}}}},
			"replace":  {Decision: &pb.Resolution_ReplaceTrustees{ReplaceTrustees: &pb.ReplaceTrustees{Election: id, Organisation: "party"}}},
			"excuse":   {Decision: &pb.Resolution_ExcuseTrial{ExcuseTrial: &pb.ExcuseTrial{Election: id, Organisation: "party", Trustees: []uint32{1}}}},
		}
	}
	seen := map[pb.Phase]bool{}
	check := func(phase pb.Phase) {
		t.Helper()
		l.expectPhase(phase)
		seen[phase] = true
		for name, r := range decisions() {
			p := must(tx.Parse(l.propose("party officer 1", &r)[0]))
			refusal, _ := l.app.Check(l.view(), l.now*1e9, p).(*tx.Refusal)
			if got := codeOf(refusal); got != want[name][phase] {
				t.Errorf("%s in %v: %v, want %v", name, phase, got, want[name][phase])
			}
		}
		for name, r := range decisions() { // and of an election that does not exist, or cannot
			for _, other := range []string{"other", "", id + "/keys", string(make([]byte, 300))} {
				rename(&r, other)
				p := must(tx.Parse(l.propose("party officer 1", &r)[0]))
				if refusal, _ := l.app.Check(l.view(), l.now*1e9, p).(*tx.Refusal); codeOf(refusal) != tx.CodeUnknownElection {
					t.Errorf("%s of election %q: %v", name, other, codeOf(refusal))
				}
			}
		}
	}
	l.resolve(createElectionOf(l.publish(manifest())))
	check(setup)
	trustees := l.appoint(3, 2)
	check(ceremony)
	l.keysOf(trustees)
	voters := l.roll(3)
	l.accept(l.each(trustees, l.trial)...)
	check(ready)
	l.schedule(l.now+20, l.now+1000)
	l.block(20)
	check(voting)
	shared := l.shared()
	l.accept(cast(draft(shared, 0, voters[0], 1, nil, []int{0}), 0, 1), cast(draft(shared, 1, voters[1], 1, nil, []int{0}), 1, 1))
	l.block(l.election().Closing - l.now)
	check(closed)
	l.block(window)
	check(decrypting)
	l.accept(l.each(trustees, func(t *trustee) []byte { return l.partial(t, 0, 1) })[:5]...)
	check(pb.PHASE_FINAL)

	l = newLedger(t)
	l.resolve(createElectionOf(l.publish(manifest())))
	l.resolve(decisions()["cancel"])
	check(pb.PHASE_CANCELLED)
	if len(seen) != len(phases) {
		t.Errorf("seen: %v", seen)
	}
}

// rename lets a decision speak of another election.
func rename(r *pb.Resolution, id string) {
	switch d := r.Decision.(type) {
	case *pb.Resolution_AppointTrustees:
		d.AppointTrustees.Election = id
	case *pb.Resolution_SealRoll:
		d.SealRoll.Election = id
	case *pb.Resolution_ScheduleElection:
		d.ScheduleElection.Election = id
	case *pb.Resolution_ExtendElection:
		d.ExtendElection.Election = id
	case *pb.Resolution_CancelElection:
		d.CancelElection.Election = id
	case *pb.Resolution_RevokeVoters:
		d.RevokeVoters.Election = id
	case *pb.Resolution_ReplaceTrustees:
		d.ReplaceTrustees.Election = id
	case *pb.Resolution_ExcuseTrial:
		d.ExcuseTrial.Election = id
	}
}

// TestRevokeBeforeSealing, and twice, and beyond the roll.
func TestRevokeVoters(t *testing.T) {
	l := newLedger(t)
	l.resolve(createElectionOf(l.publish(manifest())))
	revoke := func(voters ...uint64) pb.Resolution {
		return pb.Resolution{Reason: "left", Decision: &pb.Resolution_RevokeVoters{RevokeVoters: &pb.RevokeVoters{Election: id, Voters: voters}}}
	}
	early := revoke(0)
	l.refuse(tx.CodeWrongPhase, l.propose("party officer 1", &early)[0])
	l.roll(4)
	for _, voters := range [][]uint64{{4}, {0, 1<<64 - 1}} {
		r := revoke(voters...)
		l.refuse(tx.CodeUnknownVoter, l.propose("party officer 1", &r)[0])
	}
	l.resolve(revoke(1, 3))
	l.resolve(revoke(0, 1))
	for index, want := range []pb.VoterStatus{pb.VOTER_REVOKED, pb.VOTER_REVOKED, pb.VOTER_NONE, pb.VOTER_REVOKED} {
		if got := must(state.LoadVoter(l.view(), id, uint64(index))); got.Status != want {
			t.Errorf("voter %d is %v", index, got.Status)
		}
	}
}

// TestEffectsInOneBlock: several resolutions about one election take effect in one block in the order in which they were completed, each
// by the state that those before it left.
func TestEffectsInOneBlock(t *testing.T) {
	l := newLedger(t)
	voters, _ := l.voting(4)
	shared := l.shared()
	l.accept(cast(draft(shared, 0, voters[0], 1, []int{0}, []int{0}), 0, 1), cast(draft(shared, 1, voters[1], 1, []int{1}, []int{1}), 1, 1))
	closing := l.election().Closing
	list := []pb.Resolution{
		{Reason: "left", Decision: &pb.Resolution_RevokeVoters{RevokeVoters: &pb.RevokeVoters{Election: id, Voters: []uint64{0}}}},
		{Reason: "left", Decision: &pb.Resolution_RevokeVoters{RevokeVoters: &pb.RevokeVoters{Election: id, Voters: []uint64{0, 2}}}},
		{Decision: &pb.Resolution_ExtendElection{ExtendElection: &pb.ExtendElection{Election: id, Cause: pb.EXTENSION_OTHER, Closing: closing + 100}}},
		{Decision: &pb.Resolution_ExtendElection{ExtendElection: &pb.ExtendElection{Election: id, Cause: pb.EXTENSION_OTHER, Closing: closing + 50}}},
		{Decision: &pb.Resolution_CancelElection{CancelElection: &pb.CancelElection{Election: id}}},
		{Decision: &pb.Resolution_ExtendElection{ExtendElection: &pb.ExtendElection{Election: id, Cause: pb.EXTENSION_OTHER, Closing: closing + 200}}},
		{Decision: &pb.Resolution_CancelElection{CancelElection: &pb.CancelElection{Election: id}}},
	}
	var first, rest, last [][]byte
	for i := range list {
		first = append(first, l.propose("party officer 1", &list[i])...)
		rest = append(rest, approve("party officer 2", &list[i]), approve("league officer 1", &list[i]))
		last = append(last, approve("league officer 2", &list[i]))
	}
	l.accept(slices.Concat(first, rest)...)
	// In this block a ballot of a voter who is revoked at its end still counts until then.
	l.accept(append(last, cast(draft(shared, 2, voters[2], 1, []int{0}), 2, 1))...)
	for i, want := range []tx.Code{tx.CodeOK, tx.CodeOK, tx.CodeOK, tx.CodeInvalidTimes, tx.CodeOK, tx.CodeWrongPhase, tx.CodeWrongPhase} {
		got := l.resolution(resolutionHash(&list[i]))
		if tx.Code(got.Code) != want || got.Status == pb.RESOLUTION_OPEN {
			t.Errorf("resolution %d: %v with %v, want %v", i, got.Status, tx.Code(got.Code), want)
		}
	}
	l.expectPhase(pb.PHASE_CANCELLED)
	if e := l.election(); e.Closing != closing+100 {
		t.Errorf("closing %d, want %d", e.Closing, closing+100)
	}
}

func resolutionHash(r *pb.Resolution) [32]byte { return app.ResolutionHash(chain, r) }
