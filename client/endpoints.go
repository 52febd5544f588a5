package client

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/certified"
)

// Status is what a node says of itself. Unproven.
type Status struct {
	Chain       string `json:"chain_id"`
	GenesisHash string `json:"genesis_hash"`
	// Node is the p2p id; Validator and Organisation are empty for an observer.
	Node         string `json:"node"`
	Validator    string `json:"validator"`
	Organisation string `json:"organisation"`
	// Height is the newest committed height, Time its block time, AppHash the state's root, Certified the newest certified height.
	Height     int64     `json:"height"`
	Time       time.Time `json:"time"`
	AppHash    string    `json:"app_hash"`
	Certified  int64     `json:"certified_height"`
	CatchingUp bool      `json:"catching_up"`
	Peers      int       `json:"peers"`
	Version    string    `json:"version"`
	// Alarms are what is wrong with the ledger as the node sees it, whatever the node's own health.
	Alarms []string `json:"alarms"`
	// OverdueAnswers are initiatives that wait for their answer behind the deadline, at most 100.
	OverdueAnswers []uint64 `json:"overdue_answers"`

	Pool   int    `json:"pool"`
	Intake Intake `json:"intake"`
}

// Intake is what a node counts, since its start, of what it was asked to take in.
type Intake struct {
	// Taken came in there and went into the pool, FromPeers were brought by peers; Refused are by the name of the code.
	Taken     uint64            `json:"taken"`
	FromPeers uint64            `json:"from_peers"`
	Refused   map[string]uint64 `json:"refused"`
	PoolBytes int               `json:"pool_bytes"`
	// Promised ballots that are not settled, and Verified ones before they came into the pool.
	Promised int    `json:"promised"`
	Verified uint64 `json:"verified"`
	// Prepare, Process and Finalize tell how the transactions of the node's own proposals, of those that it judged and of blocks were
	// known to be right.
	Prepare  Lookups `json:"prepare"`
	Process  Lookups `json:"process"`
	Finalize Lookups `json:"finalize"`
}

// Lookups count transactions that waited in the pool, whose verification was remembered, and that had to be verified then.
type Lookups struct {
	Pool       uint64 `json:"pool"`
	Remembered uint64 `json:"remembered"`
	Unseen     uint64 `json:"unseen"`
}

// Health is what a node says of its own state.
type Health struct {
	Healthy bool     `json:"healthy"`
	Reasons []string `json:"reasons"`
}

// Admission is a node's answer to one submitted transaction: code 0 says that it stands in the node's pool, no more.
type Admission struct {
	Hash    string  `json:"hash"`
	Code    tx.Code `json:"code"`
	Name    string  `json:"name"`
	Message string  `json:"message"`
	// Slip is the acceptance slip that a validator signed for a ballot, none where it promises nothing: Message says why. Unproven.
	Slip []byte `json:"slip"`
}

// Inclusion says where a transaction stands and what came of it.
type Inclusion struct {
	Hash    string  `json:"hash"`
	Height  int64   `json:"height"`
	Index   int     `json:"index"`
	Code    tx.Code `json:"code"`
	Name    string  `json:"name"`
	Message string  `json:"message"`
}

// Record is a key and its value as a node tells them.
type Record struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

// VoterLeaf is a leaf of a voters' or members' tree with its path, to be checked against the record of the tree.
type VoterLeaf struct {
	Height int64    `json:"height"`
	Leaf   []byte   `json:"leaf"`
	Size   uint64   `json:"size"`
	Path   [][]byte `json:"path"`
}

// Readiness says whether a node takes what clients bring, and why not.
type Readiness struct {
	Ready   bool     `json:"ready"`
	Reasons []string `json:"reasons"`
}

// Health returns the node's opinion of itself; unhealthy is no error.
func (n *Node) Health(ctx context.Context) (*Health, error) {
	var h Health
	return &h, n.probe(ctx, "/healthz", &h)
}

