// Package demo holds a whole election on a ledger of two organisations, on one machine, and reports what came of it.
//
// Four validators, six trustees and the auditor are processes of the real program; officers, registrar and voters act through
// package client. The nodes can also be those of a network that runs elsewhere; none of these is killed. Nobody waits for a time to pass: every step waits for a height or for what it is to bring about. The ballots are
// official figures dealt out, so the result is known before, and any difference is a failure. Dishonest voters and an outage belong
// to it. The package decides nothing that the ledger decides, and nothing here is trusted by a real participant.
//
//	file          what
//	demo.go       the order of everything
//	setup.go      founding, resolutions, roll, key ceremony
//	ballots.go    proving ballots ahead of the vote
//	cast.go       sending them and following the ballot log
//	attack.go     ballots that the nodes must refuse
//	outage.go     a validator that is killed and returns
//	tally.go      closing, decryption, comparison with the figures
//	record.go     export, audit, audit of a damaged copy
//	states.go     the state of all nodes, compared
//	report.go     what is told at the end
package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"votenode/client"
	"votenode/crypto/ballot"
	"votenode/internal/figures"
	"votenode/internal/network"
	"votenode/internal/spool"
	"votenode/internal/talk"
	pb "votenode/proto/votenode/v1"
)

// Options say what to hold.
type Options struct {
	// Binary is the program votenode.
	Binary string
	// Source names the figures for people.
	Source string
	// Towns are the figures to replay, as figures.Choose returns them.
	Towns []figures.Town
	// Expect are the figures that must come out, those of Towns as a rule.
	Expect []figures.Town
	// Record is the folder for the exported record, which must not exist; empty means a new temporary one. It is kept.
	Record string
	// Keep leaves the network up.
	Keep bool
	// Elsewhere is the folder of a network that runs already, see network.Attach, and Nodes the addresses of its gateways; empty means
	// that a new one is founded.
	Elsewhere string
	Nodes     []string
	Talk      *talk.Talk
}

// run is a demo on its way.
type run struct {
	Options
	report  *Report
	replay  *figures.Replay
	network *network.Network
	ledger  *client.Ledger
	// officials are the officers and registrars.
	officials *network.Officials

	election string // its id
	manifest *pb.Manifest
	trustees []*network.Process
	secrets  [][]byte // of all voters, by number, which is their place in the roll
	shared   *ballot.Election
	closing  int64 // as scheduled or extended

	early, main, late *spool.File
	promised          *promised
}

// Run holds the election. The error says that it could not be held to its end; that it came out wrong is in the report, see
// Report.Failure. Where ctx ends, all processes are ended and the temporary folder is removed.
func Run(ctx context.Context, o Options) (*Report, error) {
	r := &run{Options: o, report: newReport(o)}
	r.replay = figures.NewReplay(o.Towns)
	if r.replay.Voters() < 2 {
		return nil, errors.New("the figures have fewer than 2 ballots; a demo needs 2 at least")
	}
	r.promised = &promised{report: &r.report.Promises}
	r.report.Contests, r.report.Slots = len(r.replay.Contests), r.replay.Slots
	folder, err := os.MkdirTemp("", "votenode-demo-")
	if err != nil {
		return nil, err
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	err = r.all(ctx, folder, fail)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause // what failed first, and not what followed from it
	}
	if o.Keep && err == nil {
		r.report.Network = r.left(r.network.Release())
		return r.report, nil
	}
	if r.network != nil {
		err = errors.Join(err, r.network.EndAll())
	}
	return r.report, errors.Join(err, os.RemoveAll(folder))
}

// all goes through the election from its foundation to the audit of its record.
func (r *run) all(ctx context.Context, folder string, fail context.CancelCauseFunc) error {
	stages := []struct {
		name string
		do   func(context.Context) error
	}{
		{"foundation", func(ctx context.Context) error { return r.begin(ctx, folder, fail) }},
		{"election and roll", r.createElection},
		{"key ceremony", r.holdCeremony},
		{"proving", r.proveBallots},
		{"opening", r.open},
		{"challenge and attacks", func(ctx context.Context) error { return r.whileOpen(ctx, r.attack) }},
		{"voting", r.vote},
		{"closing", r.close},
		{"promises and receipts", r.lookAtPromises},
		{"decryption", r.decrypt},
		{"results", r.readResults},
		{"states", r.compareStates},
		{"export", r.export},
		{"audit", r.audit},
		{"audit of a damaged copy", func(ctx context.Context) error { return r.auditDamaged(ctx, filepath.Join(folder, "damaged")) }},
	}
	begin := time.Now()
	for _, stage := range stages {
		start := time.Now()
		if err := stage.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", stage.name, err)
		}
		r.report.Stages = append(r.report.Stages, Stage{stage.name, time.Since(start).Seconds()})
	}
	r.report.Seconds = time.Since(begin).Seconds()
	r.report.Refused = len(r.report.Refusals)
	return nil
}

// say writes a line of progress.
func (r *run) say(format string, args ...any) { r.Talk.Say(format, args...) }
