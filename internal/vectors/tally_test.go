package vectors

import (
	"bytes"
	"slices"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/group"
	pb "votenode/proto/votenode/v1"
)

// tallyFile is tally.json: sections 3.12, 4.10 and 4.11, 8.8 and 8.9.
type tallyFile struct {
	Comment  string          `json:"comment"`
	Contests []contestResult `json:"contests"`
}

type contestResult struct {
	slotsVector
	// Counted are the places in the ballot log whose ballots the sum is of.
	Counted []uint64       `json:"counted"`
	Sum     sumVector      `json:"sum"`
	Posted  []openedVector `json:"partial_decryptions"`
	// Quorums are the lowest indices of each organisation that posted.
	Quorums []quorumVector `json:"quorums"`
	// M is A_j less the combined shares, by option: t_j G.
	M      []hexBytes `json:"M"`
	Votes  []uint64   `json:"votes"`
	Result hexBytes   `json:"result"`
}

type quorumVector struct {
	Organisation string `json:"organisation"`
	lagrangeVector
}

func (w *world) tallyFile() any {
	f := &tallyFile{Comment: "sums, partial decryptions, combination and votes of each contest: sections 3.12, 4.10, 4.11 and 8.9"}
	ceremony := w.ceremonyFile().(*ceremonyFile)
	for c := range w.manifest.Contests {
		f.Contests = append(f.Contests, w.contestResult(ceremony, uint32(c)))
	}
	return f
}

func (w *world) contestResult(ceremony *ceremonyFile, contest uint32) contestResult {
	last := w.last()
	v := contestResult{slotsVector: w.slotsVector(contest)}
	v.Sum = sumOf(must(w.at(last).Record(state.SumKey(primary, contest))))
	v.Counted = w.counted(contest, v.Sum)
	base := pointOf(v.Sum.A0)
	for _, p := range w.of(tx.KindPostPartials) {
		m := p.Body().(*pb.PostPartials)
		for _, part := range m.Partials {
			if part.Contest != contest {
				continue
			}
			s := openedVector{place: *p.place(), Organisation: m.Organisation, Shares: parts(part.Shares)}
			o := ceremony.organisation(m.Organisation)
			s.Trustee = o.indexOf(p.Signer())
			s.Keys = o.Trustees[s.Trustee-1].Keys[v.FirstSlot:][:v.Options]
			t := newTranscript("votenode/v1/decryption")
			w.begin(t, ceremony.KeyDigest.Hash)
			t.item("contest", number(uint64(contest)))
			t.item("organisation", []byte(m.Organisation))
			t.item("trustee", number(uint64(s.Trustee)))
			t.item("A_0", v.Sum.A0)
			t.item("A", slices.Concat(v.Sum.A...))
			w.complete(t, &s, base, part.Proof)
			v.Posted = append(v.Posted, s)
		}
	}
	w.open(ceremony, &v)
	result := load[pb.Result](w, last, state.ResultKey(primary, contest))
	v.Result = must(w.at(last).Record(state.ResultKey(primary, contest)))
	if result.Ballots != v.Sum.Count || !slices.Equal(result.Votes, v.Votes) {
		w.t.Fatalf("contest %d: %v, and on the record %v", contest, v.Votes, result.Votes)
	}
	return v
}

// counted returns the ballots that count at closing, and checks that the sum is theirs.
func (w *world) counted(contest uint32, sum sumVector) []uint64 {
	s := w.at(w.last())
	ballots := w.of(tx.KindCastBallot)
	var list []uint64
	total := make([]*curve.RistrettoPoint, 1+len(sum.A))
	for i := range total {
		total[i] = curve.NewRistrettoPoint()
	}
	for i := range s.Voters(primary) {
		leaf := must(state.LoadVoter(s, primary, i))
		if leaf.Status != pb.VOTER_COUNTS {
			continue
		}
		m := ballots[leaf.LogIndex].Body().(*pb.CastBallot)
		first := 1
		for _, c := range w.manifest.Styles[m.Style].Contests {
			if c == contest {
				list = append(list, leaf.LogIndex)
				points := parts(m.Ciphertext)
				for j, b := range slices.Concat(points[:1], points[first:first+len(sum.A)]) {
					total[j].Add(total[j], pointOf(b))
				}
			}
			first += len(w.manifest.Contests[c].Options)
		}
	}
	for j, want := range slices.Concat([]hexBytes{sum.A0}, sum.A) {
		if !bytes.Equal(group.PointBytes(total[j]), want) {
			w.t.Fatalf("contest %d: the sum is another", contest)
		}
	}
	slices.Sort(list)
	return list
}

// open combines the shares and counts. Spec 4.11.
func (w *world) open(ceremony *ceremonyFile, v *contestResult) {
	v.M = slices.Clone(v.Sum.A)
	for _, o := range ceremony.Organisations {
		quorum := sharesOf(v.Posted, o.Organisation)[:o.Quorum]
		l := lagrange(quorum)
		v.Quorums = append(v.Quorums, quorumVector{o.Organisation, l})
		for j := range v.M {
			part := interpolate(l, quorum, func(s *openedVector) hexBytes { return s.Shares[j] })
			v.M[j] = group.PointBytes(curve.NewRistrettoPoint().Sub(pointOf(v.M[j]), pointOf(part)))
		}
	}
	for _, m := range v.M {
		for t := uint64(0); t <= v.Sum.Count; t++ {
			if bytes.Equal(group.PointBytes(curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, scalar.NewFromUint64(t))), m) {
				v.Votes = append(v.Votes, t)
			}
		}
	}
}
