package app_test

import (
	"bytes"
	"testing"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/threshold"
	pb "votenode/proto/votenode/v1"
)

// appointed brings an election to the key ceremony: trustees 0 to 2 are the league's, 3 to 5 the party's.
func appointed(t *testing.T) (*ledger, []*trustee) {
	l := newLedger(t)
	l.resolve(createElectionOf(l.publish(manifest())))
	return l, l.appoint(3, 2)
}

func (l *ledger) expectCeremony(organisation string, attempt uint32, step pb.CeremonyStep, ejected ...pb.Ejection) {
	l.t.Helper()
	c := l.ceremonyRecord(organisation)
	if c.Attempt != attempt || c.Step != step {
		l.t.Fatalf("%q is at attempt %d, %v; want %d, %v", organisation, c.Attempt, c.Step, attempt, step)
	}
	for i, want := range ejected {
		if got := c.Trustees[i].Ejected; got != want {
			l.t.Fatalf("trustee %d of %q: %v, want %v", i+1, organisation, got, want)
		}
	}
}

// TestBarrier: nobody's commitments before every dealer's hash is in, over all organisations.
func TestBarrier(t *testing.T) {
	l, trustees := appointed(t)
	l.accept(l.each(trustees[:5], l.announce)...)
	l.expectCeremony("league", 1, pb.CEREMONY_ANNOUNCE)
	hash := sign(trustees[0].name, &pb.PublishDeal{Election: id, Organisation: "league", Attempt: 1,
		Commitments: trustees[0].deal.Commitments().Bytes(), Possession: make([]byte, 64)})
	l.refuse(tx.CodeWrongStep, hash)
	l.accept(l.announce(trustees[5]))
	l.expectCeremony("league", 1, pb.CEREMONY_DEAL)
	l.expectCeremony("party", 1, pb.CEREMONY_DEAL)
}

// TestSilentDealer: who does not act before a deadline is out. With 2 of 3 two remain, too few for 2k - 1: the ceremony waits for
// a resolution that appoints somebody else, and goes on with a fresh attempt under a fresh index.
func TestSilentDealer(t *testing.T) {
	l, trustees := appointed(t)
	l.accept(l.each(trustees, l.announce)...)
	l.accept(l.each(trustees[1:], l.publishDeal)...)
	l.expectCeremony("party", 1, pb.CEREMONY_CONFIRM)
	l.accept(l.each(trustees[3:], l.confirm)...)
	l.block(step)
	l.expectCeremony("league", 2, pb.CEREMONY_WAITING, pb.EJECTION_SILENT)
	l.refuse(tx.CodeWrongAttempt, l.announceFor(trustees[1], 1))
	l.refuse(tx.CodeTrusteeEjected, l.announceFor(trustees[0], 2))

	fresh := pb.Member{Name: "league trustee 4", Key: public("league trustee 4")}
	replace := pb.Resolution{Decision: &pb.Resolution_ReplaceTrustees{ReplaceTrustees: &pb.ReplaceTrustees{
		Election: id, Organisation: "league", Trustees: []pb.Member{{Name: "again", Key: public("league trustee 1")}}}}}
	l.refuse(tx.CodeInvalidBoard, l.propose("league officer 1", &replace)[0])
	replace.Decision.(*pb.Resolution_ReplaceTrustees).ReplaceTrustees.Trustees = []pb.Member{fresh}
	l.resolve(replace)
	l.expectCeremony("league", 3, pb.CEREMONY_ANNOUNCE, pb.EJECTION_SILENT)
	league := []*trustee{trustees[1], trustees[2], {name: fresh.Name, organisation: "league", index: 4}}
	l.accept(l.each(league, l.announce)...)
	l.accept(l.each(league, l.publishDeal)...)
	l.accept(l.each(league, l.confirm)...)
	if len(l.election().KeyDigest) == 0 {
		t.Fatal("no keys after the restart")
	}
	l.accept(l.each(append(league, trustees[3:]...), l.trial)...)
	if !l.election().TrialPassed {
		t.Fatal("the trial did not pass")
	}
}

func (l *ledger) announceFor(t *trustee, attempt uint32) []byte {
	return sign(t.name, &pb.AnnounceDeal{Election: id, Organisation: t.organisation, Attempt: attempt, DealHash: make([]byte, 32)})
}

// fiveTrustees brings up boards of 2 of 5, in which one ejection leaves enough to go on at once.
func fiveTrustees(t *testing.T) (*ledger, []*trustee) {
	l := newLedger(t)
	l.resolve(createElectionOf(l.publish(manifest())))
	trustees := l.appoint(5, 2)
	l.accept(l.each(trustees, l.announce)...)
	return l, trustees
}

