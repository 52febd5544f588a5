package vectors

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// statesFile is states.json: chapter 5.
type statesFile struct {
	Comment string        `json:"comment"`
	States  []stateVector `json:"states"`
}

// stateVector is what a block made of the state, from the genesis state on.
type stateVector struct {
	Height  int64          `json:"height"`
	AppHash hexBytes       `json:"app_hash"`
	Records int            `json:"records"`
	Written []recordVector `json:"written"`
	Deleted []string       `json:"deleted"`
	Logs    []logVector    `json:"logs"`
	Voters  []votersVector `json:"voters"`
}

type recordVector struct {
	Key     string          `json:"key"`
	Value   hexBytes        `json:"value"`
	Message string          `json:"message"`
	Fields  json.RawMessage `json:"fields"`
}

// logVector is a log that has grown, with its new leaves.
type logVector struct {
	Log    string     `json:"log"`
	Size   uint64     `json:"size"`
	Root   hexBytes   `json:"root"`
	Leaves []hexBytes `json:"new_leaves"`
}

// votersVector is a voters' or members' tree of which leaves have changed, with the key of its head's record.
type votersVector struct {
	Key    string       `json:"key"`
	Size   uint64       `json:"size"`
	Root   hexBytes     `json:"root"`
	Leaves []leafVector `json:"changed_leaves"`
}

type leafVector struct {
	Index  uint64          `json:"index"`
	Leaf   hexBytes        `json:"leaf"`
	Fields json.RawMessage `json:"fields"`
}

func (w *world) statesFile() any {
	f := &statesFile{Comment: "what every block made of records, logs and voters' trees: chapter 5; height 0 is the state of the genesis document"}
	before := map[string][]byte{}
	for h := int64(0); h <= w.last(); h++ {
		s := w.at(h)
		root := s.AppHash()
		v := stateVector{Height: h, AppHash: root[:], Written: []recordVector{}, Deleted: []string{}, Logs: []logVector{}, Voters: []votersVector{}}
		now := map[string][]byte{}
		w.must(s.Records("", func(key string, value []byte) error {
			now[key] = value
			if old, known := before[key]; !known || !bytes.Equal(old, value) {
				v.Written = append(v.Written, w.recordVector(key, value))
				w.grown(&v, key, old, value)
			}
			return nil
		}))
		for key := range before {
			if _, stays := now[key]; !stays {
				v.Deleted = append(v.Deleted, key)
			}
		}
		slices.Sort(v.Deleted)
		v.Records, before = len(now), now
		f.States = append(f.States, v)
	}
	return f
}

// grown adds what stands under a head that has changed.
func (w *world) grown(v *stateVector, key string, old, value []byte) {
	s := w.at(v.Height)
	if log, ok := strings.CutPrefix(key, "log/"); ok {
		var from uint64
		if old != nil {
			from = must(state.ParseHead(old)).Size
		}
		head := must(state.ParseHead(value))
		l := logVector{Log: log, Size: head.Size, Root: head.Root[:]}
		for i := from; i < head.Size; i++ {
			l.Leaves = append(l.Leaves, must(s.Leaf(log, i)))
		}
		v.Logs = append(v.Logs, l)
	}
	var tree string
	var read func(index uint64) json.RawMessage
	switch key {
	case state.VotersKey(primary), state.VotersKey(poll):
		tree = strings.Split(key, "/")[1]
		read = func(i uint64) json.RawMessage { return fields(must(state.LoadVoter(s, tree, i))) }
	case state.VotersKey(state.MembersTree(primary)):
		tree, read = state.MembersTree(primary), func(i uint64) json.RawMessage { return fields(must(state.LoadMember(s, primary, i))) }
	default:
		return
	}
	head := must(state.ParseHead(value))
	t := votersVector{Key: key, Size: head.Size, Root: head.Root[:], Leaves: []leafVector{}}
	for i := range head.Size {
		leaf, was := must(s.Voter(tree, i)), []byte(nil)
		if old != nil {
			was = must(w.at(v.Height-1).Voter(tree, i))
		}
		if !bytes.Equal(leaf, was) {
			t.Leaves = append(t.Leaves, leafVector{i, leaf, read(i)})
		}
	}
	v.Voters = append(v.Voters, t)
}

// messages are the records of spec 5.2 that hold a message, by the parts of their keys; "*" is any.
var messages = []struct {
	key  string
	make func() election.Message
}{
	{"chain", func() election.Message { return new(pb.Chain) }},
	{"parameters", func() election.Message { return new(pb.Parameters) }},
	{"organisation/*", func() election.Message { return new(pb.Organisation) }},
	{"validators", func() election.Message { return new(pb.ValidatorEpochs) }},
	{"validator-key/*", func() election.Message { return new(pb.ValidatorKey) }},
	{"misbehaviour/*/*", func() election.Message { return new(pb.Misbehaviour) }},
	{"upgrades", func() election.Message { return new(pb.Upgrades) }},
	{"intake/*", func() election.Message { return new(pb.LastIntake) }},
	{"signing/*", func() election.Message { return new(pb.Signing) }},
	{"initiatives", func() election.Message { return new(pb.Initiatives) }},
	{"initiative/*", func() election.Message { return new(pb.Initiative) }},
	{"comments/*/*", func() election.Message { return new(pb.CommentPage) }},
	{"removed-post/*", func() election.Message { return new(pb.RemovedPost) }},
	{"resolution/*", func() election.Message { return new(pb.ResolutionRecord) }},
	{"resolutions/pending", func() election.Message { return new(pb.PendingResolutions) }},
	{"document/*", func() election.Message { return new(pb.Document) }},
	{"document/*/*", func() election.Message { return new(pb.Document) }},
	{"officer/*", func() election.Message { return new(pb.OfficerActs) }},
	{"elections", func() election.Message { return new(pb.ElectionList) }},
	{"election/*", func() election.Message { return new(pb.Election) }},
	{"election/*/ceremony/*", func() election.Message { return new(pb.Ceremony) }},
	{"election/*/deal/*/*/*", func() election.Message { return new(pb.Deal) }},
	{"election/*/keys", func() election.Message { return new(pb.ElectionKeys) }},
	{"election/*/trial", func() election.Message { return new(pb.Trial) }},
	{"election/*/trial/*/*", func() election.Message { return new(pb.TrialShares) }},
	{"election/*/spoiled/*", func() election.Message { return new(pb.Spoiled) }},
	{"election/*/roll-counts", func() election.Message { return new(pb.RollCounts) }},
	{"election/*/partial/*/*/*", func() election.Message { return new(pb.Partial) }},
	{"election/*/tally-queue", func() election.Message { return new(pb.TallyQueue) }},
	{"election/*/result/*", func() election.Message { return new(pb.Result) }},
	{"election/*/paper/*", func() election.Message { return new(pb.PaperPlace) }},
	{"election/*/paper-sum/*", func() election.Message { return new(pb.PaperSum) }},
	{"election/*/extension/*", func() election.Message { return new(pb.Extension) }},
	{"election/*/removed", func() election.Message { return new(pb.RemovedCandidates) }},
	{"election/*/lot", func() election.Message { return new(pb.Lot) }},
	{"election/*/lot/*", func() election.Message { return new(pb.Lot) }},
	{"election/*/list-queue", func() election.Message { return new(pb.ListQueue) }},
	{"election/*/list/*", func() election.Message { return new(pb.List) }},
}

// matches says whether a key has the parts of a pattern.
func matches(pattern, key string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(key, "/")
	return len(want) == len(got) && slices.EqualFunc(want, got, func(w, g string) bool { return w == "*" || w == g })
}

// recordVector names the fields of a record. What is no message is told by name: a head, a sum, the bytes of a chunk, an id.
func (w *world) recordVector(key string, value []byte) recordVector {
	v := recordVector{Key: key, Value: value}
	for _, m := range messages {
		if matches(m.key, key) {
			into := m.make()
			w.must(election.Decode(value, into))
			v.Message, v.Fields = strings.TrimPrefix(strings.TrimPrefix(typeName(into), "*"), "votenodev1."), fields(into)
			return v
		}
	}
	var told any
	switch {
	case strings.HasPrefix(key, "log/"), matches("election/*/voters", key), matches("election/*/members", key):
		head := must(state.ParseHead(value))
		v.Message, told = "head", struct {
			Size uint64   `json:"size"`
			Root hexBytes `json:"root"`
		}{head.Size, head.Root[:]}
	case matches("election/*/sum/*", key), matches("election/*/merged-sum/*", key):
		v.Message, told = "sum", sumOf(value)
	case matches("key-digest/*", key):
		v.Message, told = "election", string(value)
	case matches("document/*/*/*", key):
		v.Message, told = "chunk", len(value)
	case matches("answer-owed/*/*", key):
		v.Message, told = "nothing", len(value)
	default:
		w.t.Fatalf("spec 5.2 has no record %q", key)
	}
	v.Fields = must(json.Marshal(told))
	return v
}

// sumVector is an encrypted sum in its parts. Spec 3.12.
type sumVector struct {
	Count uint64     `json:"count"`
	A0    hexBytes   `json:"A_0"`
	A     []hexBytes `json:"A"`
}

func sumOf(value []byte) sumVector {
	t := must(ballot.SplitTally(value))
	points := parts(t.Points)
	return sumVector{t.Count, points[0], points[1:]}
}
