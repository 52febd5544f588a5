package recount

import (
	"cmp"
	"fmt"
	"slices"

	"votenode/crypto/transcript"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/recount/rules"
)

// hasList says whether any contest has a rule for a list.
func (e *election) hasList() bool {
	for i := range e.manifest.Contests {
		if e.manifest.Contests[i].List != nil {
			return true
		}
	}
	return false
}

// part returns where the part of an organisation stands in the lot, -1 before it has committed.
func (e *election) part(organisation string) int {
	return slices.IndexFunc(e.lot.Parts, func(p pb.LotPart) bool { return p.Organisation == organisation })
}

// commitLot: spec 9.45.
func (r *Recount) commitLot(signer []byte, m *pb.CommitLot) error {
	o, err := r.officer(signer)
	if err != nil {
		return err
	}
	e, err := r.in(m.Election, pb.PHASE_SETUP, pb.PHASE_KEY_CEREMONY, pb.PHASE_DECRYPTING)
	if err != nil {
		return err
	}
	if !e.hasList() {
		return refuse(codeNoList, "there is no list in %q", m.Election)
	}
	if m.Round != e.round() {
		return refuse(codeLotRound, "the lot is in round %d", e.round())
	}
	at := e.part(o.Id)
	if at < 0 {
		e.lot.Parts = append(e.lot.Parts, pb.LotPart{Organisation: o.Id})
		slices.SortFunc(e.lot.Parts, func(a, b pb.LotPart) int { return cmp.Compare(a.Organisation, b.Organisation) })
		at = e.part(o.Id)
	}
	switch part := &e.lot.Parts[at]; string(part.Commitment) {
	case "":
		part.Commitment = m.Commitment
	case string(m.Commitment):
		return refuse(codeAlreadyDone, "%q has committed so", o.Id)
	default:
		return refuse(codeLotCommitted, "%q has committed otherwise", o.Id)
	}
	bound := 0
	for _, p := range e.lot.Parts {
		if len(p.Commitment) == 32 {
			bound++
		}
	}
	if e.lot.Round = e.round(); bound == len(r.organisations) {
		e.lot.Committed = r.height
	}
	return nil
}

// round is the number of the lot's present round, from 1.
func (e *election) round() uint32 { return uint32(len(e.ended)) + 1 }

// number is a round as it is hashed.
func (e *election) number() []byte { return transcript.Uint64(uint64(e.round())) }

// revealLot: spec 9.46, and the seed of 17.3.
func (r *Recount) revealLot(signer []byte, m *pb.RevealLot) error {
	o, err := r.officer(signer)
	if err != nil {
		return err
	}
	e, err := r.in(m.Election, pb.PHASE_CLOSED, pb.PHASE_DECRYPTING, pb.PHASE_FINAL)
	if err != nil {
		return err
	}
	at := e.part(o.Id)
	if at < 0 {
		return refuse(codeNoList, "there is no list in %q", m.Election)
	}
	if !e.lot.Fixed {
		return refuse(codeLotEarly, "there is no lot block yet")
	}
	bound := transcript.Digest(transcript.LabelLotCommitment, []byte(r.chain), []byte(e.id), []byte(o.Id), e.number(), m.Secret)
	if bound != [32]byte(e.lot.Parts[at].Commitment) {
		return refuse(codeLotSecret, "this is not what %q has committed to", o.Id)
	}
	if len(e.lot.Parts[at].Secret) == 32 {
		return refuse(codeAlreadyDone, "%q has revealed", o.Id)
	}
	if slices.ContainsFunc(e.debtors(), func(p pb.LotPart) bool { return p.Kept > e.lot.Parts[at].Kept }) {
		return refuse(codeLotTurn, "it is the turn of others before %q", o.Id)
	}
	e.lot.Parts[at].Secret = m.Secret
	items := [][]byte{[]byte(r.chain), []byte(e.id), e.number(), e.lot.HeaderHash}
	for _, p := range e.lot.Parts {
		if len(p.Secret) == 0 {
			return nil
		}
		items = append(items, p.Secret)
	}
	seed := transcript.Digest(transcript.LabelLotSeed, items...)
	e.lot.Seed = seed[:]
	return nil
}

// debtors are the parts of those that have not revealed.
func (e *election) debtors() []pb.LotPart {
	return slices.DeleteFunc(slices.Clone(e.lot.Parts), func(p pb.LotPart) bool { return len(p.Secret) == 32 })
}

// mayRenew: spec 9.49.
func (r *Recount) mayRenew(d *pb.RenewLot) error {
	e, err := r.in(d.Election, pb.PHASE_DECRYPTING)
	if err != nil {
		return err
	}
	debtors := e.debtors()
	same := func(name string, p pb.LotPart) int { return cmp.Compare(name, p.Organisation) }
	switch {
	case !e.hasList():
		return refuse(codeNoList, "there is no list in %q", d.Election)
	case d.Round != e.round():
		return refuse(codeLotRound, "the lot is in round %d", e.round())
	case !e.lot.Fixed || !r.reached(e.lot.Deadline):
		return refuse(codeLotNotDue, "the time of the secrets is not over")
	case len(debtors) == 0 || slices.CompareFunc(d.Missing, debtors, same) != 0:
		return refuse(codeLotMissing, "%d other organisations have not revealed", len(debtors))
	case len(e.listQueue.Tied) == 0:
		return refuse(codeLotNotDue, "no list waits for the lot")
	}
	return nil
}