// TestBadShare: a dealer who encrypts a wrong share is proven guilty by the single-use key of the receiver, and the organisation
// begins again without it.
func TestBadShare(t *testing.T) {
	l, trustees := fiveTrustees(t)
	bad := l.dealOf(trustees[0])
	c := l.ceremony(trustees[0])
	other := must(c.Deal(1, []byte("other"), bytes.NewReader(make([]byte, 1000))))
	for _, k := range l.dealRecord(trustees[0], 3).ReceiverKeys {
		if k.Dealer == 1 { // the share of another polynomial, encrypted as it should be
			bad.Shares[1].Ciphertext = must(c.SealShare(1, 3, trustees[0].deal.Commitments(), k.Key, other))
		}
	}
	l.accept(append([][]byte{sign(trustees[0].name, bad)}, l.each(trustees[1:], l.publishDeal)...)...)
	complaint := &pb.ComplainDeal{Election: id, Organisation: "league", Attempt: 1, Dealer: 1, PrivateKey: trustees[2].private[1]}
	wrong := *complaint
	wrong.PrivateKey = trustees[2].private[2]
	l.refuse(tx.CodeComplaintKey, sign(trustees[2].name, &wrong))
	l.refuse(tx.CodeComplaintKey, sign(trustees[2].name, &pb.ComplainDeal{Election: id, Organisation: "league", Attempt: 1, Dealer: 9, PrivateKey: make([]byte, 32)}))
	l.accept(sign(trustees[2].name, complaint))
	l.expectCeremony("league", 2, pb.CEREMONY_ANNOUNCE, pb.EJECTION_BAD_SHARE, pb.EJECTION_NONE, pb.EJECTION_NONE)

	league := trustees[1:5]
	l.accept(append(l.each(league, l.announce), l.each(trustees[5:], l.confirm)...)...)
	l.accept(l.each(league, l.publishDeal)...)
	l.accept(l.each(league, l.confirm)...)
	if len(l.election().KeyDigest) == 0 {
		t.Fatal("no keys after the restart")
	}
}

// TestLyingComplainer: a complaint about a right share proves the complainer guilty.
func TestLyingComplainer(t *testing.T) {
	l, trustees := fiveTrustees(t)
	l.accept(l.each(trustees, l.publishDeal)...)
	l.accept(sign(trustees[7].name, &pb.ComplainDeal{Election: id, Organisation: "party", Attempt: 1, Dealer: 1, PrivateKey: trustees[7].private[1]}))
	l.expectCeremony("party", 2, pb.CEREMONY_ANNOUNCE, pb.EJECTION_NONE, pb.EJECTION_NONE, pb.EJECTION_FALSE_COMPLAINT)
	l.expectCeremony("league", 1, pb.CEREMONY_CONFIRM)
	l.refuse(tx.CodeTrusteeEjected, sign(trustees[7].name, &pb.ConfirmDeals{Election: id, Organisation: "party", Attempt: 2}))
}

func TestDealRefusals(t *testing.T) {
	l, trustees := appointed(t)
	first := trustees[0]
	keys := func(change func(k []pb.ReceiverKey) []pb.ReceiverKey) []byte {
		raw := l.announce(first)
		m := *must(tx.Parse(raw)).Body().(*pb.AnnounceDeal)
		m.ReceiverKeys = change(m.ReceiverKeys)
		return sign(first.name, &m)
	}
	l.refuse(tx.CodeReceiverKeys, keys(func(k []pb.ReceiverKey) []pb.ReceiverKey { return k[:1] }))
	l.refuse(tx.CodeReceiverKeys, keys(func(k []pb.ReceiverKey) []pb.ReceiverKey { k[0].Dealer = 1; return k }))
	l.refuse(tx.CodeReceiverKeys, keys(func(k []pb.ReceiverKey) []pb.ReceiverKey { k[0].Key = make([]byte, 32); return k }))
	l.refuse(tx.CodeNotAuthorised, sign("party officer 1", must(tx.Parse(l.announce(first))).Body()))
	announced := l.announce(first)
	l.accept(announced)
	l.refuse(tx.CodeSecondDeal, announced)
	l.accept(l.each(trustees[1:], l.announce)...)

	deal := func(change func(m *pb.PublishDeal)) []byte {
		m := l.dealOf(first)
		change(m)
		return sign(first.name, m)
	}
	other := must(l.ceremony(first).Deal(1, nil, bytes.NewReader(make([]byte, 100)))).Commitments().Bytes()
	l.refuse(tx.CodeDealHash, deal(func(m *pb.PublishDeal) { m.Commitments = other }))
	l.refuse(tx.CodeCommitments, deal(func(m *pb.PublishDeal) { m.Commitments = m.Commitments[32:] }))
	l.refuse(tx.CodeCommitments, deal(func(m *pb.PublishDeal) { clear(m.Commitments[:32]) }))
	l.refuse(tx.CodePossession, deal(func(m *pb.PublishDeal) { m.Possession[0] ^= 1 }))
	l.refuse(tx.CodeShareList, deal(func(m *pb.PublishDeal) { m.Shares = m.Shares[:1] }))
	l.refuse(tx.CodeShareList, deal(func(m *pb.PublishDeal) { m.Shares[0].Ciphertext = m.Shares[0].Ciphertext[1:] }))
	l.accept(l.publishDeal(first))
	l.refuse(tx.CodeSecondDeal, l.publishDeal(first))
	l.refuse(tx.CodeWrongStep, sign(first.name, &pb.ConfirmDeals{Election: id, Organisation: "league", Attempt: 1}))
	l.refuse(tx.CodeNotAuthorised, sign(first.name, &pb.ConfirmDeals{Election: id, Organisation: "party", Attempt: 1}))
}

