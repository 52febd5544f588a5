package readable

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cosmos/gogoproto/proto"

	"votenode/app/election"
	pb "votenode/proto/votenode/v1"
)

func key(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

var messages = []proto.Message{
	&pb.Resolution{Nonce: 1 << 63, Reason: "why \"not\" <now>", Decision: &pb.Resolution_AppointTrustees{AppointTrustees: &pb.AppointTrustees{
		Election: "e", Boards: []pb.TrusteeBoard{{Organisation: "party", Quorum: 2, Trustees: []pb.Member{{Name: "Aigul", Key: key(1)}}}},
	}}},
	&pb.Resolution{Decision: &pb.Resolution_SealRoll{SealRoll: &pb.SealRoll{Election: "e", Size_: 790_000, Root: key(2)}}},
	&pb.Resolution{Decision: &pb.Resolution_ScheduleElection{ScheduleElection: &pb.ScheduleElection{Election: "e", Opening: -1, Closing: 1}}},
	&pb.Resolution{Decision: &pb.Resolution_ChangeValidators{ChangeValidators: &pb.ChangeValidators{
		Validators: []pb.Validator{{Organisation: "party", Key: key(3), Power: 10, NodeId: key(4)[:20]}},
	}}},
	&pb.Resolution{Decision: &pb.Resolution_RevokeVoters{RevokeVoters: &pb.RevokeVoters{Election: "e", Voters: []uint64{1, 2, 3}}}},
	&pb.Manifest{Election: "e", Contests: []pb.Contest{{Title: "t", Options: []string{"a", "b"}, MaxSelections: 1}}, OpenMin: 10},
	&pb.Manifest{Contests: []pb.Contest{{List: &pb.ListRule{Seats: 1}}}, Nominations: key(6)},
	&pb.Resolution{},
}

// TestMessages: what was written is read back, byte for byte of the canonical encoding.
func TestMessages(t *testing.T) {
	for _, m := range messages {
		text := FormatMessage(m)
		back := reflect.New(reflect.TypeOf(m).Elem()).Interface().(proto.Message)
		if err := ParseMessage(text, back); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if !bytes.Equal(election.Encode(back.(election.Message)), election.Encode(m.(election.Message))) {
			t.Errorf("%s\ncame back as\n%s", text, FormatMessage(back))
		}
	}
}

func TestMessageText(t *testing.T) {
	r := &pb.ResolutionRecord{Status: pb.RESOLUTION_EFFECTIVE, Approvals: []pb.Approval{{Organisation: "party", Officer: []byte{0xab}}}}
	text := string(FormatMessage(r))
	for _, want := range []string{`"status": "RESOLUTION_EFFECTIVE"`, `"officer": "ab"`, `"nonce": 0`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s lacks %s", text, want)
		}
	}
}

