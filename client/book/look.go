package book

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"votenode/app/state"
	"votenode/app/tx"
	"votenode/client"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// ErrForeign says that something stands on the ledger under the voter's place in the roll that the voter's book does not explain.
var ErrForeign = fmt.Errorf("%w: the ledger holds ballots or challenges of this voter that are not in the book", client.ErrVerification)

// Foreign is a ballot, or with C0 a challenge, under the voter's place in the roll that the book does not explain.
type Foreign struct {
	Sequence uint64 `json:"sequence"`
	Code     string `json:"confirmation_code,omitempty"` // of a ballot
	C0       string `json:"c0,omitempty"`                // of a challenge, whose code the ledger's records do not hold
	Height   int64  `json:"height"`                      // of the certified state in which it was seen first
}

// same says whether two are the same ballot or challenge, whenever they were seen.
func (f Foreign) same(o Foreign) bool {
	return f.Sequence == o.Sequence && f.Code == o.Code && f.C0 == o.C0
}

// Warning says what it means, and what the voter can do.
func (f Foreign) Warning() string {
	what := fmt.Sprintf("ballot number %d with the code %s is recorded", f.Sequence, f.Code)
	verb, note := "cast", f.Code
	if f.C0 != "" {
		what = fmt.Sprintf("ballot number %d is challenged", f.Sequence)
		verb, note = "challenged", fmt.Sprintf("--challenged %d", f.Sequence)
	}
	return fmt.Sprintf("WARNING: %s under your place in the roll (seen at height %d), and your book does not know it. "+
		"If you %s it yourself, on another device or before this book was begun, say so: votenode voter book add %s. "+
		"If not, somebody else holds your key. Cast your ballot again while voting is open, for the last one counts, and look again; and tell "+
		"the registrars of every organisation at once: the organisations can revoke the entry, so that nothing counts under it.",
		what, f.Height, verb, note)
}

// Sight is what a certified state holds of the voter.
type Sight struct {
	Height  int64
	Voter   *pb.Voter          // the leaf of the voters' tree
	Spoiled []pb.SpoiledBallot // what is challenged
	Foreign []Foreign          // all that is not explained, seen now or before
}

// Look compares a certified state with the book: the voter's leaf, and what is challenged. With thorough it also reads what the ballot log
// has more than when it was read last, so that it sees a ballot that another one has superseded already. The first such reading is
// the whole log. Where the book cannot be written, it returns what it saw together with the error.
func (b *Book) Look(ctx context.Context, v *client.View, thorough bool) (*Sight, error) {
	leaf, err := v.Voter(ctx, b.owner.Election, b.owner.RollIndex)
	if err != nil {
		return nil, err
	}
	s := &Sight{Height: v.Height(), Voter: leaf}
	spoiled, err := client.Load[pb.Spoiled](ctx, v, state.SpoiledKey(b.owner.Election, b.owner.RollIndex))
	if err != nil {
		return nil, err
	}
	if spoiled != nil {
		s.Spoiled = spoiled.Ballots
	}
	seen := s.recorded()
	if thorough {
		logged, err := b.readLog(ctx, v)
		if err != nil {
			return nil, err
		}
		seen = append(logged, seen...)
	}
	return s, b.compare(s, seen)
}

// recorded lists the ballot and the challenges of a sight.
func (s *Sight) recorded() []Foreign {
	var seen []Foreign
	if len(s.Voter.Code) == 32 {
		seen = append(seen, Foreign{Sequence: s.Voter.Sequence, Code: ballot.FormatCode([32]byte(s.Voter.Code)), Height: s.Height})
	}
	for _, c := range s.Spoiled {
		seen = append(seen, Foreign{Sequence: c.Sequence, C0: hex.EncodeToString(c.NoncePoint), Height: s.Height})
	}
	return seen
}

// readLog returns the voter's ballots in the part of the ballot log that was not read yet. Where the place does not fit the log, which a
// damaged book can bring about, it reads all.
func (b *Book) readLog(ctx context.Context, v *client.View) ([]Foreign, error) {
	var seen []Foreign
	read := func(from client.Place) (client.Place, error) {
		return v.LeavesFrom(ctx, state.LogBallots(b.owner.Election), from, func() { seen = nil }, func(_ uint64, leaf []byte) error {
			parsed, err := tx.Parse(leaf)
			if err != nil {
				return fmt.Errorf("%w: a leaf of the ballot log: %w", client.ErrVerification, err)
			}
			if c := parsed.Cast(); c != nil && c.RollIndex == b.owner.RollIndex {
				code := c.Code(v.Chain())
				seen = append(seen, Foreign{Sequence: c.Sequence, Code: ballot.FormatCode(code), Height: v.Height()})
			}
			return nil
		})
	}
	place, err := read(b.place)
	if errors.Is(err, client.ErrVerification) && b.place.Size > 0 {
		place, err = read(client.Place{})
	}
	if err == nil {
		b.place = place
	}
	return seen, err
}

// compare holds what was seen against the book, which it reads after the ledger: what was cast with it meanwhile is noted already.
func (b *Book) compare(s *Sight, seen []Foreign) error {
	p, err := b.read()
	if err != nil {
		return err
	}
	fresh := p.unexplained(seen)
	s.Foreign = append(p.foreign(), fresh...)
	if len(fresh) == 0 && b.place.Size < p.Log.Size+b.stride {
		return nil
	}
	return b.update(func(p *page) bool {
		changed := b.place.Size > p.Log.Size
		if changed {
			p.Log = b.place
		}
		remembered := len(p.foreign())
		for _, f := range p.unexplained(fresh) {
			if remembered++; remembered > maxForeign {
				break
			}
			p.Ballots = append(p.Ballots, Entry{
				Kind: Strange, Sequence: f.Sequence, Code: f.Code, NoncePoint: f.C0, Height: f.Height,
				Time: b.clock(),
			})
			changed = true
		}
		return changed
	})
}

// foreign returns the remembered foreign ballots.
func (p *page) foreign() []Foreign {
	var list []Foreign
	for _, e := range p.Ballots {
		if e.Kind == Strange {
			list = append(list, e.foreign())
		}
	}
	return list
}

func (e Entry) foreign() Foreign {
	return Foreign{Sequence: e.Sequence, Code: e.Code, C0: e.NoncePoint, Height: e.Height}
}

// unexplained returns what the page neither explains nor remembers as foreign, each once.
func (p *page) unexplained(seen []Foreign) []Foreign {
	var fresh []Foreign
	known := p.foreign()
	for _, f := range seen {
		if !p.knows(f) && !contains(known, f) {
			fresh, known = append(fresh, f), append(known, f)
		}
	}
	return fresh
}

func contains(list []Foreign, f Foreign) bool {
	for _, g := range list {
		if g.same(f) {
			return true
		}
	}
	return false
}

// knows says whether an entry explains what was seen. A ballot that was challenged here and is recorded all the same is not
// explained, nor is the challenge of one that was cast.
func (p *page) knows(f Foreign) bool {
	for _, e := range p.Ballots {
		switch {
		case f.C0 == "" && (e.Kind == Cast || e.Kind == Elsewhere):
			if e.Code == f.Code {
				return true
			}
		case f.C0 != "" && e.Kind == Challenged:
			if e.Sequence == f.Sequence && e.NoncePoint == f.C0 {
				return true
			}
		case f.C0 != "" && e.Kind == Elsewhere && e.Code == "":
			if e.Sequence == f.Sequence {
				return true
			}
		}
	}
	return false
}
