package client

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	pb "votenode/proto/votenode/v1"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// stateOf returns a state with records.
func stateOf(records map[string]election.Message) *state.Snapshot {
	l := must(state.Open(new(state.Memory)))
	d := l.NewGenesis()
	for key, m := range records {
		d.SetRecord(key, election.Encode(m))
	}
	if err := l.Commit(must(d.Finish())); err != nil {
		panic(err)
	}
	return l.Newest()
}

// hiding serves a state as if one record were not there; all of it where hidden is empty. The proofs it shows are parts of right ones.
func hiding(t *testing.T, s *state.Snapshot, hidden string) *Node {
	return serve(t, func(rw http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		if r.URL.Path == "/v1/records" {
			answer := struct {
				Records []Record `json:"records"`
			}{}
			for _, key := range s.Keys(query.Get("prefix"), query.Get("after"), must(strconv.Atoi(query.Get("limit")))) {
				if key != hidden {
					answer.Records = append(answer.Records, Record{Key: key})
				}
			}
			_ = json.NewEncoder(rw).Encode(answer)
			return
		}
		p := must(s.ProveRecord(query.Get("key")))
		for i, leaf := range p.Leaves {
			if !p.Absent || leaf.Key != hidden {
				continue
			}
			beside := must(s.ProveRecord(hidden + "!")).Leaves
			if leaf.Key < p.Key { // the one before it, in the place of the hidden one
				beside = must(s.ProveRecord(hidden[:len(hidden)-1] + "!")).Leaves
				p.Leaves[i] = beside[0]
			} else {
				p.Leaves[i] = beside[len(beside)-1]
			}
		}
		_ = json.NewEncoder(rw).Encode(map[string]any{"height": s.Height(), "proof": election.Encode(p)})
	})
}

// viewOf is a view of a state through nodes; told counts the failures that were told.
func viewOf(s *state.Snapshot, nodes ...*Node) (v *View, told *int) {
	told = new(int)
	l := &Ledger{document: &pb.Genesis{ChainId: "c"}, nodes: nodes, notice: func(string, error) { *told++ }}
	return &View{ledger: l, height: s.Height(), appHash: s.AppHash()}, told
}

func collect[T any](all iter.Seq2[T, error]) (list []T, err error) {
	for one, err := range all {
		if err != nil {
			return list, err
		}
		list = append(list, one)
	}
	return list, nil
}

// TestKeys: no node can leave a record out of a list; one that tries is told and passed over.
func TestKeys(t *testing.T) {
	records := map[string]election.Message{"zebra/1": &pb.Initiative{}}
	for _, number := range []uint64{0, 9, 10, 11, 300} {
		records[state.InitiativeKey(number)] = &pb.Initiative{RollIndex: number}
	}
	for _, deadline := range []int64{70, 8} {
		records[state.OwedKey(deadline, uint64(80-deadline))] = &pb.Initiative{}
	}
	s := stateOf(records)
	honest := hiding(t, s, "")
	v, _ := viewOf(s, honest)
	newest, err := collect(Initiatives(t.Context(), v))
	if want := []uint64{300, 11, 10, 9, 0}; err != nil || !slices.Equal(newest, want) {
		t.Errorf("%v, %v: want %v", newest, err, want)
	}
	owed, err := collect(OwedInitiatives(t.Context(), v))
	if want := []uint64{72, 10}; err != nil || !slices.Equal(owed, want) {
		t.Errorf("%v, %v: want %v", owed, err, want)
	}
	for _, prefix := range []string{state.InitiativePrefix, state.OwedPrefix, "zebra/", "aardvark/", "none/", "zzz/"} {
		var want []string
		for key := range records {
			if strings.HasPrefix(key, prefix) {
				want = append(want, key)
			}
		}
		slices.Sort(want)
		up, err := collect(v.Keys(t.Context(), prefix))
		if err != nil || !slices.Equal(up, want) {
			t.Errorf("%q: %v, %v", prefix, up, err)
		}
		down, err := collect(v.NewestKeys(t.Context(), prefix))
		slices.Reverse(want)
		if err != nil || !slices.Equal(down, want) {
			t.Errorf("%q: %v, %v", prefix, down, err)
		}
		for _, hidden := range want {
			for name, list := range map[string]func(context.Context, *View) ([]string, error){
				"up":   func(ctx context.Context, v *View) ([]string, error) { return collect(v.Keys(ctx, prefix)) },
				"down": func(ctx context.Context, v *View) ([]string, error) { return collect(v.NewestKeys(ctx, prefix)) },
			} {
				liar := hiding(t, s, hidden)
				alone, _ := viewOf(s, liar)
				if got, err := list(t.Context(), alone); !errors.Is(err, ErrVerification) {
					t.Errorf("%s: %q was left out: %v, %v", name, hidden, got, err)
				}
				both, told := viewOf(s, liar, honest)
				if got, err := list(t.Context(), both); err != nil || len(got) != len(want) || *told == 0 {
					t.Errorf("%s: with an honest node beside it: %v, %v, %d told", name, got, err, *told)
				}
			}
		}
	}
}

// TestApplicationsLie: as many applications as the certified state counts are there, or an error; a node that names fewer is passed over.
func TestApplicationsLie(t *testing.T) {
	const id = "primary"
	var all []*pb.SignedApplication
	records := map[string]election.Message{state.NominationsKey(id): &pb.NominationsState{Submitted: 3}}
	var keys []string
	for _, name := range []string{"Aigul", "Bolat", "Dana"} {
		a := &pb.SignedApplication{Application: pb.Application{Nominations: id, Name: name}}
		hash := tx.ApplicationHash("c", &a.Application)
		all, keys = append(all, a), append(keys, state.ApplicationKey(id, hash[:]))
		records[keys[len(keys)-1]] = &pb.ApplicationState{Signed: *a}
	}
	s := stateOf(records)
	liar, honest := hiding(t, s, keys[1]), hiding(t, s, "")
	alone, _ := viewOf(s, liar)
	if got, err := Applications(t.Context(), alone, id); !errors.Is(err, ErrVerification) {
		t.Errorf("an application was left out: %v, %v", got, err)
	}
	both, told := viewOf(s, liar, honest)
	if got, err := Applications(t.Context(), both, id); err != nil || len(got) != 3 || *told != 1 {
		t.Errorf("%d applications, %v, %d told", len(got), err, *told)
	}
	// A node called them recorded, and only the last one is.
	if done, err := holds(all)(t.Context(), both); !done || err != nil {
		t.Error(done, err)
	}
	delete(records, keys[0])
	s = stateOf(records)
	few, _ := viewOf(s, hiding(t, s, ""))
	if done, err := holds(all)(t.Context(), few); done || err != nil {
		t.Error("an application is missing:", done, err)
	}
}
