package vectors

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

func sha512Of(b []byte) []byte {
	h := sha512.Sum512(b)
	return h[:]
}

func signedBy(what string, key, message, signature []byte) error {
	if len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, message, signature) {
		return fmt.Errorf("%s: the signature does not verify", what)
	}
	return nil
}

func (v *vectors) checkGenesis() error {
	g := &v.genesis
	list := []error{same("hash", g.Hash, hash(g.Document)), shown(g.Fields, g.Document)}
	for _, a := range g.Approved {
		list = append(list, same("signed", a.Signed, framed("votenode/v1/genesis-approval", []byte(v.transactions.Chain), g.Hash)),
			signedBy("approval", a.Officer, a.Signed, a.Signature))
	}
	epochs := v.record("validators")
	for _, s := range g.Sets {
		var leaves []hexBytes
		for _, x := range s.Validators {
			leaf := hexBytes(message{}.nested(1, message{}.bytes(1, x.Key)).varint(2, x.Power))
			list = append(list, same("leaf", x.Leaf, leaf), same("address", x.Address, hash(x.Key)[:20]))
			if !slices.ContainsFunc(epochs, func(r recordVector) bool { return bytes.Contains(r.Value, x.SlipKey) }) {
				list = append(list, errors.New("a slip key that no record has"))
			}
			leaves = append(leaves, leaf)
		}
		list = append(list, same("validators hash", s.Hash, root(leaves)))
	}
	for _, c := range g.Consensus {
		list = append(list, same("parameters", c.Bytes, message{}.varint(1, int64(c.BlockBytes)).varint(2, -1)), same("consensus hash", c.Hash, hash(c.Bytes)))
	}
	if len(g.Sets) != 2 || len(g.Approved) != 4 {
		list = append(list, errors.New("sets or approvals are missing"))
	}
	// The whole list, put together again.
	var all message
	for _, a := range g.Approved {
		all = all.nested(1, message{}.bytes(1, []byte(a.Organisation)).bytes(2, a.Officer).bytes(3, a.Signature))
	}
	return errors.Join(append(list, same("approvals", g.Approvals, all))...)
}

// record returns all values that a record has had.
func (v *vectors) record(key string) []recordVector {
	var list []recordVector
	for _, s := range v.states.States {
		for _, r := range s.Written {
			if r.Key == key {
				list = append(list, r)
			}
		}
	}
	return list
}

// inForce returns the last element whose first height is at most h.
func inForce[T any](list []T, h int64, first func(T) int64) T {
	found := list[0]
	for _, x := range list {
		if first(x) <= h {
			found = x
		}
	}
	return found
}

func (v *vectors) setAt(h int64) setVector {
	return inForce(v.genesis.Sets, h, func(s setVector) int64 { return s.FirstHeight })
}

func (v *vectors) checkBlocks() error {
	list := []error{v.checkOtherPrecommits()}
	for i := range v.blocks.Blocks {
		if err := v.checkBlock(i); err != nil {
			list = append(list, fmt.Errorf("block %d: %w", i+1, err))
		}
	}
	if len(v.blocks.Blocks) != len(v.states.States) {
		list = append(list, errors.New("as many blocks as states, and the first state"))
	}
	return errors.Join(list...)
}

