package main

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
)

// patience is how long a command may take before it shows progress.
const patience = 2 * time.Second

// meter shows progress and an estimate of the time left on a terminal, once a command has taken its time, and nothing elsewhere.
type meter struct {
	out   io.Writer // nil shows nothing
	what  string
	since time.Time
	pace  pace
	bar   *progressbar.ProgressBar
}

func newMeter(c *cobra.Command, what string) *meter {
	b := &meter{what: what, since: time.Now()}
	if out := c.ErrOrStderr(); isTerminal(out) {
		b.out = out
	}
	return b
}

func (b *meter) set(done, all int64) {
	if b.out == nil {
		return
	}
	now := time.Now()
	b.pace.note(now, done)
	if now.Sub(b.since) < patience {
		return
	}
	if b.bar == nil {
		b.bar = progressbar.NewOptions64(all, progressbar.OptionSetWriter(b.out), progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(false), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
	}
	if b.bar.GetMax64() != all {
		b.bar.ChangeMax64(all)
	}
	b.bar.Describe(b.what + b.pace.text(all))
	_ = b.bar.Set64(done) // drawing is not worth an error
}

func (b *meter) end() {
	if b.bar != nil {
		_ = b.bar.Finish()
	}
}

// pace follows how fast work goes, by what was done in the last half minute.
type pace struct{ marks []mark }

type mark struct {
	at   time.Time
	done int64
}

// paceMarks is how many marks are kept, one a second.
const paceMarks = 30

// note notes how much is done.
func (p *pace) note(now time.Time, done int64) {
	if n := len(p.marks); n > 1 && now.Sub(p.marks[n-2].at) < time.Second {
		p.marks[n-1] = mark{now, done}
		return
	}
	p.marks = append(p.marks, mark{now, done})
	p.marks = p.marks[max(0, len(p.marks)-paceMarks):]
}

// left estimates the time until all is done, and says whether there is anything to estimate it from.
func (p *pace) left(all int64) (time.Duration, bool) {
	if len(p.marks) < 2 {
		return 0, false
	}
	first, last := p.marks[0], p.marks[len(p.marks)-1]
	took, did := last.at.Sub(first.at).Seconds(), last.done-first.done
	if took <= 0 || did <= 0 || last.done > all {
		return 0, false
	}
	seconds := float64(all-last.done) * took / float64(did)
	const most = 1000 * time.Hour
	return min(time.Duration(min(seconds, most.Seconds())*float64(time.Second)), most), true
}

// text says how much time is left, where that can be said.
func (p *pace) text(all int64) string {
	left, ok := p.left(all)
	if !ok {
		return ""
	}
	return fmt.Sprintf(", about %v left", left.Round(time.Second))
}
