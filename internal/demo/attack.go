package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/app/tx"
	"votenode/client"
	"votenode/crypto/ballot"
	"votenode/crypto/group"
	"votenode/crypto/threshold"
	"votenode/genesis"
	"votenode/internal/forge"
	"votenode/internal/network"
	pb "votenode/proto/votenode/v1"
)

// attacker sends to the nodes what no honest client sends. It knows what is public, and the keys of some voters.
type attacker struct {
	run        *run
	parameters ballot.Parameters
	sent       int
	crooks     []int // voters who have not been dishonest yet
}

// newAttacker reads the parameters of the election from the ledger.
func (r *run) newAttacker(ctx context.Context) (*attacker, error) {
	v, err := r.ledger.Certified(ctx)
	if err != nil {
		return nil, err
	}
	e, err := client.LoadElection(ctx, v, r.election)
	if err != nil {
		return nil, err
	}
	keys, err := client.MustLoad[pb.ElectionKeys](ctx, v, state.KeysKey(r.election))
	if err != nil {
		return nil, err
	}
	points, err := threshold.ParsePoints(keys.Keys, r.replay.Slots)
	if err != nil {
		return nil, err
	}
	return &attacker{run: r, crooks: r.crooks(), parameters: ballot.Parameters{
		Chain: r.network.Document.ChainId, Election: r.election, Manifest: [32]byte(e.Manifest), RollRoot: [32]byte(e.RollRoot), KeyDigest: [32]byte(e.KeyDigest),
		Keys: points, Styles: election.BallotStyles(r.manifest),
	}}, nil
}

// try sends bytes straight to a node, each time another one, and holds the answer against the code that they must get.
func (a *attacker) try(ctx context.Context, what string, raw []byte, want tx.Code) error {
	v := a.run.network.Validators[a.sent%len(a.run.network.Validators)]
	a.sent++
	answers, err := v.Node.Submit(ctx, raw)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if got := answers[0].Code; got != want {
		return fmt.Errorf("%s: %s answers %d %s, it must be %d %s: %s", what, v.Name, got, got, want, want, answers[0].Message)
	}
	a.run.report.Refusals = append(a.run.report.Refusals, Refusal{What: what, Code: uint32(want), Name: want.String(), Advice: want.Advice()})
	return nil
}

// tryBeforeOpening sends a good ballot too early.
func (r *run) tryBeforeOpening(ctx context.Context) error {
	a, err := r.newAttacker(ctx)
	if err != nil {
		return err
	}
	raw, err := r.makeBallot(challenger, 1, r.replay.Selections(challenger))
	if err != nil {
		return err
	}
	return a.try(ctx, "a ballot before the opening", raw, tx.CodeWrongPhase)
}

// tryAfterClosing sends a good ballot too late.
func (r *run) tryAfterClosing(ctx context.Context) error {
	a, err := r.newAttacker(ctx)
	if err != nil {
		return err
	}
	raw, err := r.makeBallot(challenger, 1_000, r.replay.Selections(challenger))
	if err != nil {
		return err
	}
	return a.try(ctx, "a ballot after the closing", raw, tx.CodeWrongPhase)
}

// attack has one voter challenge a ballot and cast another, and then has dishonest voters try what they can think of.
func (r *run) attack(ctx context.Context) error {
	a, err := r.newAttacker(ctx)
	if err != nil {
		return err
	}
	key, err := ballot.ParseSecretKey(r.secrets[challenger])
	if err != nil {
		return err
	}
	voter := client.Voter{Ledger: r.ledger, Election: r.election, Index: challenger, Key: key}
	prepared, err := voter.Prepare(ctx, r.replay.Selections(challenger), rand.Reader)
	if err != nil {
		return err
	}
	noted := prepared.Code()
	challenge, err := prepared.Challenge(ctx, rand.Reader)
	if err != nil {
		return err
	}
	if err := challenge.Check(ctx, r.ledger, noted); err != nil {
		return err
	}
	r.say("voter %d challenged ballot %s: barred on the ledger, opened, and found to hold the choices", challenger, ballot.FormatCode(noted))
	if err := a.castSpoiled(ctx, key, challenge); err != nil {
		return err
	}
	prepared, err = voter.Prepare(ctx, r.replay.Selections(challenger), rand.Reader)
	if err != nil {
		return err
	}
	if err := prepared.Cast(ctx, client.WaitCertified); err != nil {
		return err
	}
	r.say("voter %d cast another ballot, %s", challenger, ballot.FormatCode(prepared.Code()))
	for _, attack := range []func(context.Context) error{a.dishonestChoices, a.othersBallots, a.misplaced, a.damagedBytes} {
		if err := attack(ctx); err != nil {
			return err
		}
	}
	r.say("%d bad ballots and transactions refused, each by its code", len(r.report.Refusals))
	return nil
}

