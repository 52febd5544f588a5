package node

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
)

const (
	// stallFactor: the height is late when it has not risen for this many times what a round may take, and stallLeast at least.
	stallFactor = 5
	stallLeast  = 15 * time.Second
	// signerLag is how many heights a validator's signatures may be behind the newest block.
	signerLag = 10
	// certifiedLag is how many heights the newest certified one may be behind the newest block. As a rule it is 2 behind.
	certifiedLag = 20
	// clockAlarm is how far the newest block may be ahead of the local clock.
	clockAlarm = 5 * time.Second
)

// progress remembers when a height was committed last.
type progress struct {
	mu   sync.Mutex
	last time.Time
}

// rose records that the height has risen, or that the node has begun.
func (p *progress) rose() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = time.Now()
}

// stalled returns for how long the height has not risen.
func (p *progress) stalled() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last.IsZero() {
		return 0
	}
	return time.Since(p.last)
}

// Health returns what is wrong with the node, one sentence each; nothing means that it does its work: consensus is alive, the
// height rises, the node is not syncing, it reaches more than 2/3 of the power, its own included, and its key signs.
func (n *Node) Health() []string {
	var reasons []string
	add := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	tip := n.app.Tip()
	if !n.comet.IsRunning() {
		add("CometBFT does not run")
	}
	select {
	case <-n.died:
		add("consensus has died")
	default:
	}
	if n.CatchingUp() {
		add("it is catching up, at height %d", tip.Height)
	}
	params, err := n.parameters()
	if err != nil {
		add("the ledger cannot be read: %v", err)
		return reasons
	}
	t := params.Timeouts
	round := time.Duration(t.Propose+2*t.Vote+t.Commit) * time.Millisecond
	if stalled, limit := n.progress.stalled(), max(stallFactor*round, stallLeast); stalled > limit {
		add("height %d has not risen for %d seconds", tip.Height, int(stalled.Seconds()))
	}
	if ahead := time.Duration(tip.Time - n.now().UnixNano()); ahead > clockAlarm {
		add("the newest block is %.1f seconds ahead of the local clock: check the clock", ahead.Seconds())
	}
	return append(reasons, n.validatorHealth(tip.Height)...)
}

// Alarms returns what is wrong with the ledger as this node sees it, one sentence each, while the node itself may do its work: it is not
// part of Health. Whoever asks for that takes a sick node out of service; this is the same on all nodes, which go on recording ballots,
// and it is for people to see to.
func (n *Node) Alarms() []string {
	if n.CatchingUp() {
		return nil // what it sees is past
	}
	height, _, _, err := n.evidence.certified()
	if err != nil {
		return []string{fmt.Sprintf("the ledger cannot be read: %v", err)}
	}
	tip := n.app.Tip().Height
	if tip-height <= certifiedLag {
		return nil
	}
	since := fmt.Sprintf("since height %d", height)
	if height == 0 {
		since = "as far back as this node looked"
	}
	why, err := n.evidence.lacking(tip - 2)
	switch {
	case err != nil:
		why = err.Error()
	case why == "":
		return nil
	}
	return []string{fmt.Sprintf("blocks are committed, but nothing is certified %s: %s", since, why)}
}

// tellAlarms writes alarms to the log when they come and when they are over. It takes and returns whether there are any.
func (n *Node) tellAlarms(before bool) bool {
	alarms := n.Alarms()
	switch now := len(alarms) > 0; {
	case now && !before:
		n.log.Error("alarm", "alarms", alarms)
	case before && !now:
		n.log.Info("the alarm is over")
	}
	return len(alarms) > 0
}

// validatorHealth is the part of Health that depends on the validator set.
func (n *Node) validatorHealth(height int64) (reasons []string) {
	present, err := n.present()
	if err != nil {
		return []string{fmt.Sprintf("the ledger cannot be read: %v", err)}
	}
	var reached, total int64
	for _, v := range present.Validators {
		total += v.Power
		if n.peers.connected(v.NodeId) {
			reached += v.Power
		}
	}
	if 3*reached <= 2*total {
		reasons = append(reasons, fmt.Sprintf("it reaches validators with %d of %d power, which is not more than 2/3", reached, total))
	}
	self, _ := n.self()
	return append(reasons, n.signerHealth(self != nil, height-max(n.signer.signed.Load(), present.FirstHeight))...)
}

// signerHealth says what is wrong with the signatures: why there are none any more, or for how long there were none. That a retired
// key does not sign is as it should be once it has left the validator set.
func (n *Node) signerHealth(validator bool, behind int64) []string {
	if err := n.signer.fault(); err != nil {
		if validator || !errors.Is(err, ErrRetired) {
			return []string{err.Error()}
		}
		return nil
	}
	if !validator {
		return nil
	}
	if _, err := n.SignerReached(); err != nil {
		return []string{err.Error()}
	}
	if n.CatchingUp() || behind <= signerLag {
		return nil
	}
	reason := fmt.Sprintf("its key has not signed since height %d", n.signer.signed.Load())
	if err := n.signer.waits(); err != nil {
		reason += ": " + err.Error()
	}
	return []string{reason}
}

// SignerReached says since when the signer that has the consensus key is connected, or since when it is not: then with an error that is
// signing.ErrUnreached. A node with the key in its home is its own signer, and the time is zero.
func (n *Node) SignerReached() (since time.Time, err error) {
	if n.link == nil {
		return time.Time{}, nil
	}
	return n.link.Reached()
}

// present returns the present validator set.
func (n *Node) present() (*pb.ValidatorEpoch, error) {
	newest := n.app.Ledger().Newest()
	if newest == nil {
		validators, err := n.app.Validators()
		return &pb.ValidatorEpoch{FirstHeight: 1, Validators: validators}, err
	}
	epochs, err := state.MustLoad[pb.ValidatorEpochs](newest, state.KeyValidators)
	if err != nil {
		return nil, err
	}
	return &epochs.Present, nil
}
