package node

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	cmtlog "github.com/cometbft/cometbft/libs/log"
)

// levels are the names of levels in a configuration.
var levels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

func logLevel(name string) (slog.Level, error) {
	level, ok := levels[name]
	if !ok {
		return 0, fmt.Errorf("log.level is %q; it is debug, info, warn or error", name)
	}
	return level, nil
}

// NewLogger returns the logger that a configuration asks for.
func NewLogger(w io.Writer, c LogConfig) (*slog.Logger, error) {
	level, err := logLevel(c.Level)
	if err != nil {
		return nil, err
	}
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return slog.New(slog.NewTextHandler(w, options)), nil
}

// cometLogger passes CometBFT's log on. What CometBFT calls information is a dozen lines a block, so it goes to debug.
type cometLogger struct{ to *slog.Logger }

var _ cmtlog.Logger = cometLogger{}

func (l cometLogger) Debug(string, ...any) {}

func (l cometLogger) Info(msg string, pairs ...any) { l.say(slog.LevelDebug, msg, pairs) }

func (l cometLogger) Warn(msg string, pairs ...any) { l.say(slog.LevelWarn, msg, pairs) }

func (l cometLogger) Error(msg string, pairs ...any) { l.say(slog.LevelError, msg, pairs) }

func (l cometLogger) With(pairs ...any) cmtlog.Logger {
	return cometLogger{l.to.With(texts(pairs)...)}
}

func (l cometLogger) say(level slog.Level, msg string, pairs []any) {
	if l.to.Enabled(context.Background(), level) {
		l.to.Log(context.Background(), level, strings.TrimSpace(msg), texts(pairs)...)
	}
}

// texts turns the values of pairs, which print themselves lazily, into text.
func texts(pairs []any) []any {
	out := make([]any, len(pairs))
	for i, v := range pairs {
		switch v := v.(type) {
		case error, fmt.Stringer:
			out[i] = fmt.Sprint(v)
		case []byte:
			out[i] = fmt.Sprintf("%X", v)
		default:
			out[i] = v
		}
	}
	return out
}
