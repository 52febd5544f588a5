package ballot

import "strings"

// Bech32m as in BIP 350, for whole bytes and at most 90 characters.

const (
	bech32Charset  = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	bech32mConst   = 0x2bc830a3
	bech32Longest  = 90
	bech32Checksum = 6
)

// bech32Polymod is the checksum's remainder over 5-bit values.
func bech32Polymod(values []byte) uint32 {
	generator := [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3}
	check := uint32(1)
	for _, v := range values {
		top := check >> 25
		check = check&0x1ffffff<<5 ^ uint32(v)
		for i, g := range generator {
			check ^= g & -(top >> i & 1) // no branch: the bytes may be a secret
		}
	}
	return check
}

// bech32Expand spreads the prefix for the checksum.
func bech32Expand(prefix string) []byte {
	out := make([]byte, 0, 2*len(prefix)+1)
	for i := range len(prefix) {
		out = append(out, prefix[i]>>5)
	}
	out = append(out, 0)
	for i := range len(prefix) {
		out = append(out, prefix[i]&31)
	}
	return out
}

// encodeBech32m encodes bytes behind a lower-case prefix.
func encodeBech32m(prefix string, data []byte) string {
	values, _ := regroup(data, 8, 5, true)
	check := bech32Polymod(append(append(bech32Expand(prefix), values...), make([]byte, bech32Checksum)...)) ^ bech32mConst
	for i := range bech32Checksum {
		values = append(values, byte(check>>(5*(bech32Checksum-1-i))&31))
	}
	var b strings.Builder
	b.WriteString(prefix + "1")
	for _, v := range values {
		b.WriteByte(bech32Charset[v])
	}
	return b.String()
}

// decodeBech32m decodes a text to its prefix, in lower case, and bytes. Padding bits must be zero and fewer than five.
func decodeBech32m(text string) (prefix string, data []byte, ok bool) {
	prefix, values, ok := checkBech32m(text)
	if !ok {
		return "", nil, false
	}
	data, ok = regroup(values, 5, 8, false)
	return prefix, data, ok
}

// checkBech32m checks form and checksum and returns the prefix, in lower case, and the 5-bit values before the checksum.
func checkBech32m(text string) (prefix string, values []byte, ok bool) {
	for i := range len(text) {
		if text[i] < 33 || text[i] > 126 {
			return "", nil, false
		}
	}
	lower := strings.ToLower(text)
	if text != lower && text != strings.ToUpper(text) {
		return "", nil, false
	}
	one := strings.LastIndexByte(lower, '1')
	if len(lower) > bech32Longest || one < 1 || one+1+bech32Checksum > len(lower) {
		return "", nil, false
	}
	for i := one + 1; i < len(lower); i++ {
		v := strings.IndexByte(bech32Charset, lower[i])
		if v < 0 {
			return "", nil, false
		}
		values = append(values, byte(v))
	}
	if bech32Polymod(append(bech32Expand(lower[:one]), values...)) != bech32mConst {
		return "", nil, false
	}
	return lower[:one], values[:len(values)-bech32Checksum], true
}

// regroup changes groups of from bits to groups of to bits, most significant first.
func regroup(in []byte, from, to uint, pad bool) ([]byte, bool) {
	var out []byte
	acc, bits := uint32(0), uint(0)
	for _, v := range in {
		acc, bits = acc<<from|uint32(v), bits+from
		for bits >= to {
			bits -= to
			out = append(out, byte(acc>>bits)&byte(1<<to-1))
		}
		acc &= 1<<bits - 1
	}
	if pad && bits > 0 {
		return append(out, byte(acc<<(to-bits))&byte(1<<to-1)), true
	}
	return out, bits < from && acc == 0
}
