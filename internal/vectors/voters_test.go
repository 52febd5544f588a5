package vectors

import (
	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// votersFile is voters.json: sections 3.16 and 19.3.
type votersFile struct {
	Comment string `json:"comment"`
	Chain   string `json:"chain"`
	// Choices are those of the poll, and Posts what members sent about initiatives.
	Choices []choiceVector `json:"choices"`
	Posts   []signedVector `json:"posts"`
	// Counted are the places in the ballot log of the choices that count in the end, and Result what they come to.
	Counted []uint64 `json:"counted"`
	Result  hexBytes `json:"result"`
}

// signedVector is a transaction that a voter signs by 3.16.
type signedVector struct {
	votersVoice
	Kind       uint32           `json:"kind"`
	Election   string           `json:"election"`
	Body       hexBytes         `json:"body"`
	Signature  schnorrVector    `json:"signature"`
	Transcript transcriptVector `json:"transcript"`
}

type choiceVector struct {
	signedVector
	// LogIndex is the place in the ballot log, where the choice is recorded.
	LogIndex *uint64 `json:"log_index,omitempty"`
	Style    uint32  `json:"style"`
	// Options are those chosen, by contest of the style.
	Options [][]uint32 `json:"options"`
	Code    codeVector `json:"confirmation_code"`
}

// theirs is the body of a transaction that a voter signs by 3.16.
type theirs interface {
	election.Message
	GetElection() string
	GetRollIndex() uint64
}

func (w *world) votersFile() any {
	f := &votersFile{
		Comment: "every open choice of the record and every transaction about initiatives that a member signed, recorded or refused: sections 3.16, 19.3, 19.4",
		Chain:   w.Genesis.ChainId,
	}
	e := w.electionVector()
	for _, p := range w.transactions {
		switch m := p.Body().(type) {
		case *pb.CastChoice:
			v := choiceVector{signedVector: w.signedVector(&e, p, m, m.Sequence), Style: m.Style}
			for _, c := range m.Choices {
				v.Options = append(v.Options, append([]uint32{}, c.Options...))
			}
			v.Code.Bytes = framed("votenode/v1/choice-code", []byte(f.Chain), v.Body)
			v.Code.Hash = hash(v.Code.Bytes)
			v.Code.Text = ballot.FormatCode([32]byte(v.Code.Hash))
			if p.code == tx.CodeOK {
				at := uint64(0)
				for i := range f.Choices {
					if f.Choices[i].LogIndex != nil {
						at++
					}
				}
				v.LogIndex = &at
			}
			f.Choices = append(f.Choices, v)
		case *pb.PublishInitiative:
			f.Posts = append(f.Posts, w.signedVector(&e, p, m, m.Number))
		case *pb.SupportInitiative:
			f.Posts = append(f.Posts, w.signedVector(&e, p, m, m.Number))
		case *pb.PostComment:
			f.Posts = append(f.Posts, w.signedVector(&e, p, m, m.Number))
		}
	}
	last := w.at(w.last())
	for i := range e.Roll {
		if v := must(state.LoadVoter(last, poll, uint64(i))); v.Status == pb.VOTER_COUNTS {
			f.Counted = append(f.Counted, v.LogIndex)
		}
	}
	f.Result = must(last.Record(state.ResultKey(poll, 0)))
	return f
}

func (w *world) signedVector(e *electionVector, p *transaction, m theirs, sequence uint64) signedVector {
	signature := parts(p.Signature())
	v := signedVector{
		votersVoice: voiceOf(e, p, m.GetRollIndex(), sequence), Kind: uint32(p.Kind()), Election: m.GetElection(), Body: election.Encode(m),
		Signature: schnorrVector{signature[0], signature[1]},
	}
	t := newTranscript("votenode/v1/voter-transaction")
	t.item("version", number(1))
	t.item("chain", []byte(e.Chain))
	t.item("election", []byte(v.Election))
	t.item("roll-index", number(v.RollIndex))
	t.item("voter", v.Voter)
	t.item("kind", number(uint64(v.Kind)))
	t.item("body", v.Body)
	t.item("nonce", v.Signature.R)
	w.checkSchnorr(v.Voter, v.Signature, t.challenge("signature"))
	v.Transcript = *t
	return v
}
