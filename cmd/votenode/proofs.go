package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"votenode/app"
	"votenode/client"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/prooffile"
	"votenode/verify/receipt"
)

// fileFlags say where a proof file goes, and in which form.
type fileFlags struct{ out, format string }

func (f *fileFlags) add(c *cobra.Command, name string) {
	c.Flags().StringVarP(&f.out, "out", "o", name, "new file for it, or - for standard output")
	c.Flags().StringVar(&f.format, "format", "json", "json or protobuf; both verify")
}

func (f *fileFlags) check() error {
	if f.format != "json" && f.format != "protobuf" {
		return usagef("--format is %q; it is json or protobuf", f.format)
	}
	return unused(f.out)
}

// write writes a proof file.
func (f *fileFlags) write(c *cobra.Command, file *pb.ProofFile) error {
	data := prooffile.Bytes(file)
	if f.format == "json" {
		var err error
		if data, err = prooffile.JSON(file); err != nil {
			return err
		}
	}
	return createFile(c, f.out, data)
}

// readProofFile reads a proof file; one that is none is a failed verification.
func readProofFile(path string) (*pb.ProofFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	file, err := prooffile.Read(f)
	if errors.Is(err, prooffile.ErrFile) {
		err = failed(err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return file, nil
}

// failed marks an error as a failed verification. That this program does not know the rules is none.
func failed(err error) error {
	if err == nil || errors.Is(err, client.ErrVerification) || errors.Is(err, app.ErrProtocol) {
		return err
	}
	return fmt.Errorf("%w: %w", client.ErrVerification, err)
}

func newVerifyCommand() *cobra.Command {
	return group("verify", "Verify a file from the genesis hash alone, without a node", newVerifyReceiptCommand(), newVerifySlipCommand(), newVerifyForkCommand())
}

// shownReceipt is what a receipt proves.
type shownReceipt struct {
	Code      string        `json:"confirmation_code"`
	Election  string        `json:"election"`
	RollIndex uint64        `json:"roll_index"`
	Sequence  uint64        `json:"sequence"`
	LogIndex  uint64        `json:"log_index"`
	Standing  string        `json:"standing"`
	Last      uint64        `json:"superseded_by,omitempty"`
	Certified bool          `json:"certified"`
	Height    int64         `json:"height"`
	Time      time.Time     `json:"time"`
	Signed    []shownSigned `json:"signed"`
}

// shownSigned is the power of one organisation that signed.
type shownSigned struct {
	Organisation string `json:"organisation"`
	Power        int64  `json:"power"`
	Total        int64  `json:"total"`
}

func showReceipt(c *cobra.Command, f *receipt.Finding) error {
	data := shownReceipt{
		Code: ballot.FormatCode(f.Code), Election: f.Election, RollIndex: f.RollIndex, Sequence: f.Sequence, LogIndex: f.LogIndex,
		Standing: f.Standing.String(), Last: f.Last, Certified: f.State.Certified, Height: f.State.Height, Time: f.State.Child.Time.UTC(),
	}
	for _, s := range f.State.Signed {
		data.Signed = append(data.Signed, shownSigned{s.Organisation, s.Power, s.Total})
	}
	return show(c, data, func(w io.Writer) { showLines(w, f.Words()) })
}

func showLines(w io.Writer, lines []string) {
	for _, line := range lines {
		fmt.Fprintln(w, line)
	}
}

func newVerifyReceiptCommand() *cobra.Command {
	var hash string
	var voter uint64
	c := &cobra.Command{
		Use:   "receipt FILE",
		Short: "Verify a receipt, and say in plain words what it proves",
		Long: `Verify a receipt, offline, from the genesis hash and the voter's roll index, and say in plain words what it proves: that the ballot
is recorded, by whom it is signed for, and whether it counts. Exit 3: it proves nothing.`,
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
			r, ok := file.Content.(*pb.ProofFile_Receipt)
			if !ok {
				return failed(fmt.Errorf("%s is no receipt", args[0]))
			}
			found, err := receipt.Verify(genesisHash, voter, time.Now(), r.Receipt)
			if err != nil {
				return failed(fmt.Errorf("%s: %w", args[0], err))
			}
			return showReceipt(c, found)
		},
	}
	c.Flags().StringVar(&hash, "genesis-hash", "", "hash of the genesis document, from which everything is verified")
	c.Flags().Uint64Var(&voter, "voter", 0, "the voter's roll index, which the voter knows")
	require(c, "genesis-hash", "voter")
	return c
}

func newVoterReceiptCommand() *cobra.Command {
	var ledger ledgerFlags
	var out fileFlags
	var election *string
	var code, until string
	var voter uint64
	c := &cobra.Command{
		Use:   "receipt",
		Short: "Fetch the receipt of a recorded ballot",
		Long: `Fetch the receipt of a recorded ballot: a file that proves, without any node, that the ballot stands on the ledger and what becomes of
it. Anybody who has the confirmation code can fetch it; it shows nothing of the ballot's content. The command waits until the ballot is recorded
and signed for; of a code that never is, until it is stopped.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			wait, err := client.ParseWait(until)
			if err != nil || wait == client.WaitAccepted {
				return usagef("--wait is %q; it is committed or certified", until)
			}
			noted, err := ballot.ParseCode(code)
			if err != nil {
				return usagef("--code: %w", err)
			}
			if err := out.check(); err != nil {
				return err
			}
			l, err := ledger.open(c)
			if err != nil {
				return err
			}
			r, found, err := l.Receipt(c.Context(), *election, voter, noted, wait == client.WaitCertified, time.Now())
			if err != nil {
				return err
			}
			if err := out.write(c, prooffile.OfReceipt(r)); err != nil {
				return err
			}
			showLines(c.ErrOrStderr(), found.Words())
			return nil
		},
	}
	ledger.add(c)
	out.add(c, "receipt.json")
	election = electionFlag(c)
	c.Flags().StringVar(&code, "code", "", "the confirmation code that you wrote down")
	c.Flags().Uint64Var(&voter, "roll-index", 0, "the voter's place in the roll")
	c.Flags().StringVar(&until, "wait", "certified", "what to wait for: committed or certified")
	require(c, "code", "roll-index")
	return c
}
