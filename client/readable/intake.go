package readable

import (
	"context"
	"encoding/hex"
	"fmt"

	"votenode/app/state"
	"votenode/app/tx"
	"votenode/client"
	pb "votenode/proto/votenode/v1"
)

// Intake is a validator's report of what its node was asked to take in, for people. Spec 9.36.
type Intake struct {
	// Organisation and Validator are of the present set, and empty where that has no such slip key.
	Organisation string `json:"organisation,omitempty"`
	Validator    string `json:"validator,omitempty"`
	SlipKey      string `json:"slip_key"`
	// Height at which the report was due, Start the number of the start of the node since which it counts; both are 0 where a validator has
	// reported nothing.
	Height    int64             `json:"height"`
	Start     uint64            `json:"start"`
	Taken     uint64            `json:"taken"`
	FromPeers uint64            `json:"from_peers"`
	Verified  uint64            `json:"verified"`
	Slips     uint64            `json:"slips"`
	Refused   map[string]uint64 `json:"refused"`
}

// NewestIntake returns of every validator of the present set its newest report, proven in a certified state, in the order of the set.
func NewestIntake(ctx context.Context, r client.Reader) ([]Intake, error) {
	epochs, err := client.MustLoad[pb.ValidatorEpochs](ctx, r, state.KeyValidators)
	if err != nil {
		return nil, err
	}
	list := make([]Intake, len(epochs.Present.Validators))
	for i := range list {
		v := &epochs.Present.Validators[i]
		last, err := client.Load[pb.LastIntake](ctx, r, state.IntakeKey(v.Key))
		if err != nil {
			return nil, err
		}
		if last == nil {
			last = new(pb.LastIntake)
		}
		list[i] = intakeOf(v.SlipKey, epochs.Present.Validators, &last.Report)
	}
	return list, nil
}

// AllIntake returns the reports that were due at the heights first to last, in the order in which blocks brought them. The whole log is
// fetched, and proven by its head in a certified state.
func AllIntake(ctx context.Context, v *client.View, first, last int64) ([]Intake, error) {
	epochs, err := client.MustLoad[pb.ValidatorEpochs](ctx, v, state.KeyValidators)
	if err != nil {
		return nil, err
	}
	var list []Intake
	err = v.Leaves(ctx, state.LogIntake, func() { list = []Intake{} }, func(index uint64, leaf []byte) error {
		p, err := tx.Parse(leaf)
		if err != nil {
			return fmt.Errorf("%w: leaf %d of %s: %w", client.ErrVerification, index, state.LogIntake, err)
		}
		m, ok := p.Body().(*pb.ReportIntake)
		if !ok {
			return fmt.Errorf("%w: leaf %d of %s is no report", client.ErrVerification, index, state.LogIntake)
		}
		if m.Height >= first && m.Height <= last {
			list = append(list, intakeOf(p.Signer(), epochs.Present.Validators, m))
		}
		return nil
	})
	return list, err
}

// intakeOf names the validator of a report, where it is present.
func intakeOf(slipKey []byte, present []pb.Validator, m *pb.ReportIntake) Intake {
	shown := Intake{
		SlipKey: hex.EncodeToString(slipKey), Height: m.Height, Start: m.Start,
		Taken: m.Taken, FromPeers: m.FromPeers, Verified: m.Verified, Slips: m.Slips, Refused: map[string]uint64{},
	}
	for i := range present {
		if string(present[i].SlipKey) == string(slipKey) {
			shown.Organisation, shown.Validator = present[i].Organisation, present[i].Name
		}
	}
	for _, c := range m.Refused {
		shown.Refused[tx.Code(c.Code).String()] = c.Count
	}
	return shown
}
