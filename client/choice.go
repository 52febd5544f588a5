package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"votenode/app/election"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// ErrOpenChoices says that a ballot was to be made where choices are open, or a choice where they are not.
var ErrOpenChoices = errors.New("the election has the other kind of ballot")

// CheckOpen says whether choices are open in an election. It fails with ErrOpenChoices.
func CheckOpen(m *pb.Manifest) error {
	if !m.OpenChoices {
		return fmt.Errorf("%w: ballots are secret in %q, there are no open choices; cast one with 'votenode voter cast'", ErrOpenChoices, m.Election)
	}
	return nil
}

// CheckSecret says whether ballots are secret in an election. It fails with ErrOpenChoices.
func CheckSecret(m *pb.Manifest) error {
	if m.OpenChoices {
		return fmt.Errorf("%w: choices are open in %q, there are no secret ballots; choose with 'votenode voter choose'", ErrOpenChoices, m.Election)
	}
	return nil
}

// Choice is a signed open choice that was not sent yet.
type Choice struct {
	ready
	raw  []byte
	cast *tx.Cast
	sent
}

// Choose signs an open choice: for each contest of the voter's ballot style the indices of the selected options. Manifest and roll entry are
// proven; the choice's number is one above the last recorded one. random is the operating system's. It fails with ErrOpenChoices.
func (r Voter) Choose(ctx context.Context, selections [][]int, random io.Reader) (*Choice, error) {
	v, m, err := r.rules(ctx, CheckOpen)
	if err != nil {
		return nil, err
	}
	own, err := r.ready(ctx, v)
	if err != nil {
		return nil, err
	}
	body, err := choiceOf(m, own, selections)
	if err != nil {
		return nil, err
	}
	signed := ballot.Signed{
		Chain: own.view.Chain(), Election: r.Election, RollIndex: r.Index, Voter: r.Key.Public(),
		Kind: uint32(tx.KindCastChoice), Body: election.Encode(body),
	}
	signature, err := signed.Sign(r.Key, random)
	if err != nil {
		return nil, err
	}
	raw := tx.Ballot(body, signature)
	parsed, err := tx.Parse(raw)
	if err != nil {
		return nil, err
	}
	return &Choice{ready: *own, raw: raw, cast: parsed.Cast()}, nil
}

// choiceOf returns the body of a choice that fits the manifest.
func choiceOf(m *pb.Manifest, own *ready, selections [][]int) (*pb.CastChoice, error) {
	body := &pb.CastChoice{Election: m.Election, RollIndex: own.voter.Index, Sequence: own.sequence, Style: own.entry.Style}
	contests := m.Styles[body.Style].Contests
	if len(selections) != len(contests) {
		return nil, fmt.Errorf("%d contests are chosen in; the ballot has %d", len(selections), len(contests))
	}
	for i, chosen := range selections {
		var c pb.Choice
		for _, option := range chosen {
			c.Options = append(c.Options, uint32(option))
		}
		slices.Sort(c.Options)
		if err := election.CheckSelections(&m.Contests[contests[i]], c.Options); err != nil {
			return nil, fmt.Errorf("%s: %w", m.Contests[contests[i]].Title, err)
		}
		body.Choices = append(body.Choices, c)
	}
	return body, nil
}

// Code returns the confirmation code. Spec 19.3.
func (c *Choice) Code() [32]byte { return c.cast.Code(c.view.Chain()) }

// Cast sends the choice; with WaitCertified it returns once the voters' tree provably holds its code or a later one of this voter.
func (c *Choice) Cast(ctx context.Context, wait Wait) error {
	return c.send(ctx, &c.ready, c.raw, c.Code(), wait)
}
