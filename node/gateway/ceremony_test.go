package gateway

import (
	"bytes"
	"net/http"

	"votenode/app/state"
	"votenode/internal/rehearsal"
	pb "votenode/proto/votenode/v1"
)

// askForCeremony: the trustee who dealt a bad share is named, its place is taken, and everything that was posted is shown as it is.
func askForCeremony(w *world, e *rehearsal.Election) {
	var t struct {
		Height     int64
		KeyDigest  string `json:"key_digest"`
		Ceremonies []struct {
			Organisation, Step string
			Quorum, Attempt    int
			Deadline           int64
			Trustees           []struct {
				Index              uint32
				Name, Key, Ejected string
			}
		}
		Trial struct {
			Deadline                 int64
			Passed                   bool
			Posted, Excused, Missing []seat
		}
	}
	w.get("/v1/elections/primary/trustees", &t)
	if len(t.Ceremonies) != 2 || t.KeyDigest != digest(e.Record().KeyDigest) || !t.Trial.Passed || len(t.Trial.Posted) != 6 {
		w.Fatalf("%+v", t)
	}
	league := t.Ceremonies[0]
	if league.Organisation != "league" || league.Step != "done" || league.Attempt != 3 || len(league.Trustees) != 4 || league.Trustees[2].Ejected != "bad share" || league.Trustees[3].Ejected != "" {
		w.Errorf("%+v", league)
	}
	type dealt struct {
		Organisation     string
		Trustee, Attempt uint32
		DealHash         string `json:"deal_hash"`
		ReceiverKeys     []struct {
			Dealer uint32
			Key    string
		} `json:"receiver_keys"`
		Commitments []byte
		Shares      []struct {
			Receiver   uint32
			Ciphertext []byte
		}
		Confirmed bool
	}
	deals := 0
	for after := ""; ; deals++ {
		var page struct {
			Height int64
			Deals  []dealt
			Next   string
		}
		w.get("/v1/elections/primary/deals?limit=1&after="+after, &page)
		d := page.Deals[0]
		record := must(state.MustLoad[pb.Deal](e.View(), state.DealKey("primary", d.Organisation, d.Attempt, d.Trustee)))
		if d.DealHash != digest(record.DealHash) || !bytes.Equal(d.Commitments, record.Commitments) || len(d.Shares) != len(record.Shares) || d.Confirmed != record.Confirmed || len(d.ReceiverKeys) != len(record.ReceiverKeys) {
			w.Errorf("%+v", d)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if want := len(e.View().Keys("election/primary/deal/", "", 100)); deals+1 != want {
		w.Errorf("%d deals of %d", deals+1, want)
	}
	var keys struct {
		Height        int64
		KeyDigest     string `json:"key_digest"`
		Keys          []byte
		Organisations []struct {
			Organisation string
			Quorum       int
			Keys         []byte
			Trustees     []struct {
				Index uint32
				Keys  []byte
			}
		}
	}
	w.get("/v1/elections/primary/keys", &keys)
	if len(keys.Keys) != 32*5 || len(keys.Organisations) != 2 || len(keys.Organisations[0].Trustees) != 3 || keys.Organisations[0].Trustees[2].Index != 4 {
		w.Errorf("%+v", keys)
	}
	var shares struct {
		Height int64
		Next   string
		Shares []struct {
			Organisation  string
			Trustee       uint32
			Shares, Proof []byte
		}
	}
	w.get("/v1/elections/primary/trial?limit=5", &shares)
	if len(shares.Shares) != 5 || shares.Next != "party/00002" || len(shares.Shares[0].Shares) != 32*5 {
		w.Errorf("%+v", shares)
	}
	w.get("/v1/elections/primary/trial?after="+shares.Next, &shares)
	if len(shares.Shares) != 1 || shares.Shares[0].Organisation != "party" || shares.Shares[0].Trustee != 3 {
		w.Errorf("%+v", shares)
	}
	w.refused(http.StatusNotFound, "/v1/elections/cancelled/keys")
	for _, kind := range []string{"trustees", "deals", "keys", "trial", "partials"} {
		w.refused(http.StatusNotFound, "/v1/elections/none/"+kind)
		w.refused(http.StatusBadRequest, "/v1/elections/primary/"+kind+"?from=1")
	}
}
