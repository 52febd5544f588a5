package trustee

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"golang.org/x/sync/errgroup"

	"votenode/app/state"
	"votenode/app/tx"
	"votenode/client"
	"votenode/crypto/ballot"
	"votenode/crypto/threshold"
	pb "votenode/proto/votenode/v1"
)

// ErrAnotherSum says that the ledger shows another sum of a contest than the one that was opened. It is never opened: two sums of one
// contest would show the difference, which may be one voter's ballot.
var ErrAnotherSum = errors.New("refused: another sum of this contest was opened before")

// overhead bounds the bytes of a transaction with partial decryptions beside them.
const overhead = 1_024

// opened is a sum that was opened, with the partial decryption that left the machine, or may have: in the files "opened".
type opened struct {
	Chain, Election string
	Contest         uint32
	// Sum is A_0 and all A_j, 32 bytes each.
	Sum           []byte
	Shares, Proof []byte
}

const openedFile = "opened"

// isOpened says whether a file remembers opened sums. Dots separate the parts of a name, and no part holds one.
func isOpened(name string) bool {
	parts := strings.Split(name, ".")
	return strings.HasPrefix(parts[len(parts)-1], openedFile+"-")
}

// trial shows that the share works, on a point that no ballot has anything to do with. It is refused once voting has opened: act
// calls it in the phase of the key ceremony only. Section 4.9.
func (s *seat) trial(ctx context.Context) error {
	if err := s.forgetDeals(); err != nil {
		return err
	}
	posted, err := s.r.Record(ctx, state.TrialSharesKey(s.id, s.organisation, s.index))
	if err != nil || posted != nil {
		return err
	}
	name := s.name("trial", s.ceremony.Attempt)
	var p sent
	found, err := s.Store.load(name, &p)
	if err != nil {
		return err
	}
	if !found {
		body, err := s.trialShares(ctx)
		if err != nil {
			return err
		}
		p.Transaction = s.sign(body)
		if err := s.Store.create(name, p); err != nil {
			return err
		}
		s.Say("election %s: trial decryption posted", s.id)
	}
	return s.submit(ctx, p.Transaction)
}

func (s *seat) trialShares(ctx context.Context) (*pb.PostTrial, error) {
	keys, err := s.keys(ctx)
	if err != nil {
		return nil, err
	}
	share, err := s.share()
	if err != nil {
		return nil, err
	}
	pd, err := threshold.ProveTrial(&threshold.TrialStatement{
		Chain: s.Ledger.Chain(), Election: s.id, KeyDigest: [32]byte(s.election.KeyDigest),
		Organisation: s.organisation, Trustee: s.index, Keys: keys.Keys,
	}, share, s.Random)
	if err != nil {
		return nil, err
	}
	return &pb.PostTrial{
		Election: s.id, Organisation: s.organisation, Shares: threshold.PointsBytes(pd.Shares), Proof: pd.Proof[:],
	}, nil
}

// forgetDeals erases polynomials, single-use keys and the shares of earlier attempts: the ceremony is over.
func (s *seat) forgetDeals() error {
	names, err := s.Store.list(s.id + "." + s.organisation + ".")
	if err != nil {
		return err
	}
	keep := []string{s.name("share", s.ceremony.Attempt), s.name("trial", s.ceremony.Attempt)}
	names = slices.DeleteFunc(names, func(name string) bool { return isOpened(name) || slices.Contains(keep, name) })
	return s.Store.remove(names...)
}

