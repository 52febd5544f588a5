package audit

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"votenode/app"
	"votenode/app/election"
	"votenode/app/organisation"
	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/cells"
	"votenode/verify/record"
)

// Options say how a record is audited.
type Options struct {
	// GenesisHash is the hash that the auditor was given; nil takes the folder's own genesis document on trust.
	GenesisHash *[32]byte
	// Progress is told, now and then, how much of how much is done, in bytes of blocks taken through all checks; hashing a byte counts
	// as little as it takes. It may be nil, and is not told of a source other than a folder.
	Progress func(done, all int64)
	// Stage is told which work begins, many times for each; it may be nil. Who keeps time between the calls knows what each takes.
	Stage func(Stage)
	// Since is the checkpoint of an earlier audit: signatures and proofs of the ballots that it vouches for are not verified again. It may
	// be nil.
	Since *Checkpoint
	// Checkpoint is given, every so often and at the end, a checkpoint that a later audit can go on from; it may be nil. Its error ends
	// the audit.
	Checkpoint func(*Checkpoint) error
	// Program names this very program: checkpoints of another one are refused.
	Program string
	// Protocol is the greatest protocol version whose rules this program knows; 0 means app.Protocol.
	Protocol uint64
	// Rand gives the weights of batched verification; nil is that of the operating system. It must be safe for concurrent use.
	Rand io.Reader
}

// auditor is an audit on its way.
type auditor struct {
	Options
	checks checks
	report *Report
	source Source
	folder *folder // the source, nil where it is another
	space  *cells.Space
	hashed int64 // bytes
	done   int64 // bytes

	vouched vouching

	doc       *pb.Genesis
	chain     *chain
	certifier *certifier
	replay    *replay
	recount   *second
	tally     *tally
}

// errStop says that a check has failed after which there is nothing left to audit.
var errStop = errors.New("the audit cannot go on")

// Run audits the record in a folder. The error says that it could not be done: the file system failed, ctx ended, or Since is of another
// program or ledger (ErrCheckpoint), or blocks are made by rules that this program does not know (app.ErrProtocol). What was found is in the report, see Report.Failure.
func Run(ctx context.Context, files fs.FS, o Options) (*Report, error) {
	a := newAuditor(o)
	if _, err := fs.Stat(files, "."); err != nil {
		return nil, err
	}
	a.Stage(StageFiles)
	opened, err := record.Open(files)
	if err != nil {
		return a.end(a.stop(checkFiles, err))
	}
	defer opened.Close()
	a.folder = &folder{opened, opened.Blocks()}
	defer a.folder.blocks.Close()
	a.source = a.folder
	if err := a.files(ctx); err != nil {
		return a.end(err)
	}
	return a.end(a.all(ctx))
}

// RunSource audits a record that comes from elsewhere than a folder. Errors are those of Run and of the source.
func RunSource(ctx context.Context, source Source, o Options) (*Report, error) {
	a := newAuditor(o)
	a.source = source
	a.checks.read(checkFiles, 0)
	a.checks.say(checkFiles, "the blocks come from nodes: there is no folder")
	return a.end(a.all(ctx))
}

func newAuditor(o Options) *auditor {
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Protocol == 0 {
		o.Protocol = app.Protocol
	}
	if o.Progress == nil {
		o.Progress = func(int64, int64) {}
	}
	if o.Stage == nil {
		o.Stage = func(Stage) {}
	}
	return &auditor{Options: o, checks: newChecks(), report: &Report{Trusted: o.GenesisHash == nil}, vouched: newVouching()}
}

// end completes the report, unless the audit could not be done, and gives back what lies on the disk.
func (a *auditor) end(err error) (*Report, error) {
	if err == nil || errors.Is(err, errStop) {
		a.Stage(StageReport)
		err = a.finish()
	}
	if a.space != nil {
		err = errors.Join(err, a.space.Close())
	}
	if err != nil {
		return nil, err
	}
	return a.report, nil
}

func (a *auditor) all(ctx context.Context) (err error) {
	if a.space, err = cells.NewSpace(); err != nil {
		return err
	}
	if err := a.genesis(); err != nil {
		return err
	}
	if err := a.acceptSince(); err != nil {
		return err
	}
	return errors.Join(a.blocks(ctx), a.checkpoint())
}

// stop records a fault after which the audit ends. An error of the file system is no fault of the record, nor is a protocol version that
// this program does not know.
func (a *auditor) stop(number int, err error) error {
	var system *fs.PathError
	var source sourceError
	if errors.As(err, &system) || errors.As(err, &source) || errors.Is(err, app.ErrProtocol) {
		return err
	}
	a.checks.fault(number, "%v", err)
	return errStop
}

