package scribe

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/crypto/ballot"
	"votenode/crypto/threshold"
	pb "votenode/proto/votenode/v1"
)

// The trustees of an organisation, and how many of them suffice: the least that the rules allow.
const (
	boardTrustees = 3
	boardQuorum   = 2
)

// trustee is a trustee with its secrets.
type trustee struct {
	name, organisation string
	index              uint32

	deal    *threshold.Polynomials
	private map[uint32][]byte // single-use keys, by dealer
	share   *threshold.Share
}

// appoint appoints the trustees of all organisations.
func (p *poll) appoint() error {
	d := &pb.AppointTrustees{Election: Election}
	for _, id := range organisations {
		b := pb.TrusteeBoard{Organisation: id, Quorum: boardQuorum}
		for i := uint32(1); i <= boardTrustees; i++ {
			name := fmt.Sprintf("%s trustee %d", id, i)
			b.Trustees = append(b.Trustees, pb.Member{Name: name, Key: public(name)})
			p.trustees = append(p.trustees, &trustee{name: name, organisation: id, index: i})
		}
		d.Boards = append(d.Boards, b)
	}
	return p.resolve(&pb.Resolution{Decision: &pb.Resolution_AppointTrustees{AppointTrustees: d}})
}

// ceremony makes the election's keys and shows that they work.
func (p *poll) ceremony() error {
	for _, step := range []func(*trustee) (election.Message, error){p.announce, p.publish, p.confirm, p.trial} {
		if err := p.each(p.trustees, step); err != nil {
			return err
		}
	}
	return p.reach(pb.PHASE_READY)
}

// each makes a block with a transaction of each of some trustees.
func (p *poll) each(list []*trustee, step func(*trustee) (election.Message, error)) error {
	var raw [][]byte
	for _, t := range list {
		m, err := step(t)
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		raw = append(raw, sign(t.name, m))
	}
	return p.make(1, raw...)
}

// attempt is that of a ceremony in which nothing goes wrong.
const attempt = 1

func (p *poll) context(organisation string) threshold.Ceremony {
	return threshold.Ceremony{
		Chain: chain, Election: Election, Organisation: organisation, Attempt: attempt, Slots: election.Slots(p.manifest), Quorum: boardQuorum,
	}
}

// peers are the indices of the other trustees of an organisation.
func (t *trustee) peers() []uint32 {
	var list []uint32
	for i := uint32(1); i <= boardTrustees; i++ {
		if i != t.index {
			list = append(list, i)
		}
	}
	return list
}

func (p *poll) dealOf(organisation string, index uint32) (*pb.Deal, error) {
	return state.MustLoad[pb.Deal](p.view(), state.DealKey(Election, organisation, attempt, index))
}

// announce draws the polynomials and the single-use keys.
func (p *poll) announce(t *trustee) (election.Message, error) {
	c := p.context(t.organisation)
	var err error
	if t.deal, err = c.Deal(t.index, key(t.name), rand.Reader); err != nil {
		return nil, err
	}
	t.private = map[uint32][]byte{}
	hash := c.DealHash(t.index, t.deal.Commitments().Bytes())
	m := &pb.AnnounceDeal{Election: Election, Organisation: t.organisation, Attempt: attempt, DealHash: hash[:]}
	for _, dealer := range t.peers() {
		private, public, err := threshold.GenerateReceiverKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		t.private[dealer] = private
		m.ReceiverKeys = append(m.ReceiverKeys, pb.ReceiverKey{Dealer: dealer, Key: public})
	}
	return m, nil
}

// publish shows the commitments, and sends each peer its share encrypted.
func (p *poll) publish(t *trustee) (election.Message, error) {
	c, commitments := p.context(t.organisation), t.deal.Commitments()
	possession, err := c.ProvePossession(t.index, t.deal, commitments, rand.Reader)
	if err != nil {
		return nil, err
	}
	m := &pb.PublishDeal{
		Election: Election, Organisation: t.organisation, Attempt: attempt, Commitments: commitments.Bytes(), Possession: possession[:],
	}
	for _, receiver := range t.peers() {
		d, err := p.dealOf(t.organisation, receiver)
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(d.ReceiverKeys, func(k pb.ReceiverKey) bool { return k.Dealer == t.index })
		if at < 0 {
			return nil, errors.New("a peer has no key for it")
		}
		sealed, err := c.SealShare(t.index, receiver, commitments, d.ReceiverKeys[at].Key, t.deal)
		if err != nil {
			return nil, err
		}
		m.Shares = append(m.Shares, pb.EncryptedShare{Receiver: receiver, Ciphertext: sealed})
	}
	return m, nil
}

