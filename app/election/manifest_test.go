package election

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/cosmos/gogoproto/proto"

	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// wide is a manifest of one contest with n options.
func wide(m *pb.Manifest, n int) *pb.Contest {
	m.Contests = []pb.Contest{{Title: "A", MaxSelections: 1}}
	m.Styles = []pb.BallotStyle{{District: "N", Contests: []uint32{0}}}
	for i := range n {
		m.Contests[0].Options = append(m.Contests[0].Options, fmt.Sprint(i))
	}
	return &m.Contests[0]
}

// TestManifestRules holds every rule of spec 8.1 at its bound and one beyond.
func TestManifestRules(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	for name, c := range map[string]struct {
		ok     bool
		change func(m *pb.Manifest)
	}{
		"as it is":                   {true, func(m *pb.Manifest) {}},
		"id of 40":                   {true, func(m *pb.Manifest) { m.Election = long(40) }},
		"id of 41":                   {false, func(m *pb.Manifest) { m.Election = long(41) }},
		"no id":                      {false, func(m *pb.Manifest) { m.Election = "" }},
		"id with a slash":            {false, func(m *pb.Manifest) { m.Election = "a/b" }},
		"id with a capital":          {false, func(m *pb.Manifest) { m.Election = "A" }},
		"id with a NUL":              {false, func(m *pb.Manifest) { m.Election = "a\x00" }},
		"id between the ranges":      {false, func(m *pb.Manifest) { m.Election = "a`" }},
		"title of 200":               {true, func(m *pb.Manifest) { m.Title = long(200) }},
		"title of 201":               {false, func(m *pb.Manifest) { m.Title = long(201) }},
		"no title":                   {false, func(m *pb.Manifest) { m.Title = "" }},
		"title not UTF-8":            {false, func(m *pb.Manifest) { m.Title = "\xff" }},
		"title over two lines":       {false, func(m *pb.Manifest) { m.Title = "a\nb" }},
		"option that turns writing":  {false, func(m *pb.Manifest) { m.Contests[0].Options[0] = "a\u202eb" }},
		"district with an escape":    {false, func(m *pb.Manifest) { m.Styles[0].District = "\x1b[2J" }},
		"contest without title":      {false, func(m *pb.Manifest) { m.Contests[0].Title = "" }},
		"contest's title of 201":     {false, func(m *pb.Manifest) { m.Contests[0].Title = long(201) }},
		"empty option":               {false, func(m *pb.Manifest) { m.Contests[0].Options[0] = "" }},
		"option of 200":              {true, func(m *pb.Manifest) { m.Contests[0].Options[0] = long(200) }},
		"option of 201":              {false, func(m *pb.Manifest) { m.Contests[0].Options[0] = long(201) }},
		"option twice":               {false, func(m *pb.Manifest) { m.Contests[0].Options[0] = "y" }},
		"no district":                {false, func(m *pb.Manifest) { m.Styles[0].District = "" }},
		"district not UTF-8":         {false, func(m *pb.Manifest) { m.Styles[0].District = "\xc0\x80" }},
		"district twice":             {false, func(m *pb.Manifest) { m.Styles[0].District = "S" }},
		"times":                      {true, func(m *pb.Manifest) { m.Opening, m.Closing = 1, 2 }},
		"last moment":                {true, func(m *pb.Manifest) { m.Opening, m.Closing = 1, MaxTime }},
		"beyond the last moment":     {false, func(m *pb.Manifest) { m.Opening, m.Closing = 1, MaxTime+1 }},
		"opening only":               {false, func(m *pb.Manifest) { m.Opening = 1 }},
		"closing only":               {false, func(m *pb.Manifest) { m.Closing = 1 }},
		"opening at closing":         {false, func(m *pb.Manifest) { m.Opening, m.Closing = 2, 2 }},
		"negative opening":           {false, func(m *pb.Manifest) { m.Opening, m.Closing = -1, 2 }},
		"longest revote_interval":    {true, func(m *pb.Manifest) { m.RevoteInterval = MaxSeconds }},
		"revote_interval too long":   {false, func(m *pb.Manifest) { m.RevoteInterval = MaxSeconds + 1 }},
		"no revote_interval":         {false, func(m *pb.Manifest) { m.RevoteInterval = 0 }},
		"longest objection_window":   {true, func(m *pb.Manifest) { m.ObjectionWindow = MaxSeconds }},
		"objection_window too long":  {false, func(m *pb.Manifest) { m.ObjectionWindow = MaxSeconds + 1 }},
		"longest ceremony_step":      {true, func(m *pb.Manifest) { m.CeremonyStep = MaxSeconds }},
		"ceremony_step too long":     {false, func(m *pb.Manifest) { m.CeremonyStep = MaxSeconds + 1 }},
		"no ceremony_step":           {false, func(m *pb.Manifest) { m.CeremonyStep = 0 }},
		"no open_min":                {false, func(m *pb.Manifest) { m.OpenMin = 0 }},
		"great open_min":             {true, func(m *pb.Manifest) { m.OpenMin = 1<<32 - 1 }},
		"no contests":                {false, func(m *pb.Manifest) { m.Contests = nil }},
		"no styles":                  {false, func(m *pb.Manifest) { m.Styles = nil }},
		"style without contests":     {false, func(m *pb.Manifest) { m.Styles[0].Contests = nil }},
		"contest on no style":        {false, func(m *pb.Manifest) { m.Styles[1].Contests = []uint32{1} }},
		"contests unordered":         {false, func(m *pb.Manifest) { m.Styles[0].Contests = []uint32{1, 0} }},
		"contest twice":              {false, func(m *pb.Manifest) { m.Styles[0].Contests = []uint32{0, 0, 1} }},
		"unknown contest":            {false, func(m *pb.Manifest) { m.Styles[1].Contests = []uint32{1, 2, 3} }},
		"far contest":                {false, func(m *pb.Manifest) { m.Styles[1].Contests = []uint32{1, 2, 1<<32 - 1} }},
		"slots overlap on a style":   {false, func(m *pb.Manifest) { m.Contests[1].FirstSlot = 1 }},
		"no options":                 {false, func(m *pb.Manifest) { m.Contests[2].Options = nil }},
		"max of 0":                   {false, func(m *pb.Manifest) { m.Contests[2].MaxSelections = 0 }},
		"max above the options":      {false, func(m *pb.Manifest) { m.Contests[2].MaxSelections = 2 }},
		"far max":                    {false, func(m *pb.Manifest) { m.Contests[2].MaxSelections = 1<<32 - 1 }},
		"min at max":                 {true, func(m *pb.Manifest) { m.Contests[2].MinSelections = 1 }},
		"min above max":              {false, func(m *pb.Manifest) { m.Contests[1].MinSelections = 3 }},
		"199 options and a dummy":    {true, func(m *pb.Manifest) { wide(m, 199) }},
		"200 options and a dummy":    {false, func(m *pb.Manifest) { wide(m, 200) }},
		"200 options, none a dummy":  {true, func(m *pb.Manifest) { wide(m, 200).MinSelections = 1 }},
		"201 options":                {false, func(m *pb.Manifest) { wide(m, 201).MinSelections = 1 }},
		"last slot":                  {true, func(m *pb.Manifest) { m.Contests[0].FirstSlot = MaxSlots - 2 }},
		"beyond the last slot":       {false, func(m *pb.Manifest) { m.Contests[0].FirstSlot = MaxSlots - 1 }},
		"slot that would wrap":       {false, func(m *pb.Manifest) { m.Contests[0].FirstSlot = 1<<32 - 1 }},
		"as many contests as may be": {true, func(m *pb.Manifest) { districts(m, MaxContests) }},
		"a contest too many":         {false, func(m *pb.Manifest) { districts(m, MaxContests+1) }},
		"candidates and a list":      {true, func(m *pb.Manifest) { primary(m) }},
		"candidates without a list":  {true, func(m *pb.Manifest) { primary(m).List = nil }},
		"a candidate too many":       {false, func(m *pb.Manifest) { c := primary(m); c.Candidates = append(c.Candidates, pb.Candidate{}) }},
		"a list of no candidates":    {false, func(m *pb.Manifest) { primary(m).Candidates = nil }},
		"application of 31 bytes":    {false, func(m *pb.Manifest) { primary(m).Candidates[0].Application = make([]byte, 31) }},
		"no applications": {true, func(m *pb.Manifest) {
			c := primary(m)
			c.Candidates[0].Application, c.Candidates[1].Application = nil, nil
		}},
		"application twice":         {false, func(m *pb.Manifest) { c := primary(m); c.Candidates[1].Application = c.Candidates[0].Application }},
		"a list without seats":      {false, func(m *pb.Manifest) { c := primary(m); c.List.Seats, c.List.Outside = 0, 0 }},
		"most seats":                {true, func(m *pb.Manifest) { primary(m).List.Seats = MaxSeats }},
		"too many seats":            {false, func(m *pb.Manifest) { primary(m).List.Seats = MaxSeats + 1 }},
		"all seats outside":         {true, func(m *pb.Manifest) { primary(m).List.Outside = 2 }},
		"more seats outside":        {false, func(m *pb.Manifest) { primary(m).List.Outside = 3 }},
		"all young, all women":      {true, func(m *pb.Manifest) { l := primary(m).List; l.YoungPercent, l.WomanPercent = 100, 100 }},
		"young above all":           {false, func(m *pb.Manifest) { primary(m).List.YoungPercent = 101 }},
		"women above all":           {false, func(m *pb.Manifest) { primary(m).List.WomanPercent = 101 }},
		"eight merges in a row":     {true, func(m *pb.Manifest) { chain(m, MaxMerges+1) }},
		"nine merges in a row":      {false, func(m *pb.Manifest) { chain(m, MaxMerges+2) }},
		"merged into itself":        {false, func(m *pb.Manifest) { chain(m, 2); m.Contests[1].Merge = 2 }},
		"merged into a later one":   {false, func(m *pb.Manifest) { chain(m, 3); m.Contests[1].Merge = 3 }},
		"merged into none":          {false, func(m *pb.Manifest) { chain(m, 2); m.Contests[1].Merge = 1<<32 - 1 }},
		"merged with other options": {false, func(m *pb.Manifest) { chain(m, 2); m.Contests[1].Options = []string{"y"} }},
		"merged with other slots":   {false, func(m *pb.Manifest) { chain(m, 2); m.Contests[1].FirstSlot = 1 }},
		"merged, fewer selections":  {false, func(m *pb.Manifest) { chain(m, 2); m.Contests[1].MinSelections = 1 }},
		"merged with a list":        {false, func(m *pb.Manifest) { chain(m, 2); candidate(&m.Contests[1]) }},
		"most options merged":       {true, func(m *pb.Manifest) { star(m, MaxJoined/200) }},
		"too many options merged":   {false, func(m *pb.Manifest) { star(m, MaxJoined/200+1) }},
		"polling places":            {true, func(m *pb.Manifest) { village(m) }},
		"polling places unordered":  {false, func(m *pb.Manifest) { p := village(m); p[0], p[1] = p[1], p[0] }},
		"polling place twice":       {false, func(m *pb.Manifest) { p := village(m); p[1].Id = p[0].Id }},
		"polling place without id":  {false, func(m *pb.Manifest) { village(m)[0].Id = "" }},
		"polling place, no title":   {false, func(m *pb.Manifest) { village(m)[0].Title = "" }},
		"polling place for nobody":  {false, func(m *pb.Manifest) { village(m)[0].Styles = nil }},
		"polling place, styles":     {false, func(m *pb.Manifest) { village(m)[0].Styles = []uint32{1, 0} }},
		"polling place, far style":  {false, func(m *pb.Manifest) { village(m)[0].Styles = []uint32{2} }},
		"most options of a place":   {true, func(m *pb.Manifest) { ballroom(m, 58) }},
		"options of a place":        {false, func(m *pb.Manifest) { ballroom(m, 59) }},
		"most contests of places":   {true, func(m *pb.Manifest) { everywhere(m, MaxServed/50_000) }},
		"contests of places":        {false, func(m *pb.Manifest) { everywhere(m, MaxServed/50_000+1) }},
		"roll of another election":  {true, func(m *pb.Manifest) { m.RollOf = "another" }},
		"roll of itself":            {false, func(m *pb.Manifest) { m.RollOf = m.Election }},
		"roll of no id":             {false, func(m *pb.Manifest) { m.RollOf = "An other" }},
		"another roll, and paper":   {false, func(m *pb.Manifest) { m.RollOf = "another"; village(m) }},
		"open choices":              {true, func(m *pb.Manifest) { m.OpenChoices = true }},
		"open choices and paper":    {false, func(m *pb.Manifest) { m.OpenChoices = true; village(m) }},
		"open choices and a list":   {false, func(m *pb.Manifest) { m.OpenChoices = true; primary(m) }},
		"open choices, merged":      {false, func(m *pb.Manifest) { m.OpenChoices = true; chain(m, 2) }},
		"hash of nominations":       {true, func(m *pb.Manifest) { m.Nominations = make([]byte, 32) }},
		"short hash of nominations": {false, func(m *pb.Manifest) { m.Nominations = make([]byte, 31) }},
		"unknown removed_votes":     {false, func(m *pb.Manifest) { m.RemovedVotes = 1 }},
		"a style too many": {false, func(m *pb.Manifest) {
			districts(m, MaxStyles)
			m.Styles = append(m.Styles, pb.BallotStyle{District: "one more", Contests: []uint32{0}})
		}},
	} {
		m := example()
		c.change(m)
		_, err := ParseManifest(Encode(m))
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			checkShapes(t, name, m)
		}
	}
}

