package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"votenode/app/tx"
	"votenode/crypto/ballot"
	"votenode/genesis"
	pb "votenode/proto/votenode/v1"
)

// The ids in the measured ballots.
const (
	cryptoChain    = "bench"
	cryptoElection = "bench"
)

// box is an election with ballots of distinct voters, each of whom selects one option.
type box struct {
	options int
	boards  []board
	shared  *ballot.Election
	voters  [][]byte // keys by roll index
	raw     [][]byte // transactions
	parsed  []*tx.Parsed
	decoded []*ballot.EncryptedBallot
}

// Chain implements tx.Lookup.
func (b *box) Chain() string { return cryptoChain }

// BallotElection implements tx.Lookup.
func (b *box) BallotElection(string) (*ballot.Election, error) { return b.shared, nil }

// VoterKey implements tx.Lookup. As a node does, it reads the key anew each time.
func (b *box) VoterKey(_ string, index uint64) (ballot.PublicKey, error) {
	return ballot.ParsePublicKey(b.voters[index])
}

// newBox makes n ballots on all cores.
func newBox(ctx context.Context, options, n int) (*box, error) {
	b := &box{
		options: options, voters: make([][]byte, n), raw: make([][]byte, n),
		parsed: make([]*tx.Parsed, n), decoded: make([]*ballot.EncryptedBallot, n),
	}
	parameters := ballot.Parameters{
		Chain: cryptoChain, Election: cryptoElection, Styles: []ballot.Style{{Contests: []ballot.Contest{{Options: options, Max: 1}}}},
	}
	var err error
	if b.boards, parameters.Keys, parameters.KeyDigest, err = newBoards(options); err != nil {
		return nil, err
	}
	if b.shared, err = ballot.NewElection(parameters); err != nil {
		return nil, err
	}
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		g.Go(func() (err error) {
			if err = ctx.Err(); err != nil {
				return err
			}
			if err = b.prove(i); err != nil {
				return err
			}
			b.parsed[i], b.decoded[i], err = b.decode(i)
			return err
		})
	}
	return b, g.Wait()
}

// prove makes the ballot of a new voter with a roll index.
func (b *box) prove(index int) error {
	key, err := ballot.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	b.voters[index] = key.Public().Bytes()
	b.raw[index], err = b.cast(key, index)
	return err
}

// cast does what a voter's program does: encrypt, prove, sign.
func (b *box) cast(key *ballot.SecretKey, index int) ([]byte, error) {
	st := ballot.Statement{RollIndex: uint64(index), Voter: key.Public(), Sequence: 1}
	draft, err := b.shared.Encrypt(st, [][]int{{index % b.options}}, key, rand.Reader)
	if err != nil {
		return nil, err
	}
	ciphertext, proof, signature, err := draft.Cast()
	if err != nil {
		return nil, err
	}
	body := &pb.CastBallot{Election: cryptoElection, RollIndex: st.RollIndex, Sequence: st.Sequence, Ciphertext: ciphertext, Proof: proof}
	return tx.Ballot(body, signature), nil
}

// decode reads a transaction to where the batch begins.
func (b *box) decode(index int) (*tx.Parsed, *ballot.EncryptedBallot, error) {
	p, err := tx.Parse(b.raw[index])
	if err != nil {
		return nil, nil, err
	}
	m := p.Body().(*pb.CastBallot)
	voter, err := b.VoterKey(m.Election, m.RollIndex)
	if err != nil {
		return nil, nil, err
	}
	st := ballot.Statement{Style: m.Style, RollIndex: m.RollIndex, Voter: voter, Sequence: m.Sequence}
	decoded, err := b.shared.ParseBallot(st, m.Ciphertext, m.Proof, p.Signature())
	return p, decoded, err
}

// verify takes ballots from bytes to verdicts as a node does.
func (b *box) verify(raw [][]byte) error {
	parsed := make([]*tx.Parsed, len(raw))
	for i := range raw {
		var err error
		if parsed[i], err = tx.Parse(raw[i]); err != nil {
			return err
		}
	}
	verdicts, err := tx.Verify(b, parsed, rand.Reader)
	if err != nil {
		return err
	}
	for _, v := range verdicts {
		if v.Refusal != nil {
			return fmt.Errorf("bench: a valid ballot was refused: %w", v.Refusal)
		}
	}
	return nil
}

