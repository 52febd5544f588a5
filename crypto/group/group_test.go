package group

import (
	"bytes"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// order is the group order l, little-endian.
const order = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"

// TestMultiples checks RFC 9496, A.1: the encodings of 0 to 15 times the generator.
func TestMultiples(t *testing.T) {
	p := curve.NewRistrettoPoint().Identity()
	for i, want := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76",
		"6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919",
		"94741f5d5d52755ece4f23f044ee27d5d1ea1e2bd196b462166b16152a9d0259",
		"da80862773358b466ffadfe0b3293ab3d9fd53c5ea6c955358f568322daf6a57",
		"e882b131016b52c1d3337080187cf768423efccbb517bb495ab812c4160ff44e",
		"f64746d3c92b13050ed8d80236a7f0007c3b3f962f5ba793d19a601ebb1df403",
		"44f53520926ec81fbd5a387845beb7df85a96a24ece18738bdcfa6a7822a176d",
		"903293d8f2287ebe10e2374dc1a53e0bc887e592699f02d077d5263cdd55601c",
		"02622ace8f7303a31cafc63f8fc48fdc16e1c8c8d234b2f0d6685282a9076031",
		"20706fd788b2720a1ed2a5dad4952b01f413bcf0e7564de8cdc816689e2db95f",
		"bce83f8ba5dd2fa572864c24ba1810f9522bc6004afe95877ac73241cafdab42",
		"e4549ee16b9aa03099ca208c67adafcafa4c3f3e4e5303de6026e3ca8ff84460",
		"aa52e000df2e16f55fb1032fc33bc42742dad6bd5a8fc0be0167436c5948501f",
		"46376b80f409b29dc2b5f6f0c52591990896e5716f41477cd30085ab7f10301e",
		"e0c418f7c8d9c4cdd7395b93ea124f3ad99021bb681dfc3302a9d99a2e53e64e",
	} {
		if got := hex.EncodeToString(PointBytes(p)); got != want {
			t.Errorf("%d G = %s, want %s", i, got, want)
		}
		parsed, err := ParsePointOrIdentity(unhex(t, want))
		if err != nil || parsed.Equal(p) != 1 {
			t.Errorf("%d G: parsed to another point, %v", i, err)
		}
		if _, err := ParsePoint(unhex(t, want)); i > 0 && err != nil || i == 0 && !errors.Is(err, ErrIdentity) {
			t.Errorf("%d G: ParsePoint says %v", i, err)
		}
		p.Add(p, curve.RISTRETTO_BASEPOINT_POINT)
	}
}