func TestTrialRefusalsAndExcuse(t *testing.T) {
	l, trustees := appointed(t)
	l.roll(3)
	l.keysOf(trustees)
	raw := l.trial(trustees[0])
	m := *must(tx.Parse(raw)).Body().(*pb.PostTrial)
	m.Shares = bytes.Clone(m.Shares)
	copy(m.Shares, m.Shares[32:64])
	l.refuse(tx.CodeTrialProof, sign(trustees[0].name, &m))
	l.refuse(tx.CodeTrialProof, sign(trustees[1].name, must(tx.Parse(raw)).Body()))
	l.accept(l.each(trustees[:5], l.trial)...)
	l.refuse(tx.CodeAlreadyDone, l.trial(trustees[0]))
	l.expectPhase(pb.PHASE_KEY_CEREMONY)

	excuse := pb.Resolution{Decision: &pb.Resolution_ExcuseTrial{ExcuseTrial: &pb.ExcuseTrial{Election: id, Organisation: "party", Trustees: []uint32{3}}}}
	l.refuse(tx.CodeNotMissing, l.propose("party officer 1", &excuse)[0])
	l.block(step)
	trial := must(state.MustLoad[pb.Trial](l.view(), state.TrialKey(id)))
	if len(trial.Missing) != 1 || trial.Missing[0] != (pb.TrusteeRef{Organisation: "party", Index: 3}) {
		t.Fatalf("missing: %v", trial.Missing)
	}
	l.resolve(excuse)
	l.expectPhase(pb.PHASE_READY)
	l.refuse(tx.CodeWrongPhase, l.trial(trustees[5]))
}

func TestPartialRefusals(t *testing.T) {
	l := newLedger(t)
	voters, trustees := l.voting(4)
	shared := l.shared()
	l.accept(cast(draft(shared, 0, voters[0], 1, []int{0}, []int{0}), 0, 1), cast(draft(shared, 1, voters[1], 1, []int{0}, []int{0}), 1, 1))
	early := &pb.PostPartials{Election: id, Organisation: "league", Partials: []pb.PartialDecryption{{Shares: make([]byte, 32), Proof: make([]byte, 64)}}}
	l.refuse(tx.CodeWrongPhase, sign(trustees[0].name, early))
	l.close()
	raw := l.partial(trustees[0], 0, 1)
	change := func(f func(m *pb.PostPartials)) []byte {
		var m pb.PostPartials
		if err := election.Decode(election.Encode(must(tx.Parse(raw)).Body()), &m); err != nil {
			t.Fatal(err)
		}
		f(&m)
		return sign(trustees[0].name, &m)
	}
	l.refuse(tx.CodeUnknownContest, change(func(m *pb.PostPartials) { m.Partials[1].Contest = 2 }))
	l.refuse(tx.CodeDecryptionProof, change(func(m *pb.PostPartials) { m.Partials[1].Proof[3] ^= 1 }))
	l.refuse(tx.CodeDecryptionProof, change(func(m *pb.PostPartials) { m.Partials[1].Shares = m.Partials[0].Shares }))
	l.refuse(tx.CodeDecryptionProof, l.otherSum(trustees[0]))
	l.refuse(tx.CodeDecryptionProof, sign(trustees[1].name, must(tx.Parse(raw)).Body()))
	l.accept(raw)
	l.refuse(tx.CodeAlreadyDone, raw)
	l.accept(l.partial(trustees[1], 0, 1), l.partial(trustees[3], 0), l.partial(trustees[4], 0))
	l.refuse(tx.CodeContestDecided, l.partial(trustees[5], 0))
	l.accept(l.partial(trustees[4], 1), l.partial(trustees[5], 1))
	l.expectPhase(pb.PHASE_FINAL)
}

// otherSum proves a partial decryption of a sum that is not the ledger's: of one voter's ballot, say.
func (l *ledger) otherSum(t *trustee) []byte {
	keys := l.trusteeKeys(t)[:3]
	points := must(threshold.ParsePoints(bytes.Join(keys, nil), 3))
	st := &threshold.TallyStatement{
		Chain: chain, Election: id, KeyDigest: [32]byte(l.election().KeyDigest), Organisation: t.organisation, Trustee: t.index,
		A0: points[0], A: points, Keys: points,
	}
	pd := must(threshold.ProvePartial(st, must(t.share.Range(0, 3)), bytes.NewReader(make([]byte, 1000))))
	return sign(t.name, &pb.PostPartials{Election: id, Organisation: t.organisation, Partials: []pb.PartialDecryption{
		{Contest: 0, Shares: threshold.PointsBytes(pd.Shares), Proof: pd.Proof[:]}}})
}
