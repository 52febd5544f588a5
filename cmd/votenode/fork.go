package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
	"votenode/verify/prooffile"
)

func newStateCommand() *cobra.Command {
	var ledger ledgerFlags
	var out fileFlags
	c := &cobra.Command{
		Use:   "state HEIGHT",
		Short: "Fetch what shows the state after a height, as a file that anybody can verify",
		Long: `Fetch the state after a height: the genesis document, the proofs of the validator sets up to it, and the next header with its
signatures. It is verified before it is written. It says whether the state is certified, or committed only: then an organisation that
lies may show others another one. Fetch the same height from a node of each organisation, and hold the files against each other with:
votenode verify fork.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			height, err := parseHeight(args[0])
			if err != nil {
				return err
			}
			if err := out.check(); err != nil {
				return err
			}
			l, err := ledger.open(c)
			if err != nil {
				return err
			}
			shown, state, err := l.State(c.Context(), height)
			if err != nil {
				return err
			}
			if err := out.write(c, prooffile.OfState(shown)); err != nil {
				return err
			}
			say(c, "the state after block %d of %s is %s: %s", state.Height, state.Child.Time.UTC().Format(time.RFC3339), state.Standing(), state.Signers())
			return nil
		},
	}
	ledger.add(c)
	out.add(c, "state.json")
	return c
}

// parseHeight reads the height of a block.
func parseHeight(s string) (int64, error) {
	height, err := strconv.ParseInt(s, 10, 64)
	if err != nil || height < 1 || height > 1<<62 {
		return 0, usagef("%q is no height of a block", s)
	}
	return height, nil
}

func newVerifyForkCommand() *cobra.Command {
	var hash string
	c := &cobra.Command{
		Use:   "fork A B",
		Short: "Show that two files contradict each other, and who signed both",
		Long: `Hold two files against each other, offline: states, receipts, or what became of a promise. Both are verified from the genesis
hash. If they show two states of one height that contradict each other, the ledger is forked; the validators that signed on both branches
are named, by their keys: none of them is honest. Exit 3: a file does not verify, or the two show no fork.`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			genesisHash, err := parseHash(hash)
			if err != nil {
				return usagef("--genesis-hash: %w", err)
			}
			var states [2]*certified.State
			for i, path := range args {
				if states[i], err = readState(genesisHash, path); err != nil {
					return err
				}
			}
			fork, err := findFork(states, args, hash)
			if err != nil {
				return failed(err)
			}
			return showFork(c, fork, args)
		},
	}
	c.Flags().StringVar(&hash, "genesis-hash", "", "hash of the genesis document, from which everything is verified")
	require(c, "genesis-hash")
	return c
}

// readState verifies the state that a proof file shows.
func readState(genesisHash [32]byte, path string) (*certified.State, error) {
	file, err := readProofFile(path)
	if err != nil {
		return nil, err
	}
	shown := prooffile.State(file)
	if shown == nil {
		return nil, failed(fmt.Errorf("%s shows no state of the ledger: a state, a receipt or what became of a promise does", path))
	}
	_, state, err := certified.FromLedgerState(genesisHash, shown)
	if err != nil {
		return nil, failed(fmt.Errorf("%s: %w", path, err))
	}
	return state, nil
}

// findFork compares the states of two files, and says what to do where they show no fork.
func findFork(states [2]*certified.State, paths []string, hash string) (*certified.Fork, error) {
	a, b := states[0], states[1]
	fork, err := certified.FindFork(a, b)
	switch {
	case a.Height != b.Height:
		lower, other := 0, 1
		if a.Height > b.Height {
			lower, other = 1, 0
		}
		return nil, fmt.Errorf("%w; fetch the state of height %d of the other branch, from a node that shows that of %s, with: votenode state %d --genesis-hash %s --node NODE",
			err, states[lower].Height, paths[other], states[lower].Height, hash)
	case errors.Is(err, certified.ErrSets):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: both are of the same branch, at height %d", err, a.Height)
	case len(fork.Both) > 0:
		return fork, nil
	}
	// Two committed states of one set have signers in common.
	invented := 0
	if a.Committed || a.Certified {
		invented = 1
	}
	return nil, fmt.Errorf("the files contradict each other, but nobody signed both; %s is %s, and anybody can have made it up", paths[invented], states[invented].Standing())
}

// shownFork is what a fork shows.
type shownFork struct {
	Chain  string      `json:"chain_id"`
	Height int64       `json:"height"`
	Differ []string    `json:"differ"`
	Sides  []shownSide `json:"sides"`
	// Bound is 2*certify - 1; Signed tells by organisation the power that signed on both branches, and whether it is more than that.
	Bound  string            `json:"bound"`
	Signed []shownSignedBoth `json:"signed_both"`
	Keys   []shownSigner     `json:"keys"`
}

// shownSide is one side of a fork.
type shownSide struct {
	File      string        `json:"file"`
	Block     string        `json:"block"`
	AppHash   string        `json:"app_hash"`
	Time      time.Time     `json:"time"`
	Certified bool          `json:"certified"`
	Committed bool          `json:"committed"`
	Signed    []shownSigned `json:"signed"`
}

type shownSignedBoth struct {
	shownSigned
	More bool `json:"more_than_bound"`
}

// shownSigner is the key of a validator that signed on both branches.
type shownSigner struct {
	Organisation string `json:"organisation"`
	Name         string `json:"name"`
	Power        int64  `json:"power"`
	Key          string `json:"key"`
}

func showFork(c *cobra.Command, f *certified.Fork, paths []string) error {
	data := shownFork{
		Chain: f.A.Child.ChainID, Height: f.A.Height, Differ: f.Fields, Bound: fraction(f.Bound),
		Keys: []shownSigner{},
	}
	for i, s := range []*certified.State{f.A, f.B} {
		side := shownSide{
			File: paths[i], Block: fmt.Sprintf("%x", []byte(s.BlockID.Hash)), AppHash: fmt.Sprintf("%x", s.AppHash), Time: s.Child.Time.UTC(),
			Certified: s.Certified, Committed: s.Committed,
		}
		for _, o := range s.Signed {
			side.Signed = append(side.Signed, shownSigned{o.Organisation, o.Power, o.Total})
		}
		data.Sides = append(data.Sides, side)
	}
	for _, o := range f.Organisations {
		data.Signed = append(data.Signed, shownSignedBoth{shownSigned{o.Organisation, o.Power, o.Total}, o.Enough})
	}
	for _, v := range f.Both {
		data.Keys = append(data.Keys, shownSigner{v.Organisation, v.Name, v.Power, fmt.Sprintf("%x", v.Key)})
	}
	return show(c, data, func(w io.Writer) { showLines(w, f.Words(paths[0], paths[1])) })
}

func fraction(f pb.Fraction) string { return fmt.Sprintf("%d/%d", f.Numerator, f.Denominator) }
