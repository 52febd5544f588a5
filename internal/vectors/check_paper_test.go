package vectors

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// What the fields of paper.json are read into.
type (
	paperManifest struct {
		Contests []struct {
			Options []string `json:"options"`
			Min     uint64   `json:"min_selections"`
			Max     uint64   `json:"max_selections"`
			Merge   uint32   `json:"merge"`
		} `json:"contests"`
		Styles []struct {
			Contests []uint32 `json:"contests"`
		} `json:"styles"`
		Places []struct {
			ID     string `json:"id"`
			Styles []int  `json:"styles"`
		} `json:"polling_places"`
	}
	paperResolution struct {
		Nonce  uint64       `json:"nonce"`
		Reason string       `json:"reason"`
		Totals *paperTotals `json:"paper_totals"`
		Excuse *paperAbout  `json:"excuse_paper"`
	}
	paperAbout struct {
		Election string   `json:"election"`
		Place    string   `json:"place"`
		Corrects hexBytes `json:"corrects"`
	}
	paperTotals struct {
		paperAbout
		Entitled uint64         `json:"entitled"`
		Issued   uint64         `json:"issued"`
		Spoiled  uint64         `json:"spoiled"`
		Cast     uint64         `json:"cast"`
		Contests []paperContest `json:"contests"`
	}
	paperContest struct {
		Contest uint32   `json:"contest"`
		Valid   uint64   `json:"valid"`
		Invalid uint64   `json:"invalid"`
		Votes   []uint64 `json:"votes"`
	}
	paperResult struct {
		Status     string   `json:"status"`
		Ballots    uint64   `json:"ballots"`
		Votes      []uint64 `json:"votes"`
		MergedInto uint32   `json:"merged_into"`
	}
)

func packed(numbers []uint64) (out []byte) {
	for _, n := range numbers {
		out = binary.AppendUvarint(out, n)
	}
	return out
}

func (a *paperAbout) bytes() message {
	return message{}.bytes(1, []byte(a.Election)).bytes(2, []byte(a.Place)).bytes(3, a.Corrects)
}

// bytes encodes a resolution by 2.2.
func (r *paperResolution) bytes() message {
	m := message{}.varint(1, int64(r.Nonce)).bytes(2, []byte(r.Reason))
	if r.Excuse != nil {
		return m.nested(23, r.Excuse.bytes())
	}
	d := r.Totals
	t := d.bytes().varint(4, int64(d.Entitled)).varint(5, int64(d.Issued)).varint(6, int64(d.Spoiled)).varint(7, int64(d.Cast))
	for _, c := range d.Contests {
		t = t.nested(8, message{}.varint(1, int64(c.Contest)).varint(2, int64(c.Valid)).varint(3, int64(c.Invalid)).bytes(4, packed(c.Votes)))
	}
	return m.nested(22, t)
}

// verdict is the code of 9.47 and 9.48 in the phase closed.
func (m *paperManifest) verdict(r *paperResolution, standing map[string]*standingVector) string {
	about := r.Excuse
	if about == nil {
		about = &r.Totals.paperAbout
	}
	served := map[uint32]bool{}
	known := false
	for _, p := range m.Places {
		if p.ID != about.Place {
			continue
		}
		known = true
		for _, s := range p.Styles {
			for _, c := range m.Styles[s].Contests {
				served[c] = true
			}
		}
	}
	var stands hexBytes
	if s := standing[about.Place]; s != nil {
		stands = s.hash
	}
	switch {
	case !known:
		return "unknown_place"
	case string(stands) != string(about.Corrects):
		return "paper_corrects"
	case r.Excuse != nil:
		return "ok"
	}
	d, named := r.Totals, []uint32{}
	for _, c := range d.Contests {
		if named = append(named, c.Contest); served[c.Contest] && len(c.Votes) != len(m.Contests[c.Contest].Options) {
			return "paper_contests"
		}
	}
	switch {
	case !slices.Equal(named, slices.Sorted(maps.Keys(served))):
		return "paper_contests"
	case d.Cast+d.Spoiled > d.Issued || d.Issued-d.Spoiled > d.Entitled:
		return "paper_issued"
	}
	for _, c := range d.Contests {
		rule, all := m.Contests[c.Contest], uint64(0)
		if c.Valid+c.Invalid > d.Cast {
			return "paper_ballots"
		}
		for _, n := range c.Votes {
			all += n
		}
		if slices.Max(c.Votes) > c.Valid || all < rule.Min*c.Valid || all > rule.Max*c.Valid {
			return "paper_votes"
		}
	}
	return "ok"
}

// standingVector is the resolution that stands about a place; there are no totals where it is excused.
type standingVector struct {
	hash   hexBytes
	totals *paperTotals
}

