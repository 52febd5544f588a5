package audit

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"

	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/recount"
)

// records is what the recount is compared with: the state after a block of the replay.
type records interface {
	Record(key string) ([]byte, error)
	Records(prefix string, fn func(key string, value []byte) error) error
}

// second is the recount beside the replay.
type second struct {
	*recount.Recount
	checks checks
	replay *replay
	view   func() records // the newest state
	broken bool           // it contradicted itself or the replay, and goes no further
}

func newSecond(all checks, doc *pb.Genesis, r *replay) *second {
	recorded := func(id string, index uint64) ([]byte, error) { return r.leaf(state.LogBallots(id), index) }
	return &second{
		Recount: recount.New(doc, recorded, r.space), checks: all, replay: r, view: func() records { return r.view() },
	}
}

// block counts a block that the replay has executed, and compares which transactions took effect, and the records of elections that
// have moved. Spec 11.2, checks 17 to 24.
func (s *second) block(b *block, o *app.Outcome) error {
	if s.broken {
		return nil
	}
	in := &recount.Block{
		Height: b.Height, Time: b.Time.UnixNano(), Hash: [32]byte(b.Hash()), Txs: make([][]byte, len(b.Txs)),
		Verdicts: make([]recount.Verdict, len(b.Txs)), Signers: signers(b),
	}
	for _, m := range misbehaviour(b) {
		in.Evidence = append(in.Evidence, recount.Evidence{Address: m.Address, Type: m.Type, Height: m.Height, Time: m.Time})
	}
	for i, raw := range b.Txs {
		in.Txs[i] = raw
		switch v := b.verdicts[i]; {
		case v.Verified != nil:
			in.Verdicts[i].Ballot = v.Verified.Ballot()
		case v.Refusal != nil:
			in.Verdicts[i].Code = uint32(v.Refusal.Code)
		}
	}
	refusals, err := s.Block(in)
	var system *fs.PathError
	if errors.As(err, &system) {
		return err
	}
	if err != nil {
		s.broken = true
		s.checks.fault(checkTransactions, "height %d: %v", b.Height, err)
		return nil
	}
	s.checks.read(checkTransactions, int64(len(b.Txs)))
	for i, refusal := range refusals {
		switch took := o.Results[i].Code == tx.CodeOK; {
		case took && refusal != nil:
			s.checks.fault(checkTransactions, "height %d: transaction %d took effect, and may not: %v", b.Height, i, refusal)
			s.broken = true
		case !took && refusal == nil:
			s.checks.fault(checkTransactions, "height %d: transaction %d was refused (%v), and may not be", b.Height, i, o.Results[i].Code)
			s.broken = true
		}
	}
	for _, id := range s.Moved() {
		if err := s.compare(b.Height, "election/"+id, func(emit recount.Emit) error { return s.Records(id, emit) }); err != nil {
			return err
		}
	}
	return nil
}

// signers are those whose precommits for the block before stand in the block.
func signers(b *block) map[[20]byte]bool {
	all := map[[20]byte]bool{}
	for _, c := range b.LastCommit.Signatures {
		if c.BlockIDFlag == cmttypes.BlockIDFlagCommit {
			all[[20]byte(c.ValidatorAddress)] = true
		}
	}
	return all
}

// subjects are the checks of the records that the recount makes.
var subjects = map[recount.Subject]int{
	recount.Ledger: checkLedger, recount.Elections: checkElections, recount.Rolls: checkRolls, recount.Keys: checkKeys,
	recount.Ballots: checkBallots, recount.Sums: checkSums, recount.Tally: checkTally, recount.Lists: checkLists,
}

// compare holds the records of the recount against those of the replay: each has the same value, and below a folder of keys there are
// no others; the folder "" is the whole map. The error is that of tell.
func (s *second) compare(height int64, folder string, tell func(recount.Emit) error) error {
	view, known := s.view(), map[string]bool{}
	if err := tell(func(subject recount.Subject, key string, value []byte) {
		known[key] = true
		theirs, err := view.Record(key)
		s.checks.read(subjects[subject], 1)
		switch {
		case err != nil:
			s.checks.fault(checkState, "height %d: record %s: %v", height, key, err)
		case theirs == nil:
			s.checks.fault(subjects[subject], "height %d: the state lacks the record %s", height, key)
		case !bytes.Equal(theirs, value):
			s.checks.fault(subjects[subject], "height %d: the record %s is another by the recount", height, key)
		}
	}); err != nil {
		return err
	}
	err := view.Records(folder, func(key string, _ []byte) error {
		if !known[key] && (folder == "" || key == folder || strings.HasPrefix(key, folder+"/")) {
			s.checks.fault(checkElections, "height %d: the recount knows no record %s", height, key)
		}
		return nil
	})
	if err != nil {
		s.checks.fault(checkState, "height %d: %v", height, err)
	}
	return nil
}

// end compares all records after the last block.
func (s *second) end() error {
	if s.broken {
		return nil
	}
	height := s.replay.view().Height()
	if err := s.compare(height, "", s.All); err != nil {
		return err
	}
	root, err := s.Root()
	if err != nil {
		return err
	}
	s.checks.expect(root == s.replay.view().AppHash(), checkLedger, "height %d: by the recount the records have another root than AppHash", height)
	for _, number := range subjects {
		s.checks.read(number, 0)
	}
	return nil
}
