package readable

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"votenode/client"
	pb "votenode/proto/votenode/v1"
)

// ErrForm says that a filled-in ballot does not fit the manifest.
var ErrForm = errors.New("the ballot is not filled in as the manifest asks")

// Form is a ballot for people to fill in: the contests of a ballot style, with the titles of the selected options under Selected.
type Form struct {
	Election string        `json:"election"`
	District string        `json:"district"`
	Contests []FormContest `json:"contests"`
}

// FormContest is one question of a Form. Removed are the options whose candidates a resolution removed: see RemovedVotes.
type FormContest struct {
	Title    string   `json:"title"`
	Min      uint32   `json:"min_selections"`
	Max      uint32   `json:"max_selections"`
	Options  []string `json:"options"`
	Removed  []string `json:"removed,omitempty"`
	Selected []string `json:"selected"`
}

// NewForm returns the empty ballot of a style; removed are the options whose candidates were removed, by contest.
func NewForm(m *pb.Manifest, style uint32, removed map[uint32][]uint32) (*Form, error) {
	if int(style) >= len(m.Styles) {
		return nil, fmt.Errorf("the manifest has no ballot style %d", style)
	}
	f := &Form{Election: m.Election, District: m.Styles[style].District}
	for _, index := range m.Styles[style].Contests {
		c := &m.Contests[index]
		contest := FormContest{Title: c.Title, Min: c.MinSelections, Max: c.MaxSelections, Options: c.Options, Selected: []string{}}
		for _, option := range removed[index] {
			contest.Removed = append(contest.Removed, c.Options[option])
		}
		f.Contests = append(f.Contests, contest)
	}
	return f, nil
}

// ParseForm reads a form strictly.
func ParseForm(data []byte) (*Form, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var f Form
	if err := decoder.Decode(&f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows it", ErrForm)
	}
	return &f, nil
}

// Selections returns the indices of the selected options by contest, as Voter.Prepare takes them. Nothing but Selected and Removed may
// differ from the empty form: candidates may have been removed since it was printed. It fails with ErrForm.
func (f *Form) Selections(m *pb.Manifest, style uint32) ([][]int, error) {
	empty, err := NewForm(m, style, nil)
	if err != nil {
		return nil, err
	}
	if f.Election != empty.Election || f.District != empty.District || len(f.Contests) != len(empty.Contests) {
		return nil, fmt.Errorf("%w: it is the ballot of another election or district", ErrForm)
	}
	selections := make([][]int, len(f.Contests))
	for i, c := range f.Contests {
		e := empty.Contests[i]
		if c.Title != e.Title || !slices.Equal(c.Options, e.Options) {
			return nil, fmt.Errorf("%w: contest %d was changed", ErrForm, i+1)
		}
		for _, option := range c.Selected {
			index := slices.Index(c.Options, option)
			if index < 0 {
				return nil, fmt.Errorf("%w: %q has no option %q", ErrForm, c.Title, option)
			}
			if slices.Contains(selections[i], index) {
				return nil, fmt.Errorf("%w: %q is selected twice in %q", ErrForm, option, c.Title)
			}
			selections[i] = append(selections[i], index)
		}
		if n := len(c.Selected); n < int(e.Min) || n > int(e.Max) {
			return nil, fmt.Errorf("%w: %q wants %d to %d selections, not %d", ErrForm, c.Title, e.Min, e.Max, n)
		}
	}
	return selections, nil
}

// SelectedRemoved returns the selected options, with their contests in words, whose candidates were removed.
func (f *Form) SelectedRemoved(m *pb.Manifest, style uint32, removed map[uint32][]uint32) ([]string, error) {
	marked, err := NewForm(m, style, removed)
	if err != nil {
		return nil, err
	}
	var selected []string
	for i, c := range marked.Contests {
		for _, option := range c.Removed {
			if slices.Contains(f.Contests[i].Selected, option) {
				selected = append(selected, fmt.Sprintf("%q of %q", option, c.Title))
			}
		}
	}
	return selected, nil
}

// FilledForm returns the ballot that an opened one held, for people to read. Check it first.
func FilledForm(ctx context.Context, v *client.View, opened *client.Challenge) (*Form, error) {
	_, m, err := client.LoadRules(ctx, v, opened.Election)
	if err != nil {
		return nil, err
	}
	f, err := NewForm(m, opened.Style, nil)
	if err != nil {
		return nil, err
	}
	if len(opened.Selections) != len(f.Contests) {
		return nil, fmt.Errorf("%w: %d contests", ErrForm, len(opened.Selections))
	}
	for i, selected := range opened.Selections {
		for _, option := range selected {
			if option < 0 || option >= len(f.Contests[i].Options) {
				return nil, fmt.Errorf("%w: option %d", ErrForm, option)
			}
			f.Contests[i].Selected = append(f.Contests[i].Selected, f.Contests[i].Options[option])
		}
	}
	return f, nil
}
