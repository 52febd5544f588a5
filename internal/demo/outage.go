package demo

import (
	"bytes"
	"context"

	"votenode/internal/network"
)

// enough is how many blocks in a row must lack the signature of a killed validator before it is started again.
const enough = 3

// outage is a validator that was killed.
type outage struct {
	run    *run
	caster *caster
	victim *network.Validator
	index  int
	height int64 // at its death
}

// kill ends a validator as a power cut would, in the middle of the vote.
func (r *run) kill(ctx context.Context, c *caster, victim *network.Validator) (*outage, error) {
	o := &outage{run: r, caster: c, victim: victim}
	for o.index = range c.validators {
		if c.validators[o.index] == victim {
			break
		}
	}
	status, err := r.network.Validators[0].Node.Status(ctx)
	if err != nil {
		return nil, err
	}
	o.height = status.Height
	c.down[o.index].Store(true)
	if err := victim.Process.Kill(); err != nil {
		return nil, err
	}
	r.say("%s (process %d) is killed at height %d; until it is back nothing is certified, and voting goes on", victim.Name, victim.Process.PID(), o.height)
	return o, nil
}

// end looks at the commit of every height from the death on, starts the validator again once enough commits lack its signature,
// and returns when one has it again.
func (o *outage) end(ctx context.Context) error {
	witness := o.run.network.Validators[0].Node
	report := &Outage{Validator: o.victim.Name, Killed: o.height}
	for h := o.height; ; h++ {
		if _, err := witness.WaitHeight(ctx, h+1); err != nil { // the commit of h stands in the block of h+1
			return err
		}
		header, err := witness.SignedHeader(ctx, h)
		if err != nil {
			return err
		}
		signed := false
		for _, p := range header.Precommits {
			signed = signed || bytes.Equal(p.Address, o.victim.Address)
		}
		switch {
		case !signed:
			report.Without = append(report.Without, h)
		case len(report.Without) >= enough:
			report.Back = h
			o.run.report.Outage = report
			o.run.say("%s signs again from height %d on; the commits of %s lack its signature", o.victim.Name, h, ranges(report.Without))
			return nil
		}
		if !signed && len(report.Without) == enough {
			if err := o.restart(ctx); err != nil {
				return err
			}
		}
	}
}

// restart starts the victim again, with the keys, the sign state and the store that it had.
func (o *outage) restart(ctx context.Context) error {
	if err := o.run.network.StartValidator(o.victim); err != nil {
		return err
	}
	o.run.say("%s is started again as process %d", o.victim.Name, o.victim.Process.PID())
	status, err := o.run.network.Validators[0].Node.Status(ctx)
	if err != nil {
		return err
	}
	if _, err := o.victim.Node.AwaitHeight(ctx, status.Height); err != nil {
		return err
	}
	o.caster.down[o.index].Store(false)
	return nil
}