func (v *vectors) checkBlock(i int) error {
	b := &v.blocks.Blocks[i]
	h := &b.Header
	leaf := func(b []byte) hexBytes { return hexBytes(message{}.bytes(1, b)) }
	id := func(id blockIDVector) hexBytes {
		return hexBytes(message{}.bytes(1, id.Hash).nested(2, message{}.varint(1, int64(id.Parts.Total)).bytes(2, id.Parts.Hash)))
	}
	at := message{}.varint(1, b.Time/1e9).varint(2, b.Time%1e9)
	leaves := []hexBytes{
		{8, 11, 16, 1}, leaf([]byte(v.transactions.Chain)), hexBytes(message{}.varint(1, b.Height)), hexBytes(at), id(h.LastBlockID), leaf(h.LastCommitHash),
		leaf(h.DataHash), leaf(h.ValidatorsHash), leaf(h.NextValidatorsHash), leaf(h.ConsensusHash), leaf(h.AppHash), leaf(h.LastResultsHash),
		leaf(h.EvidenceHash), leaf(h.ProposerAddress),
	}
	header := message{}.nested(1, leaves[0]).bytes(2, []byte(v.transactions.Chain)).varint(3, b.Height).nested(4, at).nested(5, leaves[4])
	for field, l := range leaves[5:] {
		header = header.nested(field+6, l[2:])
	}
	var hashes []hexBytes
	var data message
	for _, x := range v.of(b.Height) {
		hashes, data = append(hashes, x.Hash), data.nested(1, x.Bytes)
	}
	var evidence message
	pieces := []hexBytes{}
	for _, e := range b.Evidence {
		pieces, evidence = append(pieces, e.Bytes), evidence.nested(1, message{}.nested(1, e.Bytes))
		for _, vote := range e.Votes {
			list := []error{signedBy("evidence", e.Key, vote.Signed, vote.Signature), same("address", e.Address, hash(e.Key)[:20])}
			if err := errors.Join(list...); err != nil {
				return err
			}
		}
	}
	block := message{}.nested(1, header).nested(2, data).nested(3, evidence).nested(4, v.commitBytes(i))
	list := []error{
		same("header", h.Bytes, header), same("hash", b.Hash, root(leaves)), same("data hash", h.DataHash, root(hashes)),
		same("evidence hash", h.EvidenceHash, root(pieces)), same("commit hash", h.LastCommitHash, root(b.Commit.Leaves)),
		same("bytes", b.Bytes, block), same("parts hash", b.Parts.Hash, root([]hexBytes{b.Bytes})),
		same("validators", h.ValidatorsHash, v.setAt(b.Height).Hash), same("next validators", h.NextValidatorsHash, v.setAt(b.Height+1).Hash),
		same("parameters", h.ConsensusHash, inForce(v.genesis.Consensus, b.Height, func(c consensusVector) int64 { return c.Height }).Hash),
		same("app hash", h.AppHash, v.states.States[i].AppHash), v.checkResults(b), v.checkCommit(i),
	}
	for n := range leaves {
		list = append(list, same("leaf", b.Leaves[n], leaves[n]))
	}
	return errors.Join(list...)
}

// of returns the transactions of a block.
func (v *vectors) of(height int64) []transactionVector {
	var list []transactionVector
	for _, x := range v.transactions.Transactions {
		if x.Height == height {
			list = append(list, x)
		}
	}
	return list
}

func (v *vectors) checkResults(b *blockVector) error {
	var list []error
	for i, x := range v.of(b.Height) {
		if x.Index != i || b.Results.Codes[i] != x.Code {
			list = append(list, fmt.Errorf("transaction %d has another code", i))
		}
		list = append(list, same("result", b.Results.Leaves[i], message{}.varint(1, int64(x.Code))))
	}
	list = append(list, same("results", b.Results.Hash, root(b.Results.Leaves)))
	if b.Height < int64(len(v.blocks.Blocks)) {
		list = append(list, same("results in the next header", v.blocks.Blocks[b.Height].Header.LastResultsHash, b.Results.Hash))
	}
	return errors.Join(list...)
}

func (v *vectors) checkCommit(i int) error {
	if i == 0 {
		return nil
	}
	b, before := &v.blocks.Blocks[i], &v.blocks.Blocks[i-1]
	list := []error{same("last block", b.Header.LastBlockID.Hash, before.Hash), same("its parts", b.Header.LastBlockID.Parts.Hash, before.Parts.Hash)}
	set := v.setAt(before.Height)
	for n, p := range b.Commit.Precommits {
		list = append(list, same("key", p.Key, set.Validators[n].Key))
		if p.Flag != 2 {
			list = append(list, same("absent", b.Commit.Leaves[n], absent))
			continue
		}
		at := message{}.varint(1, p.Time/1e9).varint(2, p.Time%1e9)
		parts := message{}.varint(1, int64(before.Parts.Total)).bytes(2, before.Parts.Hash)
		vote := append(message{}.varint(1, 2), slices.Concat([]byte{2<<3 | 1}, littleEndian(uint64(before.Height)))...)
		vote = vote.nested(4, message{}.bytes(1, before.Hash).nested(2, parts)).nested(5, at).bytes(6, []byte(v.transactions.Chain))
		list = append(list, same("sign bytes", p.Signed, append([]byte{byte(len(vote))}, vote...)), signedBy("precommit", p.Key, p.Signed, p.Signature),
			same("leaf", b.Commit.Leaves[n], message{}.varint(1, 2).bytes(2, hash(p.Key)[:20]).nested(3, at).bytes(4, p.Signature)))
	}
	return errors.Join(list...)
}

// absent is the leaf of a validator that did not sign: flag 1, and the time of year 1.
var absent = slices.Concat([]byte{8, 1}, message{}.nested(3, message{}.varint(1, -62135596800)))

// commitBytes is the encoding of the commit that a block carries.
func (v *vectors) commitBytes(i int) message {
	b := &v.blocks.Blocks[i]
	id := b.Header.LastBlockID
	m := message{}.varint(1, b.Commit.Height).varint(2, int64(b.Commit.Round))
	m = m.nested(3, message{}.bytes(1, id.Hash).nested(2, message{}.varint(1, int64(id.Parts.Total)).bytes(2, id.Parts.Hash)))
	for _, l := range b.Commit.Leaves {
		m = m.nested(4, l)
	}
	return m
}

