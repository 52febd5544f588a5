package gateway_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	dbm "github.com/cometbft/cometbft-db"
	"github.com/cometbft/cometbft/crypto/merkle"
	cmtbytes "github.com/cometbft/cometbft/libs/bytes"
	"github.com/cometbft/cometbft/light"
	"github.com/cometbft/cometbft/light/provider"
	lighthttp "github.com/cometbft/cometbft/light/provider/http"
	lightrpc "github.com/cometbft/cometbft/light/rpc"
	lightdb "github.com/cometbft/cometbft/light/store/db"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	rpcclient "github.com/cometbft/cometbft/rpc/client"
	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/state"
	"votenode/internal/testnet"
)

// stock is CometBFT's light client over gateways.
type stock struct {
	t       *testing.T
	network *testnet.Network
}

func (s stock) provider(address string) provider.Provider {
	s.t.Helper()
	p, err := lighthttp.New(testnet.Chain, address)
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// trusting returns a light client that trusts the block of height 2 as a node has it.
func (s stock) trusting(primary, witness provider.Provider, verification light.Option) (*light.Client, error) {
	trusted := s.network.Nodes[0].Running().Blocks().LoadBlockMeta(2)
	return light.NewClient(s.t.Context(), testnet.Chain, light.TrustOptions{Period: 24 * time.Hour, Height: 2, Hash: trusted.BlockID.Hash},
		primary, []provider.Provider{witness}, lightdb.New(dbm.NewMemDB(), ""), verification)
}

func comet(e *testnet.Node) string { return "http://" + e.Gateway() + "/cometbft" }

// recordPath is how records are found in the proofs: under their own key.
func recordPath(_ string, key []byte) (merkle.KeyPath, error) {
	return merkle.KeyPath{}.AppendKey(key, merkle.KeyEncodingURL), nil
}

// TestStockTools: CometBFT's own light client follows the ledger through gateways, and its verified client reads records.
func TestStockTools(t *testing.T) {
	n := testnet.New(t, testnet.Options{})
	n.Start()
	n.WaitHeight(12)
	s := stock{t, n}
	for name, verification := range map[string]light.Option{
		"sequential": light.SequentialVerification(), "skipping": light.SkippingVerification(light.DefaultTrustLevel),
	} {
		t.Run(name, func(t *testing.T) {
			stock{t, n}.follow(verification)
		})
	}
	t.Run("records", func(t *testing.T) { stock{t, n}.readRecords() })
	t.Run("rest", func(t *testing.T) { stock{t, n}.askForTheRest() })
	t.Run("refusals", func(t *testing.T) { cometRefusals(t, n) })
	for name, lie := range lies() {
		t.Run("lie about "+name, func(t *testing.T) { stock{t, n}.refuse(lie) })
	}
	s.reportAttack()
}

// follow verifies a height, and then the newest.
func (s stock) follow(verification light.Option) {
	c, err := s.trusting(s.provider(comet(s.network.Nodes[0])), s.provider(comet(s.network.Nodes[1])+"/"), verification)
	if err != nil {
		s.t.Fatal(err)
	}
	block, err := c.VerifyLightBlockAtHeight(s.t.Context(), 9, time.Now())
	if err != nil || !bytes.Equal(block.Hash(), s.network.Nodes[2].Running().Blocks().LoadBlockMeta(9).BlockID.Hash) {
		s.t.Fatal(block, err)
	}
	if block, err = c.Update(s.t.Context(), time.Now()); err != nil || block.Height < 11 {
		s.t.Fatal(block, err)
	}
	// A height that is about to come is waited for, one that is far is not, and the light client knows both errors.
	next := s.network.Nodes[0].Running().App().Tip().Height
	if block, err = c.VerifyLightBlockAtHeight(s.t.Context(), next+1, time.Now()); err != nil || block.Height != next+1 {
		s.t.Error(block, err)
	}
	if _, err = s.provider(comet(s.network.Nodes[0])).LightBlock(s.t.Context(), 1_000_000); !errors.Is(err, provider.ErrHeightTooHigh) {
		s.t.Error(err)
	}
}

// verified returns CometBFT's client that verifies what another one fetches.
func (s stock) verified(address string) *lightrpc.Client {
	s.t.Helper()
	c, err := s.trusting(s.provider(comet(s.network.Nodes[0])), s.provider(comet(s.network.Nodes[1])), light.SkippingVerification(light.DefaultTrustLevel))
	if err != nil {
		s.t.Fatal(err)
	}
	next, err := rpchttp.New(address, "/websocket")
	if err != nil {
		s.t.Fatal(err)
	}
	return lightrpc.NewClient(next, c, lightrpc.KeyPathFn(recordPath))
}

// readRecords: every record of the ledger is verified by the default proof runtime and is what /v1/records says.
func (s stock) readRecords() {
	c := s.verified(comet(s.network.Nodes[3]))
	var page struct {
		Records []struct {
			Key   string
			Value []byte
		}
	}
	_, _, b := ask(s.t, http.MethodGet, "http://"+s.network.Nodes[2].Gateway()+"/v1/records?prefix=&limit=1000", "")
	if err := json.Unmarshal(b, &page); err != nil || len(page.Records) < 10 {
		s.t.Fatal(string(b), err)
	}
	for _, record := range page.Records {
		answer, err := c.ABCIQueryWithOptions(s.t.Context(), "/record", cmtbytes.HexBytes(record.Key), rpcclient.ABCIQueryOptions{Prove: true})
		if err != nil || string(answer.Response.Key) != record.Key {
			s.t.Fatalf("%s: %+v, %v", record.Key, answer, err)
		}
		constant := strings.HasPrefix(record.Key, "organisation/") || record.Key == state.KeyChain || record.Key == state.KeyParameters
		if constant && !bytes.Equal(answer.Response.Value, record.Value) {
			s.t.Errorf("%s has another value", record.Key)
		}
	}
	height := s.network.Nodes[3].Running().App().Tip().Height - 3
	answer, err := c.ABCIQueryWithOptions(s.t.Context(), "/record", cmtbytes.HexBytes(state.KeyParameters), rpcclient.ABCIQueryOptions{Height: height})
	if err != nil || answer.Response.Height != height {
		s.t.Error(answer, err)
	}
	if _, err = c.ABCIQuery(s.t.Context(), "/record", cmtbytes.HexBytes("no-such-record")); err == nil {
		s.t.Error("an absent record is verified")
	}
}

// askForTheRest: what else the verified client asks for, and a page of validators.
func (s stock) askForTheRest() {
	ctx, c := s.t.Context(), s.verified(comet(s.network.Nodes[3]))
	height, page, size := int64(5), 2, 3
	block, err := c.Block(ctx, &height)
	if err != nil || block.Block.Height != 5 {
		s.t.Error(block, err)
	}
	next, err := rpchttp.New(comet(s.network.Nodes[3]), "/websocket")
	if err != nil {
		s.t.Fatal(err)
	}
	header, err := next.Header(ctx, &height)
	if err != nil || !bytes.Equal(header.Header.Hash(), block.BlockID.Hash) {
		s.t.Error(header, err)
	}
	validators, err := next.Validators(ctx, &height, &page, &size)
	if err != nil || validators.Count != 1 || validators.Total != 4 || len(validators.Validators) != 1 {
		s.t.Error(validators, err)
	}
	status, err := next.Status(ctx)
	if err != nil || status.SyncInfo.LatestBlockHeight < 11 || status.SyncInfo.EarliestBlockHeight != 1 || status.NodeInfo.Network != testnet.Chain || status.ValidatorInfo.VotingPower != 1 || status.NodeInfo.ListenAddr != "" {
		s.t.Error(status, err)
	}
	commit, err := next.Commit(ctx, nil)
	if err != nil || !commit.CanonicalCommit || commit.Height < status.SyncInfo.LatestBlockHeight {
		s.t.Error(commit, err)
	}
	info, err := next.ABCIInfo(ctx)
	if err != nil || info.Response.LastBlockHeight < 12 {
		s.t.Error(info, err)
	}
	genesis, err := next.Genesis(ctx)
	if err != nil || genesis.Genesis.ChainID != testnet.Chain || len(genesis.Genesis.Validators) != 0 && len(genesis.Genesis.Validators) != 4 {
		s.t.Error(genesis, err)
	}
	if _, err = next.Health(ctx); err != nil {
		s.t.Error(err)
	}
	for name, call := range map[string]func() error{
		"broadcast_tx_sync": func() error { _, err := next.BroadcastTxSync(ctx, cmttypes.Tx("x")); return err },
		"check_tx":          func() error { _, err := next.CheckTx(ctx, cmttypes.Tx("x")); return err },
		"dump":              func() error { _, err := next.DumpConsensusState(ctx); return err },
		"net_info":          func() error { _, err := next.NetInfo(ctx); return err },
		"tx_search":         func() error { _, err := next.TxSearch(ctx, "x", true, nil, nil, "asc"); return err },
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), "Method not found") {
			s.t.Errorf("%s: %v", name, err)
		}
	}
}

