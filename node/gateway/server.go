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
	"golang.org/x/sync/semaphore"

	"votenode/abci"
	"votenode/app/election"
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
	// Streams bounds how many streams of events are open at once, 1 to 100,000.
	Streams int `json:"streams"`
	// PerClient bounds how many requests and polls of one address are served at once, and how many streams; 0 means no bound but that
	// one address never has more of what is bounded than is free beside. Addresses of this machine
	// are not bounded: a proxy speaks for everybody. Addresses are counted while they are served, and kept nowhere. What clients bring is
	// taken in by turns of addresses (spec 7.4), and there all of this machine, so all behind a proxy on it, are one.
	PerClient int `json:"per_client"`
	// Validators are addresses of validators' gateways, https://host or host:port. A node that is no validator hands them the ballots that
	// it takes, and passes their slips on.
	Validators []string `json:"validators"`
}

// DefaultConfig returns the configuration of a gateway that says nothing else.
func DefaultConfig() Config {
	return Config{Listen: "127.0.0.1:8080", Requests: 512, Polls: 20_000, Streams: 1_000, PerClient: 64}
}

// Check says what is wrong with a configuration.
func (c Config) Check() error {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("gateway.listen: %w", err)
	}
	if (c.Certificate == "") != (c.Key == "") {
		return errors.New("gateway: certificate and key go together")
	}
	if c.Requests < 1 || c.Requests > 100_000 || c.Polls < 1 || c.Polls > 1_000_000 || c.Streams < 1 || c.Streams > 100_000 || c.PerClient < 0 {
		return fmt.Errorf("gateway: %d requests, %d polls, %d streams, %d per client are out of range", c.Requests, c.Polls, c.Streams, c.PerClient)
	}
	return nil
}

// spareConnections are those that are open beside what is being served: idle ones, and such as have not asked yet.
const spareConnections = 4_096

// connections bounds those that are open at once.
func (c Config) connections() int {
	return min(c.Requests+c.Polls+c.Streams+maxLarge+maxManifests+maxCases+spareConnections, openFiles()/2)
}

// MemoryBound is what a gateway with this configuration holds at most for clients, bytes.
func (c Config) MemoryBound() int64 {
	const (
		connectionMemory = 32 << 10 // goroutines, stacks and buffers
		decoding         = 4        // times its length, which a body takes: beside itself the decoder's copy and what is decoded of it
		encoding         = 3        // times its length, which a large answer takes beside what it is made of
	)
	connection := int64(connectionMemory)
	if c.Certificate != "" {
		connection += secureMemory
	}
	events := 2*recentHeights*maxEvents + int64(c.Streams)*2*maxBatch
	answers := int64(encoding*maxLarge*maxAnswer + encoding*maxManifests*escaped*election.MaxManifest)
	return int64(c.connections())*connection + decoding*maxBodies + answers + events
}

// What no operator chooses.
const (
	maxBody         = 8 << 20   // bytes of a request
	minBody         = 4 << 10   // what a body takes at least, bytes
	maxBodies       = 256 << 20 // bytes of all bodies that are being served, in powers of two each
	maxTransactions = 2_000     // in one request
	maxWait         = 30        // seconds of a long poll
	maxRecords      = 1_000     // of one page
	maxLeaves       = 10_000    // of one answer
	maxHeights      = 100       // whose signatures are in one answer
	maxAnswer       = 4 << 20   // bytes of the leaves or records of one answer, but for the first
	maxLarge        = 32        // answers of leaves, records, blocks and long lists at once
	maxManifests    = 2         // whole manifests at once
	maxCases        = 2         // cases of slips at once
	escaped         = 6         // times its length, which a text takes in JSON at most

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
	Health func() []string
	// Ready returns why clients should go elsewhere, nothing where the node takes what they bring.
	Ready func() []string
	// Alarms returns what is wrong with the ledger as this node sees it, whatever its own health.
	Alarms     func() []string
	CatchingUp func() bool
	Peers      func() int
	// Certified returns the newest certified height with the evidence, and the state after it, nil where it is not kept; height 0
	// where none is certified yet.
	Certified func() (int64, *pb.CertifiedState, *state.Snapshot, error)
	Epochs    func() ([]*pb.EpochProof, error)
	// Receipt returns the receipt of the ballot with a confirmation code, under a certified state only where that is asked for. It
	// fails with state.ErrNotFound where there is none yet.
	Receipt func(election string, code []byte, certified bool) (*pb.Receipt, error)
	// SlipCase shows what became of a promise. It fails with slip.ErrEarly where that cannot be told yet.
	SlipCase func(*pb.Promise) (*pb.SlipCase, error)
	// PassOn hands ballots to validators and returns their slips, nil where there is none.
	PassOn func(ctx context.Context, ballots [][]byte) [][]byte
	// CertifiedAt says whether a height is certified by the precommits in the block after the next.
	CertifiedAt func(height int64) (bool, error)
	// ValidatorsAt returns CometBFT's validator set of a height.
	ValidatorsAt func(height int64) (*cmttypes.ValidatorSet, error)
	// Report takes evidence of misbehaviour. It fails where that does not hold.
	Report func(cmttypes.Evidence) error
}

