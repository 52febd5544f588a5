package gateway

import (
	"net/http"
	"time"

	"votenode/app/election"
	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
)

// phase is a phase that an election has come to. Height and Time are those of the block that brought it, of the phases that begin
// by time; what brings the others is on the ledger, but not its height: /v1/resolutions and the records tell.
type phase struct {
	Phase  string     `json:"phase"`
	Height int64      `json:"height,omitempty"`
	Time   *time.Time `json:"time,omitempty"`
}

// phases serves GET /v1/elections/{id}/phases.
func (s *Server) phases(r *http.Request) (any, error) {
	if err := queryOf(r).done(); err != nil {
		return nil, err
	}
	e, err := s.electionOf(r)
	if err != nil {
		return nil, err
	}
	answer := struct {
		Height  int64  `json:"height"`
		Phase   string `json:"phase"`
		Opening int64  `json:"opening"`
		Closing int64  `json:"closing"`
		// Decrypting is when the objection window ends, unix seconds.
		Decrypting  int64  `json:"decrypting"`
		RollSealed  bool   `json:"roll_sealed"`
		RollSize    uint64 `json:"roll_size"`
		RollRoot    digits `json:"roll_root"`
		KeyDigest   digits `json:"key_digest"`
		TrialPassed bool   `json:"trial_passed"`
		Open        uint32 `json:"contests_open"`
		// Places counts the polling places that have neither reported nor are excused; decryption waits for them.
		Places uint32  `json:"places_open"`
		Phases []phase `json:"phases"`
	}{
		Height: e.Height(), Phase: election.PhaseName(e.record.Phase), Opening: e.record.Opening, Closing: e.record.Closing, Decrypting: e.decrypting(),
		RollSealed: e.record.RollSealed, RollSize: e.record.RollSize, RollRoot: e.record.RollRoot, KeyDigest: e.record.KeyDigest,
		TrialPassed: e.record.TrialPassed, Open: e.record.ContestsOpen, Places: e.record.PlacesOpen,
	}
	answer.Phases, err = e.reached()
	return answer, err
}

// decrypting returns the block time, unix seconds, at which decryption begins at the earliest: it waits for polling places. It is 0 while no
// closing is set, and where choices are open.
func (e *shownElection) decrypting() int64 {
	if e.record.Closing == 0 || e.manifest.OpenChoices {
		return 0
	}
	return e.record.Closing + int64(e.manifest.ObjectionWindow)
}

// closed says whether voting has ended as it should, so that the sums are fixed.
func (e *shownElection) closed() bool {
	return e.record.Phase >= pb.PHASE_CLOSED && e.record.Phase <= pb.PHASE_FINAL
}

// reached returns the phases that the election has come to, in order.
func (e *shownElection) reached() ([]phase, error) {
	last, err := e.lastBeforeCancellation()
	if err != nil {
		return nil, err
	}
	begins := map[pb.Phase]int64{
		pb.PHASE_VOTING: e.record.Opening, pb.PHASE_CLOSED: e.record.Closing, pb.PHASE_DECRYPTING: e.decrypting(),
	}
	if len(e.manifest.PollingPlaces) > 0 {
		delete(begins, pb.PHASE_DECRYPTING) // it may have waited for the last of them
	}
	skipped := map[pb.Phase]bool{}
	if e.manifest.OpenChoices {
		begins = map[pb.Phase]int64{pb.PHASE_VOTING: e.record.Opening, pb.PHASE_FINAL: e.record.Closing}
		skipped = map[pb.Phase]bool{pb.PHASE_KEY_CEREMONY: true, pb.PHASE_CLOSED: true, pb.PHASE_DECRYPTING: true}
	}
	blocks := heights{Snapshot: e.Snapshot}
	var list []phase
	for p := pb.PHASE_SETUP; p <= last; p++ {
		if skipped[p] {
			continue
		}
		each := phase{Phase: election.PhaseName(p)}
		if seconds, timed := begins[p]; timed {
			leaf, err := blocks.began(seconds)
			if err != nil {
				return nil, err
			}
			if leaf != nil {
				moment := time.Unix(0, leaf.Time).UTC()
				each.Height, each.Time = leaf.Height, &moment
			}
		}
		list = append(list, each)
	}
	if last != e.record.Phase {
		list = append(list, phase{Phase: election.PhaseName(e.record.Phase)})
	}
	return list, nil
}

// lastBeforeCancellation returns the phase of an election; of a cancelled one the last before that, as far as its records show: whether
// it had closed is not among them, unless decryption had begun.
func (e *shownElection) lastBeforeCancellation() (pb.Phase, error) {
	if e.record.Phase != pb.PHASE_CANCELLED {
		return e.record.Phase, nil
	}
	counts := state.SumKey(e.id, 0)
	if e.manifest.OpenChoices {
		counts = state.ResultKey(e.id, 0)
	}
	sum, err := e.Record(counts)
	switch {
	case err != nil:
		return pb.PHASE_NONE, err
	case e.record.ContestsOpen > 0:
		return pb.PHASE_DECRYPTING, nil // until all are decided, and then it is final
	case e.record.PlacesOpen > 0:
		return pb.PHASE_CLOSED, nil
	case sum != nil:
		return pb.PHASE_VOTING, nil // the sums, or the results of open choices, are written when voting begins
	case e.record.RollSealed && (e.record.TrialPassed || e.manifest.OpenChoices):
		return pb.PHASE_READY, nil
	case len(e.Keys(state.CeremonyKey(e.id, ""), "", 1)) > 0:
		return pb.PHASE_KEY_CEREMONY, nil
	}
	return pb.PHASE_SETUP, nil
}

// turnoutOf tells how many ballots of a contest count.
type turnoutOf struct {
	Contest uint32 `json:"contest"`
	Title   string `json:"title"`
	Ballots uint64 `json:"ballots"`
}

// leastStep is the least step in which turnout is shown until closing.
const leastStep = 10

// turnout serves GET /v1/elections/{id}/turnout?from=I&limit=N. Until closing the ballots of a contest are shown in steps of open_min, the number
// below which it is never opened, and at least ten: what few people do is not to be watched one by one. Open choices can be watched anyway.
func (s *Server) turnout(r *http.Request) (any, error) {
	e, err := s.electionOf(r)
	if err != nil {
		return nil, err
	}
	all, err := summarise(e)
	if err != nil {
		return nil, err
	}
	step := uint64(1)
	if !e.closed() && !e.manifest.OpenChoices {
		step = max(leastStep, uint64(e.manifest.OpenMin))
	}
	page, err := contestPage(e, r, func(i uint32) (turnoutOf, int, error) {
		shown := turnoutOf{Contest: i, Title: e.manifest.Contests[i].Title}
		if e.manifest.OpenChoices {
			result, err := state.Load[pb.Result](e, state.ResultKey(e.id, i))
			shown.Ballots = result.GetBallots()
			return shown, len(shown.Title), err
		}
		counted, err := loadSum(e, i)
		if counted != nil {
			shown.Ballots = counted.Ballots / step * step
		}
		return shown, len(shown.Title), err
	})
	return struct {
		Height   int64  `json:"height"`
		Phase    string `json:"phase"`
		Voters   uint64 `json:"voters"`
		Recorded uint64 `json:"recorded"`
		Step     uint64 `json:"step"`
		*contests[turnoutOf]
	}{e.Height(), all.Phase, all.Voters, all.Recorded, step, page}, err
}