// primary makes the first contest, which has two options, the primary for a list of two.
func primary(m *pb.Manifest) *pb.Contest {
	c := &m.Contests[0]
	for i := range c.Options {
		c.Candidates = append(c.Candidates, pb.Candidate{Application: bytes.Repeat([]byte{byte(i + 1)}, 32), Young: i == 0, Woman: i == 1})
	}
	c.List = &pb.ListRule{Seats: 2, Outside: 1, YoungPercent: 20, WomanPercent: 30}
	return c
}

// candidate makes the one option of a contest a candidate for a list.
func candidate(c *pb.Contest) {
	c.Candidates, c.List = []pb.Candidate{{}}, &pb.ListRule{Seats: 1}
}

// chain makes n contests, each merged into the one before.
func chain(m *pb.Manifest, n int) {
	districts(m, n)
	for i := range m.Contests {
		m.Contests[i].Merge = uint32(i)
	}
}

// star makes n contests of 200 options, of which the first is the target of all others.
func star(m *pb.Manifest, n int) {
	districts(m, n)
	options := numbered(200)
	for i := range m.Contests {
		m.Contests[i].Options, m.Contests[i].MinSelections, m.Contests[i].Merge = options, 1, min(uint32(i), 1)
	}
}

func numbered(n int) (options []string) {
	for i := range n {
		options = append(options, fmt.Sprint(i))
	}
	return options
}

