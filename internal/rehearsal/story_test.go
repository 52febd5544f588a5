package rehearsal

import (
	"slices"
	"testing"
)

func TestStory(t *testing.T) {
	e, want := Story(t)
	for contest, votes := range want.Votes {
		if got := e.Result(uint32(contest)).Votes; !slices.Equal(got, votes) {
			t.Errorf("contest %d: %v, want %v", contest, got, votes)
		}
	}
}
