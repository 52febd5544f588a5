package app

import (
	"votenode/app/election"
	"votenode/app/organisation"
	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
)

// InitLedger writes the state before the first block. The document was checked by package genesis. Spec 9.2.
func (a *App) InitLedger(w state.Writer, g *pb.Genesis, genesisHash [32]byte) {
	records := []struct {
		key     string
		message election.Message
	}{
		{state.KeyChain, &pb.Chain{Id: g.ChainId, GenesisHash: genesisHash[:]}},
		{state.KeyParameters, &g.Parameters},
		{state.KeyElections, &pb.ElectionList{}},
		{state.KeyPending, &pb.PendingResolutions{}},
	}
	for _, r := range records {
		state.Save(w, r.key, r.message)
	}
	for i := range g.Organisations {
		o := &g.Organisations[i].Organisation
		state.Save(w, state.OrganisationKey(o.Id), o)
	}
	epoch := organisation.FirstEpoch(g)
	for _, v := range epoch.Validators {
		state.Save(w, state.ValidatorKey(v.Key), &pb.ValidatorKey{Organisation: v.Organisation})
	}
	state.Save(w, state.KeyValidators, &pb.ValidatorEpochs{Present: *epoch})
}