// ballroom gives a manifest a polling place with 197 contests of 200 options and one of n: with 58 its totals may have 2,048 + 20 * 198 + 4 *
// 39,458 = 163,840 bytes. Another place serves the last contest alone.
func ballroom(m *pb.Manifest, n int) {
	districts(m, 198)
	styles, options := make([]uint32, 198), numbered(200)
	for i := range m.Contests {
		m.Contests[i].Options, m.Contests[i].MinSelections, styles[i] = options, 1, uint32(i)
	}
	m.Contests[197].Options = options[:n]
	m.PollingPlaces = []pb.PollingPlace{{Id: "a", Title: "A", Styles: styles}, {Id: "b", Title: "B", Styles: styles[197:]}}
}

// everywhere gives a manifest n polling places, each of 500 styles with the same 100 contests.
func everywhere(m *pb.Manifest, n int) {
	districts(m, 100)
	contests, styles := make([]uint32, 100), make([]uint32, 500)
	for i := range m.Contests {
		m.Contests[i].FirstSlot, m.Contests[i].MinSelections, contests[i] = uint32(i), 1, uint32(i)
	}
	m.Styles = make([]pb.BallotStyle, 500)
	for i := range m.Styles {
		m.Styles[i], styles[i] = pb.BallotStyle{District: fmt.Sprint(i), Contests: contests}, uint32(i)
	}
	m.PollingPlaces = nil
	for i := range n {
		m.PollingPlaces = append(m.PollingPlaces, pb.PollingPlace{Id: fmt.Sprintf("%03d", i), Title: "P", Styles: styles})
	}
}

