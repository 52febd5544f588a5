package node_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	dbm "github.com/cometbft/cometbft-db"
	"github.com/cometbft/cometbft/light"
	"github.com/cometbft/cometbft/light/provider"
	lighthttp "github.com/cometbft/cometbft/light/provider/http"
	lightdb "github.com/cometbft/cometbft/light/store/db"

	"votenode/internal/testnet"
)

// followByStockClient: CometBFT's light client goes from the block of height 2 to a later one, header by header and by leaps, over
// the gateways of two nodes.
func followByStockClient(t *testing.T, primary, witness *testnet.Node, height int64) {
	t.Helper()
	var providers []provider.Provider
	for _, each := range []*testnet.Node{primary, witness} {
		p, err := lighthttp.New(testnet.Chain, "http://"+each.Gateway()+"/cometbft")
		if err != nil {
			t.Fatal(err)
		}
		providers = append(providers, p)
	}
	trusted := light.TrustOptions{Period: time.Hour, Height: 2, Hash: primary.Running().Blocks().LoadBlockMeta(2).BlockID.Hash}
	for name, verification := range map[string]light.Option{"sequential": light.SequentialVerification(), "skipping": light.SkippingVerification(light.DefaultTrustLevel)} {
		c, err := light.NewClient(t.Context(), testnet.Chain, trusted, providers[0], providers[1:], lightdb.New(dbm.NewMemDB(), ""), verification)
		if err != nil {
			t.Fatal(name, err)
		}
		if _, err := c.VerifyLightBlockAtHeight(t.Context(), height, time.Now()); err != nil {
			t.Error(name, err)
		}
	}
}

// certifiedBy returns what a node's stream of events says of certified heights, up to a block.
func certifiedBy(t *testing.T, e *testnet.Node, last int64) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testnet.Patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+e.Gateway()+"/v1/events?from=1&kinds=block,certified", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var said []string
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		switch line := lines.Text(); {
		case line == fmt.Sprintf("id: %d.0", last):
			return strings.Join(said, "\n")
		case strings.Contains(line, "certified_height"):
			said = append(said, line)
		}
	}
	t.Fatalf("%s ends its events", e.Name)
	return ""
}
