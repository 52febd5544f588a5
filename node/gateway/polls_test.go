package gateway

import (
	"fmt"
	"net/http"
	"testing"

	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
)

// askForPoll: the open poll of the story is an election with what is particular to it.
func askForPoll(w *world, e *rehearsal.Election) {
	var shown struct {
		Height           int64
		ID, Title, Phase string
		Opening, Closing int64
		OpenChoices      bool   `json:"open_choices"`
		RollOf           string `json:"roll_of"`
		Voters, Recorded uint64
		Contests         []struct {
			Contest uint32
			Title   string
			Options []string
			Status  string
			Votes   []uint64
			Ballots uint64
			Sum     []uint64
		}
	}
	w.get("/v1/elections/poll", &shown)
	if shown.Phase != "final" || !shown.OpenChoices || shown.RollOf != "primary" || shown.Voters != 8 || shown.Recorded != 4 ||
		fmt.Sprint(shown.Contests) != "[{0 Place [Almaty Astana Shymkent] counted [0 3 1] 3 [0 3 1]}]" {
		w.Errorf("%+v", shown)
	}
	var p shownPhases
	w.get("/v1/elections/poll/phases", &p)
	names := ""
	for _, each := range p.Phases {
		names += each.Phase + " "
		if timed := each.Phase == "voting" || each.Phase == "final"; timed != (each.Height > 0) {
			w.Errorf("%+v", each)
		}
	}
	if names != "setup ready voting final " || p.Decrypting != 0 || !p.RollSealed || p.RollSize != 8 {
		w.Errorf("%s%+v", names, p)
	}
	var ballots struct {
		Height  int64
		Size    uint64
		Ballots []choiceShown
	}
	w.get("/v1/elections/poll/ballots", &ballots)
	if len(ballots.Ballots) != 4 || ballots.Ballots[1].RollIndex != 3 || fmt.Sprint(ballots.Ballots[1].Choices) != "[[1 2]]" {
		w.Errorf("%+v", ballots)
	}
	var last struct {
		Height int64
		Ballot choiceShown
	}
	w.get("/v1/elections/poll/ballots/"+ballots.Ballots[3].Code, &last)
	if last.Ballot.Sequence != 2 {
		w.Errorf("%+v", last)
	}
	var counts struct {
		Height    int64
		Sealed    bool `json:"roll_sealed"`
		Districts []districtCount
	}
	w.get("/v1/elections/poll/roll-counts", &counts)
	if len(counts.Districts) != 2 || counts.Districts[0] != (districtCount{0, "North", 6, 2}) { // those of the election that has the roll
		w.Errorf("%+v", counts)
	}
	w.refused(http.StatusNotFound, "/v1/elections/poll/keys")
	w.refused(http.StatusNotFound, "/v1/elections/poll/tallies")
}

type choiceShown struct {
	LogIndex  uint64 `json:"log_index"`
	Code      string
	RollIndex uint64 `json:"roll_index"`
	Sequence  uint64
	Style     uint32
	Choices   [][]uint32
	Height    int64
}

// TestOpenTurnout: what is open is not shown in steps, and a cancelled open poll shows how far it came.
func TestOpenTurnout(t *testing.T) {
	e := rehearsal.Voting(t, 4)
	rules := rehearsal.PollManifest("poll", e.ID)
	rules.OpenMin = 3
	poll := e.Poll(rules)
	w := serve(t, e.Ledger)
	poll.Schedule(e.Now()+10, e.Now()+50)
	e.Make(10)
	e.Accept(poll.Choose(0, 1, 0))
	var turnout contestsPage[struct {
		Contest uint32
		Title   string
		Ballots uint64
	}]
	w.get("/v1/elections/poll/turnout", &turnout)
	if turnout.Step != 1 || turnout.Contests[0].Ballots != 1 || turnout.Voters != 4 {
		t.Errorf("%+v", turnout)
	}
	e.Resolve(&pb.Resolution{Decision: &pb.Resolution_CancelElection{CancelElection: &pb.CancelElection{Election: "poll"}}})
	var p shownPhases
	w.get("/v1/elections/poll/phases", &p)
	if n := len(p.Phases); n != 4 || p.Phases[2].Phase != "voting" || p.Phases[3].Phase != "cancelled" {
		t.Errorf("%+v", p.Phases)
	}
}
