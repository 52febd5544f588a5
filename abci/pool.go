package abci

import (
	"container/list"
	"fmt"
	"sync"

	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// PoolLimits bound the transactions that wait for a block.
type PoolLimits struct {
	// Bytes of all transactions together.
	Bytes int
	// Count of transactions.
	Count int
	// PerVoter is how many transactions of one entry of a roll may wait.
	PerVoter int
	// PerSigner is how many transactions of any other signer may wait.
	PerSigner int
}

// DefaultPoolLimits are the limits of a node that says nothing else: about a minute of full blocks.
func DefaultPoolLimits() PoolLimits {
	return PoolLimits{Bytes: 256 << 20, Count: 200_000, PerVoter: 2, PerSigner: 64}
}

const (
	// offerAgain is after how many heights a transaction that arrived here is offered to the peers again: it may have been
	// lost on the way, or with the pool of a peer that was restarted.
	offerAgain = 20
	// poolLife is how many heights a transaction may wait for a block. A transaction that arrived here is then reported as
	// given up, see Results.
	poolLife = 600
)

// waiting is a verified transaction on its way into a block.
type waiting struct {
	verified *tx.Verified
	owner    string
	voter    bool          // a voter signed it
	arrived  int64         // newest height at arrival
	local    bool          // it arrived here, not from a peer
	offered  int64         // newest height when the peers were given it last
	queue    *list.List    // fresh or given where local, else nil
	place    *list.Element // in queue
}

// pool holds verified transactions in order of arrival. Its methods are safe for concurrent use, and hold its lock for a few
// map operations a transaction.
type pool struct {
	limits PoolLimits

	mu     sync.Mutex
	order  *list.List // of *waiting, by arrival
	fresh  *list.List // of *waiting that the peers were not given yet, by arrival
	given  *list.List // of *waiting that the peers were given, by the height of that
	byHash map[[32]byte]*list.Element
	owners map[string]int // transactions by owner
	bytes  int
}

func newPool(limits PoolLimits) *pool {
	return &pool{
		limits: limits, order: list.New(), fresh: list.New(), given: list.New(),
		byHash: map[[32]byte]*list.Element{}, owners: map[string]int{},
	}
}

// owner names whose share of the pool a transaction takes: the entry of the roll where a voter signs, else the signer's key.
func owner(p *tx.Parsed) (name string, voter bool) {
	switch m := p.Body().(type) {
	case *pb.CastBallot:
		return fmt.Sprintf("%s/%d", m.Election, m.RollIndex), true
	case *pb.SpoilBallot:
		return fmt.Sprintf("%s/%d", m.Election, m.RollIndex), true
	}
	return string(p.Signer()), false
}

// get returns a waiting transaction, nil where it does not wait.
func (p *pool) get(hash [32]byte) *tx.Verified {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.byHash[hash]; e != nil {
		return e.Value.(*waiting).verified
	}
	return nil
}

// add takes a transaction in and says whether it waits now; false means that the pool, or the owner's share of it, is full.
func (p *pool) add(v *tx.Verified, local bool, height int64) bool {
	name, voter := owner(v.Parsed())
	share := p.limits.PerSigner
	if voter {
		share = p.limits.PerVoter
	}
	size := len(v.Parsed().Raw())
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.byHash[v.Parsed().Hash()]
	if e == nil {
		if p.bytes+size > p.limits.Bytes || p.order.Len() >= p.limits.Count || p.owners[name] >= share {
			return false
		}
		e = p.order.PushBack(&waiting{verified: v, owner: name, voter: voter, arrived: height})
		p.byHash[v.Parsed().Hash()] = e
		p.owners[name]++
		p.bytes += size
	}
	if w := e.Value.(*waiting); local && !w.local {
		w.local = true
		w.moveTo(p.fresh)
	}
	return true
}

// moveTo puts a transaction behind the others of a queue, and takes it out of the one where it was.
func (w *waiting) moveTo(queue *list.List) {
	if w.queue != nil {
		w.queue.Remove(w.place)
	}
	if w.queue = queue; queue != nil {
		w.place = queue.PushBack(w)
	}
}

// remove drops transactions, waiting or not.
func (p *pool) remove(hashes ...[32]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range hashes {
		if e := p.byHash[h]; e != nil {
			p.drop(e)
		}
	}
}

func (p *pool) drop(e *list.Element) {
	w := p.order.Remove(e).(*waiting)
	w.moveTo(nil)
	parsed := w.verified.Parsed()
	delete(p.byHash, parsed.Hash())
	p.bytes -= len(parsed.Raw())
	if p.owners[w.owner]--; p.owners[w.owner] == 0 {
		delete(p.owners, w.owner)
	}
}

// expire drops what has waited for more than poolLife heights, and returns the hashes of what arrived here.
func (p *pool) expire(height int64) [][32]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	var given [][32]byte
	for e := p.order.Front(); e != nil && e.Value.(*waiting).arrived < height-poolLife; e = p.order.Front() {
		if w := e.Value.(*waiting); w.local {
			given = append(given, w.verified.Parsed().Hash())
		}
		p.drop(e)
	}
	return given
}

// offer returns transactions that arrived here and that the peers have not been given for offerAgain heights, and marks them
// as given. They have at most maxBytes together, but for the first; 0 means no limit.
func (p *pool) offer(height int64, maxBytes uint64) [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	var txs [][]byte
	var bytes uint64
	take := func(w *waiting) bool {
		raw := w.verified.Parsed().Raw()
		if bytes += uint64(len(raw)); maxBytes > 0 && bytes > maxBytes && len(txs) > 0 {
			return false
		}
		txs = append(txs, raw)
		w.offered = height
		w.moveTo(p.given)
		return true
	}
	for e := p.fresh.Front(); e != nil; e = p.fresh.Front() {
		if !take(e.Value.(*waiting)) {
			return txs
		}
	}
	for e := p.given.Front(); e != nil && e.Value.(*waiting).offered+offerAgain <= height; e = p.given.Front() {
		if !take(e.Value.(*waiting)) {
			return txs
		}
	}
	return txs
}

// snapshot returns all waiting transactions: first those of officers, registrars and trustees, who are few and bounded, so that a
// queue of ballots never keeps a resolution waiting, then the voters'; each in order of arrival.
func (p *pool) snapshot() []*tx.Verified {
	p.mu.Lock()
	defer p.mu.Unlock()
	first := make([]*tx.Verified, 0, p.order.Len())
	var voters []*tx.Verified
	for e := p.order.Front(); e != nil; e = e.Next() {
		if w := e.Value.(*waiting); w.voter {
			voters = append(voters, w.verified)
		} else {
			first = append(first, w.verified)
		}
	}
	return append(first, voters...)
}

// size returns how many transactions wait, and their bytes.
func (p *pool) size() (count, bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.order.Len(), p.bytes
}
