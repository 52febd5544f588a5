package threshold

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"
)

// The fuzz targets share one rule: what a parser accepts it gives back byte for byte, so there is one encoding.

func FuzzParseCommitments(f *testing.F) {
	_, commitments := deal(testCeremony, 1)
	f.Add(commitments.Bytes())
	f.Add(make([]byte, len(commitments.Bytes())))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := testCeremony.ParseCommitments(b)
		if err != nil {
			return
		}
		var again []byte
		for j := range testCeremony.Slots {
			if hasIdentity(c.Slot(j)) {
				t.Fatal("identity in commitments")
			}
			again = append(again, PointsBytes(c.Slot(j))...)
		}
		if !bytes.Equal(again, b) || !bytes.Equal(c.Bytes(), b) {
			t.Fatal("two encodings")
		}
	})
}

func FuzzParseSecrets(f *testing.F) {
	p, _ := deal(testCeremony, 1)
	f.Add(p.Bytes())
	f.Add(bytes.Repeat([]byte{0xff}, len(p.Bytes())))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := testCeremony.ParsePolynomials(b); err == nil && !bytes.Equal(p.Bytes(), b) {
			t.Fatal("two encodings of polynomials")
		}
		if s, err := ParseShare(b, len(b)/32); err == nil && !bytes.Equal(s.Bytes(), b) {
			t.Fatal("two encodings of a share")
		}
	})
}

// FuzzJudgeComplaint: no complaint key convicts an honest dealer, and no ciphertext convicts an honest complainer: what
// its software could not open is judged the dealer's fault, and what it could open is not.
func FuzzJudgeComplaint(f *testing.F) {
	c := testCeremony
	p, commitments := deal(c, 1)
	private, public, err := GenerateReceiverKey(rand.Reader)
	check(f, err)
	good := must(c.SealShare(1, 2, commitments, public, p))
	f.Add(private, good)
	f.Add(private, good[:len(good)-1])
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, key, ciphertext []byte) {
		if guilty, err := c.JudgeComplaint(1, 2, commitments, public, key, good); guilty || err == nil && !bytes.Equal(key, private) {
			t.Fatal("honest dealer convicted, or two complaint keys for one receiver key")
		}
		_, opened := c.OpenShare(1, 2, commitments, private, ciphertext)
		guilty, err := c.JudgeComplaint(1, 2, commitments, public, private, ciphertext)
		if err != nil || guilty != errors.Is(opened, ErrShare) || guilty == (opened == nil) {
			t.Fatalf("receiver says %v, judge says %v, %v", opened, guilty, err)
		}
	})
}

func FuzzCheckReceiverKey(f *testing.F) {
	_, public, err := GenerateReceiverKey(rand.Reader)
	check(f, err)
	f.Add(public)
	f.Add(make([]byte, 32))
	f.Add(bytes.Repeat([]byte{0xff}, 32))
	p, commitments := deal(testCeremony, 1)
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := testCeremony.SealShare(1, 2, commitments, b, p)
		if (CheckReceiverKey(b) == nil) != (err == nil) {
			t.Fatalf("checked %v, sealing %v", CheckReceiverKey(b), err)
		}
	})
}

func FuzzPartialDecryption(f *testing.F) {
	board, st := opened(f)
	pd := must(ProvePartial(st, board.shares[1], rand.Reader))
	f.Add(PointsBytes(pd.Shares), pd.Proof[:])
	f.Add(make([]byte, 96), make([]byte, 64))
	f.Fuzz(func(t *testing.T, shares, proof []byte) {
		parsed, err := ParsePartialDecryption(shares, proof, 3)
		if err != nil {
			return
		}
		if !bytes.Equal(PointsBytes(parsed.Shares), shares) || !bytes.Equal(parsed.Proof[:], proof) {
			t.Fatal("two encodings")
		}
		same := bytes.Equal(shares, PointsBytes(pd.Shares)) && bytes.Equal(proof, pd.Proof[:])
		if (VerifyPartial(st, parsed) == nil) != same {
			t.Fatal("a partial decryption nobody made verifies")
		}
	})
}