// castSpoiled tries to cast a challenged ballot after all, with the randomness that was opened.
func (a *attacker) castSpoiled(ctx context.Context, key *ballot.SecretKey, c *client.Challenge) error {
	opened, err := hex.DecodeString(c.Randomness)
	if err != nil {
		return err
	}
	r, err := group.ParseScalar(opened)
	if err != nil {
		return err
	}
	b := forge.Ballot{
		Statement: ballot.Statement{Style: c.Style, RollIndex: c.RollIndex, Voter: key.Public(), Sequence: c.Sequence},
		Values:    a.values(int(c.Style), c.Selections), Randomness: r, Key: key,
	}
	for _, what := range []string{"the challenged ballot, cast after all", "the challenged ballot with a new proof"} {
		if err := a.tryForged(ctx, what, b, tx.CodeSpoiled); err != nil {
			return err
		}
	}
	b.Statement.Sequence += 7
	if err := a.tryForged(ctx, "the challenged ballot with a new proof and a higher number", b, tx.CodeSpoiled); err != nil {
		return err
	}
	raw, err := a.run.makeBallot(challenger, c.Sequence, c.Selections)
	if err != nil {
		return err
	}
	return a.try(ctx, "another ballot with the number of the challenged one", raw, tx.CodeSpoiled)
}

// tryForged makes a ballot of the dishonest program and sends it.
func (a *attacker) tryForged(ctx context.Context, what string, b forge.Ballot, want tx.Code) error {
	ciphertext, proof, signature, err := forge.Make(a.parameters, b, rand.Reader)
	if err != nil {
		return err
	}
	return a.try(ctx, what, a.envelope(b.Statement, ciphertext, proof, signature), want)
}

func (a *attacker) envelope(st ballot.Statement, ciphertext, proof, signature []byte) []byte {
	return tx.Ballot(&pb.CastBallot{
		Election: a.run.election, Style: st.Style, RollIndex: st.RollIndex, Sequence: st.Sequence, Ciphertext: ciphertext, Proof: proof,
	}, signature)
}

// values gives 1 to every selected option.
func (a *attacker) values(style int, selections [][]int) [][]uint64 {
	values := make([][]uint64, len(selections))
	for i, c := range a.parameters.Styles[style].Contests {
		values[i] = make([]uint64, c.Options)
		for _, o := range selections[i] {
			values[i][o] = 1
		}
	}
	return values
}

// crooks are the voters who may be dishonest, all but the challenger: last those with the challenger's ballot style.
func (r *run) crooks() (list []int) {
	var alike []int
	for voter := range r.replay.Voters() {
		switch {
		case voter == challenger:
		case r.replay.Style(voter) == r.replay.Style(challenger):
			alike = append(alike, voter)
		default:
			list = append(list, voter)
		}
	}
	if list = append(list, alike...); len(list) == 0 {
		return []int{challenger}
	}
	return list
}

// crook returns another dishonest voter each time, as long as there are: who has signed a bad proof is barred for a while at the node that saw it.
func (a *attacker) crook() int {
	voter := a.crooks[0]
	if len(a.crooks) > 1 {
		a.crooks = a.crooks[1:]
	}
	return voter
}

// neighbour returns a dishonest voter with the challenger's ballot style, where there is one.
func (a *attacker) neighbour() int { return a.crooks[len(a.crooks)-1] }

