package node

import (
	"errors"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"testing"

	"votenode/genesis"
)

func TestConfigRoundTrip(t *testing.T) {
	c := DefaultConfig()
	c.P2P.Peers = map[string]string{strings.Repeat("ab", 20): "node.example:26656"}
	c.P2P.Observers = []string{strings.Repeat("cd", 20)}
	got, err := ParseConfig(c.Bytes())
	if err != nil || !reflect.DeepEqual(got, c) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err = ParseConfig([]byte("{}")); err != nil || !reflect.DeepEqual(got, DefaultConfig()) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestConfigRefuses(t *testing.T) {
	for _, text := range []string{
		``, `[]`, `{`, `{} {}`, `null x`,
		`{"timeout_commit": 1}`,
		`{"p2p": {"listen": "0.0.0.0:26656", "pex": true}}`,
		`{"gateway": {"listen": "127.0.0.1:8080", "cors": "*"}}`,
		`{"p2p": {"listen": "nowhere"}}`,
		`{"p2p": {"peers": {"abc": "a:1"}}}`,
		`{"p2p": {"peers": {"` + strings.Repeat("AB", 20) + `": "a:1"}}}`,
		`{"p2p": {"peers": {"` + strings.Repeat("ab", 20) + `": "a"}}}`,
		`{"p2p": {"observers": ["x"]}}`,
		`{"gateway": {"listen": "x"}}`,
		`{"gateway": {"certificate": "c.pem"}}`,
		`{"gateway": {"requests": 0}}`,
		`{"gateway": {"per_client": -1}}`,
		`{"pool": {"megabytes": 0}}`, `{"pool": {"megabytes": 16385}}`, `{"pool": {"transactions": -1}}`,
		`{"store": {"snapshot_interval": 9}}`, `{"store": {"snapshot_interval": -1}}`, `{"store": {"snapshot_interval": 1000001}}`,
		`{"sync": {"gateways": ["ftp://node.example"]}}`, `{"sync": {"gateways": [""]}}`, `{"store": {"archive": true}, "sync": {"gateways": ["node.example:8080"]}}`,
		`{"store": {"reserve_megabytes": 0}}`, `{"store": {"reserve_megabytes": 1048577}}`, `{"store": {"reserve": 1}}`,
		`{"metrics": {"listen": "26660"}}`, `{"metrics": {"password": "x"}}`,
		`{"log": {"level": "loud"}}`, `{"log": {"level": "info+1"}}`, `{"log": {"format": "xml"}}`,
	} {
		if _, err := ParseConfig([]byte(text)); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestCometConfig: what must be so on every node is so, whatever the operator writes.
func TestCometConfig(t *testing.T) {
	p := genesis.DefaultParameters(2)
	c, err := CometConfig("home", DefaultConfig(), p)
	if err != nil {
		t.Fatal(err)
	}
	for name, ok := range map[string]bool{
		"own pool":                  c.Mempool.Type == "app",
		"seen cache of one":         c.Mempool.SeenCacheSize == 1,
		"no RPC":                    c.RPC.ListenAddress == "" && c.RPC.GRPCListenAddress == "" && c.RPC.PprofListenAddress == "",
		"no peer exchange":          !c.P2P.PexReactor && !c.P2P.SeedMode && c.P2P.Seeds == "" && !c.P2P.LibP2PEnabled(),
		"peers are filtered":        c.FilterPeers,
		"empty blocks":              c.Consensus.CreateEmptyBlocks && !c.Consensus.WaitForTxs(),
		"no double sign check":      c.Consensus.DoubleSignCheckHeight == 0,
		"no indexer":                c.TxIndex.Indexer == "null",
		"responses are discarded":   c.Storage.DiscardABCIResponses,
		"no state sync":             !c.StateSync.Enable && !c.BlockSync.AdaptiveSync,
		"timeouts of the ledger":    c.Consensus.TimeoutPropose.Milliseconds() == int64(p.Timeouts.Propose) && c.Consensus.TimeoutCommit.Milliseconds() == int64(p.Timeouts.Commit),
		"the greatest transaction":  c.Mempool.MaxTxBytes >= int(p.Limits.TransactionBytes),
		"rates of 50 MB/s and more": c.P2P.SendRate >= 50e6 && c.P2P.RecvRate >= 50e6,
		"metrics listen nowhere":    !c.Instrumentation.Prometheus,
		"goleveldb":                 c.DBBackend == "goleveldb",
	} {
		if !ok {
			t.Error(name)
		}
	}
}

// TestCrashSwitch: CometBFT's switch for crash tests makes the node refuse to start.
func TestCrashSwitch(t *testing.T) {
	t.Setenv("FAIL_TEST_INDEX", "0")
	if _, err := Open(t.Context(), string(home(t)), Options{}); !errors.Is(err, errCrashTest) {
		t.Error(err)
	}
}

// TestOpenRefuses: a home without a genesis document, or with a damaged one, is not opened.
func TestOpenRefuses(t *testing.T) {
	h := home(t)
	o := Options{Logger: slog.New(slog.DiscardHandler)}
	if _, err := Open(t.Context(), string(h), o); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if err := SetGenesis(string(h), []byte("x"), nil); !errors.Is(err, genesis.ErrInvalid) {
		t.Error(err)
	}
	if err := os.WriteFile(h.GenesisFile(), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), string(h), o); !errors.Is(err, genesis.ErrInvalid) {
		t.Error(err)
	}
}
