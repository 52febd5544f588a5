package signing

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"time"

	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cryptoenc "github.com/cometbft/cometbft/crypto/encoding"
	privvalproto "github.com/cometbft/cometbft/proto/tendermint/privval"
)

// Signer holds a key and signs for one node. Open, Run and Close are called by one goroutine, in this order.
type Signer struct {
	pairing    Pairing
	node       cmted25519.PubKey
	connection cmted25519.PrivKey
	key        *FileKey
	lock       *os.File
	log        *slog.Logger

	served bool      // the log says that the node is served
	lost   int       // connections that ended or did not come about, since that was said
	told   time.Time // when it was
}

// Open takes a signer's folder. It fails with ErrRunning, ErrMoved, ErrMoving, ErrSignStateMissing and ErrSignStateForeign.
func Open(home string, log *slog.Logger) (*Signer, error) {
	s := &Signer{log: log}
	var err error
	if s.lock, err = Lock(home); err != nil {
		return nil, err
	}
	if err = CheckMoved(home); err == nil {
		err = s.read(Home(home))
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Signer) read(h Home) (err error) {
	s.pairing, err = ReadPairing(string(h))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("this signer signs for no node yet; run votenode signer pair: %w", err)
	}
	if err != nil {
		return err
	}
	if s.node, err = ParseKey(s.pairing.NodeKey); err != nil {
		return err
	}
	if s.connection, err = ConnectionKey(h.connection()); err != nil {
		return err
	}
	s.key, err = OpenFileKey(h.consensusKey(), h.signState())
	return err
}

// Close lets go of the folder.
func (s *Signer) Close() error { return s.lock.Close() }

// Run dials the node and signs for it until ctx is done, which is no error. It fails with ErrNotOnDisk.
func (s *Signer) Run(ctx context.Context) error {
	s.log.Info("the signer runs", "node", s.pairing.Node, "chain", s.pairing.Chain, "last", s.key.Last())
	for {
		err := s.serve(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if fault := s.key.Fault(); fault != nil {
			return fault
		}
		s.tellLost(err)
		timer := time.NewTimer(redialInterval)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// tellLost says that the node is not served, once a minute however often it dials.
func (s *Signer) tellLost(why error) {
	s.lost++
	if time.Since(s.told) < tellInterval {
		return
	}
	s.log.Warn("the node is not served", "reason", why, "times", s.lost)
	s.served, s.lost, s.told = false, 0, time.Now()
}

// tellServed says that the node is served, where the log says otherwise.
func (s *Signer) tellServed(address net.Addr) {
	if !s.served {
		s.log.Info("the node is served", "address", address)
	}
	s.served = true
}

// serve dials the node and answers it until the connection ends.
func (s *Signer) serve(ctx context.Context) error {
	dialer := net.Dialer{Timeout: handshakeTimeout}
	plain, err := dialer.DialContext(ctx, "tcp", s.pairing.Node)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { plain.Close() })
	defer stop()
	conn, err := secure(plain, s.connection, s.node)
	if err != nil {
		return err
	}
	defer conn.Close()
	s.tellServed(plain.RemoteAddr())
	for {
		m, err := receive(conn, idleTimeout)
		if err != nil {
			return fmt.Errorf("the connection to the node ended: %w", err)
		}
		answer, err := s.answer(m)
		if err != nil {
			return err
		}
		if err := send(conn, answer, answerTimeout); err != nil {
			return fmt.Errorf("the connection to the node ended: %w", err)
		}
	}
}

// answer answers one message. It fails with ErrNotOnDisk: a refusal would say that the key has signed something else.
func (s *Signer) answer(m *privvalproto.Message) (*privvalproto.Message, error) {
	switch r := m.Sum.(type) {
	case *privvalproto.Message_PingRequest:
		return &privvalproto.Message{Sum: &privvalproto.Message_PingResponse{PingResponse: &privvalproto.PingResponse{}}}, nil
	case *privvalproto.Message_PubKeyRequest:
		answer := &privvalproto.PubKeyResponse{}
		if r.PubKeyRequest.ChainId != s.pairing.Chain {
			answer.Error = refusal(fmt.Errorf("this key signs on the chain %q, not on %q", s.pairing.Chain, r.PubKeyRequest.ChainId))
		}
		var err error
		answer.PubKey, err = cryptoenc.PubKeyToProto(s.key.Public())
		return &privvalproto.Message{Sum: &privvalproto.Message_PubKeyResponse{PubKeyResponse: answer}}, err
	case *privvalproto.Message_SignVoteRequest:
		answer := &privvalproto.SignedVoteResponse{}
		if err := s.sign(m); err != nil {
			answer.Error = refusal(err)
		} else {
			answer.Vote = *r.SignVoteRequest.Vote
		}
		return &privvalproto.Message{Sum: &privvalproto.Message_SignedVoteResponse{SignedVoteResponse: answer}}, s.key.Fault()
	case *privvalproto.Message_SignProposalRequest:
		answer := &privvalproto.SignedProposalResponse{}
		if err := s.sign(m); err != nil {
			answer.Error = refusal(err)
		} else {
			answer.Proposal = *r.SignProposalRequest.Proposal
		}
		return &privvalproto.Message{Sum: &privvalproto.Message_SignedProposalResponse{SignedProposalResponse: answer}}, s.key.Fault()
	}
	return nil, fmt.Errorf("the node asks with a %T", m.Sum)
}

// sign signs what a request asks for, in its place.
func (s *Signer) sign(m *privvalproto.Message) error {
	err := checkRequest(m, s.pairing.Chain)
	if err == nil {
		if r := m.GetSignVoteRequest(); r != nil {
			err = s.key.SignVote(s.pairing.Chain, r.Vote)
		} else {
			r := m.GetSignProposalRequest()
			err = s.key.SignProposal(s.pairing.Chain, r.Proposal)
		}
	}
	if err != nil {
		s.log.Error("not signed", "error", err)
	}
	return err
}

func refusal(err error) *privvalproto.RemoteSignerError {
	return &privvalproto.RemoteSignerError{Description: err.Error()}
}
