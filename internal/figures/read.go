// Package figures reads the official figures of a held election and turns them into an election that can be held again:
// a manifest, a ballot style for each voter and, for each voter, the choices that add up to the figures exactly.
//
// The format is a CSV file of the columns county, town, ballots, office, vote_for, candidate, votes; the lines of one town stand
// together. docs/demo.md describes it. The reader is strict, because a figure that is read wrongly would be replayed
// rightly: what cannot have happened is refused with its line. The package encrypts nothing and knows no node.
package figures

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Columns is the header of a file of figures.
var Columns = []string{"county", "town", "ballots", "office", "vote_for", "candidate", "votes"}

// Town is one town's part of the figures, in the order of the file.
type Town struct {
	County, Name string
	// Ballots that were cast, 0 to 1,000,000.
	Ballots int
	Offices []Office
}

// District is the name of the town's ballot style.
func (t *Town) District() string { return t.County + ", " + t.Name }

// Office is one question as it was put in one town.
type Office struct {
	Name string
	// VoteFor is how many candidates a ballot may take, 1 to the number of candidates.
	VoteFor    int
	Candidates []Candidate
	line       int
}

// Candidate is one answer with its votes in one town, 0 to the town's ballots.
type Candidate struct {
	Name  string
	Votes int
}

// Code names what is wrong with a file of figures.
type Code string

// The codes of a Fault.
const (
	BadColumns             Code = "bad_columns"               // the header is another one, or a line has more or fewer fields
	BadQuoting             Code = "bad_quoting"               // not CSV
	BadText                Code = "bad_text"                  // a name is empty, too long, not UTF-8 or has spaces around it
	BadNumber              Code = "bad_number"                // not a whole number, negative or too large
	TownSplit              Code = "town_split"                // the lines of a town do not stand together
	BallotsDiffer          Code = "ballots_differ"            // one town, two numbers of ballots
	VoteForDiffers         Code = "vote_for_differs"          // one office in one town, two numbers of choices
	CandidateTwice         Code = "candidate_twice"           // one candidate twice in one town and office
	VotesAboveBallots      Code = "votes_above_ballots"       // a candidate with more votes than there are ballots
	VotesAboveChoices      Code = "votes_above_choices"       // an office with more votes than all ballots can hold
	VoteForAboveCandidates Code = "vote_for_above_candidates" // more choices than candidates
	NoFigures              Code = "no_figures"                // no line after the header
)

// Fault says which line of a file of figures is refused, why, and what to do.
type Fault struct {
	Line   int
	Code   Code
	Advice string
}

func (f *Fault) Error() string { return fmt.Sprintf("line %d: %s (%s)", f.Line, f.Advice, f.Code) }

// maxCount bounds the ballots of one town; with it no sum of this package overflows.
const maxCount = 1_000_000

// Read reads a whole file. It fails with a *Fault, or with the reader's own error.
func Read(from io.Reader) ([]Town, error) {
	r := &reader{csv: csv.NewReader(from), seen: map[string]bool{}}
	r.csv.FieldsPerRecord = -1
	for {
		fields, err := r.csv.Read()
		if err == io.EOF {
			break
		}
		if err := r.record(fields, err); err != nil {
			return nil, err
		}
	}
	if len(r.towns) == 0 {
		return nil, r.fault(NoFigures, "the file has no figures; put one line for each candidate after the header")
	}
	return r.towns, r.endTown()
}

type reader struct {
	csv    *csv.Reader
	line   int
	header bool
	towns  []Town
	seen   map[string]bool // districts
}

// record takes one record of the file, or the error that stands in its place.
func (r *reader) record(fields []string, err error) error {
	var bad *csv.ParseError
	switch {
	case errors.As(err, &bad):
		r.line = bad.Line
		return r.fault(BadQuoting, "this is not CSV: %v; put fields that contain a comma or a quote into double quotes", bad.Err)
	case err != nil:
		return err
	}
	r.line, _ = r.csv.FieldPos(0)
	if !r.header {
		r.header = true
		if !slices.Equal(fields, Columns) {
			return r.fault(BadColumns, "the header is %q; make it %s", strings.Join(fields, ","), strings.Join(Columns, ","))
		}
		return nil
	}
	if len(fields) != len(Columns) {
		return r.fault(BadColumns, "there are %d fields; give the %d of the header", len(fields), len(Columns))
	}
	return r.row(fields)
}

