package book

import (
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"votenode/client"
	pb "votenode/proto/votenode/v1"
)

// sight is an empty one.
func sight(height int64) *Sight { return &Sight{Height: height, Voter: new(pb.Voter)} }

// with puts a ballot into a sight.
func (s *Sight) with(sequence uint64, n byte) *Sight {
	s.Voter = &pb.Voter{Status: pb.VOTER_COUNTS, Sequence: sequence, Code: append([]byte{n}, make([]byte, 31)...)}
	return s
}

// challenged puts a challenge into a sight.
func (s *Sight) challenged(sequence uint64, n byte) *Sight {
	p, _ := hex.DecodeString(point(n))
	s.Spoiled = append(s.Spoiled, pb.SpoiledBallot{Sequence: sequence, NoncePoint: p})
	return s
}

// look compares a sight, and describes what is foreign.
func look(t *testing.T, b *Book, s *Sight) string {
	t.Helper()
	if err := b.compare(s, s.recorded()); err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, f := range s.Foreign {
		list = append(list, fmt.Sprintf("%d %s%s at %d", f.Sequence, f.Code, f.C0, f.Height))
	}
	return strings.Join(list, "; ")
}

func TestForeign(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.json")
	b := start(t, path)
	for _, err := range []error{b.Cast(1, [32]byte{1}), b.Challenged(2, [32]byte{2}, [32]byte{3})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	expect := func(s *Sight, want string) {
		t.Helper()
		if got := look(t, b, s); got != want {
			t.Errorf("foreign: %q instead of %q", got, want)
		}
	}
	expect(sight(1), "")
	expect(sight(2).with(1, 1), "")
	expect(sight(3).with(1, 1).challenged(2, 3), "")

	stolen := "3 " + code(9) + " at 4"
	expect(sight(4).with(3, 9), stolen)
	expect(sight(5).with(3, 9), stolen) // once, with the height of the first time
	if err := b.Cast(4, [32]byte{4}); err != nil {
		t.Fatal(err)
	}
	b = start(t, path)
	expect(sight(6).with(4, 4), stolen) // it is superseded, and remembered

	// The same number with another C_0, and another number with the same, are not what was challenged here.
	other, third := "2 "+point(8)+" at 7", "5 "+point(3)+" at 7"
	expect(sight(7).with(4, 4).challenged(2, 3).challenged(2, 8).challenged(5, 3), strings.Join([]string{stolen, other, third}, "; "))

	// What the voter says is from another device is foreign no longer.
	if err := b.Add([32]byte{9}); err != nil {
		t.Fatal(err)
	}
	expect(sight(8).with(3, 9), other+"; "+third)
	if err := b.AddChallenge(2); err != nil {
		t.Fatal(err)
	}
	expect(sight(9).challenged(2, 8).challenged(2, 7), third)
	if err := b.AddChallenge(5); err != nil {
		t.Fatal(err)
	}
	expect(sight(10).with(3, 9).challenged(5, 3), "")
}

// A ballot that was only challenged here was not cast here, and one that was only cast was not challenged.
func TestKindsAreApart(t *testing.T) {
	b := start(t, filepath.Join(t.TempDir(), "b.json"))
	for _, err := range []error{b.Challenged(2, [32]byte{2}, [32]byte{3}), b.Cast(3, [32]byte{4}), b.Add([32]byte{5})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := "2 " + code(2) + " at 1; 3 " + point(4) + " at 1"
	if got := look(t, b, sight(1).with(2, 2).challenged(3, 4)); got != want {
		t.Errorf("foreign: %q", got)
	}
}

// What a revoked voter has cast before stays in the leaf, and is the voter's still.
func TestRevokedLeaf(t *testing.T) {
	b := start(t, filepath.Join(t.TempDir(), "b.json"))
	if err := b.Cast(1, [32]byte{1}); err != nil {
		t.Fatal(err)
	}
	s := sight(1).with(1, 1)
	s.Voter.Status = pb.VOTER_REVOKED
	if got := look(t, b, s); got != "" {
		t.Errorf("foreign: %q", got)
	}
}

// A thief cannot fill the book; what is not remembered is warned of all the same.
func TestForeignIsBounded(t *testing.T) {
	b := start(t, filepath.Join(t.TempDir(), "b.json"))
	s := sight(1)
	var seen []Foreign
	for i := range maxForeign + 5 {
		seen = append(seen, Foreign{Sequence: uint64(i + 1), C0: point(1), Height: 1})
	}
	if err := b.compare(s, seen); err != nil {
		t.Fatal(err)
	}
	if len(s.Foreign) != maxForeign+5 || len(b.entries(t)) != maxForeign {
		t.Errorf("%d foreign, %d remembered", len(s.Foreign), len(b.entries(t)))
	}
	if err := b.Cast(1, [32]byte{1}); err != nil {
		t.Error(err)
	}
}

// Where the book cannot be written, the warning comes nevertheless.
func TestWarningWithoutBook(t *testing.T) {
	b := start(t, filepath.Join(t.TempDir(), "none", "b.json"))
	s := sight(4).with(3, 9)
	if err := b.compare(s, s.recorded()); err == nil || len(s.Foreign) != 1 {
		t.Errorf("%v, %v", s.Foreign, err)
	}
}

func TestWarnings(t *testing.T) {
	f := Foreign{Sequence: 3, Code: code(9), Height: 4}
	for _, part := range []string{"WARNING", code(9), "number 3", "height 4", "book add " + code(9), "Cast your ballot again", "registrars"} {
		if !strings.Contains(f.Warning(), part) {
			t.Errorf("%q is not in %q", part, f.Warning())
		}
	}
	f = Foreign{Sequence: 3, C0: point(9), Height: 4}
	if !strings.Contains(f.Warning(), "is challenged") || !strings.Contains(f.Warning(), "book add --challenged 3") {
		t.Error(f.Warning())
	}
}

func TestChanges(t *testing.T) {
	b := start(t, filepath.Join(t.TempDir(), "b.json"))
	for _, err := range []error{b.Cast(1, [32]byte{1}), b.Challenged(2, [32]byte{2}, [32]byte{3}), b.Cast(5, [32]byte{5})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	revoked := sight(8).with(5, 5).challenged(2, 3)
	revoked.Voter.Status = pb.VOTER_REVOKED
	last := *revoked
	last.Height = 9
	var told []string
	var warned []Foreign
	w := &Watch{
		Tell: func(e Event) error { told = append(told, e.String()); return nil },
		Warn: func(f Foreign) { warned = append(warned, f) },
	}
	for i, step := range []struct {
		*Sight
		phase pb.Phase
		want  []string
	}{
		{sight(1), pb.PHASE_VOTING, nil},
		{sight(2).with(1, 1), pb.PHASE_VOTING, []string{"height 2: recorded, number 1, " + code(1)}},
		{sight(3).with(1, 1), pb.PHASE_VOTING, nil},
		{sight(4).with(1, 1).challenged(2, 3), pb.PHASE_VOTING, []string{"height 4: challenged, number 2"}},
		{sight(5).with(4, 9).challenged(2, 3), pb.PHASE_VOTING, []string{"height 5: superseded, number 1, " + code(1), "height 5: foreign, number 4, " + code(9)}},
		{sight(6).with(4, 9).challenged(2, 3), pb.PHASE_VOTING, nil},
		{sight(7).with(5, 5).challenged(2, 3).challenged(6, 8), pb.PHASE_VOTING, []string{
			"height 7: superseded, number 4, " + code(9), "height 7: recorded, number 5, " + code(5), "height 7: foreign-challenge, number 6",
		}},
		{revoked, pb.PHASE_VOTING, []string{"height 8: revoked"}},
		{&last, pb.PHASE_CLOSED, []string{"height 9: closed"}},
		{&last, pb.PHASE_CANCELLED, []string{"height 9: cancelled"}},
	} {
		told = nil
		look(t, b, step.Sight)
		if err := w.tell(&moment{step.Sight, step.phase}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(told, step.want) {
			t.Errorf("step %d: told %q", i, told)
		}
	}
	if len(warned) != 2 || warned[0].Code != code(9) || warned[1].Sequence != 6 {
		t.Errorf("warned of %v", warned)
	}
	if !errors.Is(ErrForeign, client.ErrVerification) {
		t.Error("a foreign ballot does not end with the exit code of a failed verification")
	}
	full := errors.New("stdout is closed")
	w.Tell = func(Event) error { return full }
	if err := w.tell(&moment{sight(10).with(1, 1), pb.PHASE_VOTING}); !errors.Is(err, full) {
		t.Errorf("error of Tell: %v", err)
	}
}
