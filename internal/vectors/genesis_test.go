package vectors

import (
	"encoding/json"

	"votenode/genesis"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/record"
)

// genesisFile is genesis.json: chapter 1.
type genesisFile struct {
	Comment  string          `json:"comment"`
	Document hexBytes        `json:"document"`
	Hash     hexBytes        `json:"hash"`
	Fields   json.RawMessage `json:"fields"`
	// Approvals is the encoded list, Approved what it holds.
	Approvals hexBytes         `json:"approvals"`
	Approved  []approvalVector `json:"approved"`
	// Sets are the validator sets by epoch.
	Sets []setVector `json:"validator_sets"`
	// Consensus are the consensus parameters that ConsensusHash is of, by the first header that has it.
	Consensus []consensusVector `json:"consensus_parameters"`
}

type approvalVector struct {
	Organisation string   `json:"organisation"`
	Officer      hexBytes `json:"officer"`
	Signed       hexBytes `json:"sign_bytes"`
	Signature    hexBytes `json:"signature"`
}

type setVector struct {
	Epoch       uint64            `json:"epoch"`
	FirstHeight int64             `json:"first_height"`
	Validators  []validatorVector `json:"validators"`
	Hash        hexBytes          `json:"validators_hash"`
}

// validatorVector is a validator in the order of ValidatorsHash, with its leaf.
type validatorVector struct {
	Organisation string   `json:"organisation"`
	Name         string   `json:"name"`
	Key          hexBytes `json:"key"`
	Address      hexBytes `json:"address"`
	Power        int64    `json:"power"`
	SlipKey      hexBytes `json:"slip_key"`
	Leaf         hexBytes `json:"leaf"`
}

type consensusVector struct {
	Height     int64    `json:"first_height"`
	BlockBytes uint64   `json:"block_bytes"`
	Bytes      hexBytes `json:"bytes"`
	Hash       hexBytes `json:"consensus_hash"`
}

func (w *world) genesisFile() any {
	folder := must(record.Open(files()))
	f := &genesisFile{
		Comment: "the founding document, its approvals, and what headers say of validators and parameters: chapter 1, sections 6.2 and 6.4",
		Fields:  fields(w.Genesis), Document: must(folder.Genesis()), Approvals: must(folder.Approvals()),
	}
	f.Hash = hash(f.Document)
	for _, a := range must(genesis.ParseApprovals(f.Approvals)).Approvals {
		signed := framed("votenode/v1/genesis-approval", []byte(w.Genesis.ChainId), f.Hash)
		f.Approved = append(f.Approved, approvalVector{a.Organisation, a.Officer, signed, a.Signature})
	}
	for h := int64(1); h <= w.last(); h++ {
		set := w.trust.At(h)
		if len(f.Sets) == 0 || f.Sets[len(f.Sets)-1].Epoch != set.Epoch() {
			f.Sets = append(f.Sets, w.setVector(h))
		}
		p := load[pb.Parameters](w, h-1, "parameters")
		if n := len(f.Consensus); n == 0 || f.Consensus[n-1].BlockBytes != p.Limits.BlockBytes {
			b := hexBytes(message{}.varint(1, int64(p.Limits.BlockBytes)).varint(2, -1))
			f.Consensus = append(f.Consensus, consensusVector{h, p.Limits.BlockBytes, b, hash(b)})
		}
	}
	return f
}

func (w *world) setVector(height int64) setVector {
	set := w.trust.At(height)
	v := setVector{Epoch: set.Epoch(), FirstHeight: set.FirstHeight()}
	var leaves []hexBytes
	for _, c := range w.validatorsOf(height).Validators {
		p := w.validator(height, c.Address)
		leaf := hexBytes(message{}.nested(1, message{}.bytes(1, p.Key)).varint(2, p.Power))
		v.Validators = append(v.Validators, validatorVector{p.Organisation, p.Name, p.Key, hexBytes(c.Address), p.Power, p.SlipKey, leaf})
		leaves = append(leaves, leaf)
	}
	v.Hash = root(leaves)
	return v
}

// validator returns the validator of a height with an address.
func (w *world) validator(height int64, address []byte) *pb.Validator {
	for _, v := range w.trust.At(height).Validators() {
		if string(hash(v.Key)[:20]) == string(address) {
			return &v
		}
	}
	w.t.Fatalf("%X is no validator of height %d", address, height)
	return nil
}
