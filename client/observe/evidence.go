package observe

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync"

	"votenode/client"
	"votenode/client/keyfile"
	pb "votenode/proto/votenode/v1"
	"votenode/verify/prooffile"
)

const (
	// keptAnswers is how many of a node's newest answers are evidence, keptBody how much of each.
	keptAnswers = 8
	keptBody    = 1 << 20
)

// answer is what a node answered, as it came. Bodies of more than keptBody bytes are cut.
type answer struct {
	URL    string `json:"url"`
	Status int    `json:"status"`
	Bytes  int    `json:"bytes"`
	Body   []byte `json:"body"`
}

// answers are the newest answers of a node.
type answers struct {
	mu   sync.Mutex
	list []answer
}

// hear implements client.Heard.
func (a *answers) hear(target string, status int, body []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.list) == keptAnswers {
		copy(a.list, a.list[1:])
		a.list = a.list[:keptAnswers-1]
	}
	kept := append([]byte(nil), body[:min(len(body), keptBody)]...)
	a.list = append(a.list, answer{URL: target, Status: status, Bytes: len(body), Body: kept})
}

// forget begins a new look.
func (a *answers) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = nil
}

// evidence is a file that goes with an alarm.
type evidence struct {
	name string // what it holds
	data []byte
}

// shownFile is the proof file of a state.
func shownFile(name string, s *pb.LedgerState) evidence { return proofFile(name, prooffile.OfState(s)) }

func proofFile(name string, f *pb.ProofFile) evidence {
	data, err := prooffile.JSON(f)
	if err != nil { // it was verified; its binary form always is
		data = prooffile.Bytes(f)
	}
	return evidence{name, data}
}

// heardFile is what a node has answered of late.
func (n *node) heardFile() evidence {
	n.answers.mu.Lock()
	defer n.answers.mu.Unlock()
	return jsonFile("answers", struct {
		Node    string   `json:"node"`
		Answers []answer `json:"answers"`
	}{n.address, append([]answer{}, n.answers.list...)})
}

// heard is the evidence of an alarm for which there is no file that proves it: what the node answered, and the state that it has shown.
func (n *node) heard() []evidence {
	files := []evidence{n.heardFile()}
	if n.view != nil {
		files = append(files, shownFile("state", n.view.Evidence()))
	}
	return files
}

func jsonFile(name string, data any) evidence {
	encoded, err := json.MarshalIndent(data, "", " ")
	if err != nil {
		encoded = []byte(err.Error())
	}
	return evidence{name, append(encoded, '\n')}
}

// write writes the files of an alarm and returns their names in the folder. A file that cannot be written ends the observer. mu is held.
func (o *Observer) write(number int, kind Kind, files []evidence) []string {
	names := []string{}
	for _, f := range files {
		name := filepath.Join(evidenceFolder, fmt.Sprintf("%04d-%s-%s.json", number, kind, f.name))
		if err := keyfile.Replace(filepath.Join(o.s.Folder, name), f.data); err != nil {
			o.failed(fmt.Errorf("the evidence of an alarm could not be written: %w", err))
			continue
		}
		names = append(names, name)
	}
	return names
}

var _ client.Heard = (*answers)(nil).hear