// files compares all files with the index. A file that differs is read all the same: other checks may say where it does. On the way it
// takes the digest of the blocks that a checkpoint vouches for.
func (a *auditor) files(ctx context.Context) error {
	for at := range a.folder.Index.Files {
		err := a.folder.Verify(ctx, at, func(b []byte) {
			a.checks.read(checkFiles, int64(len(b)))
			a.hashed += int64(len(b))
			a.advance()
			if a.Since != nil && at >= record.FirstBlocks {
				a.vouched.read.add(b, a.Since.Bytes)
			}
		})
		if errors.Is(err, record.ErrFormat) {
			a.checks.fault(checkFiles, "%v", err)
		} else if err != nil {
			return a.stop(checkFiles, err)
		}
	}
	return nil
}

// hashShare is how many bytes are hashed in the time that one byte of a block takes through all checks, about.
const hashShare = 64

// advance tells progress: files are read twice, once for their hashes and once for what is in them.
func (a *auditor) advance() {
	if a.folder != nil {
		all := a.folder.Index.Size()
		a.Progress(a.hashed/hashShare+a.done, all/hashShare+all)
	}
}

// genesis reads the founding document and its approvals, and sets up everything that starts from it.
func (a *auditor) genesis() error {
	b, err := a.source.Genesis()
	if err != nil {
		return a.stop(checkGenesis, err)
	}
	a.doc = new(pb.Genesis)
	if err := election.Decode(b, a.doc); err != nil {
		return a.stop(checkGenesis, fmt.Errorf("the document is %w", err))
	}
	if err := organisation.CheckGenesis(a.doc); err != nil {
		return a.stop(checkGenesis, err)
	}
	hash := sha256.Sum256(b)
	a.report.Chain, a.report.GenesisHash = a.doc.ChainId, hex.EncodeToString(hash[:])
	a.checks.read(checkGenesis, 1)
	if a.GenesisHash != nil && hash != *a.GenesisHash {
		return a.stop(checkGenesis, fmt.Errorf("the document has the hash %x, not %x as you were given: it is that of another ledger", hash, *a.GenesisHash))
	}
	if a.folder != nil {
		index := a.folder.Index
		a.checks.expect(index.Chain == a.doc.ChainId && index.GenesisHash == a.report.GenesisHash, checkGenesis,
			"%s speaks of another ledger: %s, %s", record.IndexName, index.Chain, index.GenesisHash)
	}
	if b, err = a.source.Approvals(); err != nil {
		return a.stop(checkApprovals, err)
	}
	good, err := approvalsFault(a.doc, hash, b)
	a.checks.read(checkApprovals, int64(good))
	a.checks.expect(err == nil, checkApprovals, "%v", err)

	a.chain = newChain(a.checks, a.doc)
	a.tally = newTally()
	if a.certifier, err = newCertifier(a.checks, a.doc); err != nil {
		return a.stop(checkGenesis, err)
	}
	if a.replay, err = newReplay(a.source, a.space, a.doc, hash, a.Protocol); err != nil {
		return a.stop(checkState, err)
	}
	a.recount = newSecond(a.checks, a.doc, a.replay)
	first := a.replay.view().AppHash()
	a.chain.appHash = first[:]
	return nil
}

// How much is read ahead: blocks until one of these is reached. A ballot takes about six times its bytes while it waits, and more of them
// at once are verified no faster.
const (
	windowBytes        = 4 << 20
	windowBlocks       = 512
	windowTransactions = 2_048
)

// blocks reads all blocks, part by part, and takes each through all checks.
func (a *auditor) blocks(ctx context.Context) error {
	for {
		a.Stage(StageRead)
		window, end := a.window(ctx)
		a.Stage(StageVerify)
		if err := a.verifyAhead(window); err != nil {
			return a.stop(checkState, err)
		}
		for i, b := range window {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := a.block(b); err != nil {
				return err
			}
			if len(a.recount.Moved()) > 0 { // an election may have become ready
				a.Stage(StageVerify)
				if err := a.verifyAhead(window[i+1:]); err != nil {
					return a.stop(checkState, err)
				}
			}
			a.done += int64(len(b.at.Raw))
			a.advance()
			b.forget()
		}
		if errors.Is(end, io.EOF) {
			break
		}
		if end != nil {
			return a.stop(checkBlocks, end)
		}
	}
	a.Stage(StageRecount)
	if err := a.recount.end(); err != nil {
		return err
	}
	if got, want := a.report.Height, a.source.Height(); got != want {
		a.checks.fault(checkBlocks, "the last block is that of height %d, not %d as in %s", got, want, record.IndexName)
	}
	if a.report.Height <= a.vouched.until { // how far nodes go is known only now
		a.older(a.report.Height)
	}
	return nil
}