// Server is a listening gateway.
type Server struct {
	source     Source
	log        *slog.Logger
	listener   net.Listener
	http       *http.Server
	requests   *shares       // of those that are served
	large      *shares       // of those that may have a large answer
	manifests  *shares       // of those that may have a whole manifest
	cases      *shares       // of those that may read old states
	polls      *shares       // of those that wait
	evidence   chan struct{} // one token for whoever reports misbehaviour
	bodies     *semaphore.Weighted
	clients    *clients
	streams    *streams
	validators []string      // of the configuration
	stop       chan struct{} // closed when the server ends: polls return
}

// New listens, and serves once Serve is called.
func New(c Config, s Source, logger *slog.Logger) (*Server, error) {
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("the gateway: %w", err)
	}
	listener = newBounded(listener, c.connections())
	var secured *tls.Config
	if c.Certificate != "" {
		certificate, err := newCertificate(c.Certificate, c.Key, time.Now, logger)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("the gateway's certificate: %w", err), listener.Close())
		}
		secured = &tls.Config{GetCertificate: certificate.get, MinVersion: tls.VersionTLS13}
	}
	server := &Server{
		source: s, log: logger, listener: listener,
		requests: newShares(c.Requests), large: newShares(maxLarge), manifests: newShares(maxManifests), cases: newShares(maxCases), polls: newShares(c.Polls),
		evidence: make(chan struct{}, 1),
		bodies:   semaphore.NewWeighted(maxBodies), clients: newClients(c.PerClient), validators: c.Validators, stop: make(chan struct{}),
	}
	server.streams = newStreams(c, stored{&server.source}, s.App.Advanced, server.stop)
	server.http = &http.Server{
		Handler:           shared(newShares(c.connections()), server.routes()),
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: 16 << 10, TLSConfig: secured, HTTP2: http2,
		ErrorLog: log.New(io.Discard, "", 0), // its lines name clients' addresses
	}
	return server, nil
}

// Addr returns the host:port on which the gateway listens.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Serve answers requests until ctx is done; then it lets those that run come to their end.
func (s *Server) Serve(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() {
		if s.http.TLSConfig != nil {
			ended <- s.http.ServeTLS(s.listener, "", "") // the configuration has the certificate
		} else {
			ended <- s.http.Serve(s.listener)
		}
	}()
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

// errCatchingUp is the answer of a node that takes nothing yet.
var errCatchingUp = &refusal{status: http.StatusServiceUnavailable, after: 5, text: "the node is catching up; ask another one"}

// raw is an answer that is not JSON, rawJSON one that is JSON already, plain one that is text.
type (
	raw     []byte
	rawJSON []byte
	plain   string
)

// answer writes JSON, bytes, or a refusal.
func (s *Server) answer(w http.ResponseWriter, answer any, err error) {
	status := http.StatusOK
	if err != nil {
		var r *refusal
		var large *http.MaxBytesError
		switch {
		case errors.As(err, &r):
		case errors.As(err, &large):
			r = &refusal{status: http.StatusRequestEntityTooLarge, text: fmt.Sprintf("a request has at most %d bytes here", large.Limit)}
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
	switch b := answer.(type) {
	case raw:
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Write(b)
		return
	case rawJSON:
		w.Header().Set("Content-Type", "application/json")
		w.Write(b)
		return
	case plain:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, string(b))
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