func (v *vectors) checkTransactions() error {
	var list []error
	for _, x := range v.transactions.Transactions {
		envelope := message{}.varint(1, int64(x.Kind)).bytes(2, x.Body).bytes(3, x.Signer).bytes(4, x.Signature)
		errs := []error{same("bytes", x.Bytes, envelope), same("hash", x.Hash, hash(x.Bytes)), shown(x.Fields, x.Body)}
		if voter := slices.Contains([]uint32{11, 12, 21, 22, 23, 24}, x.Kind); voter != (len(x.Signer) == 0) {
			errs = append(errs, errors.New("it has a signer, or none"))
		} else if !voter {
			signed := framed("votenode/v1/transaction", []byte(v.transactions.Chain), number(uint64(x.Kind)), x.Body)
			errs = append(errs, same("sign bytes", x.Signed, signed), signedBy("transaction", x.Signer, x.Signed, x.Signature))
		}
		if (x.Code == 0) != (x.Result == "ok") || x.Units < 10 {
			errs = append(errs, errors.New("code or units"))
		}
		if x.Digest != nil {
			errs = append(errs, same("digest", x.Digest.Hash, hash(x.Digest.Bytes)), v.checkDigest(&x))
		}
		if err := errors.Join(errs...); err != nil {
			list = append(list, fmt.Errorf("height %d, transaction %d: %w", x.Height, x.Index, err))
		}
	}
	if len(v.transactions.Transactions) < 90 {
		list = append(list, errors.New("transactions are missing"))
	}
	return errors.Join(list...)
}

// checkDigest: a resolution is a record under its hash, an author's content stands in its body.
func (v *vectors) checkDigest(x *transactionVector) error {
	if x.Kind == 14 && bytes.Contains(x.Body, x.Digest.Hash) {
		return nil
	}
	if x.Kind == 2 && len(v.record(fmt.Sprintf("resolution/%x", []byte(x.Digest.Hash)))) > 0 {
		return nil
	}
	return errors.New("nothing has this digest")
}

func (v *vectors) checkStates() error {
	records, logs := map[string]hexBytes{}, map[string][]hexBytes{}
	var list []error
	trees := map[string]map[uint64]hexBytes{}
	for _, s := range v.states.States {
		errs := []error{}
		for _, r := range s.Written {
			records[r.Key] = r.Value
			if r.Message != "chunk" && r.Message != "nothing" {
				errs = append(errs, shown(r.Fields, r.Value))
			}
		}
		for _, key := range s.Deleted {
			delete(records, key)
		}
		for _, l := range s.Logs {
			logs[l.Log] = append(logs[l.Log], l.Leaves...)
			errs = append(errs, same("root of "+l.Log, l.Root, root(logs[l.Log])),
				same("head of "+l.Log, records["log/"+l.Log], append(number(l.Size), l.Root...)))
		}
		for _, t := range s.Voters {
			leaves, voters := make([]hexBytes, t.Size), trees[t.Key]
			if voters == nil {
				voters = map[uint64]hexBytes{}
				trees[t.Key] = voters
			}
			for _, l := range t.Leaves {
				voters[l.Index] = l.Leaf
				errs = append(errs, shown(l.Fields, l.Leaf))
			}
			for i := range leaves {
				leaves[i] = voters[uint64(i)]
			}
			errs = append(errs, same(t.Key, t.Root, root(leaves)), same("head of "+t.Key, records[t.Key], append(number(t.Size), t.Root...)))
		}
		if len(records) != s.Records {
			errs = append(errs, errors.New("another number of records"))
		}
		if err := errors.Join(append(errs, same("app hash", s.AppHash, appHash(records)))...); err != nil {
			list = append(list, fmt.Errorf("height %d: %w", s.Height, err))
		}
	}
	return errors.Join(list...)
}

// appHash is the root over the records. Spec 5.3.
func appHash(records map[string]hexBytes) hexBytes {
	keys := make([]string, 0, len(records))
	for key := range records {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, strings.Compare)
	var leaves []hexBytes
	for _, key := range keys {
		leaves = append(leaves, recordLeaf(key, hash(records[key])))
	}
	return root(leaves)
}

// recordLeaf is the leaf of a record. Spec 5.3.
func recordLeaf(key string, value hexBytes) hexBytes {
	return slices.Concat(binary.AppendUvarint(nil, uint64(len(key))), hexBytes(key), hexBytes{32}, value)
}