// Ready returns whether the node says that clients should come; that they should not is no error.
func (n *Node) Ready(ctx context.Context) (*Readiness, error) {
	var r Readiness
	return &r, n.probe(ctx, "/readyz", &r)
}

// probe asks for what is answered with 200 or 503 and the same fields.
func (n *Node) probe(ctx context.Context, path string, out any) error {
	err := n.get(ctx, path, nil, out)
	var refused *NodeError
	if errors.As(err, &refused) && refused.Status == http.StatusServiceUnavailable && json.Unmarshal(refused.body, out) == nil {
		return nil
	}
	return err
}

// Status returns the node's status.
func (n *Node) Status(ctx context.Context) (*Status, error) {
	var s Status
	return &s, n.get(ctx, "/v1/status", nil, &s)
}

// Genesis returns the bytes of the genesis document and of the officers' approvals.
func (n *Node) Genesis(ctx context.Context) (document, approvals []byte, err error) {
	var answer struct {
		Document  []byte `json:"document"`
		Approvals []byte `json:"approvals"`
	}
	err = n.get(ctx, "/v1/genesis", nil, &answer)
	return answer.Document, answer.Approvals, err
}

// Submit hands transactions to the node, in order, and sends again those that it had no room for, after the pause that it asks
// for, until ctx ends.
func (n *Node) Submit(ctx context.Context, transactions ...[]byte) ([]Admission, error) {
	results := make([]Admission, len(transactions))
	waiting := make([]int, len(transactions))
	for i := range waiting {
		waiting[i] = i
	}
	for len(waiting) > 0 {
		batch := make([][]byte, len(waiting))
		for i, position := range waiting {
			batch[i] = transactions[position]
		}
		answers, pause, err := n.submitOnce(ctx, batch)
		if err != nil {
			return nil, err
		}
		var later []int
		for i, position := range waiting {
			results[position] = answers[i]
			if answers[i].Code >= tx.CodeRetryLater {
				later = append(later, position)
			}
		}
		if waiting = later; len(waiting) > 0 {
			if err := sleep(ctx, max(pause, defaultPause)); err != nil {
				return results, fmt.Errorf("%d transactions found no room: %w", len(waiting), err)
			}
		}
	}
	return results, nil
}

// Offer hands transactions to the node, in order, once. It fails with ErrBusy where the node does not even look at them now; one for
// which it has no room has the code tx.CodeRetryLater.
func (n *Node) Offer(ctx context.Context, transactions ...[]byte) ([]Admission, error) {
	body, err := json.Marshal(submission{transactions})
	if err != nil {
		return nil, err
	}
	var answer admissions
	if _, err := n.once(ctx, http.MethodPost, "/v1/transactions", nil, body, &answer); err != nil {
		return nil, err
	}
	return answer.Results, answer.check(n, len(transactions))
}

// submission is the body of a request with transactions, and admissions the answer to it.
type submission struct {
	Transactions [][]byte `json:"transactions"`
}

type admissions struct {
	Results []Admission `json:"results"`
}

func (a *admissions) check(n *Node, want int) error {
	if len(a.Results) != want {
		return fmt.Errorf("%s: %d answers for %d transactions", n.base, len(a.Results), want)
	}
	return nil
}

func (n *Node) submitOnce(ctx context.Context, transactions [][]byte) ([]Admission, time.Duration, error) {
	var answer admissions
	pause, err := n.request(ctx, http.MethodPost, "/v1/transactions", nil, submission{transactions}, &answer)
	if err == nil {
		err = answer.check(n, len(transactions))
	}
	return answer.Results, pause, err
}

// Transaction returns where a transaction stands, and waits for it as long as ctx lives. hash is SHA-256 of its bytes.
func (n *Node) Transaction(ctx context.Context, hash [32]byte) (*Inclusion, error) {
	var in Inclusion
	return &in, n.poll(ctx, "/v1/transactions/"+hex.EncodeToString(hash[:]), url.Values{}, &in)
}

