package network

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"votenode/client"
	"votenode/genesis"
	"votenode/node"
	pb "votenode/proto/votenode/v1"
)

// foundation writes what Attach reads: people's keys and the document of two organisations with one validator each.
func foundation(t *testing.T) (folder string, hash [32]byte) {
	t.Helper()
	n := in(t.TempDir(), "", nil)
	if err := n.makeFolders(); err != nil {
		t.Fatal(err)
	}
	f := &founding{network: n, plan: Plan{Chain: "c"}}
	for _, id := range []string{"party", "league"} {
		o := Organisation{ID: id, Title: id, Officers: 2, Quorum: 1}
		if err := f.organisation(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		home := filepath.Join(n.Folder, id)
		if err := node.Init(home, node.DefaultConfig()); err != nil {
			t.Fatal(err)
		}
		v, err := node.ValidatorOf(home)
		if err != nil {
			t.Fatal(err)
		}
		v.Organisation, v.Name, v.Power, v.Address = id, id+"-1", 1, id+":1"
		slip, err := node.SlipKey(home)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.enter(o, &pb.GenesisEntry{Entry: &pb.GenesisEntry_Validator{Validator: &v}}, slip); err != nil {
			t.Fatal(err)
		}
	}
	doc, err := genesis.Assemble("c", 1_700_000_000, genesis.DefaultParameters(2), f.organisations, f.entries)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(n.Folder, "genesis"), genesis.Bytes(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	return n.Folder, genesis.Hash(doc)
}

// gateway says of itself what a node of that name would.
func gateway(t *testing.T, validator string, hash [32]byte) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(client.Status{Validator: validator, GenesisHash: hex.EncodeToString(hash[:]), Height: 1})
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestAttach(t *testing.T) {
	from, hash := foundation(t)
	attach := func(nodes ...string) (*Network, error) {
		return Attach(t.Context(), from, t.TempDir(), "", nodes, context.CancelCauseFunc(func(error) {}))
	}
	observer, league, party := gateway(t, "", hash), gateway(t, "league-1", hash), gateway(t, "party-1", hash)
	n, err := attach(observer, party, league)
	if err != nil {
		t.Fatal(err)
	}
	if len(n.Validators) != 2 || len(n.Followers) != 1 || n.Followers[0].Address() != observer {
		t.Fatalf("%d validators, %d followers", len(n.Validators), len(n.Followers))
	}
	for _, v := range n.Validators {
		want := map[string]string{"party": party, "league": league}[v.Organisation]
		if v.Node.Address() != want || v.Process != nil || v.Home != "" || len(v.Address) != 20 {
			t.Errorf("%+v", v)
		}
		if len(n.Officers[v.Organisation]) != 2 || len(n.Registrars[v.Organisation]) == 0 {
			t.Errorf("%d officers of %s", len(n.Officers[v.Organisation]), v.Organisation)
		}
	}
	for why, nodes := range map[string][]string{
		"none of the nodes is the validator league-1": {observer, party},
		"runs a ledger with genesis hash 0100":        {party, league, gateway(t, "", [32]byte{1})},
	} {
		if _, err := attach(nodes...); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%v, not: %s", err, why)
		}
	}
	if err := os.Remove(filepath.Join(from, "people", "party-registrar.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := attach(observer, party, league); err == nil || !strings.Contains(err.Error(), "party-registrar.key") {
		t.Errorf("without the registrar's key: %v", err)
	}
}
