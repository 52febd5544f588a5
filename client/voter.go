package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// maxSequenceHint bounds how far a node's unproven word may raise a ballot's number above the proven one.
const maxSequenceHint = 1_000

// ErrNotYourKey says that the key is not the one at that place of the roll.
var ErrNotYourKey = errors.New("the roll has another key at this index")

// Book is told of every ballot before anything of it leaves the machine. Where it fails, nothing is sent. See package client/book.
type Book interface {
	// Cast notes a ballot that is about to be sent.
	Cast(sequence uint64, code [32]byte) error
	// Challenged notes a ballot that is about to be barred, with its code and C_0.
	Challenged(sequence uint64, code, noncePoint [32]byte) error
}

// Voter is a member of an election's roll.
type Voter struct {
	Ledger   *Ledger
	Election string
	Index    uint64 // place in the roll, see FindVoter
	Key      *ballot.SecretKey
	Book     Book // nil where none is kept
}

// FindVoter returns the place of a key in the roll of an election, which it reads whole. It fails with ErrAbsent.
func FindVoter(ctx context.Context, v *View, electionID string, key ballot.PublicKey) (uint64, error) {
	record, err := LoadElection(ctx, v, electionID)
	if err != nil {
		return 0, err
	}
	found, index := false, uint64(0)
	err = v.Leaves(ctx, state.LogRoll(state.RollOf(electionID, record)), func() { found = false }, func(i uint64, leaf []byte) error {
		var e pb.RollEntry
		if err := election.Decode(leaf, &e); err != nil {
			return err
		}
		if string(e.Key) == string(key.Bytes()) {
			found, index = true, i
		}
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("the key %x in the roll of %q: %w", key.Bytes(), electionID, ErrAbsent)
	}
	return index, err
}

// Prepared is an encrypted ballot between its confirmation code and the voter's choice: Cast or Challenge, once. It holds secrets
// in memory only.
type Prepared struct {
	ready
	draft *ballot.Draft
	sent
}

// ready is what the ledger says of a voter who is about to cast.
type ready struct {
	voter    Voter
	view     *View // in which the voter's last ballot was looked up
	entry    *pb.RollEntry
	sequence uint64 // of what is cast next
}

// rules returns a certified view and the manifest of the election, if it is of the kind that fits asks for.
func (r Voter) rules(ctx context.Context, fits func(*pb.Manifest) error) (*View, *pb.Manifest, error) {
	v, err := r.Ledger.Certified(ctx)
	if err != nil {
		return nil, nil, err
	}
	_, m, err := LoadRules(ctx, v, r.Election)
	if err != nil {
		return nil, nil, err
	}
	return v, m, fits(m)
}

// ready looks the voter up. It fails with ErrNotYourKey, ErrNotInPart or ErrAbsent, and with the refusal of the ledger where the entry is revoked or
// it is not the time to vote.
func (r Voter) ready(ctx context.Context, v *View) (*ready, error) {
	entry, err := v.RollEntry(ctx, r.Election, r.Index)
	if err != nil {
		return nil, err
	}
	if string(entry.Key) != string(r.Key.Public().Bytes()) {
		return nil, fmt.Errorf("roll of %q, entry %d: %w", r.Election, r.Index, ErrNotYourKey)
	}
	if err := v.CheckNotRevoked(ctx, r.Election, r.Index); err != nil {
		return nil, err
	}
	e, err := LoadElection(ctx, v, r.Election)
	if err != nil {
		return nil, err
	}
	if err := checkVoting(r.Election, e, time.Now()); err != nil {
		return nil, err
	}
	sequence, err := r.nextSequence(ctx, v)
	return &ready{r, v, entry, sequence}, err
}

// checkVoting says whether an election can take a ballot. A certified state may be old: an election whose opening has passed is not refused for it.
func checkVoting(id string, e *pb.Election, now time.Time) error {
	waits := e.Phase == pb.PHASE_READY
	if e.Phase == pb.PHASE_VOTING || waits && e.Opening != 0 && e.Opening <= now.Unix() {
		return nil
	}
	when := ""
	if waits && e.Opening != 0 {
		when = ", and voting opens at " + election.Moment(e.Opening)
	}
	return tx.Refuse(tx.CodeWrongPhase, "the phase of %q is %s%s", id, election.PhaseName(e.Phase), when)
}

// Prepare encrypts selections, for each contest of the voter's ballot style the indices of the selected options. Manifest, keys
// and roll entry are proven; the ballot's number is one above the last recorded or spoiled one. random is the operating system's. It fails
// with ErrOpenChoices where choices are open.
func (r Voter) Prepare(ctx context.Context, selections [][]int, random io.Reader) (*Prepared, error) {
	v, _, err := r.rules(ctx, CheckSecret)
	if err != nil {
		return nil, err
	}
	shared, _, err := LoadBallotElection(ctx, v, r.Election)
	if err != nil {
		return nil, err
	}
	own, err := r.ready(ctx, v)
	if err != nil {
		return nil, err
	}
	statement := ballot.Statement{Style: own.entry.Style, RollIndex: r.Index, Voter: r.Key.Public(), Sequence: own.sequence}
	draft, err := shared.Encrypt(statement, selections, r.Key, random)
	if err != nil {
		return nil, err
	}
	return &Prepared{ready: *own, draft: draft}, nil
}

// nextSequence returns a number above every proven one and above what a node says of ballots that are not certified yet; a lie
// costs a few numbers of 2^64.
func (r Voter) nextSequence(ctx context.Context, v *View) (uint64, error) {
	leaf, err := v.Voter(ctx, r.Election, r.Index)
	if err != nil {
		return 0, err
	}
	spoiled, err := Load[pb.Spoiled](ctx, v, state.SpoiledKey(r.Election, r.Index))
	if err != nil {
		return 0, err
	}
	sequence := leaf.Sequence
	if spoiled != nil {
		for _, s := range spoiled.Ballots {
			sequence = max(sequence, s.Sequence)
		}
	}
	// One node is asked, not all: every question tells who may be about to vote.
	proven, hint := sequence, new(pb.Voter)
	err = r.Ledger.ask(ctx, func(ctx context.Context, n *Node) error {
		answer, err := n.Voter(ctx, r.Election, r.Index, 0)
		if err != nil {
			return err
		}
		return election.Decode(answer.Leaf, hint)
	})
	if err == nil && hint.Sequence <= proven+maxSequenceHint {
		sequence = max(sequence, hint.Sequence)
	}
	return sequence + 1, nil
}

// Code returns the confirmation code, to be noted before the choice.
func (p *Prepared) Code() [32]byte { return p.draft.Code() }

// Cast proves, signs and sends the ballot; with WaitCertified it returns once the voters' tree provably holds its code or a later
// one of this voter.
func (p *Prepared) Cast(ctx context.Context, wait Wait) error {
	ciphertext, proof, signature, err := p.draft.Cast()
	if err != nil {
		return err
	}
	body := &pb.CastBallot{
		Election: p.voter.Election, Style: p.entry.Style, RollIndex: p.voter.Index, Sequence: p.sequence,
		Ciphertext: ciphertext, Proof: proof,
	}
	return p.send(ctx, &p.ready, tx.Ballot(body, signature), p.Code(), wait)
}

// sent is what validators promised when something was cast.
type sent struct{ promises []*pb.Promise }

// send notes in the voter's book what is cast, sends it, and keeps the slips of the nodes that took it, if they hold.
func (s *sent) send(ctx context.Context, own *ready, raw []byte, code [32]byte, wait Wait) error {
	r := own.voter
	if r.Book != nil {
		if err := r.Book.Cast(own.sequence, code); err != nil {
			return fmt.Errorf("the ballot could not be noted, so it was not sent: %w", err)
		}
	}
	_, err := r.Ledger.send(ctx, raw, wait, func(ctx context.Context, v *View) (bool, error) {
		leaf, err := v.Voter(ctx, r.Election, r.Index)
		return err == nil && (string(leaf.Code) == string(code[:]) || leaf.Sequence > own.sequence), err
	}, func(n *Node, a Admission) {
		promise, err := r.Ledger.checkSlip(a, raw, own.view.height)
		if err != nil {
			r.Ledger.notice(n.Address(), err)
			return
		}
		s.promises = append(s.promises, promise)
	})
	return err
}

// Promises returns what validators promised when the ballot was cast: nothing where none did, and several where the ballot was handed to more
// than one.
func (s *sent) Promises() []*pb.Promise { return s.promises }

// Challenge bars the ballot on the ledger and, once that is certified, opens it: whoever gets the Challenge can check that the
// ciphertext held the selections, and the ballot can never be cast.
func (p *Prepared) Challenge(ctx context.Context, random io.Reader) (*Challenge, error) {
	spoil := p.draft.Spoil()
	signature, err := ballot.SignSpoil(spoil, p.voter.Key, random)
	if err != nil {
		return nil, err
	}
	if book := p.voter.Book; book != nil {
		if err := book.Challenged(spoil.Sequence, spoil.Code, spoil.C0); err != nil {
			return nil, fmt.Errorf("the challenge could not be noted, so nothing was sent: %w", err)
		}
	}
	body := &pb.SpoilBallot{
		Election: p.voter.Election, RollIndex: p.voter.Index, Sequence: p.sequence,
		Code: spoil.Code[:], NoncePoint: spoil.C0[:],
	}
	_, err = p.voter.Ledger.Send(ctx, tx.Ballot(body, signature), WaitCertified, func(ctx context.Context, v *View) (bool, error) {
		return isSpoiled(ctx, v, spoil)
	})
	if err != nil {
		return nil, err
	}
	opening, err := p.draft.Challenge()
	if err != nil {
		return nil, err
	}
	return newChallenge(p.voter.Ledger.GenesisHash(), p.entry.Style, spoil, opening), nil
}

// isSpoiled says whether a voter has barred a number and a C_0.
func isSpoiled(ctx context.Context, v *View, s ballot.Spoil) (bool, error) {
	spoiled, err := Load[pb.Spoiled](ctx, v, state.SpoiledKey(s.Election, s.RollIndex))
	if err != nil || spoiled == nil {
		return false, err
	}
	for _, b := range spoiled.Ballots {
		if b.Sequence == s.Sequence && string(b.NoncePoint) == string(s.C0[:]) {
			return true, nil
		}
	}
	return false, nil
}