// WaitHeight returns the node's status once it has committed the height.
func (n *Node) WaitHeight(ctx context.Context, height int64) (*Status, error) {
	var s Status
	return &s, n.poll(ctx, "/v1/heights/"+strconv.FormatInt(height, 10), url.Values{}, &s)
}

// AwaitHeight is WaitHeight for a node that may still be starting: it also waits until the node answers.
func (n *Node) AwaitHeight(ctx context.Context, height int64) (*Status, error) {
	for {
		s, err := n.WaitHeight(ctx, height)
		var refused *NodeError
		if err == nil || errors.As(err, &refused) {
			return s, err
		}
		if err := sleep(ctx, defaultPause/5); err != nil {
			return nil, err
		}
	}
}

// poll asks for path until it is there or ctx ends. A node that answers "not yet" without waiting is asked again after a pause.
func (n *Node) poll(ctx context.Context, path string, query url.Values, out any) error {
	query.Set("wait", strconv.Itoa(maxWait))
	for {
		start := time.Now()
		err := n.get(ctx, path, query, out)
		if !errors.Is(err, ErrUnknown) {
			return err
		}
		if err := sleep(ctx, defaultPause-time.Since(start)); err != nil {
			return err
		}
	}
}

// Record returns a proof of a record, or of its absence, after a height; height 0 is the newest that has one.
func (n *Node) Record(ctx context.Context, key string, height int64) (int64, *pb.RecordProof, error) {
	var answer struct {
		Height int64  `json:"height"`
		Proof  []byte `json:"proof"`
	}
	if err := n.get(ctx, "/v1/record", at(url.Values{"key": {key}}, height), &answer); err != nil {
		return 0, nil, err
	}
	var proof pb.RecordProof
	return answer.Height, &proof, decode(answer.Proof, maxRecordProof, &proof)
}

// Records lists up to limit records whose keys start with prefix and lie behind after. Unproven.
func (n *Node) Records(ctx context.Context, prefix, after string, limit int) (int64, []Record, error) {
	var answer struct {
		Height  int64    `json:"height"`
		Records []Record `json:"records"`
	}
	query := url.Values{"prefix": {prefix}, "after": {after}, "limit": {strconv.Itoa(limit)}}
	err := n.get(ctx, "/v1/records", query, &answer)
	return answer.Height, answer.Records, err
}

// LogLeaves returns some leaves of a log from index from, at most up to to (exclusive). Unproven.
func (n *Node) LogLeaves(ctx context.Context, log string, from, to uint64) ([][]byte, error) {
	var answer struct {
		Leaves [][]byte `json:"leaves"`
	}
	err := n.get(ctx, "/v1/log/leaves", indexes(log, "from", from, "to", to), &answer)
	return answer.Leaves, err
}

// LogInclusion returns the path of a leaf in the log of that size.
func (n *Node) LogInclusion(ctx context.Context, log string, index, size uint64) ([][]byte, error) {
	return n.path(ctx, "/v1/log/inclusion", indexes(log, "index", index, "size", size))
}

// LogConsistency returns the proof that the log of size to extends that of size from.
func (n *Node) LogConsistency(ctx context.Context, log string, from, to uint64) ([][]byte, error) {
	return n.path(ctx, "/v1/log/consistency", indexes(log, "from", from, "to", to))
}

func (n *Node) path(ctx context.Context, endpoint string, query url.Values) ([][]byte, error) {
	var answer struct {
		Path [][]byte `json:"path"`
	}
	err := n.get(ctx, endpoint, query, &answer)
	return answer.Path, err
}

// Voter returns a leaf of an election's voters' tree after a height, 0 for the newest.
func (n *Node) Voter(ctx context.Context, electionID string, index uint64, height int64) (*VoterLeaf, error) {
	var leaf VoterLeaf
	query := at(url.Values{"election": {electionID}, "index": {strconv.FormatUint(index, 10)}}, height)
	return &leaf, n.get(ctx, "/v1/voter", query, &leaf)
}

