package recount

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/recount/rules"
)

// initiatives is what members publish, and what became of it. What each member did lies with the election whose roll it is.
type initiatives struct {
	open     string // the election whose roll is open; empty before the first
	log      log
	list     map[uint64]*initiative // by index in the log
	removals map[uint64]*pb.RemovedPost
}

// initiative has its record and the places of its comments in the log.
type initiative struct {
	pb.Initiative
	comments []uint64
}

func newInitiatives() initiatives {
	return initiatives{list: map[uint64]*initiative{}, removals: map[uint64]*pb.RemovedPost{}}
}

const (
	rateWindow   = 10_000 // heights
	mostSupports = 64     // of initiatives that are open
	pageComments = 256
	// number, window, three counts, and the supported initiatives, each as its number plus one
	memberBytes = 2*8 + 3*4 + mostSupports*8
)

// member is what one entry of a roll has sent.
type member struct {
	number, window uint64
	sent           [3]uint32 // initiatives, comments, supports of the window
	supports       []uint64
}

func parseMember(b []byte) member {
	m := member{number: binary.BigEndian.Uint64(b), window: binary.BigEndian.Uint64(b[8:])}
	for i := range m.sent {
		m.sent[i] = binary.BigEndian.Uint32(b[16+4*i:])
	}
	for b = b[28:]; len(b) > 0; b = b[8:] {
		if n := binary.BigEndian.Uint64(b); n > 0 {
			m.supports = append(m.supports, n-1)
		}
	}
	return m
}

