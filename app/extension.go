package app

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"

	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

const (
	// maxExtensions is how often one election can be extended.
	maxExtensions = 999
	// reportsBefore is how many heights before a span a validator's report may be old and still belong to it.
	reportsBefore = 10 * tx.IntakeInterval
)

// spans says whether the extension makes up for a time that it names.
func (d extendElection) spans() bool { return d.From > 0 }

// extensions returns how often an election was extended.
func (r *reading) extensions(id string) (n int, err error) {
	err = r.Records(state.ExtensionPrefix(id), func(string, []byte) error {
		n++
		return nil
	})
	return n, err
}

func (r *reading) mayExtend(id string) error {
	n, err := r.extensions(id)
	if err == nil && n >= maxExtensions {
		err = tx.Refuse(tx.CodeExtensionLimit, "election %q was extended %d times", id, n)
	}
	return err
}

// saveExtension writes what the ledger knows of the time for which an extension makes up. Spec 18.6.
func (w *writing) saveExtension(d extendElection, closing int64) error {
	n, err := w.extensions(d.Election)
	if err != nil {
		return err
	}
	e := &pb.Extension{
		Resolution: w.resolution, Cause: d.Cause, From: d.From, To: d.To,
		OldClosing: closing, Closing: d.Closing, Height: w.height,
	}
	if d.spans() {
		if err := w.attach(e); err != nil {
			return err
		}
	}
	w.save(state.ExtensionKey(d.Election, n+1), e)
	return nil
}

// attach adds what is known of each validator in the span: the heights that it did not sign, and its reports before and after.
func (w *writing) attach(e *pb.Extension) error {
	epochs, err := state.MustLoad[pb.ValidatorEpochs](w, state.KeyValidators)
	if err != nil {
		return err
	}
	before, err := w.reportsBefore(e.From)
	if err != nil {
		return err
	}
	missed, err := w.missed(e)
	if err != nil {
		return err
	}
	set := validatorsAt(epochs, w.height)
	for i := range set {
		v := &set[i]
		span := pb.ValidatorSpan{Key: v.Key, Missed: missed[string(v.Key)]}
		last, err := state.Load[pb.LastIntake](w, state.IntakeKey(v.Key))
		if err != nil {
			return err
		}
		first := before[string(v.SlipKey)]
		span.Before, span.After = refOf(first), refOf(last)
		if first != nil && last != nil && first.Report.Start == last.Report.Start && !IntakeShrinks(&first.Report, &last.Report) {
			span.Intake = intakeDifference(&first.Report, &last.Report)
		}
		e.Validators = append(e.Validators, span)
	}
	return nil
}

// missed counts by consensus key the heights of a span that were not signed, and finds the longest time between two blocks.
func (w *writing) missed(e *pb.Extension) (map[string]uint64, error) {
	missed := make(map[string]uint64)
	for window := windowOf(e.From); window <= windowOf(e.To); window++ {
		record, err := state.MustLoad[pb.Signing](w, state.SigningKey(window))
		if err != nil {
			return nil, err
		}
		if record.LongestGap > e.LongestGap {
			e.LongestGap, e.GapHeight = record.LongestGap, record.GapHeight
		}
		asked := ^uint64(0)
		if first := window * signingWindow; first < e.From {
			asked <<= e.From - first
		}
		if last := window*signingWindow + signingWindow - 1; last > e.To {
			asked &= ^uint64(0) >> (last - e.To)
		}
		for _, m := range record.Missed {
			missed[string(m.Key)] += uint64(bits.OnesCount64(m.Heights & asked))
		}
	}
	return missed, nil
}

// reportsBefore returns by slip key the newest report of each validator at or before a height, of those that are not too old. The heights of
// reports never fall along the log: in a block only those of one height are due.
func (w *writing) reportsBefore(height int64) (map[string]*pb.LastIntake, error) {
	head, err := w.Head(state.LogIntake)
	if err != nil {
		return nil, err
	}
	read := func(index uint64) (string, *pb.ReportIntake, error) {
		leaf, err := w.Leaf(state.LogIntake, index)
		if err != nil {
			return "", nil, err
		}
		p, err := tx.Parse(leaf)
		if err != nil {
			return "", nil, fmt.Errorf("%w: leaf %d of the log %q: %v", state.ErrCorrupted, index, state.LogIntake, err)
		}
		m, ok := p.Body().(*pb.ReportIntake)
		if !ok {
			return "", nil, fmt.Errorf("%w: leaf %d of the log %q is a %v", state.ErrCorrupted, index, state.LogIntake, p.Kind())
		}
		return string(p.Signer()), m, nil
	}
	below, above := uint64(0), head.Size // the reports at or before the height are those below some index
	for below < above {
		middle := below + (above-below)/2
		_, m, err := read(middle)
		if err != nil {
			return nil, err
		}
		if m.Height <= height {
			below = middle + 1
		} else {
			above = middle
		}
	}
	found := make(map[string]*pb.LastIntake)
	for index := below; index > 0; index-- {
		signer, m, err := read(index - 1)
		if err != nil {
			return nil, err
		}
		if m.Height < height-reportsBefore {
			break
		}
		if found[signer] == nil {
			found[signer] = &pb.LastIntake{Report: *m, Index: index - 1}
		}
	}
	return found, nil
}

func refOf(l *pb.LastIntake) *pb.ReportRef {
	if l == nil {
		return nil
	}
	return &pb.ReportRef{Index: l.Index, Height: l.Report.Height, Start: l.Report.Start}
}

// intakeDifference subtracts a report from a later one of the same start: no counter has shrunk.
func intakeDifference(first, last *pb.ReportIntake) *pb.IntakeDifference {
	d := &pb.IntakeDifference{
		Taken: last.Taken - first.Taken, FromPeers: last.FromPeers - first.FromPeers,
		Verified: last.Verified - first.Verified, Slips: last.Slips - first.Slips,
	}
	for _, r := range last.Refused {
		at, known := slices.BinarySearchFunc(first.Refused, r.Code, func(c pb.RefusalCount, code uint32) int { return cmp.Compare(c.Code, code) })
		if known {
			r.Count -= first.Refused[at].Count
		}
		if r.Count > 0 {
			d.Refused = append(d.Refused, r)
		}
	}
	return d
}
