package vectors

import (
	"bytes"
	"math/bits"
	"slices"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
)

// forgedState is a state that no ledger has, of some records in ascending order of their keys: validators that all lie can sign it.
type forgedState []forgedRecord

type forgedRecord struct {
	key   string
	value []byte
}

func (s forgedState) leaves() (list []hexBytes) {
	for _, r := range s {
		list = append(list, recordLeaf(r.key, hash(r.value)))
	}
	return list
}

// prove shows the record at a place.
func (s forgedState) prove(at int) *pb.RecordProof {
	turns, path := wayTo(s.leaves(), at)
	return &pb.RecordProof{Key: s[at].key, Leaves: []*pb.RecordLeaf{{Key: s[at].key, Value: s[at].value, Turns: turns, Path: path}}}
}

// wayTo returns the path of a leaf, from the leaf up, and its turns. Spec 5.6.
func wayTo(leaves []hexBytes, at int) (turns uint64, path [][]byte) {
	if len(leaves) == 1 {
		return 0, nil
	}
	k := 1 << (bits.Len(uint(len(leaves)-1)) - 1)
	if at < k {
		turns, path = wayTo(leaves[:k], at)
		return turns, append(path, root(leaves[k:]))
	}
	turns, path = wayTo(leaves[k:], at-k)
	return turns | 1<<len(path), append(path, root(leaves[:k]))
}

// attest has a child of a certified state attest this state, signed.
func (s forgedState) attest(w *world, c *pb.CertifiedState) {
	w.sign(c.Children[0], func(h *cmttypes.Header) { h.AppHash = []byte(root(s.leaves())) })
}

// headOf is a head as it stands in a record. Spec 5.1.
func headOf(leaves []hexBytes) []byte { return append(number(uint64(len(leaves))), root(leaves)...) }

// forged is what the state of a receipt says of one ballot, its voter and the election.
type forged struct {
	ballot   *pb.CastBallot
	voter    *pb.Voter
	leaf     []byte // of the voter, instead of the canonical one
	election *pb.Election
}

// forge brings what is changed into the state of the receipt of the ballot at place 3, by the voter 3. The other leaves of the log are
// of no meaning.
func forge(change func(f *forged)) func(*good, *pb.ProofFile) {
	write := func(g *good, p *pb.ProofFile, change func(f *forged)) {
		r := p.GetReceipt()
		cast := must(tx.Parse(bytes.Clone(r.Ballot)))
		f := &forged{ballot: cast.Body().(*pb.CastBallot), voter: new(pb.Voter), election: new(pb.Election)}
		g.must(election.Decode(bytes.Clone(r.Voter), f.voter))
		g.must(election.Decode(r.ElectionRecord.Leaves[0].Value, f.election))
		change(f)
		if f.leaf == nil {
			f.leaf = election.Encode(f.voter)
		}
		r.Ballot, r.Voter = tx.Ballot(f.ballot, cast.Signature()), f.leaf
		var ballots, voters []hexBytes
		for i := range 8 {
			ballots, voters = append(ballots, hash(number(uint64(i)))), append(voters, nil)
		}
		ballots[r.LogIndex], voters[f.ballot.RollIndex] = r.Ballot, r.Voter
		s := forgedState{
			{state.ElectionKey(primary), election.Encode(f.election)}, {state.VotersKey(primary), headOf(voters)},
			{state.LogKey(state.LogBallots(primary)), headOf(ballots)},
		}
		_, r.BallotPath = wayTo(ballots, int(r.LogIndex))
		_, r.VoterPath = wayTo(voters, int(f.ballot.RollIndex))
		r.ElectionRecord, r.Voters, r.Ballots = s.prove(0), s.prove(1), s.prove(2)
		s.attest(g.world, r.Ledger.State)
	}
	return func(g *good, p *pb.ProofFile) {
		write(g, p, func(*forged) {})
		g.must(g.judge(election.Encode(p), p.GetReceipt().LogIndex, later)) // what is not changed passes
		write(g, p, change)
	}
}

