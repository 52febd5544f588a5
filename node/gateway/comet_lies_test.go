package gateway_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	cmtbytes "github.com/cometbft/cometbft/libs/bytes"
	"github.com/cometbft/cometbft/light"

	"votenode/app/state"
)

// lie changes one byte of an answer to a method.
type lie struct {
	method string
	change func(result map[string]any)
}

func lies() map[string]lie {
	flip := func(text any) string {
		b, err := base64.StdEncoding.DecodeString(text.(string))
		if err != nil {
			panic(err)
		}
		b[len(b)/2] ^= 1
		return base64.StdEncoding.EncodeToString(b)
	}
	at := func(v any, path ...string) map[string]any {
		for _, name := range path {
			v = v.(map[string]any)[name]
		}
		return v.(map[string]any)
	}
	return map[string]lie{
		"a value": {"abci_query", func(r map[string]any) {
			at(r, "response")["value"] = flip(at(r, "response")["value"])
		}},
		"a proof": {"abci_query", func(r map[string]any) {
			op := at(r, "response", "proofOps")["ops"].([]any)[0].(map[string]any)
			op["data"] = flip(op["data"])
		}},
		"a header": {"commit", func(r map[string]any) {
			h := at(r, "signed_header", "header")
			b := []byte(h["app_hash"].(string))
			b[0] = 'A' + 'B' - max('A', min(b[0], 'B')) // another hexadecimal digit
			h["app_hash"] = string(b)
		}},
		"a signature": {"commit", func(r map[string]any) {
			for _, each := range at(r, "signed_header", "commit")["signatures"].([]any) {
				if s := each.(map[string]any); s["signature"] != nil {
					s["signature"] = flip(s["signature"])
				}
			}
		}},
		"a validator": {"validators", func(r map[string]any) {
			r["validators"].([]any)[0].(map[string]any)["voting_power"] = "2"
		}},
	}
}

// front stands in front of a gateway and lies from a height on.
func (l lie) front(t *testing.T, gateway string) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var call struct {
			Method string
			Params struct{ Height string }
		}
		res, err := http.Post(gateway, "application/json", bytes.NewReader(body))
		if err != nil || json.Unmarshal(body, &call) != nil {
			return
		}
		defer res.Body.Close()
		answer := map[string]any{}
		if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
			return
		}
		if result, ok := answer["result"].(map[string]any); ok && call.Method == l.method && call.Params.Height != "2" {
			l.change(result)
		}
		json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// refuse: where all gateways that a light client knows tell the lie, it believes nothing; an honest witness helps it out.
func (s stock) refuse(l lie) {
	address := l.front(s.t, comet(s.network.Nodes[0]))
	if l.method == "abci_query" {
		if answer, err := s.verified(address).ABCIQuery(s.t.Context(), "/record", cmtbytes.HexBytes(state.KeyParameters)); err == nil {
			s.t.Error("it is believed", answer)
		}
		return
	}
	liar, other, honest := s.provider(address), s.provider(address), s.provider(comet(s.network.Nodes[1]))
	for name, verification := range map[string]light.Option{"sequential": light.SequentialVerification(), "skipping": light.SkippingVerification(light.DefaultTrustLevel)} {
		if c, err := s.trusting(liar, other, verification); err != nil {
			s.t.Fatal(err)
		} else if block, err := c.VerifyLightBlockAtHeight(s.t.Context(), 9, time.Now()); err == nil {
			s.t.Error(name, "it is believed", block)
		}
		if c, err := s.trusting(liar, honest, verification); err != nil {
			s.t.Fatal(err)
		} else if block, err := c.VerifyLightBlockAtHeight(s.t.Context(), 9, time.Now()); err == nil && !bytes.Equal(block.Hash(), s.network.Nodes[2].Running().Blocks().LoadBlockMeta(9).BlockID.Hash) {
			s.t.Error(name, "it is believed", block)
		}
	}
}
