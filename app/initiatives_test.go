package app_test

import (
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"strings"
	"testing"

	"votenode/app"
	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// forum is a ledger with a sealed roll whose members publish.
type forum struct {
	*ledger
	members []*ballot.SecretKey
	numbers map[uint64]uint64
}

// newForum has n members, and opens their roll.
func newForum(t tester, n int) *forum {
	t.Helper()
	f := &forum{ledger: newLedger(t), numbers: map[uint64]uint64{}}
	f.resolve(createElectionOf(f.publish(f.rules)))
	f.members = f.roll(n)
	f.open(id)
	return f
}

func (f *forum) open(id string) {
	f.t.Helper()
	f.resolve(pb.Resolution{Decision: &pb.Resolution_OpenInitiatives{OpenInitiatives: &pb.OpenInitiatives{Election: id}}})
}

func (f *forum) number(member uint64) uint64 {
	f.numbers[member]++
	return f.numbers[member]
}

func (f *forum) initiative(member uint64) []byte {
	return f.signed1(member, &pb.PublishInitiative{
		Election: id, RollIndex: member, Number: f.number(member), Title: "Streetlights", Text: "# Why\n\n\tThey are dark.\n",
	})
}

func (f *forum) support(member, initiative uint64) []byte {
	return f.supportOf(member, initiative, false)
}

func (f *forum) withdraw(member, initiative uint64) []byte {
	return f.supportOf(member, initiative, true)
}

func (f *forum) supportOf(member, initiative uint64, withdraw bool) []byte {
	return f.signed1(member, &pb.SupportInitiative{
		Election: id, RollIndex: member, Number: f.number(member), Initiative: initiative, Withdraw: withdraw,
	})
}

func (f *forum) comment(member, initiative uint64) []byte {
	return f.signed1(member, &pb.PostComment{Election: id, RollIndex: member, Number: f.number(member), Initiative: initiative, Text: "Yes."})
}

// memberBody is what a member signs.
type memberBody interface {
	election.Message
	GetElection() string
	GetRollIndex() uint64
}

// signed1 signs a member's transaction.
func (f *forum) signed1(member uint64, body memberBody) []byte {
	return must(tx.SignVoter(chain, body, f.members[member], rand.Reader))
}

// discuss has members publish, support and comment, and what they publish answered and removed.
func (f *forum) discuss() {
	f.t.Helper()
	f.open(id)
	f.accept(f.initiative(0), f.initiative(1))
	f.accept(f.support(2, 0), f.comment(3, 0), f.support(4, 0), f.support(5, 1), f.comment(0, 1))
	f.accept(f.withdraw(2, 0), f.support(2, 1))
	f.resolve(answer(0, "There will be lights.", nil))
	f.resolve(removal(3))
}

func (f *forum) record(initiative uint64) *pb.Initiative {
	return must(state.MustLoad[pb.Initiative](f.view(), state.InitiativeKey(initiative)))
}

func (f *forum) member(index uint64) *pb.MemberActivity {
	return must(state.LoadMember(f.view(), id, index))
}

func answer(initiative uint64, reason string, document []byte) pb.Resolution {
	return pb.Resolution{Reason: reason, Decision: &pb.Resolution_AnswerInitiative{AnswerInitiative: &pb.AnswerInitiative{Initiative: initiative, Document: document}}}
}

func removal(post uint64) pb.Resolution {
	return pb.Resolution{Reason: "it names a person", Decision: &pb.Resolution_RemovePost{RemovePost: &pb.RemovePost{Post: post}}}
}

func revocation(voters ...uint64) pb.Resolution {
	return pb.Resolution{Reason: "left", Decision: &pb.Resolution_RevokeVoters{RevokeVoters: &pb.RevokeVoters{Election: id, Voters: voters}}}
}

// TestInitiative: published, supported up to the threshold, commented, answered; what an answer is owed for stays owed whatever is taken back.
func TestInitiative(t *testing.T) {
	f := newForum(t, 6)
	raw := f.initiative(0)
	f.accept(raw)
	hash := sha256.Sum256(raw)
	published := f.view().Height()
	if got := f.record(0); string(got.Transaction) != string(hash[:]) || got.RollIndex != 0 || got.Election != id || got.Published != published {
		t.Errorf("the initiative is %v", got)
	}
	f.refuse(tx.CodeMemberNumber, raw)

	f.accept(f.support(1, 0), f.comment(5, 0))
	f.refuse(tx.CodeAlreadyDone, f.support(1, 0))
	f.accept(f.withdraw(1, 0))
	f.refuse(tx.CodeNotSupported, f.withdraw(1, 0))
	if got := f.record(0); got.Supports != 0 || got.Comments != 1 || got.Owed != 0 {
		t.Errorf("the initiative is %v", got)
	}
	f.accept(f.support(1, 0), f.support(2, 0))
	owed := f.view().Height()
	f.accept(f.withdraw(2, 0), f.comment(2, 0))
	want := pb.Initiative{
		Election: id, Transaction: hash[:], Published: published, Supports: 1, Comments: 2, Owed: owed, Deadline: owed + 20,
	}
	if got := f.record(0); string(election.Encode(got)) != string(election.Encode(&want)) {
		t.Errorf("the initiative is %v, want %v", got, &want)
	}
	if value := must(f.view().Record(state.OwedKey(owed+20, 0))); value == nil {
		t.Error("no answer is owed")
	}
	page := must(state.MustLoad[pb.CommentPage](f.view(), state.CommentsKey(0, 0)))
	if !slices.Equal(page.Posts, []uint64{1, 2}) {
		t.Errorf("the comments are posts %v", page.Posts)
	}
	if got := f.member(2); got.Number != 3 || got.Supports != 2 || got.Comments != 1 || len(got.Supported) != 0 {
		t.Errorf("member 2 is %v", got)
	}

	f.refuseProposal(tx.CodeUnknownInitiative, answer(1, "No.", nil))
	f.refuseProposal(tx.CodeDocumentUnknown, answer(0, "", hash[:]))
	r := answer(0, "There will be lights.", nil)
	f.resolve(r)
	r.Nonce = f.nonce
	resolution := app.ResolutionHash(chain, &r)
	if got := f.record(0); got.Answered != f.view().Height() || string(got.Answer) != string(resolution[:]) {
		t.Errorf("the initiative is %v", got)
	}
	if value := must(f.view().Record(state.OwedKey(owed+20, 0))); value != nil {
		t.Error("an answer is owed still")
	}
	f.refuseProposal(tx.CodeAlreadyDone, answer(0, "No.", nil))
	f.refuse(tx.CodeInitiativeClosed, f.support(3, 0))
	f.accept(f.comment(3, 0))
}

// TestRemovePost: an initiative that is removed takes nothing more, and no answer is owed; leaf and record stay. A comment can be removed, too.
func TestRemovePost(t *testing.T) {
	f := newForum(t, 4)
	raw := f.initiative(0)
	f.accept(raw, f.comment(1, 0), f.support(1, 0), f.support(2, 0))
	f.refuseProposal(tx.CodeUnknownPost, removal(2))
	f.resolve(removal(1))
	f.accept(f.comment(2, 0))
	f.resolve(removal(0))
	f.refuseProposal(tx.CodeAlreadyDone, removal(0))
	f.refuseProposal(tx.CodeInitiativeClosed, answer(0, "No.", nil))
	f.refuse(tx.CodeInitiativeClosed, f.withdraw(1, 0))
	f.refuse(tx.CodeInitiativeClosed, f.comment(1, 0))
	if leaf := must(f.view().Leaf(state.LogInitiatives, 0)); string(leaf) != string(raw) {
		t.Error("the leaf is another one")
	}
	removed := must(state.MustLoad[pb.RemovedPost](f.view(), state.RemovedPostKey(0)))
	if len(removed.Resolution) != 32 || removed.Height != f.view().Height()-4 {
		t.Errorf("the removal is %v", removed)
	}
	err := f.view().Records(state.OwedPrefix, func(key string, _ []byte) error {
		t.Errorf("there is %q", key)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestMembers: who may act, in which roll, and how often.
func TestMembers(t *testing.T) {
	f := newForum(t, 5)
	other := &pb.PublishInitiative{Election: "other", RollIndex: 0, Number: 1, Title: "t", Text: "t"}
	f.refuse(tx.CodeUnknownElection, f.signed1(0, other))
	f.refuse(tx.CodeUnknownVoter, f.signed1(0, &pb.PublishInitiative{Election: id, RollIndex: 5, Number: 1, Title: "t", Text: "t"}))
	f.refuse(tx.CodeBadSignature, f.signed1(1, &pb.PublishInitiative{Election: id, RollIndex: 0, Number: 1, Title: "t", Text: "t"}))
	f.refuse(tx.CodeUnknownInitiative, f.support(0, 0))
	f.refuse(tx.CodeUnknownInitiative, f.comment(0, 0))

	f.accept(f.initiative(0), f.initiative(0), f.initiative(0))
	f.refuse(tx.CodeMemberRate, f.initiative(0))
	f.accept(f.comment(0, 1), f.comment(0, 1), f.comment(0, 1))
	f.refuse(tx.CodeMemberRate, f.comment(0, 1))
	f.accept(f.support(3, 0), f.withdraw(3, 0), f.support(3, 0), f.withdraw(3, 0), f.support(3, 0))
	f.refuse(tx.CodeMemberRate, f.support(3, 1))

	f.resolve(revocation(3))
	f.refuse(tx.CodeRevoked, f.initiative(3))
	f.refuse(tx.CodeRevoked, f.withdraw(3, 0))
	f.refuse(tx.CodeRevoked, f.comment(3, 0))
	if got := f.record(0); got.Supports != 1 {
		t.Errorf("a revoked member's support is gone: %v", got)
	}
}

// TestRateWindow: what a member has sent counts up to the next multiple of the window's heights.
func TestRateWindow(t *testing.T) {
	f := newForum(t, 3)
	f.accept(f.initiative(0), f.initiative(0), f.initiative(0))
	for f.view().Height() < app.RateWindow-2 {
		f.block(1)
	}
	f.refuse(tx.CodeMemberRate, f.initiative(0))
	f.accept(f.initiative(0))
	if got := f.member(0); got.Window != 1 || got.Initiatives != 1 || f.view().Height() != app.RateWindow {
		t.Errorf("at height %d member 0 is %v", f.view().Height(), got)
	}
}

// TestOpenInitiatives: only a sealed roll is opened; another one takes its place for what is new, and what runs keeps its own.
func TestOpenInitiatives(t *testing.T) {
	l := newLedger(t)
	open := func(id string) pb.Resolution {
		return pb.Resolution{Decision: &pb.Resolution_OpenInitiatives{OpenInitiatives: &pb.OpenInitiatives{Election: id}}}
	}
	l.refuseProposal(tx.CodeUnknownElection, open(id))
	l.resolve(createElectionOf(l.publish(l.rules)))
	l.refuseProposal(tx.CodeWrongPhase, open(id))
	f := &forum{ledger: l, numbers: map[uint64]uint64{}}
	f.members = f.roll(3)
	f.refuse(tx.CodeOtherRoll, f.initiative(0))
	f.open(id)
	f.refuseProposal(tx.CodeAlreadyDone, open(id))
	f.accept(f.initiative(0))

	second := manifest()
	second.Election = "second"
	f.resolve(createElectionOf(f.publish(second)))
	key := must(ballot.GenerateKey(rand.Reader))
	f.accept(enrol("party registrar 1", &pb.AddRollEntries{Election: "second", Entries: []pb.RollEntry{{Key: key.Public().Bytes()}}}))
	head := must(f.view().Head(state.LogRoll("second")))
	f.resolve(pb.Resolution{Decision: &pb.Resolution_SealRoll{SealRoll: &pb.SealRoll{Election: "second", Size_: head.Size, Root: head.Root[:]}}})
	f.open("second")
	f.refuse(tx.CodeOtherRoll, f.initiative(0))
	f.accept(f.support(1, 0), f.comment(0, 0))
	f.refuse(tx.CodeOtherRoll, must(tx.SignVoter(chain, &pb.SupportInitiative{Election: "second", Number: 1}, key, rand.Reader)))
	f.accept(must(tx.SignVoter(chain, &pb.PublishInitiative{Election: "second", Number: 2, Title: "t", Text: "t"}, key, rand.Reader)))
	f.open(id)
	f.accept(f.initiative(0))
	if got := f.member(0); got.Number != f.numbers[0] {
		t.Errorf("member 0 is %v", got)
	}
}

// TestSupportLimit: a member supports so many initiatives that are open; what is closed is forgotten when the list is full.
func TestSupportLimit(t *testing.T) {
	f := newForum(t, 3)
	parameters := parameters()
	parameters.Initiatives.PublishRate, parameters.Initiatives.SupportRate = 1_000, 1_000
	f.resolve(pb.Resolution{Decision: &pb.Resolution_ChangeParameters{ChangeParameters: &pb.ChangeParameters{Parameters: parameters}}})
	var all [][]byte
	for i := range uint64(app.MaxSupported + 2) {
		all = append(all, f.initiative(0))
		if i < app.MaxSupported {
			all = append(all, f.support(1, app.MaxSupported-1-i))
		}
	}
	slices.SortStableFunc(all, func(a, b []byte) int { return int(must(tx.Parse(a)).Kind()) - int(must(tx.Parse(b)).Kind()) })
	f.accept(all...)
	if got := f.member(1); len(got.Supported) != app.MaxSupported || !slices.IsSorted(got.Supported) {
		t.Errorf("member 1 is %v", got)
	}
	f.refuse(tx.CodeSupportLimit, f.support(1, app.MaxSupported))
	f.resolve(answer(5, "Yes.", nil))
	f.resolve(removal(7))
	f.accept(f.support(1, app.MaxSupported))
	if got := f.member(1); len(got.Supported) != app.MaxSupported-1 || slices.Contains(got.Supported, 5) || slices.Contains(got.Supported, 7) {
		t.Errorf("member 1 is %v", got)
	}
	f.accept(f.support(1, app.MaxSupported+1), f.initiative(0))
	f.refuse(tx.CodeSupportLimit, f.support(1, app.MaxSupported+2))
	f.accept(f.withdraw(1, 6))
}

// TestCommentPages: comments are listed in records of so many.
func TestCommentPages(t *testing.T) {
	f := newForum(t, 3)
	parameters := parameters()
	parameters.Initiatives.CommentRate = 1_000
	f.resolve(pb.Resolution{Decision: &pb.Resolution_ChangeParameters{ChangeParameters: &pb.ChangeParameters{Parameters: parameters}}})
	f.accept(f.initiative(0), f.initiative(0))
	for range 2 {
		var all [][]byte
		for range state.CommentsPerPage / 2 {
			all = append(all, f.comment(1, 1))
		}
		f.accept(all...)
	}
	f.accept(f.comment(2, 1))
	first := must(state.MustLoad[pb.CommentPage](f.view(), state.CommentsKey(1, 255)))
	second := must(state.MustLoad[pb.CommentPage](f.view(), state.CommentsKey(1, 256)))
	if len(first.Posts) != 256 || first.Posts[0] != 2 || !slices.Equal(second.Posts, []uint64{258}) || f.record(1).Comments != 257 {
		t.Errorf("%d comments from %d on, then %v", len(first.Posts), first.Posts[0], second.Posts)
	}
}

// TestPostForm: what no block may hold.
func TestPostForm(t *testing.T) {
	long := strings.Repeat("a", tx.MaxInitiative)
	for name, c := range map[string]struct {
		body election.Message
		fits bool
	}{
		"longest initiative": {&pb.PublishInitiative{Title: long[:200], Text: long}, true},
		"long text":          {&pb.PublishInitiative{Title: "t", Text: long + "a"}, false},
		"no text":            {&pb.PublishInitiative{Title: "t"}, false},
		"no title":           {&pb.PublishInitiative{Text: "t"}, false},
		"long title":         {&pb.PublishInitiative{Title: long[:201], Text: "t"}, false},
		"title in lines":     {&pb.PublishInitiative{Title: "a\nb", Text: "t"}, false},
		"lines and tabs":     {&pb.PublishInitiative{Title: "t", Text: "\n\t"}, true},
		"carriage return":    {&pb.PublishInitiative{Title: "t", Text: "a\r\n"}, false},
		"turned writing":     {&pb.PostComment{Text: "a\u202eb"}, false},
		"no UTF-8":           {&pb.PostComment{Text: "a\xff"}, false},
		"longest comment":    {&pb.PostComment{Text: long[:4_096]}, true},
		"long comment":       {&pb.PostComment{Text: long[:4_097]}, false},
	} {
		_, err := tx.Parse(tx.Ballot(c.body, make([]byte, 64)))
		if (err == nil) != c.fits {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, r := range map[string]pb.Resolution{
		"an answer without one":    answer(0, "", nil),
		"a short document":         answer(0, "Yes.", make([]byte, 31)),
		"a removal without reason": {Decision: &pb.Resolution_RemovePost{RemovePost: &pb.RemovePost{}}},
	} {
		if _, err := tx.Parse(sign("party officer 1", &pb.ProposeResolution{Resolution: r})); err == nil {
			t.Errorf("%s is in form", name)
		}
	}
}
