package demo

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Talk tells a person how far the demo is: with bars on a terminal, in plain lines elsewhere. Only the goroutine that runs the demo
// uses it.
type Talk struct {
	// To is where it goes, standard error as a rule.
	To io.Writer
	// Terminal says whether a line can be drawn again.
	Terminal bool

	begin time.Time
}

// say writes a line with the seconds since the demo began.
func (t *Talk) say(format string, args ...any) {
	if t.begin.IsZero() {
		t.begin = time.Now()
	}
	fmt.Fprintf(t.To, "%6.1f s  %s\n", time.Since(t.begin).Seconds(), fmt.Sprintf(format, args...))
}

// bar shows work of a known amount. Without a terminal it writes a line for each quarter.
type bar struct {
	talk  *Talk
	what  string
	total int
	done  int
	drawn *progressbar.ProgressBar
}

func (t *Talk) bar(what string, total int) *bar {
	b := &bar{talk: t, what: what, total: total}
	if t.Terminal {
		b.drawn = progressbar.NewOptions(total, progressbar.OptionSetWriter(t.To), progressbar.OptionSetDescription("          "+what),
			progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
	}
	return b
}

// set says how much is done, which never shrinks.
func (b *bar) set(done int) {
	if done <= b.done {
		return
	}
	quarter := func(n int) int { return 4 * n / max(b.total, 1) }
	before := quarter(b.done)
	b.done = min(done, b.total)
	switch {
	case b.drawn != nil:
		_ = b.drawn.Set(b.done) // drawing may fail, the work does not
	case quarter(b.done) > before && b.done < b.total:
		b.talk.say("%s: %d of %d", b.what, b.done, b.total)
	}
}

// clear takes the bar off the terminal.
func (b *bar) clear() {
	if b.drawn != nil {
		_ = b.drawn.Finish()
	}
}
