package main

import (
	"github.com/spf13/cobra"

	"votenode/client"
	"votenode/client/keyfile"
	pb "votenode/proto/votenode/v1"
)

func newRegistrarCommand() *cobra.Command {
	return group("registrar", "Make voting keys with the other registrars, bring the roll and compare it",
		newRegistrarBeginCommand(), newRegistrarImportCommand(), newRegistrarIssueCommand(), newRegistrarExpectCommand(), newRegistrarRevealCommand(),
		newRegistrarProveCommand(), newRegistrarAcceptCommand(), newRegistrarRollCommand(), newRegistrarCosignCommand(), newRegistrarSubmitCommand(),
		newRegistrarHandOutCommand(), newRegistrarRevokeCommand(), newRegistrarReissueCommand(), newRegistrarCountsCommand(), newCheckRollCommand())
}

// loadRules returns a certified view, an election and its manifest.
func loadRules(c *cobra.Command, l *client.Ledger, id string) (*client.View, *pb.Manifest, error) {
	v, err := l.Certified(c.Context())
	if err != nil {
		return nil, nil, err
	}
	e, err := client.LoadElection(c.Context(), v, id)
	if err != nil {
		return nil, nil, err
	}
	m, err := client.LoadManifest(c.Context(), v, e)
	return v, m, err
}

// registrarFlags are the ledger and the registrar's key.
type registrarFlags struct {
	ledger ledgerFlags
	key    keyFlags
}

func (f *registrarFlags) add(c *cobra.Command) {
	f.ledger.add(c)
	f.key.add(c, keyfile.Registrar)
}

func (f *registrarFlags) open(c *cobra.Command) (client.Registrar, error) {
	opened, err := f.key.load()
	if err != nil {
		return client.Registrar{}, err
	}
	private, err := opened.Ed25519(keyfile.Registrar)
	if err != nil {
		return client.Registrar{}, err
	}
	l, err := f.ledger.open(c)
	return client.Registrar{Ledger: l, Key: private}, err
}