// TestBadEncodings checks RFC 9496, A.2, with each reason of its, and wrong lengths.
func TestBadEncodings(t *testing.T) {
	for reason, encodings := range map[string][]string{
		"Non-canonical field encodings": {
			"00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
			"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
			"f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
			"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		},
		"Negative field elements": {
			"0100000000000000000000000000000000000000000000000000000000000000",
			"01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
			"ed57ffd8c914fb201471d1c3d245ce3c746fcbe63a3679d51b6a516ebebe0e20",
			"c34c4e1826e5d403b78e246e88aa051c36ccf0aafebffe137d148a2bf9104562",
			"c940e5a4404157cfb1628b108db051a8d439e1a421394ec4ebccb9ec92a8ac78",
			"47cfc5497c53dc8e61c91d17fd626ffb1c49e2bca94eed052281b510b1117a24",
			"f1c6165d33367351b0da8f6e4511010c68174a03b6581212c71c0e1d026c3c72",
			"87260f7a2f12495118360f02c26a470f450dadf34a413d21042b43b9d93e1309",
		},
		"Non-square x^2": {
			"26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
			"4eac077a713c57b4f4397629a4145982c661f48044dd3f96427d40b147d9742f",
			"de6a7b00deadc788eb6b6c8d20c0ae96c2f2019078fa604fee5b87d6e989ad7b",
			"bcab477be20861e01e4a0e295284146a510150d9817763caf1a6f4b422d67042",
			"2a292df7e32cababbd9de088d1d1abec9fc0440f637ed2fba145094dc14bea08",
			"f4a9e534fc0d216c44b218fa0c42d99635a0127ee2e53c712f70609649fdff22",
			"8268436f8c4126196cf64b3c7ddbda90746a378625f9813dd9b8457077256731",
			"2810e5cbc2cc4d4eece54f61c6f69758e289aa7ab440b3cbeaa21995c2f4232b",
		},
		"Negative xy value": {
			"3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e",
			"a45fdc55c76448c049a1ab33f17023edfb2be3581e9c7aade8a6125215e04220",
			"d483fe813c6ba647ebbfd3ec41adca1c6130c2beeee9d9bf065c8d151c5f396e",
			"8a2e1d30050198c65a54483123960ccc38aef6848e1ec8f5f780e8523769ba32",
			"32888462f8b486c68ad7dd9610be5192bbeaf3b443951ac1a8118419d9fa097b",
			"227142501b9d4355ccba290404bde41575b037693cef1f438c47f8fbf35d1165",
			"5c37cc491da847cfeb9281d407efc41e15144c876e0170b499a96a22ed31e01e",
			"445425117cb8c90edcbc7c1cc0e74f747f2c1efa5630a967c64f287792a48a4b",
		},
		"s = -1, which causes y = 0": {
			"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		},
		"length": {
			"",
			"e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d",
			"e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d7600",
		},
	} {
		for _, e := range encodings {
			if _, err := ParsePoint(unhex(t, e)); !errors.Is(err, ErrPoint) {
				t.Errorf("%s: ParsePoint(%s) says %v", reason, e, err)
			}
			if _, err := ParsePointOrIdentity(unhex(t, e)); !errors.Is(err, ErrPoint) {
				t.Errorf("%s: ParsePointOrIdentity(%s) says %v", reason, e, err)
			}
		}
	}
}

// TestUniformBytes checks RFC 9496, A.3: the map from the SHA-512 of a text to the group, which hash-to-group ends with.
func TestUniformBytes(t *testing.T) {
	for text, want := range map[string]string{
		"Ristretto is traditionally a short shot of espresso coffee":      "3066f82a1a747d45120d1740f14358531a8f04bbffe6a819f86dfe50f44a0a46",
		"made with the normal amount of ground coffee but extracted with": "f26e5b6f7d362d2d2a94c5d0e7602cb4773c95a2e5c31a64f133189fa76ed61b",
		"about half the amount of water in the same amount of time":       "006ccd2a9e6867e6a2c5cea83d3302cc9de128dd2a9a57dd8ee7b9d7ffe02826",
		"by using a finer grind.":                                         "f8f0c87cf237953c5890aec3998169005dae3eca1fbb04548c635953c817f92a",
		"This produces a concentrated shot of coffee per volume.":         "ae81e7dedf20a497e10c304a765c1767a42d6e06029758d2d7e8ef7cc4c41179",
		"Just pulling a normal shot short will produce a weaker shot":     "e2705652ff9f5e44d3e841bf1c251cf7dddb77d140870d1ab2ed64f1a9ce8628",
		"and is not a Ristretto as some believe.":                         "80bd07262511cdde4863f8a7434cef696750681cb9510eea557088f76d9e5065",
	} {
		h := sha512.Sum512([]byte(text))
		p, err := curve.NewRistrettoPoint().SetUniformBytes(h[:])
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(PointBytes(p)); got != want {
			t.Errorf("%q maps to %s, want %s", text, got, want)
		}
	}
}

// TestHashToGroup checks ristretto255_XMD:SHA-512_R255MAP_RO_. RFC 9380 defines it without vectors; those of RFC 9497, A.1.1
// and A.1.2, are this hash multiplied by a given scalar.
func TestHashToGroup(t *testing.T) {
	for _, v := range []struct{ label, input, blind, blinded string }{
		{"HashToGroup-OPRFV1-\x00-ristretto255-SHA512", "00",
			"64d37aed22a27f5191de1c1d69fadb899d8862b58eb4220029e036ec4c1f6706",
			"609a0ae68c15a3cf6903766461307e5c8bb2f95e7e6550e1ffa2dc99e412803c"},
		{"HashToGroup-OPRFV1-\x00-ristretto255-SHA512", "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a",
			"64d37aed22a27f5191de1c1d69fadb899d8862b58eb4220029e036ec4c1f6706",
			"da27ef466870f5f15296299850aa088629945a17d1f5b7f5ff043f76b3c06418"},
	} {
		blind, err := ParseScalar(unhex(t, v.blind))
		if err != nil {
			t.Fatal(err)
		}
		p := HashToGroup(v.label, unhex(t, v.input))
		if got := hex.EncodeToString(PointBytes(p.Mul(p, blind))); got != v.blinded {
			t.Errorf("%s: %s, want %s", v.input, got, v.blinded)
		}
	}
	if HashToGroup("a", []byte("m")).Equal(HashToGroup("b", []byte("m"))) == 1 {
		t.Error("two labels map to one point")
	}
}

func TestScalars(t *testing.T) {
	l := unhex(t, order)
	below := append([]byte{l[0] - 1}, l[1:]...)
	for _, good := range [][]byte{make([]byte, 32), below} {
		s, err := ParseScalar(good)
		if err != nil || !bytes.Equal(ScalarBytes(s), good) {
			t.Errorf("ParseScalar(%x) says %v", good, err)
		}
	}
	above := append([]byte{l[0] + 1}, l[1:]...)
	high := append(append([]byte(nil), make([]byte, 31)...), 0x80)
	for _, bad := range [][]byte{nil, make([]byte, 31), make([]byte, 33), l, above, high, bytes.Repeat([]byte{0xff}, 32)} {
		if _, err := ParseScalar(bad); !errors.Is(err, ErrScalar) {
			t.Errorf("ParseScalar(%x) says %v", bad, err)
		}
	}
}

// TestReduceScalar checks l, l - 1 and 2^512 - 1 against long division done elsewhere.
func TestReduceScalar(t *testing.T) {
	var wide [64]byte
	copy(wide[:], unhex(t, order))
	if ReduceScalar(wide).Equal(scalar.New()) != 1 {
		t.Error("l does not reduce to 0")
	}
	wide[0]--
	if minusOne := ReduceScalar(wide); scalar.New().Add(minusOne, scalar.One()).Equal(scalar.New()) != 1 {
		t.Error("l - 1 does not reduce to -1")
	}
	copy(wide[:], bytes.Repeat([]byte{0xff}, 64))
	const want = "000f9c44e31106a447938568a71b0ed065bef517d273ecce3d9a307c1b419903"
	if got := hex.EncodeToString(ScalarBytes(ReduceScalar(wide))); got != want {
		t.Errorf("2^512 - 1 reduces to %s, want %s", got, want)
	}
}

func FuzzParsePoint(f *testing.F) {
	f.Add(make([]byte, 32))
	f.Add(PointBytes(curve.RISTRETTO_BASEPOINT_POINT))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePointOrIdentity(b)
		if err == nil && !bytes.Equal(PointBytes(p), b) {
			t.Errorf("%x is a second encoding", b)
		}
		q, strict := ParsePoint(b)
		if (strict == nil) != (err == nil && !p.IsIdentity()) || strict == nil && p.Equal(q) != 1 {
			t.Errorf("the two parsers disagree on %x: %v, %v", b, err, strict)
		}
	})
}

func FuzzParseScalar(f *testing.F) {
	f.Add(make([]byte, 32))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := ParseScalar(b); err == nil && !bytes.Equal(ScalarBytes(s), b) {
			t.Errorf("%x is a second encoding", b)
		}
	})
}