// begin returns an honest ballot of a crook, ready to be forged.
func (a *attacker) begin(crook int) (forge.Ballot, error) {
	key, err := ballot.ParseSecretKey(a.run.secrets[crook])
	if err != nil {
		return forge.Ballot{}, err
	}
	r, err := forge.Scalar(rand.Reader)
	style := a.run.replay.Style(crook)
	return forge.Ballot{
		Statement: ballot.Statement{Style: uint32(style), RollIndex: uint64(crook), Voter: key.Public(), Sequence: 9},
		Values:    a.values(style, a.run.replay.Selections(crook)), Randomness: r, Key: key,
	}, err
}

// dishonestChoices are ballots of a voter of the roll, signed as they should be, that hold what no ballot may.
func (a *attacker) dishonestChoices(ctx context.Context) error {
	for _, c := range []struct {
		what string
		set  func(values []uint64, most int)
	}{
		{"more choices than the contest allows", func(values []uint64, most int) {
			for o := range min(most+1, len(values)) {
				values[o] = 1
			}
			values[0] += uint64(most + 1 - min(most+1, len(values)))
		}},
		{"a thousand votes for one candidate", func(values []uint64, _ int) { values[0] = 1000 }},
		{"two votes for one candidate", func(values []uint64, _ int) { clear(values); values[0] = 2 }},
	} {
		b, err := a.begin(a.crook())
		if err != nil {
			return err
		}
		c.set(b.Values[0], a.parameters.Styles[b.Statement.Style].Contests[0].Max)
		if err := a.tryForged(ctx, c.what, b, tx.CodeBadProof); err != nil {
			return err
		}
	}
	return nil
}

// othersBallots takes the challenger's ballot from the public log and makes something of it.
func (a *attacker) othersBallots(ctx context.Context) error {
	v, err := a.run.ledger.Certified(ctx)
	if err != nil {
		return err
	}
	raw, err := v.Leaf(ctx, state.LogBallots(a.run.election), 0)
	if err != nil {
		return err
	}
	parsed, err := tx.Parse(raw)
	if err != nil {
		return err
	}
	public, ok := parsed.Body().(*pb.CastBallot)
	if !ok {
		return fmt.Errorf("the first leaf of the ballot log is a %v", parsed.Kind())
	}
	if err := a.try(ctx, "a recorded ballot sent again", raw, tx.CodeAlreadyDone); err != nil {
		return err
	}
	honest, err := a.run.makeBallot(challenger, public.Sequence, a.run.replay.Selections(challenger))
	if err != nil {
		return err
	}
	if err := a.try(ctx, "a new ballot with the number of the recorded one", honest, tx.CodeSequence); err != nil {
		return err
	}
	lower, err := a.run.makeBallot(challenger, 0, a.run.replay.Selections(challenger))
	if err != nil {
		return err
	}
	if err := a.try(ctx, "a new ballot with a lower number", lower, tx.CodeSequence); err != nil {
		return err
	}
	mine, err := a.begin(a.neighbour())
	if err != nil || mine.Statement.Style != public.Style {
		return err
	}
	moved := a.envelope(mine.Statement, public.Ciphertext, public.Proof, parsed.Signature())
	if err := a.try(ctx, "another voter's ballot moved to one's own place", moved, tx.CodeBadSignature); err != nil {
		return err
	}
	signature, err := forge.Sign(a.parameters, mine.Statement, public.Ciphertext, public.Proof, mine.Key, rand.Reader)
	if err != nil {
		return err
	}
	copied := a.envelope(mine.Statement, public.Ciphertext, public.Proof, signature)
	return a.try(ctx, "another voter's ballot copied and signed with one's own key", copied, tx.CodeBadProof)
}

