package slip

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/organisation"
	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
)

// Source is what a node has to make cases of.
type Source interface {
	// StateAt returns the state after a height, or fails with state.ErrPruned.
	StateAt(height int64) (*state.Snapshot, error)
	// BlockAt returns a block, nil where there is none.
	BlockAt(height int64) *cmttypes.Block
}

// maker makes one case.
type maker struct {
	source Source
	newest *state.Snapshot // the state that the ledger shows
	c      *pb.SlipCase
	s      *pb.AcceptanceSlip
}

// NewCase makes the case of a promise under a certified state that ledger shows: newest is that state. Judge gives the verdict; NewCase
// fails where the promise is not about this ledger, or with ErrEarly, state.ErrPruned or state.ErrNotFound.
func NewCase(source Source, ledger *pb.LedgerState, newest *state.Snapshot, p *pb.Promise) (*pb.SlipCase, error) {
	m := &maker{source: source, newest: newest, s: p.GetSlip(), c: &pb.SlipCase{Promise: p, Ledger: ledger}}
	if m.s == nil || m.s.Issued < 1 || m.s.Promised <= m.s.Issued || m.s.Promised-m.s.Issued > MaxSpan {
		return nil, fmt.Errorf("%w: its heights are out of range", ErrSlip)
	}
	if m.s.Issued > newest.Height() {
		return nil, fmt.Errorf("%w: issued at %d, certified is %d", ErrEarly, m.s.Issued, newest.Height())
	}
	judged := min(m.s.Promised, newest.Height())
	if err := m.state(judged); err != nil {
		return nil, err
	}
	if m.s.Issued > 1 {
		var err error
		if m.c.Before, err = m.earlier(m.s.Issued - 1); err != nil {
			return nil, err
		}
	}
	if judged == m.s.Promised {
		if err := m.blocks(judged); err != nil {
			return nil, err
		}
	}
	return m.c, nil
}

// state shows what the judged state says of the voter.
func (m *maker) state(judged int64) (err error) {
	s := m.newest
	if judged < m.newest.Height() {
		if s, err = m.source.StateAt(judged); err != nil {
			return err
		}
		if m.c.Judged, err = m.block(judged + 1); err != nil {
			return err
		}
	}
	if m.c.Voter, err = s.Voter(m.s.Election, m.s.RollIndex); err != nil {
		return err
	}
	if m.c.VoterPath, err = s.ProveVoter(m.s.Election, m.s.RollIndex); err != nil {
		return err
	}
	return prove(s, []wanted{
		{state.VotersKey(m.s.Election), &m.c.Voters}, {state.ElectionKey(m.s.Election), &m.c.ElectionRecord},
		{state.SpoiledKey(m.s.Election, m.s.RollIndex), &m.c.Spoiled},
	})
}

// wanted is a record, and where its proof belongs.
type wanted struct {
	key   string
	place **pb.RecordProof
}

func prove(s *state.Snapshot, records []wanted) (err error) {
	for _, r := range records {
		if *r.place, err = s.ProveRecord(r.key); err != nil {
			return err
		}
	}
	return nil
}

// earlier shows a block in the blocks log of the newest state.
func (m *maker) earlier(height int64) (p *pb.BlockProof, err error) {
	p = new(pb.BlockProof)
	if p.Head, err = m.newest.ProveRecord(state.LogKey(state.LogBlocks)); err != nil {
		return nil, err
	}
	if p.Leaf, err = m.newest.Leaf(state.LogBlocks, uint64(height-1)); err != nil {
		return nil, err
	}
	p.Path, err = m.newest.ProveInclusion(state.LogBlocks, uint64(height-1), uint64(m.newest.Height()))
	return p, err
}

// block shows a block with its header.
func (m *maker) block(height int64) (*pb.EarlierBlock, error) {
	b := m.source.BlockAt(height)
	if b == nil {
		return nil, fmt.Errorf("block %d: %w", height, state.ErrNotFound)
	}
	header, err := b.Header.ToProto().Marshal()
	if err != nil {
		return nil, err
	}
	p, err := m.earlier(height)
	return &pb.EarlierBlock{Proof: p, Header: header}, err
}

// blocks shows the block that leaves the ballot out, or all up to the height promised, unless the promise is kept.
func (m *maker) blocks(judged int64) error {
	j, root, err := m.judge(judged)
	if err != nil {
		return err
	}
	if how, err := j.kept(root); err != nil || how != "" {
		return err
	}
	for height := m.s.Issued + 1; height <= m.s.Promised; height++ {
		b, guilty, err := m.proposed(j, height)
		if err != nil {
			return err
		}
		if guilty {
			m.c.Blocks = []*pb.ProposedBlock{b}
			return nil
		}
		m.c.Blocks = append(m.c.Blocks, b)
	}
	return nil
}

// judge opens the case that is being made, as its reader will, but for the clock.
func (m *maker) judge(judged int64) (*judge, state.Hash, error) {
	j, err := open(sha256.Sum256(m.c.Ledger.Genesis), time.Unix(1<<40, 0), m.c)
	if err != nil {
		return nil, state.Hash{}, err
	}
	root, err := j.rootAfter(judged)
	return j, root, err
}

// proposed shows a block, and of one by the promising validator what it had to go by.
func (m *maker) proposed(j *judge, height int64) (*pb.ProposedBlock, bool, error) {
	shown, err := m.block(height)
	if err != nil {
		return nil, false, err
	}
	p, block := &pb.ProposedBlock{Block: shown}, m.source.BlockAt(height)
	if address := organisation.ConsensusAddress(m.s.Validator); !bytes.Equal(block.ProposerAddress, address[:]) {
		return p, false, nil
	}
	for i, raw := range block.Txs {
		if i == 0 {
			p.Author = raw
		} else {
			p.Others = append(p.Others, raw.Hash())
		}
	}
	if _, signed := j.authored(height, p.Author, p.Others); signed {
		if err := m.rules(height-1, p); err != nil {
			return nil, false, err
		}
	}
	guilty, err := j.leavesOut(&block.Header, p)
	return p, guilty, err
}

// rules shows what the validator had to go by in the state after a height.
func (m *maker) rules(height int64, p *pb.ProposedBlock) error {
	before, err := m.source.StateAt(height)
	if err != nil {
		return err
	}
	if err := prove(before, []wanted{{state.ElectionKey(m.s.Election), &p.ElectionRecord}}); err != nil || p.ElectionRecord.Absent {
		return err
	}
	return prove(before, []wanted{{state.KeyParameters, &p.Parameters}})
}