// cometRefusals: what is no request gets an error that says so, and nothing is read without end.
func cometRefusals(t *testing.T, n *testnet.Network) {
	base := comet(n.Nodes[0])
	request := func(method, params string) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params)
	}
	for body, want := range map[string]string{
		"":                                  "the body is no",
		"[]":                                "batches are not served",
		"[" + request("health", "{}") + "]": "batches are not served",
		"{}":                                "jsonrpc is",
		`{"jsonrpc":"1.0","id":1,"method":"health"}`:                             "jsonrpc is",
		`{"jsonrpc":"2.0","method":"health"}`:                                    "the id is",
		`{"jsonrpc":"2.0","id":1.5,"method":"health"}`:                           "the id is",
		`{"jsonrpc":"2.0","id":{},"method":"health"}`:                            "the id is",
		`{"jsonrpc":"2.0","id":1,"method":"health","more":1}`:                    "unknown field",
		`{"jsonrpc":"2.0","id":1,"method":"health","params":[]}`:                 "the body is no",
		request("health", "{}") + "{}":                                           "something follows",
		request("health", `{"x":"1"}`):                                           "there is no parameter",
		request("nothing", "{}"):                                                 "no method",
		request("commit", `{"height":5}`):                                        "cannot be read",
		request("commit", `{"height":"-1"}`):                                     "greater than 0",
		request("commit", `{"height":"0"}`):                                      "greater than 0",
		request("commit", `{"height":"99999999999999999999"}`):                   "cannot be read",
		request("commit", `{"height":"1000000"}`):                                "height 1000000 must be less than or equal to",
		request("validators", `{"page":"2"}`):                                    "page should be within [1, 1]",
		request("validators", `{"page":"9223372036854775807","per_page":"100"}`): "page should be within [1, 1]",
		request("abci_query", `{"path":"/p2p/filter/id/x"}`):                     "the path is",
		request("abci_query", `{"path":"/record","data":"zz"}`):                  "cannot be read",
		request("broadcast_evidence", `{}`):                                      "nil evidence",
		request("broadcast_evidence", `{"evidence":null}`):                       "nil evidence",
		request("broadcast_evidence", `{"evidence":{"type":"tendermint/LightClientAttackEvidence","value":null}}`):                                                          "cannot be read",
		request("broadcast_evidence", `{"evidence":{"type":"tendermint/LightClientAttackEvidence","value":{}}}`):                                                            "cannot be read",
		request("broadcast_evidence", `{"evidence":{"type":"tendermint/DuplicateVoteEvidence","value":{}}}`):                                                                "cannot be read",
		request("broadcast_evidence", `{"evidence":{"type":"tendermint/PubKeyEd25519","value":""}}`):                                                                        "cannot be read",
		request("broadcast_evidence", `{"evidence":{"type":"tendermint/LightClientAttackEvidence","value":{"ByzantineValidators":[{}`+strings.Repeat(",{}", 10_000)+`]}}}`): "parts",
	} {
		status, _, b := ask(t, http.MethodPost, base, body)
		var answer struct {
			Result json.RawMessage
			Error  *struct{ Message, Data string }
		}
		if err := json.Unmarshal(b, &answer); err != nil || status != http.StatusOK || answer.Error == nil || answer.Result != nil || !strings.Contains(answer.Error.Data, want) {
			t.Errorf("%.80s: %d %.300s", body, status, b)
		}
	}
	if status, _, b := ask(t, http.MethodPost, base, request("health", `{"x":"`+strings.Repeat("x", 1<<20)+`"}`)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("%d %.100s", status, b)
	}
	for _, path := range []string{"/commit?height=1", "/websocket"} {
		if status, _, _ := ask(t, http.MethodGet, base+path, ""); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
	if status, _, b := ask(t, http.MethodPost, base, `{"jsonrpc":"2.0","id":"a","method":"health"}`); status != http.StatusOK || !bytes.Contains(b, []byte(`"id":"a","result":{}`)) {
		t.Errorf("%d %s", status, b)
	}
}

