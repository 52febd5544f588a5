package node

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app"
	"votenode/app/organisation"
	"votenode/app/state"
	"votenode/client"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/slip"
)

// history is what this node has to make cases of: it implements slip.Source.
type history struct{ *Node }

// StateAt returns the state after a height. One that is not among the newest is read from the store again, which takes long.
func (h history) StateAt(height int64) (*state.Snapshot, error) {
	s, err := h.app.Ledger().At(height)
	if errors.Is(err, state.ErrPruned) {
		return state.OpenAt(h.ledger, height)
	}
	return s, err
}

// BlockAt returns a block, nil where there is none.
func (h history) BlockAt(height int64) *cmttypes.Block { return h.blocks.LoadBlock(height) }

// slipCase shows under the newest certified state what became of a promise. It fails with the errors of slip.NewCase.
func (n *Node) slipCase(p *pb.Promise) (*pb.SlipCase, error) {
	_, shown, s, err := n.evidence.certified()
	if err != nil {
		return nil, err
	}
	if s == nil {
		return nil, fmt.Errorf("%w: no state that is kept here is certified", slip.ErrEarly)
	}
	ledger, err := n.ledgerState(shown)
	if err != nil {
		return nil, err
	}
	return slip.NewCase(history{n}, ledger, s, p)
}

// upstream are the gateways of validators to which a node that is none hands the ballots that it takes.
type upstream struct {
	node  *Node
	peers []*client.Node
}

// upstreamPatience bounds how long one validator may take.
const upstreamPatience = 10 * time.Second

func newUpstream(n *Node, addresses []string) (*upstream, error) {
	u := &upstream{node: n}
	for _, address := range addresses {
		peer, err := client.NewNode(address)
		if err != nil {
			return nil, fmt.Errorf("%w: gateway.validators: %w", ErrConfig, err)
		}
		u.peers = append(u.peers, peer)
	}
	return u, nil
}

// passOn hands ballots to one validator after another and returns the slips that they sign, nil for a ballot that nobody promises.
// A slip that does not hold is not passed on.
func (u *upstream) passOn(ctx context.Context, ballots [][]byte) [][]byte {
	slips := make([][]byte, len(ballots))
	for _, peer := range u.peers {
		var raw [][]byte
		var at []int
		for i, s := range slips {
			if s == nil {
				raw, at = append(raw, ballots[i]), append(at, i)
			}
		}
		if len(raw) == 0 {
			break
		}
		attempt, cancel := context.WithTimeout(ctx, upstreamPatience)
		answers, err := peer.Submit(attempt, raw...)
		cancel()
		if err != nil {
			u.node.log.Warn("handing ballots to a validator", "validator", peer.Address(), "error", err)
			continue
		}
		for i, a := range answers {
			if err := u.check(raw[i], a.Slip); err == nil {
				slips[at[i]] = a.Slip
			} else if len(a.Slip) > 0 {
				u.node.log.Warn("a validator's slip does not hold", "validator", peer.Address(), "error", err)
			}
		}
	}
	return slips
}

// check holds a slip against the validators of this node's newest state.
func (u *upstream) check(ballot, encoded []byte) error {
	s, err := slip.Parse(encoded)
	if err != nil {
		return err
	}
	epochs, err := state.MustLoad[pb.ValidatorEpochs](u.node.app.Ledger().Newest(), state.KeyValidators)
	if err != nil {
		return err
	}
	if len(s.Validator) != 32 || s.ChainId != u.node.doc.ChainId {
		return fmt.Errorf("%w: it names no validator of this chain", slip.ErrSlip)
	}
	address := organisation.ConsensusAddress(s.Validator)
	v := app.ValidatorAt(epochs, s.Issued, address[:])
	if v == nil {
		return fmt.Errorf("%w: %s is no validator", slip.ErrSlip, hex.EncodeToString(s.Validator))
	}
	return slip.Check(&pb.Promise{Slip: s, Ballot: ballot}, v.SlipKey)
}
