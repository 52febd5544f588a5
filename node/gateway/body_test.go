package gateway

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/sync/semaphore"
)

// TestBodiesTakeWhatCame: requests that announce large bodies and send nothing keep nobody out; what has come is bounded, and given back.
func TestBodiesTakeWhatCame(t *testing.T) {
	s := &Server{bodies: semaphore.NewWeighted(64 * minBody)}
	request := func(body io.Reader) *http.Request {
		return &http.Request{ContentLength: maxBody, Body: io.NopCloser(body)}
	}
	stop := make(chan struct{})
	var done []chan struct{}
	for range 32 {
		reading, ended := make(chan struct{}), make(chan struct{})
		done = append(done, ended)
		go func() {
			defer close(ended)
			_, free, err := s.read(request(silent{reading, stop}))
			defer free()
			if err == nil {
				t.Error("a body that was cut off is taken")
			}
		}()
		<-reading
	}
	want := strings.Repeat("x", 16*minBody)
	got, free, err := s.read(request(pieces{strings.NewReader(want)}))
	if err != nil || !bytes.Equal(got, []byte(want)) {
		t.Errorf("%d bytes of %d: %v", len(got), len(want), err)
	}
	if _, free, err := s.read(request(strings.NewReader(want + want))); !errors.Is(err, errBusy) {
		t.Errorf("more than there is room for: %v", err)
	} else {
		free()
	}
	free()
	close(stop)
	for _, ended := range done {
		<-ended
	}
	if !s.bodies.TryAcquire(64 * minBody) {
		t.Error("room is not given back")
	}
}

// silent is a body that sends nothing until it is cut off.
type silent struct{ reading, stop chan struct{} }

func (s silent) Read([]byte) (int, error) {
	close(s.reading)
	<-s.stop
	return 0, io.ErrUnexpectedEOF
}

// pieces is a body that comes in small pieces.
type pieces struct{ io.Reader }

func (r pieces) Read(b []byte) (int, error) { return r.Reader.Read(b[:min(len(b), 1000)]) }
