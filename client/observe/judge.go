package observe

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/client"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/prooffile"
)

// conclude says what a look means. before is what the node had proven when it began. mu is held.
func (o *Observer) conclude(n *node, before *client.View, err error) {
	n.troubled = err != nil
	o.answered(n, err)
	now := o.now()
	if n.grown.IsZero() {
		n.grown = now
	}
	if v := n.view; v != nil && (before == nil || v.Height() > before.Height()) {
		n.height, n.time, n.grown, n.moved = v.Height(), v.Time(), n.shown, before != nil
		at := v.Time().UTC()
		o.tell(Event{
			Event: EventCertified, Node: n.address, Organisation: n.organisation, Height: n.claimed, Certified: v.Height(), BlockTime: &at,
		})
		o.blockTime(n, before, v)
	}
	if err == nil {
		o.stale(n, now)
	}
	o.votes()
}

// answered raises the alarm for what a look ended with.
func (o *Observer) answered(n *node, err error) {
	var t *trouble
	if err == nil || errors.Is(err, errForked) || !errors.As(err, &t) {
		n.failures = 0
		o.end(Silent, n.address)
		return
	}
	text := fmt.Sprintf("%s: the %s: %v", n.address, t.subject, err)
	switch {
	case n.ledger == nil && errors.Is(err, client.ErrVerification):
		o.raise(WrongGenesis, n.address, []string{n.address}, text, n.heard)
	case errors.Is(err, client.ErrVerification), errors.Is(err, client.ErrMalformed), errors.Is(err, prooffile.ErrFile), errors.Is(err, state.ErrProof):
		o.raise(Unverifiable, n.address+" "+t.subject, []string{n.address}, text, n.heard)
	default:
		if n.failures++; n.failures >= o.s.Limits.Failures {
			o.raise(Silent, n.address, []string{n.address}, text, n.heard)
		}
		return
	}
	n.failures = 0
	o.end(Silent, n.address)
}

// stale looks whether a node that answers well has got on. mu is held.
func (o *Observer) stale(n *node, now time.Time) {
	newest := int64(0)
	if o.anchor != nil {
		newest = o.anchor.Height()
	}
	text := ""
	switch still := now.Sub(n.grown); {
	case still > o.s.Limits.Stale:
		text = fmt.Sprintf("%s has shown no certified state behind height %d for %s", n.address, n.height, still.Round(time.Second))
	case n.height > 0 && newest-n.height > o.s.Limits.Behind: // one that has just been started has no certified state yet
		text = fmt.Sprintf("%s is at certified height %d, %d behind others", n.address, n.height, newest-n.height)
	default:
		if n.moved { // after a restart it may be as it was
			o.end(Stale, n.address)
		}
		return
	}
	o.raise(Stale, n.address, []string{n.address}, text, n.heard)
}

// blockTime holds the time of a newer state of a node against that before and, where it is the newest of all, against the clock. The first
// one of a node may be old; from the second on its block was made since. mu is held.
func (o *Observer) blockTime(n *node, before, v *client.View) {
	if o.anchor == nil || v.Height() < o.anchor.Height() {
		return
	}
	text := ""
	switch age := n.shown.Sub(v.Time()); {
	case age < -o.s.Limits.Ahead:
		text = fmt.Sprintf("block %d is of %s, %s from now by this machine; check its clock, and whether block time is pushed", v.Height()+1, v.Time().UTC().Format(time.RFC3339), (-age).Round(time.Second))
	case before == nil:
		return
	case !v.Time().After(before.Time()):
		text = fmt.Sprintf("block time stands still: block %d is of %s, and block %d was of %s", v.Height()+1, v.Time().UTC().Format(time.RFC3339Nano), before.Height()+1, before.Time().UTC().Format(time.RFC3339Nano))
	case age > o.s.Limits.Lag:
		text = fmt.Sprintf("block time lags: block %d, a new one, is of %s, %s ago by this machine; check its clock", v.Height()+1, v.Time().UTC().Format(time.RFC3339), age.Round(time.Second))
	default:
		o.end(BlockTime, "")
		return
	}
	o.raise(BlockTime, "", nil, text, func() []evidence { return []evidence{shownFile("state", v.Evidence())} })
}

// votes counts, height by height, who has not signed. A height is counted once every node that is looked at without trouble has shown its
// header, so that no single one makes others look absent by leaving their precommits out. mu is held.
func (o *Observer) votes() {
	settled := int64(math.MaxInt64)
	for _, n := range o.nodes {
		if n.troubled || o.stands(Stale, n.address) {
			continue
		}
		settled = min(settled, n.headers)
	}
	if settled <= o.file.Counted || settled == math.MaxInt64 {
		return
	}
	for height := max(o.file.Counted+1, settled-keptHeights+1); height <= settled; height++ {
		if s := o.seen[height]; s != nil {
			o.count(s)
		}
	}
	o.file.Counted, o.dirty = settled, true
}

// count counts the votes for one height.
func (o *Observer) count(s *sighting) {
	present := map[string]bool{}
	s.first.State.Votes(func(v *pb.Validator, _ bool) {
		key := hex.EncodeToString(v.Key)
		present[key] = true
		if s.signed[key] {
			o.file.Missed[key] = 0
			o.end(NotSigning, key)
			return
		}
		if o.file.Missed[key]++; o.file.Missed[key] >= o.s.Limits.Window {
			height := s.first.State.Height + 1
			text := fmt.Sprintf("%s of %s has not signed %d blocks in a row, the last at height %d", v.Name, v.Organisation, o.file.Missed[key], height)
			o.raise(NotSigning, key, nil, text, func() []evidence { return []evidence{o.headersFile(height)} })
		}
	})
	for key := range o.file.Missed {
		if !present[key] {
			delete(o.file.Missed, key)
		}
	}
	for _, a := range o.file.Alarms { // a validator that has left the set signs no more
		if a.Kind == NotSigning && a.Stands() && !present[a.Cause] {
			o.end(NotSigning, a.Cause)
		}
	}
}

// headersFile holds the signed headers of a window up to a height.
func (o *Observer) headersFile(height int64) evidence {
	type shown struct {
		Height int64  `json:"height"`
		Node   string `json:"node"`
		State  []byte `json:"certified_state"` // canonical CertifiedState with this header
	}
	var list []shown
	for at := height - int64(o.s.Limits.Window); at < height; at++ {
		if s := o.seen[at]; s != nil {
			list = append(list, shown{at + 1, s.node.address, election.Encode(s.first.Evidence().State)})
		}
	}
	return jsonFile("headers", list)
}

// Failed says whether an alarm stands that is a failed verification.
func (o *Observer) Failed() error {
	var list []string
	for _, a := range o.Alarms() {
		if a.Stands() && a.Kind.Failed() {
			list = append(list, string(a.Kind))
		}
	}
	if len(list) == 0 {
		return nil
	}
	return fmt.Errorf("%w: alarms stand: %s; they and their evidence are in the folder %s", client.ErrVerification, strings.Join(list, ", "), o.s.Folder)
}
