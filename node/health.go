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

// when returns when that was.
func (p *progress) when() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
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

// problem is something that is wrong, in a sentence, and the page of docs/runbook that says what to do.
type problem struct{ page, text string }

// String is the sentence with the pointer to the page.
func (p problem) String() string { return fmt.Sprintf("%s; see docs/runbook/%s.md", p.text, p.page) }

// The pages of docs/runbook to which problems point.
const (
	pageConsensusDied = "consensus-died"
	pageCatchingUp    = "catching-up"
	pageStore         = "corrupted-store"
	pageHalted        = "halted-network"
	pageClock         = "clock"
	pagePeers         = "peers"
	pageSigner        = "signer"
	pageNotSigning    = "not-signing"
	pageDisk          = "disk"
	pagePromises      = "promises"
	pageOverload      = "overload"
	pageNotCertified  = "not-certified"
	pageUpgrade       = "upgrade"
)

// problemPages are all of them.
var problemPages = []string{
	pageConsensusDied, pageCatchingUp, pageStore, pageHalted, pageClock, pagePeers, pageSigner, pageNotSigning, pageDisk, pagePromises, pageOverload,
	pageNotCertified, pageUpgrade,
}

func sentences(problems []problem) []string {
	var list []string
	for _, p := range problems {
		list = append(list, p.String())
	}
	return list
}

// unreadable is the problem of a store that gives no answer.
func unreadable(err error) problem {
	return problem{pageStore, fmt.Sprintf("the ledger cannot be read: %v", err)}
}

// Health returns what is wrong with the node, one sentence each with the page of the runbook; nothing means that it does its work: consensus
// is alive, the height rises, the node is not syncing, it reaches more than 2/3 of the power, its own included, its key signs, its disk has
// room and its promises can be kept.
func (n *Node) Health() []string { return sentences(n.unhealthy()) }

// Ready returns why clients should go to another node, one sentence each; nothing means that this one takes them: it is healthy, has room
// for what they bring, and does not stop for an upgrade.
func (n *Node) Ready() []string { return sentences(append(n.unhealthy(), n.overload()...)) }

// Alarms returns what is wrong with the ledger as this node sees it, one sentence each, while the node itself may do its work: it is not
// part of Health. Whoever asks for that takes a sick node out of service; this is the same on all nodes, which go on recording ballots,
// and it is for people to see to.
func (n *Node) Alarms() []string { return sentences(n.alarms()) }

func (n *Node) unhealthy() []problem {
	var problems []problem
	add := func(page, format string, args ...any) {
		problems = append(problems, problem{page, fmt.Sprintf(format, args...)})
	}
	tip := n.app.Tip()
	if !n.comet.IsRunning() {
		add(pageConsensusDied, "CometBFT does not run")
	}
	select {
	case <-n.died:
		add(pageConsensusDied, "consensus has died")
	default:
	}
	if n.CatchingUp() {
		add(pageCatchingUp, "it is catching up, at height %d", tip.Height)
	}
	if err := n.space.closed(); err != nil {
		add(pageDisk, "%v", err)
	}
	if err := n.app.PromiseFault(); err != nil {
		add(pagePromises, "%v", err)
	}
	params, err := n.parameters()
	if err != nil {
		return append(problems, unreadable(err))
	}
	t := params.Timeouts
	round := time.Duration(t.Propose+2*t.Vote+t.Commit) * time.Millisecond
	if stalled, limit := n.progress.stalled(), max(stallFactor*round, stallLeast); stalled > limit {
		add(pageHalted, "height %d has not risen for %d seconds", tip.Height, int(stalled.Seconds()))
	}
	if ahead := time.Duration(tip.Time - n.now().UnixNano()); ahead > clockAlarm {
		add(pageClock, "the newest block is %.1f seconds ahead of the local clock: check the clock", ahead.Seconds())
	}
	return append(problems, n.validatorHealth(tip.Height)...)
}

// overload is why nothing is taken of what clients bring, beside a full disk.
func (n *Node) overload() (problems []problem) {
	if err := n.beyond(); err != nil {
		problems = append(problems, problem{pageUpgrade, err.Error()})
	}
	line, pool := n.app.Room()
	if !line {
		problems = append(problems, problem{pageOverload, "as many transactions of clients wait to be verified as this node takes"})
	}
	if !pool {
		problems = append(problems, problem{pageOverload, "the pool of transactions that wait for a block is full"})
	}
	return problems
}

func (n *Node) alarms() []problem {
	if n.CatchingUp() {
		return nil // what it sees is past
	}
	return append(n.uncertified(), n.upgradeAhead()...)
}

// upgradeAhead is that the ledger will go on by rules that this program does not know.
func (n *Node) upgradeAhead() []problem {
	newest := n.app.Ledger().Newest()
	if newest == nil {
		return nil
	}
	upgrades, err := state.Load[pb.Upgrades](newest, state.KeyUpgrades)
	if err != nil {
		return []problem{unreadable(err)}
	}
	for _, u := range upgrades.GetUpgrades() {
		if u.Version > n.protocol && u.Height > newest.Height() {
			return []problem{{pageUpgrade, fmt.Sprintf("behind height %d the ledger goes on by protocol version %d, which this binary does not know: install the one with the SHA-256 %x before", u.Height, u.Version, u.Binary)}}
		}
	}
	return nil
}

// uncertified is that blocks are committed and nothing is certified.
func (n *Node) uncertified() []problem {
	height, _, _, err := n.evidence.certified()
	if err != nil {
		return []problem{unreadable(err)}
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
	return []problem{{pageNotCertified, fmt.Sprintf("blocks are committed, but nothing is certified %s: %s", since, why)}}
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

// validatorHealth is the part of health that depends on the validator set.
func (n *Node) validatorHealth(height int64) (problems []problem) {
	present, err := n.present()
	if err != nil {
		return []problem{unreadable(err)}
	}
	var reached, total int64
	for _, v := range present.Validators {
		total += v.Power
		if n.peers.connected(v.NodeId) {
			reached += v.Power
		}
	}
	if 3*reached <= 2*total {
		problems = append(problems, problem{pagePeers, fmt.Sprintf("it reaches validators with %d of %d power, which is not more than 2/3", reached, total)})
	}
	self, _ := n.self()
	return append(problems, n.signerHealth(self != nil, height-max(n.signer.signed.Load(), present.FirstHeight))...)
}

// signerHealth says what is wrong with the signatures: why there are none any more, or for how long there were none. That a retired
// key does not sign is as it should be once it has left the validator set.
func (n *Node) signerHealth(validator bool, behind int64) []problem {
	if err := n.signer.fault(); err != nil {
		if validator || !errors.Is(err, ErrRetired) {
			return []problem{{pageSigner, err.Error()}}
		}
		return nil
	}
	if !validator {
		return nil
	}
	if _, err := n.SignerReached(); err != nil {
		return []problem{{pageSigner, err.Error()}}
	}
	if n.CatchingUp() || behind <= signerLag {
		return nil
	}
	reason := fmt.Sprintf("its key has not signed since height %d", n.signer.signed.Load())
	if err := n.signer.waits(); err != nil {
		reason += ": " + err.Error()
	}
	return []problem{{pageNotSigning, reason}}
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
