package vectors

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// concat joins elements of 32 bytes.
func concat(lists ...[]hexBytes) []byte { return slices.Concat(slices.Concat(lists...)...) }

// transaction returns one by its place.
func (v *vectors) transaction(height int64, index int) *transactionVector {
	return &v.of(height)[index]
}

// holds checks that byte strings stand in the body of a transaction.
func holds(x *transactionVector, what ...[]byte) error {
	for i, b := range what {
		if len(b) == 0 || !bytes.Contains(x.Body, b) {
			return fmt.Errorf("transaction %d of block %d has no part %d of these", x.Index, x.Height, i)
		}
	}
	return nil
}

func (v *vectors) checkBallots() error {
	f := &v.ballots
	list := []error{same("keys", concat(f.Election.Keys), concat(v.ceremony.Keys)), same("key digest", f.Election.KeyDigest, v.ceremony.KeyDigest.Hash)}
	var roll []hexBytes
	for _, s := range v.states.States {
		for _, l := range s.Logs {
			if l.Log == "election/primary/roll" {
				roll = append(roll, l.Leaves...)
			}
		}
	}
	for i, e := range f.Election.Roll {
		list = append(list, same("entry of the roll", roll[i], message{}.bytes(1, e.Key).varint(2, int64(e.Style))))
	}
	list = append(list, same("root of the roll", f.Election.RollRoot, root(roll)))
	recorded := uint64(0)
	for _, b := range f.Ballots {
		x := v.transaction(b.Height, b.Index)
		p := &b.Proof
		ciphertext := concat([]hexBytes{b.Ciphertext.C0}, b.Ciphertext.C)
		proof := concat([]hexBytes{p.A, p.B, p.C, p.D, p.T0, p.T1}, p.F, []hexBytes{p.ZA, p.ZC, p.ZR})
		list = append(list, holds(x, ciphertext, proof), same("signature", x.Signature, slices.Concat(b.Signature.R, b.Signature.S)),
			checkTranscript(b.Transcript), same("code", b.Code.Hash, hash(b.Code.Bytes)), same("voter", b.Voter, f.Election.Roll[b.RollIndex].Key))
		t := b.Transcript.Bytes
		for _, part := range [][]byte{
			f.Election.Manifest, f.Election.RollRoot, f.Election.KeyDigest, number(uint64(b.Style)), number(b.RollIndex), b.Voter, number(b.Sequence),
			ciphertext, proof[:128], proof[128:192], proof[192:], b.Signature.R,
		} {
			at := bytes.Index(t, frame(part))
			if at < 0 {
				return fmt.Errorf("ballot %d of block %d: the transcript lacks %x", b.Index, b.Height, part)
			}
			t = t[at:] // in this order
		}
		if len(b.Transcript.Challenges) != 3 || !bytes.HasSuffix(b.Code.Bytes, frame(ciphertext)) || b.Code.Text[:6] != "code1-" {
			list = append(list, errors.New("challenges or code of a ballot"))
		}
		list = append(list, checkLast(f.Election.Styles[b.Style], &b))
		if b.LogIndex != nil {
			if *b.LogIndex != recorded || b.Code.Hash == nil || x.Code != 0 {
				list = append(list, errors.New("the order of ballots"))
			}
			recorded++
		}
	}
	for _, s := range f.Spoiled {
		x := v.transaction(s.Height, s.Index)
		list = append(list, same("voter", s.Voter, f.Election.Roll[s.RollIndex].Key), holds(x, s.Code, s.C0), same("signature", x.Signature, slices.Concat(s.Signature.R, s.Signature.S)), checkTranscript(s.Transcript))
	}
	for i, g := range f.Generators {
		m := framed("votenode/v1/ballot-generator", []byte(f.Election.Chain), []byte(f.Election.Election), number(uint64(i)))
		list = append(list, same("message", g.Message, m))
	}
	if recorded != 7 || len(f.Spoiled) != 1 || len(f.Generators) != 8 {
		list = append(list, errors.New("ballots or generators are missing"))
	}
	return errors.Join(list...)
}

// checkLast computes f_last = max x - (sum of the other f) of each contest. Spec 3.7.
func checkLast(style []slotsVector, b *ballotVector) error {
	f, x := b.Proof.F, scalarNumber(b.Transcript.Challenges[1].Scalar)
	for i, c := range style {
		last := new(big.Int).Mul(big.NewInt(int64(c.Max)), x)
		for range c.positions() - 1 {
			last.Sub(last, scalarNumber(f[0]))
			f = f[1:]
		}
		if err := same("f_last", b.Last[i], scalarBytes(last)); err != nil {
			return err
		}
	}
	return nil
}

// checkLagrange computes L_a = product over b != a of i_b / (i_b - i_a). Spec 4.1.
func checkLagrange(l *lagrangeVector) error {
	for a, ia := range l.Indices {
		n := big.NewInt(1)
		for _, ib := range l.Indices {
			if ib != ia {
				difference := new(big.Int).Mod(big.NewInt(int64(ib)-int64(ia)), order)
				n.Mul(n.Mul(n, big.NewInt(int64(ib))), difference.ModInverse(difference, order))
			}
		}
		if err := same("coefficient", l.Coefficients[a], scalarBytes(n)); err != nil {
			return err
		}
	}
	return nil
}

