package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"votenode/app/text"
)

const (
	// requestTimeout bounds one request, beyond the seconds that the node was asked to wait; submitTimeout comes on top where the
	// node checks ballots meanwhile.
	requestTimeout = 10 * time.Second
	submitTimeout  = 20 * time.Second
	// maxWait is the longest poll that a gateway serves, seconds.
	maxWait = 30
	// maxPause bounds how long a node's Retry-After is obeyed.
	maxPause = 30 * time.Second
	// maxSentence is how much is shown of what a node says, bytes.
	maxSentence = 2_000
	// defaultPause stands where a node says "later" without saying when.
	defaultPause = 500 * time.Millisecond
	// maxResponse bounds the body of an answer; blocks and long log ranges are the largest.
	maxResponse = 32 << 20
)

var (
	// ErrUnknown says that a node does not have, or not yet, what was asked for (404).
	ErrUnknown = errors.New("the node does not have it")
	// ErrMalformed says that an answer came whole and is none of a node: no JSON, or no message, of the form that was asked for.
	ErrMalformed = errors.New("not the answer of a node")
	// ErrBusy says that a node has too much to do, and when to come again (429, 503).
	ErrBusy = errors.New("the node has too much to do; come again in a moment")
)

// NodeError is a node's refusal of a request.
type NodeError struct {
	Status  int    // HTTP status
	Message string // the node's sentence
	pause   time.Duration
	body    []byte
}

// Error names status and sentence.
func (e *NodeError) Error() string {
	return fmt.Sprintf("the node answers %d: %s", e.Status, e.Message)
}

// Is lets a 404 match ErrUnknown, and what asks to come again ErrBusy.
func (e *NodeError) Is(target error) bool {
	return target == ErrUnknown && e.Status == http.StatusNotFound || target == ErrBusy && e.pause > 0
}

// Node speaks to the gateway of one node (docs/spec section 7.8). Nothing it returns is proven: see Ledger. It is safe for
// concurrent use.
type Node struct {
	base    string
	http    *http.Client
	timeout time.Duration // of one request, beyond what the node was asked to wait
	most    int           // bytes of an answer
	heard   Heard
}

// Heard is told of every answer of a node as it came, for evidence: its URL, the HTTP status, and the body, or as much of it as came. It
// must not keep the body.
type Heard func(target string, status int, body []byte)

// OnAnswer has heard told of every answer, and reads no more than so many bytes of each. It is called before the node is asked anything.
func (n *Node) OnAnswer(most int, heard Heard) { n.most, n.heard = most, heard }

// NewNode takes an address such as https://node.example or 127.0.0.1:8080; without a scheme it is http, which only serves on the
// same machine or behind a tunnel.
func NewNode(address string) (*Node, error) {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("%q is no address of a node: write host:port or https://host", address)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 16
	return &Node{base: strings.TrimRight(u.String(), "/"), http: &http.Client{Transport: transport}, timeout: requestTimeout, most: maxResponse}, nil
}

// Address returns the node's base URL.
func (n *Node) Address() string { return n.base }

// get asks for path and query and decodes the JSON answer into out.
func (n *Node) get(ctx context.Context, path string, query url.Values, out any) error {
	_, err := n.request(ctx, http.MethodGet, path, query, nil, out)
	return err
}

// request performs one exchange of JSON, or of bytes as they are, repeated while the node answers 429 or 503 with a Retry-After and ctx lives. It returns what
// pause the last answer asked for.
func (n *Node) request(ctx context.Context, method, path string, query url.Values, in, out any) (time.Duration, error) {
	var body []byte
	switch in := in.(type) {
	case nil:
	case []byte:
		body = in
	default:
		var err error
		if body, err = json.Marshal(in); err != nil {
			return 0, err
		}
	}
	for {
		pause, err := n.once(ctx, method, path, query, body, out)
		var refused *NodeError
		if !errors.As(err, &refused) || refused.pause == 0 {
			return pause, err
		}
		if err := sleep(ctx, refused.pause); err != nil {
			return 0, refused
		}
	}
}

func (n *Node) once(ctx context.Context, method, path string, query url.Values, body []byte, out any) (time.Duration, error) {
	limit := n.timeout
	if method == http.MethodPost {
		limit += submitTimeout
	}
	if seconds, err := strconv.Atoi(query.Get("wait")); err == nil {
		limit += time.Duration(seconds) * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	target := n.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
		request.Header["Idempotency-Key"] = nil // all that nodes take is idempotent: net/http may send it again where a node has closed an idle connection
	}
	response, err := n.http.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, int64(n.most)+1))
	if n.heard != nil {
		n.heard(target, response.StatusCode, data)
	}
	if err != nil {
		return 0, err
	}
	if len(data) > n.most {
		return 0, fmt.Errorf("%s: the answer is longer than %d bytes", target, n.most)
	}
	if response.StatusCode != http.StatusOK {
		return 0, refusal(response, data)
	}
	if raw, ok := out.(*[]byte); ok {
		*raw = data
		return retryAfter(response.Header), nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return 0, fmt.Errorf("%s: %w: %w", target, ErrMalformed, err)
	}
	return retryAfter(response.Header), nil
}

// refusal reads {"error": "sentence"}; another body is shown as it is, shortened.
func refusal(response *http.Response, data []byte) *NodeError {
	var sentence struct {
		Error string `json:"error"`
	}
	e := &NodeError{Status: response.StatusCode, body: data}
	if json.Unmarshal(data, &sentence) == nil && sentence.Error != "" {
		e.Message = printable(sentence.Error)
	} else {
		e.Message = strconv.QuoteToGraphic(string(data[:min(len(data), 200)]))
	}
	switch response.StatusCode {
	case http.StatusTooManyRequests:
		e.pause = max(retryAfter(response.Header), defaultPause)
	case http.StatusServiceUnavailable:
		e.pause = retryAfter(response.Header)
	}
	return e
}

// printable returns a sentence of a node without what a terminal would obey instead of showing it, and shortened.
func printable(sentence string) string {
	return strings.Map(func(r rune) rune {
		if text.Invisible(r) {
			return utf8.RuneError
		}
		return r
	}, sentence[:min(len(sentence), maxSentence)])
}

// retryAfter reads the header's seconds, between 0 and maxPause.
func retryAfter(header http.Header) time.Duration {
	seconds, err := strconv.ParseUint(header.Get("Retry-After"), 10, 16)
	if err != nil {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, maxPause)
}

// sleep waits for d or until ctx ends, with its error.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
