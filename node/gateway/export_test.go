package gateway

import (
	"net/http"
	"testing"
)

// Described asks the gateway at base for what is there, by operationId, and holds the answers against the document.
func Described(t *testing.T, base string, targets map[string]string) {
	t.Helper()
	c := &contract{t, describe(t), map[string]bool{}}
	w := &world{TB: t, base: base}
	for id, target := range targets {
		c.ask(c.operations[id], example{w, target, ""}, http.StatusOK)
	}
}
