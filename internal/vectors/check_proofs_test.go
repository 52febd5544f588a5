package vectors

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// node is an inner node. Spec 5.1.
func node(left, right []byte) hexBytes { return hash(slices.Concat([]byte{1}, left, right)) }

// included is the verification of inclusion as spec 5.6 writes it.
func included(p *inclusionVector) bool {
	if p.Index >= p.Size {
		return false
	}
	f, s, r := p.Index, p.Size-1, p.LeafHash
	for _, h := range p.Path {
		switch {
		case s == 0:
			return false
		case f&1 == 1 || f == s:
			r = node(h, r)
			for f&1 == 0 && f != 0 {
				f, s = f>>1, s>>1
			}
		default:
			r = node(r, h)
		}
		f, s = f>>1, s>>1
	}
	return s == 0 && bytes.Equal(r, p.Root)
}

// consistent is the verification of consistency as spec 5.6 writes it.
func consistent(p *consistencyVector) bool {
	m, n, path := p.OldSize, p.Size, p.Path
	switch {
	case m > n:
		return false
	case m == n:
		return len(path) == 0 && bytes.Equal(p.OldRoot, p.Root)
	case m == 0:
		return len(path) == 0 && bytes.Equal(p.OldRoot, hash(nil))
	case len(path) == 0:
		return false
	}
	if m&(m-1) == 0 {
		path = slices.Concat([]hexBytes{p.OldRoot}, path)
	}
	f, s := m-1, n-1
	for f&1 == 1 {
		f, s = f>>1, s>>1
	}
	a, b := path[0], path[0]
	for _, h := range path[1:] {
		switch {
		case s == 0:
			return false
		case f&1 == 1 || f == s:
			a, b = node(h, a), node(h, b)
			for f&1 == 0 && f != 0 {
				f, s = f>>1, s>>1
			}
		default:
			b = node(b, h)
		}
		f, s = f>>1, s>>1
	}
	return s == 0 && bytes.Equal(a, p.OldRoot) && bytes.Equal(b, p.Root)
}

// recordProof is RecordProof as its fields are shown.
type recordProof struct {
	Key    string       `json:"key"`
	Leaves []recordSpot `json:"leaves"`
	Absent bool         `json:"absent"`
}

type recordSpot struct {
	Key   string     `json:"key"`
	Value hexBytes   `json:"value"`
	Turns uint64     `json:"turns"`
	Path  []hexBytes `json:"path"`
}

func (p *recordProof) bytes() message {
	m := message{}.bytes(1, []byte(p.Key))
	for _, l := range p.Leaves {
		leaf := message{}.bytes(1, []byte(l.Key)).bytes(2, l.Value).varint(3, int64(l.Turns))
		for _, h := range l.Path {
			leaf = leaf.nested(4, h)
		}
		m = m.nested(2, leaf)
	}
	if p.Absent {
		m = m.varint(3, 1)
	}
	return m
}

// holds says whether the leaf stands under the AppHash. value is the hash of the record's value. Spec 5.6.
func (l *recordSpot) holds(appHash, value hexBytes) bool {
	r := hash(append([]byte{0}, recordLeaf(l.Key, value)...))
	for i, h := range l.Path {
		if l.Turns>>i&1 == 1 {
			r = node(h, r)
		} else {
			r = node(r, h)
		}
	}
	return l.Turns>>len(l.Path) == 0 && bytes.Equal(r, appHash)
}

// turns writes the way from the root down, 1 for right.
func (l *recordSpot) turns() string {
	var b strings.Builder
	for i := len(l.Path) - 1; i >= 0; i-- {
		fmt.Fprint(&b, l.Turns>>i&1)
	}
	return b.String()
}

// neighbours says whether nothing stands between two leaves.
func neighbours(left, right string) bool {
	i := 0
	for i < min(len(left), len(right)) && left[i] == right[i] {
		i++
	}
	return i < min(len(left), len(right)) && left[i] == '0' && !strings.Contains(left[i+1:], "0") && !strings.Contains(right[i+1:], "1")
}

func (p *recordProof) check(appHash hexBytes) error {
	for i := range p.Leaves {
		l := &p.Leaves[i]
		value := l.Value
		if !p.Absent {
			value = hash(l.Value)
		}
		if !l.holds(appHash, value) {
			return errors.New("a leaf does not hold")
		}
	}
	ok := false
	if len(p.Leaves) == 0 {
		return errors.New("it shows nothing")
	}
	switch first := &p.Leaves[0]; {
	case !p.Absent:
		ok = len(p.Leaves) == 1 && first.Key == p.Key
	case len(p.Leaves) == 1:
		ok = p.Key < first.Key && !strings.Contains(first.turns(), "1") || p.Key > first.Key && !strings.Contains(first.turns(), "0")
	case len(p.Leaves) == 2:
		ok = first.Key < p.Key && p.Key < p.Leaves[1].Key && neighbours(first.turns(), p.Leaves[1].turns())
	}
	if !ok {
		return errors.New("its leaves do not show it")
	}
	return nil
}

