#!/usr/bin/env python3
"""Checks ballot.json by docs/spec/03-ballot.md and 15-registrars.md alone: a second implementation of the verifier, with no library but hashes.

It is slow, draws no secrets and must not be used for anything else. Group: RFC 9496; hash-to-group: RFC 9380.
"""
import hashlib
import json
import pathlib
import sys

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


class Fault(Exception):
    """What the vectors call the error of a ballot."""


# --- RFC 9496 ---------------------------------------------------------------------------------------------------------

def negative(x):
    return x % P & 1


def magnitude(x):
    return P - x % P if negative(x) else x % P


def sqrt_ratio(u, v):
    r = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    check = v * r * r % P
    if check in (-u % P, -u * SQRT_M1 % P):
        r = r * SQRT_M1 % P
    return check in (u % P, -u % P), magnitude(r)


INVSQRT_A_MINUS_D = sqrt_ratio(1, -1 - D)[1]
SQRT_AD_MINUS_ONE = P - sqrt_ratio(-D - 1, 1)[1]  # RFC 9496, 4.1: the odd root


class Point:
    def __init__(self, x, y, z, t):
        self.x, self.y, self.z, self.t = x % P, y % P, z % P, t % P

    def __add__(self, o):
        a, b = (self.y - self.x) * (o.y - o.x), (self.y + self.x) * (o.y + o.x)
        c, d = 2 * D * self.t * o.t, 2 * self.z * o.z
        e, f, g, h = b - a, d - c, d + c, b + a
        return Point(e * f, g * h, f * g, e * h)

    def __rmul__(self, n):
        n, total, power = n % L, IDENTITY, self
        while n:
            if n & 1:
                total = total + power
            power, n = power + power, n >> 1
        return total

    def __eq__(self, o):
        return (self.x * o.y - self.y * o.x) % P == 0 or (self.y * o.y - self.x * o.x) % P == 0

    def encode(self):
        u1, u2 = (self.z + self.y) * (self.z - self.y) % P, self.x * self.y % P
        inv = sqrt_ratio(1, u1 * u2 * u2)[1]
        den1, den2 = inv * u1 % P, inv * u2 % P
        z_inv = den1 * den2 * self.t % P
        x, y, den = self.x, self.y, den2
        if negative(self.t * z_inv):
            x, y, den = self.y * SQRT_M1 % P, self.x * SQRT_M1 % P, den1 * INVSQRT_A_MINUS_D % P
        if negative(x * z_inv):
            y = -y
        return magnitude(den * (self.z - y)).to_bytes(32, "little")


IDENTITY = Point(0, 1, 1, 0)


def decode(b, identity=False):
    s = int.from_bytes(b, "little")
    if s >= P or negative(s):
        raise Fault("point")
    u1, u2 = (1 - s * s) % P, (1 + s * s) % P
    v = (-D * u1 * u1 - u2 * u2) % P
    square, inv = sqrt_ratio(1, v * u2 * u2)
    den_x = inv * u2 % P
    x = magnitude(2 * s * den_x)
    y = u1 * inv * den_x * v % P
    if not square or negative(x * y) or y == 0:
        raise Fault("point")
    if s == 0 and not identity:
        raise Fault("identity")
    return Point(x, y, 1, x * y)