// Member returns a leaf of an election's members' tree after a height, 0 for the newest.
func (n *Node) Member(ctx context.Context, electionID string, index uint64, height int64) (*VoterLeaf, error) {
	var leaf VoterLeaf
	query := at(url.Values{"election": {electionID}, "index": {strconv.FormatUint(index, 10)}}, height)
	return &leaf, n.get(ctx, "/v1/member", query, &leaf)
}

// SignedHeader returns the header of a height with the precommits for it.
func (n *Node) SignedHeader(ctx context.Context, height int64) (*pb.SignedHeader, error) {
	var answer struct {
		SignedHeader []byte `json:"signed_header"`
	}
	if err := n.get(ctx, "/v1/headers/"+strconv.FormatInt(height, 10), nil, &answer); err != nil {
		return nil, err
	}
	var header pb.SignedHeader
	return &header, decode(answer.SignedHeader, certified.MaxStateBytes, &header)
}

// Certified returns the newest height that the node can show as certified, with the evidence.
func (n *Node) Certified(ctx context.Context) (int64, *pb.CertifiedState, error) {
	var answer struct {
		Height int64  `json:"height"`
		State  []byte `json:"state"`
	}
	if err := n.get(ctx, "/v1/certified", nil, &answer); err != nil {
		return 0, nil, err
	}
	var shown pb.CertifiedState
	return answer.Height, &shown, decode(answer.State, certified.MaxStateBytes, &shown)
}

// Epochs returns the proofs of all validator sets after the first, in order.
func (n *Node) Epochs(ctx context.Context) ([]*pb.EpochProof, error) {
	var answer struct {
		Proofs [][]byte `json:"proofs"`
	}
	if err := n.get(ctx, "/v1/epochs", nil, &answer); err != nil {
		return nil, err
	}
	if len(answer.Proofs) > maxEpochs {
		return nil, fmt.Errorf("%w: the node sends %d proofs of epochs; at most %d are read", ErrMalformed, len(answer.Proofs), maxEpochs)
	}
	proofs := make([]*pb.EpochProof, len(answer.Proofs))
	for i, b := range answer.Proofs {
		proofs[i] = new(pb.EpochProof)
		if err := decode(b, certified.MaxEpochProofBytes, proofs[i]); err != nil {
			return nil, err
		}
	}
	return proofs, nil
}

// Block returns CometBFT's protobuf encoding of a block.
func (n *Node) Block(ctx context.Context, height int64) ([]byte, error) {
	var block []byte
	err := n.get(ctx, "/v1/blocks/"+strconv.FormatInt(height, 10), nil, &block)
	return block, err
}

const (
	// maxRecordProof bounds the proof of a record in bytes: its value, and the paths of two leaves.
	maxRecordProof = state.MaxRecordValue + 16<<10
	// maxEpochs bounds the proofs of epochs: more than a change of validators every day for 20 years.
	maxEpochs = 10_000
)

// decode reads the one canonical encoding of a message of proto/votenode/v1, of at most so many bytes: a message may take many times as
// much memory as its bytes.
func decode(b []byte, most int, m election.Message) error {
	if len(b) > most {
		return fmt.Errorf("%w: the node sends %T of %d bytes; at most %d are read", ErrMalformed, m, len(b), most)
	}
	if err := election.Decode(b, m); err != nil {
		return fmt.Errorf("%w: the node sends %T: %w", ErrMalformed, m, err)
	}
	return nil
}

func at(query url.Values, height int64) url.Values {
	if height != 0 {
		query.Set("height", strconv.FormatInt(height, 10))
	}
	return query
}

func indexes(log, first string, a uint64, second string, b uint64) url.Values {
	return url.Values{"log": {log}, first: {strconv.FormatUint(a, 10)}, second: {strconv.FormatUint(b, 10)}}
}
