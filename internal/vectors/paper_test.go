package vectors

import (
	"encoding/json"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
)

// paperFile is paper.json: chapter 18. It is of a ledger of its own, of which the bytes that follow from no ballot are shown.
type paperFile struct {
	Comment  string      `json:"comment"`
	Chain    string      `json:"chain"`
	Election string      `json:"election"`
	Manifest shownVector `json:"manifest"`
	// ManifestHash is that of the manifest's bytes.
	ManifestHash hexBytes `json:"manifest_hash"`
	// Resolutions are those about polling places, in order.
	Resolutions []paperVector       `json:"resolutions"`
	Results     []paperResultVector `json:"results"`
}

// shownVector is a message with its bytes.
type shownVector struct {
	Bytes  hexBytes        `json:"bytes"`
	Fields json.RawMessage `json:"fields"`
}

// paperVector is a resolution about a polling place: refused with a code when it is proposed, or one that took effect, with the records after it.
type paperVector struct {
	Name       string       `json:"name"`
	Code       uint32       `json:"code"`
	Result     string       `json:"code_name"`
	Resolution shownVector  `json:"resolution"`
	Digest     digestVector `json:"digest"`
	After      *paperState  `json:"after,omitempty"`
}

type paperState struct {
	PlacesOpen uint32 `json:"places_open"`
	// Places and Sums are the records PaperPlace and PaperSum, in the order of their keys.
	Places []recordVector `json:"places"`
	Sums   []recordVector `json:"sums"`
}

// paperResultVector is a result, before and after what was counted on paper is added.
type paperResultVector struct {
	Contest    uint32      `json:"contest"`
	Electronic shownVector `json:"electronic"`
	Result     shownVector `json:"result"`
}

func shownAs(m election.Message) shownVector { return shownVector{election.Encode(m), fields(m)} }

