package signing

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/cometbft/cometbft/crypto"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	privvalproto "github.com/cometbft/cometbft/proto/tendermint/privval"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"votenode/abci"
)

var (
	// ErrConflict says that something else was asked for at the same position, or something at a later one.
	ErrConflict = errors.New("something else has been signed, or may have been")
	// ErrSignerAhead says that the signer does not sign again what it was asked last: it has signed more, for another home or for a
	// later state of this one.
	ErrSignerAhead = errors.New("the signer does not sign again what this home asked last")
)

// RefusedError is the signer's reason not to sign.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return "the signer refuses: " + e.Reason }

// RemoteKey is a key that a signer holds. What was asked last is kept on this side, too, and is on the disk before it is asked: so this
// side never asks for two signatures at one position, whatever the signer remembers, and knows of every position at which the signer may
// have signed.
//
// Before the first signature over a connection the signer must sign again what was asked last. A signer that remembers it gives the same
// signature; one whose memory is older learns it; one that has signed anything later refuses, and then this home is not the one, or not
// the state of the one, that asked for that. A home that has asked for nothing asks for a nil prevote of height 0, which means nothing
// on any chain.
type RemoteKey struct {
	public crypto.PubKey
	path   string
	chain  string
	link   *Link
	asked  asked
	agreed net.Conn // over which the signer has signed again what had been asked last
	failed error
}

var _ Key = (*RemoteKey)(nil)

// asked is the file of what was asked last.
type asked struct {
	// Request is the privval message, base64; empty before the first one.
	Request string `json:"request"`

	request *privvalproto.Message
}

// NewAsked returns the file of a home that has asked for nothing.
func NewAsked() any { return asked{} }

// OpenRemoteKey reads what was asked last and asks over the link from now on. It fails with ErrSignStateMissing.
func OpenRemoteKey(link *Link, path string) (*RemoteKey, error) {
	a, err := readAsked(path, link.o.Chain)
	return &RemoteKey{public: link.o.Consensus, path: path, chain: link.o.Chain, link: link, asked: a}, err
}

// LastAsked returns where a signer was asked to sign last, by the file of a node that does not run. It fails with ErrSignStateMissing.
func LastAsked(path, chain string) (Position, error) {
	a, err := readAsked(path, chain)
	return a.position(), err
}

func readAsked(path, chain string) (a asked, err error) {
	if err := ReadState(path, &a); err != nil {
		return a, err
	}
	if a.request, err = parseAsked(a.Request, chain); err != nil {
		return a, fmt.Errorf("the sign state: %s: %w", path, err)
	}
	return a, nil
}

// position returns where it was asked for a signature, zero where it was not.
func (a asked) position() Position {
	if a.Request == "" || a.request == nil {
		return Position{}
	}
	return position(a.request)
}

