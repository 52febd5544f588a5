package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/prooffile"
	"votenode/verify/slip"
)

func newSlipCommand() *cobra.Command {
	return group("slip", "Check what became of a validator's promise", newSlipCheckCommand())
}

// unkept says that a promise was not kept: exit 3, with the verdict on stdout.
type unkept struct{ verdict slip.Verdict }

func (u unkept) Error() string { return fmt.Sprintf("the promise is not kept: %v", u.verdict) }

// ExitCode is that of a failed verification.
func (u unkept) ExitCode() int { return exitVerification }

// shownCase is the verdict on a promise.
type shownCase struct {
	Verdict      string `json:"verdict"`
	How          string `json:"how,omitempty"`
	Organisation string `json:"organisation"`
	Validator    string `json:"validator"`
	Key          string `json:"key"`
	Election     string `json:"election"`
	RollIndex    uint64 `json:"roll_index"`
	Sequence     uint64 `json:"sequence"`
	Code         string `json:"confirmation_code"`
	Issued       int64  `json:"issued"`
	Promised     int64  `json:"promised"`
	Height       int64  `json:"height"`
	Block        int64  `json:"block,omitempty"`
}

func showCase(c *cobra.Command, f *slip.Finding) error {
	data := shownCase{
		Verdict: f.Verdict.String(), How: f.How, Organisation: f.Validator.Organisation, Validator: f.Validator.Name,
		Key: hex.EncodeToString(f.Validator.Key), Election: f.Slip.Election, RollIndex: f.Slip.RollIndex, Sequence: f.Slip.Sequence,
		Code: ballot.FormatCode([32]byte(f.Slip.Code)), Issued: f.Slip.Issued, Promised: f.Slip.Promised, Height: f.State.Height, Block: f.Height,
	}
	if err := show(c, data, func(w io.Writer) { showLines(w, f.Words()) }); err != nil {
		return err
	}
	return verdict(f)
}

// verdict is the error of a promise that is not kept.
func verdict(f *slip.Finding) error {
	if f.Verdict == slip.Broken || f.Verdict == slip.NoTurn {
		return unkept{f.Verdict}
	}
	return nil
}

func newSlipCheckCommand() *cobra.Command {
	var ledger ledgerFlags
	out := fileFlags{format: "json"}
	c := &cobra.Command{
		Use:   "check FILE",
		Short: "Say whether a promise is kept, pending, broken, or had no turn, with the proof",
		Long: `Ask the nodes what became of a validator's promise to record a ballot, and judge it by a certified state. With --out the case is
written to a file: of a broken promise it is evidence that anybody checks offline with 'votenode verify slip'.
Exit 0: kept or pending. Exit 3: broken, or no block of the validator was decided in time; or the file is no promise.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			file, err := readProofFile(args[0])
			if err != nil {
				return err
			}
			p, ok := file.Content.(*pb.ProofFile_Promise)
			if !ok {
				return failed(fmt.Errorf("%s is no promise", args[0]))
			}
			l, err := ledger.open(c)
			if err != nil {
				return err
			}
			shown, found, err := l.SlipCase(c.Context(), p.Promise, time.Now())
			if err != nil {
				return err
			}
			if out.out != "" {
				if err := out.write(c, prooffile.OfSlipCase(shown)); err != nil {
					return err
				}
			}
			if out.out == "-" { // standard output is the file
				showLines(c.ErrOrStderr(), found.Words())
				return verdict(found)
			}
			return showCase(c, found)
		},
	}
	ledger.add(c)
	out.add(c, "")
	return c
}

func newVerifySlipCommand() *cobra.Command {
	var hash string
	c := &cobra.Command{
		Use:   "slip FILE",
		Short: "Verify a case: what became of a validator's promise",
		Long: `Verify what became of a validator's promise, offline, from a file that 'votenode slip check --out' wrote. Exit 0: kept or pending. Exit 3: broken,
or no block of the validator was decided in time; or the file proves nothing.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			genesisHash, err := parseHash(hash)
			if err != nil {
				return usagef("--genesis-hash: %w", err)
			}
			file, err := readProofFile(args[0])
			if err != nil {
				return err
			}
			shown, ok := file.Content.(*pb.ProofFile_SlipCase)
			if !ok {
				return failed(fmt.Errorf("%s shows nothing of what became of a promise; make such a file with: votenode slip check", args[0]))
			}
			found, err := slip.Judge(genesisHash, time.Now(), shown.SlipCase)
			if err != nil {
				return failed(fmt.Errorf("%s: %w", args[0], err))
			}
			return showCase(c, found)
		},
	}
	c.Flags().StringVar(&hash, "genesis-hash", "", "hash of the genesis document, from which everything is verified")
	require(c, "genesis-hash")
	return c
}

// writePromises writes what validators have promised, each to a file of its own, named after the confirmation code.
func writePromises(c *cobra.Command, prepared casting, folder string) error {
	promises := prepared.Promises()
	if len(promises) == 0 {
		say(c, "no validator has promised to record it; cast again through another node if it is not recorded soon")
	}
	code := strings.ReplaceAll(ballot.FormatCode(prepared.Code()), "-", "")
	for i, p := range promises {
		f := fileFlags{out: filepath.Join(folder, fmt.Sprintf("slip-%s-%d.json", code[len(code)-12:], i+1)), format: "json"}
		if err := f.write(c, prooffile.OfPromise(p)); err != nil {
			return errors.Join(fmt.Errorf("the ballot was cast, but its slip could not be written"), err)
		}
		say(c, "a validator promises to have it recorded by height %d; check with: votenode slip check %s", p.Slip.Promised, f.out)
	}
	return nil
}
