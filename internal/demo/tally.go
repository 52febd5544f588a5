package demo

import (
	"context"
	"fmt"
	"time"

	"votenode/app/state"
	"votenode/client"
	"votenode/internal/network"
	pb "votenode/proto/votenode/v1"
)

// close waits for the end of the vote, checks that the log holds what was cast and nothing else, and takes one trustee of each
// organisation away.
func (r *run) close(ctx context.Context) error {
	r.say("voting closes at %s", time.Unix(r.closing, 0).Format(time.TimeOnly))
	v, err := r.officials.UntilPhase(ctx, r.election, pb.PHASE_CLOSED)
	if err != nil {
		return err
	}
	head, err := v.Head(ctx, state.LogBallots(r.election))
	if err != nil {
		return err
	}
	if head.Size != uint64(r.report.Recorded) {
		return fmt.Errorf("the ballot log has %d ballots, %d were cast", head.Size, r.report.Recorded)
	}
	if err := r.tryAfterClosing(ctx); err != nil {
		return err
	}
	for i := range r.network.Document.Organisations {
		trustee := r.trustees[i*trusteesEach+trusteesEach-1]
		if err := trustee.End(); err != nil {
			return err
		}
		r.report.Absent = append(r.report.Absent, trustee.Name)
	}
	r.say("voting is closed; gone before decryption: %v", r.report.Absent)
	return nil
}

// decrypt waits for the trustees who are left.
func (r *run) decrypt(ctx context.Context) error {
	progress := r.Talk.Bar("contests opened", len(r.manifest.Contests))
	defer progress.Clear()
	v, err := r.ledger.Until(ctx, func(ctx context.Context, v *client.View) (bool, error) {
		e, err := client.LoadElection(ctx, v, r.election)
		if err != nil {
			return false, err
		}
		if e.Phase == pb.PHASE_DECRYPTING {
			progress.Set(len(r.manifest.Contests) - int(e.ContestsOpen))
		}
		return e.Phase == pb.PHASE_FINAL, nil
	})
	if err == nil {
		r.say("the trustees who are left have opened the sums; final at height %d", v.Height())
	}
	return err
}

// readResults reads the result of every contest with its proof and holds it against the figures.
func (r *run) readResults(ctx context.Context) error {
	v, err := r.officials.UntilPhase(ctx, r.election, pb.PHASE_FINAL)
	if err != nil {
		return err
	}
	results := make([]pb.Result, len(r.manifest.Contests))
	for c := range results {
		result, err := client.MustLoad[pb.Result](ctx, v, state.ResultKey(r.election, uint32(c)))
		if err != nil {
			return err
		}
		results[c] = *result
	}
	r.report.Results, r.report.Differences = compare(r.Expect, r.replay, results)
	r.report.Mismatches = len(r.report.Differences)
	r.report.Ballots = r.replay.Voters()
	for _, validator := range r.network.Validators {
		if validator.Process != nil {
			r.report.PeakRSSBytes = max(r.report.PeakRSSBytes, network.PeakMemory(validator.Process.PID()))
		}
	}
	r.say("%d figures read with proofs under certified height %d: %d differ from %s", len(r.report.Results), v.Height(), r.report.Mismatches, r.Source)
	return nil
}
