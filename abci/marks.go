package abci

import (
	"sync"

	"votenode/app/tx"
)

const (
	// markLife is for how many heights a bad ballot is held against who brought it, and a bad proof against the voter who signed it.
	markLife = 100
	// markedSources bounds the clients that are marked at one time.
	markedSources = 4_096
	// barredVoters bounds the voters who are remembered for a bad proof, each with some 150 bytes.
	barredVoters = 65_536
)

// marks remembers, for some heights, which sources brought a ballot with a bad signature or proof, and which voters signed bad proofs, so
// that a bad ballot costs whom it came from, and not those who share its batch. What marked sources bring is verified apart. Peers are
// one source: an honest one gives nothing that it has not verified itself.
//
// A voter is barred only where the voter's own signature held over a proof that does not: nobody can bring another voter into the table, by
// sending whatever. A name is forgotten when its mark is. The methods are safe for concurrent use.
type marks struct {
	mu      sync.Mutex
	sources map[string]int64 // of clients: height of the newest bad ballot
	peers   int64            // height of the newest bad ballot that a peer brought, -1 where none is remembered
	voters  map[string]fault
}

// fault is a ballot with a bad proof that its voter signed.
type fault struct {
	hash   [32]byte
	height int64 // of the state against which it was verified
}

func newMarks() *marks {
	return &marks{sources: map[string]int64{}, peers: -1, voters: map[string]fault{}}
}

// has says whether a client is marked. While the table is full every one counts as marked: whoever has so many addresses has more, and each
// unknown one would be good for one more bad ballot among the honest. Then each ballot costs the check of its signature more, which is
// little and does not grow.
func (m *marks) has(source string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.hasSource(source)
}

func (m *marks) hasSource(source string) bool {
	_, known := m.sources[source]
	return known || len(m.sources) >= markedSources
}

// split divides a batch, in order, into what is verified together and what comes from marked sources.
func (m *marks) split(batch []submission) (together, apart []submission) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range batch {
		marked := m.peers >= 0
		if s.local() {
			marked = m.hasSource(s.source)
		}
		if marked {
			apart = append(apart, s)
		} else {
			together = append(together, s)
		}
	}
	return together, apart
}

// mark marks the source of a bad ballot.
func (m *marks) mark(s *submission, height int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !s.local() {
		m.peers = height
		return
	}
	if _, known := m.sources[s.source]; known || len(m.sources) < markedSources {
		m.sources[s.source] = height
	}
}

// bar remembers a bad proof that its voter signed, while there is room: were unknown voters refused where there is none, a few
// dishonest ones could keep all others away. Of those found together the last counts.
func (m *marks) bar(voter string, hash [32]byte, height int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.voters[voter]; known || len(m.voters) < barredVoters {
		m.voters[voter] = fault{hash, height}
	}
}

// refuse says whether a ballot is refused before its proof is verified: that of a voter who has signed a bad one.
func (m *marks) refuse(voter string, hash [32]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, barred := m.voters[voter]
	switch {
	case !barred:
		return nil
	case f.hash == hash:
		return tx.Refuse(tx.CodeBadProof, "its proof was found not to hold at height %d", f.height)
	}
	return tx.Refuse(tx.CodeRetryLater, "this voter signed a ballot with a bad proof, and waits until height %d", f.height+markLife)
}

// expire forgets what is older than markLife.
func (m *marks) expire(height int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	over := func(at int64) bool { return at <= height-markLife }
	for source, at := range m.sources {
		if over(at) {
			delete(m.sources, source)
		}
	}
	if over(m.peers) {
		m.peers = -1
	}
	for voter, f := range m.voters {
		if over(f.height) {
			delete(m.voters, voter)
		}
	}
}