// renew ends the present round of the lot. Of those that have not revealed only who was not to wait for others has kept its secret. Spec 17.3.
func (e *election) renew(resolution [32]byte) {
	most := uint32(0)
	for _, p := range e.debtors() {
		most = max(most, p.Kept)
	}
	next := pb.Lot{Round: e.round() + 1}
	for _, p := range e.lot.Parts {
		fresh := pb.LotPart{Organisation: p.Organisation, Kept: p.Kept}
		if len(p.Secret) == 0 && p.Kept == most {
			fresh.Kept++
		}
		next.Parts = append(next.Parts, fresh)
	}
	e.lot.Renewed = resolution[:]
	e.ended, e.lot = append(e.ended, e.lot), next
}

// advanceLists fixes the lot block and forms lists, at most 1,000 in a block. hash is that of the block's header, attested says whether the
// block before was signed by more than certify of every organisation. Spec 17.3 and 17.4.
func (r *Recount) advanceLists(e *election, hash [32]byte, attested bool) {
	if !e.hasList() || e.phase != pb.PHASE_CLOSED && e.phase != pb.PHASE_DECRYPTING {
		return
	}
	switch {
	case e.lot.Fixed || e.lot.Committed == 0 || r.height <= e.lot.Committed:
	case e.lot.Height > 0 && attested:
		e.lot.Fixed, e.lot.Deadline = true, r.deadline(e.manifest.CeremonyStep)
	default:
		e.lot.Height, e.lot.HeaderHash = r.height, hash[:]
	}
	if e.phase == pb.PHASE_CLOSED {
		return
	}
	q := &e.listQueue
	if len(e.lot.Seed) > 0 {
		q.Contests, q.Tied = append(q.Contests, q.Tied...), nil
	}
	n := min(len(q.Contests), 1_000-r.formed)
	for _, contest := range q.Contests[:n] {
		if list := e.list(contest); list != nil {
			e.lists[contest] = list
		} else {
			q.Tied = append(q.Tied, contest)
		}
	}
	q.Contests, r.formed = q.Contests[n:], r.formed+n
	r.finish(e)
}

// list forms the list of a decided contest, nil where it needs a lot that is not drawn.
func (e *election) list(contest uint32) *pb.List {
	c, result := &e.manifest.Contests[contest], e.results[contest]
	if result.Status == pb.RESULT_WITHHELD {
		return &pb.List{Status: pb.LIST_WITHHELD, Seats: c.List.Seats, Outside: c.List.Outside}
	}
	gone := map[uint32]bool{}
	for _, r := range e.removed {
		if r.Contest == contest {
			gone[r.Option] = true
		}
	}
	votes := slices.Clone(result.Votes)
	for i, more := range result.PaperVotes {
		votes[i] += more
	}
	return List(contest, c, votes, gone, e.lot.Seed)
}

// List forms the list of a contest that has a rule: from the votes by option, without the options that are gone, with the seed of the lot, nil where it
// is not drawn. It returns nil where a tie matters and it is not drawn. Spec 17.2.
func List(contest uint32, c *pb.Contest, votes []uint64, gone map[uint32]bool, seed []byte) *pb.List {
	var field []runner
	for i, candidate := range c.Candidates {
		if option := uint32(i); !gone[option] {
			field = append(field, runner{option: option, votes: votes[i], kind: kind(candidate)})
		}
	}
	slices.SortFunc(field, func(a, b runner) int {
		if a.votes != b.votes || seed == nil {
			return cmp.Or(cmp.Compare(b.votes, a.votes), cmp.Compare(a.option, b.option))
		}
		return slices.Compare(ticket(seed, contest, a.option), ticket(seed, contest, b.option))
	})
	list := &pb.List{Status: pb.LIST_FORMED, Seats: c.List.Seats, Outside: c.List.Outside}
	if !fill(list, field, c.List) && seed == nil {
		return nil
	}
	return list
}

// ticket is what candidates with the same votes are ordered by. Spec 17.3.
func ticket(seed []byte, contest, option uint32) []byte {
	d := transcript.Digest(transcript.LabelLotOrder, seed, transcript.Uint64(uint64(contest)), transcript.Uint64(uint64(option)))
	return d[:]
}

// The kinds of candidates, by the quotas that they count for.
const (
	young = 1
	woman = 2
)

// kind is 0 for who counts for no quota, young, woman, or both of them.
func kind(c pb.Candidate) (k int) {
	if c.Young {
		k |= young
	}
	if c.Woman {
		k |= woman
	}
	return k
}

// runner is a candidate who may stand on a list.
type runner struct {
	option uint32
	votes  uint64
	kind   int
}

