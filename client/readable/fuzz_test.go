package readable

import (
	"errors"
	"slices"
	"testing"

	pb "votenode/proto/votenode/v1"
)

// A form names options of its contest and nothing else, and nothing follows it.
func FuzzParseForm(f *testing.F) {
	m := &pb.Manifest{Election: "primary", Contests: []pb.Contest{{Title: "Mayor", Options: []string{"Ann", "Bob"}, MaxSelections: 2}},
		Styles: []pb.BallotStyle{{District: "North", Contests: []uint32{0}}}}
	f.Add([]byte(`{"election": "primary", "district": "North", "contests": [{"title": "Mayor", "max_selections": 2, "options": ["Ann", "Bob"], "selected": ["Bob"]}]}`))
	f.Add([]byte(`{"contests": null}`))
	f.Add([]byte(`{} {}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		form, err := ParseForm(data)
		if err != nil {
			if !errors.Is(err, ErrForm) {
				t.Error(err)
			}
			return
		}
		if _, err := ParseForm(slices.Concat(data, []byte("{}"))); err == nil {
			t.Errorf("%q with something behind it is read", data)
		}
		selections, err := form.Selections(m, 0)
		for _, selected := range selections {
			for _, option := range selected {
				if option < 0 || option > 1 {
					t.Errorf("%q selects option %d", data, option)
				}
			}
		}
		if err != nil && !errors.Is(err, ErrForm) {
			t.Error(err)
		}
	})
}
