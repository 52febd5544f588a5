package perturb

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"votenode/internal/network"
)

// deed is something that is done to a network. It returns when it is undone; the network need not be well yet.
type deed struct {
	name string
	do   func(e *election)
}

// further is how many heights the others must go on by while a validator is gone.
const further = 3

// Names of deeds that not every network allows.
const (
	slowNode = "one is slow"
	fullDisk = "a disk is full"
)

// controls are what can be done to the nodes of a network, which are named by their place among the validators.
type controls interface {
	kill(i int)
	stop(i int)
	start(i int)
	pause(i int)
	goOn(i int)
	// cutOff takes a node off the network, joinAgain brings it back.
	cutOff(i int)
	joinAgain(i int)
	// divide keeps nodes of different groups apart, slow delays what one sends or does, heal ends both.
	divide(groups ...[]int)
	slow(i int, delay time.Duration)
	heal()
	// fillDisk leaves no room on the disk of a node, until that signs no more, and makes room again.
	fillDisk()
	// agree holds the states of all nodes against each other, at the end.
	agree()
	// can says whether a deed can be done here.
	can(d deed) bool
}

var deeds = []deed{
	{"one is killed", func(e *election) { e.without(e.some(1), e.kill, e.start) }},
	{"one of each organisation is killed", func(e *election) { e.halted(e.oneOfEach(), e.kill, e.start) }},
	{"all are killed", func(e *election) { e.each(e.everyone(), e.kill); e.each(e.everyone(), e.start) }},
	{"one is paused", func(e *election) { e.without(e.some(1), e.pause, e.goOn) }},
	{"one is cut off", func(e *election) { e.without(e.some(1), e.cutOff, e.joinAgain) }},
	{"the organisations are cut apart", func(e *election) {
		var groups [][]int
		for _, o := range organisations {
			groups = append(groups, e.of(o.ID))
		}
		e.divide(groups...)
		e.sick(e.everyone(), "has not risen")
		e.heal()
	}},
	{slowNode, func(e *election) {
		i := e.some(1)[0]
		e.slow(i, 150*time.Millisecond)
		e.rise(e.others(i), 2*further)
		e.heal()
	}},
	{"one is restarted", func(e *election) { e.each(e.some(1), e.restart) }},
	{"two are restarted", func(e *election) { e.each(e.some(2), e.restart) }},
	{"all are restarted", func(e *election) { e.each(e.everyone(), e.stop); e.each(e.everyone(), e.start) }},
	{fullDisk, func(e *election) { e.fillDisk() }},
}

// choose decides what is done in each phase: everything, or two things by chance, or one. It returns how many.
func (e *election) choose() int {
	switch {
	case *only != "":
		i := slices.IndexFunc(deeds, func(d deed) bool { return d.name == *only })
		if i < 0 {
			e.Fatalf("nothing is called %q; there are: %v", *only, names())
		}
		if !e.can(deeds[i]) {
			e.Skipf("this cannot be done here: %s", *only)
		}
		e.deeds = func() []deed { return deeds[i : i+1] }
		return 1
	case *all:
		e.deeds = e.shuffled
		return len(e.shuffled())
	default:
		e.deeds = func() []deed { return e.shuffled()[:1] }
		return 1
	}
}

func names() []string {
	var all []string
	for _, d := range deeds {
		all = append(all, d.name)
	}
	return all
}

