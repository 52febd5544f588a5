package demo

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"time"

	"votenode/app/tx"
	"votenode/crypto/ballot"
	"votenode/internal/parallel"
	"votenode/internal/spool"
	pb "votenode/proto/votenode/v1"
)

// challenger is the voter who challenges a first ballot and then casts another one by hand.
const challenger = 0

// votesTwice says who casts a ballot early and another one, which counts, at the end.
func votesTwice(voter int) bool { return voter%25 == 1 }

// proveBallots makes all ballots but those of the challenger, before the vote, into files: the early ones, the many, and the second
// ones of those who vote twice.
func (r *run) proveBallots(ctx context.Context) error {
	start := time.Now()
	for _, s := range []struct {
		file **spool.File
		name string
	}{{&r.early, "early"}, {&r.main, "main"}, {&r.late, "late"}} {
		var err error
		if *s.file, err = spool.Create(filepath.Join(r.network.Folder, s.name)); err != nil {
			return err
		}
	}
	progress := r.Talk.Bar("ballots proven", r.replay.Voters())
	defer progress.Clear()
	err := parallel.InOrder(ctx, r.replay.Voters(), r.ballotsOf, func(voter int, ballots [][]byte) error {
		progress.Set(voter + 1)
		switch len(ballots) {
		case 0:
			return nil
		case 1:
			return r.main.Put(ballots[0])
		}
		if err := r.early.Put(ballots[0]); err != nil {
			return err
		}
		return r.late.Put(ballots[1])
	})
	if err != nil {
		return err
	}
	for _, s := range []*spool.File{r.early, r.main, r.late} {
		if err := s.Rewind(); err != nil {
			return err
		}
		r.report.Proven += s.Size()
	}
	r.report.ProvingSeconds = time.Since(start).Seconds()
	r.say("%d ballots proven and signed", r.report.Proven)
	return nil
}

// ballotsOf makes the ballots of one voter, in the order of casting. One that is cast twice holds a neighbour's choices first.
func (r *run) ballotsOf(voter int) ([][]byte, error) {
	if voter == challenger {
		return nil, nil
	}
	last, err := r.makeBallot(voter, 2, r.replay.Selections(voter))
	if err != nil || !votesTwice(voter) {
		return [][]byte{last}, err
	}
	other := voter - 1
	if r.replay.Style(other) != r.replay.Style(voter) {
		other = voter
	}
	first, err := r.makeBallot(voter, 1, r.replay.Selections(other))
	return [][]byte{first, last}, err
}

// makeBallot encrypts, proves and signs a ballot and returns its transaction.
func (r *run) makeBallot(voter int, sequence uint64, selections [][]int) ([]byte, error) {
	key, err := ballot.ParseSecretKey(r.secrets[voter])
	if err != nil {
		return nil, err
	}
	statement := ballot.Statement{Style: uint32(r.replay.Style(voter)), RollIndex: uint64(voter), Voter: key.Public(), Sequence: sequence}
	draft, err := r.shared.Encrypt(statement, selections, key, rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("ballot of voter %d: %w", voter, err)
	}
	ciphertext, proof, signature, err := draft.Cast()
	if err != nil {
		return nil, err
	}
	return tx.Ballot(&pb.CastBallot{
		Election: r.election, Style: statement.Style, RollIndex: statement.RollIndex, Sequence: sequence, Ciphertext: ciphertext, Proof: proof,
	}, signature), nil
}
