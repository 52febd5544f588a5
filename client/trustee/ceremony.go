package trustee

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/client"
	"votenode/crypto/threshold"
	pb "votenode/proto/votenode/v1"
)

var (
	// ErrLostSecrets says that the ledger has this trustee's announcement and the state directory does not: it was lost, or another
	// process works with the same key. The ceremony can only go on without this trustee.
	ErrLostSecrets = errors.New("the state directory lacks what this key has announced; restore it, or let the deadline pass")
	// ErrDegenerate says that the election's keys do not fit their digest, or this trustee's share does not fit them.
	ErrKeys = errors.New("the election's keys are not those of the ceremony")
)

// dealt is what a dealer must not lose: the file "deal".
type dealt struct {
	Polynomials []byte
	// Private holds the single-use private keys by dealer.
	Private map[uint32][]byte
	// Announcement is the signed transaction.
	Announcement []byte
	Hash         []byte
}

// sent is a transaction whose bytes hold randomness and must not be made twice: the files "publication" and "trial".
type sent struct{ Transaction []byte }

// held is the trustee's share of the election key: the file "share".
type held struct{ Share []byte }

// context returns the context of the mathematics for the present attempt.
func (s *seat) context() threshold.Ceremony {
	return threshold.Ceremony{
		Chain: s.Ledger.Chain(), Election: s.id, Organisation: s.organisation,
		Attempt: s.ceremony.Attempt, Slots: election.Slots(s.manifest), Quorum: int(s.ceremony.Quorum),
	}
}

// peers lists the other trustees who are not ejected, ascending.
func (s *seat) peers() []uint32 {
	var indices []uint32
	for i := range s.ceremony.Trustees {
		if index := uint32(i + 1); index != s.index && s.ceremony.Trustees[i].Ejected == pb.EJECTION_NONE {
			indices = append(indices, index)
		}
	}
	return indices
}

func (s *seat) record(ctx context.Context, index uint32) (*pb.Deal, error) {
	return client.Load[pb.Deal](ctx, s.r, state.DealKey(s.id, s.organisation, s.ceremony.Attempt, index))
}

// deal does what the present step of the ceremony asks for. Section 4.2 names the steps.
func (s *seat) deal(ctx context.Context) error {
	own, err := s.record(ctx, s.index)
	if err != nil {
		return err
	}
	switch step := s.ceremony.Step; {
	case step == pb.CEREMONY_ANNOUNCE && own == nil:
		return s.announce(ctx)
	case step == pb.CEREMONY_DEAL && own != nil && len(own.Commitments) == 0:
		return s.publish(ctx, own)
	case step == pb.CEREMONY_CONFIRM && own != nil && !own.Confirmed:
		return s.confirm(ctx, own)
	}
	return nil
}

// announce draws polynomials and single-use keys, stores them, and sends the hash of the commitments.
func (s *seat) announce(ctx context.Context) error {
	name := s.name("deal", s.ceremony.Attempt)
	var d dealt
	found, err := s.Store.load(name, &d)
	if err != nil {
		return err
	}
	if !found {
		if d, err = s.draw(); err != nil {
			return err
		}
		if err := s.Store.create(name, d); err != nil {
			return err
		}
		s.Say("election %s, attempt %d: polynomials drawn, hash announced", s.id, s.ceremony.Attempt)
	}
	return s.submit(ctx, d.Announcement)
}

// draw makes what announce stores.
func (s *seat) draw() (dealt, error) {
	c := s.context()
	polynomials, err := c.Deal(s.index, s.Key.Seed(), s.Random)
	if err != nil {
		return dealt{}, err
	}
	hash := c.DealHash(s.index, polynomials.Commitments().Bytes())
	d := dealt{Polynomials: polynomials.Bytes(), Private: make(map[uint32][]byte), Hash: hash[:]}
	body := &pb.AnnounceDeal{Election: s.id, Organisation: s.organisation, Attempt: c.Attempt, DealHash: hash[:]}
	for _, dealer := range s.peers() {
		private, public, err := threshold.GenerateReceiverKey(s.Random)
		if err != nil {
			return dealt{}, err
		}
		d.Private[dealer] = private
		body.ReceiverKeys = append(body.ReceiverKeys, pb.ReceiverKey{Dealer: dealer, Key: public})
	}
	d.Announcement = s.sign(body)
	return d, nil
}

// announced loads what was stored before the announcement, and compares it with the ledger.
func (s *seat) announced(own *pb.Deal) (*dealt, *threshold.Polynomials, error) {
	var d dealt
	found, err := s.Store.load(s.name("deal", s.ceremony.Attempt), &d)
	if err != nil {
		return nil, nil, err
	}
	if !found || string(d.Hash) != string(own.DealHash) {
		return nil, nil, fmt.Errorf("attempt %d: %w", s.ceremony.Attempt, ErrLostSecrets)
	}
	polynomials, err := s.context().ParsePolynomials(d.Polynomials)
	return &d, polynomials, err
}

// publish reveals the commitments and sends every other trustee its share, encrypted.
func (s *seat) publish(ctx context.Context, own *pb.Deal) error {
	name := s.name("publication", s.ceremony.Attempt)
	var p sent
	found, err := s.Store.load(name, &p)
	if err != nil {
		return err
	}
	if !found {
		_, polynomials, err := s.announced(own)
		if err != nil {
			return err
		}
		body, err := s.publication(ctx, polynomials)
		if err != nil {
			return err
		}
		p.Transaction = s.sign(body)
		if err := s.Store.create(name, p); err != nil {
			return err
		}
		s.Say("election %s, attempt %d: commitments and encrypted shares published", s.id, s.ceremony.Attempt)
	}
	return s.submit(ctx, p.Transaction)
}

