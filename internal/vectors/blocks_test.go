package vectors

import (
	"bytes"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/internal/rehearsal"
)

// blocksFile is blocks.json: section 6.2, and what a block carries.
type blocksFile struct {
	Comment string        `json:"comment"`
	Blocks  []blockVector `json:"blocks"`
	// Other are precommits of kinds that the blocks lack.
	Other []otherPrecommit `json:"other_precommits"`
}

type blockVector struct {
	Height int64 `json:"height"`
	// Time of the header, unix nanoseconds.
	Time   int64        `json:"time"`
	Bytes  hexBytes     `json:"bytes"`
	Header headerVector `json:"header"`
	// Hash is MTH of the leaves of the header; with the parts of Bytes it is the block's id.
	Hash     hexBytes         `json:"hash"`
	Leaves   []hexBytes       `json:"header_leaves"`
	Parts    partsVector      `json:"part_set_header"`
	Evidence []evidenceVector `json:"evidence"`
	Commit   commitVector     `json:"last_commit"`
	Results  resultsVector    `json:"results"`
}

type headerVector struct {
	Bytes              hexBytes      `json:"bytes"`
	LastBlockID        blockIDVector `json:"last_block_id"`
	LastCommitHash     hexBytes      `json:"last_commit_hash"`
	DataHash           hexBytes      `json:"data_hash"`
	ValidatorsHash     hexBytes      `json:"validators_hash"`
	NextValidatorsHash hexBytes      `json:"next_validators_hash"`
	ConsensusHash      hexBytes      `json:"consensus_hash"`
	AppHash            hexBytes      `json:"app_hash"`
	LastResultsHash    hexBytes      `json:"last_results_hash"`
	EvidenceHash       hexBytes      `json:"evidence_hash"`
	ProposerAddress    hexBytes      `json:"proposer_address"`
}

type blockIDVector struct {
	Hash  hexBytes    `json:"hash"`
	Parts partsVector `json:"part_set_header"`
}

type partsVector struct {
	Total uint32   `json:"total"`
	Hash  hexBytes `json:"hash"`
}

// commitVector is the commit for the block before.
type commitVector struct {
	Height     int64             `json:"height"`
	Round      int32             `json:"round"`
	Precommits []precommitVector `json:"precommits"`
	Leaves     []hexBytes        `json:"leaves"`
}

// precommitVector is one validator's part in a commit; of an absent one only the place is given.
type precommitVector struct {
	Validator string   `json:"validator"`
	Key       hexBytes `json:"key"`
	Flag      int      `json:"flag"`
	Time      int64    `json:"time,omitempty"`
	Signed    hexBytes `json:"sign_bytes,omitempty"`
	Signature hexBytes `json:"signature,omitempty"`
}

// evidenceVector is evidence that a validator signed twice.
type evidenceVector struct {
	Bytes   hexBytes      `json:"bytes"`
	Address hexBytes      `json:"address"`
	Key     hexBytes      `json:"key"`
	Height  int64         `json:"height"`
	Votes   []signedBytes `json:"votes"`
}

type signedBytes struct {
	Signed    hexBytes `json:"sign_bytes"`
	Signature hexBytes `json:"signature"`
}

// resultsVector is what the next header says of the transactions' codes.
type resultsVector struct {
	Codes  []uint32   `json:"codes"`
	Leaves []hexBytes `json:"leaves"`
	Hash   hexBytes   `json:"hash"`
}

func (w *world) blocksFile() any {
	f := &blocksFile{Comment: "every block with its header, its commit and the hash of its results: sections 6.2, 2.5 and 10.3"}
	for h := int64(1); h <= w.Height(); h++ {
		f.Blocks = append(f.Blocks, w.blockVector(h))
	}
	f.Other = w.otherPrecommits()
	return f
}

func (w *world) blockVector(height int64) blockVector {
	b := w.BlockAt(height)
	id := rehearsal.ID(b)
	v := blockVector{
		Height: height, Time: b.Time.UnixNano(), Bytes: rehearsal.Encode(b), Hash: hexBytes(b.Hash()), Leaves: headerLeaves(&b.Header),
		Parts:    partsVector{id.PartSetHeader.Total, hexBytes(id.PartSetHeader.Hash)},
		Header:   headerOf(&b.Header),
		Evidence: []evidenceVector{}, Commit: w.commitVector(b), Results: resultsVector{Codes: []uint32{}, Leaves: []hexBytes{}},
	}
	for _, e := range b.Evidence.Evidence {
		v.Evidence = append(v.Evidence, w.evidenceVector(e.(*cmttypes.DuplicateVoteEvidence)))
	}
	for _, r := range w.Results[height-1] {
		v.Results.Codes = append(v.Results.Codes, uint32(r.Code))
		v.Results.Leaves = append(v.Results.Leaves, hexBytes(message{}.varint(1, int64(r.Code))))
	}
	v.Results.Hash = root(v.Results.Leaves)
	if !bytes.Equal(root(v.Leaves), v.Hash) {
		w.t.Fatalf("block %d: the leaves are not those of the header", height)
	}
	return v
}