// tally opens this trustee's part of every contest that is neither decided nor withheld, and posts it in as few transactions as hold it.
// Where a sum cannot be read the others are opened all the same: a node shows a state for some heights only, and a trustee far from it may
// need several states for many contests.
func (s *seat) tally(ctx context.Context) error {
	remembered, files, err := s.remembered()
	if err != nil {
		return err
	}
	limit, err := s.transactionBytes(ctx)
	if err != nil {
		return err
	}
	sums, err := s.sums(ctx, remembered)
	failures := []error{err}
	work := &opening{seat: s, remembered: remembered, files: files}
	for contest, sum := range sums {
		if sum == nil {
			continue
		}
		// A partial decryption is 32 bytes for each option, 64 of proof, and some of framing.
		size := 32*len(s.manifest.Contests[contest].Options) + 96
		if len(work.partials) == tx.MaxPartials || work.bytes+size > limit-overhead {
			failures = append(failures, work.post(ctx))
		}
		err := work.contest(ctx, uint32(contest), sum, size)
		if err != nil && !errors.Is(err, ErrAnotherSum) {
			return errors.Join(append(failures, err)...)
		}
		failures = append(failures, err)
	}
	return errors.Join(append(failures, work.post(ctx))...)
}

// readers is how many contests are asked for at the same time: each record takes a journey to a node and back.
const readers = 16

// sums reads the sums of all contests that this trustee has still to open; the places of others, and of those that it cannot read, are nil.
// After as many failures as there are readers it asks no further.
func (s *seat) sums(ctx context.Context, remembered map[uint32]opened) ([]*ballot.EncryptedTally, error) {
	sums, failures := make([]*ballot.EncryptedTally, len(s.manifest.Contests)), make([]error, len(s.manifest.Contests))
	asked := make([]bool, len(s.manifest.Contests))
	target := make([]bool, len(s.manifest.Contests)) // others may be merged into it
	for i := range s.manifest.Contests {
		if into := s.manifest.Contests[i].Merge; into > 0 {
			target[into-1] = true
		}
	}
	var failed atomic.Int32
	var g errgroup.Group
	g.SetLimit(readers)
	for contest := range sums {
		if s.settled[state.SumKey(s.id, uint32(contest))] || failed.Load() >= readers {
			continue
		}
		asked[contest] = true
		_, posted := remembered[uint32(contest)]
		g.Go(func() error {
			if sums[contest], failures[contest] = s.sum(ctx, uint32(contest), posted, target[contest]); failures[contest] != nil {
				failed.Add(1)
			}
			return nil
		})
	}
	g.Wait()
	for contest := range sums {
		if asked[contest] && sums[contest] == nil && failures[contest] == nil {
			s.settled[state.SumKey(s.id, uint32(contest))] = true
		}
	}
	return sums, errors.Join(failures...)
}

// sum reads the sum that is opened of a contest, nil where nothing is left to be opened. posted says that this trustee may have posted its part;
// without that the ledger is not asked for it. target says that others may be merged into the contest: its own sum is opened only where the
// ledger has proven that there is none with theirs.
func (s *seat) sum(ctx context.Context, contest uint32, posted, target bool) (*ballot.EncryptedTally, error) {
	if posted {
		part, err := s.r.Record(ctx, state.PartialKey(s.id, contest, s.organisation, s.index))
		if err != nil || part != nil {
			return nil, err
		}
	}
	var sum *ballot.EncryptedTally
	var err error
	options := len(s.manifest.Contests[contest].Options)
	if target {
		sum, err = client.LoadMergedSum(ctx, s.r, s.id, contest, options)
	}
	if sum == nil && err == nil {
		sum, err = client.LoadSum(ctx, s.r, s.id, contest, options)
	}
	if err != nil || sum.Count < uint64(s.manifest.OpenMin) || sum.A0.IsIdentity() {
		return nil, err
	}
	if int(s.election.ContestsOpen) == len(s.manifest.Contests) {
		return sum, nil // no contest has its result
	}
	result, err := s.r.Record(ctx, state.ResultKey(s.id, contest))
	if err != nil || result != nil {
		return nil, err
	}
	return sum, nil
}

