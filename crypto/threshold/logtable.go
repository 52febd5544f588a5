package threshold

import (
	"github.com/oasisprotocol/curve25519-voi/curve"

	"votenode/crypto/group"
)

// LogTable finds the small t of a point t G by Shanks' baby steps and giant steps. One table serves all sums of an
// election; it does not change after NewLogTable and is safe for concurrent use. Section 4.11.
type LogTable struct {
	baby  map[[group.PointSize]byte]uint64 // encoding of i G -> i, for 0 <= i < size
	giant *curve.RistrettoPoint            // -size G
}

// NewLogTable builds a table for logarithms up to about max: at least 4 sqrt(max) entries, a power of two from 2^6 to
// 2^18, so that a search of the whole range takes at most sqrt(max) / 4 steps while max is below 2^32. A larger range can
// be searched too, and takes longer.
func NewLogTable(max uint64) *LogTable {
	size := uint64(1) << 6
	for size < 1<<18 && size*size/16 < max {
		size *= 2
	}
	t := &LogTable{baby: make(map[[group.PointSize]byte]uint64, size)}
	point := curve.NewRistrettoPoint()
	for i := range size {
		t.baby[encode(point)] = i
		point.Add(point, curve.RISTRETTO_BASEPOINT_POINT)
	}
	t.giant = curve.NewRistrettoPoint().Neg(point)
	return t
}

// Solve returns the t with point = t G if 0 <= t <= max. The outcome does not depend on the size of the table. It takes
// max / size steps where there is none. Variable time.
func (t *LogTable) Solve(point *curve.RistrettoPoint, max uint64) (uint64, bool) {
	// point - s size G = i G  <=>  t = s size + i
	rest := curve.NewRistrettoPoint().Set(point)
	size := uint64(len(t.baby))
	for base := uint64(0); ; base += size {
		if i, ok := t.baby[encode(rest)]; ok && i <= max-base {
			return base + i, true
		}
		if max-base < size {
			return 0, false
		}
		rest.Add(rest, t.giant)
	}
}

func encode(p *curve.RistrettoPoint) [group.PointSize]byte {
	var c curve.CompressedRistretto
	c.SetRistrettoPoint(p)
	return c
}
