package bench

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"votenode/app/tx"
	"votenode/client"
	"votenode/crypto/ballot"
	"votenode/internal/forge"
	"votenode/internal/parallel"
	pb "votenode/proto/votenode/v1"
)

// HonestReport is what honest voters had, who bring one ballot at a time at a modest rate.
type HonestReport struct {
	// Rate of ballots that were brought, a second; Accepted and Recorded of them.
	Rate              float64  `json:"rate"`
	AcceptedPerSecond float64  `json:"accepted_per_second"`
	RecordedPerSecond float64  `json:"recorded_per_second"`
	SlipMS            Delays   `json:"slip_ms"`
	LedgerMS          Delays   `json:"ledger_ms"`
	LongestPauseMS    float64  `json:"longest_pause_ms"`
	Accounts          Accounts `json:"accounts"`
}

// String shows it to a person.
func (h *HonestReport) String() string {
	return fmt.Sprintf("of %.0f honest ballots a second %.1f accepted, %.1f recorded; to the slip p50 %.0f ms, p99 %.0f ms; longest pause %.0f ms",
		h.Rate, h.AcceptedPerSecond, h.RecordedPerSecond, h.SlipMS.P50, h.SlipMS.P99, h.LongestPauseMS)
}

// FloodReport is a flood, and what honest voters had meanwhile.
type FloodReport struct {
	Name string `json:"name"`
	HonestReport
	// FloodRate was to be offered, requests or ballots a second, Offered was; Share is the part.
	FloodRate int     `json:"flood_rate"`
	Offered   float64 `json:"flood_offered_per_second"`
	Share     float64 `json:"flood_share_offered"`
	// Answers by code.
	Answers  map[string]uint64 `json:"flood_answers"`
	AnswerMS Delays            `json:"flood_answer_ms"`
}

// honestClients bring ballots beside a flood, one each at a time: so many that the rate is held where an answer takes a second.
const honestClients = 256

// flood is one kind of flood.
type flood struct {
	name  string
	batch int
	// impatience is that of clients: how many requests each makes before the first is answered.
	impatience int
	targets    []target
	from       supply
	// polls says that nothing but questions is sent; of ballots none may be accepted.
	polls bool
}

// floods measures honest voters without a flood, and in each kind.
func (p *presser) floods(ctx context.Context) error {
	kinds, err := p.kinds(ctx)
	if err != nil {
		return err
	}
	if p.report.Calm, err = p.honest(ctx, nil); err != nil {
		return fmt.Errorf("without a flood: %w", err)
	}
	p.Talk.Say("no flood: %v", p.report.Calm)
	for _, f := range kinds {
		report, err := p.flood(ctx, f)
		if err != nil {
			return fmt.Errorf("flood of %s: %w", f.name, err)
		}
		p.report.Floods = append(p.report.Floods, *report)
		p.Talk.Say("flood of %s: %v", f.name, &report.HonestReport)
	}
	return nil
}

// maxVictims bounds the ballots from which bad ones are made, and so the voters who sign bad proofs; maxUnproven how many of these are made: more
// are the same again, of voters who are barred by then.
const (
	maxVictims  = 2_000
	maxUnproven = 50_000
)

// kinds makes the floods ready.
func (p *presser) kinds(ctx context.Context) ([]flood, error) {
	const kindsOfFloods = 4
	honest := p.Voters * honestPart / 100 * (1 + kindsOfFloods)
	raws, err := p.ballots.part(min(p.ballots.left-honest, maxVictims)).next(maxVictims)
	if err != nil {
		return nil, err
	}
	made, err := p.statement()
	if err != nil {
		return nil, err
	}
	parameters, err := made.parameters(p.manifest())
	if err != nil {
		return nil, err
	}
	m := &mint{parameters: parameters, voters: uint64(p.Voters)}
	for _, raw := range raws {
		parsed, err := tx.Parse(raw)
		if err != nil {
			return nil, err
		}
		m.models = append(m.models, parsed)
	}
	pollers := make([]target, p.Clients)
	for i := range pollers {
		pollers[i] = newPoller(p.copied.Validators[i%len(p.copied.Validators)].Node)
	}
	unproven, err := m.list(ctx, min(maxUnproven, 1+int(float64(p.rate())*p.Flood.Seconds())), m.unproven)
	if err != nil {
		return nil, err
	}
	return []flood{
		{name: "unknown voters", batch: p.Batch, impatience: impatience, targets: p.targets, from: &minted{mint: m, make: m.unknown}},
		{name: "bad signatures", batch: p.Batch, impatience: impatience, targets: p.targets, from: &minted{mint: m, make: m.unsigned}},
		{name: "bad proofs", batch: p.Batch, impatience: impatience, targets: p.targets, from: &repeated{list: unproven}},
		{name: "polls", batch: 1, impatience: 1, targets: pollers, from: questions{}, polls: true},
	}, nil
}

