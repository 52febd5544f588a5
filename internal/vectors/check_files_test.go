package vectors

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// schema are the messages of proof.proto, with their fields in ascending order.
type schema map[string][]protoField

type protoField struct {
	name, kind string
	number     int
	repeated   bool
}

var (
	messageLine = regexp.MustCompile(`^message (\w+) \{`)
	fieldLine   = regexp.MustCompile(`^\s+(repeated )?(\w+) (\w+) = (\d+);`)
)

func readSchema() (schema, error) {
	b, err := os.ReadFile(filepath.Join("..", "..", "proto", "votenode", "v1", "proof.proto"))
	if err != nil {
		return nil, err
	}
	s, name := schema{}, ""
	for line := range strings.Lines(string(b)) {
		if m := messageLine.FindStringSubmatch(line); m != nil {
			name = m[1]
		}
		if m := fieldLine.FindStringSubmatch(line); m != nil {
			number, err := strconv.Atoi(m[4])
			if err != nil {
				return nil, err
			}
			s[name] = append(s[name], protoField{m[3], m[2], number, m[1] != ""})
		}
	}
	for _, fields := range s {
		slices.SortFunc(fields, func(a, b protoField) int { return cmp.Compare(a.number, b.number) })
	}
	return s, nil
}

// encode makes the canonical encoding of a file of its JSON. Spec 12.6.
func (s schema) encode(text string) (message, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var tree map[string]any
	if err := d.Decode(&tree); err != nil {
		return nil, err
	}
	return s.message("ProofFile", tree)
}

func (s schema) message(name string, tree map[string]any) (message, error) {
	m, known := message{}, 0
	for _, f := range s[name] {
		v, ok := tree[f.name]
		if !ok {
			continue
		}
		known++
		list := []any{v}
		if f.repeated {
			if list, ok = v.([]any); !ok {
				return nil, fmt.Errorf("%s.%s is no list", name, f.name)
			}
		}
		for _, v := range list {
			var err error
			if m, err = s.field(m, f, v); err != nil {
				return nil, fmt.Errorf("%s.%s: %w", name, f.name, err)
			}
		}
	}
	if known != len(tree) {
		return nil, fmt.Errorf("%s has other fields", name)
	}
	return m, nil
}

func (s schema) field(m message, f protoField, v any) (message, error) {
	switch x := v.(type) {
	case map[string]any:
		inner, err := s.message(f.kind, x)
		return m.nested(f.number, inner), err
	case bool:
		return m.varint(f.number, 1), nil
	case json.Number:
		n, err := x.Int64()
		return m.varint(f.number, n), err
	case string:
		switch f.kind {
		case "string":
			return m.nested(f.number, []byte(x)), nil
		case "bytes":
			b, err := base64.StdEncoding.DecodeString(x)
			return m.nested(f.number, b), err
		}
		n, err := strconv.ParseInt(x, 10, 64)
		return m.varint(f.number, n), err
	}
	return nil, fmt.Errorf("%T", v)
}

func (v *vectors) checkReceipts() error {
	r := &v.receipts
	schema, err := readSchema()
	list := []error{err, same("genesis hash", r.GenesisHash, v.genesis.Hash)}
	file := func(f proofFile) {
		b, err := schema.encode(f.JSON)
		list = append(list, err, same("file", f.Bytes, b))
		if !strings.HasSuffix(f.JSON, "}\n") {
			list = append(list, errors.New("JSON without its line feed"))
		}
	}
	state := func(s shownState, f proofFile) {
		at := v.states.States[s.Height]
		list = append(list, same("app hash", s.AppHash, at.AppHash), same("block", s.BlockHash, v.blocks.Blocks[s.Height-1].Hash))
		file(f)
		if !bytes.Contains(f.Bytes, v.genesis.Document) || !bytes.Contains(f.Bytes, s.AppHash) {
			list = append(list, fmt.Errorf("a file of height %d without its state", s.Height))
		}
		if certified := !slices.Contains([]int64{36, 37}, s.Height); s.Certified != certified || !s.Committed {
			list = append(list, fmt.Errorf("height %d: certified %v, committed %v", s.Height, s.Certified, s.Committed))
		}
	}
	for _, s := range r.States {
		state(s.State, s.proofFile)
	}
	standings, reasons := map[string]bool{}, map[int]bool{}
	for _, x := range r.Receipts {
		state(x.State, x.proofFile)
		standings[x.Standing] = true
		for _, b := range v.ballots.Ballots {
			if b.LogIndex != nil && *b.LogIndex == x.LogIndex {
				list = append(list, same("code", x.Code, b.Code.Hash))
				if b.RollIndex != x.RollIndex || b.Sequence != x.Sequence {
					list = append(list, errors.New("a receipt of another ballot"))
				}
			}
		}
	}
	if len(standings) != 4 || len(r.Cases) != len(r.Promises) {
		list = append(list, errors.New("receipts or cases are missing"))
	}
	for i, p := range r.Promises {
		c := &r.Cases[i]
		reasons[c.How] = true
		state(c.State, c.proofFile)
		file(p.proofFile)
		ballot := v.of(p.Ballot.Height)[p.Ballot.Index].Bytes
		unsigned, signature, _ := bytes.Cut(p.Slip, []byte{0x4a, 64}) // field 9, 64 bytes
		list = append(list, same("sign bytes", p.Signed, framed("votenode/v1/slip", unsigned, hash(ballot))), same("signature", signature, p.Signature),
			signedBy("slip", p.SlipKey, p.Signed, p.Signature))
		if c.Promise != p.Name || !bytes.Contains(c.Bytes, p.Slip) || !bytes.Contains(p.Bytes, ballot) || (c.Verdict == "kept") != (c.How > 0) {
			list = append(list, fmt.Errorf("promise %q and its case", p.Name))
		}
	}
	if len(reasons) != 6 {
		list = append(list, fmt.Errorf("promises are kept by these lines of 12.3, and 0 for none: %v", reasons))
	}
	return errors.Join(list...)
}