func (v *vectors) checkCeremony() error {
	f := &v.ceremony
	list := []error{same("key digest", f.KeyDigest.Hash, hash(f.KeyDigest.Bytes))}
	complaints := 0
	for _, o := range f.Organisations {
		for _, a := range o.Attempts {
			for _, d := range a.Deals {
				announced, published := v.transaction(d.Announced.Height, d.Announced.Index), v.transaction(d.Published.Height, d.Published.Index)
				commitments := concat(d.Commitments...)
				list = append(list, same("trustee", o.Trustees[d.Dealer-1].Key, announced.Signer), holds(announced, d.DealHash.Hash), same("deal hash", d.DealHash.Hash, hash(d.DealHash.Bytes)),
					holds(published, commitments, slices.Concat(d.Possession.C, d.Possession.S)), checkEquality(&d.Possession, commitments))
				if !bytes.HasSuffix(d.DealHash.Bytes, frame(commitments)) {
					list = append(list, errors.New("a deal hash of something else"))
				}
				for _, k := range d.ReceiverKeys {
					list = append(list, holds(announced, k.Key))
				}
				for _, s := range d.Shares {
					list = append(list, holds(published, slices.Concat(s.Encapsulated, s.Output)))
					context := d.DealHash.Bytes[len(frame([]byte("votenode/v1/deal-hash"))) : len(d.DealHash.Bytes)-len(frame(commitments))]
					list = append(list, same("info", s.Info, slices.Concat(framed("votenode/v1/share"), context, frame(number(uint64(s.Receiver)), d.DealHash.Hash))))
				}
			}
			for _, c := range a.Complaints {
				complaints++
				list = append(list, holds(v.transaction(c.Height, c.Index), c.PrivateKey))
				for _, d := range a.Deals {
					published := slices.ContainsFunc(d.ReceiverKeys, func(k keyVector) bool { return k.Dealer == c.Dealer && bytes.Equal(k.Key, c.PublicKey) })
					if published != (d.Dealer == c.Receiver) {
						list = append(list, errors.New("a complaint with another key than published"))
					}
				}
			}
		}
		for _, t := range o.Trustees {
			if (t.Keys == nil) == (t.Ejected == "EJECTION_NONE") || t.Keys != nil && !bytes.Contains(f.KeyDigest.Bytes, frame(number(uint64(t.Index)), concat(t.Keys))) {
				list = append(list, errors.New("keys of a trustee"))
			}
		}
		if !bytes.Contains(f.KeyDigest.Bytes, frame([]byte(o.Organisation), number(uint64(o.Quorum)), concat(o.Keys))) {
			list = append(list, errors.New("a key digest of something else"))
		}
	}
	list = append(list, same("trial", f.Trial.Message, framed("votenode/v1/trial-base", []byte(f.Chain), []byte(f.Election), f.KeyDigest.Hash)))
	for _, s := range f.Trial.Shares {
		list = append(list, v.checkOpened(&s, f.Trial.T))
	}
	for i, c := range f.Trial.Combine {
		list = append(list, same("keys", concat(c.Keys), concat(f.Organisations[i/2].Keys)), checkLagrange(&c.Quorum),
			same("points of both quorums", concat(c.Points), concat(f.Trial.Combine[i^1].Points)))
	}
	if keys := v.record("election/primary/keys")[0]; !bytes.HasPrefix(keys.Value, message{}.bytes(1, concat(f.Keys))) {
		list = append(list, errors.New("keys of the election"))
	}
	if complaints != 1 || len(f.Trial.Shares) != 6 || len(f.Trial.Combine) != 4 {
		list = append(list, errors.New("complaints or trial"))
	}
	return errors.Join(list...)
}

// checkEquality checks the challenges of a proof over some rows.
func checkEquality(e *equality, rows ...[]byte) error {
	n := len(e.Transcript.Challenges)
	if n != 2 || !bytes.Equal(e.Transcript.Challenges[1].Scalar, e.C) || !bytes.Contains(e.Transcript.Bytes, frame(concat(e.R))) {
		return errors.New("the challenges are not those of the proof")
	}
	for _, row := range rows {
		if !bytes.Contains(e.Transcript.Bytes[:e.Transcript.Challenges[0].Hashed], frame(row)) {
			return errors.New("the transcript lacks a row")
		}
	}
	return checkTranscript(e.Transcript)
}

func (v *vectors) checkOpened(s *openedVector, base []byte) error {
	x := v.transaction(s.Height, s.Index)
	return errors.Join(holds(x, concat(s.Shares), slices.Concat(s.Proof.C, s.Proof.S)), checkEquality(&s.Proof, base, concat(s.Keys), concat(s.Shares)))
}

func (v *vectors) checkTally() error {
	var list []error
	for _, c := range v.tally.Contests {
		sums := v.record(fmt.Sprintf("election/primary/sum/%05d", c.Contest))
		sum := slices.Concat(number(c.Sum.Count), concat([]hexBytes{c.Sum.A0}, c.Sum.A))
		results := v.record(fmt.Sprintf("election/primary/result/%05d", c.Contest))
		var votes message
		for _, n := range c.Votes {
			votes = append(votes, byte(n))
		}
		result := message{}.varint(1, 1).varint(2, int64(c.Sum.Count)).nested(3, votes)
		list = append(list, same("sum", sum, sums[len(sums)-1].Value), same("result", c.Result, results[0].Value), same("result", c.Result, result))
		if len(c.Counted) != int(c.Sum.Count) || len(c.M) != c.Options || len(c.Quorums) != 2 {
			list = append(list, errors.New("counted ballots or points"))
		}
		for i := range c.Quorums {
			list = append(list, checkLagrange(&c.Quorums[i].lagrangeVector))
		}
		for _, s := range c.Posted {
			list = append(list, v.checkOpened(&s, c.Sum.A0))
		}
	}
	if len(v.tally.Contests) != 2 {
		list = append(list, errors.New("contests are missing"))
	}
	return errors.Join(list...)
}
