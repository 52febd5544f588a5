package audit

import (
	"maps"
	"slices"

	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/election"
	"votenode/app/organisation"
	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

// certifier follows the certified states of the record as chapter 6 prescribes, from the genesis document alone: what the state machine
// says about validators is believed where a certified state shows it.
type certifier struct {
	checks checks
	trust  *certified.Trust
	before *block // whose commit the next block holds

	height    int64               // newest certified one
	announced []announcement      // of the next epoch, by the last heights
	absent    map[string]*Absence // by consensus key
	order     []string            // keys of absent, as they were first noted
	lacking   map[string]*Heights // by organisation
}

// announcement is a proof of the record `validators` after a height, taken while it announces an epoch.
type announcement struct {
	height int64
	number uint64
	proof  *pb.RecordProof
}

func newCertifier(all checks, doc *pb.Genesis) (*certifier, error) {
	trust, err := certified.FromGenesis(doc)
	c := &certifier{checks: all, trust: trust, absent: map[string]*Absence{}, lacking: map[string]*Heights{}}
	for _, g := range doc.Organisations {
		c.lacking[g.Organisation.Id] = &Heights{Ranges: []Range{}}
	}
	return c, err
}

// block takes the commit that a block holds: precommits of height b.Height-1, which attest the block of height b.Height-2 and the state
// after it. It says whether the signatures of all precommits for the block have been verified. Spec 11.2, check 15.
func (c *certifier) block(b *block) (verified bool) {
	before := c.before
	c.before = b
	c.note(b)
	if before == nil || before.Height < 2 {
		return false
	}
	signed, err := certified.FromCommit(&before.Header, b.LastCommit)
	if err != nil {
		return false // check 10 finds that
	}
	evidence := &pb.CertifiedState{Children: []*pb.SignedHeader{signed}}
	s, err := c.trust.Inspect(evidence)
	if err != nil {
		c.checks.fault(checkCertified, "height %d: %v", b.Height-2, err)
		return false
	}
	c.certify(s, evidence)
	n := 0
	for _, s := range b.LastCommit.Signatures {
		if s.BlockIDFlag == cmttypes.BlockIDFlagCommit {
			n++
		}
	}
	return n == len(signed.Precommits)
}

// certify notes what a commit certifies.
func (c *certifier) certify(s *certified.State, evidence *pb.CertifiedState) {
	for _, part := range s.Signed {
		if !part.Enough {
			c.lacking[part.Organisation].add(s.Height)
		}
	}
	if !s.Certified {
		return
	}
	c.checks.read(checkCertified, 1)
	c.height = s.Height
	c.advance(evidence)
}

// advance learns the next epoch from a certified state that announces it.
func (c *certifier) advance(evidence *pb.CertifiedState) {
	for _, a := range c.announced {
		if a.height != c.height || a.number != c.trust.Newest().Epoch()+1 {
			continue
		}
		next, err := c.trust.Advance(&pb.EpochProof{State: evidence, Validators: a.proof})
		if err != nil {
			c.checks.fault(checkCertified, "epoch %d: %v", a.number, err)
			return
		}
		c.trust = next
	}
}

// state keeps, while an epoch is announced, the proofs of the newest heights: which of them are certified shows two blocks later.
func (c *certifier) state(view *state.Snapshot, epochs *pb.ValidatorEpochs) error {
	if known := c.trust.Newest().Epoch(); epochs.Present.Number > known && epochs.Present.FirstHeight == view.Height() {
		c.checks.fault(checkCertified, "epoch %d begins at height %d, and no certified state of epoch %d announces it", epochs.Present.Number, view.Height(), known)
	}
	if epochs.Next.Number == 0 {
		c.announced = nil
		return nil
	}
	proof, err := view.ProveRecord(state.KeyValidators)
	if err != nil {
		return err
	}
	c.announced = append(c.announced, announcement{view.Height(), epochs.Next.Number, proof})
	c.announced = c.announced[max(0, len(c.announced)-3):]
	return nil
}

// Absence tells for a validator the heights whose commit lacks its signature.
type Absence struct {
	Organisation string `json:"organisation"`
	Validator    string `json:"validator"`
	Heights
}

// Lack tells for an organisation the heights whose state it has not certified: of its power, not more than `certify` stands in
// the commit of the block after. A later certified state proves them all the same (spec 6.6).
type Lack struct {
	Organisation string `json:"organisation"`
	Heights
}

// Heights is a set of heights.
type Heights struct {
	// Count is how many there are, Ranges the first of them.
	Count  int64   `json:"heights"`
	Ranges []Range `json:"ranges"`
	// More is how many heights are in no range here.
	More int64 `json:"more,omitempty"`
}

// Range is a range of heights, both included.
type Range struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// maxRanges bounds the ranges that are listed.
const maxRanges = 1_000

// add adds a height above all others.
func (h *Heights) add(height int64) {
	h.Count++
	last := len(h.Ranges) - 1
	switch {
	case last >= 0 && h.More == 0 && h.Ranges[last].To == height-1:
		h.Ranges[last].To = height
	case len(h.Ranges) < maxRanges:
		h.Ranges = append(h.Ranges, Range{height, height})
	default:
		h.More++
	}
}

// note notes who did not sign the block before.
func (c *certifier) note(b *block) {
	set, height := c.trust.At(b.Height-1), b.Height-1
	if set == nil {
		return
	}
	signed := map[[organisation.AddressSize]byte]bool{}
	for _, s := range b.LastCommit.Signatures {
		if s.BlockIDFlag == cmttypes.BlockIDFlagCommit {
			signed[[organisation.AddressSize]byte(s.ValidatorAddress)] = true
		}
	}
	for _, v := range set.Validators() {
		if signed[organisation.ConsensusAddress(v.Key)] {
			continue
		}
		a := c.absent[string(v.Key)]
		if a == nil {
			a = &Absence{v.Organisation, v.Name, Heights{Ranges: []Range{}}}
			c.absent[string(v.Key)], c.order = a, append(c.order, string(v.Key))
		}
		a.add(height)
	}
}

// missing returns the absences in the order in which they were first noted.
func (c *certifier) missing() []Absence {
	list := []Absence{}
	for _, key := range c.order {
		list = append(list, *c.absent[key])
	}
	return list
}

// lacks returns the organisations that have not certified every state, sorted by id.
func (c *certifier) lacks() []Lack {
	list := []Lack{}
	for _, id := range slices.Sorted(maps.Keys(c.lacking)) {
		if h := c.lacking[id]; h.Count > 0 {
			list = append(list, Lack{id, *h})
		}
	}
	return list
}

// approvalsFault says what is wrong with the officers' approvals of a genesis document, and how many good ones there are. Spec 1.9.
func approvalsFault(doc *pb.Genesis, hash [32]byte, b []byte) (good int, err error) {
	list := new(pb.GenesisApprovals)
	if err := election.Decode(b, list); err != nil {
		return 0, err
	}
	return len(list.Approvals), verifyApprovals(doc, hash, list)
}
