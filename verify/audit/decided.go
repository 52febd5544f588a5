package audit

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// Decided says by what resolution something was decided, at which height it took effect, and for what reason.
type Decided struct {
	Height     int64  `json:"height"`
	Resolution string `json:"resolution"`
	Reason     string `json:"reason"`
}

func decided(view state.View, resolution []byte) (Decided, error) {
	record, err := state.MustLoad[pb.ResolutionRecord](view, state.ResolutionKey(resolution))
	if err != nil {
		return Decided{}, err
	}
	return Decided{record.Decided, hex.EncodeToString(resolution), record.Resolution.Reason}, nil
}

// Candidate is a candidate who was removed from a contest.
type Candidate struct {
	Contest string `json:"contest"`
	Name    string `json:"candidate"`
	Decided
}

// Extension is a closing that was put off, for outage, halt, attack or other.
type Extension struct {
	Cause      string    `json:"cause"`
	OldClosing time.Time `json:"old_closing"`
	Closing    time.Time `json:"closing"`
	Decided
}

// struck returns how many entries were struck from each roll when it was sealed, by election. It goes through all resolutions.
func struck(view state.View) (map[string]uint64, error) {
	all := map[string]uint64{}
	return all, view.Records(state.ResolutionPrefix, func(_ string, value []byte) error {
		r := new(pb.ResolutionRecord)
		if err := election.Decode(value, r); err != nil {
			return err
		}
		if seal := r.Resolution.GetSealRoll(); seal != nil && r.Status == pb.RESOLUTION_EFFECTIVE {
			all[seal.Election] = uint64(len(seal.Struck))
		}
		return nil
	})
}

// Round is a round of the lot that was ended without the secrets of some organisations.
type Round struct {
	Round   uint32   `json:"round"`
	Missing []string `json:"missing"`
	Decided
}

// roll tells of the entries of the roll by which an election votes; struck are those of all rolls.
func (e *Election) roll(view state.View, record *pb.Election, struck map[string]uint64) error {
	id := state.RollOf(e.ID, record)
	head, err := view.Head(state.LogRoll(id))
	if err != nil {
		return err
	}
	e.Voters, e.Sealed, e.Struck = head.Size, record.RollSealed, struck[id]
	counts, err := state.Load[pb.RollCounts](view, state.RollCountsKey(id))
	if err != nil {
		return err
	}
	for _, n := range counts.GetRevoked() {
		e.Revoked += n
	}
	return nil
}

// changes tells of removed candidates, by contest and option, and of extensions in order.
func (e *Election) changes(view state.View, m *pb.Manifest) error {
	removed, err := state.Load[pb.RemovedCandidates](view, state.RemovedKey(e.ID))
	if err != nil {
		return err
	}
	for _, c := range removed.GetRemoved() {
		by, err := decided(view, c.Resolution)
		if err != nil {
			return err
		}
		contest := &m.Contests[c.Contest]
		e.Removed = append(e.Removed, Candidate{contest.Title, contest.Options[c.Option], by})
	}
	for n := 1; ; n++ {
		x, err := state.Load[pb.Extension](view, state.ExtensionKey(e.ID, n))
		if err != nil || x == nil {
			return err
		}
		by, err := decided(view, x.Resolution)
		if err != nil {
			return err
		}
		cause := strings.ToLower(strings.TrimPrefix(x.Cause.String(), "EXTENSION_"))
		e.Extensions = append(e.Extensions, Extension{cause, time.Unix(x.OldClosing, 0).UTC(), time.Unix(x.Closing, 0).UTC(), by})
	}
}

// rounds tells of the rounds of the lot before the present one.
func (e *Election) rounds(view state.View) error {
	lot, err := state.Load[pb.Lot](view, state.LotKey(e.ID))
	if err != nil {
		return err
	}
	for round := uint32(1); round < lot.GetRound(); round++ {
		ended, err := state.MustLoad[pb.Lot](view, state.LotRoundKey(e.ID, round))
		if err != nil {
			return err
		}
		by, err := decided(view, ended.Renewed)
		if err != nil {
			return err
		}
		e.Rounds = append(e.Rounds, Round{round, election.LotMissing(ended), by})
	}
	return nil
}

