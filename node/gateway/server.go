package gateway

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/abci"
	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
)

// Config is the part "gateway" of a node's configuration.
type Config struct {
	// Listen is the host:port of the gateway. The default serves this machine only.
	Listen string `json:"listen"`
	// Certificate and Key are PEM files for TLS; both empty means plain HTTP, for this machine or behind a proxy.
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
	// Requests bounds how many are served at once, 1 to 100,000; what comes on top is told to come again.
	Requests int `json:"requests"`
	// Polls bounds how many wait for a height or a transaction at once, 1 to 1,000,000.
	Polls int `json:"polls"`
}

// DefaultConfig returns the configuration of a gateway that says nothing else.
func DefaultConfig() Config {
	return Config{Listen: "127.0.0.1:8080", Requests: 512, Polls: 20_000}
}

// Check says what is wrong with a configuration.
func (c Config) Check() error {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("gateway.listen: %w", err)
	}
	if (c.Certificate == "") != (c.Key == "") {
		return errors.New("gateway: certificate and key go together")
	}
	if c.Requests < 1 || c.Requests > 100_000 || c.Polls < 1 || c.Polls > 1_000_000 {
		return fmt.Errorf("gateway: %d requests and %d polls are out of range", c.Requests, c.Polls)
	}
	return nil
}

// What no operator chooses.
const (
	maxBody         = 8 << 20 // bytes of a request
	maxTransactions = 2_000   // in one request
	maxWait         = 30      // seconds of a long poll
	maxRecords      = 1_000   // of one page
	maxLeaves       = 10_000  // of one answer
	maxLeafBytes    = 8 << 20 // of one answer, but for the first leaf
	maxRecordBytes  = 8 << 20 // of one page, but for the first record

	headerTimeout = 5 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = (maxWait + 30) * time.Second
	idleTimeout   = 2 * time.Minute
	closePatience = 5 * time.Second
	submitTimeout = 20 * time.Second
)

// Blocks is what the gateway reads of CometBFT's store.
type Blocks interface {
	LoadBlock(height int64) *cmttypes.Block
	LoadBlockMeta(height int64) *cmttypes.BlockMeta
	LoadBlockCommit(height int64) *cmttypes.Commit
}

// Clock is how far a validator's clock was from block time when it signed.
type Clock struct {
	Organisation string `json:"organisation"`
	Validator    string `json:"validator"`
	Milliseconds int64  `json:"milliseconds"`
}

// Source is what the gateway serves. Functions are safe for concurrent use.
type Source struct {
	App         *abci.Application
	Blocks      Blocks
	Chain       string
	GenesisHash [32]byte
	Document    []byte
	Approvals   []byte
	Version     string
	NodeID      string
	// Validator returns the node's validator in the present set, nil where it is none.
	Validator func() (*pb.Validator, error)
	Clocks    func() ([]Clock, error)
	// Health returns what is wrong, nothing for a healthy node.
	Health     func() []string
	CatchingUp func() bool
	Peers      func() int
	// Certified returns the newest certified height with the evidence, and the state after it, nil where it is not kept; height 0
	// where none is certified yet.
	Certified func() (int64, *pb.CertifiedState, *state.Snapshot, error)
	Epochs    func() ([]*pb.EpochProof, error)
}

// Server is a listening gateway.
type Server struct {
	source   Source
	log      *slog.Logger
	listener net.Listener
	http     *http.Server
	requests chan struct{} // one token for each that is served
	polls    chan struct{} // one token for each that waits
	stop     chan struct{} // closed when the server ends: polls return
}

// New listens, and serves once Serve is called.
func New(c Config, s Source, logger *slog.Logger) (*Server, error) {
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("the gateway: %w", err)
	}
	if c.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("the gateway's certificate: %w", err), listener.Close())
		}
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13})
	}
	server := &Server{
		source: s, log: logger, listener: listener,
		requests: make(chan struct{}, c.Requests), polls: make(chan struct{}, c.Polls), stop: make(chan struct{}),
	}
	server.http = &http.Server{
		Handler:           server.routes(),
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: 16 << 10,
		ErrorLog:       log.New(io.Discard, "", 0), // its lines name clients' addresses
	}
	return server, nil
}

