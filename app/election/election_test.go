package election

import (
	"bytes"
	"testing"

	pb "votenode/proto/votenode/v1"
)

// TestMoves holds the table of phases against that of spec 8.2, cell by cell.
func TestMoves(t *testing.T) {
	forward := map[pb.Phase]struct {
		cause Cause
		to    pb.Phase
	}{
		pb.PHASE_SETUP:        {TrusteesAppointed, pb.PHASE_KEY_CEREMONY},
		pb.PHASE_KEY_CEREMONY: {EverythingReady, pb.PHASE_READY},
		pb.PHASE_READY:        {OpeningReached, pb.PHASE_VOTING},
		pb.PHASE_VOTING:       {ClosingReached, pb.PHASE_CLOSED},
		pb.PHASE_CLOSED:       {ObjectionsOver, pb.PHASE_DECRYPTING},
		pb.PHASE_DECRYPTING:   {ContestsDecided, pb.PHASE_FINAL},
	}
	open := map[pb.Phase]struct { // where choices are open
		cause Cause
		to    pb.Phase
	}{
		pb.PHASE_SETUP:  {RollFixed, pb.PHASE_READY},
		pb.PHASE_VOTING: {ChoicesOver, pb.PHASE_FINAL},
	}
	for p := range pb.Phase_name {
		for cause := TrusteesAppointed; cause <= Cancellation; cause++ {
			from := pb.Phase(p)
			want, ok := pb.PHASE_NONE, false
			if f, running := forward[from]; running && cause == f.cause {
				want, ok = f.to, true
			} else if running && cause == Cancellation {
				want, ok = pb.PHASE_CANCELLED, true
			} else if o, there := open[from]; there && cause == o.cause {
				want, ok = o.to, true
			}
			if got, moved := Move(from, cause); got != want || moved != ok {
				t.Errorf("from %v for cause %d: %v, %v; want %v, %v", from, cause, got, moved, want, ok)
			}
		}
		if _, running := forward[pb.Phase(p)]; Over(pb.Phase(p)) == running {
			t.Errorf("%v: over is %v", pb.Phase(p), !running)
		}
	}
}

func TestPhaseName(t *testing.T) {
	if got := PhaseName(pb.PHASE_KEY_CEREMONY); got != "key ceremony" {
		t.Errorf("%q", got)
	}
}

func example() *pb.Manifest {
	return &pb.Manifest{
		Election: "e-1", Title: "Title",
		Contests: []pb.Contest{
			{Title: "A", Options: []string{"x", "y"}, MaxSelections: 1},
			{Title: "B", FirstSlot: 2, Options: []string{"x", "y", "z"}, MinSelections: 1, MaxSelections: 2},
			{Title: "C", Options: []string{"x"}, MaxSelections: 1},
		},
		Styles:         []pb.BallotStyle{{District: "N", Contests: []uint32{0, 1}}, {District: "S", Contests: []uint32{1, 2}}},
		RevoteInterval: 1, CeremonyStep: 1, OpenMin: 1,
	}
}

func TestManifest(t *testing.T) {
	m := example()
	parsed, err := ParseManifest(Encode(m))
	if err != nil {
		t.Fatal(err)
	}
	if ManifestHash(parsed) != ManifestHash(m) || Slots(m) != 5 {
		t.Errorf("hash %x, %d slots", ManifestHash(parsed), Slots(m))
	}
	styles := BallotStyles(m)
	if len(styles) != 2 || len(styles[1].Contests) != 2 || styles[1].Contests[0].FirstSlot != 2 || styles[1].Contests[0].Max != 2 {
		t.Errorf("styles: %v", styles)
	}
	if _, err := ParseManifest(append(Encode(m), 0)); err == nil {
		t.Error("a trailing byte passes")
	}
}

// TestSharedSlots: contests of different districts may share a slot, those of one ballot may not.
func TestSharedSlots(t *testing.T) {
	m := example()
	if err := CheckManifest(m); err != nil {
		t.Fatalf("contests 0 and 2 stand on no ballot together: %v", err)
	}
	m.Styles[1].Contests = []uint32{0, 1, 2}
	if CheckManifest(m) == nil {
		t.Error("contests 0 and 2 stand on one ballot and share slot 0")
	}
}

// FuzzParseManifest: bytes from anywhere are refused, or are the one encoding of a manifest from which ballot styles can be made.
func FuzzParseManifest(f *testing.F) {
	f.Add(Encode(example()))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseManifest(bytes.Clone(b))
		if err != nil {
			return
		}
		if !bytes.Equal(Encode(m), b) {
			t.Fatal("two encodings of one manifest")
		}
		if n := len(BallotStyles(m)); n != len(m.Styles) || Slots(m) < 1 || Slots(m) > MaxSlots {
			t.Fatalf("%d styles, %d slots", n, Slots(m))
		}
	})
}