// forgedFaults are about records that do not fit each other, all proven and signed.
var forgedFaults = []fault{
	{"a ballot of another election in the log, signed", "12.5", "receipt", forge(func(f *forged) {
		f.ballot.Election = "another"
		code := ballot.ConfirmationCode(rehearsal.Chain, primary, f.ballot.Style, f.ballot.RollIndex, f.ballot.Sequence, f.ballot.Ciphertext)
		f.voter.Code = code[:]
	})},
	{"a leaf with another code of the same number, signed", "12.5", "receipt", forge(func(f *forged) { f.voter.Code = hash(nil) })},
	{"a leaf with another number at the same place, signed", "12.5", "receipt", forge(func(f *forged) { f.voter.Sequence++ })},
	{"a leaf with the same number at another place, signed", "12.5", "receipt", forge(func(f *forged) { f.voter.LogIndex++ })},
	{"a leaf with a greater number at an earlier place, signed", "12.5", "receipt", forge(func(f *forged) {
		f.voter.Sequence, f.voter.LogIndex, f.voter.Code = f.voter.Sequence+1, f.voter.LogIndex-1, hash(nil)
	})},
	{"a leaf with a smaller number at a later place, signed", "12.5", "receipt", forge(func(f *forged) {
		f.voter.Sequence, f.voter.LogIndex, f.voter.Code = f.voter.Sequence-1, f.voter.LogIndex+1, hash(nil)
	})},
	{"a leaf with the same code at another number and place, signed", "12.5", "receipt", forge(func(f *forged) {
		f.voter.Sequence, f.voter.LogIndex = f.voter.Sequence+1, f.voter.LogIndex+1
	})},
	{"a leaf of a voter without ballot, signed", "12.5", "receipt", forge(func(f *forged) { *f.voter = pb.Voter{} })},
	{"a leaf of a revoked voter without ballot, signed", "12.5", "receipt", forge(func(f *forged) { *f.voter = pb.Voter{Status: pb.VOTER_REVOKED} })},
	{"a leaf that is not canonical, signed", "12.5", "receipt", forge(func(f *forged) { f.leaf = append(election.Encode(f.voter), 0x30, 1) })},
	{"a ballot before voting, signed", "12.5", "receipt", forge(func(f *forged) { f.election.Phase = pb.PHASE_READY })},
}

// announce changes what the state that announces the second epoch says, signed.
func announce(change func(e *pb.ValidatorEpochs, height int64)) func(*good, *pb.ProofFile) {
	write := func(g *good, p *pb.ProofFile, change func(e *pb.ValidatorEpochs, height int64)) {
		proof := p.GetReceipt().Ledger.Epochs[0]
		record := new(pb.ValidatorEpochs)
		g.must(election.Decode(proof.Validators.Leaves[0].Value, record))
		record.Present.Validators, record.Next.Validators = slices.Clone(record.Present.Validators), slices.Clone(record.Next.Validators)
		change(record, g.heightOf(proof.State))
		s := forgedState{{state.KeyValidators, election.Encode(record)}}
		proof.Validators = s.prove(0)
		s.attest(g.world, proof.State)
	}
	return func(g *good, p *pb.ProofFile) {
		write(g, p, func(*pb.ValidatorEpochs, int64) {})
		g.must(g.judge(election.Encode(p), g.Receipts[laterReceipt].RollIndex, later))
		write(g, p, change)
	}
}

// heightOf returns the height of the first child.
func (w *world) heightOf(c *pb.CertifiedState) int64 {
	var m cmtproto.Header
	w.must(m.Unmarshal(c.Children[0].Header))
	return m.Height
}

// epochFaults are about the proof of the second epoch, in its order.
var epochFaults = []fault{
	{"another number of the present epoch, signed", "6.5", "epoch", announce(func(e *pb.ValidatorEpochs, _ int64) { e.Present.Number, e.Next.Number = 2, 3 })},
	{"another first height of the present epoch, signed", "6.5", "epoch", announce(func(e *pb.ValidatorEpochs, _ int64) { e.Present.FirstHeight = 2 })},
	{"a present validator with another address, signed", "6.5", "epoch", announce(func(e *pb.ValidatorEpochs, _ int64) {
		e.Present.Validators[0].Address = "192.0.2.1:26656"
	})},
	{"no epoch announced, signed", "6.5", "epoch", announce(func(e *pb.ValidatorEpochs, _ int64) { e.Next = pb.ValidatorEpoch{} })},
	{"the epoch after the next one announced, signed", "6.5", "epoch", announce(func(e *pb.ValidatorEpochs, _ int64) { e.Next.Number++ })},
	{"an epoch that begins at the height of the children, signed", "6.5", "epoch", announce(func(e *pb.ValidatorEpochs, height int64) {
		e.Next.FirstHeight = height
	})},
	{"a validator of no organisation of genesis, signed", "6.5", "epoch", announce(func(e *pb.ValidatorEpochs, _ int64) {
		e.Next.Validators[0].Organisation = "another"
	})},
	{"a key that goes to another organisation, signed", "6.5", "epoch", announce(func(e *pb.ValidatorEpochs, _ int64) {
		list := e.Next.Validators
		for i := range list {
			for j := range list {
				if list[i].Organisation < list[j].Organisation {
					list[i].Organisation, list[j].Organisation = list[j].Organisation, list[i].Organisation
					return
				}
			}
		}
	})},
	{"two thirds of the power for an organisation, signed", "6.5", "epoch", announce(func(e *pb.ValidatorEpochs, _ int64) {
		for i := range e.Next.Validators {
			if v := &e.Next.Validators[i]; v.Organisation == "party" {
				v.Power *= 2
			}
		}
	})},
	{"validators of the next epoch out of order, signed", "6.5", "epoch", announce(func(e *pb.ValidatorEpochs, _ int64) { slices.Reverse(e.Next.Validators) })},
	{"a validator of the next epoch twice, signed", "6.5", "epoch", announce(func(e *pb.ValidatorEpochs, _ int64) {
		e.Next.Validators = append(e.Next.Validators[:1:1], e.Next.Validators...)
	})},
}