func (r *reader) row(fields []string) error {
	for _, i := range []int{0, 1, 3, 5} {
		if err := r.checkText(Columns[i], fields[i]); err != nil {
			return err
		}
	}
	var numbers [3]int
	for n, i := range []int{2, 4, 6} {
		v, err := strconv.ParseUint(fields[i], 10, 32)
		if err != nil || v > maxCount || strconv.FormatUint(v, 10) != fields[i] {
			return r.fault(BadNumber, "%s is %q; write a whole number from 0 to %d in digits", Columns[i], fields[i], maxCount)
		}
		numbers[n] = int(v)
	}
	ballots, voteFor, votes := numbers[0], numbers[1], numbers[2]
	town, err := r.town(fields[0], fields[1], ballots)
	if err != nil {
		return err
	}
	office, err := r.office(town, fields[3], voteFor)
	if err != nil {
		return err
	}
	for _, c := range office.Candidates {
		if c.Name == fields[5] {
			return r.fault(CandidateTwice, "%q stands here a second time for %q in %s; keep one line for each candidate", c.Name, office.Name, town.District())
		}
	}
	if votes > ballots {
		return r.fault(VotesAboveBallots, "%q has %d votes on %d ballots; a ballot takes a candidate once, so correct the votes or the ballots", fields[5], votes, ballots)
	}
	office.Candidates = append(office.Candidates, Candidate{fields[5], votes})
	return nil
}

// checkText holds a name to what a manifest takes. County and town come together in one district of 200 bytes.
func (r *reader) checkText(column, s string) error {
	limit := 200
	if column == "county" || column == "town" {
		limit = 99
	}
	if s == "" || len(s) > limit || !utf8.ValidString(s) || strings.TrimSpace(s) != s {
		return r.fault(BadText, "%s is %q; write 1 to %d bytes of UTF-8 without spaces around them", column, s, limit)
	}
	return nil
}

func (r *reader) town(county, name string, ballots int) (*Town, error) {
	if n := len(r.towns); n > 0 && r.towns[n-1].County == county && r.towns[n-1].Name == name {
		town := &r.towns[n-1]
		if town.Ballots != ballots {
			return nil, r.fault(BallotsDiffer, "%s has %d ballots here and %d above; a town has one number of ballots", town.District(), ballots, town.Ballots)
		}
		return town, nil
	}
	if err := r.endTown(); err != nil {
		return nil, err
	}
	town := Town{County: county, Name: name, Ballots: ballots}
	if r.seen[town.District()] {
		return nil, r.fault(TownSplit, "%s goes on here after another town; put all lines of a town together", town.District())
	}
	r.seen[town.District()] = true
	r.towns = append(r.towns, town)
	return &r.towns[len(r.towns)-1], nil
}

func (r *reader) office(town *Town, name string, voteFor int) (*Office, error) {
	for i := range town.Offices {
		office := &town.Offices[i]
		if office.Name != name {
			continue
		}
		if office.VoteFor != voteFor {
			return nil, r.fault(VoteForDiffers, "vote_for of %q is %d here and %d above; an office has one number of choices in a town", name, voteFor, office.VoteFor)
		}
		return office, nil
	}
	if voteFor == 0 {
		return nil, r.fault(BadNumber, "vote_for is 0; a ballot takes at least one candidate of an office")
	}
	town.Offices = append(town.Offices, Office{Name: name, VoteFor: voteFor, line: r.line})
	return &town.Offices[len(town.Offices)-1], nil
}

// endTown checks what can be known of a town only after its last line.
func (r *reader) endTown() error {
	if len(r.towns) == 0 {
		return nil
	}
	town := &r.towns[len(r.towns)-1]
	for _, office := range town.Offices {
		sum := 0
		for _, c := range office.Candidates {
			sum += c.Votes
		}
		if room := town.Ballots * office.VoteFor; sum > room {
			return &Fault{office.line, VotesAboveChoices, fmt.Sprintf("the candidates of %q in %s have %d votes together, but %d ballots of %d choices hold %d; correct the votes, the ballots or vote_for",
				office.Name, town.District(), sum, town.Ballots, office.VoteFor, room)}
		}
		if office.VoteFor > len(office.Candidates) {
			return &Fault{office.line, VoteForAboveCandidates, fmt.Sprintf("vote_for of %q is %d, but %s lists %d candidates; list all of them, those without votes too, or lower vote_for",
				office.Name, office.VoteFor, town.District(), len(office.Candidates))}
		}
	}
	return nil
}

func (r *reader) fault(code Code, format string, args ...any) error {
	return &Fault{Line: r.line, Code: code, Advice: fmt.Sprintf(format, args...)}
}

// Choose returns whole towns in the order of the file until they have at least limit ballots together; all of them where limit is 0.
// Towns without ballots are passed over: nobody voted there, so there is nothing to replay.
func Choose(towns []Town, limit int) []Town {
	var chosen []Town
	ballots := 0
	for _, town := range towns {
		if limit > 0 && ballots >= limit {
			break
		}
		if town.Ballots > 0 {
			chosen = append(chosen, town)
			ballots += town.Ballots
		}
	}
	return chosen
}