// Nominations counts applications.
type Nominations struct {
	ID string `json:"id"`
	// Submitted are all applications, Refused those refused by some organisation, Standing those registered by all and not withdrawn.
	Submitted uint32 `json:"submitted"`
	Refused   uint32 `json:"refused"`
	Withdrawn uint32 `json:"withdrawn"`
	Standing  uint32 `json:"standing"`
	// Manifest is the hash of the manifest that was formed at the height Formed; empty and 0 before, and empty where nobody stands.
	Manifest string `json:"manifest"`
	Formed   int64  `json:"formed"`
	// Cancelled is there where a resolution cancelled them: nobody stands in an election by them.
	Cancelled *Decided `json:"cancelled,omitempty"`
}

// nominations tells of all nominations, in order of opening.
func nominations(view state.View) ([]Nominations, error) {
	list := []Nominations{}
	index, err := state.Load[pb.NominationsIndex](view, state.KeyNominations)
	if err != nil {
		return nil, err
	}
	for _, id := range index.GetIds() {
		n, err := state.MustLoad[pb.NominationsState](view, state.NominationsKey(id))
		if err != nil {
			return nil, err
		}
		shown := Nominations{id, n.Submitted, n.Refused, n.Withdrawn, n.Standing, hex.EncodeToString(n.Manifest), n.Formed, nil}
		if n.Cancelled != 0 {
			by, err := decided(view, n.CancelledBy)
			if err != nil {
				return nil, err
			}
			shown.Cancelled = &by
		}
		list = append(list, shown)
	}
	return list, nil
}

// Initiative is an initiative with what the organisations answered. The title of one that is removed is not told.
type Initiative struct {
	Number   uint64 `json:"initiative"`
	Election string `json:"election"`
	Title    string `json:"title"`
	Supports uint64 `json:"supports"`
	Comments uint64 `json:"comments"`
	// Owed is the height from which an answer is owed, Deadline the last at which it is in time; 0 where none ever was.
	Owed     int64    `json:"owed"`
	Deadline int64    `json:"deadline"`
	Answer   *Decided `json:"answer,omitempty"`
	Removed  *Decided `json:"removed,omitempty"`
}

// Post is a comment that was removed.
type Post struct {
	Post uint64 `json:"post"`
	Decided
}

// initiatives tells of all initiatives and of the comments that were removed, by number.
func initiatives(view state.View) ([]Initiative, []Post, error) {
	list, removed := []Initiative{}, []Post{}
	head, err := view.Head(state.LogInitiatives)
	if err != nil {
		return nil, nil, err
	}
	for number := range head.Size {
		taken, err := state.Load[pb.RemovedPost](view, state.RemovedPostKey(number))
		if err != nil {
			return nil, nil, err
		}
		var gone *Decided
		if taken != nil {
			by, err := decided(view, taken.Resolution)
			if err != nil {
				return nil, nil, err
			}
			gone = &by
		}
		record, err := state.Load[pb.Initiative](view, state.InitiativeKey(number))
		switch {
		case err != nil:
			return nil, nil, err
		case record == nil && gone != nil:
			removed = append(removed, Post{number, *gone})
		case record != nil:
			i, err := initiative(view, number, record, gone)
			if err != nil {
				return nil, nil, err
			}
			list = append(list, *i)
		}
	}
	return list, removed, nil
}

func initiative(view state.View, number uint64, record *pb.Initiative, removed *Decided) (*Initiative, error) {
	i := &Initiative{
		Number: number, Election: record.Election, Supports: record.Supports, Comments: record.Comments, Owed: record.Owed, Deadline: record.Deadline, Removed: removed,
	}
	if removed == nil {
		leaf, err := view.Leaf(state.LogInitiatives, number)
		if err != nil {
			return nil, err
		}
		parsed, err := tx.Parse(leaf)
		if err != nil {
			return nil, fmt.Errorf("%w: leaf %d of %s: %v", state.ErrCorrupted, number, state.LogInitiatives, err)
		}
		if m, ok := parsed.Body().(*pb.PublishInitiative); ok {
			i.Title = m.Title
		}
	}
	if record.Answered == 0 {
		return i, nil
	}
	answer, err := decided(view, record.Answer)
	i.Answer = &answer
	return i, err
}
