package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"
)

// What bounds whoever asks for metrics.
const (
	metricsConnections = 16
	metricsAtOnce      = 4 // answers that are made
	metricsTimeout     = 10 * time.Second
	metricsIdle        = 2 * time.Minute
)

// metrics serves GET /metrics, and nothing else, on a listener of its own.
type metrics struct {
	node     *Node
	blocks   *blockCounts
	listener net.Listener
	http     *http.Server
}

// newMetrics listens, and serves once serve is called. Without an address it returns nil.
func newMetrics(n *Node, c MetricsConfig) (*metrics, error) {
	if c.Listen == "" {
		return nil, nil
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("the metrics: %w", err)
	}
	m := &metrics{node: n, blocks: newBlockCounts(), listener: netutil.LimitListener(listener, metricsConnections)}
	registry := prometheus.NewRegistry()
	registry.MustRegister(newCollector(n), m.blocks.precommits, m.blocks.rounds,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, ErrorLog: logged{n}, MaxRequestsInFlight: metricsAtOnce, Timeout: metricsTimeout,
	}))
	m.http = &http.Server{
		Handler: mux, ReadHeaderTimeout: metricsTimeout, ReadTimeout: metricsTimeout, WriteTimeout: 2 * metricsTimeout, IdleTimeout: metricsIdle,
		MaxHeaderBytes: 16 << 10, ErrorLog: log.New(io.Discard, "", 0), // its lines name who asked
	}
	return m, nil
}

// logged writes errors of collecting to the node's log.
type logged struct{ node *Node }

// Println implements promhttp.Logger.
func (l logged) Println(v ...any) { l.node.log.Error("collecting metrics", "error", fmt.Sprint(v...)) }

// serve answers until ctx is done.
func (m *metrics) serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = m.http.Close() })
	defer stop()
	err := m.http.Serve(m.listener)
	if errors.Is(err, http.ErrServerClosed) {
		return ctx.Err()
	}
	return fmt.Errorf("the metrics: %w", err)
}

// follow counts every new block until ctx is done.
func (m *metrics) follow(ctx context.Context) error {
	for {
		advanced := m.node.app.Advanced()
		if err := m.blocks.update(m.node); err != nil {
			return fmt.Errorf("counting precommits: %w", err)
		}
		select {
		case <-advanced:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// close stops listening at once.
func (m *metrics) close() error {
	err := m.http.Close()
	if closing := m.listener.Close(); !errors.Is(closing, net.ErrClosed) {
		err = errors.Join(err, closing)
	}
	return err
}
