package app_test

import (
	"crypto/sha256"
	"testing"

	"votenode/app"
	"votenode/app/organisation"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// authored returns the transactions of a block of the next height with a validator's signature in front.
func (l *ledger) authored(organisationID string, change func(*pb.AuthorBlock), raw ...[]byte) [][]byte {
	v := l.validator(organisationID)
	var hashes [][32]byte
	for _, b := range raw {
		hashes = append(hashes, sha256.Sum256(b))
	}
	content, address := app.BlockContent(hashes), organisation.ConsensusAddress(v.Key)
	m := &pb.AuthorBlock{Height: l.view().Height() + 1, Proposer: address[:], Time: l.now * 1e9, Content: content[:]}
	if change != nil {
		change(m)
	}
	return append([][]byte{sign(v.Name+" slip", m)}, raw...)
}

// validator returns the first validator of an organisation.
func (l *ledger) validator(organisationID string) *pb.Validator {
	for i := range l.genesis.Organisations {
		if g := &l.genesis.Organisations[i]; g.Organisation.Id == organisationID {
			return &g.Validators[0]
		}
	}
	panic("no such organisation")
}

// TestAuthorship: a block says who made it, of what, at which height; whatever else it says refuses it.
func TestAuthorship(t *testing.T) {
	l := newLedger(t)
	party, league := l.validator("party"), l.validator("league")
	proposer := organisation.ConsensusAddress(party.Key)
	others := [][]byte{sign("party officer 1", &pb.ApproveResolution{Resolution: make([]byte, 32)}), sign("party officer 2", &pb.ApproveResolution{Resolution: make([]byte, 32)})}
	good := l.authored("party", nil, others...)
	faults := map[string]func() [][]byte{
		"no author":              func() [][]byte { return others },
		"nothing at all":         func() [][]byte { return nil },
		"in the second place":    func() [][]byte { return [][]byte{others[0], good[0], others[1]} },
		"twice":                  func() [][]byte { return append(good, good[0]) },
		"a transaction less":     func() [][]byte { return good[:2] },
		"a transaction more":     func() [][]byte { return append(good, others[0]) },
		"another order":          func() [][]byte { return [][]byte{good[0], others[1], others[0]} },
		"another validator":      func() [][]byte { return l.authored("league", nil, others...) },
		"the height before":      func() [][]byte { return l.authored("party", func(m *pb.AuthorBlock) { m.Height-- }, others...) },
		"the height after":       func() [][]byte { return l.authored("party", func(m *pb.AuthorBlock) { m.Height++ }, others...) },
		"no validator's address": func() [][]byte { return l.authored("party", func(m *pb.AuthorBlock) { m.Proposer[0] ^= 1 }, others...) },
		"another's, my signature": func() [][]byte {
			a := organisation.ConsensusAddress(league.Key)
			return l.authored("party", func(m *pb.AuthorBlock) { m.Proposer = a[:] }, others...)
		},
	}
	fault := func(raw [][]byte) *tx.Refusal {
		var parsed []*tx.Parsed
		for _, b := range raw {
			parsed = append(parsed, must(tx.Parse(b)))
		}
		return must(l.app.AuthorshipFault(l.view(), proposer[:], parsed))
	}
	if f := fault(good); f != nil {
		t.Error(f)
	}
	if f := fault(l.authored("party", nil)); f != nil {
		t.Errorf("an empty block: %v", f)
	}
	for name, raw := range faults {
		if f := fault(raw()); f == nil || !f.Code.RefusesBlock() {
			t.Errorf("%s: %v", name, f)
		}
	}
	codes := l.block(1, append(good, l.authored("party", func(m *pb.AuthorBlock) { m.Height-- })[0])...)
	if codes[0].Code != tx.CodeOK || codes[3].Code != tx.CodeAuthorship {
		t.Errorf("%v", codes)
	}
	if c := l.block(1, good[0])[0]; c.Code != tx.CodeAuthorship {
		t.Errorf("a block later: %v", c)
	}
}

// TestValidatorAt: a set signs from its first height on.
func TestValidatorAt(t *testing.T) {
	l := newLedger(t)
	party, league := *l.validator("party"), *l.validator("league")
	epochs := &pb.ValidatorEpochs{
		Present: pb.ValidatorEpoch{Number: 1, FirstHeight: 1, Validators: []pb.Validator{party}},
		Next:    pb.ValidatorEpoch{Number: 2, FirstHeight: 10, Validators: []pb.Validator{league}},
	}
	old, next := organisation.ConsensusAddress(party.Key), organisation.ConsensusAddress(league.Key)
	for height := int64(8); height < 12; height++ {
		if (app.ValidatorAt(epochs, height, old[:]) != nil) != (height < 10) || (app.ValidatorAt(epochs, height, next[:]) != nil) != (height >= 10) {
			t.Errorf("height %d", height)
		}
	}
	epochs.Next = pb.ValidatorEpoch{}
	if app.ValidatorAt(epochs, 10, old[:]) == nil {
		t.Error("the present set ends without a next one")
	}
}
