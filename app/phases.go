package app

import (
	"fmt"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// setPhase writes an election in a new phase.
func (w *writing) setPhase(id string, e *pb.Election, phase pb.Phase) {
	e.Phase = phase
	w.save(state.ElectionKey(id), e)
	w.emit("phase", "election", id, "phase", election.PhaseName(phase))
}

// move moves an election along the table of phases. A move that the table lacks is a bug in the caller.
func (w *writing) move(id string, e *pb.Election, cause election.Cause) {
	to, ok := election.Move(e.Phase, cause)
	if !ok {
		panic(fmt.Sprintf("app: no move from %v for cause %d", e.Phase, cause))
	}
	w.setPhase(id, e, to)
}

// eachElection calls fn for every election that is not over, in order of creation.
func (x *execution) eachElection(fn func(id string, e *pb.Election) error) error {
	list, err := state.MustLoad[pb.ElectionList](x.Writer, state.KeyElections)
	if err != nil {
		return err
	}
	for _, id := range list.Ids {
		e, err := state.MustLoad[pb.Election](x.Writer, state.ElectionKey(id))
		if err != nil {
			return err
		}
		if election.Over(e.Phase) {
			continue
		}
		if err := fn(id, e); err != nil {
			return err
		}
	}
	return nil
}

// beginBlock decides every phase that depends on time, once, by the time of this block. Spec 8.3.
func (x *execution) beginBlock() error {
	x.recordMisbehaviour()
	if err := x.recordSigning(); err != nil {
		return err
	}
	if err := x.beginEpoch(); err != nil {
		return err
	}
	if err := x.eachElection(x.moveByTime); err != nil {
		return err
	}
	return x.formManifests()
}

// moveByTime moves one election as far as block time takes it. What is not ready at its opening loses its times and waits for
// new ones.
func (x *execution) moveByTime(id string, e *pb.Election) error {
	m, err := x.manifest(x.Writer, e.Manifest)
	if err != nil {
		return err
	}
	switch {
	case e.Opening == 0:
	case e.Phase == pb.PHASE_READY && x.reached(e.Opening):
		if m.OpenChoices {
			x.createCounts(id, m)
		} else {
			x.createSums(id, m)
		}
		x.move(id, e, election.OpeningReached)
	case (e.Phase == pb.PHASE_SETUP || e.Phase == pb.PHASE_KEY_CEREMONY) && x.reached(e.Opening):
		e.Opening, e.Closing = 0, 0
		x.save(state.ElectionKey(id), e)
		x.emit("opening-missed", "election", id)
	}
	if e.Phase == pb.PHASE_VOTING && x.reached(e.Closing) {
		e.PlacesOpen = uint32(len(m.PollingPlaces))
		if m.OpenChoices {
			x.move(id, e, election.ChoicesOver)
			return nil
		}
		x.move(id, e, election.ClosingReached)
	}
	if e.Phase == pb.PHASE_CLOSED && e.PlacesOpen == 0 && x.reached(e.Closing+int64(m.ObjectionWindow)) {
		x.move(id, e, election.ObjectionsOver)
		return x.beginDecryption(id, e, m)
	}
	return nil
}

// createSums writes an empty sum for every contest.
func (x *execution) createSums(id string, m *pb.Manifest) {
	empty := make(map[int][]byte) // by number of options, for points are dear to encode
	for c := range m.Contests {
		options := len(m.Contests[c].Options)
		if empty[options] == nil {
			empty[options] = ballot.NewEncryptedTally(options).Bytes()
		}
		x.SetRecord(state.SumKey(id, uint32(c)), empty[options])
	}
}

// moveWhenReady makes an election ready once roll, keys and trial decryption are, and the lot where lists are formed; one with open choices needs the
// roll alone. An opening that block time has reached was forgotten at the beginning of the block, so nothing opens by surprise.
func (x *execution) moveWhenReady(id string, e *pb.Election) error {
	made := e.Phase == pb.PHASE_KEY_CEREMONY && e.TrialPassed
	if !e.RollSealed || !made && e.Phase != pb.PHASE_SETUP {
		return nil
	}
	m, err := x.manifest(x.Writer, e.Manifest)
	if err != nil {
		return err
	}
	if !made {
		if m.OpenChoices {
			x.move(id, e, election.RollFixed)
		}
		return nil
	}
	if election.HasList(m) {
		committed, err := x.lotCommitted(id)
		if err != nil || !committed {
			return err
		}
	}
	x.move(id, e, election.EverythingReady)
	return nil
}
