package app

import (
	"fmt"
	"io"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	"votenode/crypto/threshold"
	pb "votenode/proto/votenode/v1"
)

// ballotElection is what the ballots of one election share, once its roll and keys are fixed.
type ballotElection struct {
	*ballot.Election
	rollRoot [32]byte
}

// lookup answers the verifier from one view.
type lookup struct {
	*App
	view state.View
}

// Chain returns the chain id.
func (a *App) Chain() string { return a.chain }

// BallotElection implements tx.Lookup.
func (l lookup) BallotElection(id string) (*ballot.Election, error) {
	e, err := state.LoadElection(l.view, id)
	if err != nil {
		return nil, err
	}
	if e == nil {
		return nil, tx.Refuse(tx.CodeUnknownElection, "there is no election %q", id)
	}
	return l.ballotElection(l.view, id, e)
}

// ballotElection derives generators and tables once per election.
func (a *App) ballotElection(v state.View, id string, e *pb.Election) (*ballot.Election, error) {
	if !e.RollSealed || len(e.KeyDigest) == 0 {
		return nil, tx.Refuse(tx.CodeWrongPhase, "roll and keys of %q are not fixed yet", id)
	}
	digest, root := [32]byte(e.KeyDigest), [32]byte(e.RollRoot)
	a.mu.Lock()
	known := a.ballots[digest]
	a.mu.Unlock()
	if known != nil && known.rollRoot == root {
		return known.Election, nil
	}
	m, err := a.manifest(v, e.Manifest)
	if err != nil {
		return nil, err
	}
	keys, err := state.MustLoad[pb.ElectionKeys](v, state.KeysKey(id))
	if err != nil {
		return nil, err
	}
	points, err := threshold.ParsePoints(keys.Keys, election.Slots(m))
	if err != nil {
		return nil, fmt.Errorf("%w: keys of %q: %w", state.ErrCorrupted, id, err)
	}
	derived, err := ballot.NewElection(ballot.Parameters{
		Chain: a.chain, Election: id,
		Manifest: [32]byte(e.Manifest), RollRoot: root, KeyDigest: digest,
		Keys: points, Styles: election.BallotStyles(m),
	})
	if err != nil {
		return nil, fmt.Errorf("%w: election %q: %w", state.ErrCorrupted, id, err)
	}
	a.mu.Lock()
	a.ballots[digest] = &ballotElection{Election: derived, rollRoot: root}
	a.mu.Unlock()
	return derived, nil
}

// VoterKey implements tx.Lookup.
func (l lookup) VoterKey(id string, index uint64) (ballot.PublicKey, error) {
	e, err := state.LoadElection(l.view, id)
	if err != nil {
		return ballot.PublicKey{}, err
	}
	if e == nil {
		return ballot.PublicKey{}, tx.Refuse(tx.CodeUnknownElection, "there is no election %q", id)
	}
	entry, err := l.rollEntry(l.view, id, e, index)
	if err != nil {
		return ballot.PublicKey{}, err
	}
	key, err := ballot.ParsePublicKey(entry.Key)
	if err != nil {
		return ballot.PublicKey{}, fmt.Errorf("%w: key of voter %d: %w", state.ErrCorrupted, index, err)
	}
	return key, nil
}

// rollEntry returns an entry of the sealed roll by which an election votes, or a refusal. It must not be changed. Its style is that of the
// election in whose log it stands: see styleOf.
func (a *App) rollEntry(v state.View, id string, e *pb.Election, index uint64) (*pb.RollEntry, error) {
	if !e.RollSealed {
		return nil, tx.Refuse(tx.CodeWrongPhase, "the roll of %q is not sealed", id)
	}
	if index >= e.RollSize {
		return nil, tx.Refuse(tx.CodeUnknownVoter, "the roll of %q has no entry %d", id, index)
	}
	place := rollPlace{[32]byte(e.RollRoot), index}
	if entry := a.roll.get(place); entry != nil {
		return entry, nil
	}
	b, err := v.Leaf(state.LogRoll(state.RollOf(id, e)), index)
	if err != nil {
		return nil, err
	}
	entry := new(pb.RollEntry)
	if err := election.Decode(b, entry); err != nil {
		return nil, fmt.Errorf("%w: roll entry %d of %q is %v", state.ErrCorrupted, index, id, err)
	}
	a.roll.put(place, entry)
	return entry, nil
}

// Verify checks signatures and proofs against a view. The error is the store's or the random source's, never a transaction's.
func (a *App) Verify(v state.View, txs []*tx.Parsed, rand io.Reader) ([]tx.Verdict, error) {
	return tx.Verify(lookup{App: a, view: v}, txs, rand)
}

// VerifySignatures checks of ballots that their voters signed them, and nothing else, against a view. The error is the store's.
func (a *App) VerifySignatures(v state.View, txs []*tx.Parsed) ([]*tx.Refusal, error) {
	return tx.VerifySignatures(lookup{App: a, view: v}, txs)
}

// Check asks what depends on the state, as a node asks it of bytes from anywhere: size, authorisation, phase, rule. Of a ballot that is
// cheap, and comes before its dear proof. The rules of the other kinds may be dear (a manifest is parsed, shares are proven),
// and whose keys are authorised is public: their signature comes first, so that nobody else makes a node work. The error is
// a *tx.Refusal, or the store's. now is a block time in unix nanoseconds.
func (a *App) Check(v state.View, now int64, p *tx.Parsed) error {
	h, err := handlerOf(p.Kind())
	if err != nil {
		return err
	}
	params, err := state.MustLoad[pb.Parameters](v, state.KeyParameters)
	if err != nil {
		return err
	}
	if err := p.CheckSize(&params.Limits); err != nil {
		return err
	}
	if err := p.CheckSignature(a.chain); err != nil {
		return err
	}
	return h.check(&reading{App: a, View: v, height: v.Height() + 1, now: now}, p)
}