// window reads the next blocks. The error says why there are no more: io.EOF at the end.
func (a *auditor) window(ctx context.Context) ([]*block, error) {
	var window []*block
	next := a.report.Height + 1
	for bytes, transactions := 0, 0; bytes < windowBytes && transactions < windowTransactions && len(window) < windowBlocks; next++ {
		at, err := a.next(ctx)
		if err != nil {
			return window, err
		}
		if last := a.source.Height(); last != 0 && next > last {
			return window, fmt.Errorf("there are more blocks than the %d of %s", last, record.IndexName)
		}
		b, err := parseBlock(at)
		if err != nil {
			return window, fmt.Errorf("height %d: %w", next, err)
		}
		if b.Height != next {
			return window, fmt.Errorf("a block of height %d stands where that of height %d belongs", b.Height, next)
		}
		window, bytes, transactions = append(window, b), bytes+len(at.Raw), transactions+len(b.Txs)
	}
	return window, nil
}

// block takes one block through all checks. Nobody has signed for the last block: it is there for the commit that it holds, and is not
// executed. Spec 10.4.
func (a *auditor) block(b *block) error {
	a.Stage(StageChain)
	a.report.Height = b.Height
	a.checks.read(checkBlocks, 1)
	a.chain.header(b)
	a.chain.attested(b)
	a.chain.precommits(b, a.certifier.block(b))
	a.chain.evidence(b)
	if b.Height == a.source.Height() {
		return nil
	}
	a.Stage(StageVerify)
	if err := a.verify(b); err != nil {
		return a.stop(checkState, err)
	}
	a.Stage(StageReplay)
	if err := a.proposal(b); err != nil {
		return a.stop(checkState, err)
	}
	done, err := a.replay.execute(b, a.chain.commit(b))
	if err != nil {
		return a.stop(checkState, fmt.Errorf("height %d: the state machine stops: %w", b.Height, err))
	}
	a.checks.read(checkResults, int64(len(b.Txs)))
	a.Stage(StageRecount)
	if err := a.recount.block(b, done.outcome); err != nil {
		return err
	}
	a.Stage(StageChain)
	a.tally.block(b, done.outcome)
	a.chain.advance(b, done)
	if err := a.validators(); err != nil {
		return a.stop(checkState, err)
	}
	return a.vouch(b, done.appHash)
}

// proposal checks that the block holds nothing for which every validator has to refuse it. Spec 11.2, check 12.
func (a *auditor) proposal(b *block) error {
	a.checks.read(checkProposals, int64(len(b.Txs)))
	for i, p := range b.parsed {
		if p == nil {
			a.checks.fault(checkProposals, "height %d: transaction %d: %v", b.Height, i, b.verdicts[i].Refusal)
			return nil
		}
	}
	params, err := state.MustLoad[pb.Parameters](a.replay.view(), state.KeyParameters)
	if err != nil {
		return err
	}
	a.checks.expect(uint64(len(b.at.Raw)) <= params.Limits.BlockBytes, checkProposals,
		"height %d: the block has %d bytes, the limit is %d", b.Height, len(b.at.Raw), params.Limits.BlockBytes)
	fault, err := a.replay.app.ProposalFault(a.replay.view(), b.parsed, b.verdicts)
	if err != nil {
		return err
	}
	a.checks.expect(fault == nil, checkProposals, "height %d: %v", b.Height, fault)
	return nil
}

// validators holds the validators of the state against the power cap, and lets the certifier see what is announced. Spec 11.2, check 16.
func (a *auditor) validators() error {
	view := a.replay.view()
	params, err := state.MustLoad[pb.Parameters](view, state.KeyParameters)
	if err != nil {
		return err
	}
	epochs, err := state.MustLoad[pb.ValidatorEpochs](view, state.KeyValidators)
	if err != nil {
		return err
	}
	a.checks.read(checkPower, 1)
	for _, e := range []*pb.ValidatorEpoch{&epochs.Present, &epochs.Next} {
		if e.Number != 0 {
			err := organisation.CapFault(params, e.Validators)
			a.checks.expect(err == nil, checkPower, "height %d: epoch %d: %v", view.Height(), e.Number, err)
		}
	}
	return a.certifier.state(view, epochs)
}
