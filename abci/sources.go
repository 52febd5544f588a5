package abci

import (
	"container/list"
	"sync"
	"time"

	"votenode/app/tx"
)

// Bounds of what waits for the verifier.
const (
	// clientCount bounds the transactions that clients submitted here, clientBytes their bytes: eight batches, or one request of the most that
	// a gateway takes, which fills half. What waited longer than a client does would be verified in vain.
	clientCount = 4_096
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

	reading <-chan reply // the other end of answer

	// What the verifier finds.
	parsed   *tx.Parsed
	verified *tx.Verified // where it was found right, now or before
	waits    bool         // in the pool already
	checked  int64        // height of the state that took it; -1 where none was asked
	err      error        // a *tx.Refusal, or the node's own fault
}

// local says whether a client submitted it here.
func (s *submission) local() bool { return s.answer != nil }

// isBallot says whether it decodes and casts a ballot or an open choice.
func (s *submission) isBallot() bool { return s.parsed != nil && s.parsed.Kind().Casts() }

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
	turns   *list.List    // in which it stands while it is not empty: those of sources, or of marked ones
	place   *list.Element // in turns
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
// are served in turn, one transaction each, so that one with thousands waiting delays nobody else by more than a round; peers have three
// quarters of a batch and clients one, and what the other does not use. A client's line is never longer than what is free: one alone
// fills half of the queue, and whoever comes finds room. A line is forgotten when it is empty.
//
// Of marked sources a batch has no more than markedCount, so that those who come meanwhile do not wait long for its end; and of these
// only an eighth of the clients' part is certain where others have enough waiting. Its methods are safe for concurrent use.
type sources struct {
	arrived chan struct{} // holds a token where something may have come since the verifier looked
	marked  func(source string) bool

	mu    sync.Mutex
	lines map[string]*line // of clients, none is empty
	turn  *list.List       // of *line, by whose turn it is: those of sources that were not marked when they were put there
	apart *list.List       // of *line, the same of marked ones
	count int              // of all lines of clients
	bytes int
	peers line
}

// newSources returns an empty queue; marked says which sources are marked.
func newSources(marked func(source string) bool) *sources {
	return &sources{arrived: make(chan struct{}, 1), marked: marked, lines: map[string]*line{}, turn: list.New(), apart: list.New()}
}

// queue puts a line that is not empty behind the others.
func (q *sources) queue(l *line) {
	if l.turns = q.turn; q.marked(l.name) {
		l.turns = q.apart
	}
	l.place = l.turns.PushBack(l)
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
		q.queue(l)
	}
	answer := make(chan reply, 1)
	l.push(submission{raw: raw, hash: hash, source: source, answer: answer, reading: answer})
	q.count, q.bytes = q.count+1, q.bytes+len(raw)
	q.signal()
	return answer
}

// withdraw takes what still waits of a client out of the line again, by the channels of the answers, and returns which of them nobody will
// send on.
func (q *sources) withdraw(source string, answers map[<-chan reply]bool) (withdrawn map[<-chan reply]bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lines[source]
	if l == nil {
		return nil
	}
	withdrawn = map[<-chan reply]bool{}
	rest := make([]submission, 0, len(l.waiting))
	for _, s := range l.waiting {
		if answers[s.reading] {
			withdrawn[s.reading] = true
			l.bytes, q.count, q.bytes = l.bytes-len(s.raw), q.count-1, q.bytes-len(s.raw)
		} else {
			rest = append(rest, s)
		}
	}
	if l.waiting = rest; len(rest) == 0 {
		l.turns.Remove(l.place)
		delete(q.lines, source)
	}
	return withdrawn
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

// sizes returns how many transactions of clients and of peers wait.
func (q *sources) sizes() (clients, peers int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count, len(q.peers.waiting)
}

// roomy says whether a client who has nothing waiting would find room for a ballot of any size.
func (q *sources) roomy() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count < clientCount && q.bytes+ballotBytes <= clientBytes
}

const (
	// markedCount is how many transactions of marked clients a batch has at most.
	markedCount = 64
	// clientsShare is the part of a batch, one in so many, that is the clients' where peers have more waiting than the rest. Most of what a
	// network takes in comes from peers, has been promised there, and will stand in a block: what was not looked at by then holds the block up.
	clientsShare = 4
)

// take takes the next n transactions: those of clients, one of each line in turn, first of sources that are not marked; and behind them
// those of peers. Of whoever has enough waiting, clients have at least a quarter and peers three.
func (q *sources) take(n int) []submission {
	q.mu.Lock()
	defer q.mu.Unlock()
	fromPeers := min(len(q.peers.waiting), max(n-n/clientsShare, n-q.count))
	fromClients := min(q.count, n-fromPeers)
	batch := make([]submission, 0, fromClients+fromPeers)
	for len(batch) < fromClients-fromClients/8 && q.turn.Len() > 0 {
		batch = append(batch, q.serve(q.turn))
	}
	for marked := 0; len(batch) < fromClients && marked < markedCount && q.apart.Len() > 0; marked++ {
		batch = append(batch, q.serve(q.apart))
	}
	for len(batch) < fromClients && q.turn.Len() > 0 {
		batch = append(batch, q.serve(q.turn))
	}
	for range fromPeers {
		batch = append(batch, q.peers.pop())
	}
	if q.count+len(q.peers.waiting) > 0 {
		q.signal()
	}
	return batch
}

// serve takes one transaction of the line whose turn it is.
func (q *sources) serve(turns *list.List) submission {
	l := turns.Remove(turns.Front()).(*line)
	s := l.pop()
	if q.count, q.bytes = q.count-1, q.bytes-len(s.raw); len(l.waiting) > 0 {
		q.queue(l)
	} else {
		delete(q.lines, l.name)
	}
	return s
}
