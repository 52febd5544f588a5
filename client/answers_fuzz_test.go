package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"testing"
)

// canned answers every request with the same.
type canned struct {
	status int
	body   []byte
}

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: c.status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(c.body)), Request: r}, nil
}

// FuzzAnswers: no answer of a node, whatever was asked, does more than be an error.
func FuzzAnswers(f *testing.F) {
	for _, body := range []string{
		`null`, `[]`, `{}`, `{"error": "no"}`, `{"healthy": false, "reasons": ["it is catching up"]}`,
		`{"chain_id": "c", "height": 9, "time": "2026-01-02T03:04:05Z", "intake": {"refused": {"malformed": 1}}, "alarms": []}`,
		`{"document": "AA==", "approvals": null}`, `{"results": [{"hash": "00", "code": 0, "slip": "AA=="}]}`, `{"results": [null]}`,
		`{"hash": "00", "height": 3, "index": 1, "code": 601}`, `{"height": 3, "proof": "CgA="}`, `{"height": -1, "records": [{"key": "k", "value": "AA=="}]}`,
		`{"leaves": ["AA==", null]}`, `{"path": ["AA=="]}`, `{"leaf": "AA==", "size": 18446744073709551615, "path": [null]}`,
		`{"signed_header": "CgA="}`, `{"height": 3, "state": "CgIKAA=="}`, `{"proofs": ["CgA=", ""]}`, `{"code": -1}`, `{"index": 1e99}`,
	} {
		f.Add(http.StatusOK, []byte(body))
	}
	f.Add(http.StatusServiceUnavailable, []byte(`{"ready": false, "reasons": ["full"]}`))
	f.Add(http.StatusNotFound, []byte(`not there`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 200 || status > 999 || status/100 == 3 || status == http.StatusTooManyRequests {
			return // no transport gives those below, redirections are followed, and the last is for asking again
		}
		n, err := NewNode("127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		n.http = &http.Client{Transport: canned{status, body}}
		calls := map[string]func(ctx context.Context) error{
			"status":    func(ctx context.Context) error { return second(n.Status(ctx)) },
			"genesis":   func(ctx context.Context) error { _, _, err := n.Genesis(ctx); return err },
			"record":    func(ctx context.Context) error { _, _, err := n.Record(ctx, "chain", 1); return err },
			"records":   func(ctx context.Context) error { _, _, err := n.Records(ctx, "", "", 10); return err },
			"leaves":    func(ctx context.Context) error { return second(n.LogLeaves(ctx, "blocks", 0, 2)) },
			"inclusion": func(ctx context.Context) error { return second(n.LogInclusion(ctx, "blocks", 0, 2)) },
			"voter":     func(ctx context.Context) error { return second(n.Voter(ctx, "primary", 0, 1)) },
			"header":    func(ctx context.Context) error { return second(n.SignedHeader(ctx, 1)) },
			"certified": func(ctx context.Context) error { _, _, err := n.Certified(ctx); return err },
			"block":     func(ctx context.Context) error { return second(n.Block(ctx, 1)) },
			"offer": func(ctx context.Context) error {
				list, err := n.Offer(ctx, []byte("a"), []byte("b"))
				if err == nil && len(list) != 2 {
					t.Errorf("%d answers to two transactions", len(list))
				}
				return err
			},
			"epochs": func(ctx context.Context) error {
				proofs, err := n.Epochs(ctx)
				if len(proofs) > maxEpochs || slices.Contains(proofs, nil) && err == nil {
					t.Errorf("%d proofs", len(proofs))
				}
				return err
			},
		}
		for name, call := range calls {
			var refused *NodeError
			if err := call(t.Context()); (status == http.StatusOK) == errors.As(err, &refused) {
				t.Errorf("%s: status %d is %v", name, status, err)
			}
		}
		for name, call := range map[string]func(ctx context.Context) error{
			"health": func(ctx context.Context) error { return second(n.Health(ctx)) },
			"ready":  func(ctx context.Context) error { return second(n.Ready(ctx)) },
		} {
			if err := call(t.Context()); err == nil && status != http.StatusOK && status != http.StatusServiceUnavailable {
				t.Errorf("%s: status %d is no error", name, status)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }
