package abci

import (
	"cmp"
	"container/list"
	"fmt"
	"slices"
	"sync"

	"votenode/app/tx"
)

// PoolLimits bound the transactions that wait for a block.
type PoolLimits struct {
	// Bytes of memory that all transactions together take, which is several times their own bytes.
	Bytes int
	// Count of transactions.
	Count int
	// PerVoter is how many transactions of one entry of a roll may wait.
	PerVoter int
	// PerSigner is how many transactions of any other signer may wait.
	PerSigner int
}

// DefaultPoolLimits are the limits of a node that says nothing else: half a minute of full blocks.
func DefaultPoolLimits() PoolLimits {
	return PoolLimits{Bytes: 1 << 30, Count: 200_000, PerVoter: 2, PerSigner: 64}
}

const (
	// offerAgain is after how many heights a transaction that arrived here is offered to the peers again: it may have been
	// lost on the way, or with the pool of a peer that was restarted.
	offerAgain = 20
	// poolLife is how many heights a transaction may wait for a block. A transaction that arrived here is then reported as
	// given up, see Results.
	poolLife = 600
	// memberShare is the part of the pool, one in so many, that transactions about initiatives have at most, and of what a block has room
	// for (docs/spec section 20.5).
	memberShare = 8
)

// waiting is a verified transaction on its way into a block.
type waiting struct {
	verified *tx.Verified
	owner    string
	voter    bool          // a voter signed it
	ballot   bool          // it casts a ballot
	member   bool          // it is about initiatives
	sequence uint64        // of the ballot
	arrived  int64         // newest height at arrival
	local    bool          // it arrived here, not from a peer
	offered  int64         // newest height when the peers were given it last
	queue    *list.List    // fresh or given where local, else nil
	place    *list.Element // in queue
	element  *list.Element // in order
	promise  *list.Element // in promised, nil where this node has not promised it
	due      int64         // height by which it is promised
}

func (w *waiting) size() int { return len(w.verified.Parsed().Raw()) }

// memory is what it takes of the pool's bound.
func (w *waiting) memory() int { return memoryOf(w.verified) }

func (w *waiting) units() uint64 { return w.verified.Parsed().Units() }

// pool holds verified transactions in order of arrival. Its methods are safe for concurrent use, and hold its lock for a few
// map operations a transaction.
type pool struct {
	limits PoolLimits

	mu     sync.Mutex
	order  *list.List // of *waiting, by arrival
	fresh  *list.List // of *waiting that the peers were not given yet, by arrival
	given  *list.List // of *waiting that the peers were given, by the height of that
	byHash map[[32]byte]*waiting
	owners map[string][]*waiting // by owner, in order of arrival
	bytes  int                   // of the transactions
	memory int                   // that they take

	members struct{ count, memory int } // of those that are about initiatives

	promised      *list.List // of *waiting that this node has promised, in that order
	promisedBytes int
	promisedUnits uint64
	proposed      int64 // greatest height for which this node has begun a proposal, or may have before it was started
}

// newPool returns an empty pool of a node that may have proposed a block of a height.
func newPool(limits PoolLimits, proposed int64) *pool {
	return &pool{
		limits: limits, order: list.New(), fresh: list.New(), given: list.New(), promised: list.New(),
		byHash: map[[32]byte]*waiting{}, owners: map[string][]*waiting{}, proposed: proposed,
	}
}

// owner names whose share of the pool a transaction takes: the entry of the roll where a voter signs, else the signer's key. What is about
// initiatives has another share than the same voter's ballots.
func owner(p *tx.Parsed) (name string, voter bool) {
	election, index, voter := p.Voter()
	switch {
	case !voter:
		return string(p.Signer()), false
	case p.Kind().FromMember():
		return fmt.Sprintf("member/%s/%d", election, index), true
	}
	return fmt.Sprintf("%s/%d", election, index), true
}

