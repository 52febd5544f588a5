package readable

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"votenode/app/election"
	"votenode/client"
	pb "votenode/proto/votenode/v1"
)

// Subject is what a resolution decides, about which election, and the hash of the document that it names; the latter two may be empty.
type Subject struct {
	Decision string
	Election string
	Document []byte
}

// DecisionName returns the name of the field that a resolution has set; every one on the ledger decides something.
func DecisionName(r *pb.Resolution) string {
	if r.Decision == nil {
		return ""
	}
	name, _, _ := strings.Cut(reflect.TypeOf(r.Decision).Elem().Field(0).Tag.Get("json"), ",")
	return name
}

// SubjectOf returns the subject of a resolution. The election of a manifest or of nominations stands in the document, which is read for it.
func SubjectOf(ctx context.Context, r client.Reader, decided *pb.Resolution) (*Subject, error) {
	s := &Subject{Decision: DecisionName(decided)}
	switch {
	case decided.GetCreateElection() != nil:
		s.Document = decided.GetCreateElection().Manifest
	case decided.GetOpenNominations() != nil:
		s.Document = decided.GetOpenNominations().Nominations
	case decided.GetCancelNominations() != nil:
		s.Election = decided.GetCancelNominations().Nominations
		return s, nil
	case decided.GetAnswerInitiative() != nil:
		s.Document = decided.GetAnswerInitiative().Document
		return s, nil
	case decided.Decision != nil:
		decision := reflect.ValueOf(decided.Decision).Elem().Field(0).Interface()
		if about, ok := decision.(interface{ GetElection() string }); ok {
			s.Election = about.GetElection()
		}
		return s, nil
	}
	if len(s.Document) == 0 {
		return s, nil
	}
	document, err := LoadDocument(ctx, r, s.Document)
	if errors.Is(err, client.ErrAbsent) { // proposed with a hash of nothing
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	s.Election = document.Election
	return s, nil
}

// Document is a document on the ledger that has the hash by which it was asked for.
type Document struct {
	// Election is that of a manifest or of nominations, empty for any other document.
	Election string
	// Words say what it is.
	Words string
	// Text is the message as JSON, or the document as it is.
	Text []byte
}

// LoadDocument reads a document by its hash. It fails with client.ErrAbsent and client.ErrVerification.
func LoadDocument(ctx context.Context, r client.Reader, hash []byte) (*Document, error) {
	raw, err := client.LoadDocument(ctx, r, hash)
	if err != nil {
		return nil, err
	}
	if m, err := election.ParseManifest(raw); err == nil {
		words := fmt.Sprintf("the manifest of election %q, %s: %d contests, %d ballot styles", m.Election, m.Title, len(m.Contests), len(m.Styles))
		return &Document{m.Election, words, FormatMessage(m)}, nil
	}
	if n, err := election.ParseNominations(raw); err == nil {
		words := fmt.Sprintf("the nominations %q, %s: %d lists, %d ballot styles", n.Manifest.Election, n.Manifest.Title, len(n.Lists), len(n.Manifest.Styles))
		return &Document{n.Manifest.Election, words, FormatMessage(n)}, nil
	}
	return &Document{Words: fmt.Sprintf("a document of %d bytes, neither a manifest nor nominations that keep their rules", len(raw)), Text: raw}, nil
}