func headerOf(h *cmttypes.Header) headerVector {
	return headerVector{
		Bytes: must(h.ToProto().Marshal()),
		LastBlockID: blockIDVector{hexBytes(h.LastBlockID.Hash), partsVector{
			h.LastBlockID.PartSetHeader.Total, hexBytes(h.LastBlockID.PartSetHeader.Hash),
		}},
		LastCommitHash: hexBytes(h.LastCommitHash), DataHash: hexBytes(h.DataHash), ValidatorsHash: hexBytes(h.ValidatorsHash),
		NextValidatorsHash: hexBytes(h.NextValidatorsHash), ConsensusHash: hexBytes(h.ConsensusHash), AppHash: hexBytes(h.AppHash),
		LastResultsHash: hexBytes(h.LastResultsHash), EvidenceHash: hexBytes(h.EvidenceHash), ProposerAddress: hexBytes(h.ProposerAddress),
	}
}

// headerLeaves are those of the table in spec 6.2.
func headerLeaves(h *cmttypes.Header) []hexBytes {
	leaves := []hexBytes{
		hexBytes(message{}.varint(1, int64(h.Version.Block)).varint(2, int64(h.Version.App))),
		hexBytes(message{}.bytes(1, []byte(h.ChainID))),
		hexBytes(message{}.varint(1, h.Height)),
		hexBytes(timestamp(h.Time)),
		hexBytes(blockID(h.LastBlockID)),
	}
	for _, b := range [][]byte{
		h.LastCommitHash, h.DataHash, h.ValidatorsHash, h.NextValidatorsHash, h.ConsensusHash, h.AppHash, h.LastResultsHash, h.EvidenceHash,
		h.ProposerAddress,
	} {
		leaves = append(leaves, hexBytes(message{}.bytes(1, b)))
	}
	return leaves
}

func timestamp(t time.Time) message {
	return message{}.varint(1, t.Unix()).varint(2, int64(t.Nanosecond()))
}

func blockID(id cmttypes.BlockID) message {
	p := message{}.varint(1, int64(id.PartSetHeader.Total)).bytes(2, id.PartSetHeader.Hash)
	return message{}.bytes(1, id.Hash).nested(2, p)
}

func (w *world) commitVector(b *cmttypes.Block) commitVector {
	c := b.LastCommit
	v := commitVector{Height: c.Height, Round: c.Round, Precommits: []precommitVector{}, Leaves: []hexBytes{}}
	if c.Height == 0 {
		return v
	}
	set := w.validatorsOf(c.Height)
	for i, s := range c.Signatures {
		p := precommitVector{Key: set.Validators[i].PubKey.Bytes(), Flag: int(s.BlockIDFlag)}
		p.Validator = w.validator(c.Height, set.Validators[i].Address).Name
		if s.BlockIDFlag == cmttypes.BlockIDFlagCommit {
			p.Time, p.Signature, p.Signed = s.Timestamp.UnixNano(), s.Signature, voteBytes(b.ChainID, c, s.Timestamp)
			if !bytes.Equal(p.Signed, c.VoteSignBytes(b.ChainID, int32(i))) {
				w.t.Fatalf("block %d: another precommit than CometBFT's", b.Height)
			}
		}
		leaf := message{}.varint(1, int64(s.BlockIDFlag)).bytes(2, s.ValidatorAddress).nested(3, timestamp(s.Timestamp)).bytes(4, s.Signature)
		v.Precommits, v.Leaves = append(v.Precommits, p), append(v.Leaves, hexBytes(leaf))
	}
	return v
}

// voteBytes is what a precommit signs. Spec 6.2.
func voteBytes(chain string, c *cmttypes.Commit, at time.Time) hexBytes {
	m := message{}.varint(1, 2)
	m = append(append(m, 2<<3|1), littleEndian(uint64(c.Height))...)
	if c.Round != 0 {
		m = append(append(m, 3<<3|1), littleEndian(uint64(c.Round))...)
	}
	m = m.nested(4, blockID(c.BlockID)).nested(5, timestamp(at)).bytes(6, []byte(chain))
	return append(hexBytes{byte(len(m))}, m...)
}

func (w *world) evidenceVector(e *cmttypes.DuplicateVoteEvidence) evidenceVector {
	v := evidenceVector{Bytes: e.Bytes(), Address: hexBytes(e.VoteA.ValidatorAddress), Height: e.VoteA.Height}
	v.Key = w.validator(v.Height, v.Address).Key
	var again message
	for i, vote := range []*cmttypes.Vote{e.VoteA, e.VoteB} {
		v.Votes = append(v.Votes, signedBytes{cmttypes.VoteSignBytes(w.Genesis.ChainId, vote.ToProto()), vote.Signature})
		again = again.nested(i+1, voteOf(vote))
	}
	again = again.varint(3, e.TotalVotingPower).varint(4, e.ValidatorPower).nested(5, timestamp(e.Timestamp))
	if !bytes.Equal(again, v.Bytes) {
		w.t.Fatal("the evidence has another encoding than CometBFT's")
	}
	return v
}

// voteOf is the encoding of a vote in evidence. Spec 6.2.
func voteOf(v *cmttypes.Vote) message {
	m := message{}.varint(1, int64(v.Type)).varint(2, v.Height).varint(3, int64(v.Round)).nested(4, blockID(v.BlockID)).nested(5, timestamp(v.Timestamp))
	return m.bytes(6, v.ValidatorAddress).varint(7, int64(v.ValidatorIndex)).bytes(8, v.Signature)
}