// get returns a waiting transaction, nil where it does not wait.
func (p *pool) get(hash [32]byte) *tx.Verified {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w := p.byHash[hash]; w != nil {
		return w.verified
	}
	return nil
}

// add takes a transaction in and says whether it waits now; false means that the pool, or the owner's share of it, is full. A ballot
// takes the place of ballots of the same voter with lower numbers, whose hashes are returned; those that this node has promised
// wait beside it.
func (p *pool) add(v *tx.Verified, local bool, height int64) (ok bool, replaced [][32]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.byHash[v.Parsed().Hash()]
	if w == nil {
		w = newWaiting(v, height)
		lower := p.lower(w)
		if !p.fits(w, lower) {
			return false, nil
		}
		for _, l := range lower {
			replaced = append(replaced, l.verified.Parsed().Hash())
			p.drop(l)
		}
		p.insert(w)
	}
	if local {
		p.toPeers(w)
	}
	return true, replaced
}

// addOwn takes in what this node has made itself, one small transaction at a time, though the pool be full.
func (p *pool) addOwn(v *tx.Verified, height int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.byHash[v.Parsed().Hash()]
	if w == nil {
		w = newWaiting(v, height)
		p.insert(w)
	}
	p.toPeers(w)
}

func (p *pool) insert(w *waiting) {
	w.element = p.order.PushBack(w)
	p.byHash[w.verified.Parsed().Hash()] = w
	p.owners[w.owner] = append(p.owners[w.owner], w)
	p.bytes += w.size()
	p.memory += w.memory()
	if w.member {
		p.members.count++
		p.members.memory += w.memory()
	}
}

// toPeers has a transaction offered to the peers, as what arrived here is.
func (p *pool) toPeers(w *waiting) {
	if !w.local {
		w.local = true
		w.moveTo(p.fresh)
	}
}

func newWaiting(v *tx.Verified, height int64) *waiting {
	w := &waiting{verified: v, arrived: height}
	w.owner, w.voter = owner(v.Parsed())
	if c := v.Parsed().Cast(); c != nil {
		w.ballot, w.sequence = true, c.Sequence
	}
	w.member = v.Parsed().Kind().FromMember()
	return w
}

// lower returns the ballots in the place of which another one comes.
func (p *pool) lower(w *waiting) (list []*waiting) {
	for _, other := range p.owners[w.owner] {
		if w.ballot && other.ballot && other.sequence < w.sequence && other.promise == nil {
			list = append(list, other)
		}
	}
	return list
}

