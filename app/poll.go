package app

import (
	"fmt"
	"math"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// This file is about elections by the roll of another one: polls of a part of it. Spec 19.1, 19.2.

// outside stands for the style of those who have none.
const outside = math.MaxUint32

// checkRollOf: the roll that a manifest names is sealed and in the log of that election, and has all its districts. Spec 9.20.
func (r *reading) checkRollOf(m *pb.Manifest) error {
	if m.RollOf == "" {
		return nil
	}
	source, err := state.LoadElection(r, m.RollOf)
	if err != nil {
		return err
	}
	if source == nil || !source.RollSealed || source.RollOf != "" {
		return tx.Refuse(tx.CodeNoRoll, "there is no sealed roll of an election %q", m.RollOf)
	}
	rules, err := r.manifest(r, source.Manifest)
	if err != nil {
		return err
	}
	known := districts(rules)
	for i := range m.Styles {
		if _, ok := known[m.Styles[i].District]; !ok {
			return tx.Refuse(tx.CodeUnknownDistrict, "%q has no district %q", m.RollOf, m.Styles[i].District)
		}
	}
	return nil
}

// districts returns the styles of a manifest by their districts.
func districts(m *pb.Manifest) map[string]uint32 {
	styles := make(map[string]uint32, len(m.Styles))
	for i := range m.Styles {
		styles[m.Styles[i].District] = uint32(i)
	}
	return styles
}

// takeRoll gives a new election the roll of another one.
func (w *writing) takeRoll(id string, e *pb.Election, of string) error {
	source, err := state.MustLoad[pb.Election](w, state.ElectionKey(of))
	if err != nil {
		return err
	}
	e.RollOf, e.RollSealed, e.RollSize, e.RollRoot = of, true, source.RollSize, source.RollRoot
	w.CreateVoters(id, e.RollSize)
	return nil
}

// styleOf returns the ballot style of an entry of an election's roll: the one on the roll, or where that is another election's the one of
// the same district. It refuses those who are in no district of the election.
func (a *App) styleOf(v state.View, id string, e *pb.Election, entry *pb.RollEntry) (uint32, error) {
	if e.RollOf == "" {
		return entry.Style, nil
	}
	part, err := a.part(v, e)
	if err != nil {
		return 0, err
	}
	if uint64(entry.Style) >= uint64(len(part)) {
		return 0, fmt.Errorf("%w: style %d on the roll of %q", state.ErrCorrupted, entry.Style, e.RollOf)
	}
	if part[entry.Style] == outside {
		return 0, tx.Refuse(tx.CodeNotInPart, "%q is not for the district of this voter", id)
	}
	return part[entry.Style], nil
}

// part returns the styles of an election by those on the roll of another one that it votes by. It must not be changed.
func (a *App) part(v state.View, e *pb.Election) ([]uint32, error) {
	key := [32]byte(e.Manifest) // fixes the other election, whose manifest never changes
	a.mu.Lock()
	part := a.parts[key]
	a.mu.Unlock()
	if part != nil {
		return part, nil
	}
	own, err := a.manifest(v, e.Manifest)
	if err != nil {
		return nil, err
	}
	source, err := state.MustLoad[pb.Election](v, state.ElectionKey(e.RollOf))
	if err != nil {
		return nil, err
	}
	rules, err := a.manifest(v, source.Manifest)
	if err != nil {
		return nil, err
	}
	styles := districts(own)
	part = make([]uint32, len(rules.Styles))
	for i := range part {
		part[i] = outside
		if style, ok := styles[rules.Styles[i].District]; ok {
			part[i] = style
		}
	}
	a.mu.Lock()
	a.parts[key] = part
	a.mu.Unlock()
	return part, nil
}

// barred says whether an entry of a roll was revoked in the election that has the roll: during its voting or before, or later.
func (r *reading) barred(id string, index uint64) (bool, error) {
	voter, err := state.LoadVoter(r, id, index)
	if err != nil || voter.Status == pb.VOTER_REVOKED {
		return err == nil, err
	}
	record, err := state.Load[pb.Barred](r, state.BarredKey(id, index))
	return record != nil, err
}

// poll is an election that votes by the roll of another one.
type poll struct {
	id     string
	record *pb.Election
}

// polls returns the elections that vote by the roll of an election and are not over, in order of creation.
func (r *reading) polls(of string) ([]poll, error) {
	list, err := state.MustLoad[pb.ElectionList](r, state.KeyElections)
	if err != nil {
		return nil, err
	}
	var all []poll
	for _, id := range list.Ids {
		e, err := state.MustLoad[pb.Election](r, state.ElectionKey(id))
		if err != nil {
			return nil, err
		}
		if e.RollOf == of && !election.Over(e.Phase) {
			all = append(all, poll{id, e})
		}
	}
	return all, nil
}
