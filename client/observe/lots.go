package observe

import (
	"context"
	"fmt"
	"time"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/client"
	pb "votenode/proto/votenode/v1"
)

// lot raises an alarm for each organisation whose turn it is to reveal its secret for the lot of an election, where a list waits for the lot and the
// deadline is over. It goes by the newest state of all only: in an older one the secret may be missing that has come since.
func (o *Observer) lot(ctx context.Context, n *node, v *client.View, id string) error {
	lot, err := client.Load[pb.Lot](ctx, v, state.LotKey(id))
	if err != nil {
		return at("record", err)
	}
	if lot == nil {
		return nil
	}
	waits, err := waitsForLot(ctx, v, id, lot)
	if err != nil {
		return at("record", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if v.Height() < o.anchor.Height() {
		return nil
	}
	for i := range lot.Parts {
		part := &lot.Parts[i]
		cause := id + " " + part.Organisation
		if !waits || len(part.Secret) > 0 || !election.LotTurn(lot, part) {
			o.end(LotSecret, cause)
			continue
		}
		text := fmt.Sprintf("%s has not revealed its secret for round %d of the lot of election %s, which was due at %s, and a list waits for it",
			part.Organisation, lot.Round, id, time.Unix(lot.Deadline, 0).UTC().Format(time.RFC3339))
		o.raise(LotSecret, cause, nil, text, n.heard)
	}
	return nil
}

// waitsForLot says whether a list of an election waits for the lot behind the deadline of its present round.
func waitsForLot(ctx context.Context, v *client.View, id string, lot *pb.Lot) (bool, error) {
	if !lot.Fixed || v.Time().Unix() < lot.Deadline {
		return false, nil
	}
	e, err := client.LoadElection(ctx, v, id)
	if err != nil || e.Phase != pb.PHASE_DECRYPTING {
		return false, err
	}
	queue, err := client.Load[pb.ListQueue](ctx, v, state.ListQueueKey(id))
	return queue != nil && len(queue.Tied) > 0, err
}
