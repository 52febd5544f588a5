package slip_test

import (
	"bytes"
	"errors"
	"slices"

	"votenode/app"
	"votenode/app/organisation"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// room is the number of promised ballots that a block of the honest node holds.
const room = 2

// honest is a node that promises and proposes by spec 12.2.
type honest struct {
	*scene
	begun    int64 // the greatest height for which it has begun to propose
	promised []*pb.Promise
	// lead is how far its own clock is ahead of block time, seconds.
	lead int64
	// rash is a node that does not keep one of the rules, by name: to see what the rule is for.
	rash string
}

// refusal says what the state after a height says against a ballot.
func (n *honest) refusal(raw []byte, height int64) error {
	return n.App.Check(must(n.StateAt(height)), n.BlockAt(height).Time.UnixNano(), must(tx.Parse(raw)))
}

// take is what the node does with a ballot of its client that it has checked against the state after a height: it promises, or not (nil).
func (n *honest) take(raw []byte, checked int64) *pb.Promise {
	if n.refusal(raw, checked) != nil {
		return nil
	}
	issued := max(checked, n.begun)
	if checked < issued-1 && n.rash != "old check" {
		if checked = n.Height(); n.refusal(raw, checked) != nil {
			return nil
		}
	}
	if n.rash == "no begun proposal" {
		issued = checked
	}
	p := promise(raw, issued)
	if !n.mayPromise(p) {
		return nil
	}
	n.promised = append(n.promised, p)
	return p
}

// mayPromise asks the rules of 12.2 that depend on time, on the validators and on what waits.
func (n *honest) mayPromise(p *pb.Promise) bool {
	epochs := must(state.MustLoad[pb.ValidatorEpochs](n.View(), state.KeyValidators))
	address := organisation.ConsensusAddress(node.Key)
	own := app.ValidatorAt(epochs, p.Slip.Issued, address[:])
	margin := int64(must(state.MustLoad[pb.Parameters](n.View(), state.KeyParameters)).SlipMargin)
	if own == nil || !bytes.Equal(own.SlipKey, node.SlipKey) || n.Record().Closing-max(n.Now(), n.Now()+n.lead) <= margin {
		return false
	}
	waiting := 0
	for _, w := range n.promised {
		switch {
		case bytes.Equal(w.Ballot, p.Ballot) || w.Slip.RollIndex == p.Slip.RollIndex && w.Slip.Sequence > p.Slip.Sequence:
			return false
		case !n.settled(w.Ballot):
			waiting++
		}
	}
	return waiting < room || n.rash == "more than a block holds"
}

// settled says whether a ballot is recorded, or refused for good.
func (n *honest) settled(raw []byte) bool {
	var r *tx.Refusal
	return errors.As(n.refusal(raw, n.Height()), &r) && r.Code != tx.CodeTooSoon && r.Code != tx.CodeTooLarge
}

// prepare begins a proposal of the next height, and returns its transactions.
func (n *honest) prepare() [][]byte {
	n.begun = n.Height() + 1
	var chosen []*pb.Promise
	late := n.Now()+n.lead-n.Record().Closing > 60
	for _, p := range n.promised {
		if late || n.refusal(p.Ballot, n.Height()) != nil {
			continue
		}
		same := slices.IndexFunc(chosen, func(c *pb.Promise) bool { return c.Slip.RollIndex == p.Slip.RollIndex })
		switch {
		case same < 0 && len(chosen) < room:
			chosen = append(chosen, p)
		case same >= 0 && chosen[same].Slip.Sequence < p.Slip.Sequence:
			chosen[same] = p
		}
	}
	var raw [][]byte
	for _, p := range chosen {
		raw = append(raw, p.Ballot)
	}
	return append([][]byte{n.author(node.Name+" slip", n.begun, n.lead, raw...)}, raw...)
}

// propose prepares a block that is decided.
func (n *honest) propose() { n.named(n.prepare()...) }
