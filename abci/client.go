package abci

import (
	"context"

	abcicli "github.com/cometbft/cometbft/abci/client"
	abcitypes "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/libs/service"
	"github.com/cometbft/cometbft/proxy"
)

// client hands ABCI calls straight to the application, without a lock: CometBFT's own local clients hold one mutex per
// connection, so that a slow query or a backlog of CheckTx calls would hold up a block. CometBFT itself makes the consensus
// calls one at a time; all others are safe beside them, see Application.
type client struct {
	service.BaseService
	*Application
}

var _ abcicli.Client = (*client)(nil)

// creator makes the clients of the four connections.
type creator struct{ app *Application }

// NewClientCreator returns what CometBFT's node reaches the application by.
func NewClientCreator(app *Application) proxy.ClientCreator { return creator{app} }

// NewABCIClient implements proxy.ClientCreator.
func (c creator) NewABCIClient() (abcicli.Client, error) {
	cl := &client{Application: c.app}
	cl.BaseService = *service.NewBaseService(nil, "client", cl)
	return cl, nil
}

// Error implements abcicli.Client: a call within the process does not lose its connection.
func (c *client) Error() error { return nil }

// Flush implements abcicli.Client; there is no buffer.
func (c *client) Flush(context.Context) error { return nil }

// Echo implements abcicli.Client.
func (c *client) Echo(_ context.Context, message string) (*abcitypes.ResponseEcho, error) {
	return &abcitypes.ResponseEcho{Message: message}, nil
}

// SetResponseCallback implements abcicli.Client. Only CometBFT's flood mempool would set one.
func (c *client) SetResponseCallback(abcicli.Callback) {}

// CheckTxAsync implements abcicli.Client for CometBFT's flood mempool, which is not used. It checks before it returns.
func (c *client) CheckTxAsync(ctx context.Context, req *abcitypes.RequestCheckTx) (*abcicli.ReqRes, error) {
	res, err := c.CheckTx(ctx, req)
	if err != nil {
		return nil, err
	}
	r := abcicli.NewReqRes(abcitypes.ToRequestCheckTx(req))
	r.Response = abcitypes.ToResponseCheckTx(res)
	r.Done()
	return r, nil
}
