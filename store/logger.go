package store

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/dgraph-io/badger/v4"
)

// logger passes what Badger says on to slog. Its information is of use to nobody but who debugs the store.
type logger struct{ to *slog.Logger }

// quietLogger returns nil, which silences Badger, for nil.
func quietLogger(to *slog.Logger) badger.Logger {
	if to == nil {
		return nil
	}
	return logger{to}
}

func (l logger) Errorf(format string, args ...any)   { l.say(slog.LevelError, format, args) }
func (l logger) Warningf(format string, args ...any) { l.say(slog.LevelWarn, format, args) }
func (l logger) Infof(format string, args ...any)    { l.say(slog.LevelDebug, format, args) }
func (l logger) Debugf(string, ...any)               {}

func (l logger) say(level slog.Level, format string, args []any) {
	if l.to.Enabled(context.Background(), level) {
		l.to.Log(context.Background(), level, "badger: "+strings.TrimSpace(fmt.Sprintf(format, args...)))
	}
}