func (s *seat) publication(ctx context.Context, polynomials *threshold.Polynomials) (*pb.PublishDeal, error) {
	c := s.context()
	commitments := polynomials.Commitments()
	possession, err := c.ProvePossession(s.index, polynomials, commitments, s.Random)
	if err != nil {
		return nil, err
	}
	body := &pb.PublishDeal{
		Election: s.id, Organisation: s.organisation, Attempt: c.Attempt,
		Commitments: commitments.Bytes(), Possession: possession[:],
	}
	for _, receiver := range s.peers() {
		deal, err := s.record(ctx, receiver)
		if err != nil {
			return nil, err
		}
		key, err := receiverKey(deal, s.index)
		if err != nil {
			return nil, fmt.Errorf("trustee %d: %w", receiver, err)
		}
		ciphertext, err := c.SealShare(s.index, receiver, commitments, key, polynomials)
		if err != nil {
			return nil, fmt.Errorf("share for trustee %d: %w", receiver, err)
		}
		body.Shares = append(body.Shares, pb.EncryptedShare{Receiver: receiver, Ciphertext: ciphertext})
	}
	return body, nil
}

func receiverKey(deal *pb.Deal, dealer uint32) ([]byte, error) {
	if deal != nil {
		for _, k := range deal.ReceiverKeys {
			if k.Dealer == dealer {
				return k.Key, nil
			}
		}
	}
	return nil, fmt.Errorf("no key for dealer %d: %w", dealer, client.ErrAbsent)
}

// confirm opens every share. Where all match, their sum is stored and confirmed; else the dealer of the lowest index whose share does
// not match is complained of, by giving out the single-use key.
func (s *seat) confirm(ctx context.Context, own *pb.Deal) error {
	d, polynomials, err := s.announced(own)
	if err != nil {
		return err
	}
	c := s.context()
	mine, err := polynomials.Share(s.index)
	if err != nil {
		return err
	}
	shares := []*threshold.Share{mine}
	for _, dealer := range s.peers() {
		share, err := s.open(ctx, c, dealer, d.Private[dealer])
		if errors.Is(err, threshold.ErrShare) {
			s.Say("election %s, attempt %d: the share from trustee %d does not match its commitments; complaint sent", s.id, c.Attempt, dealer)
			return s.submit(ctx, s.sign(&pb.ComplainDeal{
				Election: s.id, Organisation: s.organisation, Attempt: c.Attempt, Dealer: dealer, PrivateKey: d.Private[dealer],
			}))
		}
		if err != nil {
			return fmt.Errorf("share from trustee %d: %w", dealer, err)
		}
		shares = append(shares, share)
	}
	if err := s.keep(shares); err != nil {
		return err
	}
	return s.submit(ctx, s.sign(&pb.ConfirmDeals{Election: s.id, Organisation: s.organisation, Attempt: c.Attempt}))
}

// open decrypts and checks one dealer's share. A share that is missing is as bad as a wrong one.
func (s *seat) open(ctx context.Context, c threshold.Ceremony, dealer uint32, private []byte) (*threshold.Share, error) {
	deal, err := s.record(ctx, dealer)
	if err != nil {
		return nil, err
	}
	if deal == nil {
		return nil, fmt.Errorf("its deal: %w", client.ErrAbsent)
	}
	commitments, err := c.ParseCommitments(deal.Commitments)
	if err != nil {
		return nil, err
	}
	var ciphertext []byte
	for _, e := range deal.Shares {
		if e.Receiver == s.index {
			ciphertext = e.Ciphertext
		}
	}
	return c.OpenShare(dealer, s.index, commitments, private, ciphertext)
}

// keep stores the sum of all shares, before anything says that there is one.
func (s *seat) keep(shares []*threshold.Share) error {
	name := s.name("share", s.ceremony.Attempt)
	var h held
	if found, err := s.Store.load(name, &h); found || err != nil {
		return err
	}
	sum, err := threshold.SumShares(shares)
	if err != nil {
		return err
	}
	if err := s.Store.create(name, held{Share: sum.Bytes()}); err != nil {
		return err
	}
	s.Say("election %s, attempt %d: every share opened and matched; confirmed", s.id, s.ceremony.Attempt)
	return nil
}

// share loads the share of the finished ceremony.
func (s *seat) share() (*threshold.Share, error) {
	var h held
	found, err := s.Store.load(s.name("share", s.ceremony.Attempt), &h)
	if err == nil && !found {
		err = fmt.Errorf("attempt %d: %w", s.ceremony.Attempt, ErrLostSecrets)
	}
	if err != nil {
		return nil, err
	}
	return threshold.ParseShare(h.Share, election.Slots(s.manifest))
}

// keys loads the election's keys, compares them with the digest in the election's record, and returns this trustee's.
func (s *seat) keys(ctx context.Context) (*threshold.TrusteeKeys, error) {
	record, err := client.MustLoad[pb.ElectionKeys](ctx, s.r, state.KeysKey(s.id))
	if err != nil {
		return nil, err
	}
	organisations, err := client.OrganisationKeys(record, election.Slots(s.manifest))
	if err != nil {
		return nil, err
	}
	if digest := threshold.KeyDigest(s.Ledger.Chain(), s.id, organisations); string(digest[:]) != string(s.election.KeyDigest) {
		return nil, fmt.Errorf("%w: their digest is %x, not %x", ErrKeys, digest, s.election.KeyDigest)
	}
	for _, o := range organisations {
		if o.Organisation == s.organisation && o.Trustee(s.index) != nil {
			return &threshold.TrusteeKeys{Index: s.index, Keys: o.Trustee(s.index)}, nil
		}
	}
	return nil, fmt.Errorf("%w: none is of trustee %d of %s, key %x", ErrKeys, s.index, s.organisation, s.Key[ed25519.SeedSize:])
}
