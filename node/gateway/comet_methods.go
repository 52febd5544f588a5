package gateway

import (
	"bytes"
	"context"

	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtbytes "github.com/cometbft/cometbft/libs/bytes"
	"github.com/cometbft/cometbft/p2p"
	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	cmttypes "github.com/cometbft/cometbft/types"
	cmtversion "github.com/cometbft/cometbft/version"

	"votenode/abci"
	"votenode/app"
	"votenode/app/organisation"
	"votenode/genesis"
)

const (
	cometPage    = 30  // validators of a page where nothing is asked, as CometBFT has it
	maxCometPage = 100 // at most

	// maxEvidenceParts bounds the JSON objects of evidence, which are slow to decode. That of all validators has fewer than seven each.
	maxEvidenceParts = 10 * organisation.MaxValidators
)

// cometNewest is the newest height here: the newest whose commit stands in a block. What a node has seen of commits beyond that differs
// from node to node.
func (s *Server) cometNewest() int64 { return max(s.source.App.Tip().Height-1, 0) }

// cometHeight reads the parameter height, which is the newest where none is given, and all other parameters before. One that is about to come
// is waited for: CometBFT's light client calls a witness that is a moment behind a bad one. The texts are those that its provider looks for.
func (s *Server) cometHeight(ctx context.Context, p *cometParams) (int64, error) {
	var height int64
	given := p.take("height", &height)
	if err := p.done(); err != nil {
		return 0, err
	}
	newest := s.cometNewest()
	if !given {
		height = newest
	} else if height < 1 {
		return 0, bad("height must be greater than 0, but got %d", height)
	}
	if height > newest && height <= newest+cometAhead {
		ctx, cancel := context.WithTimeout(ctx, cometWait)
		defer cancel()
		if err := s.source.App.Wait(ctx, height+1); err != nil && ctx.Err() == nil {
			return 0, err
		}
		newest = s.cometNewest()
	}
	if height > newest || newest == 0 {
		return 0, missing("height %d must be less than or equal to the current blockchain height %d", height, newest)
	}
	return height, nil
}

// errCometLacks is what the provider of CometBFT's light client takes for a block that is not kept.
func errCometLacks(height int64) error {
	return missing("height %d is not available: this node does not keep the block; ask another one", height)
}

func (s *Server) cometHealth(_ context.Context, p *cometParams) (any, error) {
	return &coretypes.ResultHealth{}, p.done()
}

// cometStatus answers with what the newest block here says. NodeInfo holds what /v1/status tells, too, and no address.
func (s *Server) cometStatus(_ context.Context, p *cometParams) (any, error) {
	if err := p.done(); err != nil {
		return nil, err
	}
	validator, err := s.source.Validator()
	if err != nil {
		return nil, err
	}
	protocol := uint64(genesis.AppVersion)
	if newest := s.source.App.Ledger().Newest(); newest != nil {
		if protocol, err = app.VersionAt(newest, newest.Height()+1); err != nil {
			return nil, err
		}
	}
	result := &coretypes.ResultStatus{
		NodeInfo: p2p.DefaultNodeInfo{
			ProtocolVersion: p2p.NewProtocolVersion(cmtversion.P2PProtocol, cmtversion.BlockProtocol, protocol),
			DefaultNodeID:   p2p.ID(s.source.NodeID), Network: s.source.Chain, Version: s.source.Version, Moniker: "votenode",
			Other: p2p.DefaultNodeInfoOther{TxIndex: "off"},
		},
		SyncInfo: coretypes.SyncInfo{CatchingUp: s.source.CatchingUp()},
	}
	if validator != nil {
		key := cmted25519.PubKey(validator.Key)
		result.ValidatorInfo = coretypes.ValidatorInfo{Address: cmtbytes.HexBytes(key.Address()), PubKey: key, VotingPower: validator.Power}
	}
	sync := &result.SyncInfo
	if meta := s.source.Blocks.LoadBlockMeta(s.cometNewest()); meta != nil {
		sync.LatestBlockHash, sync.LatestAppHash, sync.LatestBlockHeight, sync.LatestBlockTime = meta.BlockID.Hash, meta.Header.AppHash, meta.Header.Height, meta.Header.Time
	}
	if meta := s.source.Blocks.LoadBlockMeta(1); meta != nil {
		sync.EarliestBlockHash, sync.EarliestAppHash, sync.EarliestBlockHeight, sync.EarliestBlockTime = meta.BlockID.Hash, meta.Header.AppHash, meta.Header.Height, meta.Header.Time
	}
	return result, nil
}

// cometGenesis answers with CometBFT's genesis as every node makes it of the genesis document.
func (s *Server) cometGenesis(_ context.Context, p *cometParams) (any, error) {
	if err := p.done(); err != nil {
		return nil, err
	}
	document, err := genesis.Parse(s.source.Document)
	if err != nil {
		return nil, err
	}
	comet, err := genesis.CometGenesis(document)
	if err != nil {
		return nil, err
	}
	return &coretypes.ResultGenesis{Genesis: comet}, nil
}

func (s *Server) cometHeader(ctx context.Context, p *cometParams) (any, error) {
	height, err := s.cometHeight(ctx, p)
	if err != nil {
		return nil, err
	}
	meta := s.source.Blocks.LoadBlockMeta(height)
	if meta == nil {
		return nil, errCometLacks(height)
	}
	return &coretypes.ResultHeader{Header: &meta.Header}, nil
}

