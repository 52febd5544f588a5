package client

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"votenode/app/state"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// Challenge is an opened ballot, as a file for another device: with the ledger, all that is needed to encrypt it again. The ballot
// is barred on the ledger before this exists.
type Challenge struct {
	GenesisHash string  `json:"genesis_hash"`
	Election    string  `json:"election"`
	Style       uint32  `json:"style"`
	RollIndex   uint64  `json:"roll_index"`
	Sequence    uint64  `json:"sequence"`
	Code        string  `json:"code"`
	Randomness  string  `json:"randomness"`
	Selections  [][]int `json:"selections"`
}

func newChallenge(genesisHash [32]byte, style uint32, s ballot.Spoil, o ballot.Opening) *Challenge {
	return &Challenge{
		GenesisHash: hex.EncodeToString(genesisHash[:]), Election: s.Election,
		Style: style, RollIndex: s.RollIndex, Sequence: s.Sequence, Code: ballot.FormatCode(s.Code),
		Randomness: hex.EncodeToString(o.Randomness[:]), Selections: o.Selections,
	}
}

// ParseChallenge reads the JSON of a Challenge strictly.
func ParseChallenge(data []byte) (*Challenge, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var c Challenge
	if err := decoder.Decode(&c); err != nil {
		return nil, fmt.Errorf("not an opened ballot: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the opened ballot")
	}
	return &c, nil
}

// Check encrypts the ballot again with the keys of the ledger and compares it with the confirmation code that the voter noted
// before choosing to challenge, and with what the ledger bars. It fails with ErrVerification: then the device that made the
// ballot, or the file, is not to be trusted.
func (c *Challenge) Check(ctx context.Context, l *Ledger, noted [32]byte) error {
	if hash := l.GenesisHash(); c.GenesisHash != hex.EncodeToString(hash[:]) {
		return fmt.Errorf("%w: the ballot is of another ledger", ErrVerification)
	}
	randomness, err := hex.DecodeString(c.Randomness)
	if err != nil || len(randomness) != 32 {
		return fmt.Errorf("%w: the randomness is damaged", ErrVerification)
	}
	if c.Code != ballot.FormatCode(noted) {
		return fmt.Errorf("%w: the file is about the code %s, not about the one that was noted", ErrVerification, c.Code)
	}
	v, err := l.Certified(ctx)
	if err != nil {
		return err
	}
	point, err := c.barred(ctx, v)
	if err != nil {
		return err
	}
	shared, _, err := LoadBallotElection(ctx, v, c.Election)
	if err != nil {
		return err
	}
	recorded := ballot.Spoil{
		Chain: l.Chain(), Election: c.Election, RollIndex: c.RollIndex, Sequence: c.Sequence, Code: noted, C0: point,
	}
	return verified(shared.CheckOpening(c.Style, recorded, ballot.Opening{Randomness: [32]byte(randomness), Selections: c.Selections}))
}

// barred returns the first point of the ballot that the ledger bars under this number.
func (c *Challenge) barred(ctx context.Context, v *View) ([32]byte, error) {
	spoiled, err := Load[pb.Spoiled](ctx, v, state.SpoiledKey(c.Election, c.RollIndex))
	if err != nil {
		return [32]byte{}, err
	}
	if spoiled != nil {
		for _, b := range spoiled.Ballots {
			if b.Sequence == c.Sequence && len(b.NoncePoint) == 32 {
				return [32]byte(b.NoncePoint), nil
			}
		}
	}
	return [32]byte{}, fmt.Errorf("%w: the ledger does not bar this ballot, so it may still be cast", ErrVerification)
}