// Addr returns the host:port on which the gateway listens.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Serve answers requests until ctx is done; then it lets those that run come to their end.
func (s *Server) Serve(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() { ended <- s.http.Serve(s.listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("the gateway: %w", err)
	case <-ctx.Done():
	}
	close(s.stop)
	patience, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	if err := s.http.Shutdown(patience); err != nil {
		return errors.Join(err, s.http.Close())
	}
	return nil
}

// Close stops listening at once.
func (s *Server) Close() error {
	err := s.http.Close()
	if closing := s.listener.Close(); !errors.Is(closing, net.ErrClosed) {
		err = errors.Join(err, closing)
	}
	return err
}

// refusal is an answer other than 200.
type refusal struct {
	status int
	after  int // seconds for Retry-After; 0 for none
	text   string
}

func (r *refusal) Error() string { return r.text }

func bad(format string, args ...any) error {
	return &refusal{status: http.StatusBadRequest, text: fmt.Sprintf(format, args...)}
}

func missing(format string, args ...any) error {
	return &refusal{status: http.StatusNotFound, text: fmt.Sprintf(format, args...)}
}

// errBusy is the answer of a full gateway.
var errBusy = &refusal{status: http.StatusServiceUnavailable, after: 1, text: "the node serves as many requests as it can; come again in a moment"}

// raw is an answer that is not JSON.
type raw []byte

// endpoint answers one kind of request.
type endpoint func(r *http.Request) (any, error)

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.health) // not bounded: it is asked when the node is at its limits
	for pattern, e := range map[string]endpoint{
		"GET /v1/transactions/{hash}": s.transaction,
		"GET /v1/heights/{height}":    s.height,
	} {
		mux.HandleFunc(pattern, s.bounded(s.polls, e))
	}
	for pattern, e := range map[string]endpoint{
		"GET /v1/status":           s.status,
		"GET /v1/genesis":          s.genesis,
		"POST /v1/transactions":    s.submit,
		"GET /v1/record":           s.record,
		"GET /v1/records":          s.records,
		"GET /v1/log/head":         s.logHead,
		"GET /v1/log/leaves":       s.logLeaves,
		"GET /v1/log/inclusion":    s.logInclusion,
		"GET /v1/log/consistency":  s.logConsistency,
		"GET /v1/voter":            s.voter,
		"GET /v1/headers/{height}": s.header,
		"GET /v1/certified":        s.certified,
		"GET /v1/epochs":           s.epochs,
		"GET /v1/blocks/{height}":  s.block,
		"GET /v1/elections":        s.elections,
		"GET /v1/elections/{id}":   s.election,
	} {
		mux.HandleFunc(pattern, s.bounded(s.requests, e))
	}
	return mux
}

// bounded serves an endpoint while there are tokens, and no more.
func (s *Server) bounded(tokens chan struct{}, e endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case tokens <- struct{}{}:
		default:
			s.answer(w, nil, errBusy)
			return
		}
		defer func() { <-tokens }()
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		answer, err := e(r)
		s.answer(w, answer, err)
	}
}

// answer writes JSON, bytes, or a refusal.
func (s *Server) answer(w http.ResponseWriter, answer any, err error) {
	status := http.StatusOK
	if err != nil {
		var r *refusal
		var large *http.MaxBytesError
		switch {
		case errors.As(err, &r):
		case errors.As(err, &large):
			r = &refusal{status: http.StatusRequestEntityTooLarge, text: fmt.Sprintf("a request has at most %d bytes", maxBody)}
		case errors.Is(err, state.ErrNotFound), errors.Is(err, state.ErrPruned):
			r = &refusal{status: http.StatusNotFound, text: err.Error()}
		case errors.Is(err, state.ErrMisuse):
			r = &refusal{status: http.StatusBadRequest, text: err.Error()}
		default:
			s.log.Error("answering a request", "error", err)
			r = &refusal{status: http.StatusServiceUnavailable, after: 5, text: "the node cannot answer now"}
		}
		if status = r.status; r.after > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(r.after))
		}
		answer = map[string]string{"error": r.text}
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	if b, ok := answer.(raw); ok {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Write(b)
		return
	}
	if a, ok := answer.(interface{ retryAfter() int }); ok && a.retryAfter() > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(a.retryAfter()))
	}
	writeJSON(w, status, answer)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"error":"the node cannot encode its answer"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(b, '\n'))
}
