package main

import (
	"crypto/rand"

	"github.com/spf13/cobra"

	"votenode/client/keyfile"
	"votenode/client/trustee"
)

func newTrusteeCommand() *cobra.Command {
	return group("trustee", "Hold a share of an election key", newTrusteeRunCommand())
}

func newTrusteeRunCommand() *cobra.Command {
	var (
		ledger    ledgerFlags
		key       keyFlags
		directory string
		untilOver bool
	)
	c := &cobra.Command{
		Use:   "run",
		Short: "Follow the ledger and do a trustee's part",
		Long: `Follow the ledger and take part in every key ceremony to which the key is appointed, show in the trial that the
share works, and open the sums at the end. The program may be stopped at any moment and started again with the
same state directory; without that directory the share is lost. Keep it as safe as the key, and copy it to no
machine that runs at the same time.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			private, err := key.ed25519(keyfile.Trustee)
			if err != nil {
				return err
			}
			l, err := ledger.open(c)
			if err != nil {
				return err
			}
			store, err := trustee.OpenStore(directory, l.GenesisHash(), private.Seed())
			if err != nil {
				return err
			}
			defer store.Close()
			t := &trustee.Trustee{
				Ledger: trustee.Follow(l), Key: private, Store: store, Random: rand.Reader,
				Say: func(format string, args ...any) { say(c, format, args...) },
			}
			say(c, "following ledger %s with key %x", l.Chain(), private.Public())
			err = t.Run(c.Context(), untilOver)
			if c.Context().Err() != nil {
				return nil // it was asked to stop
			}
			return err
		},
	}
	ledger.add(c)
	key.add(c, keyfile.Trustee)
	c.Flags().StringVar(&directory, "state", "", "directory for the trustee's memory; made if it is not there")
	c.Flags().BoolVar(&untilOver, "until-over", false, "stop once every election of this key is over")
	require(c, "state")
	return c
}
