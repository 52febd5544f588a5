package gateway

import (
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/election"
	"votenode/app/organisation"
	"votenode/app/state"
	"votenode/genesis"
	pb "votenode/proto/votenode/v1"
)

// sets are validator sets, ascending by epoch.
type sets []pb.ValidatorEpoch

// setsOf returns all validator sets that this node can name: of the genesis document, of the proofs that it keeps, and of the state. A
// node that was not there to see an announcement certified may lack some.
func (s *Server) setsOf(view *state.Snapshot) (sets, error) {
	doc, err := genesis.Parse(s.source.Document)
	if err != nil {
		return nil, err
	}
	known := sets{*organisation.FirstEpoch(doc)}
	add := func(list ...pb.ValidatorEpoch) {
		for _, e := range list {
			if e.Number > known[len(known)-1].Number {
				known = append(known, e)
			}
		}
	}
	proofs, _ := s.source.Epochs() // where there are none the state still has the newest
	for _, p := range proofs {
		var record pb.ValidatorEpochs
		if leaves := p.GetValidators().GetLeaves(); len(leaves) == 1 && election.Decode(leaves[0].Value, &record) == nil {
			add(record.Next)
		}
	}
	record, err := state.MustLoad[pb.ValidatorEpochs](view, state.KeyValidators)
	if err != nil {
		return nil, err
	}
	add(record.Present, record.Next)
	return known, nil
}

// at returns the set that signs at a height, nil where this node cannot name it.
func (s sets) at(height int64) *pb.ValidatorEpoch {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i].FirstHeight > height {
			continue
		}
		if i+1 < len(s) && s[i+1].Number != s[i].Number+1 {
			return nil
		}
		return &s[i]
	}
	return nil
}

// precommits are those of a height, as the next block carries them.
type precommits struct {
	Height   int64     `json:"height"`
	Time     time.Time `json:"time"`
	Block    digits    `json:"block"`
	Proposer digits    `json:"proposer"`
	// Round is that in which the block was decided.
	Round      int32       `json:"round"`
	Signatures []signature `json:"signatures"`
}

// signature is what a validator signed at a height.
type signature struct {
	Address      digits `json:"address"`
	Organisation string `json:"organisation"`
	Validator    string `json:"validator"`
	Power        int64  `json:"power"`
	// Vote is block, nil or absent, Time the validator's clock when it signed, of what is not absent.
	Vote string     `json:"vote"`
	Time *time.Time `json:"time,omitempty"`
}

// signatures serves GET /v1/signatures?from=A&limit=N: who signed the blocks of the heights from A on.
func (s *Server) signatures(r *http.Request) (any, error) {
	q := queryOf(r)
	from, limit := q.required("from"), q.limit(maxHeights)
	if err := q.done(); err != nil {
		return nil, err
	}
	if from == 0 {
		return nil, bad("from is at least 1, the first height")
	}
	view, err := s.newest()
	if err != nil {
		return nil, err
	}
	known, err := s.setsOf(view)
	if err != nil {
		return nil, err
	}
	answer := struct {
		Height  int64        `json:"height"`
		Heights []precommits `json:"heights"`
		Next    *uint64      `json:"next,omitempty"`
	}{Height: view.Height(), Heights: []precommits{}}
	end := uint64(max(view.Height(), 1)) // the precommits of the newest height are on the ledger with the next block
	for h := from; h < min(end, from+uint64(limit)); h++ {
		set := known.at(int64(h))
		if set == nil {
			return nil, missing("this node cannot name the validators of height %d; ask another one", h)
		}
		meta, commit := s.source.Blocks.LoadBlockMeta(int64(h)), s.source.Blocks.LoadBlockCommit(int64(h))
		if meta == nil || commit == nil {
			return nil, missing("block %d, or the one after it, does not exist here", h)
		}
		answer.Heights, answer.Next = append(answer.Heights, precommitsOf(meta, commit, set)), nextOf(h+1, end)
	}
	return answer, nil
}

func precommitsOf(meta *cmttypes.BlockMeta, commit *cmttypes.Commit, set *pb.ValidatorEpoch) precommits {
	shown := precommits{
		Height: meta.Header.Height, Time: meta.Header.Time.UTC(), Block: digits(meta.BlockID.Hash), Proposer: digits(meta.Header.ProposerAddress),
		Round: commit.Round, Signatures: make([]signature, len(set.Validators)),
	}
	signed := map[string]*cmttypes.CommitSig{}
	for i := range commit.Signatures {
		signed[string(commit.Signatures[i].ValidatorAddress)] = &commit.Signatures[i]
	}
	for i, v := range set.Validators {
		address := organisation.ConsensusAddress(v.Key)
		each := signature{Address: address[:], Organisation: v.Organisation, Validator: v.Name, Power: v.Power, Vote: "absent"}
		if found := signed[string(address[:])]; found != nil {
			moment := found.Timestamp.UTC()
			each.Vote, each.Time = "nil", &moment
			if found.BlockIDFlag == cmttypes.BlockIDFlagCommit {
				each.Vote = "block"
			}
		}
		shown.Signatures[i] = each
	}
	return shown
}

// misbehaviour is evidence that a block carried.
type misbehaviour struct {
	// Height is that at which the validator misbehaved, Reported that of the block with the evidence.
	Height   int64     `json:"height"`
	Reported int64     `json:"reported"`
	Time     time.Time `json:"time"`
	Type     string    `json:"type"`
	Address  digits    `json:"address"`
	// Organisation and Validator are absent where this node cannot name them.
	Organisation string `json:"organisation,omitempty"`
	Validator    string `json:"validator,omitempty"`
}

// misbehaviours serves GET /v1/evidence?after=K&limit=N, ascending by height.
func (s *Server) misbehaviours(r *http.Request) (any, error) {
	view, err := s.newest()
	if err != nil {
		return nil, err
	}
	known, err := s.setsOf(view)
	if err != nil {
		return nil, err
	}
	list, next, err := askedPage(r, view, state.MisbehaviourPrefix, func(rest string, m *pb.Misbehaviour) (misbehaviour, int, error) {
		shown, err := misbehaviourOf(known, rest, m)
		return shown, 0, err
	})
	return struct {
		Height   int64          `json:"height"`
		Evidence []misbehaviour `json:"evidence"`
		Next     string         `json:"next,omitempty"`
	}{view.Height(), list, next}, err
}

// misbehaviourOf reads a record whose key ends with height and address.
func misbehaviourOf(known sets, rest string, m *pb.Misbehaviour) (shown misbehaviour, err error) {
	number, address, _ := strings.Cut(rest, "/")
	shown = misbehaviour{Reported: m.Reported, Time: time.Unix(0, m.Time).UTC(), Type: words("", abcitypes.MisbehaviorType(m.Type))}
	if shown.Height, err = strconv.ParseInt(number, 10, 64); err != nil {
		return shown, err
	}
	if shown.Address, err = hex.DecodeString(address); err != nil {
		return shown, err
	}
	if set := known.at(shown.Height); set != nil {
		for _, v := range set.Validators {
			if own := organisation.ConsensusAddress(v.Key); string(own[:]) == string(shown.Address) {
				shown.Organisation, shown.Validator = v.Organisation, v.Name
			}
		}
	}
	return shown, nil
}
