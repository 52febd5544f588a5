package bench

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"fmt"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/app/tx"
	"votenode/crypto/ballot"
	"votenode/crypto/threshold"
	pb "votenode/proto/votenode/v1"
)

// The trustees of an organisation, and how many of them suffice: the least that the rules allow.
const (
	boardTrustees = 3
	boardQuorum   = 2
)

// board is the trustees of an organisation with their shares, all in one hand.
type board struct {
	key    *threshold.OrganisationKey
	shares []*threshold.Share // by index from 1
}

// newBoards makes the keys of two organisations for so many slots, the joint keys, and the digest of both.
func newBoards(slots int) ([]board, []*curve.RistrettoPoint, [32]byte, error) {
	var boards []board
	var keys []*threshold.OrganisationKey
	for _, organisation := range []string{"league", "party"} {
		b, err := newBoard(organisation, slots)
		if err != nil {
			return nil, nil, [32]byte{}, err
		}
		boards, keys = append(boards, b), append(keys, b.key)
	}
	joint, err := threshold.JointKeys(keys)
	return boards, joint, threshold.KeyDigest(cryptoChain, cryptoElection, keys), err
}

func newBoard(organisation string, slots int) (board, error) {
	c := threshold.Ceremony{
		Chain: cryptoChain, Election: cryptoElection, Organisation: organisation, Attempt: 1, Slots: slots, Quorum: boardQuorum,
	}
	var indices []uint32
	var deals []*threshold.Polynomials
	var commitments []*threshold.Commitments
	for i := uint32(1); i <= boardTrustees; i++ {
		deal, err := c.Deal(i, []byte(organisation), rand.Reader)
		if err != nil {
			return board{}, err
		}
		indices, deals, commitments = append(indices, i), append(deals, deal), append(commitments, deal.Commitments())
	}
	var b board
	for _, i := range indices {
		var parts []*threshold.Share
		for _, deal := range deals {
			part, err := deal.Share(i)
			if err != nil {
				return board{}, err
			}
			parts = append(parts, part)
		}
		share, err := threshold.SumShares(parts)
		if err != nil {
			return board{}, err
		}
		b.shares = append(b.shares, share)
	}
	var err error
	b.key, err = c.NewOrganisationKey(indices, commitments)
	return b, err
}

// opening measures the opening of the sum of all ballots, and holds the totals against the selections.
func (c *cryptoRun) opening(ctx context.Context, b *box) (CryptoOpening, error) {
	var r CryptoOpening
	sum := ballot.NewEncryptedTally(b.options)
	for _, d := range b.decoded {
		if err := sum.Add(d.Ciphertext(), 0); err != nil {
			return r, err
		}
	}
	st := b.statement(sum, 0, 1)
	var part *threshold.PartialDecryption
	var err error
	if r.ProveUS, err = c.oneCore(ctx, 1, func(int) (err error) {
		part, err = threshold.ProvePartial(st, b.boards[0].shares[0], rand.Reader)
		return err
	}); err != nil {
		return r, err
	}
	shares := threshold.PointsBytes(part.Shares)
	if r.VerifyUS, err = c.oneCore(ctx, 1, func(int) error {
		p, err := threshold.ParsePartialDecryption(shares, part.Proof[:], b.options)
		if err != nil {
			return err
		}
		return threshold.VerifyPartial(st, p)
	}); err != nil {
		return r, err
	}
	if r.Units, err = unitsOf(&pb.PostPartials{Partials: []pb.PartialDecryption{{Shares: shares, Proof: part.Proof[:]}}}); err != nil {
		return r, err
	}
	r.UnitUS = r.VerifyUS / float64(r.Units)
	quorums, err := b.open(sum)
	if err != nil {
		return r, err
	}
	var totals []*curve.RistrettoPoint
	if r.CombineUS, err = c.oneCore(ctx, 1, func(int) (err error) {
		totals, err = threshold.Combine(sum.A0, sum.A, quorums)
		return err
	}); err != nil {
		return r, err
	}
	return r, b.count(totals)
}

// statement is that of a trustee's part in opening the sum.
func (b *box) statement(sum *ballot.EncryptedTally, organisation int, trustee uint32) *threshold.TallyStatement {
	key := b.boards[organisation].key
	return &threshold.TallyStatement{
		Chain: cryptoChain, Election: cryptoElection, Organisation: key.Organisation, Trustee: trustee,
		A0: sum.A0, A: sum.A, Keys: key.Trustee(trustee),
	}
}

// open makes the parts of a quorum of each organisation.
func (b *box) open(sum *ballot.EncryptedTally) ([]threshold.QuorumShares, error) {
	var all []threshold.QuorumShares
	for o := range b.boards {
		q := threshold.QuorumShares{Quorum: boardQuorum}
		for i := uint32(1); i <= boardQuorum; i++ {
			part, err := threshold.ProvePartial(b.statement(sum, o, i), b.boards[o].shares[i-1], rand.Reader)
			if err != nil {
				return nil, err
			}
			q.Trustees = append(q.Trustees, threshold.TrusteeShares{Index: i, Shares: part.Shares})
		}
		all = append(all, q)
	}
	return all, nil
}

// count fails unless the totals are those of the selections: of n ballots, every options-th selects the same.
func (b *box) count(totals []*curve.RistrettoPoint) error {
	n := uint64(len(b.raw))
	table := threshold.NewLogTable(n)
	for j := range totals {
		want := (n + uint64(b.options-1-j)) / uint64(b.options)
		if got, ok := table.Solve(totals[j], n); !ok || got != want {
			return fmt.Errorf("bench: option %d has %d votes instead of %d", j, got, want)
		}
	}
	return nil
}

// unitsOf returns the verification units of a transaction that an Ed25519 key signs.
func unitsOf(body *pb.PostPartials) (uint64, error) {
	p, err := tx.Parse(tx.Sign(cryptoChain, body, ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))))
	if err != nil {
		return 0, err
	}
	return p.Units(), nil
}

// signatures measures the check of one signature.
func (c *cryptoRun) signatures(ctx context.Context) (CryptoSignature, error) {
	const distinct = 128
	var r CryptoSignature
	all := make([]*tx.Parsed, distinct)
	for i := range all {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return r, err
		}
		hash := sha256.Sum256(key)
		if all[i], err = tx.Parse(tx.Sign(cryptoChain, &pb.ApproveResolution{Resolution: hash[:]}, key)); err != nil {
			return r, err
		}
	}
	var err error
	r.VerifyUS, err = c.oneCore(ctx, 1, func(round int) error { return all[round%distinct].CheckSignature(cryptoChain) })
	r.Units = all[0].Units()
	r.UnitUS = r.VerifyUS / float64(r.Units)
	return r, err
}

// logTable measures the making of a table and the longest search in it.
func (c *cryptoRun) logTable(ctx context.Context) (CryptoLogTable, error) {
	r := CryptoLogTable{Max: maxTotal}
	var table *threshold.LogTable
	us, err := c.oneCore(ctx, 1, func(int) error {
		table = threshold.NewLogTable(maxTotal)
		return nil
	})
	if err != nil {
		return r, err
	}
	r.BuildMS = us / 1000
	point := curve.NewRistrettoPoint().MulBasepoint(curve.RISTRETTO_BASEPOINT_TABLE, scalar.NewFromUint64(maxTotal))
	r.SolveUS, err = c.oneCore(ctx, 1, func(int) error {
		if got, ok := table.Solve(point, maxTotal); !ok || got != maxTotal {
			return fmt.Errorf("bench: the logarithm %d was found as %d", maxTotal, got)
		}
		return nil
	})
	return r, err
}
