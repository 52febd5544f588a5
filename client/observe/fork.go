package observe

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"votenode/app/election"
	"votenode/client"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

// keptHeights is for how many heights signed headers are held against each other.
const keptHeights = 128

// sighting is the state after one height, as signed headers show it.
type sighting struct {
	node   *node // that showed it first
	first  *client.Attested
	signed map[string]bool // keys in hexadecimal digits whose precommits any node has shown
}

// sight notes what a header shows, and returns what another one of this height has shown where that contradicts it.
func (o *Observer) sight(n *node, a *client.Attested) *sighting {
	o.mu.Lock()
	defer o.mu.Unlock()
	height := a.State.Height
	s := o.seen[height]
	if s == nil {
		s = &sighting{node: n, first: a, signed: map[string]bool{}}
		o.seen[height] = s
		for old := range o.seen {
			if old <= height-keptHeights {
				delete(o.seen, old)
			}
		}
	} else if _, err := certified.FindFork(s.first.State, a.State); err == nil || errors.Is(err, certified.ErrSets) {
		return s
	}
	a.State.Votes(func(v *pb.Validator, signed bool) {
		key := hex.EncodeToString(v.Key)
		o.names[v.Organisation+"/"+v.Name] = key
		if signed {
			s.signed[key] = true
		}
	})
	n.headers = height
	return nil
}

// compare holds a node's certified state against the newest one of all, which it becomes where it is newer.
func (o *Observer) compare(ctx context.Context, n *node, v *client.View) error {
	shown := election.Encode(v.Evidence())
	for {
		o.mu.Lock()
		anchor := o.anchor
		if anchor == nil {
			o.anchor, o.file.State, o.dirty, n.compared = v, shown, true, v
		}
		o.mu.Unlock()
		if anchor == nil {
			return nil
		}
		older, newer, limited, cancel := anchor, v, ctx, func() {}
		if v.Height() < anchor.Height() {
			// The node that has shown the newer one answers for it, and does not take up the time of this one's look.
			older, newer = v, anchor
			limited, cancel = context.WithTimeout(ctx, o.s.Limits.Look/10)
		}
		err := newer.Continues(limited, older)
		cancel()
		var fork *client.Fork
		switch {
		case errors.As(err, &fork):
			return o.forkedViews(ctx, n, fork)
		case err != nil && newer == anchor:
			return nil // what the other node failed at is for its own look
		case err != nil:
			return at("proof of an earlier block", err)
		}
		o.mu.Lock()
		unchanged := o.anchor == anchor
		if unchanged && v.Height() > anchor.Height() {
			o.anchor, o.file.State, o.dirty = v, shown, true
		}
		o.mu.Unlock()
		if unchanged {
			n.compared = v
			return nil
		}
	}
}

// forkedViews raises the alarm that two certified states contradict each other, and returns errForked. Where they are of two heights, the
// other branch is asked for its state of the lower one, so that both can be held against each other by anybody.
func (o *Observer) forkedViews(ctx context.Context, n *node, fork *client.Fork) error {
	o.mu.Lock()
	stands := o.stands(Forked, branchesCertified)
	o.mu.Unlock()
	if stands {
		return errForked
	}
	older, newer := fork.Older.Evidence(), fork.Newer.Evidence()
	if height := fork.Older.Height(); fork.Newer.Height() > height {
		limited, cancel := context.WithTimeout(ctx, o.s.Limits.Look/10) // perhaps it is another node that answers
		a, err := fork.Newer.Ledger().Attested(limited, height)
		cancel()
		if err == nil {
			_, err = certified.FindFork(fork.Older.State(), a.State)
		}
		if err == nil || errors.Is(err, certified.ErrSets) {
			newer = a.Evidence()
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.raise(Forked, branchesCertified, branches(n, fork.Older, fork.Newer), fork.Error(), func() []evidence {
		return []evidence{shownFile("one-branch", older), shownFile("other-branch", newer), n.heardFile()}
	})
	return errForked
}

// The causes of a fork.
const (
	branchesCertified = "two certified states"
	branchesSigned    = "two signed headers"
)

// branches are the addresses of the nodes that show two branches.
func branches(n *node, views ...*client.View) []string {
	list := []string{n.address}
	for _, v := range views {
		if address := v.Ledger().Nodes()[0].Address(); !contains(list, address) {
			list = append(list, address)
		}
	}
	return list
}

// forkedHeaders raises the alarm that two nodes show signed headers of one height that contradict each other. mu is held.
func (o *Observer) forkedHeaders(n *node, s *sighting, a *client.Attested) {
	if o.stands(Forked, branchesCertified) {
		return // which says as much
	}
	text := fmt.Sprintf("%s and %s show two branches: the states after block %d differ", s.node.address, n.address, a.State.Height)
	if fork, err := certified.FindFork(s.first.State, a.State); err == nil {
		var names []string
		for _, v := range fork.Both {
			names = append(names, v.Organisation+" "+v.Name)
		}
		text += fmt.Sprintf(" in %s; signed on both by %q", strings.Join(fork.Fields, ", "), names)
	}
	nodes := []string{s.node.address}
	if n != s.node {
		nodes = append(nodes, n.address)
	}
	o.raise(Forked, branchesSigned, nodes, text, func() []evidence {
		return []evidence{shownFile("one-branch", s.first.Evidence()), shownFile("other-branch", a.Evidence()), n.heardFile()}
	})
}