// honest has honest voters bring ballots at a modest rate, a tenth of capacity or what they have, while beside runs, if it is not nil.
func (p *presser) honest(ctx context.Context, beside func(ctx context.Context) error) (*HonestReport, error) {
	from := p.part(honestPart)
	rate := max(1, min(int(p.report.Capacity.BallotsPerSecond/10), int(float64(from.left)/p.Flood.Seconds())))
	targets, err := p.connections(honestClients)
	if err != nil {
		return nil, err
	}
	l := newLedger(from.left, unwatched)
	c := &clients{name: "voter", count: honestClients, batch: 1, ledger: l}
	crowd := &crowd{fresh: from.next, pause: pause, patient: true}
	accounts, err := p.record(ctx, l, func(ctx context.Context) error {
		g, ctx := errgroup.WithContext(ctx)
		if beside != nil {
			g.Go(func() error { return beside(ctx) })
		}
		g.Go(func() error { return c.at(ctx, targets, crowd, rate, p.Flood) })
		return g.Wait()
	})
	if err != nil {
		return nil, err
	}
	if accounts.Recorded == 0 {
		return nil, fmt.Errorf("no honest ballot came through; of %d offers %d were told to come later, others (%s)", accounts.Offered, accounts.RetryLater, codes(accounts.OtherCodes))
	}
	seconds := p.Flood.Seconds()
	return &HonestReport{
		Rate: float64(rate), AcceptedPerSecond: float64(accounts.Accepted) / seconds, RecordedPerSecond: float64(accounts.Recorded) / max(seconds, l.last.Seconds()),
		SlipMS: l.delays(slipDelay), LedgerMS: l.delays(recordDelay), LongestPauseMS: milliseconds(l.longestPause()), Accounts: accounts,
	}, nil
}

// flood has honest voters bring ballots beside a flood of Times the capacity.
func (p *presser) flood(ctx context.Context, f flood) (*FloodReport, error) {
	r := &FloodReport{Name: f.name, FloodRate: p.rate()}
	told := &tally{answers: map[string]uint64{}}
	c := &clients{name: "flood", count: p.Clients, impatience: f.impatience, batch: f.batch, ledger: told, turned: new(spans)}
	c.taken = c.turned // whatever the answer is
	begin := time.Now()
	honest, err := p.honest(ctx, func(ctx context.Context) error {
		err := c.at(ctx, f.targets, f.from, r.FloodRate, p.Flood)
		r.Offered = float64(told.sent) / time.Since(begin).Seconds()
		return err
	})
	if err != nil {
		return nil, err
	}
	r.HonestReport, r.Answers, r.AnswerMS = *honest, told.answers, c.turned.delays()
	r.Share = float64(told.sent) / (float64(r.FloodRate) * p.Flood.Seconds())
	return r, told.fault(f.polls)
}

// tally is the book of a flood: what came is counted, nothing comes again, and of what was sent nothing is remembered.
type tally struct {
	mu      sync.Mutex
	sent    uint64
	answers map[string]uint64
}

func (t *tally) offered(raws [][]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent += uint64(len(raws))
}

func (t *tally) answered(_ [][]byte, answers []answer) [][]byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range answers {
		t.answers[a.code.String()]++
	}
	return nil
}

func (t *tally) room(context.Context, int) error { return nil }