func parseAsked(text, chain string) (*privvalproto.Message, error) {
	if text == "" {
		return voteRequest(chain, &cmtproto.Vote{Type: cmtproto.PrevoteType, Timestamp: time.Unix(0, 0).UTC()}), nil
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	m := new(privvalproto.Message)
	if err := m.Unmarshal(b); err != nil {
		return nil, err
	}
	return m, checkRequest(m, chain)
}

func voteRequest(chain string, vote *cmtproto.Vote) *privvalproto.Message {
	return &privvalproto.Message{Sum: &privvalproto.Message_SignVoteRequest{
		SignVoteRequest: &privvalproto.SignVoteRequest{Vote: vote, ChainId: chain},
	}}
}

func proposalRequest(chain string, proposal *cmtproto.Proposal) *privvalproto.Message {
	return &privvalproto.Message{Sum: &privvalproto.Message_SignProposalRequest{
		SignProposalRequest: &privvalproto.SignProposalRequest{Proposal: proposal, ChainId: chain},
	}}
}

// checkRequest says whether a message asks for a signature that there is, on the chain. CometBFT panics over a block id that is none.
func checkRequest(m *privvalproto.Message, chain string) error {
	var of string
	var block cmtproto.BlockID
	switch {
	case m.GetSignVoteRequest().GetVote() != nil:
		r := m.GetSignVoteRequest()
		of, block = r.ChainId, r.Vote.BlockID
		if t := r.Vote.Type; t != cmtproto.PrevoteType && t != cmtproto.PrecommitType {
			return fmt.Errorf("there is no vote of the type %d", t)
		}
	case m.GetSignProposalRequest().GetProposal() != nil:
		r := m.GetSignProposalRequest()
		of, block = r.ChainId, r.Proposal.BlockID
	default:
		return errors.New("it asks for the signature of nothing")
	}
	if of != chain {
		return fmt.Errorf("it asks for a signature on the chain %q; this key signs on %q", of, chain)
	}
	if _, err := cmttypes.BlockIDFromProto(&block); err != nil {
		return fmt.Errorf("the block id: %w", err)
	}
	return nil
}

// position returns where a request asks for a signature.
func position(m *privvalproto.Message) Position {
	if p := m.GetSignProposalRequest().GetProposal(); p != nil {
		return Position{p.Height, p.Round, StepPropose}
	}
	v := m.GetSignVoteRequest().GetVote()
	step := StepPrevote
	if v.Type == cmtproto.PrecommitType {
		step = StepPrecommit
	}
	return Position{v.Height, v.Round, step}
}

// signBytes returns what a request wants signed.
func signBytes(m *privvalproto.Message) []byte {
	if r := m.GetSignProposalRequest(); r != nil {
		return cmttypes.ProposalSignBytes(r.ChainId, r.Proposal)
	}
	r := m.GetSignVoteRequest()
	return cmttypes.VoteSignBytes(r.ChainId, r.Vote)
}

// content returns what a request wants signed, but for the time: of the same vote at another time the signer gives the first one.
func content(m *privvalproto.Message) []byte {
	epoch := time.Unix(0, 0).UTC()
	if r := m.GetSignProposalRequest(); r != nil {
		p := *r.Proposal
		p.Timestamp = epoch
		return signBytes(proposalRequest(r.ChainId, &p))
	}
	r := m.GetSignVoteRequest()
	v := *r.Vote
	v.Timestamp = epoch
	return signBytes(voteRequest(r.ChainId, &v))
}

// Public implements Key.
func (k *RemoteKey) Public() crypto.PubKey { return k.public }

// GetPubKey implements PrivValidator.
func (k *RemoteKey) GetPubKey() (crypto.PubKey, error) { return k.public, nil }

// Last implements Key.
func (k *RemoteKey) Last() Position { return k.asked.position() }

// SignVote implements PrivValidator. It fails with ErrUnreached, ErrConflict, ErrSignerAhead, ErrNotOnDisk and RefusedError.
func (k *RemoteKey) SignVote(chainID string, vote *cmtproto.Vote) error {
	sent := *vote
	sent.Signature, sent.ExtensionSignature = nil, nil
	answer, err := k.sign(voteRequest(chainID, &sent))
	if err != nil {
		return err
	}
	signed := answer.GetSignedVoteResponse().Vote
	vote.Timestamp, vote.Signature, vote.ExtensionSignature = signed.Timestamp, signed.Signature, nil // there are no extensions
	return nil
}

// SignProposal implements PrivValidator. It fails like SignVote.
func (k *RemoteKey) SignProposal(chainID string, proposal *cmtproto.Proposal) error {
	sent := *proposal
	sent.Signature = nil
	answer, err := k.sign(proposalRequest(chainID, &sent))
	if err != nil {
		return err
	}
	signed := answer.GetSignedProposalResponse().Proposal
	proposal.Timestamp, proposal.Signature = signed.Timestamp, signed.Signature
	return nil
}

// sign asks for a signature, once it is on the disk that it was asked for, and checks the answer.
func (k *RemoteKey) sign(m *privvalproto.Message) (*privvalproto.Message, error) {
	if k.failed != nil {
		return nil, k.failed
	}
	if err := checkRequest(m, k.chain); err != nil {
		return nil, err
	}
	conn, err := k.link.current()
	if err != nil {
		return nil, err
	}
	if err := k.agree(conn); err != nil {
		return nil, err
	}
	if err := k.remember(m); err != nil {
		return nil, err
	}
	return k.ask(conn, m)
}

// agree holds the memory of the signer at the other end of a connection against this home's.
func (k *RemoteKey) agree(conn net.Conn) error {
	if k.agreed == conn {
		return nil
	}
	_, err := k.ask(conn, k.asked.request)
	var refused *RefusedError
	if errors.As(err, &refused) {
		return fmt.Errorf("%w, %v: this home or the signer's was restored, or the signer has served another home; retire the key: %w", ErrSignerAhead, k.Last(), err)
	}
	if err == nil {
		k.agreed = conn
	}
	return err
}

// remember writes down what will be asked.
func (k *RemoteKey) remember(m *privvalproto.Message) error {
	last, next := position(k.asked.request), position(m)
	if next == last && bytes.Equal(content(m), content(k.asked.request)) {
		return nil
	}
	if !last.Before(next) {
		return fmt.Errorf("%w: asked for %v after %v", ErrConflict, next, last)
	}
	b, err := m.Marshal()
	if err != nil {
		return err
	}
	a := asked{Request: base64.StdEncoding.EncodeToString(b), request: m}
	file, err := cmtjson.MarshalIndent(a, "", "  ")
	if err == nil {
		err = abci.WriteFile(k.path, file)
	}
	if err != nil {
		k.failed = fmt.Errorf("%w: %w", ErrNotOnDisk, err)
		return k.failed
	}
	k.asked = a
	return nil
}

// ask sends a request and returns an answer whose signature is that of what was asked for, at whatever time. It fails with ErrUnreached and
// RefusedError.
func (k *RemoteKey) ask(conn net.Conn, m *privvalproto.Message) (*privvalproto.Message, error) {
	var refused *RefusedError
	answer, err := k.link.ask(conn, m, func(answer *privvalproto.Message) error {
		err := k.check(m, answer)
		if errors.As(err, &refused) {
			return nil
		}
		return err
	})
	if err == nil && refused != nil {
		return nil, refused
	}
	return answer, err
}

// check says whether an answer brings the signature of what was asked for. It fails with RefusedError.
func (k *RemoteKey) check(m, answer *privvalproto.Message) error {
	var refused *privvalproto.RemoteSignerError
	var signed *privvalproto.Message
	var signature []byte
	switch r := answer.Sum.(type) {
	case *privvalproto.Message_SignedVoteResponse:
		refused, signature = r.SignedVoteResponse.Error, r.SignedVoteResponse.Vote.Signature
		signed = voteRequest(k.chain, &r.SignedVoteResponse.Vote)
	case *privvalproto.Message_SignedProposalResponse:
		refused, signature = r.SignedProposalResponse.Error, r.SignedProposalResponse.Proposal.Signature
		signed = proposalRequest(k.chain, &r.SignedProposalResponse.Proposal)
	default:
		return fmt.Errorf("the signer answers with a %T", answer.Sum)
	}
	if refused != nil {
		return &RefusedError{refused.Description}
	}
	if checkRequest(signed, k.chain) != nil || position(signed) != position(m) || !bytes.Equal(content(signed), content(m)) {
		return errors.New("the signer has signed something else than it was asked for")
	}
	if !k.public.VerifySignature(signBytes(signed), signature) {
		return errors.New("the signer's signature does not hold")
	}
	return nil
}