// forger is a provider with a block that all validators have signed a second time.
type forger struct {
	provider.Provider
	forged *cmttypes.LightBlock
}

func (f forger) LightBlock(ctx context.Context, height int64) (*cmttypes.LightBlock, error) {
	if height == f.forged.Height {
		return f.forged, nil
	}
	return f.Provider.LightBlock(ctx, height)
}

// reportAttack: a light client that finds two blocks of one height, both signed, reports the signers to the honest gateway, and a block
// carries the evidence.
func (s stock) reportAttack() {
	ctx := s.t.Context()
	honest := s.provider(comet(s.network.Nodes[1]))
	block, err := honest.LightBlock(ctx, 8)
	if err != nil {
		s.t.Fatal(err)
	}
	forged := &cmttypes.LightBlock{SignedHeader: s.signTwice(block), ValidatorSet: block.ValidatorSet}
	// What shows no misbehaviour is not taken, and neither are signatures that do not hold.
	client, err := rpchttp.New(comet(s.network.Nodes[1]), "/websocket")
	if err != nil {
		s.t.Fatal(err)
	}
	forged.Commit.Signatures[0].Signature[0] ^= 1
	for _, conflicting := range []*cmttypes.LightBlock{block, forged} {
		_, err := client.BroadcastEvidence(ctx, &cmttypes.LightClientAttackEvidence{
			ConflictingBlock: conflicting, CommonHeight: 8, TotalVotingPower: 4, Timestamp: block.Time,
		})
		if err == nil || !strings.Contains(err.Error(), "it does not hold") {
			s.t.Error(err)
		}
	}
	forged.Commit.Signatures[0].Signature[0] ^= 1
	c, err := s.trusting(forger{s.provider(comet(s.network.Nodes[0])), forged}, honest, light.SkippingVerification(light.DefaultTrustLevel))
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err = c.VerifyLightBlockAtHeight(ctx, 8, time.Now()); !errors.Is(err, light.ErrLightClientAttack) {
		s.t.Fatal("two blocks of one height:", err)
	}
	twice := 0 // those whose precommits stand in both
	for _, signature := range block.Commit.Signatures {
		if signature.BlockIDFlag == cmttypes.BlockIDFlagCommit {
			twice++
		}
	}
	app := s.network.Nodes[2].Running().App()
	for limit := time.After(testnet.Patience); ; {
		advanced := app.Advanced()
		_, _, b := ask(s.t, http.MethodGet, "http://"+s.network.Nodes[2].Gateway()+"/v1/records?prefix=misbehaviour/&limit=10", "")
		if bytes.Count(b, []byte(`"key":"misbehaviour/`)) == twice {
			return
		}
		select {
		case <-advanced:
		case <-limit:
			s.t.Fatalf("the evidence does not come into a block: %s", b)
		}
	}
}