// remembered loads what was opened of this election, by contest, and says how many files hold it.
func (s *seat) remembered() (map[uint32]opened, uint32, error) {
	names, err := s.Store.list(s.id + "." + s.organisation + "." + openedFile + "-")
	if err != nil {
		return nil, 0, err
	}
	all := make(map[uint32]opened)
	for _, name := range names {
		var list []opened
		if _, err := s.Store.load(name, &list); err != nil {
			return nil, 0, err
		}
		for _, o := range list {
			all[o.Contest] = o
		}
	}
	return all, uint32(len(names)), nil
}

// transactionBytes returns the ledger's limit.
func (s *seat) transactionBytes(ctx context.Context) (int, error) {
	p, err := client.MustLoad[pb.Parameters](ctx, s.r, state.KeyParameters)
	if err != nil {
		return 0, err
	}
	return int(p.Limits.TransactionBytes), nil
}

// opening collects the partial decryptions of one transaction after another.
type opening struct {
	*seat
	remembered map[uint32]opened
	files      uint32 // that remember opened sums
	own        *threshold.TrusteeKeys
	secret     *threshold.Share

	fresh    []opened
	partials []pb.PartialDecryption
	bytes    int
}

// contest adds a contest, of so many bytes.
func (w *opening) contest(ctx context.Context, contest uint32, sum *ballot.EncryptedTally, size int) error {
	o, known := w.remembered[contest]
	if known && string(o.Sum) != string(points(sum)) {
		return fmt.Errorf("contest %d: %w", contest, ErrAnotherSum)
	}
	if !known {
		var err error
		if o, err = w.open(ctx, contest, sum); err != nil {
			return fmt.Errorf("contest %d: %w", contest, err)
		}
		w.fresh = append(w.fresh, o)
	}
	w.bytes += size
	w.partials = append(w.partials, pb.PartialDecryption{Contest: contest, Shares: o.Shares, Proof: o.Proof})
	return nil
}

// points returns A_0 and all A_j, 32 bytes each.
func points(sum *ballot.EncryptedTally) []byte {
	return threshold.PointsBytes(append([]*curve.RistrettoPoint{sum.A0}, sum.A...))
}

// open computes a partial decryption; nothing leaves the machine yet. Section 4.10.
func (w *opening) open(ctx context.Context, contest uint32, sum *ballot.EncryptedTally) (opened, error) {
	if w.secret == nil {
		var err error
		if w.own, err = w.keys(ctx); err != nil {
			return opened{}, err
		}
		if w.secret, err = w.share(); err != nil {
			return opened{}, err
		}
	}
	c := &w.manifest.Contests[contest]
	first, n := int(c.FirstSlot), len(c.Options)
	part, err := w.secret.Range(first, n)
	if err != nil {
		return opened{}, err
	}
	pd, err := threshold.ProvePartial(&threshold.TallyStatement{
		Chain: w.Ledger.Chain(), Election: w.id, KeyDigest: [32]byte(w.election.KeyDigest), Contest: contest,
		Organisation: w.organisation, Trustee: w.index, A0: sum.A0, A: sum.A, Keys: w.own.Keys[first : first+n],
	}, part, w.Random)
	if err != nil {
		return opened{}, err
	}
	return opened{
		Chain: w.Ledger.Chain(), Election: w.id, Contest: contest, Sum: points(sum),
		Shares: threshold.PointsBytes(pd.Shares), Proof: pd.Proof[:],
	}, nil
}

// post remembers what is opened for the first time, on disk and synced, and only then sends it. What is collected next is for another
// transaction.
func (w *opening) post(ctx context.Context) error {
	fresh, partials := w.fresh, w.partials
	w.fresh, w.partials, w.bytes = nil, nil, 0
	if len(fresh) > 0 {
		w.files++
		if err := w.Store.create(w.name(openedFile, w.files), fresh); err != nil {
			return err
		}
		w.Say("election %s: partial decryptions of %d contests posted", w.id, len(fresh))
	}
	if len(partials) == 0 {
		return nil
	}
	return w.submit(ctx, w.sign(&pb.PostPartials{Election: w.id, Organisation: w.organisation, Partials: partials}))
}