// confirm opens all shares and adds them up.
func (p *poll) confirm(t *trustee) (election.Message, error) {
	c := p.context(t.organisation)
	own, err := t.deal.Share(t.index)
	if err != nil {
		return nil, err
	}
	shares := []*threshold.Share{own}
	for _, dealer := range t.peers() {
		d, err := p.dealOf(t.organisation, dealer)
		if err != nil {
			return nil, err
		}
		commitments, err := c.ParseCommitments(d.Commitments)
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(d.Shares, func(s pb.EncryptedShare) bool { return s.Receiver == t.index })
		if at < 0 {
			return nil, errors.New("a peer has no share for it")
		}
		share, err := c.OpenShare(dealer, t.index, commitments, t.private[dealer], d.Shares[at].Ciphertext)
		if err != nil {
			return nil, err
		}
		shares = append(shares, share)
	}
	if t.share, err = threshold.SumShares(shares); err != nil {
		return nil, err
	}
	return &pb.ConfirmDeals{Election: Election, Organisation: t.organisation, Attempt: attempt}, nil
}

// keysOf returns P_{o,i,j} of a trustee for all slots, and the digest of all keys.
func (p *poll) keysOf(t *trustee) (keys []byte, digest [32]byte, err error) {
	e, err := p.record()
	if err != nil {
		return nil, digest, err
	}
	all, err := state.MustLoad[pb.ElectionKeys](p.view(), state.KeysKey(Election))
	if err != nil {
		return nil, digest, err
	}
	for _, o := range all.Organisations {
		for _, k := range o.Trustees {
			if o.Organisation == t.organisation && k.Index == t.index {
				return k.Keys, [32]byte(e.KeyDigest), nil
			}
		}
	}
	return nil, digest, errors.New("it has no share")
}

// trial shows that the share works.
func (p *poll) trial(t *trustee) (election.Message, error) {
	keys, digest, err := p.keysOf(t)
	if err != nil {
		return nil, err
	}
	points, err := threshold.ParsePoints(keys, election.Slots(p.manifest))
	if err != nil {
		return nil, err
	}
	part, err := threshold.ProveTrial(&threshold.TrialStatement{
		Chain: chain, Election: Election, KeyDigest: digest, Organisation: t.organisation, Trustee: t.index, Keys: points,
	}, t.share, rand.Reader)
	if err != nil {
		return nil, err
	}
	return &pb.PostTrial{
		Election: Election, Organisation: t.organisation, Shares: threshold.PointsBytes(part.Shares), Proof: part.Proof[:],
	}, nil
}

// decrypt has a quorum of each organisation open the contest.
func (p *poll) decrypt() error {
	quorum := slices.DeleteFunc(slices.Clone(p.trustees), func(t *trustee) bool { return t.index > boardQuorum })
	return p.each(quorum, p.partial)
}

// partial is a trustee's part in opening the contest, which has all slots of the election.
func (p *poll) partial(t *trustee) (election.Message, error) {
	keys, digest, err := p.keysOf(t)
	if err != nil {
		return nil, err
	}
	n := election.Slots(p.manifest)
	points, err := threshold.ParsePoints(keys, n)
	if err != nil {
		return nil, err
	}
	b, err := p.view().Record(state.SumKey(Election, 0))
	if err != nil {
		return nil, err
	}
	sum, err := ballot.ParseTally(n, b)
	if err != nil {
		return nil, err
	}
	part, err := threshold.ProvePartial(&threshold.TallyStatement{
		Chain: chain, Election: Election, KeyDigest: digest, Organisation: t.organisation, Trustee: t.index,
		A0: sum.A0, A: sum.A, Keys: points,
	}, t.share, rand.Reader)
	if err != nil {
		return nil, err
	}
	return &pb.PostPartials{Election: Election, Organisation: t.organisation, Partials: []pb.PartialDecryption{
		{Shares: threshold.PointsBytes(part.Shares), Proof: part.Proof[:]},
	}}, nil
}
