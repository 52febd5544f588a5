package vectors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// checkVoters puts every transcript and every choice together again, and counts the choices.
func (v *vectors) checkVoters() error {
	f := &v.voters
	var list []error
	var leaves []hexBytes
	for _, s := range v.states.States {
		for _, l := range s.Logs {
			if l.Log == "election/poll/ballots" {
				leaves = append(leaves, l.Leaves...)
			}
		}
	}
	newest, options := map[uint64]*choiceVector{}, 0 // by roll index
	recorded := uint64(0)
	for i := range f.Choices {
		c := &f.Choices[i]
		var choices message
		for _, chosen := range c.Options {
			var packed message
			for _, option := range chosen {
				packed, options = binary.AppendUvarint(packed, uint64(option)), max(options, int(option)+1)
			}
			choices = choices.nested(5, message{}.bytes(1, packed))
		}
		body := message{}.bytes(1, []byte(c.Election)).varint(2, int64(c.RollIndex)).varint(3, int64(c.Sequence)).varint(4, int64(c.Style))
		list = append(list, v.checkSigned(&c.signedVector), same("body", c.Body, append(body, choices...)),
			same("code", c.Code.Bytes, framed("votenode/v1/choice-code", []byte(f.Chain), c.Body)), same("code", c.Code.Hash, hash(c.Code.Bytes)))
		if (c.LogIndex == nil) != (c.votersVoice.Code != 0) {
			return fmt.Errorf("choice %d: recorded or not", i)
		}
		if c.LogIndex == nil {
			continue
		}
		if *c.LogIndex != recorded || recorded >= uint64(len(leaves)) {
			return fmt.Errorf("choice %d has not the place %d", i, recorded)
		}
		list = append(list, same("leaf", leaves[recorded], v.transaction(c.Height, c.Index).Bytes), v.checkVoterLeaf(c))
		newest[c.RollIndex] = c
		recorded++
	}
	for i := range f.Posts {
		list = append(list, v.checkSigned(&f.Posts[i]))
	}
	var counted []uint64
	votes := make([]byte, options)
	for _, c := range newest {
		counted = append(counted, *c.LogIndex)
		for _, option := range c.Options[0] {
			votes[option]++
		}
	}
	if slices.Sort(counted); !slices.Equal(counted, slices.Sorted(slices.Values(f.Counted))) || int(recorded) != len(leaves) {
		list = append(list, fmt.Errorf("%v count", counted))
	}
	results := v.record("election/poll/result/00000")
	list = append(list, same("result", f.Result, message{}.varint(1, 4).varint(2, int64(len(counted))).nested(3, votes)),
		same("result", f.Result, results[len(results)-1].Value))
	kinds := map[uint32]int{}
	for i := range f.Posts {
		kinds[f.Posts[i].Kind]++
	}
	if len(f.Choices) != 9 || recorded != 4 || len(kinds) != 3 {
		list = append(list, errors.New("choices or posts are missing"))
	}
	return errors.Join(list...)
}

// checkSigned writes the transcript of 3.16.
func (v *vectors) checkSigned(s *signedVector) error {
	x := v.transaction(s.Height, s.Index)
	t := slices.Concat(
		frame([]byte("votenode/v1/voter-transaction")), frame([]byte("version"), number(1)), frame([]byte("chain"), []byte(v.voters.Chain)),
		frame([]byte("election"), []byte(s.Election)), frame([]byte("roll-index"), number(s.RollIndex)), frame([]byte("voter"), s.Voter),
		frame([]byte("kind"), number(uint64(s.Kind))), frame([]byte("body"), s.Body), frame([]byte("nonce"), s.Signature.R), frame([]byte("signature")),
	)
	if s.Kind != x.Kind || s.Code != x.Code || s.Result != x.Result || len(s.Transcript.Challenges) != 1 {
		return fmt.Errorf("transaction %d of block %d is another", s.Index, s.Height)
	}
	return errors.Join(same("body", s.Body, x.Body), same("signature", x.Signature, slices.Concat(s.Signature.R, s.Signature.S)),
		same("voter", s.Voter, v.ballots.Election.Roll[s.RollIndex].Key), same("transcript", s.Transcript.Bytes, t), checkTranscript(s.Transcript),
		same("election", message(x.Body)[:len(s.Election)+2], message{}.bytes(1, []byte(s.Election))))
}

// checkVoterLeaf looks for the leaf of the voters' tree that a recorded choice makes. Spec 19.3.
func (v *vectors) checkVoterLeaf(c *choiceVector) error {
	for _, s := range v.states.States {
		for _, t := range s.Voters {
			if s.Height != c.Height || t.Key != "election/poll/voters" {
				continue
			}
			for _, l := range t.Leaves {
				if l.Index == c.RollIndex {
					made := message{}.varint(1, 1).varint(2, int64(c.Sequence)).varint(3, int64(*c.LogIndex)).bytes(4, c.Code.Hash)
					return same("leaf without the time", l.Leaf[:min(len(made), len(l.Leaf))], made)
				}
			}
		}
	}
	return fmt.Errorf("the choice %d of block %d has changed no leaf", c.Index, c.Height)
}
