package readable

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"votenode/app/election"
	pb "votenode/proto/votenode/v1"
)

// Lot is a round of the lot of an election, as far as it has come. Hashes, commitments, secrets and the seed are hexadecimal, empty where they are not
// known.
type Lot struct {
	// Round is from 1. A round above 1 is there because the one before was ended without a secret.
	Round uint32 `json:"round"`
	// Renewed is the hash of the resolution that ended the round, empty for the present one.
	Renewed string `json:"renewed"`
	// Parts are those of all organisations.
	Parts []LotPart `json:"parts"`
	// Height and HeaderHash are those of the lot block, 0 and empty before it is fixed.
	Height     int64  `json:"lot_block_height"`
	HeaderHash string `json:"lot_block_hash"`
	Seed       string `json:"seed"`
	// Deadline is from when on the round may be ended where a secret is missing, block time in unix seconds; 0 before the lot block is fixed.
	Deadline int64 `json:"deadline"`
	// Missing are the organisations that everybody waits for: those that have not committed, or once the lot block is fixed, not revealed.
	Missing []string `json:"missing"`
}

// LotPart is one organisation's part in a lot.
type LotPart struct {
	Organisation string `json:"organisation"`
	Commitment   string `json:"commitment"`
	Secret       string `json:"secret"`
	// Kept is how many rounds were ended without its secret though it was its turn. Those with more reveal first.
	Kept uint32 `json:"kept"`
}

// ShowLot tells of the lot of an election with lists; record is nil before anybody has committed. organisations are all of the ledger, sorted.
func ShowLot(organisations []string, record *pb.Lot) *Lot {
	if record == nil {
		record = &pb.Lot{Round: 1}
	}
	shown := &Lot{
		Round: record.Round, Renewed: hex.EncodeToString(record.Renewed), Seed: hex.EncodeToString(record.Seed), Deadline: record.Deadline,
		Missing: []string{},
	}
	if record.Fixed {
		shown.Height, shown.HeaderHash = record.Height, hex.EncodeToString(record.HeaderHash)
	}
	for _, id := range organisations {
		part := LotPart{Organisation: id}
		if at := slices.IndexFunc(record.Parts, func(p pb.LotPart) bool { return p.Organisation == id }); at >= 0 {
			p := &record.Parts[at]
			part.Commitment, part.Secret, part.Kept = hex.EncodeToString(p.Commitment), hex.EncodeToString(p.Secret), p.Kept
		}
		if part.Commitment == "" || record.Fixed && part.Secret == "" {
			shown.Missing = append(shown.Missing, id)
		}
		shown.Parts = append(shown.Parts, part)
	}
	return shown
}

// Words tells how far the lot has come, and who is waited for.
func (l *Lot) Words() string {
	missing := strings.Join(l.Missing, ", ")
	round, waits, fixed := "", "; the election is not ready before", "after the closing"
	if l.Round > 1 {
		round, waits, fixed = fmt.Sprintf("round %d, ", l.Round), "", "next"
	}
	switch {
	case l.Seed != "":
		return round + "drawn, seed " + l.Seed
	case l.HeaderHash != "":
		return round + "waits for the secret of " + missing
	case missing != "":
		return round + "waits for the commitment of " + missing + waits
	}
	return round + "committed by all organisations; its block is fixed " + fixed
}

// List is the list of a contest. Candidates are named by their option.
type List struct {
	Contest uint32 `json:"contest"`
	Title   string `json:"title"`
	// Status is none, formed or withheld.
	Status  string `json:"status"`
	Seats   uint32 `json:"seats"`
	Outside uint32 `json:"outside"`
	Empty   uint32 `json:"empty"`
	// Places are those of the primary, from the first on.
	Places        []ListPlace    `json:"places"`
	Substitutions []Substitution `json:"substitutions"`
	Young         ListQuota      `json:"young"`
	Women         ListQuota      `json:"women"`
	Ties          []Tie          `json:"ties"`
}

// ListPlace is a place of a list.
type ListPlace struct {
	Place       int    `json:"place"`
	Candidate   string `json:"candidate"`
	Votes       uint64 `json:"votes"`
	Substituted bool   `json:"substituted"`
}

// Substitution is a candidate whom a quota, young, woman or both, brought onto a list, and the one who made room.
type Substitution struct {
	In     string `json:"in"`
	Out    string `json:"out"`
	Place  uint32 `json:"place"`
	Reason string `json:"reason"`
}

// ListQuota is how many of a group a quota asks for, and how many of them the list lacks.
type ListQuota struct {
	Required uint32 `json:"required"`
	Missing  uint32 `json:"missing"`
}

// Tie are candidates with the same votes, in the order of the lot.
type Tie struct {
	Votes      uint64   `json:"votes"`
	Candidates []string `json:"candidates"`
}

// ShowList tells of the list of a contest with a rule; record is nil before it is formed.
func ShowList(contest uint32, c *pb.Contest, record *pb.List) *List {
	shown := &List{
		Contest: contest, Title: c.Title, Status: "none", Seats: c.List.Seats, Outside: c.List.Outside,
		Places: []ListPlace{}, Substitutions: []Substitution{}, Ties: []Tie{},
	}
	if record == nil {
		return shown
	}
	shown.Status = strings.ToLower(strings.TrimPrefix(record.Status.String(), "LIST_"))
	shown.Empty = record.Empty
	shown.Young, shown.Women = ListQuota{record.YoungRequired, record.YoungMissing}, ListQuota{record.WomanRequired, record.WomanMissing}
	for i, p := range record.Places {
		shown.Places = append(shown.Places, ListPlace{i + 1, c.Options[p.Option], p.Votes, p.Substituted})
	}
	for _, s := range record.Substitutions {
		reason := strings.ToLower(strings.TrimPrefix(s.Reason.String(), "SUBSTITUTION_"))
		shown.Substitutions = append(shown.Substitutions, Substitution{c.Options[s.In], c.Options[s.Out], s.Place, reason})
	}
	for _, t := range record.Ties {
		tie := Tie{Votes: t.Votes}
		for _, option := range t.Options {
			tie.Candidates = append(tie.Candidates, c.Options[option])
		}
		shown.Ties = append(shown.Ties, tie)
	}
	return shown
}

// organisationIDs returns the ids of the organisations of a ledger, which are sorted.
func organisationIDs(g *pb.Genesis) []string {
	var ids []string
	for i := range g.Organisations {
		ids = append(ids, g.Organisations[i].Organisation.Id)
	}
	return ids
}

// lotOf returns the lot of an election with lists, nil where there are none.
func lotOf(g *pb.Genesis, m *pb.Manifest, record *pb.Lot) *Lot {
	if !election.HasList(m) {
		return nil
	}
	return ShowLot(organisationIDs(g), record)
}
