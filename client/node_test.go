package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"votenode/app/tx"
)

// serve starts a gateway that answers as handler does.
func serve(t *testing.T, handler http.HandlerFunc) *Node {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	n, err := NewNode(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080", "https://node.example/": "https://node.example", "http://[::1]:1": "http://[::1]:1",
		"": "", "ftp://node.example": "", "https://": "", "http://a b": "",
	} {
		n, err := NewNode(address)
		if want == "" {
			if err == nil {
				t.Errorf("%q was taken", address)
			}
			continue
		}
		if err != nil || n.Address() != want {
			t.Errorf("%q: %v, %v", address, n, err)
		}
	}
}

// TestSentences: what a node says is shown, and commands a terminal to nothing.
func TestSentences(t *testing.T) {
	n := serve(t, func(rw http.ResponseWriter, r *http.Request) {
		rw.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(rw, `{"error": "no such election\u001b[2J\ncast\u202e%s"}`, strings.Repeat("x", maxSentence))
	})
	_, err := n.Status(t.Context())
	if text := fmt.Sprint(err); !strings.Contains(text, "no such election\ufffd[2J\ufffdcast\ufffdxx") || len(text) > maxSentence+100 {
		t.Errorf("%q", text)
	}
	if text := refused(tx.CodeMalformed, "too\rlong").Error(); !strings.Contains(text, "too\ufffdlong") {
		t.Errorf("%q", text)
	}
}

// TestRetryAfter: a node that is full is asked again after the pause that it asks for, and no other refusal is repeated.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	n := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch asked.Add(1) {
		case 1:
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
		case 2:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			io.WriteString(w, `{"chain_id":"c","height":7}`)
		}
	})
	s, err := n.Status(t.Context())
	if err != nil || s.Height != 7 || asked.Load() != 3 {
		t.Fatalf("%v, %v after %d requests", s, err, asked.Load())
	}
	for status, want := range map[int]string{400: "bad request", 404: "nothing there", 503: "unwell"} {
		asked.Store(0)
		n := serve(t, func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"error":%q}`, want)
		})
		_, err := n.Status(t.Context())
		var refused *NodeError
		if !errors.As(err, &refused) || refused.Status != status || refused.Message != want || asked.Load() != 1 {
			t.Errorf("%d: %v after %d requests", status, err, asked.Load())
		}
		if errors.Is(err, ErrUnknown) != (status == 404) {
			t.Errorf("%d: ErrUnknown", status)
		}
	}
}

// TestSubmitAgain: only what found no room is sent again, and each answer comes to its transaction.
func TestSubmitAgain(t *testing.T) {
	t.Parallel()
	var batches [][]string
	n := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Transactions [][]byte }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		var batch []string
		var answer struct {
			Results []Admission `json:"results"`
		}
		for i, b := range body.Transactions {
			batch = append(batch, string(b))
			a := Admission{Hash: string(b)}
			if len(batches) == 0 && i%2 == 1 {
				a.Code = tx.CodeRetryLater
			}
			answer.Results = append(answer.Results, a)
		}
		batches = append(batches, batch)
		json.NewEncoder(w).Encode(answer)
	})
	results, err := n.Submit(t.Context(), []byte("a"), []byte("b"), []byte("c"), []byte("d"))
	if err != nil || fmt.Sprint(batches) != "[[a b c d] [b d]]" {
		t.Fatalf("%v, %v", batches, err)
	}
	for i, want := range []string{"a", "b", "c", "d"} {
		if results[i].Hash != want || results[i].Code != tx.CodeOK {
			t.Errorf("result %d is %+v", i, results[i])
		}
	}
	n = serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"results":[]}`) })
	if _, err := n.Submit(t.Context(), []byte("a")); err == nil {
		t.Error("no answer was taken for one")
	}
}

// TestPoll: what is not there yet is asked for until it is; a node that answers at once instead of waiting does not make it spin.
func TestPoll(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	n := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("wait") == "" {
			t.Error("it does not ask to wait")
		}
		if asked.Add(1) < 3 {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		io.WriteString(w, `{"height":9,"code":602,"name":"sequence"}`)
	})
	start := time.Now()
	in, err := n.Transaction(t.Context(), [32]byte{})
	if err != nil || in.Height != 9 || in.Code != tx.CodeSequence {
		t.Fatalf("%v, %v", in, err)
	}
	if time.Since(start) < 2*defaultPause {
		t.Error("it spins")
	}
}

// TestBadAnswers: none of them is believed, and none takes all memory or time.
func TestBadAnswers(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"no JSON":     func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html>") },
		"wrong types": func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"height":"many"}`) },
		"cut off": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "{")
		},
		"endless": func(w http.ResponseWriter, r *http.Request) {
			for block := strings.Repeat(" ", 1<<20); ; {
				if _, err := io.WriteString(w, block); err != nil {
					return
				}
			}
		},
		"silent": func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		n := serve(t, handler)
		n.timeout = 2 * time.Second
		if _, err := n.Status(t.Context()); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	n := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"height":5,"proof":"/////w=="}`) })
	if _, _, err := n.Record(t.Context(), "chain", 5); err == nil {
		t.Error("a proof that is no message was taken")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := n.Status(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestOnAnswer: every answer is told as it came, a refusal and a cut one, too; what is longer than the bound is cut off there.
func TestOnAnswer(t *testing.T) {
	t.Parallel()
	var told []string
	body, status := `{"height":7}`, http.StatusOK
	n := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	})
	n.OnAnswer(100, func(target string, status int, body []byte) {
		told = append(told, fmt.Sprint(strings.TrimPrefix(target, n.Address()), " ", status, " ", len(body)))
	})
	if s, err := n.Status(t.Context()); err != nil || s.Height != 7 {
		t.Errorf("%v, %v", s, err)
	}
	body = strings.Repeat(" ", 1_000)
	if _, err := n.Status(t.Context()); err == nil || errors.Is(err, ErrMalformed) {
		t.Errorf("a long answer: %v", err)
	}
	body = "<html>"
	if _, err := n.Status(t.Context()); !errors.Is(err, ErrMalformed) {
		t.Errorf("no JSON: %v", err)
	}
	status = http.StatusTeapot
	if _, err := n.SignedHeader(t.Context(), 5); err == nil {
		t.Error("a refusal was taken")
	}
	if want := "[/v1/status 200 12 /v1/status 200 101 /v1/status 200 6 /v1/headers/5 418 6]"; fmt.Sprint(told) != want {
		t.Errorf("told %v, want %s", told, want)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	n := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, `{"healthy":false,"reasons":["no peers"]}`)
	})
	h, err := n.Health(t.Context())
	if err != nil || h.Healthy || len(h.Reasons) != 1 {
		t.Fatalf("%v, %v", h, err)
	}
}
