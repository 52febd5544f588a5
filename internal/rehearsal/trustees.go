package rehearsal

import (
	"crypto/rand"
	"slices"

	"votenode/app/state"
	"votenode/crypto/ballot"
	"votenode/crypto/threshold"
	pb "votenode/proto/votenode/v1"
)

// Trustee is a trustee with its secrets.
type Trustee struct {
	Name, Organisation string
	Index              uint32

	election *Election
	deal     *threshold.Polynomials
	private  map[uint32][]byte // by dealer
	share    *threshold.Share
}

// Appoint appoints n trustees of each organisation, of whom two suffice.
func (e *Election) Appoint(n int) {
	e.t.Helper()
	d := &pb.AppointTrustees{Election: e.ID}
	for _, o := range Organisations {
		d.Boards = append(d.Boards, pb.TrusteeBoard{Organisation: o, Quorum: 2, Trustees: trusteeNames(o, 1, n)})
	}
	e.Resolve(&pb.Resolution{Decision: &pb.Resolution_AppointTrustees{AppointTrustees: d}})
	for _, b := range d.Boards {
		e.addTrustees(b.Organisation, 1, b.Trustees)
	}
}

// Replace appoints n fresh trustees of an organisation whose ceremony waits.
func (e *Election) Replace(organisation string, n int) {
	e.t.Helper()
	first := len(e.ceremony(organisation).Trustees) + 1
	fresh := trusteeNames(organisation, first, n)
	e.Resolve(&pb.Resolution{Decision: &pb.Resolution_ReplaceTrustees{
		ReplaceTrustees: &pb.ReplaceTrustees{Election: e.ID, Organisation: organisation, Trustees: fresh},
	}})
	e.addTrustees(organisation, first, fresh)
}

func (e *Election) addTrustees(organisation string, first int, list []pb.Member) {
	for i, m := range list {
		e.Trustees = append(e.Trustees, &Trustee{Name: m.Name, Organisation: organisation, Index: uint32(first + i), election: e})
	}
}

// Of returns the trustees of an organisation who are not ejected.
func (e *Election) Of(organisation string) []*Trustee {
	c := e.ceremony(organisation)
	return slices.DeleteFunc(slices.Clone(e.Trustees), func(t *Trustee) bool {
		return t.Organisation != organisation || c.Trustees[t.Index-1].Ejected != pb.EJECTION_NONE
	})
}

// Everybody returns all trustees who are not ejected.
func (e *Election) Everybody() []*Trustee {
	var all []*Trustee
	for _, o := range Organisations {
		all = append(all, e.Of(o)...)
	}
	return all
}

// Each returns a transaction of each trustee.
func Each(list []*Trustee, make func(*Trustee) []byte) [][]byte {
	var raw [][]byte
	for _, t := range list {
		raw = append(raw, make(t))
	}
	return raw
}

func (e *Election) ceremony(organisation string) *pb.Ceremony {
	return must(state.MustLoad[pb.Ceremony](e.View(), state.CeremonyKey(e.ID, organisation)))
}

func (t *Trustee) context() threshold.Ceremony {
	c := t.election.ceremony(t.Organisation)
	return threshold.Ceremony{
		Chain: Chain, Election: t.election.ID, Organisation: t.Organisation, Attempt: c.Attempt, Slots: t.election.slots(), Quorum: int(c.Quorum),
	}
}

// peers lists the other active trustees.
func (t *Trustee) peers() []uint32 {
	var list []uint32
	for _, other := range t.election.Of(t.Organisation) {
		if other.Index != t.Index {
			list = append(list, other.Index)
		}
	}
	return list
}

func (t *Trustee) dealOf(index uint32) *pb.Deal {
	key := state.DealKey(t.election.ID, t.Organisation, t.context().Attempt, index)
	return must(state.MustLoad[pb.Deal](t.election.View(), key))
}

// Announce draws the polynomials and the single-use keys.
func (t *Trustee) Announce() []byte {
	c := t.context()
	t.deal, t.private = must(c.Deal(t.Index, Key(t.Name), rand.Reader)), map[uint32][]byte{}
	hash := c.DealHash(t.Index, t.deal.Commitments().Bytes())
	m := &pb.AnnounceDeal{Election: t.election.ID, Organisation: t.Organisation, Attempt: c.Attempt, DealHash: hash[:]}
	for _, dealer := range t.peers() {
		private, public, err := threshold.GenerateReceiverKey(rand.Reader)
		if err != nil {
			panic(err)
		}
		t.private[dealer] = private
		m.ReceiverKeys = append(m.ReceiverKeys, pb.ReceiverKey{Dealer: dealer, Key: public})
	}
	return Sign(t.Name, m)
}

// Deal returns the commitments with the encrypted shares, unsigned.
func (t *Trustee) Deal() *pb.PublishDeal {
	c, commitments := t.context(), t.deal.Commitments()
	possession := must(c.ProvePossession(t.Index, t.deal, commitments, rand.Reader))
	m := &pb.PublishDeal{
		Election: t.election.ID, Organisation: t.Organisation, Attempt: c.Attempt,
		Commitments: commitments.Bytes(), Possession: possession[:],
	}
	for _, receiver := range t.peers() {
		for _, k := range t.dealOf(receiver).ReceiverKeys {
			if k.Dealer == t.Index {
				sealed := must(c.SealShare(t.Index, receiver, commitments, k.Key, t.deal))
				m.Shares = append(m.Shares, pb.EncryptedShare{Receiver: receiver, Ciphertext: sealed})
			}
		}
	}
	return m
}