func TestParseMessageRefuses(t *testing.T) {
	for _, text := range []string{
		``, `null x`, `{"removed_votes":"NOTHING"}`, `{} {}`, `{"unknown":1}`, `{"nonce":"1"}`, `{"nonce":-1}`, `{"nonce":1.5}`, `[]`,
		`{"create_election":{"manifest":"0G"}}`, `{"create_election":{"manifest":"AB"}}`, `{"create_election":{"manifest":"abc"}}`,
		`{"cancel_election":{"election":"e"},"seal_roll":{"election":"e"}}`, `{"cancel_election":{"election":"e","why":"x"}}`,
		`{"revoke_voters":{"voters":[1,"2"]}}`,
	} {
		if err := ParseMessage([]byte(text), new(pb.Resolution)); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestWrongKinds: a value of a wrong kind is told in words for people, with its place.
func TestWrongKinds(t *testing.T) {
	for text, want := range map[string]string{
		`{"cast": "12"}`:                `cast: it is "12" and has to be a whole number from 0, without quotes`,
		`{"contests": [{"valid": -1}]}`: `contests: [0]: valid: it is -1 and has to be a whole number from 0, without quotes`,
		`{"contests": 7}`:               `contests: it is 7 and has to be a list in brackets`,
		`{"place": 7}`:                  `place: it is 7 and has to be a text in quotes`,
		`{"corrects": 7}`:               `corrects: it is 7 and has to be a text in quotes`,
		`{"contests": [7]}`:             `contests: [0]: it is 7 and has to be fields in braces`,
	} {
		if err := ParseMessage([]byte(text), new(pb.PaperTotals)); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func FuzzParseMessage(f *testing.F) {
	for _, m := range messages {
		f.Add(FormatMessage(m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := new(pb.Resolution)
		if ParseMessage(b, r) != nil {
			return
		}
		again := new(pb.Resolution)
		if err := ParseMessage(FormatMessage(r), again); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(election.Encode(r), election.Encode(again)) {
			t.Fatalf("%s came back as %s", FormatMessage(r), FormatMessage(again))
		}
	})
}

func manifest() *pb.Manifest {
	return &pb.Manifest{
		Election: "primary",
		Contests: []pb.Contest{
			{Title: "A", Options: []string{"a", "b", "c"}, MaxSelections: 2},
			{Title: "B", FirstSlot: 3, Options: []string{"d", "e"}, MinSelections: 1, MaxSelections: 1},
		},
		Styles: []pb.BallotStyle{{District: "North", Contests: []uint32{0, 1}}, {District: "South", Contests: []uint32{1}}},
	}
}

func TestForm(t *testing.T) {
	m := manifest()
	f, err := NewForm(m, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.Contests[0].Selected = []string{"c", "a"}
	f.Contests[1].Selected = []string{"e"}
	selections, err := f.Selections(m, 0)
	if err != nil || !slices.Equal(selections[0], []int{2, 0}) || !slices.Equal(selections[1], []int{1}) {
		t.Fatalf("%v, %v", selections, err)
	}
	for name, change := range map[string]func(f *Form){
		"election":        func(f *Form) { f.Election = "other" },
		"district":        func(f *Form) { f.District = "South" },
		"contest missing": func(f *Form) { f.Contests = f.Contests[:1] },
		"title":           func(f *Form) { f.Contests[0].Title = "B" },
		"options swapped": func(f *Form) { f.Contests[1].Options = []string{"e", "d"} },
		"too many":        func(f *Form) { f.Contests[0].Selected = []string{"a", "b", "c"} },
		"too few":         func(f *Form) { f.Contests[1].Selected = nil },
		"twice":           func(f *Form) { f.Contests[0].Selected = []string{"a", "a"} },
		"unknown":         func(f *Form) { f.Contests[0].Selected = []string{"z"} },
	} {
		changed, err := NewForm(m, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		changed.Contests[0].Selected, changed.Contests[1].Selected = []string{"a"}, []string{"d"}
		change(changed)
		if _, err := changed.Selections(m, 0); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewForm(m, 2, nil); err == nil {
		t.Error("a style that is not there")
	}
	if _, err := ParseForm([]byte(`{"election":"primary","name":"x"}`)); !errors.Is(err, ErrForm) {
		t.Errorf("an unknown field: %v", err)
	}
}

// TestRemovedOnForms: the ballot names who was removed; one that was printed before is still filled in, and a vote for the candidate is told.
func TestRemovedOnForms(t *testing.T) {
	m, removed := manifest(), map[uint32][]uint32{1: {1}}
	f, err := NewForm(m, 0, removed)
	if err != nil || f.Contests[0].Removed != nil || !slices.Equal(f.Contests[1].Removed, []string{"e"}) {
		t.Fatalf("%+v, %v", f, err)
	}
	for want, selected := range map[string]string{"": "d", `"e" of "B"`: "e"} {
		printed, err := NewForm(m, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range []*Form{f, printed} {
			f.Contests[1].Selected = []string{selected}
			if _, err := f.Selections(m, 0); err != nil {
				t.Error(err)
			}
			if got, err := f.SelectedRemoved(m, 0, removed); err != nil || strings.Join(got, "") != want {
				t.Errorf("%q, %v, want %q", got, err, want)
			}
		}
	}
}

func TestStatus(t *testing.T) {
	for want, record := range map[string]*pb.ResolutionRecord{
		"open":              {Expires: 10},
		"expired":           {Expires: 9},
		"effective":         {Expires: 9, Status: pb.RESOLUTION_EFFECTIVE},
		"refused: too_soon": {Expires: 10, Status: pb.RESOLUTION_REFUSED, Code: 603},
	} {
		if got := statusOf(record, 10); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestPhases(t *testing.T) {
	for _, name := range []string{"setup", "key ceremony", "ready", "voting", "closed", "decrypting", "final", "cancelled"} {
		if p, err := ParsePhase(name); err != nil || election.PhaseName(p) != name {
			t.Errorf("%q: %v, %v", name, p, err)
		}
	}
	for _, name := range []string{"", "none", "Voting"} {
		if p, err := ParsePhase(name); err == nil {
			t.Errorf("%q is %v", name, p)
		}
	}
}