func (v *vectors) checkProofs() error {
	var list []error
	for _, p := range slices.Concat(v.proofs.Inclusion, v.proofs.Voters) {
		if !included(&p) {
			list = append(list, fmt.Errorf("inclusion of %d of %d in %s", p.Index, p.Size, p.Tree))
		}
	}
	for _, p := range v.proofs.Consistency {
		if !consistent(&p) {
			list = append(list, fmt.Errorf("consistency of %d and %d in %s", p.OldSize, p.Size, p.Tree))
		}
	}
	absent := 0
	for _, r := range v.proofs.Records {
		var p recordProof
		err := strict(r.Fields, &p)
		if err == nil {
			err = errors.Join(same("app hash", r.AppHash, v.states.States[r.Height].AppHash), same("bytes", r.Proof, p.bytes()), p.check(r.AppHash))
		}
		if r.Key != p.Key || r.Present == p.Absent || r.Present != (r.Index != nil) {
			err = errors.New("it is about another record")
		}
		if p.Absent {
			absent++
		}
		if err != nil {
			list = append(list, fmt.Errorf("record %s at %d: %w", r.Key, r.Height, err))
		}
	}
	if absent < 10 || len(v.proofs.Consistency) < 100 || len(v.proofs.Inclusion) < 50 {
		list = append(list, errors.New("proofs are missing"))
	}
	return errors.Join(list...)
}

// checkRefusedProofs: the verification that spec 5.6 writes refuses what our code refuses.
func (v *vectors) checkRefusedProofs() error {
	var list []error
	p := v.negative.Proofs
	for _, x := range p.Inclusion {
		if included(&x.inclusionVector) {
			list = append(list, fmt.Errorf("%q shows inclusion", x.Name))
		}
	}
	for _, x := range p.Consistency {
		if consistent(&x.consistencyVector) {
			list = append(list, fmt.Errorf("%q shows consistency", x.Name))
		}
	}
	for _, x := range p.Records {
		var r recordProof
		err := errors.Join(strict(x.Fields, &r), same("bytes", x.Proof, r.bytes()))
		if err != nil || x.Key == r.Key && x.Present == !r.Absent && r.check(x.AppHash) == nil {
			list = append(list, fmt.Errorf("%q shows something: %w", x.Name, err))
		}
	}
	if len(p.Inclusion) < 9 || len(p.Consistency) < 16 || len(p.Records) < 30 {
		list = append(list, errors.New("refused proofs are missing"))
	}
	return errors.Join(list...)
}

// checkNegative: whatever must be refused differs from what is good, and names a section that there is.
func (v *vectors) checkNegative() error {
	chapters, err := filepath.Glob(filepath.Join(vectorsPath, "..", "*.md"))
	var spec []byte
	for _, name := range chapters {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		spec = append(append(spec, '\n'), b...)
	}
	list := []error{err}
	names := map[string]bool{}
	entry := func(name, section string) {
		if names[name] || !bytes.Contains(spec, []byte("\n## "+section+" ")) {
			list = append(list, fmt.Errorf("%q stands twice, or there is no section %s", name, section))
		}
		names[name] = true
	}
	for _, x := range v.negative.Transactions {
		entry(x.Name, x.Section)
		if x.Code == 0 || bytes.Equal(x.Bytes, v.of(x.Height)[x.Index].Bytes) {
			list = append(list, fmt.Errorf("%q is not refused", x.Name))
		}
	}
	transactions := len(names)
	clear(names)
	list = append(list, v.checkRefusedProofs())
	for _, x := range v.negative.Files {
		entry(x.Name, x.Section)
		var good hexBytes
		if x.Of == "receipt" {
			good = v.receipts.Receipts[x.Place].Bytes
		} else {
			good = v.receipts.Cases[x.Place].Bytes
		}
		if other := x.Now != v.receipts.Now || x.Name == "another voter's receipt"; other != bytes.Equal(x.Bytes, good) {
			list = append(list, fmt.Errorf("%q is the good file", x.Name))
		}
	}
	for _, x := range v.negative.Signatures {
		entry(x.Name, "2.3")
		if strict := signedBy(x.Name, x.Key, x.Signed, x.Signature) == nil; strict && !x.Good {
			list = append(list, fmt.Errorf("%q is good by RFC 8032, and refused", x.Name))
		}
	}
	for _, x := range v.negative.Keys {
		entry(x.Name, "1.2")
	}
	for _, x := range slices.Concat(v.negative.Branch.Good, v.negative.Branch.Refused) {
		entry(x.Name, x.Section)
		if !bytes.Contains(x.Bytes, v.genesis.Document) || (x.Verdict == "") == (x.Class == "") || (x.Verdict == "broken") != (x.Class == "" && x.Block > 0) {
			list = append(list, fmt.Errorf("%q is no case of the branch", x.Name))
		}
	}
	if transactions < 70 || len(names) < 90 {
		list = append(list, errors.New("refusals are missing"))
	}
	return errors.Join(list...)
}
