package readable

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"votenode/app/state"
	"votenode/app/text"
	"votenode/app/tx"
	"votenode/client"
	pb "votenode/proto/votenode/v1"
)

// Posts is a reader of leaves, too.
type Posts interface {
	client.Reader
	// Leaf returns a leaf of a log that the view holds.
	Leaf(ctx context.Context, log string, index uint64) ([]byte, error)
}

// Initiative is an initiative for people. Spec 20.
type Initiative struct {
	Number    uint64 `json:"initiative"`
	Election  string `json:"election"`
	RollIndex uint64 `json:"roll_index"`
	// Title is empty where it is removed.
	Title string `json:"title"`
	// State is open, owed, overdue, answered or removed.
	State     string `json:"state"`
	Published int64  `json:"published"`
	Supports  uint64 `json:"supports"`
	Comments  uint64 `json:"comments"`
	// Owed is the height from which an answer is owed, Deadline the last one at which it is in time; both are 0 where none ever was.
	Owed     int64    `json:"owed"`
	Deadline int64    `json:"deadline"`
	Answer   *Answer  `json:"answer,omitempty"`
	Removed  *Removal `json:"removed,omitempty"`
}

// Answer is what the organisations answer.
type Answer struct {
	Height     int64  `json:"height"`
	Resolution string `json:"resolution"`
	Reason     string `json:"reason"`
	// Document is the hash of the document that is the answer, empty where the reason is.
	Document string `json:"document,omitempty"`
}

// Removal says by what a post or a candidate was removed.
type Removal struct {
	Height     int64  `json:"height"`
	Resolution string `json:"resolution"`
	Reason     string `json:"reason"`
}

// String says it in a sentence.
func (r *Removal) String() string {
	return fmt.Sprintf("removed by resolution %s: %s", r.Resolution, text.OneLine(r.Reason))
}

// Post is an initiative or a comment. What is removed has neither title nor text.
type Post struct {
	Post      uint64   `json:"post"`
	RollIndex uint64   `json:"roll_index"`
	Title     string   `json:"title,omitempty"`
	Text      string   `json:"text,omitempty"`
	Removed   *Removal `json:"removed,omitempty"`

	hash [32]byte // of the transaction
}

// LoadPost returns a leaf of the log of initiatives. A body that was removed is not shown. Spec 20.4.
func LoadPost(ctx context.Context, r Posts, index uint64) (*Post, error) {
	leaf, err := r.Leaf(ctx, state.LogInitiatives, index)
	if err != nil {
		return nil, err
	}
	parsed, err := tx.Parse(leaf)
	if err != nil {
		return nil, fmt.Errorf("%w: leaf %d of %s: %w", client.ErrVerification, index, state.LogInitiatives, err)
	}
	post := &Post{Post: index, hash: sha256.Sum256(leaf)}
	switch m := parsed.Body().(type) {
	case *pb.PublishInitiative:
		post.RollIndex, post.Title, post.Text = m.RollIndex, m.Title, m.Text
	case *pb.PostComment:
		post.RollIndex, post.Text = m.RollIndex, m.Text
	default:
		return nil, fmt.Errorf("%w: leaf %d of %s is a %v", client.ErrVerification, index, state.LogInitiatives, parsed.Kind())
	}
	removed, err := client.Load[pb.RemovedPost](ctx, r, state.RemovedPostKey(index))
	if err != nil || removed == nil {
		return post, err
	}
	resolution, err := LoadResolution(ctx, r, removed.Resolution)
	if err != nil {
		return nil, err
	}
	post.Title, post.Text = "", ""
	post.Removed = &Removal{removed.Height, resolution.Hash, resolution.Record.Resolution.Reason}
	return post, nil
}

// LoadInitiative returns an initiative, and its post. It fails with client.ErrAbsent.
func LoadInitiative(ctx context.Context, r Posts, number uint64) (*Initiative, *Post, error) {
	record, err := client.Find[pb.Initiative](ctx, r, state.InitiativeKey(number), fmt.Sprintf("initiative %d", number))
	if err != nil {
		return nil, nil, err
	}
	post, err := LoadPost(ctx, r, number)
	if err != nil {
		return nil, nil, err
	}
	if string(post.hash[:]) != string(record.Transaction) {
		return nil, nil, fmt.Errorf("%w: leaf %d of %s is not the transaction of the record", client.ErrVerification, number, state.LogInitiatives)
	}
	shown := &Initiative{
		Number: number, Election: record.Election, RollIndex: record.RollIndex, Title: post.Title, State: initiativeState(record, post.Removed, r.Height()),
		Published: record.Published, Supports: record.Supports, Comments: record.Comments, Owed: record.Owed, Deadline: record.Deadline,
		Removed: post.Removed,
	}
	if record.Answered == 0 {
		return shown, post, nil
	}
	resolution, err := LoadResolution(ctx, r, record.Answer)
	if err != nil {
		return nil, nil, err
	}
	decided := &resolution.Record.Resolution
	shown.Answer = &Answer{
		record.Answered, resolution.Hash, decided.Reason, hex.EncodeToString(decided.GetAnswerInitiative().GetDocument()),
	}
	return shown, post, nil
}

// initiativeState puts the state of an initiative after a height into a word.
func initiativeState(record *pb.Initiative, removed *Removal, height int64) string {
	switch {
	case removed != nil:
		return "removed"
	case record.Answered != 0:
		return "answered"
	case record.Owed == 0:
		return "open"
	case height > record.Deadline:
		return "overdue"
	}
	return "owed"
}

// LoadComment returns a comment of an initiative, counted from 0.
func LoadComment(ctx context.Context, r Posts, initiative, comment uint64) (*Post, error) {
	page, err := client.MustLoad[pb.CommentPage](ctx, r, state.CommentsKey(initiative, comment))
	if err != nil {
		return nil, err
	}
	at := comment % state.CommentsPerPage
	if at >= uint64(len(page.Posts)) {
		return nil, fmt.Errorf("comment %d of initiative %d: %w", comment, initiative, client.ErrAbsent)
	}
	return LoadPost(ctx, r, page.Posts[at])
}