func (e *election) shuffled() []deed {
	list := slices.DeleteFunc(slices.Clone(deeds), func(d deed) bool { return !e.can(d) })
	e.random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

func (e *election) everyone() []int {
	var all []int
	for i := range e.network.Validators {
		all = append(all, i)
	}
	return all
}

// some returns so many validators by chance.
func (e *election) some(n int) []int { return e.random.Perm(len(e.network.Validators))[:n] }

// others returns all validators but one.
func (e *election) others(i int) []int {
	return slices.DeleteFunc(e.everyone(), func(j int) bool { return j == i })
}

// of returns the validators of an organisation.
func (e *election) of(organisation string) []int {
	return slices.DeleteFunc(e.everyone(), func(i int) bool { return e.network.Validators[i].Organisation != organisation })
}

func (e *election) oneOfEach() (some []int) {
	for _, o := range organisations {
		members := e.of(o.ID)
		some = append(some, members[e.random.IntN(len(members))])
	}
	return some
}

func (e *election) each(validators []int, do func(i int)) {
	for _, i := range validators {
		do(i)
	}
}

func (e *election) restart(i int) {
	e.stop(i)
	e.start(i)
}

// without takes one validator away and lets the others go on by some heights before it returns.
func (e *election) without(one []int, away, back func(i int)) {
	e.each(one, away)
	e.rise(e.others(one[0]), further)
	e.each(one, back)
}

// halted takes validators away, waits until one that is left says that the height does not rise any more, and brings them back.
func (e *election) halted(gone []int, away, back func(i int)) {
	e.each(gone, away)
	e.sick(slices.DeleteFunc(e.everyone(), func(i int) bool { return slices.Contains(gone, i) }), "has not risen")
	e.each(gone, back)
}

// rise waits until validators have gone on by some heights.
func (e *election) rise(validators []int, heights int64) {
	e.Helper()
	ctx, cancel := context.WithTimeout(e.ctx, span)
	defer cancel()
	tip := int64(0)
	for _, i := range validators {
		s, err := e.network.Validators[i].Node.AwaitHeight(ctx, 1)
		e.check(err)
		tip = max(tip, s.Height)
	}
	for _, i := range validators {
		_, err := e.network.Validators[i].Node.AwaitHeight(ctx, tip+heights)
		e.check(err)
	}
}

// sick waits until each of some validators gives a reason of these words for being unwell.
func (e *election) sick(validators []int, words string) {
	e.Helper()
	for _, i := range validators {
		e.await(e.network.Validators[i], "says: "+words, func(healthy bool, reasons []string) bool {
			return !healthy && strings.Contains(strings.Join(reasons, "; "), words)
		})
	}
}

// well waits until all validators are healthy and blocks are certified again.
func (e *election) well() {
	e.Helper()
	e.rise(e.everyone(), further)
	for _, v := range e.network.Validators {
		e.await(v, "is healthy", func(healthy bool, _ []string) bool { return healthy })
	}
	ctx, cancel := context.WithTimeout(e.ctx, span)
	defer cancel()
	v, err := e.ledger.Certified(ctx)
	if err == nil {
		_, err = e.ledger.After(ctx, v.Height())
	}
	e.check(err)
}

// await asks a validator for its health until that is as it should be.
func (e *election) await(v *network.Validator, what string, right func(healthy bool, reasons []string) bool) {
	e.Helper()
	ctx, cancel := context.WithTimeout(e.ctx, span)
	defer cancel()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		h, err := v.Node.Health(ctx)
		if err == nil && right(h.Healthy, h.Reasons) {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			e.Fatalf("%s never %s: %+v, %v", v.Name, what, h, err)
		}
	}
}

// fill writes a file until its disk has no room for another byte.
func (e *election) fill(file string) {
	f := must(os.Create(file))
	if _, err := io.Copy(f, zeros{}); !errors.Is(err, syscall.ENOSPC) {
		e.Fatalf("the disk of %s cannot be filled: %v", file, err)
	}
	e.check(f.Close())
}

// unwell waits until a node has ended or says that it is unwell.
func (e *election) unwell(v *network.Validator) {
	ctx, cancel := context.WithTimeout(e.ctx, span)
	defer cancel()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		if h, err := v.Node.Health(ctx); ctx.Err() != nil {
			e.Fatalf("%s works on a full disk", v.Name)
		} else if err != nil || !h.Healthy {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

// zeros is a source of zeros without end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