// cometCommit answers with a header and the commit of it that the next block carries.
func (s *Server) cometCommit(ctx context.Context, p *cometParams) (any, error) {
	height, err := s.cometHeight(ctx, p)
	if err != nil {
		return nil, err
	}
	meta, commit := s.source.Blocks.LoadBlockMeta(height), s.source.Blocks.LoadBlockCommit(height)
	if meta == nil || commit == nil {
		return nil, errCometLacks(height)
	}
	return coretypes.NewResultCommit(&meta.Header, commit, true), nil
}

// cometValidators answers with a page of the validators of a height. The proposers' priorities of a height are counted up from the last one
// that CometBFT has stored, up to 100,000 heights, so these are bounded as large answers are.
func (s *Server) cometValidators(ctx context.Context, p *cometParams) (any, error) {
	page, size := 1, cometPage
	p.take("page", &page)
	p.take("per_page", &size)
	height, err := s.cometHeight(ctx, p)
	if err != nil {
		return nil, err
	}
	if size < 1 {
		size = cometPage
	}
	size = min(size, maxCometPage)
	if err := p.large.take(); err != nil {
		return nil, err
	}
	set, err := s.source.ValidatorsAt(height)
	if err != nil {
		return nil, errCometLacks(height)
	}
	all := set.Validators
	if pages := max(1, (len(all)+size-1)/size); page < 1 || page > pages {
		return nil, bad("page should be within [1, %d] range, given %d", pages, page)
	}
	part := all[(page-1)*size : min(page*size, len(all))]
	return &coretypes.ResultValidators{BlockHeight: height, Validators: part, Count: len(part), Total: len(all)}, nil
}

func (s *Server) cometBlock(ctx context.Context, p *cometParams) (any, error) {
	height, err := s.cometHeight(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := p.large.take(); err != nil {
		return nil, err
	}
	meta, block := s.source.Blocks.LoadBlockMeta(height), s.source.Blocks.LoadBlock(height)
	if meta == nil || block == nil {
		return nil, errCometLacks(height)
	}
	return &coretypes.ResultBlock{BlockID: meta.BlockID, Block: block}, nil
}

func (s *Server) cometInfo(ctx context.Context, p *cometParams) (any, error) {
	if err := p.done(); err != nil {
		return nil, err
	}
	info, err := s.source.App.Info(ctx, &abcitypes.RequestInfo{})
	if err != nil {
		return nil, err
	}
	return &coretypes.ResultABCIInfo{Response: *info}, nil
}

// cometQuery answers for records, always with a proof. At height 0 it takes the newest that can be proven with the commits in blocks.
func (s *Server) cometQuery(ctx context.Context, p *cometParams) (any, error) {
	var path string
	var data cmtbytes.HexBytes
	var height int64
	var prove bool
	p.take("path", &path)
	p.take("data", &data)
	p.take("height", &height)
	p.take("prove", &prove)
	if err := p.done(); err != nil {
		return nil, err
	}
	if path != abci.PathRecord {
		return nil, bad("the path is %.40q; records are asked for with %s", path, abci.PathRecord)
	}
	if height == 0 {
		if height = s.cometNewest() - 1; height < 1 {
			return nil, missing("no state can be proven yet; come again after block 3")
		}
	}
	answer, err := s.source.App.Query(ctx, &abcitypes.RequestQuery{Path: path, Data: data, Height: height, Prove: true})
	if err != nil {
		return nil, err
	}
	return &coretypes.ResultABCIQuery{Response: *answer}, nil
}

// cometEvidence hands evidence of misbehaviour to the node: CometBFT's light client reports with it what it was lied to with. One at a time is
// looked at. What holds comes into a block and into the record `misbehaviour/...`; what does not costs the signatures of one commit.
func (s *Server) cometEvidence(_ context.Context, p *cometParams) (any, error) {
	select {
	case s.evidence <- struct{}{}:
		defer func() { <-s.evidence }()
	default:
		return nil, errBusy
	}
	evidence, err := takeEvidence(p)
	if err != nil {
		return nil, err
	}
	if s.source.CatchingUp() {
		return nil, errCatchingUp
	}
	if err := s.source.Report(evidence); err != nil {
		return nil, bad("the evidence is not taken: %v", err)
	}
	return &coretypes.ResultBroadcastEvidence{Hash: evidence.Hash()}, nil
}

// takeEvidence reads evidence and puts it through the encoding in which peers get it. CometBFT's code panics on some of what nobody honest
// sends.
func takeEvidence(p *cometParams) (_ cmttypes.Evidence, err error) {
	defer func() {
		if recover() != nil {
			err = bad("the evidence cannot be read")
		}
	}()
	if n := bytes.Count(p.values["evidence"], []byte("{")); n > maxEvidenceParts {
		return nil, bad("the evidence has %d parts; %d are taken", n, maxEvidenceParts)
	}
	var given cmttypes.Evidence
	p.take("evidence", &given)
	if err := p.done(); err != nil {
		return nil, err
	}
	message, err := cmttypes.EvidenceToProto(given)
	if err != nil {
		return nil, bad("the evidence cannot be read: %v", err)
	}
	if n := message.Size(); n > organisation.EvidenceBytes {
		return nil, bad("the evidence has %d bytes; no block takes more than %d", n, organisation.EvidenceBytes)
	}
	evidence, err := cmttypes.EvidenceFromProto(message)
	if err == nil {
		err = evidence.ValidateBasic()
	}
	if err != nil {
		return nil, bad("the evidence cannot be read: %v", err)
	}
	return evidence, nil
}
