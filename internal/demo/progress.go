package demo

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Talk tells a person how far the demo is: with bars on a terminal, in plain lines elsewhere. It is safe for concurrent use.
type Talk struct {
	// To is where it goes, standard error as a rule.
	To io.Writer
	// Terminal says whether a line can be drawn again.
	Terminal bool

	mu    sync.Mutex
	begin time.Time
	drawn *progressbar.ProgressBar // on the terminal at the moment
}

// say writes a line with the seconds since the first one.
func (t *Talk) say(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.begin.IsZero() {
		t.begin = time.Now()
	}
	if t.drawn != nil {
		_ = t.drawn.Clear() // drawing may fail, the work does not
	}
	fmt.Fprintf(t.To, "%6.1f s  %s\n", time.Since(t.begin).Seconds(), fmt.Sprintf(format, args...))
}

// bar shows work of a known amount, one at a time. Without a terminal it writes a line for each quarter.
type bar struct {
	talk  *Talk
	what  string
	total int

	mu   sync.Mutex
	done int
}

func (t *Talk) bar(what string, total int) *bar {
	b := &bar{talk: t, what: what, total: total}
	if t.Terminal {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.drawn = progressbar.NewOptions(total, progressbar.OptionSetWriter(t.To), progressbar.OptionSetDescription("          "+what),
			progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
	}
	return b
}

// set says how much is done, which never shrinks.
func (b *bar) set(done int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if done <= b.done {
		return
	}
	quarter := func(n int) int { return 4 * n / max(b.total, 1) }
	before := quarter(b.done)
	b.done = min(done, b.total)
	if b.talk.draw(b.done) {
		return
	}
	if quarter(b.done) > before && b.done < b.total {
		b.talk.say("%s: %d of %d", b.what, b.done, b.total)
	}
}

// draw brings the bar on the terminal up to date, where there is one.
func (t *Talk) draw(done int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.drawn != nil {
		_ = t.drawn.Set(done)
	}
	return t.drawn != nil
}

// clear takes the bar off the terminal.
func (b *bar) clear() {
	b.talk.mu.Lock()
	defer b.talk.mu.Unlock()
	if b.talk.drawn != nil {
		_ = b.talk.drawn.Finish()
		b.talk.drawn = nil
	}
}