// fill writes into a list who of the field, which is in order, stands on it and why. It returns false where a tie matters.
func fill(list *pb.List, field []runner, rule *pb.ListRule) bool {
	open := int(rule.Seats - rule.Outside)
	n := min(open, len(field))
	list.Empty = uint32(open - n)
	list.YoungRequired, list.WomanRequired = share(n, rule.YoungPercent), share(n, rule.WomanPercent)
	places := bestOf(field, n, list.YoungRequired, list.WomanRequired)
	on := make([]bool, len(field))
	for _, at := range places {
		on[at] = true
		list.Places = append(list.Places, pb.ListPlace{Option: field[at].option, Votes: field[at].votes, Substituted: at >= n})
	}
	list.YoungMissing, list.WomanMissing = lack(field, places, list.YoungRequired, list.WomanRequired)

	first := make([]int, n)
	for i := range first {
		first[i] = i
	}
	lackYoung, lackWoman := lack(field, first, list.YoungRequired, list.WomanRequired)
	incoming := slices.DeleteFunc(slices.Clone(places), func(at int) bool { return at < n })
	for _, at := range slices.Backward(first) {
		if on[at] {
			continue
		}
		s := pb.Substitution{Out: field[at].option, In: field[incoming[0]].option, Place: uint32(at) + 1}
		switch counts := field[incoming[0]].kind; {
		case counts == young|woman && lackYoung > 0 && lackWoman > 0:
			s.Reason = pb.SUBSTITUTION_BOTH
		case counts&young > 0 && lackYoung > 0:
			s.Reason = pb.SUBSTITUTION_YOUNG
		default:
			s.Reason = pb.SUBSTITUTION_WOMAN
		}
		list.Substitutions, incoming = append(list.Substitutions, s), incoming[1:]
	}

	groups := map[uint64][]int{} // places in the field by votes
	for at, f := range field {
		groups[f.votes] = append(groups[f.votes], at)
	}
	for at, f := range field {
		group := groups[f.votes]
		matters := group[0] < n || slices.ContainsFunc(group, func(member int) bool { return on[member] })
		if group[0] != at || len(group) == 1 || !matters {
			continue
		}
		tie := pb.Tie{Votes: f.votes}
		for _, member := range group {
			tie.Options = append(tie.Options, field[member].option)
		}
		list.Ties = append(list.Ties, tie)
	}
	return len(list.Ties) == 0
}

// share is so many percent of n, rounded up.
func share(n int, percent uint32) uint32 {
	whole, rest := uint32(n)*percent/100, uint32(n)*percent%100
	if rest > 0 {
		whole++
	}
	return whole
}

// lack returns how many young candidates and women some of the field fall short of what is required.
func lack(field []runner, some []int, needYoung, needWomen uint32) (noYoung, noWomen uint32) {
	for _, at := range some {
		if field[at].kind&young > 0 && needYoung > 0 {
			needYoung--
		}
		if field[at].kind&woman > 0 && needWomen > 0 {
			needWomen--
		}
	}
	return needYoung, needWomen
}

// bestOf returns the places in the field of those on the list, ascending. Of each kind the ones in front are on it, for another of the same
// kind in their stead would serve the quotas as well and the order worse. So it compares one list for each way of
// dividing n places among the four kinds: by how many candidates the quotas lack, then by who is in front. Spec 17.2.
func bestOf(field []runner, n int, needYoung, needWomen uint32) []int {
	var of [4][]int
	for at, f := range field {
		of[f.kind] = append(of[f.kind], at)
	}
	var best []int
	least := ^uint32(0)
	for b := 0; b <= min(n, len(of[young|woman])); b++ {
		for y := 0; y <= min(n-b, len(of[young])); y++ {
			for w := 0; w <= min(n-b-y, len(of[woman])); w++ {
				rest := n - b - y - w
				if rest > len(of[0]) {
					continue
				}
				short := needYoung - min(needYoung, uint32(b+y)) + needWomen - min(needWomen, uint32(b+w))
				if short > least {
					continue
				}
				list := slices.Concat(of[young|woman][:b], of[young][:y], of[woman][:w], of[0][:rest])
				slices.Sort(list)
				if short < least || slices.Compare(list, best) < 0 {
					best, least = list, short
				}
			}
		}
	}
	return best
}

// listRecords tells the lot of an election and its lists. Spec 5.2.
func (e *election) listRecords(at string, emit Emit) {
	if len(e.lot.Parts) > 0 {
		emit(Lists, at+"/lot", rules.Encode(&e.lot))
	}
	for i := range e.ended {
		emit(Lists, fmt.Sprintf("%s/lot/%05d", at, i+1), rules.Encode(&e.ended[i]))
	}
	if len(e.listQueue.Contests)+len(e.listQueue.Tied) > 0 {
		emit(Lists, at+"/list-queue", rules.Encode(&e.listQueue))
	}
	for contest, list := range e.lists {
		emit(Lists, fmt.Sprintf("%s/list/%05d", at, contest), rules.Encode(list))
	}
}
