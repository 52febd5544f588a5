package rehearsal

import (
	cryptorand "crypto/rand"
	"crypto/sha256"
	"fmt"
	"slices"

	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

func address(name string) []byte { return cmted25519.PrivKey(Key(name)).PubKey().Address() }

func (c *crowd) seal(e *Election) *pb.Resolution {
	head := must(c.View().Head(state.LogRoll(e.ID)))
	d := &pb.SealRoll{Election: e.ID, Size_: head.Size, Root: head.Root[:]}
	for i := range head.Size {
		if c.luck(10) {
			d.Struck = append(d.Struck, pb.StruckVoter{Voter: i, Cause: pb.RevocationCause(c.r.IntN(3) + 1)})
		}
	}
	return &pb.Resolution{Decision: &pb.Resolution_SealRoll{SealRoll: d}}
}

func (c *crowd) schedule(e *Election) *pb.Resolution {
	opening := c.Now() + int64(c.r.IntN(60))
	return &pb.Resolution{Decision: &pb.Resolution_ScheduleElection{ScheduleElection: &pb.ScheduleElection{
		Election: e.ID, Opening: opening, Closing: opening + int64(c.r.IntN(100)),
	}}}
}

func (c *crowd) appoint(e *Election) *pb.Resolution {
	d := &pb.AppointTrustees{Election: e.ID}
	for _, o := range Organisations {
		quorum := 2 + c.r.IntN(2)
		d.Boards = append(d.Boards, pb.TrusteeBoard{
			Organisation: o, Quorum: uint32(quorum), Trustees: trusteeNames(o, 1, 2*quorum-1+c.r.IntN(2)),
		})
	}
	return &pb.Resolution{Decision: &pb.Resolution_AppointTrustees{AppointTrustees: d}}
}

// cancelUpgrade takes the newest upgrade back, or one that there is not.
func (c *crowd) cancelUpgrade() *pb.Resolution {
	d := &pb.CancelUpgrade{Height: c.Height() + 1}
	if u := must(state.Load[pb.Upgrades](c.View(), state.KeyUpgrades)); u != nil {
		d.Height = u.Upgrades[len(u.Upgrades)-1].Height
	}
	return &pb.Resolution{Decision: &pb.Resolution_CancelUpgrade{CancelUpgrade: d}}
}

// vote lets voters cast and challenge, in time and too soon, under their number and another.
func (c *crowd) vote(e *Election) [][]byte {
	if e.Ballots == nil {
		e.Fix()
	}
	roll := e.roll()
	var raw [][]byte
	for range c.r.IntN(5) {
		index := c.r.IntN(len(roll))
		key := e.voter(&roll[index])
		if key == nil {
			continue
		}
		var leaf pb.Voter
		e.must(election.Decode(must(c.View().Voter(e.ID, uint64(index))), &leaf))
		st := ballot.Statement{Style: roll[index].Style, RollIndex: uint64(index), Voter: key.Public(), Sequence: leaf.Sequence + uint64(one(c, []int{0, 1, 1, 1, 1, 2}))}
		if c.luck(4) {
			st.Style = uint32(c.r.IntN(len(e.Manifest.Styles)))
		}
		draft, err := e.Ballots.Encrypt(st, c.selections(e, st.Style), key, cryptorand.Reader)
		e.must(err)
		raw = append(raw, c.send(e, draft, st, key)...)
	}
	if c.luck(10) {
		raw = append(raw, c.propose(&pb.Resolution{Reason: "gone", Decision: &pb.Resolution_RevokeVoters{
			RevokeVoters: &pb.RevokeVoters{Election: e.ID, Voters: []uint64{uint64(c.r.IntN(len(roll)))}, Cause: pb.RevocationCause(c.r.IntN(4))},
		}}))
	}
	return raw
}

// selections chooses options of every contest of a style.
func (c *crowd) selections(e *Election, style uint32) [][]int {
	var all [][]int
	for _, index := range e.Manifest.Styles[style].Contests {
		contest := &e.Manifest.Contests[index]
		n := int(contest.MinSelections) + c.r.IntN(int(contest.MaxSelections-contest.MinSelections)+1)
		chosen := c.r.Perm(len(contest.Options))[:n]
		slices.Sort(chosen)
		all = append(all, chosen)
	}
	return all
}

// send casts a draft, or challenges it and now and then casts it all the same.
func (c *crowd) send(e *Election, d *ballot.Draft, st ballot.Statement, key *ballot.SecretKey) [][]byte {
	var raw [][]byte
	if c.luck(15) {
		s := d.Spoil()
		raw = append(raw, tx.Ballot(&pb.SpoilBallot{
			Election: e.ID, RollIndex: st.RollIndex, Sequence: st.Sequence, Code: s.Code[:], NoncePoint: s.C0[:],
		}, must(ballot.SignSpoil(s, key, cryptorand.Reader))))
		if c.luck(50) {
			return raw
		}
	}
	ciphertext, proof, signature, err := d.Cast()
	e.must(err)
	m := &pb.CastBallot{
		Election: e.ID, Style: st.Style, RollIndex: st.RollIndex, Sequence: st.Sequence, Ciphertext: ciphertext, Proof: proof,
	}
	return append(raw, tx.Ballot(m, signature))
}

// decrypt lets trustees open contests.
func (c *crowd) decrypt(e *Election) [][]byte {
	var raw [][]byte
	for _, t := range e.Everybody() {
		var contests []uint32
		for contest := range uint32(len(e.Manifest.Contests)) {
			sum := must(ballot.ParseTally(len(e.Manifest.Contests[contest].Options), e.sumToOpen(contest)))
			if c.luck(60) && !sum.A0.IsIdentity() {
				contests = append(contests, contest)
			}
		}
		if t.share != nil && len(contests) > 0 && c.luck(50) {
			raw = append(raw, t.Open(contests...))
		}
	}
	return raw
}

// countPaper lets officers propose totals of a polling place, or excuse it; some figures are impossible.
func (c *crowd) countPaper(e *Election) [][]byte {
	if len(e.Manifest.PollingPlaces) == 0 || c.luck(40) {
		return nil
	}
	d := e.Totals(one(c, e.Manifest.PollingPlaces).Id, uint64(c.r.IntN(4)))
	if c.luck(20) {
		return [][]byte{c.propose(&pb.Resolution{Reason: "no road", Decision: &pb.Resolution_ExcusePaper{
			ExcusePaper: &pb.ExcusePaper{Election: e.ID, Place: d.Place, Corrects: d.Corrects},
		}})}
	}
	wrong := one(c, d.Contests).Votes
	switch c.r.IntN(12) {
	case 0:
		d.Entitled -= min(d.Entitled, 1)
	case 1:
		d.Spoiled++
	case 2:
		d.Contests[0].Invalid++
	case 3:
		wrong[len(wrong)-1]++
	case 4:
		wrong[0] -= min(wrong[0], 1)
	case 5:
		d.Contests = d.Contests[1:]
	case 6:
		d.Corrects = nil
	}
	return [][]byte{c.propose(&pb.Resolution{Decision: &pb.Resolution_PaperTotals{PaperTotals: d}})}
}

// extension names some heights, or none.
func (c *crowd) extension(e *Election) *pb.ExtendElection {
	d := &pb.ExtendElection{Election: e.ID, Cause: pb.ExtensionCause(c.r.IntN(4) + 1), Closing: e.Record().Closing + int64(c.r.IntN(30)-5)}
	if d.Cause != pb.EXTENSION_OTHER || c.luck(50) {
		d.From = int64(c.r.IntN(int(c.Height())) + 1)
		d.To = d.From + int64(c.r.IntN(100))
		if c.luck(80) {
			d.To = min(d.To, c.Height())
		}
	}
	return d
}

// something is anything that somebody could send at any time.
func (c *crowd) something() [][]byte {
	e := c.elections[one(c, []string{"a", "b"})]
	switch c.r.IntN(17) {
	case 14, 15, 16:
		return c.nominations()
	case 13:
		return c.oversized()
	case 12:
		return c.oddManifest()
	case 0:
		return c.upload()
	case 1:
		return [][]byte{c.propose(c.validators())}
	case 2:
		o := one(c, Organisations)
		term := must(state.MustLoad[pb.Organisation](c.View(), state.OrganisationKey(o))).Term + one(c, []uint64{1, 1, 1, 0, 2})
		return [][]byte{c.propose(&pb.Resolution{Decision: &pb.Resolution_ChangeOfficers{ChangeOfficers: &pb.ChangeOfficers{Organisation: pb.Organisation{
			Id: o, Title: o, Term: term, OfficerQuorum: uint32(c.r.IntN(2) + 1), Officers: members("officer", o, c.r.IntN(2)+3), Registrars: members("registrar", o, 1),
		}}}})}
	case 3:
		return [][]byte{c.propose(&pb.Resolution{Decision: &pb.Resolution_ChangeParameters{ChangeParameters: &pb.ChangeParameters{Parameters: *c.parameters()}}})}
	case 5:
		return [][]byte{c.propose(&pb.Resolution{Decision: &pb.Resolution_UpgradeSoftware{UpgradeSoftware: &pb.UpgradeSoftware{
			Height: c.Height() + int64(c.r.IntN(30)), Version: c.version + uint64(one(c, []int{0, 1, 1, 1, 1, 2})), Binary: make([]byte, 32),
		}}})}
	case 6:
		return [][]byte{c.propose(c.cancelUpgrade())}
	case 4:
		raw := make([]byte, c.r.IntN(100))
		for i := range raw {
			raw[i] = byte(c.r.Uint32())
		}
		return [][]byte{raw}
	}
	if e == nil {
		return nil
	}
	switch c.r.IntN(12) {
	case 6:
		return [][]byte{c.propose(&pb.Resolution{Reason: "a court says so", Decision: &pb.Resolution_RemoveCandidate{RemoveCandidate: &pb.RemoveCandidate{
			Election: e.ID, Contest: uint32(c.r.IntN(3) / 2), Option: uint32(c.r.IntN(4)),
		}}})}
	case 0:
		return [][]byte{c.propose(c.seal(e))}
	case 1:
		return [][]byte{c.propose(c.schedule(e))}
	case 2:
		return [][]byte{c.propose(c.appoint(e))}
	case 3:
		return [][]byte{c.propose(&pb.Resolution{Reason: "an outage", Decision: &pb.Resolution_ExtendElection{
			ExtendElection: c.extension(e),
		}})}
	case 4:
		if c.luck(8) {
			return [][]byte{c.propose(&pb.Resolution{Decision: &pb.Resolution_CancelElection{CancelElection: &pb.CancelElection{Election: e.ID}}})}
		}
	case 5:
		if c.luck(30) {
			return [][]byte{c.enrol(e)}
		}
	}
	return nil
}

// nominations opens nominations, or lets candidates and registrars do what they please in those that are open.
func (c *crowd) nominations() [][]byte {
	id := one(c, []string{"nominations-1", "nominations-2"})
	if must(state.LoadNominations(c.View(), id)) == nil {
		n := Nominations(id, c.Now()+int64(c.r.IntN(400)))
		if c.luck(20) {
			wrong().Mutate(c.r, n)
		}
		b := election.Encode(n)
		hash := sha256.Sum256(b)
		return [][]byte{
			Sign(c.officer(), &pb.PublishDocument{Hash: hash[:], Size_: uint64(len(b)), Chunk: b}),
			c.propose(&pb.Resolution{Decision: &pb.Resolution_OpenNominations{OpenNominations: &pb.OpenNominations{Nominations: hash[:]}}}),
		}
	}
	if c.luck(5) {
		return [][]byte{c.propose(&pb.Resolution{Reason: "too few candidates", Decision: &pb.Resolution_CancelNominations{
			CancelNominations: &pb.CancelNominations{Nominations: id},
		}})}
	}
	registrar := one(c, Organisations) + " registrar 1"
	list := one(c, []string{"mazhilis", "north", "south"})
	apply := func() *pb.SignedApplication {
		return Apply(id, list, map[string]string{"mazhilis": "South", "north": "North", "south": "South"}[list], one(c, candidates), func(a *pb.Application) {
			a.Nonce, a.Young, a.Woman = uint64(c.r.IntN(3)), c.luck(50), c.luck(50)
		})
	}
	raw := [][]byte{Submit(one(c, []string{registrar, c.officer()}), apply(), apply())}
	var known []*pb.SignedApplication
	c.must(c.View().Records(state.ApplicationPrefix(id), func(_ string, value []byte) error {
		var a pb.ApplicationState
		known = append(known, &a.Signed)
		return election.Decode(value, &a)
	}))
	for _, a := range known {
		switch c.r.IntN(8) {
		case 0, 1, 2:
			raw = append(raw, Decide(registrar, "", a))
		case 3:
			raw = append(raw, Decide(registrar, one(c, []string{"", "no member"}), a))
		case 4:
			if c.luck(40) {
				raw = append(raw, WithdrawApplication(a))
			}
		}
	}
	return raw
}

// candidates are those who apply on a random ledger.
var candidates = []string{"Aigul", "Bolat", "Dana", "Erlan", "Farida", "Gani"}

// oddManifest publishes a manifest that may break a rule, and proposes it as an election.
func (c *crowd) oddManifest() [][]byte {
	m := Manifest(one(c, []string{"a", "b", "c", "d", "e"}))
	m.Opening = c.Now() + int64(c.r.IntN(40)-10)
	m.Closing = m.Opening + 10
	for range c.r.IntN(3) {
		wrong().Mutate(c.r, m)
	}
	b := election.Encode(m)
	if c.luck(5) {
		b = append(b, 0)
	}
	hash := sha256.Sum256(b)
	publish := Sign(c.officer(), &pb.PublishDocument{Hash: hash[:], Size_: uint64(len(b)), Chunk: b})
	return [][]byte{publish, c.propose(&pb.Resolution{Decision: &pb.Resolution_CreateElection{CreateElection: &pb.CreateElection{Manifest: hash[:]}}})}
}

// oversized is more than a transaction may have; some of it is signed.
func (c *crowd) oversized() [][]byte {
	deal := Sign("party trustee 1", &pb.PublishDeal{
		Election: "a", Organisation: "party", Attempt: 1, Commitments: make([]byte, 32*(5_100+c.r.IntN(30))), Possession: make([]byte, 64),
	})
	ballot := tx.Ballot(&pb.CastBallot{
		Election: "a", Ciphertext: make([]byte, 128), Proof: make([]byte, 32*(500+c.r.IntN(10))),
	}, make([]byte, 64))
	if c.luck(50) {
		deal[len(deal)-1] ^= 1
	}
	return [][]byte{deal, ballot}
}

// upload publishes chunks of a larger document, in some order.
func (c *crowd) upload() [][]byte {
	document := make([]byte, one(c, []int{1, 131_071, 131_072, 131_073, 262_145, 299_999, 300_001}))
	document[0] = byte(c.r.IntN(2))
	hash := sha256.Sum256(document)
	if c.luck(10) {
		hash[0] ^= 1
	}
	officer := c.officer()
	var raw [][]byte
	for at := 0; at < len(document); at += tx.ChunkSize {
		m := &pb.PublishDocument{Hash: hash[:], Size_: uint64(len(document)), Offset: uint64(at), Chunk: document[at:min(at+tx.ChunkSize, len(document))]}
		if c.luck(90) {
			raw = append(raw, Sign(officer, m))
		}
	}
	return raw
}

// validators proposes a list that is often good.
func (c *crowd) validators() *pb.Resolution {
	var list []pb.Validator
	for _, o := range Organisations {
		for _, n := range c.r.Perm(4)[:2] {
			v := Validator(o, n+1)
			v.Power += int64(c.r.IntN(3))
			if c.luck(10) {
				v.Address = fmt.Sprintf("127.0.0.1:%d", c.r.IntN(3))
			}
			list = append(list, v)
		}
	}
	if c.luck(50) { // a small change
		now := must(state.MustLoad[pb.ValidatorEpochs](c.View(), state.KeyValidators)).Present.Validators
		changed := slices.Clone(now)
		changed[c.r.IntN(len(changed))] = list[c.r.IntN(len(list))]
		list = changed
	}
	return &pb.Resolution{Decision: &pb.Resolution_ChangeValidators{ChangeValidators: &pb.ChangeValidators{Validators: Sorted(list...)}}}
}