func (m *member) bytes() []byte {
	b := binary.BigEndian.AppendUint64(nil, m.number)
	b = binary.BigEndian.AppendUint64(b, m.window)
	for _, n := range m.sent {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	for _, n := range m.supports {
		b = binary.BigEndian.AppendUint64(b, n+1)
	}
	return append(b, make([]byte, memberBytes-len(b))...)
}

// leaf returns the leaf of the members' tree. Spec 20.2.
func (m *member) leaf() []byte {
	return rules.Encode(&pb.MemberActivity{
		Number: m.number, Window: m.window, Initiatives: m.sent[0], Comments: m.sent[1], Supports: m.sent[2], Supported: m.supports,
	})
}

// memberBody is the body of a transaction that a member signs.
type memberBody interface {
	rules.Message
	GetElection() string
	GetRollIndex() uint64
	GetNumber() uint64
}

// memberSigned: spec 3.16.
func (r *Recount) memberSigned(e *pb.Envelope, m memberBody) error {
	of := r.byID[m.GetElection()]
	switch {
	case of == nil:
		return refuse(codeUnknownElection, "there is no election %q", m.GetElection())
	case !of.sealed:
		return refuse(codeWrongPhase, "the roll is not sealed")
	}
	key, known, err := r.VoterKey(of.id, m.GetRollIndex())
	if err != nil {
		return err
	}
	if !known {
		return refuse(codeUnknownVoter, "the roll has no entry %d", m.GetRollIndex())
	}
	s := ballot.Signed{Chain: r.chain, Election: of.id, RollIndex: m.GetRollIndex(), Voter: key, Kind: e.Kind, Body: e.Body}
	if s.Verify(e.Signature) != nil {
		return refuse(codeBadSignature, "its signature does not hold")
	}
	return nil
}

// sender returns what a member has sent, with a new window begun where it is time; the signature has shown that the roll has the member.
func (r *Recount) sender(m memberBody, roll string) (member, error) {
	e := r.byID[m.GetElection()]
	if e.id != roll {
		return member{}, refuse(codeOtherRoll, "the roll is that of %q", roll)
	}
	v, err := e.roll.voter(m.GetRollIndex())
	if err != nil {
		return member{}, err
	}
	if v.status == pb.VOTER_REVOKED || e.barred[m.GetRollIndex()] != 0 {
		return member{}, refuse(codeRevoked, "the entry was revoked")
	}
	var b [memberBytes]byte
	if err := e.members.Get(m.GetRollIndex(), b[:]); err != nil {
		return member{}, err
	}
	sender := parseMember(b[:])
	if m.GetNumber() <= sender.number {
		return member{}, refuse(codeMemberNumber, "number %d is not above %d", m.GetNumber(), sender.number)
	}
	if now := uint64(r.height / rateWindow); now != sender.window {
		sender.window, sender.sent = now, [3]uint32{}
	}
	return sender, nil
}

// count counts one more transaction, or refuses it; kind is the place in member.sent.
func (m *member) count(kind int, most uint32) error {
	if m.sent[kind] >= most {
		return refuse(codeMemberRate, "%d were sent in this window", m.sent[kind])
	}
	m.sent[kind]++
	return nil
}

// keep notes what a member has sent with a transaction.
func (r *Recount) keep(body memberBody, m *member) error {
	m.number = body.GetNumber()
	return r.byID[body.GetElection()].members.Set(body.GetRollIndex(), m.bytes())
}

// publishInitiative: spec 9.52.
func (r *Recount) publishInitiative(raw []byte, m *pb.PublishInitiative) error {
	author, err := r.sender(m, r.initiatives.open)
	if err != nil {
		return err
	}
	if err := author.count(0, r.parameters.Initiatives.PublishRate); err != nil {
		return err
	}
	hash, all := sha256.Sum256(raw), &r.initiatives
	all.list[all.log.size()] = &initiative{Initiative: pb.Initiative{
		Election: m.Election, RollIndex: m.RollIndex, Transaction: hash[:], Published: r.height,
	}}
	all.log.add(raw)
	return r.keep(m, &author)
}

// ended says whether an initiative can be supported no more.
func (a *initiatives) ended(number uint64) bool {
	return a.list[number].Answered > 0 || a.removals[number] != nil
}

// supportInitiative: spec 9.53.
func (r *Recount) supportInitiative(m *pb.SupportInitiative) error {
	i := r.initiatives.list[m.Initiative]
	if i == nil {
		return refuse(codeUnknownInitiative, "there is no initiative %d", m.Initiative)
	}
	s, err := r.sender(m, i.Election)
	if err != nil {
		return err
	}
	has := slices.Contains(s.supports, m.Initiative)
	switch {
	case r.initiatives.ended(m.Initiative):
		return refuse(codeInitiativeClosed, "it was answered or removed")
	case m.Withdraw && !has:
		return refuse(codeNotSupported, "there is no support to take back")
	case has && !m.Withdraw:
		return refuse(codeAlreadyDone, "the member supports it")
	}
	if err := s.count(2, r.parameters.Initiatives.SupportRate); err != nil {
		return err
	}
	if len(s.supports) == mostSupports {
		s.supports = slices.DeleteFunc(s.supports, r.initiatives.ended)
	}
	switch {
	case m.Withdraw:
		s.supports = slices.DeleteFunc(s.supports, func(n uint64) bool { return n == m.Initiative })
		i.Supports--
	case len(s.supports) == mostSupports:
		return refuse(codeSupportLimit, "the member supports %d that are open", mostSupports)
	default:
		s.supports = append(s.supports, m.Initiative)
		slices.Sort(s.supports)
		i.Supports++
	}
	if i.Owed == 0 && i.Supports >= r.parameters.Initiatives.Threshold {
		i.Owed, i.Deadline = r.height, r.height+int64(r.parameters.Initiatives.AnswerHeights)
	}
	return r.keep(m, &s)
}

// postComment: spec 9.54.
func (r *Recount) postComment(raw []byte, m *pb.PostComment) error {
	i := r.initiatives.list[m.Initiative]
	if i == nil {
		return refuse(codeUnknownInitiative, "there is no initiative %d", m.Initiative)
	}
	s, err := r.sender(m, i.Election)
	if err != nil {
		return err
	}
	if r.initiatives.removals[m.Initiative] != nil {
		return refuse(codeInitiativeClosed, "it was removed")
	}
	if err := s.count(1, r.parameters.Initiatives.CommentRate); err != nil {
		return err
	}
	i.comments = append(i.comments, r.initiatives.log.size())
	r.initiatives.log.add(raw)
	return r.keep(m, &s)
}

// mayOpenInitiatives: spec 9.55.
func (r *Recount) mayOpenInitiatives(d *pb.OpenInitiatives) error {
	switch e := r.byID[d.Election]; {
	case e == nil:
		return refuse(codeUnknownElection, "there is no election %q", d.Election)
	case !e.sealed:
		return refuse(codeWrongPhase, "the roll is not sealed")
	case e.owner != nil:
		return refuse(codeRollElsewhere, "the roll is that of %q", e.owner.id)
	case e.id == r.initiatives.open:
		return refuse(codeAlreadyDone, "the roll is open")
	}
	return nil
}

func (r *Recount) openInitiatives(d *pb.OpenInitiatives) {
	e := r.byID[d.Election]
	if e.members == nil {
		e.members = r.space.Cells(memberBytes)
	}
	r.initiatives.open = e.id
}

// mayAnswer: spec 9.56.
func (r *Recount) mayAnswer(d *pb.AnswerInitiative) error {
	switch i := r.initiatives.list[d.Initiative]; {
	case i == nil:
		return refuse(codeUnknownInitiative, "there is no initiative %d", d.Initiative)
	case i.Answered > 0:
		return refuse(codeAlreadyDone, "it was answered")
	case r.initiatives.removals[d.Initiative] != nil:
		return refuse(codeInitiativeClosed, "it was removed")
	case len(d.Document) > 0 && r.documents[[32]byte(d.Document)] == nil:
		return refuse(codeDocumentUnknown, "the document is not on the ledger")
	}
	return nil
}

func (r *Recount) answer(d *pb.AnswerInitiative, resolution [32]byte) {
	i := r.initiatives.list[d.Initiative]
	i.Answered, i.Answer = r.height, resolution[:]
}

// mayRemovePost: spec 9.57.
func (r *Recount) mayRemovePost(d *pb.RemovePost) error {
	switch {
	case d.Post >= r.initiatives.log.size():
		return refuse(codeUnknownPost, "there is no leaf %d", d.Post)
	case r.initiatives.removals[d.Post] != nil:
		return refuse(codeAlreadyDone, "it was removed")
	}
	return nil
}

func (r *Recount) removePost(d *pb.RemovePost, resolution [32]byte) {
	r.initiatives.removals[d.Post] = &pb.RemovedPost{Resolution: resolution[:], Height: r.height}
}

// initiativeRecords tells the records of initiatives, and the head of their log. Spec 5.2.
func (r *Recount) initiativeRecords(emit Emit) {
	all := &r.initiatives
	if all.open != "" {
		emit(Ledger, "initiatives", rules.Encode(&pb.Initiatives{Election: all.open}))
	}
	head(emit, Ledger, "log/initiatives", &all.log)
	for number, i := range all.list {
		i.Comments = uint64(len(i.comments))
		emit(Ledger, fmt.Sprintf("initiative/%012d", number), rules.Encode(&i.Initiative))
		page := 0
		for posts := range slices.Chunk(i.comments, pageComments) {
			emit(Ledger, fmt.Sprintf("comments/%012d/%07d", number, page), rules.Encode(&pb.CommentPage{Posts: posts}))
			page++
		}
		if i.Owed > 0 && !all.ended(number) {
			emit(Ledger, fmt.Sprintf("answer-owed/%012d/%012d", i.Deadline, number), nil)
		}
	}
	for post, removed := range all.removals {
		emit(Ledger, fmt.Sprintf("removed-post/%012d", post), rules.Encode(removed))
	}
}

// memberRecord tells the head of the members' tree.
func (e *election) memberRecord(at string, emit Emit) error {
	var tree log
	err := e.members.Each(e.roll.size, func(_ uint64, cell []byte) error {
		m := parseMember(cell)
		tree.add(m.leaf())
		return nil
	})
	head(emit, Ledger, at+"/members", &tree)
	return err
}
