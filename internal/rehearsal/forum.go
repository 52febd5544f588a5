package rehearsal

import (
	cryptorand "crypto/rand"
	"testing"

	"votenode/app"
	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

// rules are those of initiatives on a rehearsed ledger: small enough to be met.
var rules = pb.InitiativeRules{Threshold: 2, AnswerHeights: 30, PublishRate: 3, CommentRate: 3, SupportRate: 6}

// fromMember is the body of a transaction about initiatives.
type fromMember interface {
	election.Message
	GetElection() string
	GetRollIndex() uint64
	GetNumber() uint64
}

// SignMember signs what a member of the roll sends.
func (e *Election) SignMember(body fromMember) []byte {
	return must(tx.SignVoter(Chain, body, e.Voters[body.GetRollIndex()], cryptorand.Reader))
}

// Initiative returns the transaction with which a member publishes.
func (e *Election) Initiative(member, number uint64, title string) []byte {
	return e.SignMember(&pb.PublishInitiative{Election: e.ID, RollIndex: member, Number: number, Title: title, Text: "# " + title + "\n\n\tBecause.\n"})
}

// Support returns the transaction with which a member supports an initiative, or takes that back.
func (e *Election) Support(member, number, initiative uint64, withdraw bool) []byte {
	return e.SignMember(&pb.SupportInitiative{Election: e.ID, RollIndex: member, Number: number, Initiative: initiative, Withdraw: withdraw})
}

// Comment returns the transaction with which a member comments on an initiative.
func (e *Election) Comment(member, number, initiative uint64, text string) []byte {
	return e.SignMember(&pb.PostComment{Election: e.ID, RollIndex: member, Number: number, Initiative: initiative, Text: text})
}

// openInitiatives decides that the members of the roll publish.
func (e *Election) openInitiatives() *pb.Resolution {
	return &pb.Resolution{Decision: &pb.Resolution_OpenInitiatives{OpenInitiatives: &pb.OpenInitiatives{Election: e.ID}}}
}

func answerOf(initiative uint64) *pb.Resolution {
	return &pb.Resolution{Reason: "It will be done.", Decision: &pb.Resolution_AnswerInitiative{AnswerInitiative: &pb.AnswerInitiative{Initiative: initiative}}}
}

func removalOf(post uint64) *pb.Resolution {
	return &pb.Resolution{Reason: "It names a person.", Decision: &pb.Resolution_RemovePost{RemovePost: &pb.RemovePost{Post: post}}}
}

// discuss has members publish, support and comment. Of two initiatives, 0 and 1, the first is answered, the second is owed an answer; a comment,
// post 3, is removed.
func (e *Election) discuss() {
	e.t.Helper()
	e.Resolve(e.openInitiatives())
	first := e.Initiative(0, 1, "Streetlights")
	e.Accept(first, e.Initiative(2, 1, "A library"))
	e.Refuse(tx.CodeMemberNumber, first)
	e.Accept(e.Support(3, 1, 0, false), e.Comment(5, 2, 0, "Yes."), e.Comment(2, 2, 1, "You know who pays."))
	e.Refuse(tx.CodeAlreadyDone, e.Support(3, 2, 0, false))
	e.Refuse(tx.CodeRevoked, e.Support(1, 1, 0, false))
	e.Accept(e.Support(4, 1, 0, false), e.Support(3, 2, 1, false), e.Support(0, 2, 1, false))
	e.Accept(e.Support(4, 2, 0, true))
	e.Resolve(answerOf(0))
	e.Refuse(tx.CodeInitiativeClosed, e.Support(5, 3, 0, false))
	e.Resolve(removalOf(3))
	e.Make(1)
}

// Debate has members of a sealed roll publish three initiatives: 0, with two comments, is answered by a document, 1 is removed, and the answer to
// 2 is overdue.
func (e *Election) Debate() {
	e.t.Helper()
	e.Resolve(e.openInitiatives())
	e.Accept(e.Initiative(0, 1, "Streetlights"), e.Initiative(1, 1, "My neighbour"), e.Initiative(2, 1, "A library"))
	e.Accept(e.Comment(1, 2, 0, "Yes."), e.Comment(2, 2, 0, "No."), e.Support(0, 2, 2, false), e.Support(1, 3, 2, false))
	answer := answerOf(0)
	answer.GetAnswerInitiative().Document = e.Publish(Manifest("answer"))
	e.Resolve(answer)
	e.Resolve(removalOf(1))
	for range rules.AnswerHeights {
		e.Make(1)
	}
}

// discuss lets members of a sealed roll, now and then under a wrong number, publish, support and comment, and officers decide about it.
func (c *crowd) discuss(e *Election) [][]byte {
	posts := max(1, int(must(c.View().Head(state.LogInitiatives)).Size))
	switch c.r.IntN(8) {
	case 0:
		return [][]byte{c.propose(e.openInitiatives())}
	case 1:
		return [][]byte{c.propose(answerOf(uint64(c.r.IntN(posts + 1))))}
	case 2:
		return [][]byte{c.propose(removalOf(uint64(c.r.IntN(posts + 1))))}
	}
	if c.View().Voters(state.MembersTree(e.ID)) == 0 && c.luck(90) {
		return [][]byte{c.propose(e.openInitiatives())}
	}
	roll := e.roll()
	var raw [][]byte
	for range c.r.IntN(6) {
		index := uint64(c.r.IntN(len(roll)))
		key, number := e.voter(&roll[index]), uint64(1)
		if key == nil {
			continue
		}
		if c.View().Voters(state.MembersTree(e.ID)) > 0 {
			number = must(state.LoadMember(c.View(), e.ID, index)).Number + uint64(one(c, []int{0, 1, 1, 1, 1, 1, 2}))
		}
		initiative := uint64(c.r.IntN(posts))
		body := one(c, []fromMember{
			&pb.PublishInitiative{Election: e.ID, RollIndex: index, Number: number, Title: "a", Text: "b"},
			&pb.SupportInitiative{Election: e.ID, RollIndex: index, Number: number, Initiative: initiative},
			&pb.SupportInitiative{Election: e.ID, RollIndex: index, Number: number, Initiative: initiative},
			&pb.SupportInitiative{Election: e.ID, RollIndex: index, Number: number, Initiative: initiative, Withdraw: true},
			&pb.PostComment{Election: e.ID, RollIndex: index, Number: number, Initiative: initiative, Text: "c"},
		})
		raw = append(raw, must(tx.SignVoter(Chain, body, key, cryptorand.Reader)))
	}
	return raw
}

// signMember signs a changed transaction of a member, where the roll has the member.
func (c *crowd) signMember(m fromMember, before []byte) []byte {
	if e := c.elections[m.GetElection()]; e != nil {
		if roll := e.roll(); m.GetRollIndex() < uint64(len(roll)) {
			if key := e.voter(&roll[m.GetRollIndex()]); key != nil {
				return must(tx.SignVoter(Chain, m, key, cryptorand.Reader))
			}
		}
	}
	return tx.Ballot(m, before)
}

// manyInitiatives: a member supports as many initiatives as one may, and more comments than a record lists stand under one.
func manyInitiatives(t testing.TB, watch func(*Ledger)) {
	l := New(t, func(g *pb.Genesis) {
		g.Parameters.Initiatives = pb.InitiativeRules{Threshold: 1, AnswerHeights: 1, PublishRate: 1_000, CommentRate: 1_000, SupportRate: 1_000}
	})
	watch(l)
	e := l.Create(Manifest("primary"))
	e.Enrol(3)
	e.Seal()
	e.Resolve(e.openInitiatives())
	number := uint64(0)
	next := func() uint64 { number++; return number }
	var raw [][]byte
	for range app.MaxSupported + 1 {
		raw = append(raw, e.Initiative(0, next(), "one of many"))
	}
	for i := range uint64(app.MaxSupported) {
		raw = append(raw, e.Support(0, next(), app.MaxSupported-1-i, false))
	}
	for range state.CommentsPerPage + 1 {
		raw = append(raw, e.Comment(0, next(), 1, "again"))
	}
	e.Accept(raw...)
	e.Refuse(tx.CodeSupportLimit, e.Support(0, next(), app.MaxSupported, false))
	e.Resolve(answerOf(3))
	e.Resolve(removalOf(5))
	e.Accept(e.Support(0, next(), app.MaxSupported, false))
}
