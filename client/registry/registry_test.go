package registry

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"votenode/app/election"
	"votenode/client/keyfile"
	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

func settings(organisation string) Settings {
	return Settings{
		Chain: "chain", Election: "primary", Organisation: organisation, Organisations: []string{"league", "party", "union"},
		Districts: []string{"North", "South, by the sea"},
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newStore(t *testing.T, organisation string) *Store {
	t.Helper()
	return must(Create(filepath.Join(t.TempDir(), organisation), settings(organisation)))
}

func (s *Store) mustImport(t *testing.T, list string) {
	t.Helper()
	if _, _, err := s.Import(strings.NewReader(list), nil); err != nil {
		t.Fatal(err)
	}
}

// application is what a member with a key of its own brings.
func application(t testing.TB, key *ballot.SecretKey, election string) string {
	t.Helper()
	a := ballot.Application{Chain: "chain", Election: election, Key: key.Public()}
	return fmt.Sprintf("%x%x", key.Public().Bytes(), must(a.Sign(key, rand.Reader)))
}

// TestImport: what is wrong is told line by line, and then nothing is imported; a list that is right is there as a whole.
func TestImport(t *testing.T) {
	s := newStore(t, "party")
	own := must(ballot.GenerateKey(rand.Reader))
	s.mustImport(t, "\ufeffmember,district\na,North\n\"b, the second\",\"South, by the sea\"\n")
	brought := application(t, own, "primary")
	s.mustImport(t, "member,district,key\nc,North,\nd,North,"+brought+"\n")
	for name, c := range map[string]struct{ list, want string }{
		"no line":      {"", "no first line"},
		"header":       {"key,district\n", "the first line is \"key,district\""},
		"a name":       {"member,district,name\n", "nothing else"},
		"no member":    {"member,district\n", "no member"},
		"faults":       {"member,district\ne,North\na,North\nf,East\ng\n,North\ne,North\n", "line 3: its member is that of slot 0 of round 1\n  line 4: the manifest has no district \"East\"\n  line 5: it has 1 fields instead of 2\n  line 6: a member has 1 to 100 bytes"},
		"twice":        {"member,district\ne,North\ne,North\n", "line 3: its member is that of line 2"},
		"quote":        {"member,district\ne,\"No\"rth\nf,East\n", "line 2: "},
		"other's":      {"member,district,key\ne,North," + application(t, own, "other") + "\n", "does not hold for election"},
		"key again":    {"member,district,key\ne,North," + brought + "\n", "line 2: its key is that of slot 1 of round 2"},
		"a bare key":   {fmt.Sprintf("member,district,key\ne,North,%x\n", own.Public().Bytes()), "voter apply"},
		"too long":     {"member,district\n" + strings.Repeat("x", 101) + ",North\n", "1 to 100 bytes"},
		"control":      {"member,district\ne\x01,North\n", "control characters"},
		"many faults":  {"member,district\n" + strings.Repeat("a,North\n", 300), "perhaps others"},
		"two a line":   {"member,district,key\na,North,\n" + strings.Repeat("a,North,"+brought+"\n", maxFaults), "perhaps others"},
		"fault behind": {"member,district\n" + strings.Repeat("x,East\n", 2), "line 3"},
	} {
		_, _, err := s.Import(strings.NewReader(c.list), nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		var faults *Faults
		if errors.As(err, &faults) && len(faults.Lines) > maxFaults {
			t.Errorf("%s: %d faults are told", name, len(faults.Lines))
		}
	}
	if err := os.WriteFile(filepath.Join(s.folder, "round-9.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if n := must(s.Rounds()); n != 2 {
		t.Fatalf("%d rounds", n)
	}
	first, second := must(s.Members(1)), must(s.Members(2))
	if len(first) != 2 || first[1].Reference != "b, the second" || first[1].Style != 1 || first[1].Key != nil || !bytes.Equal(second[1].Key, own.Public().Bytes()) {
		t.Errorf("%v, %v", first, second)
	}
	if counts := must(s.Counts()); !slices.Equal(counts.Members, []uint64{3, 1}) {
		t.Errorf("counts %v", counts)
	}
	if _, err := Create(s.folder, settings("party")); !errors.Is(err, keyfile.ErrExists) {
		t.Errorf("a folder made twice: %v", err)
	}
	if _, err := Create(t.TempDir(), settings("nobody")); !errors.Is(err, ErrFormat) {
		t.Errorf("an organisation that there is not: %v", err)
	}
}

// TestDamage: a file that lost a byte, that others may read, or that stands under another name is refused.
func TestDamage(t *testing.T) {
	s := newStore(t, "party")
	s.mustImport(t, "member,district\na,North\n")
	name := s.file(1, "members")
	whole := must(os.ReadFile(name))
	for i := range whole {
		damaged := bytes.Clone(whole)
		damaged[i] ^= 1
		if err := os.WriteFile(name, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Members(1); !errors.Is(err, ErrFormat) {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
	if err := errors.Join(os.WriteFile(name, whole, 0o600), os.WriteFile(s.file(2, "members"), whole, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Members(2); !errors.Is(err, ErrFormat) {
		t.Errorf("under another name: %v", err)
	}
	if err := create(s.file(3, "members"), make([]byte, MaxFile)); err == nil {
		t.Error("a file is written that nobody reads")
	}
	if err := os.Chmod(name, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Members(1); !errors.Is(err, keyfile.ErrPermissions) {
		t.Errorf("readable by others: %v", err)
	}
	if err := create(name, whole[sha256.Size:]); !errors.Is(err, keyfile.ErrPermissions) {
		t.Errorf("written again while others may read it: %v", err)
	}
}

// exchange takes stores through a round up to the accepted proofs.
func exchange(t *testing.T, round uint32, stores ...*Store) {
	t.Helper()
	commitments, proofs := map[string][32]byte{}, [][]byte(nil)
	for _, s := range stores {
		commitments[s.Organisation] = must(s.Issue(round, rand.Reader, nil))
	}
	each(stores, func(s, other *Store) {
		if err := s.Expect(round, other.Organisation, commitments[other.Organisation]); err != nil {
			t.Fatal(err)
		}
	})
	for _, s := range stores {
		var files [][]byte
		for _, other := range stores {
			if other != s {
				files = append(files, must(other.Reveal(round)))
			}
		}
		proofs = append(proofs, must(s.Prove(round, files, rand.Reader)))
	}
	for i, proof := range proofs {
		for _, s := range stores {
			if s == stores[i] {
				continue
			}
			if o, r, err := s.Accept(proof, nil); err != nil || o != stores[i].Organisation || r != round {
				t.Fatal(o, r, err)
			}
		}
	}
}

func each(stores []*Store, do func(s, other *Store)) {
	for _, s := range stores {
		for _, other := range stores {
			if s != other {
				do(s, other)
			}
		}
	}
}

func three(t *testing.T) []*Store {
	return []*Store{newStore(t, "league"), newStore(t, "party"), newStore(t, "union")}
}

// TestRound: three registrars come to the same entries, and the halves that they hand out join to the keys of the roll.
func TestRound(t *testing.T) {
	stores := three(t)
	own := must(ballot.GenerateKey(rand.Reader))
	brought := application(t, own, "primary")
	for i, s := range stores {
		s.mustImport(t, fmt.Sprintf("member,district,key\nm%d-0,North,\nm%d-1,\"South, by the sea\",\nm%d-2,North,%s\n", i, i, i, brought))
	}
	exchange(t, 1, stores...)
	keys := must(stores[0].Keys(1))
	entries := must(stores[0].Entries(1))
	for _, s := range stores[1:] {
		if got := must(s.Entries(1)); fmt.Sprint(got) != fmt.Sprint(entries) {
			t.Errorf("%s has other entries", s.Organisation)
		}
	}
	if !slices.IsSortedFunc(entries, func(a, b pb.RollEntry) int { return bytes.Compare(a.Key, b.Key) }) {
		t.Error("the entries are not sorted by key")
	}
	for slot := range uint64(2) {
		var halves []*ballot.SecretKey
		for _, s := range stores {
			halves = append(halves, must(must(s.Halves(1))(slot)))
		}
		if joined := must(ballot.JoinHalves(halves)); !bytes.Equal(joined.Public().Bytes(), keys[slot]) {
			t.Errorf("slot %d: the halves do not join to its key", slot)
		}
	}
	if !bytes.Equal(keys[2], own.Public().Bytes()) {
		t.Error("the member's own key is not in its slot")
	}
	if _, err := must(stores[0].Halves(1))(2); err == nil || !strings.Contains(err.Error(), "brought a key of its own") {
		t.Errorf("a half of a key that the member brought: %v", err)
	}
	if a, b := must(stores[0].Issue(1, rand.Reader, nil)), sha256.Sum256(must(stores[0].Reveal(1))); a != b {
		t.Error("halves are made a second time")
	}
}

// TestOwnKeysOnly: a round in which all members bring their own keys has no halves to prove.
func TestOwnKeysOnly(t *testing.T) {
	stores := three(t)
	brought := application(t, must(ballot.GenerateKey(rand.Reader)), "primary")
	for _, s := range stores {
		s.mustImport(t, "member,district,key\nm,North,"+brought+"\n")
	}
	exchange(t, 1, stores...)
	if got := must(stores[2].Entries(1)); len(got) != 1 {
		t.Error(got)
	}
}

// TestOrder: no step can be taken before the one that it rests on.
func TestOrder(t *testing.T) {
	stores := three(t)
	s, other, third := stores[0], stores[1], stores[2]
	if _, err := s.Issue(1, rand.Reader, nil); !errors.Is(err, ErrOrder) {
		t.Errorf("halves without members: %v", err)
	}
	for _, s := range stores {
		s.mustImport(t, "member,district\na,North\n")
	}
	if err := s.Expect(1, "party", [32]byte{}); !errors.Is(err, ErrOrder) {
		t.Errorf("another's commitment before the own halves: %v", err)
	}
	must(s.Issue(1, rand.Reader, nil))
	if _, err := s.Reveal(1); !errors.Is(err, ErrOrder) {
		t.Errorf("the file before the others' commitments: %v", err)
	}
	commitment := must(other.Issue(1, rand.Reader, nil))
	must(third.Issue(1, rand.Reader, nil))
	if _, err := s.Prove(1, [][]byte{must(other.halfKeys(1, "party"))}, rand.Reader); !errors.Is(err, ErrOrder) {
		t.Errorf("a file without commitment: %v", err)
	}
	if err := s.Expect(1, "nobody", commitment); err == nil {
		t.Error("a commitment of nobody")
	}
	if err := s.Expect(1, "party", commitment); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Prove(1, [][]byte{must(other.halfKeys(1, "party"))}, rand.Reader); !errors.Is(err, ErrOrder) {
		t.Errorf("a file is missing: %v", err)
	}
	if _, _, err := s.Accept(election.Encode(&pb.HalfProof{Organisation: "party", Round: 1, Proof: make([]byte, 64)}), nil); !errors.Is(err, ErrOrder) {
		t.Errorf("a proof before the files: %v", err)
	}
	if _, err := s.Entries(1); !errors.Is(err, ErrOrder) {
		t.Errorf("entries before the proofs: %v", err)
	}
}

// TestDishonestRegistrar: files and proofs that are not what they should be are refused, and leave nothing.
func TestDishonestRegistrar(t *testing.T) {
	two := func(organisation string) *Store {
		s := settings(organisation)
		s.Organisations = []string{"league", "party"}
		return must(Create(filepath.Join(t.TempDir(), organisation), s))
	}
	s, other := two("league"), two("party")
	for _, s := range []*Store{s, other} {
		s.mustImport(t, "member,district\na,North\nb,North\nc,\"South, by the sea\"\n")
	}
	must(s.Issue(1, rand.Reader, nil))
	if err := s.Expect(1, "party", must(other.Issue(1, rand.Reader, nil))); err != nil {
		t.Fatal(err)
	}
	honest := must(other.halfKeys(1, "party"))
	alter := func(f func(m *pb.HalfKeys)) []byte {
		m := new(pb.HalfKeys)
		if err := election.Decode(honest, m); err != nil {
			t.Fatal(err)
		}
		f(m)
		return election.Encode(m)
	}
	for name, file := range map[string][]byte{
		"garbage":       []byte("garbage"),
		"reordered":     alter(func(m *pb.HalfKeys) { m.Halves[0], m.Halves[1] = m.Halves[1], m.Halves[0] }),
		"another half":  alter(func(m *pb.HalfKeys) { m.Halves[0].Key = must(ballot.GenerateKey(rand.Reader)).Public().Bytes() }),
		"another chain": alter(func(m *pb.HalfKeys) { m.Chain = "other" }),
		"another round": alter(func(m *pb.HalfKeys) { m.Round = 2 }),
		"own":           must(s.halfKeys(1, "league")),
		"a stranger's":  alter(func(m *pb.HalfKeys) { m.Organisation = "union" }),
	} {
		if _, err := s.Prove(1, [][]byte{file}, rand.Reader); !errors.Is(err, ErrMismatch) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Committed to beforehand, and not what the own members say.
	for name, c := range map[string]struct {
		alter func(m *pb.HalfKeys)
		want  string
	}{
		"district":    {func(m *pb.HalfKeys) { m.Halves[2].Style = 0 }, `member "c" (slot 2) has the district "North" there, "South, by the sea" here`},
		"no district": {func(m *pb.HalfKeys) { m.Halves[0].Style = 2 }, `member "a" (slot 0) has the district number 2, which the manifest has not there, "North" here`},
		"fewer":       {func(m *pb.HalfKeys) { m.Halves = m.Halves[:2] }, "in round 1 are 2, of this folder 3"},
		"application": {func(m *pb.HalfKeys) { m.Halves[0].Application = make([]byte, 64) }, `member "a" (slot 0) has another key`},
		// The row of the proof would be the same.
		"two keys in one slot": {func(m *pb.HalfKeys) {
			m.Halves[0].Key, m.Halves[1].Key = slices.Concat(m.Halves[0].Key, m.Halves[1].Key), nil
		}, "slot 0 has a key of 64 bytes and an application of 0"},
		"a key of no bytes":          {func(m *pb.HalfKeys) { m.Halves[2].Key = nil }, "slot 2 has a key of 0 bytes and an application of 0"},
		"an application of 63 bytes": {func(m *pb.HalfKeys) { m.Halves[1].Application = make([]byte, 63) }, "slot 1 has a key of 32 bytes and an application of 63"},
	} {
		cheated := two("league")
		cheated.mustImport(t, "member,district\na,North\nb,North\nc,\"South, by the sea\"\n")
		must(cheated.Issue(1, rand.Reader, nil))
		file := alter(c.alter)
		if err := cheated.Expect(1, "party", sha256.Sum256(file)); err != nil {
			t.Fatal(err)
		}
		if _, err := cheated.Prove(1, [][]byte{file}, rand.Reader); !errors.Is(err, ErrMismatch) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := cheated.halfKeys(1, "party"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the file was kept: %v", name, err)
		}
	}
	proof := must(s.Prove(1, [][]byte{honest}, rand.Reader))
	if err := other.Expect(1, "league", sha256.Sum256(must(s.halfKeys(1, "league")))); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Prove(1, [][]byte{must(s.Reveal(1))}, rand.Reader); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Accept(proof, nil); !errors.Is(err, ErrMismatch) {
		t.Errorf("the own proof: %v", err)
	}
	replayed := new(pb.HalfProof)
	if err := election.Decode(proof, replayed); err != nil {
		t.Fatal(err)
	}
	replayed.Organisation = "party"
	if _, _, err := s.Accept(election.Encode(replayed), nil); !errors.Is(err, ErrMismatch) || !errors.Is(err, ballot.ErrHalfProof) {
		t.Errorf("the own proof under the other's name: %v", err)
	}
	replayed.Proof = replayed.Proof[:63]
	if _, _, err := s.Accept(election.Encode(replayed), nil); !errors.Is(err, ErrMismatch) || !errors.Is(err, ballot.ErrLength) {
		t.Errorf("a proof of 63 bytes: %v", err)
	}
	if _, err := s.Entries(1); !errors.Is(err, ErrOrder) {
		t.Errorf("entries without the other's proof: %v", err)
	}
	if _, _, err := other.Accept(proof, nil); err != nil {
		t.Error(err)
	}
}

// TestReissue: a member whose key is lost gets a new place, and the old one is struck; who is struck can be imported again.
func TestReissue(t *testing.T) {
	abandoned := newStore(t, "party")
	abandoned.mustImport(t, "member,district\na,North\n")
	if round, struck, err := abandoned.Reissue([]string{"a"}); err != nil || round != 2 || len(struck) != 1 {
		t.Error("an imported round is taken for a reissue:", round, struck, err)
	}
	stores := three(t)
	for i, s := range stores {
		s.mustImport(t, fmt.Sprintf("member,district\n%d-a,North\n%d-b,\"South, by the sea\"\n", i, i))
	}
	exchange(t, 1, stores...)
	for i, s := range stores {
		if _, _, err := s.Reissue([]string{"nobody"}); err == nil {
			t.Error("reissued for nobody")
		}
		round, struck, err := s.Reissue([]string{fmt.Sprint(i, "-b")})
		if err != nil || round != 2 || len(struck) != 1 || struck[0] != (Struck{Place{1, 1}, pb.REVOCATION_KEY_LOST}) {
			t.Fatal(round, struck, err)
		}
		if counts := must(s.Counts()); !slices.Equal(counts.Members, []uint64{1, 2}) || !slices.Equal(counts.Struck, []uint64{0, 1}) || !slices.Equal(counts.Paper, []uint64{0, 0}) {
			t.Errorf("counts %v", counts)
		}
		again, same, err := s.Reissue([]string{fmt.Sprint(i, "-b")})
		if err != nil || again != round || !slices.Equal(same, struck) || must(s.Rounds()) != 2 || len(must(s.Struck())) != 1 {
			t.Fatal("asked again, it is another round:", again, same, err)
		}
	}
	exchange(t, 2, stores...)
	if bytes.Equal(must(stores[0].Keys(2))[0], must(stores[0].Keys(1))[1]) {
		t.Error("the key is the old one")
	}
	if round, struck, err := stores[2].Reissue([]string{"2-b"}); err != nil || round != 3 || struck[0].Place != (Place{2, 0}) {
		t.Error("a key that was made and lost is not reissued:", round, struck, err)
	}
	s := stores[0]
	if _, err := s.Strike([]string{"0-a", "0-a"}, pb.REVOCATION_LEFT); err == nil {
		t.Error("named twice")
	}
	if got := must(s.Strike([]string{"0-a"}, pb.REVOCATION_LEFT)); len(got) != 1 || got[0].Cause != pb.REVOCATION_LEFT {
		t.Error(got)
	}
	if _, err := s.Strike([]string{"0-b", "0-a"}, pb.REVOCATION_PAPER); err == nil || !strings.Contains(err.Error(), `"0-a" is struck already, for REVOCATION_LEFT`) || len(must(s.Struck())) != 2 {
		t.Error("struck for a second cause:", err)
	}
	if _, _, err := s.Reissue([]string{"0-a"}); err == nil || must(s.Rounds()) != 2 {
		t.Error("a member who was struck for another cause was reissued:", err)
	}
	must(s.Strike([]string{"0-b"}, pb.REVOCATION_PAPER))
	if counts := must(s.Counts()); !slices.Equal(counts.Struck, []uint64{1, 2}) || !slices.Equal(counts.Paper, []uint64{0, 1}) {
		t.Errorf("counts %v", counts)
	}
	s.mustImport(t, "member,district\n0-a,North\n")
	if found := must(s.Find([]string{"0-a"})); found[0].Place != (Place{3, 0}) {
		t.Error(found)
	}
}

// TestCommitment: the own commitment is refused, and a false one is replaced until the own file is shown or the other's is taken.
func TestCommitment(t *testing.T) {
	stores := three(t)
	commitments := map[string][32]byte{}
	for _, s := range stores {
		s.mustImport(t, "member,district\na,North\n")
		commitments[s.Organisation] = must(s.Issue(1, rand.Reader, nil))
	}
	s := stores[0]
	if err := s.Expect(1, "party", commitments["league"]); err == nil || !strings.Contains(err.Error(), "the own halves") {
		t.Errorf("the own commitment: %v", err)
	}
	each(stores, func(s, other *Store) {
		for _, commitment := range [][32]byte{{1}, commitments[other.Organisation]} {
			if err := s.Expect(1, other.Organisation, commitment); err != nil {
				t.Fatal("before the own file is shown:", err)
			}
		}
	})
	file := must(s.Reveal(1))
	if err := s.Expect(1, "party", [32]byte{1}); !errors.Is(err, ErrOrder) {
		t.Errorf("after the own file was shown: %v", err)
	}
	if err := os.Remove(s.commitmentFile(1, "party")); err != nil {
		t.Fatal(err)
	}
	if err := s.Expect(1, "party", [32]byte{1}); !errors.Is(err, ErrOrder) {
		t.Errorf("another in the place of one that was lost: %v", err)
	}
	if err := s.Expect(1, "party", commitments["party"]); err != nil {
		t.Errorf("the same again: %v", err)
	}
	if _, err := stores[1].Prove(1, [][]byte{file, must(stores[2].Reveal(1))}, rand.Reader); err != nil {
		t.Fatal(err)
	}
	if err := stores[1].Expect(1, "league", [32]byte{1}); !errors.Is(err, ErrOrder) {
		t.Errorf("after the other's file was taken: %v", err)
	}
	for _, c := range []struct {
		s                   *Store
		damaged, commitment string
	}{{s, s.revealedFile(1), "party"}, {stores[1], stores[1].halfKeysFile(1, "league"), "league"}} {
		if err := os.WriteFile(c.damaged, []byte("damaged"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := c.s.Expect(1, c.commitment, commitments[c.commitment]); !errors.Is(err, ErrFormat) {
			t.Errorf("%s is damaged: %v", c.damaged, err)
		}
	}
}

// TestLost: without a file that was there, a command fails and makes nothing in its place.
func TestLost(t *testing.T) {
	begin := func() (*Store, []*Store) {
		stores := three(t)
		for _, s := range stores {
			s.mustImport(t, "member,district\na,North\nb,\"South, by the sea\"\n")
		}
		exchange(t, 1, stores...)
		return stores[0], stores
	}
	lose := func(names ...string) {
		for _, name := range names {
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	is := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	issue := func(s *Store) error {
		_, err := s.Issue(1, rand.Reader, nil)
		return err
	}

	s, _ := begin()
	lose(s.file(1, "secrets"))
	is("issue without secrets", issue(s), ErrLost)
	_, err := s.Halves(1)
	is("halves without secrets", err, ErrLost)
	lose(s.halfKeysFile(1, "league"))
	is("issue with what others gave alone", issue(s), ErrLost)

	s, stores := begin()
	own := must(s.Reveal(1))
	lose(s.halfKeysFile(1, "league"))
	if err := issue(s); err != nil || !bytes.Equal(must(s.Reveal(1)), own) {
		t.Error("the half-key file is not made again from the secrets:", err)
	}
	lose(s.file(1, "secrets"))
	if err := create(s.file(1, "secrets"), must(stores[1].secrets(1, 2))); err != nil {
		t.Fatal(err)
	}
	is("issue with other secrets", issue(s), ErrFormat)
	_, err = must(s.Halves(1))(0)
	is("a half that is not in the half-key file", err, ErrFormat)

	if err := os.WriteFile(s.halfKeysFile(1, "league"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	is("issue with damaged half keys", issue(s), ErrFormat)

	s, _ = begin()
	lose(s.halfKeysFile(1, "party"))
	_, err = s.Keys(1)
	is("keys without another's halves", err, ErrOrder)

	s, _ = begin()
	must(s.Strike([]string{"b"}, pb.REVOCATION_PAPER))
	members := must(os.ReadFile(s.file(1, "members")))
	for _, second := range []bool{false, true} {
		if second {
			s.mustImport(t, "member,district\nc,North\n")
		}
		lose(s.file(1, "members"))
		_, err = s.Counts()
		is("counts without members", err, ErrLost)
		_, _, err = s.Import(strings.NewReader("member,district\na,North\n"), nil)
		is("import where members are lost", err, ErrLost)
		is("issue where members are lost", issue(s), ErrLost)
		if err := os.WriteFile(s.file(1, "members"), members, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lose(s.file(2, "members"))
	s.mustImport(t, "member,district\nd,North\n")
	must(s.Strike([]string{"d"}, pb.REVOCATION_PAPER))
	lose(s.file(2, "members"))
	_, err = s.Struck()
	is("a struck place in no round", err, ErrFormat)

	s, _ = begin()
	lose(filepath.Join(s.folder, struckFile))
	_, err = s.Struck()
	is("the list of struck members", err, ErrLost)
	if _, err := Create(s.folder, s.Settings); !errors.Is(err, keyfile.ErrExists) {
		t.Errorf("a folder made twice: %v", err)
	}
	_, err = s.Counts()
	is("counts without struck members", err, ErrLost)

	s, _ = begin()
	if err := os.WriteFile(s.proofFile(1, "party"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = s.Keys(1)
	if is("a damaged proof", err, ErrFormat); errors.Is(err, ErrOrder) {
		t.Error("a damaged proof is taken for one that is still to come")
	}
}

// TestExchanged: whole files that do not go with the others of their folder, as from another copy of it, are refused.
func TestExchanged(t *testing.T) {
	stores := three(t)
	for _, s := range stores {
		s.mustImport(t, "member,district\na,North\nb,North\n")
	}
	exchange(t, 1, stores...)
	s := stores[0]
	refused := func(what, name string, data []byte, step func() error) {
		t.Helper()
		whole := must(os.ReadFile(name))
		if err := os.WriteFile(name, seal(name, data), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := step(); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", what, err)
		}
		if err := os.WriteFile(name, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	own := func() error {
		_, _, err := s.own(1)
		return err
	}
	refused("fewer members", s.file(1, "members"), []byte("a,North,\n"), own)
	refused("another district", s.file(1, "members"), []byte("a,North,\nb,\"South, by the sea\",\n"), own)
	refused("more secrets", s.file(1, "secrets"), append(must(s.secrets(1, 2)), make([]byte, 32)...), func() error {
		_, err := s.Issue(1, rand.Reader, nil)
		return err
	})
	for what, alter := range map[string]func(m *pb.HalfKeys){
		"fewer halves of another":              func(m *pb.HalfKeys) { m.Halves = m.Halves[:1] },
		"another's halves of another district": func(m *pb.HalfKeys) { m.Halves[1].Style = 1 },
	} {
		m := must(s.parseHalves(1, "party", must(s.halfKeys(1, "party"))))
		alter(m)
		refused(what, s.halfKeysFile(1, "party"), election.Encode(m), func() error {
			_, err := s.Keys(1)
			return err
		})
	}
	for _, place := range []string{"0,0", "1,2", "2,0"} {
		refused("struck "+place, filepath.Join(s.folder, struckFile), []byte(place+",1\n"), func() error {
			_, err := s.Counts()
			return err
		})
	}
}

// TestReinstate: a strike is taken back for the newest place of a member alone.
func TestReinstate(t *testing.T) {
	s := newStore(t, "party")
	s.mustImport(t, "member,district\na,North\nb,North\n")
	must(s.Strike([]string{"a", "b"}, pb.REVOCATION_PAPER))
	if err := s.Reinstate([]string{"a", "nobody"}); err == nil || len(must(s.Struck())) != 2 {
		t.Error("taken back in part:", err)
	}
	if err := s.Reinstate([]string{"a"}); err != nil || !slices.Equal(must(s.Struck()), []Struck{{Place{1, 1}, pb.REVOCATION_PAPER}}) {
		t.Error(must(s.Struck()), err)
	}
	if _, _, err := s.Reissue([]string{"a"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Reinstate([]string{"a"}); err == nil {
		t.Error("a reissued member has two entries")
	}
}

// TestDrop: the newest round is taken back until the proofs of all others are accepted, and made anew.
func TestDrop(t *testing.T) {
	stores := three(t)
	for _, s := range stores {
		s.mustImport(t, "member,district\na,North\n")
	}
	exchange(t, 1, stores...)
	s := stores[0]
	if err := s.Drop(1); !errors.Is(err, ErrOrder) || must(s.Rounds()) != 1 {
		t.Errorf("a round whose keys are made: %v", err)
	}
	must(s.Strike([]string{"a"}, pb.REVOCATION_LEFT))
	for _, s := range stores {
		s.mustImport(t, "member,district\nb,North\n")
		must(s.Issue(2, rand.Reader, nil))
	}
	each(stores, func(s, other *Store) {
		if err := s.Expect(2, other.Organisation, sha256.Sum256(must(other.halfKeys(2, other.Organisation)))); err != nil {
			t.Fatal(err)
		}
	})
	old := must(s.Reveal(2))
	must(s.Prove(2, [][]byte{must(stores[1].Reveal(2)), must(stores[2].Reveal(2))}, rand.Reader))
	must(s.Strike([]string{"b"}, pb.REVOCATION_PAPER))
	for _, round := range []uint32{0, 1, 3} {
		if err := s.Drop(round); err == nil {
			t.Errorf("round %d is dropped", round)
		}
	}
	stone := s.file(2, "a") // a folder that cannot be removed interrupts
	if err := os.MkdirAll(filepath.Join(stone, "b"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Drop(2); err == nil || must(s.Rounds()) != 2 {
		t.Error("an interrupted drop:", err)
	}
	if _, err := s.Issue(2, rand.Reader, nil); !errors.Is(err, ErrLost) {
		t.Error("the halves of a round that is half dropped are given again:", err)
	}
	if err := os.RemoveAll(stone); err != nil {
		t.Fatal(err)
	}
	for _, s := range stores {
		if err := s.Drop(2); err != nil || must(s.Rounds()) != 1 {
			t.Fatal(err)
		}
		s.mustImport(t, "member,district\nb,North\nc,North\n")
	}
	if struck := must(s.Struck()); !slices.Equal(struck, []Struck{{Place{1, 0}, pb.REVOCATION_LEFT}}) {
		t.Error(struck)
	}
	exchange(t, 2, stores...)
	if bytes.Equal(must(s.Reveal(2)), old) || len(must(s.Keys(2))) != 2 {
		t.Error("the round is the old one")
	}
}

// TestKill: an import that is killed at any moment has imported nothing or all, and the next one goes on.
func TestKill(t *testing.T) {
	const members = 20_000
	if folder := os.Getenv("REGISTRY_TO_KILL"); folder != "" {
		var list strings.Builder
		list.WriteString("member,district\n")
		for i := range members {
			fmt.Fprintf(&list, "%d,North\n", i)
		}
		fmt.Println("begin")
		_, _, err := must(Open(folder)).Import(strings.NewReader(list.String()), func(int64) { fmt.Println("progress") })
		fmt.Println("done", err)
		return
	}
	s := newStore(t, "party")
	for moment := 0; ; moment++ { // killed when it has told this many lines
		child := exec.Command(os.Args[0], "-test.run=^TestKill$")
		child.Env = append(os.Environ(), "REGISTRY_TO_KILL="+s.folder)
		out := must(child.StdoutPipe())
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines, finished := bufio.NewScanner(out), false
		for n := 0; n <= moment && lines.Scan(); n++ {
			finished = finished || strings.HasPrefix(lines.Text(), "done <nil>")
		}
		if err := child.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		_ = child.Wait() // it was killed
		rounds := must(s.Rounds())
		if rounds > 1 || finished && rounds == 0 {
			t.Fatalf("moment %d: %d rounds", moment, rounds)
		}
		if rounds == 1 {
			if got := must(s.Members(1)); len(got) != members {
				t.Fatalf("moment %d: %d members", moment, len(got))
			}
			return
		}
	}
}
