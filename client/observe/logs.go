package observe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/transparency-dev/merkle/rfc6962"

	"votenode/app/state"
	"votenode/client"
)

const (
	// maxElections is of how many elections, the newest ones, the logs are looked at.
	maxElections = 64
	// electionsPerLook is of how many of them in one look: nodes keep a state for some heights only.
	electionsPerLook = 4
)

// logs looks at the logs under a certified state: that each has only grown since the newest head that is known, and that leaves that were
// looked at are what they were; and at the lots of the same elections.
func (o *Observer) logs(ctx context.Context, n *node, v *client.View) error {
	if n.logged >= v.Height() {
		return nil
	}
	ids, err := client.Elections(ctx, v)
	if err != nil {
		return at("record", err)
	}
	ids = ids[max(0, len(ids)-maxElections):]
	names, turn := []string{state.LogBlocks}, []string{state.LogBlocks}
	var lots []string
	for i, id := range ids {
		logs := []string{state.LogRoll(id), state.LogBallots(id)}
		names = append(names, logs...)
		if parts := (len(ids) + electionsPerLook - 1) / electionsPerLook; i%parts == n.round%parts {
			turn, lots = append(turn, logs...), append(lots, id)
		}
	}
	for _, name := range turn {
		if err := o.log(ctx, n, v, name); err != nil {
			return err
		}
	}
	for _, id := range lots {
		if err := o.lot(ctx, n, v, id); err != nil {
			return err
		}
	}
	n.logged = v.Height()
	n.round++
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.anchor == v { // logs of elections that are too old are let go
		o.file.Logs = slices.DeleteFunc(o.file.Logs, func(l *log) bool { return !contains(names, l.Log) })
	}
	return nil
}

// known returns a copy of what is known of a log, with height 0 where it is nothing.
func (o *Observer) known(name string) log {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, l := range o.file.Logs {
		if l.Log == name {
			known := *l
			known.Leaves = slices.Clone(l.Leaves)
			return known
		}
	}
	empty := state.Head{Root: state.Hash(rfc6962.DefaultHasher.EmptyRoot())}
	return log{Log: name, Head: empty.Bytes()}
}

// learn puts what is known of a log in the place of what was known at a height. It does nothing where another look was first: both have been
// held against the same head, and not against each other.
func (o *Observer) learn(l log, before int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, old := range o.file.Logs {
		if old.Log == l.Log {
			if old.Height == before {
				*old, o.dirty = l, true
			}
			return
		}
	}
	if before == 0 {
		o.file.Logs, o.dirty = append(o.file.Logs, &l), true
	}
}

// log looks at one log.
func (o *Observer) log(ctx context.Context, n *node, v *client.View, name string) error {
	head, err := v.Head(ctx, name)
	if err != nil {
		return at("record", err)
	}
	l := o.known(name)
	old, before := l.head(), l.Height
	if before > v.Height() {
		return o.again(ctx, n, l, head.Size)
	}
	cause := n.address + " " + name
	if head.Size < old.Size {
		o.alarmed(n, LogShrunk, cause, fmt.Sprintf("the log %s has %d leaves in the state of height %d, and had %d in that of height %d", name, head.Size, v.Height(), old.Size, before))
		return nil
	}
	if err := v.Grown(ctx, name, old, head); errors.Is(err, client.ErrVerification) {
		o.alarmed(n, LogChanged, cause, fmt.Sprintf("the log %s has %d leaves in the state of height %d, of which the first %d are not shown to be those of height %d: %v",
			name, head.Size, v.Height(), old.Size, before, err))
		return nil
	} else if err != nil {
		return at("consistency proof", err)
	}
	if err := o.again(ctx, n, l, head.Size); err != nil {
		return err
	}
	if l.wants(head.Size) {
		last, err := v.Leaf(ctx, name, head.Size-1)
		if err != nil {
			return at("log leaf", err)
		}
		l.Leaves = append(l.Leaves, leaf{head.Size - 1, rfc6962.DefaultHasher.HashLeaf(last)})
	}
	if v.Height() > before && head.Size > 0 {
		l.Height, l.Head = v.Height(), head.Bytes()
		o.learn(l, before)
	}
	return nil
}

// wants says whether the last leaf of a log of a size is to be looked at from now on: its number of leaves doubles from one to the next, so
// that there are never more than 64.
func (l *log) wants(size uint64) bool {
	if size == 0 || len(l.Leaves) == 0 {
		return size > 0
	}
	return size/2 > l.Leaves[len(l.Leaves)-1].Index
}

// again looks at one of the leaves that were looked at before, another one in every look, in a log that has so many leaves in this state.
func (o *Observer) again(ctx context.Context, n *node, l log, size uint64) error {
	there := 0
	for there < len(l.Leaves) && l.Leaves[there].Index < size {
		there++
	}
	if there == 0 {
		return nil
	}
	kept := l.Leaves[n.turns[l.Log]%there]
	n.turns[l.Log]++
	got, err := n.remote.LogLeaves(ctx, l.Log, kept.Index, kept.Index+1)
	if err != nil {
		return at("log leaf", err)
	}
	cause := n.address + " " + l.Log
	switch {
	case len(got) == 0:
		o.alarmed(n, LogShrunk, cause, fmt.Sprintf("the node has no leaf %d of the log %s, which it has shown to have %d", kept.Index, l.Log, size))
	case len(got) > 1 || !bytes.Equal(rfc6962.DefaultHasher.HashLeaf(got[0]), kept.Hash):
		o.alarmed(n, LeafChanged, cause, fmt.Sprintf("leaf %d of the log %s is not what it was: its hash is %x, and was %x", kept.Index, l.Log, rfc6962.DefaultHasher.HashLeaf(got[0]), kept.Hash))
	}
	return nil
}

// alarmed raises an alarm about a node with what it has answered.
func (o *Observer) alarmed(n *node, kind Kind, cause, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.raise(kind, cause, []string{n.address}, text, n.heard)
}