// village gives a manifest two polling places.
func village(m *pb.Manifest) []pb.PollingPlace {
	m.PollingPlaces = []pb.PollingPlace{{Id: "aul", Title: "Aul", Styles: []uint32{0, 1}}, {Id: "camp", Title: "Camp", Styles: []uint32{1}}}
	return m.PollingPlaces
}

// checkShapes checks that what passes the rules is what ballots can be made for.
func checkShapes(t *testing.T, name string, m *pb.Manifest) {
	for i, s := range BallotStyles(m) {
		if s.CiphertextSize() < 64 || s.CiphertextSize() > 32*(1+ballot.MaxPositions) || s.ProofSize() < 9*32 {
			t.Errorf("%s: ballots of style %d have %d and %d bytes", name, i, s.CiphertextSize(), s.ProofSize())
		}
	}
}

// districts gives a manifest n contests, each on a style of its own where there may be so many.
func districts(m *pb.Manifest, n int) {
	m.Contests, m.Styles = nil, nil
	for i := range n {
		m.Contests = append(m.Contests, pb.Contest{Title: "T", Options: []string{"x"}, MaxSelections: 1})
		if i < MaxStyles {
			m.Styles = append(m.Styles, pb.BallotStyle{District: fmt.Sprint(i), Contests: []uint32{uint32(i)}})
		}
	}
}

