package abci

import (
	"container/list"
	"sync"
	"time"

	"votenode/app/tx"
)

// Bounds of what waits for the verifier.
const (
	// clientCount bounds the transactions that clients submitted here, clientBytes their bytes.
	clientCount = 16_384
	clientBytes = 64 << 20
	// inboxCount bounds the transactions that peers have sent, inboxBytes their bytes.
	inboxCount = 50_000
	inboxBytes = 64 << 20
)

// submission is a transaction on its way to the pool.
type submission struct {
	raw    []byte
	hash   [32]byte
	source string       // of a client; nothing of peers
	answer chan<- reply // nil where a peer brought it

	// What the verifier finds.
	parsed   *tx.Parsed
	verified *tx.Verified // where it was found right, now or before
	waits    bool         // in the pool already
	checked  int64        // height of the state that took it; -1 where none was asked
	err      error        // a *tx.Refusal, or the node's own fault
}

// local says whether a client submitted it here.
func (s *submission) local() bool { return s.answer != nil }

// isBallot says whether it decodes and casts a ballot.
func (s *submission) isBallot() bool { return s.parsed != nil && s.parsed.Kind() == tx.KindCastBallot }

// reply is what came of a submission: at most one of its fields is set, but for a ballot that waits, which has promised.
type reply struct {
	err      error // a *tx.Refusal, or the node's own fault
	promised promised
}

// line is what waits of one source, in order of arrival.
type line struct {
	name    string
	waiting []submission
	bytes   int
}

func (l *line) push(s submission) {
	l.waiting = append(l.waiting, s)
	l.bytes += len(s.raw)
}

func (l *line) pop() submission {
	s := l.waiting[0]
	l.waiting[0] = submission{}
	l.waiting = l.waiting[1:]
	l.bytes -= len(s.raw)
	return s
}

// sources is the queue before the verifier. Every client address has a line of its own, and what peers bring has one. The lines of clients
// are served in turn, one transaction each, so that one with thousands waiting delays nobody else by more than a round; peers and
// clients have half of a batch each, and what the other does not use. A client's line is never longer than what is free: one alone
// fills half of the queue, and whoever comes finds room. A line is forgotten when it is empty. Its methods are safe for concurrent use.
type sources struct {
	arrived chan struct{} // holds a token where something may have come since the verifier looked

	mu    sync.Mutex
	lines map[string]*line // of clients, none is empty
	turn  *list.List       // of *line: the same, by whose turn it is
	count int              // of all lines of clients
	bytes int
	peers line
}

func newSources() *sources {
	return &sources{arrived: make(chan struct{}, 1), lines: map[string]*line{}, turn: list.New()}
}

// errFull is the answer where there is no room in the queue.
var errFull = tx.Refuse(tx.CodeRetryLater, "more transactions wait to be verified than this node takes, or than it takes from one address")

// submit puts a client's transaction at the end of the client's line. It returns nil where there is no room for it.
func (q *sources) submit(source string, raw []byte, hash [32]byte) <-chan reply {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lines[source]
	if l == nil {
		l = &line{name: source}
	}
	if len(l.waiting)+1 > clientCount-q.count || l.bytes+len(raw) > clientBytes-q.bytes {
		return nil
	}
	if len(l.waiting) == 0 {
		q.lines[source] = l
		q.turn.PushBack(l)
	}
	answer := make(chan reply, 1)
	l.push(submission{raw: raw, hash: hash, source: source, answer: answer})
	q.count, q.bytes = q.count+1, q.bytes+len(raw)
	q.signal()
	return answer
}

// receive queues a peer's transaction and says whether there was room.
func (q *sources) receive(raw []byte) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.peers.waiting) >= inboxCount || q.peers.bytes+len(raw) > inboxBytes {
		return false
	}
	q.peers.push(submission{raw: raw})
	q.signal()
	return true
}

func (q *sources) signal() {
	select {
	case q.arrived <- struct{}{}:
	default:
	}
}

// await returns when something waits, and has grown for a moment; or with false when the node stops.
func (q *sources) await(stopping <-chan struct{}) bool {
	select {
	case <-stopping:
		return false
	case <-q.arrived:
	}
	deadline := time.NewTimer(batchWait)
	defer deadline.Stop()
	for q.waiting() < batchCount {
		select {
		case <-stopping:
			return false
		case <-q.arrived:
		case <-deadline.C:
			return true
		}
	}
	return true
}

// waiting returns how many transactions wait.
func (q *sources) waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count + len(q.peers.waiting)
}

// take takes the next n transactions: those of clients, one of each line in turn, and behind them those of peers. Of whoever has enough
// waiting at least half are taken.
func (q *sources) take(n int) []submission {
	q.mu.Lock()
	defer q.mu.Unlock()
	fromPeers := min(len(q.peers.waiting), max((n+1)/2, n-q.count))
	fromClients := min(q.count, n-fromPeers)
	batch := make([]submission, 0, fromClients+fromPeers)
	for range fromClients {
		next := q.turn.Front()
		l := next.Value.(*line)
		batch = append(batch, l.pop())
		if q.turn.MoveToBack(next); len(l.waiting) == 0 {
			q.turn.Remove(next)
			delete(q.lines, l.name)
		}
	}
	for _, s := range batch {
		q.count, q.bytes = q.count-1, q.bytes-len(s.raw)
	}
	for range fromPeers {
		batch = append(batch, q.peers.pop())
	}
	if q.count+len(q.peers.waiting) > 0 {
		q.signal()
	}
	return batch
}
