// Package talk tells a person how far long work on this machine is.
package talk

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Talk tells a person how far the work is: with bars on a terminal, in plain lines elsewhere. It is safe for concurrent use.
type Talk struct {
	// To is where it goes, standard error as a rule.
	To io.Writer
	// Terminal says whether a line can be drawn again.
	Terminal bool

	mu    sync.Mutex
	begin time.Time
	drawn *progressbar.ProgressBar // on the terminal at the moment
}

// Say writes a line with the seconds since the first one.
func (t *Talk) Say(format string, args ...any) {
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

// Bar shows work of a known amount, one at a time. Without a terminal it writes a line for each quarter.
type Bar struct {
	talk  *Talk
	what  string
	total int

	mu   sync.Mutex
	done int
}

// Bar begins to show work of a total amount.
func (t *Talk) Bar(what string, total int) *Bar {
	b := &Bar{talk: t, what: what, total: total}
	if t.Terminal {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.drawn = progressbar.NewOptions(total, progressbar.OptionSetWriter(t.To), progressbar.OptionSetDescription("          "+what),
			progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
	}
	return b
}

// Set says how much is done, which never shrinks.
func (b *Bar) Set(done int) {
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
		b.talk.Say("%s: %d of %d", b.what, b.done, b.total)
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

// Clear takes the bar off the terminal.
func (b *Bar) Clear() {
	b.talk.mu.Lock()
	defer b.talk.mu.Unlock()
	if b.talk.drawn != nil {
		_ = b.talk.drawn.Finish()
		b.talk.drawn = nil
	}
}
