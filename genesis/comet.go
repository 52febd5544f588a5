package genesis

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/app/organisation"
	pb "votenode/proto/votenode/v1"
)

// appState is the app_state of CometBFT's genesis.json: the hash, so that the file stays small and names the one document
// that goes with it.
type appState struct {
	GenesisHash hexBytes `json:"genesis_hash"`
}

// CometGenesis derives CometBFT's genesis document from a checked one: the same for everybody. Validators are sorted by
// key; app_state holds the genesis hash; the app hash is left to InitChain. Spec 1.10.
func CometGenesis(doc *pb.Genesis) (*cmttypes.GenesisDoc, error) {
	state, err := AppState(doc)
	if err != nil {
		return nil, err
	}
	comet := &cmttypes.GenesisDoc{
		GenesisTime:     time.Unix(doc.Time, 0).UTC(),
		ChainID:         doc.ChainId,
		InitialHeight:   organisation.FirstHeight,
		ConsensusParams: ConsensusParams(&doc.Parameters),
		AppState:        state,
	}
	for _, v := range organisation.FirstEpoch(doc).Validators {
		key := ed25519.PubKey(v.Key)
		comet.Validators = append(comet.Validators, cmttypes.GenesisValidator{
			Address: key.Address(), PubKey: key, Power: v.Power, Name: v.Organisation + "/" + v.Name,
		})
	}
	return comet, comet.ValidateAndComplete()
}

// AppState returns the app_state that belongs to a document.
func AppState(doc *pb.Genesis) (json.RawMessage, error) {
	hash := Hash(doc)
	return json.Marshal(appState{hash[:]})
}

// CheckAppState says whether an app_state, as InitChain brings it, is that of the document. It fails with ErrInvalid.
func CheckAppState(state []byte, doc *pb.Genesis) error {
	want, err := AppState(doc)
	if err != nil {
		return err
	}
	var compact bytes.Buffer
	if json.Compact(&compact, state) != nil || !bytes.Equal(compact.Bytes(), want) {
		return fmt.Errorf("%w: CometBFT's genesis.json was made from another document; its app_state must be %s", ErrInvalid, want)
	}
	return nil
}