// misplaced are ballots that would be good elsewhere.
func (a *attacker) misplaced(ctx context.Context) error {
	b, err := a.begin(a.crook())
	if err != nil {
		return err
	}
	another, err := ballot.ParseSecretKey(a.run.secrets[challenger])
	if err != nil {
		return err
	}
	stranger := *a
	stranger.parameters.Chain = "another"
	if err := stranger.tryForged(ctx, "a ballot made for another chain", b, tx.CodeBadSignature); err != nil {
		return err
	}
	a.sent = stranger.sent
	signed := b
	signed.Key = another
	if err := a.tryForged(ctx, "a ballot signed by another voter", signed, tx.CodeBadSignature); err != nil {
		return err
	}
	unknown := b
	unknown.Statement.RollIndex = uint64(a.run.replay.Voters())
	if err := a.tryForged(ctx, "a ballot of nobody on the roll", unknown, tx.CodeUnknownVoter); err != nil {
		return err
	}
	ciphertext, proof, signature, err := forge.Make(a.parameters, b, rand.Reader)
	if err != nil {
		return err
	}
	body := pb.CastBallot{
		Election: "another", Style: b.Statement.Style, RollIndex: b.Statement.RollIndex, Sequence: b.Statement.Sequence,
		Ciphertext: ciphertext, Proof: proof,
	}
	if err := a.try(ctx, "a ballot for another election", tx.Ballot(&body, signature), tx.CodeUnknownElection); err != nil {
		return err
	}
	body.Election, body.Style = a.run.election, b.Statement.Style+1
	return a.try(ctx, "a ballot of another district's style", tx.Ballot(&body, signature), tx.CodeWrongStyle)
}

// damagedBytes are ballots that are not what the specification calls one, and a resolution of nobody.
func (a *attacker) damagedBytes(ctx context.Context) error {
	b, err := a.begin(a.crook())
	if err != nil {
		return err
	}
	ciphertext, proof, signature, err := forge.Make(a.parameters, b, rand.Reader)
	if err != nil {
		return err
	}
	good := a.envelope(b.Statement, ciphertext, proof, signature)
	var signing error // of the random source
	// What is wrong is signed as it should be, so that it is for the proof that it is refused.
	signed := func(ciphertext, proof []byte) []byte {
		signature, err := forge.Sign(a.parameters, b.Statement, ciphertext, proof, b.Key, rand.Reader)
		signing = errors.Join(signing, err)
		return a.envelope(b.Statement, ciphertext, proof, signature)
	}
	change := func(at int, with []byte) []byte {
		return signed(slices.Concat(ciphertext[:at], with, ciphertext[at+len(with):]), proof)
	}
	nobody, err := network.NewSigner()
	if err != nil {
		return err
	}
	cancel := &pb.ProposeResolution{Resolution: pb.Resolution{
		Decision: &pb.Resolution_CancelElection{CancelElection: &pb.CancelElection{Election: a.run.election}},
	}}
	kind := election.Encode(&pb.Envelope{Kind: 99, Body: []byte{1}, Signature: signature})
	limit := int(genesis.DefaultParameters(2).Limits.BallotBytes)
	notEncoded := bytes.Repeat([]byte{0xff}, group.PointSize)
	attempts := []struct {
		what string
		raw  []byte
		want tx.Code
	}{
		{"nothing", []byte{}, tx.CodeUnknownKind},
		{"a ballot cut short", good[:len(good)-9], tx.CodeMalformed},
		{"a ballot with a byte behind it", append(slices.Clone(good), 0), tx.CodeMalformed},
		{"a ballot with an unknown field", append(slices.Clone(good), 0x78, 1), tx.CodeMalformed},
		{"a transaction of an unknown kind", kind, tx.CodeUnknownKind},
		{"a ballot larger than any", a.envelope(b.Statement, ciphertext, bytes.Repeat(proof, 1+limit/len(proof)), signature), tx.CodeTooLarge},
		{"a ballot with half a point too few", a.envelope(b.Statement, ciphertext[16:], proof, signature), tx.CodeInvalidField},
		{"a ballot with an option too few", signed(ciphertext[32:], proof), tx.CodeBadProof},
		{"a point that is not canonical", change(32, notEncoded), tx.CodeBadProof},
		{"the identity for a point", change(32, make([]byte, group.PointSize)), tx.CodeBadProof},
		{"a proof with a scalar above the group order", signed(ciphertext, slices.Concat(proof[:len(proof)-scalar.ScalarSize], notEncoded)), tx.CodeBadProof},
		{"a resolution proposed by nobody", tx.Sign(a.run.network.Document.ChainId, cancel, nobody), tx.CodeNotAuthorised},
	}
	if signing != nil {
		return signing
	}
	for _, c := range attempts {
		if err := a.try(ctx, c.what, c.raw, c.want); err != nil {
			return err
		}
	}
	return nil
}
