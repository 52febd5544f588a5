package rehearsal

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"testing/fstest"
	"time"

	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/verify/record"
)

// Encode returns the encoding of a block.
func Encode(b *cmttypes.Block) []byte {
	m := must(b.ToProto())
	return must(m.Marshal())
}

// Clone returns blocks that share nothing with others.
func Clone(blocks []*cmttypes.Block) []*cmttypes.Block {
	out := make([]*cmttypes.Block, len(blocks))
	for i, b := range blocks {
		var m cmtproto.Block
		if err := m.Unmarshal(Encode(b)); err != nil {
			panic(err)
		}
		out[i] = must(cmttypes.BlockFromProto(&m))
	}
	return out
}

// ID returns the id under which a block is signed.
func ID(b *cmttypes.Block) cmttypes.BlockID {
	parts := cmttypes.NewPartSetFromData(Encode(b), cmttypes.BlockPartSizeBytes)
	return cmttypes.BlockID{Hash: b.Hash(), PartSetHeader: parts.Header()}
}

// seal brings the hashes of a block's contents into its header.
func seal(b *cmttypes.Block) {
	b.Data = cmttypes.Data{Txs: b.Txs}
	b.Evidence = cmttypes.EvidenceData{Evidence: b.Evidence.Evidence}
	b.LastCommit = &cmttypes.Commit{
		Height: b.LastCommit.Height, Round: b.LastCommit.Round, BlockID: b.LastCommit.BlockID, Signatures: b.LastCommit.Signatures,
	}
	b.DataHash, b.EvidenceHash, b.LastCommitHash = b.Data.Hash(), b.Evidence.Hash(), b.LastCommit.Hash()
}

// Seal makes a chain of changed blocks whole again, in place: it brings the hashes of contents into the headers, links each header to the
// one before, and has those who had signed a block sign what it has become. What headers say of state, validators and time stays as it
// is.
func (l *Ledger) Seal(blocks []*cmttypes.Block) {
	for i, b := range blocks {
		if i > 0 {
			b.LastBlockID = ID(blocks[i-1])
			b.LastCommit.BlockID = b.LastBlockID
			for at := range b.LastCommit.Signatures {
				l.signAgain(b.LastCommit, at)
			}
		}
		seal(b)
	}
}

// signAgain renews a signature of a commit.
func (l *Ledger) signAgain(c *cmttypes.Commit, at int) {
	s := &c.Signatures[at]
	if s.BlockIDFlag == cmttypes.BlockIDFlagAbsent {
		return
	}
	s.Signature = must(l.consensusKey(s.ValidatorAddress).Sign(c.VoteSignBytes(l.Genesis.ChainId, int32(at))))
}

// consensusKey finds the key of an address among the validators that there may be.
func (l *Ledger) consensusKey(address []byte) cmted25519.PrivKey {
	for _, o := range Organisations {
		for n := 1; n <= 9; n++ {
			key := cmted25519.PrivKey(Key(Validator(o, n).Name))
			if string(key.PubKey().Address()) == string(address) {
				return key
			}
		}
	}
	panic("rehearsal: no validator has this address")
}

// sign makes the commit of the newest block, with timestamps that make now the median.
func (l *Ledger) sign() *cmttypes.Commit {
	last := l.last()
	if last == nil {
		return &cmttypes.Commit{}
	}
	c := &cmttypes.Commit{Height: last.Height, BlockID: ID(last)}
	for i, v := range l.lastSet.Validators {
		if l.absent(v.Address) {
			c.Signatures = append(c.Signatures, cmttypes.NewCommitSigAbsent())
			continue
		}
		c.Signatures = append(c.Signatures, cmttypes.CommitSig{
			BlockIDFlag: cmttypes.BlockIDFlagCommit, ValidatorAddress: v.Address, Timestamp: l.now,
		})
		l.signAgain(c, i)
	}
	return c
}

func (l *Ledger) absent(address []byte) bool {
	for name, absent := range l.Absent {
		if absent && string(cmted25519.PrivKey(Key(name)).PubKey().Address()) == string(address) {
			return true
		}
	}
	return false
}

// DoubleVote returns evidence that a validator precommitted two blocks of a height.
func (l *Ledger) DoubleVote(name string, height int64) *cmttypes.DuplicateVoteEvidence {
	key := cmted25519.PrivKey(Key(name))
	set, at := l.set, l.Blocks[height-1].Time
	vote := func(content string) *cmttypes.Vote {
		hash := sha256.Sum256([]byte(content))
		index, _ := set.GetByAddress(key.PubKey().Address())
		v := &cmttypes.Vote{
			Type: cmtproto.PrecommitType, Height: height, Timestamp: at.Add(time.Second), ValidatorIndex: index,
			ValidatorAddress: key.PubKey().Address(),
			BlockID:          cmttypes.BlockID{Hash: hash[:], PartSetHeader: cmttypes.PartSetHeader{Total: 1, Hash: hash[:]}},
		}
		v.Signature = must(key.Sign(cmttypes.VoteSignBytes(l.Genesis.ChainId, v.ToProto())))
		return v
	}
	return must(cmttypes.NewDuplicateVoteEvidence(vote("one"), vote("two"), at, set))
}

// Folder returns a record of encoded blocks, with an index that fits whatever they are.
func Folder(chain string, document, approvals []byte, blocks [][]byte) fstest.MapFS {
	files := fstest.MapFS{}
	hash := sha256.Sum256(document)
	index := &record.Index{Format: record.Format, Chain: chain, GenesisHash: hex.EncodeToString(hash[:]), Height: int64(len(blocks))}
	put := func(name string, content []byte) {
		digest := sha256.Sum256(content)
		files[name] = &fstest.MapFile{Data: content, Mode: 0o644}
		index.Files = append(index.Files, record.File{Name: name, Bytes: int64(len(content)), SHA256: hex.EncodeToString(digest[:])})
	}
	put(record.GenesisName, document)
	put(record.ApprovalsName, approvals)
	var content []byte
	for _, b := range blocks {
		content = append(binary.BigEndian.AppendUint64(content, uint64(len(b))), b...)
	}
	put(record.BlocksName(1), content)
	files[record.IndexName] = &fstest.MapFile{Data: index.Bytes(), Mode: 0o644}
	return files
}