// Publish signs Deal.
func (t *Trustee) Publish() []byte { return Sign(t.Name, t.Deal()) }

// Confirm opens all shares, adds them up, and says so.
func (t *Trustee) Confirm() []byte {
	c, shares := t.context(), []*threshold.Share{must(t.deal.Share(t.Index))}
	for _, dealer := range t.peers() {
		d := t.dealOf(dealer)
		commitments := must(c.ParseCommitments(d.Commitments))
		for _, s := range d.Shares {
			if s.Receiver == t.Index {
				shares = append(shares, must(c.OpenShare(dealer, t.Index, commitments, t.private[dealer], s.Ciphertext)))
			}
		}
	}
	t.share = must(threshold.SumShares(shares))
	return Sign(t.Name, &pb.ConfirmDeals{Election: t.election.ID, Organisation: t.Organisation, Attempt: c.Attempt})
}

// Complain gives out the single-use key for a dealer.
func (t *Trustee) Complain(dealer uint32) []byte {
	return Sign(t.Name, &pb.ComplainDeal{
		Election: t.election.ID, Organisation: t.Organisation, Attempt: t.context().Attempt, Dealer: dealer, PrivateKey: t.private[dealer],
	})
}

// keys returns P_{o,i,j} for all slots.
func (t *Trustee) keys() []byte {
	record := must(state.MustLoad[pb.ElectionKeys](t.election.View(), state.KeysKey(t.election.ID)))
	for _, o := range record.Organisations {
		for _, k := range o.Trustees {
			if o.Organisation == t.Organisation && k.Index == t.Index {
				return k.Keys
			}
		}
	}
	panic("rehearsal: " + t.Name + " has no share")
}

func (t *Trustee) digest() [32]byte { return [32]byte(t.election.Record().KeyDigest) }

// Trial shows that the share works.
func (t *Trustee) Trial() []byte {
	st := &threshold.TrialStatement{
		Chain: Chain, Election: t.election.ID, KeyDigest: t.digest(), Organisation: t.Organisation, Trustee: t.Index,
		Keys: must(threshold.ParsePoints(t.keys(), t.election.slots())),
	}
	pd := must(threshold.ProveTrial(st, t.share, rand.Reader))
	return Sign(t.Name, &pb.PostTrial{Election: t.election.ID, Organisation: t.Organisation, Shares: threshold.PointsBytes(pd.Shares), Proof: pd.Proof[:]})
}

// Partial returns the part in opening one contest.
func (t *Trustee) Partial(contest uint32) pb.PartialDecryption {
	return t.partialOf(contest, t.election.sumToOpen(contest))
}

// partialOf returns the part in opening some sum as that of a contest.
func (t *Trustee) partialOf(contest uint32, encoded []byte) pb.PartialDecryption {
	e := t.election
	c := &e.Manifest.Contests[contest]
	first, n := int(c.FirstSlot), len(c.Options)
	sum := must(ballot.ParseTally(n, encoded))
	st := &threshold.TallyStatement{
		Chain: Chain, Election: e.ID, KeyDigest: t.digest(), Contest: contest, Organisation: t.Organisation, Trustee: t.Index,
		A0: sum.A0, A: sum.A, Keys: must(threshold.ParsePoints(t.keys()[32*first:32*(first+n)], n)),
	}
	pd := must(threshold.ProvePartial(st, must(t.share.Range(first, n)), rand.Reader))
	return pb.PartialDecryption{Contest: contest, Shares: threshold.PointsBytes(pd.Shares), Proof: pd.Proof[:]}
}

// sumToOpen returns the sum of a contest, with those of the contests that are merged into it.
func (e *Election) sumToOpen(contest uint32) []byte {
	if merged := must(e.View().Record(state.MergedSumKey(e.ID, contest))); merged != nil {
		return merged
	}
	return must(e.View().Record(state.SumKey(e.ID, contest)))
}

// Open posts the parts in opening some contests.
func (t *Trustee) Open(contests ...uint32) []byte {
	m := &pb.PostPartials{Election: t.election.ID, Organisation: t.Organisation}
	for _, contest := range contests {
		m.Partials = append(m.Partials, t.Partial(contest))
	}
	return Sign(t.Name, m)
}

// MakeKeys goes through a ceremony in which nothing goes wrong, from where it stands at announce.
func (e *Election) MakeKeys() {
	e.t.Helper()
	all := e.Everybody()
	e.Accept(Each(all, (*Trustee).Announce)...)
	e.Accept(Each(all, (*Trustee).Publish)...)
	e.Accept(Each(all, (*Trustee).Confirm)...)
	if len(e.Record().KeyDigest) != 32 {
		e.t.Fatal("the ceremony gave no keys")
	}
}
