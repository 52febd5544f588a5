package gateway

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"votenode/app/state"
	pb "votenode/proto/votenode/v1"
)

// ceremony is one organisation's part of the key ceremony.
type ceremony struct {
	Organisation string `json:"organisation"`
	Quorum       uint32 `json:"quorum"`
	Attempt      uint32 `json:"attempt"`
	// Step is announce, deal, confirm, done or waiting.
	Step string `json:"step"`
	// Deadline is the block time, unix seconds, at which the step ends at the latest.
	Deadline int64     `json:"deadline"`
	Trustees []trustee `json:"trustees"`
}

type trustee struct {
	Index uint32 `json:"index"`
	member
	// Ejected says why the trustee is out: silent, bad share or false complaint; absent where it is not.
	Ejected string `json:"ejected,omitempty"`
}

// seat is a trustee without its name.
type seat struct {
	Organisation string `json:"organisation"`
	Trustee      uint32 `json:"trustee"`
}

// trial is what became of the trial decryption so far.
type trial struct {
	Deadline int64  `json:"deadline"`
	Passed   bool   `json:"passed"`
	Posted   []seat `json:"posted"`
	Excused  []seat `json:"excused"`
	Missing  []seat `json:"missing"`
}

func seats(list []pb.TrusteeRef) []seat {
	shown := make([]seat, len(list))
	for i, t := range list {
		shown[i] = seat{t.Organisation, t.Index}
	}
	return shown
}

// trustees serves GET /v1/elections/{id}/trustees: trustees, the key ceremony and the trial, as far as they have come.
func (s *Server) trustees(r *http.Request) (any, error) {
	if err := queryOf(r).done(); err != nil {
		return nil, err
	}
	e, err := s.electionOf(r)
	if err != nil {
		return nil, err
	}
	answer := struct {
		Height     int64      `json:"height"`
		Ceremonies []ceremony `json:"ceremonies"`
		KeyDigest  digits     `json:"key_digest"`
		Trial      *trial     `json:"trial,omitempty"`
	}{Height: e.Height(), KeyDigest: e.record.KeyDigest}
	answer.Ceremonies, _, err = recordPage(e.Snapshot, state.CeremonyKey(e.id, ""), "", maxRecords, func(organisation string, c *pb.Ceremony) (ceremony, int, error) {
		return ceremonyOf(organisation, c), 0, nil
	})
	if err != nil {
		return nil, err
	}
	t, err := state.Load[pb.Trial](e, state.TrialKey(e.id))
	if err == nil && t != nil {
		answer.Trial = &trial{t.Deadline, e.record.TrialPassed, seats(t.Posted), seats(t.Excused), seats(t.Missing)}
	}
	return answer, err
}

func ceremonyOf(organisation string, c *pb.Ceremony) ceremony {
	shown := ceremony{
		Organisation: organisation, Quorum: c.Quorum, Attempt: c.Attempt, Step: words("CEREMONY_", c.Step), Deadline: c.Deadline,
		Trustees: make([]trustee, len(c.Trustees)),
	}
	for i, t := range c.Trustees {
		shown.Trustees[i] = trustee{Index: uint32(i + 1), member: member{t.Trustee.Name, t.Trustee.Key}}
		if t.Ejected != pb.EJECTION_NONE {
			shown.Trustees[i].Ejected = words("EJECTION_", t.Ejected)
		}
	}
	return shown
}

// deal is a trustee's part in one attempt of its organisation.
type deal struct {
	seat
	Attempt      uint32        `json:"attempt"`
	DealHash     digits        `json:"deal_hash"`
	ReceiverKeys []receiverKey `json:"receiver_keys"`
	// Commitments and Shares are empty before they are published.
	Commitments []byte        `json:"commitments"`
	Shares      []sealedShare `json:"shares"`
	// Confirmed says that the trustee could open and has accepted the shares of all others.
	Confirmed bool `json:"confirmed"`
}

type receiverKey struct {
	Dealer uint32 `json:"dealer"`
	Key    digits `json:"key"`
}

type sealedShare struct {
	Receiver   uint32 `json:"receiver"`
	Ciphertext []byte `json:"ciphertext"`
}