func (w *world) paperFile() any {
	l := rehearsal.New(w.t)
	e := l.Create(rehearsal.OnPaper(rehearsal.Manifest("paper")))
	e.Enrol(6)
	e.Seal()
	e.Appoint(3)
	e.MakeKeys()
	e.Begin()
	e.Accept(e.Vote(0, 1, []int{0, 2}, []int{0}), e.Vote(1, 1, []int{2}, []int{1}), e.Vote(2, 1, []int{1}, []int{0}))
	f := &paperFile{
		Comment: "resolutions about polling places and what they come to: chapter 18, sections 9.47 and 9.48", Chain: rehearsal.Chain, Election: e.ID,
		Manifest: shownAs(e.Manifest), ManifestHash: e.Record().Manifest,
	}
	step := func(name string, code tx.Code, r *pb.Resolution) {
		v := paperVector{Name: name, Code: uint32(code), Result: code.String()}
		if code != tx.CodeOK {
			raw, _ := l.Propose("party officer 1", r)
			l.Refuse(code, raw)
		} else {
			l.Resolve(r)
			v.After = &paperState{PlacesOpen: e.Record().PlacesOpen}
			w.must(l.View().Records("election/"+e.ID+"/paper/", func(key string, value []byte) error {
				v.After.Places = append(v.After.Places, w.recordVector(key, value))
				return nil
			}))
			w.must(l.View().Records("election/"+e.ID+"/paper-sum/", func(key string, value []byte) error {
				v.After.Sums = append(v.After.Sums, w.recordVector(key, value))
				return nil
			}))
		}
		v.Resolution = shownAs(r)
		v.Digest = digestVector{Of: "resolution", Bytes: framed("votenode/v1/resolution", []byte(f.Chain), v.Resolution.Bytes)}
		v.Digest.Hash = hash(v.Digest.Bytes)
		f.Resolutions = append(f.Resolutions, v)
	}
	totals := func(name string, code tx.Code, place string, valid uint64, change func(d *pb.PaperTotals)) {
		d := &pb.PaperTotals{Election: e.ID, Place: place}
		if election.Place(e.Manifest, place) != nil {
			d = e.Totals(place, valid)
		}
		if change != nil {
			change(d)
		}
		step(name, code, &pb.Resolution{Reason: "counted by hand", Decision: &pb.Resolution_PaperTotals{PaperTotals: d}})
	}
	excuse := func(name string, code tx.Code, place string, corrects []byte) {
		step(name, code, &pb.Resolution{Reason: "the road is closed", Decision: &pb.Resolution_ExcusePaper{
			ExcusePaper: &pb.ExcusePaper{Election: e.ID, Place: place, Corrects: corrects},
		}})
	}
	totals("before the closing", tx.CodeWrongPhase, "aul", 4, nil)
	e.Make(e.Record().Closing - e.Now())
	totals("an unknown place", tx.CodeUnknownPlace, "town", 0, nil)
	totals("a correction of nothing", tx.CodePaperCorrects, "aul", 4, func(d *pb.PaperTotals) { d.Corrects = make([]byte, 32) })
	totals("a contest is missing", tx.CodePaperContests, "aul", 4, func(d *pb.PaperTotals) { d.Contests = d.Contests[:2] })
	totals("an option is missing", tx.CodePaperContests, "aul", 4, func(d *pb.PaperTotals) { d.Contests[2].Votes = d.Contests[2].Votes[:2] })
	totals("a contest that the place does not serve", tx.CodePaperContests, "camp", 4, func(d *pb.PaperTotals) { d.Contests[0].Contest = 0 })
	totals("more cast and spoiled than issued", tx.CodePaperIssued, "aul", 4, func(d *pb.PaperTotals) { d.Issued -= 2 })
	totals("more kept than entitled", tx.CodePaperIssued, "aul", 4, func(d *pb.PaperTotals) { d.Issued++ })
	totals("more valid and invalid than cast", tx.CodePaperBallots, "aul", 4, func(d *pb.PaperTotals) { d.Contests[1].Invalid++ })
	totals("more votes of an option than valid ballots", tx.CodePaperVotes, "aul", 4, func(d *pb.PaperTotals) { d.Contests[0].Votes[0]++ })
	totals("fewer votes than the ballots hold", tx.CodePaperVotes, "aul", 4, func(d *pb.PaperTotals) { d.Contests[1].Votes[0]-- })
	totals("more votes than the ballots hold", tx.CodePaperVotes, "aul", 4, func(d *pb.PaperTotals) { d.Contests[0].Votes = []uint64{4, 4, 1} })
	totals("totals", tx.CodeOK, "aul", 4, func(d *pb.PaperTotals) { d.Contests[0].Votes = []uint64{4, 1, 3} })
	totals("once more, and no correction", tx.CodePaperCorrects, "aul", 4, func(d *pb.PaperTotals) { d.Corrects = nil })
	totals("a correction", tx.CodeOK, "aul", 300, nil)
	excuse("an excuse that leaves totals standing", tx.CodePaperCorrects, "aul", nil)
	excuse("an excuse", tx.CodeOK, "camp", nil)
	w.same("phase", []byte{byte(e.Record().Phase)}, []byte{byte(pb.PHASE_CLOSED)})
	totals("totals correct an excuse", tx.CodeOK, "camp", 2, nil)
	e.Make(int64(e.Manifest.ObjectionWindow))
	totals("after the decryption began", tx.CodeWrongPhase, "camp", 3, nil)
	for _, o := range rehearsal.Organisations {
		for _, trustee := range e.Of(o)[1:] {
			e.Accept(trustee.Open(0, 1))
		}
	}
	e.Expect(pb.PHASE_FINAL)
	for contest := range e.Manifest.Contests {
		r := must(state.MustLoad[pb.Result](l.View(), state.ResultKey(e.ID, uint32(contest))))
		electronic := *r
		electronic.PaperBallots, electronic.PaperVotes, electronic.PaperInvalid = 0, nil, 0
		f.Results = append(f.Results, paperResultVector{uint32(contest), shownAs(&electronic), shownAs(r)})
	}
	return f
}