// signTwice returns another header of a block's height and round, signed by the same validators.
func (s stock) signTwice(block *cmttypes.LightBlock) *cmttypes.SignedHeader {
	other := *block.Header
	hash := sha256.Sum256([]byte("another block"))
	other.DataHash = hash[:]
	commit := &cmttypes.Commit{
		Height: block.Height, Round: block.Commit.Round,
		BlockID: cmttypes.BlockID{Hash: other.Hash(), PartSetHeader: cmttypes.PartSetHeader{Total: 1, Hash: hash[:]}},
	}
	for i, v := range block.ValidatorSet.Validators {
		for _, each := range s.network.Nodes {
			key := each.ConsensusKey()
			if !bytes.Equal(key.PubKey().Address(), v.Address) {
				continue
			}
			vote := &cmtproto.Vote{
				Type: cmtproto.PrecommitType, Height: block.Height, Round: commit.Round, BlockID: commit.BlockID.ToProto(),
				Timestamp: other.Time, ValidatorAddress: v.Address, ValidatorIndex: int32(i),
			}
			signature, err := key.Sign(cmttypes.VoteSignBytes(testnet.Chain, vote))
			if err != nil {
				s.t.Fatal(err)
			}
			commit.Signatures = append(commit.Signatures, cmttypes.CommitSig{
				BlockIDFlag: cmttypes.BlockIDFlagCommit, ValidatorAddress: v.Address, Timestamp: other.Time, Signature: signature,
			})
		}
	}
	return &cmttypes.SignedHeader{Header: &other, Commit: commit}
}
