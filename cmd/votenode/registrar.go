package main

import (
	"github.com/spf13/cobra"

	"votenode/client"
	"votenode/client/keyfile"
)

func newRegistrarCommand() *cobra.Command {
	return group("registrar", "Make voting keys with the other registrars, bring the roll and compare it",
		newRegistrarBeginCommand(), newRegistrarImportCommand(), newRegistrarDropCommand(), newRegistrarIssueCommand(), newRegistrarExpectCommand(), newRegistrarRevealCommand(),
		newRegistrarProveCommand(), newRegistrarAcceptCommand(), newRegistrarRollCommand(), newRegistrarCosignCommand(), newRegistrarSubmitCommand(),
		newRegistrarHandOutCommand(), newRegistrarRevokeCommand(), newRegistrarReissueCommand(), newRegistrarCountsCommand(), newCheckRollCommand())
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
	private, err := f.key.ed25519(keyfile.Registrar)
	if err != nil {
		return client.Registrar{}, err
	}
	l, err := f.ledger.open(c)
	return client.Registrar{Ledger: l, Key: private}, err
}