// fault says what is wrong with the answers, nil where nothing is.
func (t *tally) fault(polls bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := uint64(0)
	for _, n := range t.answers {
		all += n
	}
	if all != t.sent {
		return fmt.Errorf("the accounts do not add up: %d were sent and %d answered", t.sent, all)
	}
	if n := t.answers[tx.CodeOK.String()]; n > 0 && !polls {
		return fmt.Errorf("%d bad ballots were accepted", n)
	}
	return nil
}

// mint makes bad ballots, no two alike, of good ones that no node has seen. It is safe for concurrent use.
type mint struct {
	parameters ballot.Parameters
	voters     uint64 // on the roll
	models     []*tx.Parsed
	made       atomic.Uint64
}

// model returns a good ballot, in turn, and the number of the bad one that is made of it.
func (m *mint) model() (*tx.Parsed, pb.CastBallot, uint64) {
	n := m.made.Add(1)
	p := m.models[n%uint64(len(m.models))]
	return p, *p.Body().(*pb.CastBallot), n
}

// unknown makes a ballot of nobody on the roll.
func (m *mint) unknown() ([]byte, error) {
	p, body, n := m.model()
	body.RollIndex = m.voters + n
	return tx.Ballot(&body, p.Signature()), nil
}

// unsigned makes a ballot whose signature is another's number: a canonical one, which does not hold.
func (m *mint) unsigned() ([]byte, error) {
	p, body, n := m.model()
	signature := append([]byte(nil), p.Signature()...)
	binary.LittleEndian.PutUint64(signature[32:], n) // the low bytes of s
	return tx.Ballot(&body, signature), nil
}

// unproven makes a ballot whose proof does not hold, and which its voter signed.
func (m *mint) unproven() ([]byte, error) {
	_, body, n := m.model()
	proof := append([]byte(nil), body.Proof...)
	binary.LittleEndian.PutUint64(proof[len(proof)-32:], n) // the low bytes of the last response
	key, err := voter(int(body.RollIndex))
	if err != nil {
		return nil, err
	}
	st := ballot.Statement{Style: body.Style, RollIndex: body.RollIndex, Voter: key.Public(), Sequence: body.Sequence}
	signature, err := forge.Sign(m.parameters, st, body.Ciphertext, proof, key, rand.Reader)
	body.Proof = proof
	return tx.Ballot(&body, signature), err
}

// minted supplies bad ballots of one kind without end.
type minted struct {
	*mint
	make func() ([]byte, error)
}

func (m *minted) take(n int) ([][]byte, error) {
	raws := make([][]byte, n)
	for i := range raws {
		var err error
		if raws[i], err = m.make(); err != nil {
			return nil, err
		}
	}
	return raws, nil
}

func (m *minted) put([][]byte) {}

// list makes n bad ballots beforehand: of those that cost more than to change a byte, so that no core is busy with them meanwhile.
func (m *mint) list(ctx context.Context, n int, make func() ([]byte, error)) (list [][]byte, err error) {
	err = parallel.InOrder(ctx, n, func(int) ([]byte, error) { return make() }, func(_ int, raw []byte) error {
		list = append(list, raw)
		return nil
	})
	return list, err
}

// repeated supplies the same ballots over and over.
type repeated struct {
	list [][]byte
	next atomic.Uint64
}

func (r *repeated) take(n int) ([][]byte, error) {
	raws := make([][]byte, n)
	for i := range raws {
		raws[i] = r.list[(r.next.Add(1)-1)%uint64(len(r.list))]
	}
	return raws, nil
}

func (r *repeated) put([][]byte) {}

// questions supplies pollers: each stands for one question.
type questions struct{}

func (questions) take(n int) ([][]byte, error) { return make([][]byte, n), nil }

func (questions) put([][]byte) {}

// poller is a client of a gateway that asks for its status and does nothing else, on a connection of its own.
type poller struct {
	url  string
	http *http.Client
}

func newPoller(n *client.Node) poller {
	return poller{n.Address() + "/v1/status", &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}, Timeout: time.Minute}}
}

// offer implements target.
func (p poller) offer(ctx context.Context, _ string, raws [][]byte) ([]answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return nil, err
	}
	response, err := p.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return nil, err
	}
	switch response.StatusCode {
	case http.StatusOK:
		return make([]answer, len(raws)), nil
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return overload(len(raws)), nil
	}
	return nil, errors.New("a gateway answers: " + response.Status)
}
