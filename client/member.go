package client

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// Member is an entry of a sealed roll that publishes, supports and comments. Spec 20.
type Member struct {
	Ledger   *Ledger
	Election string // whose roll it is, see OpenRoll and RollOf
	Index    uint64 // place in the roll, see FindVoter
	Key      *ballot.SecretKey
	Wait     Wait
}

// OpenRoll returns the election whose members may publish initiatives. It fails with ErrAbsent where there is none yet.
func OpenRoll(ctx context.Context, r Reader) (string, error) {
	open, err := Find[pb.Initiatives](ctx, r, state.KeyInitiatives, "a roll that is open to initiatives")
	if err != nil {
		return "", err
	}
	return open.Election, nil
}

// RollOf returns the election whose members may support an initiative and comment on it. It fails with ErrAbsent.
func RollOf(ctx context.Context, r Reader, initiative uint64) (string, error) {
	i, err := Find[pb.Initiative](ctx, r, state.InitiativeKey(initiative), fmt.Sprintf("initiative %d", initiative))
	if err != nil {
		return "", err
	}
	return i.Election, nil
}

// Publish publishes an initiative and returns its number, which is known when Wait is WaitCertified; otherwise it is 0.
func (m Member) Publish(ctx context.Context, title, text string, random io.Reader) (number uint64, err error) {
	body := &pb.PublishInitiative{Election: m.Election, RollIndex: m.Index, Title: title, Text: text}
	hash, v, err := m.send(ctx, random, func(number uint64) memberBody { body.Number = number; return body }, nobody)
	if err != nil || v == nil {
		return 0, err
	}
	return findInitiative(ctx, v, func(_ uint64, i *pb.Initiative) (bool, error) { return string(i.Transaction) == string(hash[:]), nil })
}

// Published returns the newest initiative with this title and text that the member has published. It fails with ErrAbsent.
func (m Member) Published(ctx context.Context, v *View, title, text string) (uint64, error) {
	sent, err := v.Member(ctx, m.Election, m.Index)
	if err != nil {
		return 0, err
	}
	if sent.Number == 0 {
		return 0, fmt.Errorf("an initiative of entry %d: %w", m.Index, ErrAbsent)
	}
	return findInitiative(ctx, v, func(number uint64, i *pb.Initiative) (bool, error) {
		if i.Election != m.Election || i.RollIndex != m.Index {
			return false, nil
		}
		leaf, err := v.Leaf(ctx, state.LogInitiatives, number)
		if err != nil {
			return false, err
		}
		parsed, err := tx.Parse(leaf)
		if err != nil {
			return false, err
		}
		p, ok := parsed.Body().(*pb.PublishInitiative)
		return ok && p.Title == title && p.Text == text, nil
	})
}

// findInitiative returns the number of an initiative, from the newest back. It fails with ErrAbsent.
func findInitiative(ctx context.Context, v *View, is func(number uint64, i *pb.Initiative) (bool, error)) (uint64, error) {
	for number, err := range Initiatives(ctx, v) {
		if err != nil {
			return 0, err
		}
		record, err := MustLoad[pb.Initiative](ctx, v, state.InitiativeKey(number))
		if err != nil {
			return 0, err
		}
		if found, err := is(number, record); found || err != nil {
			return number, err
		}
	}
	return 0, fmt.Errorf("this initiative: %w", ErrAbsent)
}

// Initiatives goes through the numbers of all initiatives, the newest first; that none is missing is proven.
func Initiatives(ctx context.Context, v *View) iter.Seq2[uint64, error] {
	return numbers(v.NewestKeys(ctx, state.InitiativePrefix), func(key string) (uint64, error) {
		return strconv.ParseUint(strings.TrimPrefix(key, state.InitiativePrefix), 10, 64)
	})
}

// OwedInitiatives goes through the numbers of all initiatives of which an answer is owed, the earliest deadline first; that none is missing is
// proven.
func OwedInitiatives(ctx context.Context, v *View) iter.Seq2[uint64, error] {
	return numbers(v.Keys(ctx, state.OwedPrefix), func(key string) (uint64, error) {
		_, number, err := state.ParseOwedKey(key)
		return number, err
	})
}

// numbers reads the numbers of initiatives in keys.
func numbers(keys iter.Seq2[string, error], parse func(key string) (uint64, error)) iter.Seq2[uint64, error] {
	return func(yield func(uint64, error) bool) {
		for key, err := range keys {
			number := uint64(0)
			if err == nil {
				number, err = parse(key)
			}
			if !yield(number, err) {
				return
			}
		}
	}
}

// Support supports an initiative, or takes the support back.
func (m Member) Support(ctx context.Context, initiative uint64, withdraw bool, random io.Reader) error {
	body := &pb.SupportInitiative{Election: m.Election, RollIndex: m.Index, Initiative: initiative, Withdraw: withdraw}
	_, _, err := m.send(ctx, random, func(number uint64) memberBody { body.Number = number; return body }, func(a *pb.MemberActivity) bool {
		return !withdraw && slices.Contains(a.Supported, initiative)
	})
	return err
}

// Comment comments on an initiative.
func (m Member) Comment(ctx context.Context, initiative uint64, text string, random io.Reader) error {
	body := &pb.PostComment{Election: m.Election, RollIndex: m.Index, Initiative: initiative, Text: text}
	_, _, err := m.send(ctx, random, func(number uint64) memberBody { body.Number = number; return body }, nobody)
	return err
}

// memberBody is the body of a transaction about initiatives.
type memberBody interface {
	election.Message
	GetElection() string
	GetRollIndex() uint64
}

// nobody says of any member that what is sent was not done before.
func nobody(*pb.MemberActivity) bool { return false }

// send signs a body under the member's next number and sends it. before says whether the same was done before, under another number. The view is
// one in which it was done, nil where nobody waits for that.
func (m Member) send(ctx context.Context, random io.Reader, body func(number uint64) memberBody, before func(*pb.MemberActivity) bool) (hash [32]byte, v *View, err error) {
	number, err := m.nextNumber(ctx)
	if err != nil {
		return hash, nil, err
	}
	raw, err := tx.SignVoter(m.Ledger.Chain(), body(number), m.Key, random)
	if err != nil {
		return hash, nil, err
	}
	parsed, err := tx.Parse(raw) // what is malformed is told before it is sent
	if err != nil {
		return hash, nil, err
	}
	v, err = m.Ledger.Send(ctx, raw, m.Wait, func(ctx context.Context, v *View) (bool, error) {
		a, err := v.Member(ctx, m.Election, m.Index)
		return err == nil && (a.Number >= number || before(a)), err
	})
	return parsed.Hash(), v, err
}

// nextNumber returns a number above the proven one and above what a node says of what is not certified yet.
func (m Member) nextNumber(ctx context.Context) (uint64, error) {
	v, err := m.Ledger.Certified(ctx)
	if err != nil {
		return 0, err
	}
	proven, err := v.Member(ctx, m.Election, m.Index)
	if err != nil {
		return 0, err
	}
	number, hint := proven.Number, new(pb.MemberActivity)
	err = m.Ledger.ask(ctx, func(ctx context.Context, n *Node) error {
		answer, err := n.Member(ctx, m.Election, m.Index, 0)
		if err != nil {
			return err
		}
		return election.Decode(answer.Leaf, hint)
	})
	if err == nil && hint.Number <= proven.Number+maxSequenceHint {
		number = max(number, hint.Number)
	}
	return number + 1, nil
}