// fits says whether there is room for a transaction once others are dropped.
func (p *pool) fits(w *waiting, dropped []*waiting) bool {
	memory := p.memory + w.memory()
	for _, d := range dropped {
		memory -= d.memory()
	}
	if w.member && (p.members.memory+w.memory() > p.limits.Bytes/memberShare || p.members.count >= p.limits.Count/memberShare) {
		return false
	}
	share := p.limits.PerSigner
	if w.voter {
		share = p.limits.PerVoter
	}
	return memory <= p.limits.Bytes && p.order.Len()-len(dropped) < p.limits.Count && len(p.owners[w.owner])-len(dropped) < share
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

// remove drops transactions, waiting or not, and returns the hashes of those that were promised.
func (p *pool) remove(hashes ...[32]byte) (promised [][32]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range hashes {
		w := p.byHash[h]
		if w == nil {
			continue
		}
		if w.promise != nil {
			promised = append(promised, h)
		}
		p.drop(w)
	}
	return promised
}

func (p *pool) drop(w *waiting) {
	p.settle(w)
	p.order.Remove(w.element)
	w.moveTo(nil)
	delete(p.byHash, w.verified.Parsed().Hash())
	p.bytes -= w.size()
	p.memory -= w.memory()
	if w.member {
		p.members.count--
		p.members.memory -= w.memory()
	}
	rest := slices.DeleteFunc(p.owners[w.owner], func(other *waiting) bool { return other == w })
	if p.owners[w.owner] = rest; len(rest) == 0 {
		delete(p.owners, w.owner)
	}
}

// expire drops what has waited for more than poolLife heights and was not promised, and returns the hashes of what arrived here.
func (p *pool) expire(height int64) [][32]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	var given [][32]byte
	for e := p.order.Front(); e != nil; {
		w := e.Value.(*waiting)
		if w.arrived >= height-poolLife {
			break
		}
		e = e.Next()
		if w.promise != nil {
			continue
		}
		if w.local {
			given = append(given, w.verified.Parsed().Hash())
		}
		p.drop(w)
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

// propose begins a proposal of a height: from now on nothing is promised with a lower height of issue. It returns what waits: first the
// ballots of the voters to whom one was promised, in the order of the promises, each voter's by descending number; then the
// transactions of officers, registrars and trustees, who are few and bounded, so that a queue of ballots never keeps a resolution
// waiting; then the other voters'; each in order of arrival, but a voter's ballots together, by descending number. What is about
// initiatives is not among them, see fromMembers.
func (p *pool) propose(height int64) (promised, others []*tx.Verified) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.proposed = max(p.proposed, height)
	first := map[string]bool{}
	for e := p.promised.Front(); e != nil; e = e.Next() {
		w := e.Value.(*waiting)
		if !first[w.owner] {
			first[w.owner] = true
			promised = append(promised, p.ballots(w.owner)...)
		}
	}
	others = make([]*tx.Verified, 0, p.order.Len())
	var voters []*tx.Verified
	for e := p.order.Front(); e != nil; e = e.Next() {
		switch w := e.Value.(*waiting); {
		case w.member:
		case !w.voter:
			others = append(others, w.verified)
		case !w.ballot, len(p.owners[w.owner]) == 1 && w.promise == nil: // of most voters one waits
			voters = append(voters, w.verified)
		case !first[w.owner]:
			first[w.owner] = true
			voters = append(voters, p.ballots(w.owner)...)
		}
	}
	return promised, append(others, voters...)
}

// fromMembers returns what waits and is about initiatives, in order of arrival.
func (p *pool) fromMembers() []*tx.Verified {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.members.count == 0 {
		return nil
	}
	list := make([]*tx.Verified, 0, p.members.count)
	for e := p.order.Front(); e != nil; e = e.Next() {
		if w := e.Value.(*waiting); w.member {
			list = append(list, w.verified)
		}
	}
	return list
}

// ballots returns a voter's ballots by descending number.
func (p *pool) ballots(owner string) []*tx.Verified {
	list := slices.DeleteFunc(slices.Clone(p.owners[owner]), func(w *waiting) bool { return !w.ballot })
	slices.SortStableFunc(list, func(a, b *waiting) int { return cmp.Compare(b.sequence, a.sequence) })
	ballots := make([]*tx.Verified, len(list))
	for i, w := range list {
		ballots[i] = w.verified
	}
	return ballots
}

// size returns how many transactions wait, and their bytes.
func (p *pool) size() (count, bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.order.Len(), p.bytes
}

// ballotBytes is the limit of a ballot that genesis recommends.
const ballotBytes = 16 << 10

// roomy says whether the pool has room for one more ballot of any size.
func (p *pool) roomy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.order.Len() < p.limits.Count && p.memory+ballotMemory*ballotBytes+memoryOverhead <= p.limits.Bytes
}

// MemoryBound is what an application with these limits holds at most of transactions that are not in blocks, bytes: what waits for the
// verifier and the batch that it has in hand, what waits for a block, and what is remembered to be right; but for its own report.
func (l PoolLimits) MemoryBound() int64 {
	const queues = clientBytes + inboxBytes + (clientCount+inboxCount+batchCount)*memoryOverhead
	return queues + ballotMemory*batchCount*ballotBytes + int64(l.Bytes) + verdictBytes
}