// window returns the round-th of the batches of so many things, from the beginning again after the last: rounds that follow each other
// have different ones as long as there are enough.
func window[T any](all []T, batch, round int) []T {
	at := round % (len(all) / batch) * batch
	return all[at : at+batch]
}

// ballots measures ballots with so many options. batches is ascending.
func (c *cryptoRun) ballots(ctx context.Context, options int, batches []int) (*CryptoBallot, error) {
	b, err := newBox(ctx, options, batches[len(batches)-1])
	if err != nil {
		return nil, err
	}
	r := newCryptoBallot(b)
	if err := c.single(ctx, b, r); err != nil {
		return nil, err
	}
	for _, n := range batches {
		batch, err := c.batch(ctx, b, n, r.Units)
		if err != nil {
			return nil, err
		}
		r.Batches = append(r.Batches, batch)
	}
	r.Block = fullBlock(r)
	r.Opening, err = c.opening(ctx, b)
	return r, err
}

// newCryptoBallot notes the sizes of ballots.
func newCryptoBallot(b *box) *CryptoBallot {
	m := b.parsed[0].Body().(*pb.CastBallot)
	r := &CryptoBallot{
		Options: b.options, CiphertextBytes: len(m.Ciphertext), ProofBytes: len(m.Proof), SignatureBytes: len(b.parsed[0].Signature()),
		Units: b.parsed[0].Units(),
	}
	r.BallotBytes = r.CiphertextBytes + r.ProofBytes + r.SignatureBytes
	for _, raw := range b.raw { // indices have one to three bytes
		r.TransactionBytes = max(r.TransactionBytes, len(raw))
	}
	return r
}

// single measures what is done ballot by ballot.
func (c *cryptoRun) single(ctx context.Context, b *box, r *CryptoBallot) error {
	key, err := ballot.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	if r.ProveUS, err = c.oneCore(ctx, 1, func(round int) error {
		_, err := b.cast(key, round)
		return err
	}); err != nil {
		return err
	}
	if r.DecodeUS, err = c.oneCore(ctx, 1, func(round int) error {
		_, _, err := b.decode(round % len(b.raw))
		return err
	}); err != nil {
		return err
	}
	if r.SignatureUS, err = c.oneCore(ctx, 1, func(round int) error {
		return ballot.VerifySignature(b.decoded[round%len(b.decoded)])
	}); err != nil {
		return err
	}
	sum := ballot.NewEncryptedTally(b.options)
	r.SumUS, err = c.oneCore(ctx, 1, func(round int) error {
		return sum.Add(b.decoded[round%len(b.decoded)].Ciphertext(), 0)
	})
	return err
}

// batch measures the verification of n ballots at once.
func (c *cryptoRun) batch(ctx context.Context, b *box, n int, units uint64) (CryptoBatch, error) {
	r := CryptoBatch{Batch: n}
	var err error
	if r.VerifyUS, err = c.oneCore(ctx, n, func(round int) error {
		faults, err := b.shared.VerifyBatch(window(b.decoded, n, round), rand.Reader)
		return errors.Join(err, errors.Join(faults...))
	}); err != nil {
		return r, err
	}
	if r.OneCoreUS, err = c.oneCore(ctx, n, func(round int) error { return b.verify(window(b.raw, n, round)) }); err != nil {
		return r, err
	}
	r.UnitUS, r.OneCoreBallotsPerSecond = r.OneCoreUS/float64(units), 1e6/r.OneCoreUS
	cores := runtime.GOMAXPROCS(0)
	r.AllCoresBallotsPerSecond, err = c.allCores(ctx, n, func(core, round int) error {
		return b.verify(window(b.raw, n, round*cores+core))
	})
	return r, err
}

// fullBlock fills a block under the default limits.
func fullBlock(r *CryptoBallot) CryptoBlock {
	p := genesis.DefaultParameters(2)
	n := min(p.Limits.BlockUnits/r.Units, p.Limits.BlockBytes/uint64(r.TransactionBytes))
	us := slices.MaxFunc(r.Batches, func(a, b CryptoBatch) int { return a.Batch - b.Batch }).OneCoreUS
	return CryptoBlock{Ballots: int(n), VerifyMS: float64(n) * us / 1000, AllowedMS: float64(p.Timeouts.Propose) / 3}
}
