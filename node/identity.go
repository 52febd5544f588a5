package node

import (
	"bytes"
	"time"

	"votenode/app/organisation"
	"votenode/node/gateway"
	pb "votenode/proto/votenode/v1"
)

// self returns this node's validator in the present set, nil where its key is not in it.
func (n *Node) self() (*pb.Validator, error) {
	present, err := n.present()
	if err != nil {
		return nil, err
	}
	key := n.signer.key.Public().Bytes()
	for i := range present.Validators {
		if bytes.Equal(present.Validators[i].Key, key) {
			return &present.Validators[i], nil
		}
	}
	return nil, nil
}

// consensusAddress is CometBFT's address of a consensus key.
func consensusAddress(key []byte) []byte {
	address := organisation.ConsensusAddress(key)
	return address[:]
}

// clocks returns how far each validator's clock was from the time of the newest block when it signed the one before: block time
// is the weighted median of these signatures' times. It reads the commit that the newest block carries and not the block, which may be
// large: every status asks for it.
func (n *Node) clocks() ([]gateway.Clock, error) {
	present, err := n.present()
	if err != nil {
		return nil, err
	}
	var clocks []gateway.Clock
	n.eachClock(present, func(v *pb.Validator, offset time.Duration) {
		clocks = append(clocks, gateway.Clock{Organisation: v.Organisation, Validator: v.Name, Milliseconds: offset.Milliseconds()})
	})
	return clocks, nil
}

// eachClock tells of the present validators that signed how far their clocks were from block time.
func (n *Node) eachClock(present *pb.ValidatorEpoch, tell func(v *pb.Validator, offset time.Duration)) {
	height := n.app.Tip().Height
	block, commit := n.blocks.LoadBlockMeta(height), n.blocks.LoadBlockCommit(height-1)
	if block == nil || commit == nil {
		return
	}
	for i := range present.Validators {
		v := &present.Validators[i]
		for _, s := range commit.Signatures {
			if bytes.Equal(s.ValidatorAddress, consensusAddress(v.Key)) {
				tell(v, s.Timestamp.Sub(block.Header.Time))
			}
		}
	}
}
