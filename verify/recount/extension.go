package recount

import (
	"bytes"
	"slices"

	pb "votenode/proto/votenode/v1"
	"votenode/verify/recount/rules"
)

// Who signed is kept in windows of 64 heights, 2,048 of them. Spec 18.5.
const (
	windowHeights = 64
	windowsKept   = 2_048
)

// spanHeights is how many heights an extension may make up for, reportAge how far before them a report may lie. Spec 18.6.
const (
	spanHeights = 65_536
	reportAge   = 600
)

// wellFormedExtension: spec 2.6.
func wellFormedExtension(d *pb.ExtendElection) bool {
	if d.Cause < pb.EXTENSION_OUTAGE || d.Cause > pb.EXTENSION_OTHER {
		return false
	}
	return d.Cause == pb.EXTENSION_OTHER && d.From == 0 && d.To == 0 || d.From > 0 && d.From <= d.To && d.To-d.From < spanHeights
}

// sawSigners notes which validators of the height before did not sign it, and the time since its block. The new epoch has not begun.
func (r *Recount) sawSigners(signers map[[20]byte]bool, before int64) {
	signed := r.height - 1
	window := r.windows[signed/windowHeights]
	if window == nil {
		window = new(pb.Signing)
		r.windows[signed/windowHeights] = window
		delete(r.windows, signed/windowHeights-windowsKept)
	}
	window.Time = r.now
	if signed == 0 {
		return
	}
	if since := r.now - before; since > window.LongestGap {
		window.LongestGap, window.GapHeight = since, r.height
	}
	for _, v := range r.present.Validators {
		if signers[rules.Address(v.Key)] {
			continue
		}
		at := slices.IndexFunc(window.Missed, func(m pb.MissedHeights) bool { return bytes.Equal(m.Key, v.Key) })
		if at < 0 {
			at = len(window.Missed)
			window.Missed = append(window.Missed, pb.MissedHeights{Key: v.Key})
		}
		window.Missed[at].Heights |= 1 << (signed % windowHeights)
	}
	slices.SortFunc(window.Missed, func(a, b pb.MissedHeights) int { return bytes.Compare(a.Key, b.Key) })
}

// remember keeps a report for extensions, and forgets those that none can ask for any more: the ledger no longer tells who signed at the height
// of the one behind them.
func (r *Recount) remember(slipKey []byte, last *pb.LastIntake) {
	list := append(r.history[string(slipKey)], *last)
	for len(list) > 1 && list[1].Report.Height < r.height-(windowsKept+1)*windowHeights {
		list = list[1:]
	}
	r.history[string(slipKey)] = list
}

// extend sets a later closing and tells what is known of the time for which it makes up. Spec 18.6.
func (r *Recount) extend(hash [32]byte, d *pb.ExtendElection) {
	e := r.byID[d.Election]
	x := &pb.Extension{
		Resolution: hash[:], Cause: d.Cause, From: d.From, To: d.To, OldClosing: e.closing, Closing: d.Closing, Height: r.height,
	}
	e.closing = d.Closing
	e.extensions = append(e.extensions, x)
	if d.From == 0 {
		return
	}
	for number := d.From / windowHeights; number <= d.To/windowHeights; number++ {
		if w := r.windows[number]; w.LongestGap > x.LongestGap {
			x.LongestGap, x.GapHeight = w.LongestGap, w.GapHeight
		}
	}
	for _, v := range r.present.Validators {
		x.Validators = append(x.Validators, r.inSpan(v, d.From, d.To))
	}
}

// inSpan tells what is known of a validator from one height to another.
func (r *Recount) inSpan(v pb.Validator, from, to int64) pb.ValidatorSpan {
	span := pb.ValidatorSpan{Key: v.Key}
	for height := from; height <= to; height++ {
		for _, m := range r.windows[height/windowHeights].Missed {
			if bytes.Equal(m.Key, v.Key) && m.Heights>>(height%windowHeights)&1 == 1 {
				span.Missed++
			}
		}
	}
	var first *pb.LastIntake
	for i := range r.history[string(v.SlipKey)] {
		if known := &r.history[string(v.SlipKey)][i]; known.Report.Height <= from && known.Report.Height >= from-reportAge {
			first = known
		}
	}
	last := r.reported[string(v.Key)]
	for _, end := range []struct {
		report *pb.LastIntake
		ref    **pb.ReportRef
	}{{first, &span.Before}, {last, &span.After}} {
		if end.report != nil {
			*end.ref = &pb.ReportRef{Index: end.report.Index, Height: end.report.Report.Height, Start: end.report.Report.Start}
		}
	}
	if first != nil && last != nil && first.Report.Start == last.Report.Start && counted(&first.Report, &last.Report) {
		span.Intake = grown(&first.Report, &last.Report)
	}
	return span
}

// grown says by how much each counter has grown.
func grown(was, is *pb.ReportIntake) *pb.IntakeDifference {
	d := &pb.IntakeDifference{
		Taken: is.Taken - was.Taken, FromPeers: is.FromPeers - was.FromPeers, Verified: is.Verified - was.Verified, Slips: is.Slips - was.Slips,
	}
	old := map[uint32]uint64{}
	for _, c := range was.Refused {
		old[c.Code] = c.Count
	}
	for _, c := range is.Refused {
		if c.Count > old[c.Code] {
			d.Refused = append(d.Refused, pb.RefusalCount{Code: c.Code, Count: c.Count - old[c.Code]})
		}
	}
	return d
}