// TestManifestTooLong: a manifest is bounded whatever the parameters say of documents, and before it is decoded.
func TestManifestTooLong(t *testing.T) {
	if _, err := ParseManifest(make([]byte, MaxManifest+1)); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("%v", err)
	}
}

// FuzzDecode: of all bytes that decode as a message, one encoding is accepted. The messages stand for all: nested, repeated and packed
// fields, a oneof, signed numbers, bytes and text.
func FuzzDecode(f *testing.F) {
	resolution := &pb.ProposeResolution{Resolution: pb.Resolution{Nonce: 7, Reason: "r", Decision: &pb.Resolution_RevokeVoters{RevokeVoters: &pb.RevokeVoters{Election: "e", Voters: []uint64{1, 300}}}}}
	f.Add(byte(0), Encode(example()))
	f.Add(byte(1), Encode(resolution))
	f.Add(byte(2), Encode(&pb.Envelope{Kind: 2, Body: Encode(resolution), Signer: make([]byte, 32), Signature: make([]byte, 64)}))
	f.Add(byte(3), Encode(&pb.BlockLeaf{Height: 5, Time: -1, HeaderHash: []byte{1}, Logs: []pb.LogSize{{Log: "a", Size_: 2}}}))
	f.Add(byte(3), []byte{0x08, 0x85, 0x00})                   // a number that is not of minimal length
	f.Add(byte(2), []byte{0x08, 0x00})                         // a default value spelled out
	f.Add(byte(2), []byte{0x12, 0x00, 0x08, 0x01})             // fields out of order
	f.Add(byte(1), []byte{0x0a, 0x00, 0x78, 0x01})             // an unknown field
	f.Add(byte(1), []byte{0x0a, 0x04, 0x1a, 0x00, 0x22, 0x00}) // a oneof twice
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		m := []Message{new(pb.Manifest), new(pb.ProposeResolution), new(pb.Envelope), new(pb.BlockLeaf)}[kind%4]
		read := bytes.Clone(b)
		if err := Decode(read, m); err != nil {
			if err != ErrNotCanonical {
				t.Fatalf("%v", err)
			}
			return
		}
		if !bytes.Equal(read, b) {
			t.Fatal("decoding changed its input")
		}
		if !bytes.Equal(Encode(m), b) {
			t.Fatal("two encodings")
		}
		clear(read) // what was decoded must not hang on the input
		if !bytes.Equal(Encode(m), b) {
			t.Fatal("the message shares memory with its encoding")
		}
		if again := proto.Clone(m).(Message); !bytes.Equal(Encode(again), b) {
			t.Fatal("a copy encodes otherwise")
		}
	})
}

// TestScheduleWords: what is wrong with times is told in times that people read.
func TestScheduleWords(t *testing.T) {
	want := "the opening is before the closing, and that at most 2199-12-31T23:59:59Z; they are 2026-03-01T09:00:00Z and 2026-03-01T08:00:00Z"
	if err := CheckSchedule(1_772_355_600, 1_772_352_000); err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
	if err := CheckSchedule(1_772_352_000, 1_772_355_600); err != nil {
		t.Error(err)
	}
}