func (v *vectors) checkPaper() error {
	f := &v.paper
	var m paperManifest
	if err := json.Unmarshal(f.Manifest.Fields, &m); err != nil {
		return err
	}
	list := []error{shown(f.Manifest.Fields, f.Manifest.Bytes), same("manifest", f.ManifestHash, hash(f.Manifest.Bytes))}
	standing, reported := map[string]*standingVector{}, map[uint32]bool{}
	codes := map[string]int{}
	for i := range f.Resolutions {
		x := &f.Resolutions[i]
		var r paperResolution
		if err := strict(x.Resolution.Fields, &r); err != nil {
			return err
		}
		verdict := m.verdict(&r, standing)
		if i == 0 || i == len(f.Resolutions)-1 { // in voting, and in decrypting
			verdict = "wrong_phase"
		}
		codes[verdict]++
		list = append(list, same("resolution", x.Resolution.Bytes, r.bytes()),
			same("digest", x.Digest.Bytes, framed("votenode/v1/resolution", []byte(f.Chain), x.Resolution.Bytes)), same("digest", x.Digest.Hash, hash(x.Digest.Bytes)))
		if verdict != x.Result || (verdict == "ok") != (x.After != nil) || (x.Code == 0) != (x.After != nil) {
			return fmt.Errorf("%s: the verdict is %s", x.Name, verdict)
		}
		if x.After == nil {
			continue
		}
		if r.Excuse != nil {
			standing[r.Excuse.Place] = &standingVector{x.Digest.Hash, nil}
		} else {
			standing[r.Totals.Place] = &standingVector{x.Digest.Hash, r.Totals}
			for _, c := range r.Totals.Contests {
				reported[c.Contest] = true
			}
		}
		list = append(list, m.checkAfter(f.Election, x.After, standing, reported))
	}
	if len(f.Results) != len(m.Contests) || len(codes) != 8 || codes["ok"] != 4 {
		list = append(list, errors.New("results or codes are missing"))
	}
	for i := range f.Results {
		list = append(list, m.checkResult(&f.Results[i], standing))
	}
	return errors.Join(list...)
}

// sumOnPaper adds up what stands of a contest.
func sumOnPaper(contest uint32, options int, standing map[string]*standingVector) (valid, invalid uint64, votes []uint64) {
	votes = make([]uint64, options)
	for _, s := range standing {
		if s.totals == nil {
			continue
		}
		for _, c := range s.totals.Contests {
			if c.Contest != contest {
				continue
			}
			valid, invalid = valid+c.Valid, invalid+c.Invalid
			for option, n := range c.Votes {
				votes[option] += n
			}
		}
	}
	return valid, invalid, votes
}

// checkAfter compares the records of 18.3 with what stands.
func (m *paperManifest) checkAfter(election string, after *paperState, standing map[string]*standingVector, reported map[uint32]bool) error {
	places, sums := slices.Sorted(maps.Keys(standing)), slices.Sorted(maps.Keys(reported))
	if int(after.PlacesOpen) != len(m.Places)-len(places) || len(after.Places) != len(places) || len(after.Sums) != len(sums) {
		return errors.New("places or sums are missing")
	}
	var list []error
	for i, place := range places {
		excused := int64(0)
		if standing[place].totals == nil {
			excused = 1
		}
		list = append(list, same("key", []byte(after.Places[i].Key), []byte("election/"+election+"/paper/"+place)),
			same("place", after.Places[i].Value, message{}.bytes(1, standing[place].hash).varint(2, excused)), shown(after.Places[i].Fields, after.Places[i].Value))
	}
	for i, contest := range sums {
		valid, invalid, votes := sumOnPaper(contest, len(m.Contests[contest].Options), standing)
		list = append(list, same("key", []byte(after.Sums[i].Key), fmt.Appendf(nil, "election/%s/paper-sum/%05d", election, contest)),
			same("sum", after.Sums[i].Value, message{}.varint(1, int64(valid)).bytes(2, packed(votes)).varint(3, int64(invalid))))
	}
	return errors.Join(list...)
}

// checkResult adds what stands on paper of a contest, and of those that are merged into it, to its electronic part. Spec 18.4.
func (m *paperManifest) checkResult(x *paperResultVector, standing map[string]*standingVector) error {
	var e paperResult
	if err := json.Unmarshal(x.Electronic.Fields, &e); err != nil {
		return err
	}
	valid, invalid, votes := sumOnPaper(x.Contest, len(m.Contests[x.Contest].Options), standing)
	for i := range m.Contests {
		if m.Contests[i].Merge == x.Contest+1 {
			moreValid, moreInvalid, more := sumOnPaper(uint32(i), len(votes), standing)
			valid, invalid = valid+moreValid, invalid+moreInvalid
			for option, n := range more {
				votes[option] += n
			}
		}
	}
	status := slices.Index([]string{"RESULT_NONE", "RESULT_OPENED", "RESULT_WITHHELD", "RESULT_MERGED"}, e.Status)
	head := message{}.varint(1, int64(status)).varint(2, int64(e.Ballots)).bytes(3, packed(e.Votes))
	with := slices.Clone(head).varint(4, int64(valid)).bytes(5, packed(votes)).varint(6, int64(invalid)).varint(7, int64(e.MergedInto))
	return errors.Join(same("electronic part", x.Electronic.Bytes, slices.Clone(head).varint(7, int64(e.MergedInto))), same("result", x.Result.Bytes, with))
}