// deals serves GET /v1/elections/{id}/deals?after=K&limit=N, by organisation, attempt and trustee.
func (s *Server) deals(r *http.Request) (any, error) {
	height, list, next, err := electionRecords(s, r, "deal", func(rest string, d *pb.Deal) (deal, int, error) {
		organisation, numbers, err := splitKey(rest, 2)
		if err != nil {
			return deal{}, 0, err
		}
		shown := deal{
			seat: seat{organisation, numbers[1]}, Attempt: numbers[0], DealHash: d.DealHash, Commitments: append([]byte{}, d.Commitments...),
			ReceiverKeys: make([]receiverKey, len(d.ReceiverKeys)), Shares: make([]sealedShare, len(d.Shares)), Confirmed: d.Confirmed,
		}
		for i, k := range d.ReceiverKeys {
			shown.ReceiverKeys[i] = receiverKey{k.Dealer, k.Key}
		}
		for i, share := range d.Shares {
			shown.Shares[i] = sealedShare{share.Receiver, share.Ciphertext}
		}
		return shown, 0, nil
	})
	return struct {
		Height int64  `json:"height"`
		Deals  []deal `json:"deals"`
		Next   string `json:"next,omitempty"`
	}{height, list, next}, err
}

// electionRecords reads a page of the records of one kind of the election that the path names, as after and limit of the request say.
func electionRecords[M any, P recordOf[M], T any](s *Server, r *http.Request, kind string, show func(rest string, m P) (shown T, beside int, err error)) (height int64, list []T, next string, err error) {
	e, err := s.electionOf(r)
	if err != nil {
		return 0, nil, "", err
	}
	list, next, err = askedPage(r, e.Snapshot, state.ElectionKey(e.id)+"/"+kind+"/", show)
	return e.Height(), list, next, err
}

// splitKey reads the end of a record's key: the id of an organisation and so many numbers behind it.
func splitKey(rest string, count int) (organisation string, numbers []uint32, err error) {
	parts := strings.Split(rest, "/")
	if len(parts) != count+1 {
		return "", nil, fmt.Errorf("%w: a key ends with %q", state.ErrCorrupted, rest)
	}
	for _, part := range parts[1:] {
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			return "", nil, fmt.Errorf("%w: a key ends with %q", state.ErrCorrupted, rest)
		}
		numbers = append(numbers, uint32(n))
	}
	return parts[0], numbers, nil
}

// organisationKeys is an organisation's part of the keys.
type organisationKeys struct {
	Organisation string        `json:"organisation"`
	Quorum       uint32        `json:"quorum"`
	Keys         []byte        `json:"keys"`
	Trustees     []trusteeKeys `json:"trustees"`
}

type trusteeKeys struct {
	Index uint32 `json:"index"`
	Keys  []byte `json:"keys"`
}

// keys serves GET /v1/elections/{id}/keys: 32 bytes for each slot, one after the other.
func (s *Server) keys(r *http.Request) (any, error) {
	if err := queryOf(r).done(); err != nil {
		return nil, err
	}
	e, err := s.electionOf(r)
	if err != nil {
		return nil, err
	}
	k, err := state.Load[pb.ElectionKeys](e, state.KeysKey(e.id))
	if err != nil {
		return nil, err
	}
	if k == nil {
		return nil, missing("the keys of %q are not made yet", e.id)
	}
	all := make([]organisationKeys, len(k.Organisations))
	for i, o := range k.Organisations {
		all[i] = organisationKeys{o.Organisation, o.Quorum, o.Keys, make([]trusteeKeys, len(o.Trustees))}
		for j, t := range o.Trustees {
			all[i].Trustees[j] = trusteeKeys{t.Index, t.Keys}
		}
	}
	return struct {
		Height        int64              `json:"height"`
		KeyDigest     digits             `json:"key_digest"`
		Keys          []byte             `json:"keys"`
		Organisations []organisationKeys `json:"organisations"`
	}{e.Height(), e.record.KeyDigest, k.Keys, all}, nil
}

// trialShares are a trustee's shares of the trial decryption.
type trialShares struct {
	seat
	Shares []byte `json:"shares"`
	Proof  []byte `json:"proof"`
}

// trial serves GET /v1/elections/{id}/trial?after=K&limit=N, by organisation and trustee.
func (s *Server) trial(r *http.Request) (any, error) {
	height, list, next, err := electionRecords(s, r, "trial", func(rest string, t *pb.TrialShares) (trialShares, int, error) {
		organisation, numbers, err := splitKey(rest, 1)
		if err != nil {
			return trialShares{}, 0, err
		}
		return trialShares{seat{organisation, numbers[0]}, t.Shares, t.Proof}, 0, nil
	})
	return struct {
		Height int64         `json:"height"`
		Shares []trialShares `json:"shares"`
		Next   string        `json:"next,omitempty"`
	}{height, list, next}, err
}
