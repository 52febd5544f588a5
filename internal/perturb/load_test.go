package perturb

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"votenode/app/state"
	"votenode/app/tx"
	"votenode/client"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/slip"
)

// options is how many there are in the one contest; voter i selects i % options.
const options = 3

// patience is how long an answer of a node may take. One that is paused gives none.
const patience = 3 * time.Second

// pace is how long it takes, at least, from one voter to the next.
const pace = 20 * time.Millisecond

// load is the voters, who cast one ballot each, one after the other, at whatever node answers.
type load struct {
	*election
	keys   []*ballot.SecretKey
	shared *ballot.Election

	mu       sync.Mutex
	cast     map[[32]byte]int // voters by the hash of their ballot, of all ballots that were given to a node
	promised []*pb.Promise
}

// ballotOf makes the ballot of a voter.
func (l *load) ballotOf(voter int) ([]byte, error) {
	key := l.keys[voter]
	statement := ballot.Statement{RollIndex: uint64(voter), Voter: key.Public(), Sequence: 1}
	draft, err := l.shared.Encrypt(statement, [][]int{{voter % options}}, key, rand.Reader)
	if err != nil {
		return nil, err
	}
	ciphertext, proof, signature, err := draft.Cast()
	return tx.Ballot(&pb.CastBallot{Election: l.id, RollIndex: uint64(voter), Sequence: 1, Ciphertext: ciphertext, Proof: proof}, signature), err
}

// run casts ballots until stop ends or there are no voters left. A voter goes from node to node until one has promised the ballot; if a node
// takes it and does not promise, the voter goes on as well.
func (l *load) run(stop context.Context) error {
	turn := time.NewTicker(pace)
	defer turn.Stop()
	for voter := range l.keys {
		select {
		case <-turn.C:
		case <-stop.Done():
			return nil
		}
		raw, err := l.ballotOf(voter)
		if err != nil {
			return err
		}
		for to := voter; stop.Err() == nil; to++ {
			done, err := l.offer(l.network.Validators[to%len(l.network.Validators)].Node, voter, raw)
			if err != nil {
				return err
			}
			if done {
				break
			}
		}
	}
	return nil
}

// offer gives a ballot to a node, and says whether the voter has a promise or sees it recorded. An honest ballot must not be refused for good.
func (l *load) offer(n *client.Node, voter int, raw []byte) (bool, error) {
	ctx, cancel := context.WithTimeout(l.ctx, patience)
	defer cancel()
	l.mu.Lock()
	l.cast[sha256.Sum256(raw)] = voter
	l.mu.Unlock()
	answers, err := n.Offer(ctx, raw)
	if err != nil {
		return false, l.ctx.Err() // the node is down, paused, catching up, or was killed meanwhile
	}
	switch a := answers[0]; a.Code {
	case tx.CodeOK:
		if len(a.Slip) == 0 {
			return false, nil
		}
		s, err := slip.Parse(a.Slip)
		if err != nil {
			return false, err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.promised = append(l.promised, &pb.Promise{Slip: s, Ballot: raw})
		return true, nil
	case tx.CodeAlreadyDone:
		return true, nil
	case tx.CodeRetryLater:
		return false, nil
	default:
		return false, fmt.Errorf("%s refuses the honest ballot of voter %d: %d %s: %s", n.Address(), voter, a.Code, a.Name, a.Message)
	}
}

// check reads the ballot log when voting is over: it holds ballots that were cast, each once, and every one that was promised. It returns the
// votes by option.
func (l *load) check(v *client.View) [options]uint64 {
	head := must(v.Head(l.ctx, state.LogBallots(l.id)))
	var recorded map[[32]byte]bool
	var votes [options]uint64
	begin := func() { recorded, votes = map[[32]byte]bool{}, [options]uint64{} }
	err := v.Leaves(l.ctx, state.LogBallots(l.id), begin, func(index uint64, leaf []byte) error {
		hash := sha256.Sum256(leaf)
		voter, known := l.cast[hash]
		if !known || recorded[hash] {
			return fmt.Errorf("leaf %d of the ballot log is none of the ballots that were cast, or stands there twice", index)
		}
		recorded[hash] = true
		votes[voter%options]++
		return nil
	})
	if err != nil {
		l.Fatal(err)
	}
	for _, p := range l.promised {
		if !recorded[sha256.Sum256(p.Ballot)] {
			l.Errorf("the ballot of voter %d was promised by height %d and is not recorded", p.Slip.RollIndex, p.Slip.Promised)
		}
	}
	l.Logf("%d ballots cast, %d promised, %d recorded", len(l.cast), len(l.promised), head.Size)
	return votes
}