G = decode(bytes.fromhex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"))


def one_way_map(b):
    t = (int.from_bytes(b, "little") & 2**255 - 1) % P
    r = SQRT_M1 * t * t % P
    u = (r + 1) * (1 - D * D) % P
    v = (-1 - r * D) * (r + D) % P
    square, s = sqrt_ratio(u, v)
    c = -1
    if not square:
        s, c = -magnitude(s * t), r
    n = c * (r - 1) * pow(D - 1, 2, P) - v
    w0, w1 = 2 * s * v, n * SQRT_AD_MINUS_ONE
    w2, w3 = 1 - s * s, 1 + s * s
    return Point(w0 * w3, w2 * w1, w1 * w3, w0 * w2)


def hash_to_group(msg, dst):
    """RFC 9380, 5.3.1 with SHA-512 to 64 bytes, then RFC 9496, 4.3.4."""
    dst += bytes([len(dst)])
    b0 = hashlib.sha512(bytes(128) + msg + (64).to_bytes(2, "big") + b"\0" + dst).digest()
    uniform = hashlib.sha512(b0 + b"\1" + dst).digest()
    return one_way_map(uniform[:32]) + one_way_map(uniform[32:])


def scalar(b):
    n = int.from_bytes(b, "little")
    if n >= L:
        raise Fault("scalar")
    return n


# --- 3.1: framing and transcripts -------------------------------------------------------------------------------------

def frame(b):
    return len(b).to_bytes(8, "big") + b


def u64(n):
    return n.to_bytes(8, "big")


def frames(label, *items):
    return b"".join(map(frame, (label, *items)))


class Transcript:
    def __init__(self, label):
        self.raw = frame(label)

    def item(self, name, data):
        self.raw += frame(name) + frame(data)

    def challenge(self, name):
        self.raw += frame(name)
        h = hashlib.sha512(self.raw).digest()
        self.raw += frame(h)
        return h, int.from_bytes(h, "little") % L


# --- the verifier -----------------------------------------------------------------------------------------------------

class Election:
    def __init__(self, v):
        self.v = v
        self.chain, self.id = v["chain"].encode(), v["election"].encode()
        self.keys = [decode(bytes.fromhex(k)) for k in v["keys"]]
        longest = max(sum(c["options"] + c["max"] - c["min"] for c in s) for s in v["styles"])
        label = b"votenode/v1/ballot-generator"
        points = [hash_to_group(frames(label, self.chain, self.id, u64(i)), label) for i in range(longest + 1)]
        self.h, self.k = points[0], points[1:]

    def context(self, b):
        t = Transcript(b"votenode/v1/ballot")
        t.item(b"version", u64(1))
        t.item(b"chain", self.chain)
        t.item(b"election", self.id)
        for name in ("manifest", "roll-root", "key-digest"):
            t.item(name.encode(), bytes.fromhex(self.v[name.replace("-", "_")]))
        t.item(b"style", u64(b["style"]))
        t.item(b"roll-index", u64(b["roll_index"]))
        t.item(b"voter", bytes.fromhex(b["voter"]))
        t.item(b"sequence", u64(b["sequence"]))
        return t

    def code(self, b, ciphertext):
        return hashlib.sha256(frames(b"votenode/v1/confirmation-code", self.chain, self.id, u64(b["style"]),
                                     u64(b["roll_index"]), u64(b["sequence"]), ciphertext)).digest()

    def verify(self, b):
        """Section 3.7. Returns rho, x, e and the transcript, or raises Fault."""
        if b["style"] >= len(self.v["styles"]):
            raise Fault("style")
        style = self.v["styles"][b["style"]]
        ciphertext, proof, signature = (bytes.fromhex(b[n]) for n in ("ciphertext", "proof", "signature"))
        n = sum(c["options"] for c in style)
        m = sum(c["options"] + c["max"] - c["min"] for c in style)
        if (len(ciphertext), len(proof), len(signature)) != (32 * (n + 1), 32 * (m - len(style) + 9), 64):
            raise Fault("length")
        split = lambda raw: [raw[i:i + 32] for i in range(0, len(raw), 32)]
        voter = decode(bytes.fromhex(b["voter"]))
        c = [decode(p) for p in split(ciphertext)]
        pa, pb, pc, pd, t0, t1 = [decode(p) for p in split(proof[:192])]
        responses = [scalar(s) for s in split(proof[192:])]
        nonce, s = decode(signature[:32]), scalar(signature[32:])

        t = self.context(b)
        t.item(b"ciphertext", ciphertext)
        t.item(b"commitments", proof[:128])
        _, rho = t.challenge(b"rho")
        t.item(b"openings", proof[128:192])
        _, x = t.challenge(b"x")
        t.item(b"responses", proof[192:])
        t.item(b"nonce", signature[:32])
        hashed = t.raw + frame(b"signature")
        _, e = t.challenge(b"signature")

        f, options, slots = [], [], []
        for contest in style:
            options += range(len(f), len(f) + contest["options"])
            slots += range(contest["first_slot"], contest["first_slot"] + contest["options"])
            size = contest["options"] + contest["max"] - contest["min"]
            part, responses = responses[:size - 1], responses[size - 1:]
            f += part + [(contest["max"] * x - sum(part)) % L]
        za, zc, zr = responses

        left3, right4, right_key, f4 = x * c[0] + t0, t1, IDENTITY, 0
        holds = [x * pb + pa == total([za * self.h] + [fi * k for fi, k in zip(f, self.k)])]
        holds.append(x * pc + pd == total([zc * self.h] + [fi * (x - fi) * k for fi, k in zip(f, self.k)]))
        holds.append(left3 == zr * G)
        for j, (i, slot) in enumerate(zip(options, slots), 1):
            rho_j = pow(rho, j, L)
            right4 = right4 + rho_j * x * c[j]
            f4 += rho_j * f[i]
            right_key = right_key + rho_j * self.keys[slot]
        holds.append(right4 == f4 * G + zr * right_key)
        holds.append(nonce + e * voter == s * G)
        if not all(holds):
            fault = Fault("proof" if holds[4] else "signature")
            fault.fails = [i for i, ok in enumerate(holds, 1) if not ok]
            raise fault
        return rho, x, e, hashed

    def encrypt(self, style, selections, r):
        """Section 3.4."""
        out = (r * G).encode()
        for contest, chosen in zip(self.v["styles"][style], selections):
            for o in range(contest["options"]):
                point = r * self.keys[contest["first_slot"] + o]
                out += (point + G if o in chosen else point).encode()
        return out


# --- 3.16, 15.4, 15.6: what voters and registrars sign and prove besides ballots ---------------------------------------

def signed(e, s):
    t = Transcript(b"votenode/v1/voter-transaction")
    for name, data in ((b"version", u64(1)), (b"chain", e.chain), (b"election", e.id), (b"roll-index", u64(s["roll_index"])),
                       (b"voter", bytes.fromhex(s["voter"])), (b"kind", u64(s["kind"])), (b"body", bytes.fromhex(s["body"]))):
        t.item(name, data)
    return t


def application(e, s):
    t = Transcript(b"votenode/v1/key-application")
    for name, data in ((b"version", u64(1)), (b"chain", e.chain), (b"election", e.id), (b"voter", bytes.fromhex(s["voter"]))):
        t.item(name, data)
    return t


def schnorr(t, s):
    """3.9 over a transcript that lacks the nonce. Returns e and what is hashed for it, or raises Fault."""
    signature = bytes.fromhex(s["signature"])
    if len(signature) != 64:
        raise Fault("length")
    nonce, response = decode(signature[:32]), scalar(signature[32:])
    t.item(b"nonce", signature[:32])
    hashed = t.raw + frame(b"signature")
    _, e = t.challenge(b"signature")
    if nonce + e * decode(bytes.fromhex(s["voter"])) != response * G:
        raise Fault("signature")
    return e, hashed


def hedged(label, fresh, secret, statement, *more):
    """The first scalar of 3.10 and 15.4."""
    return int.from_bytes(hashlib.shake_256(frames(label, fresh, secret, statement, *more)).digest(64), "little") % L


def halves(e, h):
    """15.4. Returns the transcript before R, lambda and W."""
    t = Transcript(b"votenode/v1/half-possession")
    row = [bytes.fromhex(p) for p in h["halves"]]
    for name, data in ((b"version", u64(1)), (b"chain", e.chain), (b"election", e.id), (b"organisation", h["organisation"].encode()),
                       (b"round", u64(h["round"])), (b"files", bytes.fromhex("".join(h["files"]))), (b"halves", b"".join(row))):
        t.item(name, data)
    _, weight = t.challenge(b"lambda")
    return t, weight, total([pow(weight, j, L) * decode(p) for j, p in enumerate(row, 1)])


def possession(e, h):
    """Verifies the proof of 15.4. Returns R and what is hashed for c, or raises Fault."""
    proof = bytes.fromhex(h["proof"])
    if len(proof) != 64:
        raise Fault("length")
    c, s = scalar(proof[:32]), scalar(proof[32:])
    t, _, w = halves(e, h)
    r = (s * G + (L - c) * w).encode()
    t.item(b"R", r)
    hashed = t.raw + frame(b"c")
    if t.challenge(b"c")[1] != c:
        raise Fault("proof")
    return r, hashed


def check_voters(e, v):
    for transcript, good, bad in ((signed, "signed", "invalid_signed"), (application, "applications", "invalid_applications")):
        for s in v[good]:
            secret = bytes.fromhex(s["secret"])
            challenge, hashed = schnorr(transcript(e, s), s)
            statement, _ = transcript(e, s).challenge(b"randomness")
            k = hedged(b"votenode/v1/ballot-randomness", bytes.fromhex(s["fresh"]), secret, statement, b"")
            expect((little(challenge), little(k), hashed.hex()) == (s["e"], s["k"], s["transcript"]), s["name"] + ": transcript")
            expect((k * G).encode().hex() + little((k + challenge * scalar(secret)) % L) == s["signature"], s["name"] + ": derivation")
            expect((scalar(secret) * G).encode().hex() == s["voter"], s["name"] + ": voter's key")
        refused(v[bad], lambda s: schnorr(transcript(e, s), s))
    for h in v["halves"]:
        r, hashed = possession(e, h)
        t, weight, w = halves(e, h)
        secrets = [scalar(bytes.fromhex(s)) for s in h["secrets"]]
        y = sum(pow(weight, j, L) * s for j, s in enumerate(secrets, 1)) % L
        statement, _ = t.challenge(b"randomness")
        k = hedged(b"votenode/v1/half-randomness", bytes.fromhex(h["fresh"]), bytes.fromhex(little(y)), statement)
        c, s = scalar(bytes.fromhex(h["proof"])[:32]), scalar(bytes.fromhex(h["proof"])[32:])
        expect((little(weight), w.encode().hex(), little(y), little(k)) == (h["lambda"], h["W"], h["y"], h["k"]), h["name"] + ": values")
        expect(r.hex() == h["R"] == (k * G).encode().hex() and s == (k + c * y) % L, h["name"] + ": derivation")
        expect(hashed.hex() == h["transcript"], h["name"] + ": transcript")
        expect([(s * G).encode().hex() for s in secrets] == h["halves"], h["name"] + ": halves")
        expect([parse_code(text, "half").hex() for text in h["texts"]] == h["secrets"], h["name"] + ": texts")
    refused(v["invalid_halves"], lambda h: possession(e, h))
    for i, j in enumerate(v["joined"]):
        secret = sum(scalar(bytes.fromhex(h)) for h in j["halves"]) % L
        public = total([decode(bytes.fromhex(p)) for p in j["public"]])
        expect(little(secret) == j["secret"] and public.encode().hex() == j["voter"] == (secret * G).encode().hex(), f"joined key {i}")


def refused(vectors, verify):
    for x in vectors:
        try:
            verify(x)
        except Fault as fault:
            expect(str(fault) == x["error"], f"{x['name']}: {fault}, want {x['error']}")
        else:
            expect(False, x["name"] + " passes")


def total(points):
    out = IDENTITY
    for p in points:
        out = out + p
    return out


# --- 3.11: Bech32m ----------------------------------------------------------------------------------------------------

def parse_code(text, prefix="code"):
    text = text.replace("-", "").replace(" ", "")
    if text not in (text.lower(), text.upper()) or not text.lower().startswith(prefix + "1") or len(text) != 63:
        raise Fault("code")
    values = ["qpzry9x8gf2tvdw0s3jn54khce6mua7l".find(ch) for ch in text.lower()[5:]]
    if min(values) < 0:
        raise Fault("code")
    check = 1
    for v in [ord(ch) >> 5 for ch in prefix] + [0] + [ord(ch) & 31 for ch in prefix] + values:
        top, check = check >> 25, (check & 0x1ffffff) << 5 ^ v
        for i, g in enumerate((0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3)):
            check ^= g if top >> i & 1 else 0
    number = 0
    for v in values[:-6]:
        number = number << 5 | v
    if check != 0x2bc830a3 or number & 15:
        raise Fault("code")
    return (number >> 4).to_bytes(32, "big")


# --- the vectors ------------------------------------------------------------------------------------------------------

def expect(ok, what):
    if not ok:
        sys.exit("check.py: " + what)


def little(n):
    return n.to_bytes(32, "little").hex()


def main():
    v = json.loads((pathlib.Path(__file__).parent / "ballot.json").read_text())
    e = Election(v["election"])
    expect([p.encode().hex() for p in [e.h] + e.k] == v["generators"], "generators")
    for b in v["valid"]:
        name = b["name"]
        rho, x, sig, hashed = e.verify(b)
        expect((little(rho), little(x), little(sig)) == (b["rho"], b["x"], b["e"]), name + ": challenges")
        expect(hashed.hex() == b["transcript"], name + ": transcript")
        code = e.code(b, bytes.fromhex(b["ciphertext"]))
        expect(code.hex() == b["code"] and parse_code(b["code_text"]) == code, name + ": code")
        expect((scalar(bytes.fromhex(b["secret"])) * G).encode().hex() == b["voter"], name + ": voter's key")

    first = v["valid"][0]
    statement, _ = e.context(first).challenge(b"randomness")
    style = v["election"]["styles"][0]
    bits = b""
    for contest, chosen in zip(style, first["selections"]):
        bits += bytes(o in chosen for o in range(contest["options"]))
        bits += bytes(d < contest["max"] - len(chosen) for d in range(contest["max"] - contest["min"]))
    stream = hashlib.shake_256(frames(b"votenode/v1/ballot-randomness", bytes.fromhex(first["fresh"]),
                                      bytes.fromhex(first["secret"]), statement, bits)).digest(128)
    r = int.from_bytes(stream[:64], "little") % L
    expect(stream.hex() == v["derivation"]["stream"], "derivation")
    expect(little(r) == v["derivation"]["scalars"][0], "derivation: r")
    expect(e.encrypt(0, first["selections"], r).hex() == first["ciphertext"], "derivation: ciphertext")

    for b in v["invalid"]:
        try:
            e.verify(b)
        except Fault as fault:
            expect(str(fault) == b["error"], f"{b['name']}: {fault}, want {b['error']}")
            expect(getattr(fault, "fails", None) == b.get("fails"), f"{b['name']}: the equations that fail")
        else:
            expect(False, b["name"] + " passes")

    c = v["challenge"]
    ciphertext = e.encrypt(c["style"], c["selections"], scalar(bytes.fromhex(c["randomness"])))
    expect(ciphertext[:32].hex() == c["c0"] and e.code(c, ciphertext).hex() == c["code"], "opening")
    t = Transcript(b"votenode/v1/spoil")
    for name, data in ((b"version", u64(1)), (b"chain", e.chain), (b"election", e.id), (b"roll-index", u64(c["roll_index"])),
                       (b"voter", bytes.fromhex(c["voter"])), (b"sequence", u64(c["sequence"])),
                       (b"code", bytes.fromhex(c["code"])), (b"c0", bytes.fromhex(c["c0"])),
                       (b"nonce", bytes.fromhex(c["signature"])[:32])):
        t.item(name, data)
    _, challenge = t.challenge(b"signature")
    signature = bytes.fromhex(c["signature"])
    expect(decode(signature[:32]) + challenge * decode(bytes.fromhex(c["voter"])) == scalar(signature[32:]) * G, "spoil")

    for tally in v["tallies"]:
        raw = bytes.fromhex(tally["sum"])
        points = [decode(raw[i:i + 32], identity=True) for i in range(8, len(raw), 32)]
        expect(int.from_bytes(raw[:8], "big") == len(tally["ballots"] or []), tally["name"] + ": count")
        for j, votes in enumerate(tally["votes"]):
            p = scalar(bytes.fromhex(v["election"]["secrets"][tally["first_slot"] + j]))
            expect(points[1 + j] == votes * G + p * points[0], f"{tally['name']}: option {j}")

    check_voters(e, v)
    for bad in v["bad_codes"]:
        try:
            parse_code(bad["text"])
        except Fault:
            continue
        expect(False, "code passes: " + bad["reason"])
    print("check.py: all vectors agree")


if __name__ == "__main__":
    main()
