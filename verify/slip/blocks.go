package slip

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/cometbft/cometbft/crypto/merkle"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/transparency-dev/merkle/rfc6962"

	"votenode/app/organisation"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/transcript"
	pb "votenode/proto/votenode/v1"
)

const second = 1_000_000_000

// blame finds, for a promise that is not kept, the block that leaves the ballot out: the validator made it behind the height of issue,
// while by its own clock voting was open. Where it is not shown, all blocks up to the height promised are, and none is such.
func (j *judge) blame(f *Finding) error {
	next := j.slip.Issued + 1
	for i, b := range j.c.Blocks {
		header, err := j.shown.EarlierHeader(b.GetBlock().GetProof(), b.GetBlock().GetHeader())
		if err != nil {
			return fmt.Errorf("block %d of the case: %w", i, err)
		}
		guilty, err := j.leavesOut(header, b)
		if err != nil {
			return fmt.Errorf("block %d: %w", header.Height, err)
		}
		if guilty {
			if len(j.c.Blocks) > 1 || header.Height <= j.slip.Issued || header.Height > j.slip.Promised {
				return fmt.Errorf("%w: block %d is not the one block that matters", ErrCase, header.Height)
			}
			f.Verdict, f.Height = Broken, header.Height
			return nil
		}
		if header.Height != next {
			return fmt.Errorf("%w: block %d is shown in the place of %d", ErrCase, header.Height, next)
		}
		next++
	}
	if next != j.slip.Promised+1 {
		return fmt.Errorf("%w: the promise is not kept, and the blocks from %d to %d are not shown", ErrCase, next, j.slip.Promised)
	}
	f.Verdict = NoTurn
	return nil
}

// leavesOut says whether the promising validator made a block, and could have brought the ballot in.
func (j *judge) leavesOut(header *cmttypes.Header, b *pb.ProposedBlock) (bool, error) {
	address := organisation.ConsensusAddress(j.slip.Validator)
	if !bytes.Equal(header.ProposerAddress, address[:]) {
		if len(b.Author) > 0 || len(b.Others) > 0 || b.ElectionRecord != nil || b.Parameters != nil {
			return false, fmt.Errorf("%w: another validator made it", ErrCase)
		}
		return false, nil
	}
	if err := transactionsOf(header.DataHash, b.Author, b.Others); err != nil {
		return false, err
	}
	made, signed := j.authored(header.Height, b.Author, b.Others)
	if !signed {
		if b.ElectionRecord != nil || b.Parameters != nil {
			return false, fmt.Errorf("%w: the validator did not sign it", ErrCase)
		}
		return false, nil
	}
	before, err := stateBefore(header)
	if err != nil {
		return false, err
	}
	closing, most, err := j.rules(before, b)
	return made < closing && uint64(j.size) <= most, err
}

// rules returns the closing, unix nanoseconds, and the greatest length of a ballot in the state before a block, by which an honest
// proposer goes. Where there is no such election yet, both are 0.
func (j *judge) rules(before state.Hash, b *pb.ProposedBlock) (closing int64, most uint64, err error) {
	key := state.ElectionKey(j.slip.Election)
	if b.ElectionRecord.GetAbsent() {
		if b.Parameters != nil {
			return 0, 0, fmt.Errorf("%w: the parameters of a state without the election", ErrCase)
		}
		return 0, 0, state.VerifyAbsence(before, key, b.ElectionRecord)
	}
	var e pb.Election
	if err := j.record(before, key, b.ElectionRecord, &e); err != nil {
		return 0, 0, err
	}
	var p pb.Parameters
	if err := j.record(before, state.KeyParameters, b.Parameters, &p); err != nil {
		return 0, 0, err
	}
	return e.Closing * second, p.Limits.BallotBytes, nil
}

// authored returns the time at which the promising validator says that it made a block of this height, of this first transaction and
// others with these hashes, by its own clock, unix nanoseconds; false where the first transaction does not say so. What it signed for
// other transactions, in another round, says nothing of this block.
func (j *judge) authored(height int64, first []byte, others [][]byte) (int64, bool) {
	parsed, err := tx.Parse(first)
	if err != nil || parsed.CheckSignature(j.slip.ChainId) != nil {
		return 0, false
	}
	m, ok := parsed.Body().(*pb.AuthorBlock)
	address := organisation.ConsensusAddress(j.slip.Validator)
	content := transcript.Digest(transcript.LabelBlockContent, others...)
	if !ok || m.Height != height || !bytes.Equal(m.Proposer, address[:]) || !bytes.Equal(m.Content, content[:]) {
		return 0, false
	}
	for _, v := range j.trust.At(height).Validators() {
		if bytes.Equal(v.Key, j.slip.Validator) {
			return m.Time, bytes.Equal(v.SlipKey, parsed.Signer())
		}
	}
	return 0, false
}

// transactionsOf verifies the first transaction of a block and the hashes of the others under the header's DataHash, the root of
// CometBFT's tree over the hashes of all. A block without transactions, or with one of no bytes, has neither. It fails with
// state.ErrProof.
func transactionsOf(dataHash, first []byte, others [][]byte) error {
	own := sha256.Sum256(first)
	hashes := append([][]byte{own[:]}, others...)
	none := len(first) == 0 && len(others) == 0 && bytes.Equal(dataHash, rfc6962.DefaultHasher.EmptyRoot())
	if !none && !bytes.Equal(dataHash, merkle.HashFromByteSlices(hashes)) {
		return fmt.Errorf("%w: these are not the transactions of the block", state.ErrProof)
	}
	return nil
}
