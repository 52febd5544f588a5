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
	// voterFaults is how many bad proofs of a voter are verified within markLife heights; then the voter waits.
	voterFaults = 4
	// blamedVoters bounds the voters who are remembered for bad proofs.
	blamedVoters = 4_096
)

// marks remembers, for some heights, which sources brought a ballot with a bad signature or proof, and which voters signed bad proofs, so
// that a bad ballot costs whom it came from, and not those who share its batch. What marked sources bring is verified apart. Peers are
// one source: an honest one gives nothing that it has not verified itself.
//
// A voter is remembered only where the voter's own signature held over a proof that does not, and each such ballot counts once: nobody
// can bring another voter into the table, by sending whatever, or the same again. A name is forgotten when its mark is. The methods
// are safe for concurrent use.
type marks struct {
	mu      sync.Mutex
	sources map[string]int64 // of clients: height of the newest bad ballot
	peers   int64            // height of the newest bad ballot that a peer brought, -1 where none is remembered
	voters  map[string][]fault
}

// fault is a ballot with a bad proof that its voter signed.
type fault struct {
	hash   [32]byte
	height int64 // of the state against which it was verified
}

func newMarks() *marks {
	return &marks{sources: map[string]int64{}, peers: -1, voters: map[string][]fault{}}
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

// blame remembers a bad proof that its voter signed, while there is room: were unknown voters refused where there is none, a few
// dishonest ones could keep all others away.
func (m *marks) blame(voter string, hash [32]byte, height int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := m.voters[voter]
	for _, f := range list {
		if f.hash == hash {
			return
		}
	}
	if len(list) < voterFaults && (len(list) > 0 || len(m.voters) < blamedVoters) {
		m.voters[voter] = append(list, fault{hash, height})
	}
}

// refuse says whether a ballot is refused before its proof is verified: one whose proof is known not to hold, and any of a voter who signed
// too many such.
func (m *marks) refuse(voter string, hash [32]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := m.voters[voter]
	for _, f := range list {
		if f.hash == hash {
			return tx.Refuse(tx.CodeBadProof, "its proof was found not to hold at height %d", f.height)
		}
	}
	if len(list) >= voterFaults {
		return tx.Refuse(tx.CodeRetryLater, "this voter signed %d ballots with bad proofs within %d heights", voterFaults, markLife)
	}
	return nil
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
	for voter, list := range m.voters {
		for len(list) > 0 && over(list[0].height) {
			list = list[1:]
		}
		if m.voters[voter] = list; len(list) == 0 {
			delete(m.voters, voter)
		}
	}
}
