package node_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"

	"votenode/app"
	"votenode/app/organisation"
	"votenode/app/tx"
	"votenode/internal/testnet"
	"votenode/node"
	pb "votenode/proto/votenode/v1"
)

// TestLeaveAndArchive: a validator leaves without replacement, its organisation's others take over its power. Its node, which the others let
// connect as an observer, follows, passes on what it takes in, and signs nothing. An archive that joins then begins with block 1, through the
// change, and answers for the state of every height.
func TestLeaveAndArchive(t *testing.T) {
	const archive = 5
	n := testnet.New(t, testnet.Options{
		Powers: map[string][]int64{"league": {2, 2, 2}, "party": {3, 3}}, Observers: 1,
		Parameters: func(p *pb.Parameters) { p.Handover = 8 },
		Config:     func(i int, c *node.Config) { c.Store.Archive = i == archive },
	})
	leaving, late := n.Nodes[1], n.Nodes[archive]
	for _, each := range n.Nodes {
		if each != leaving {
			configure(t, each, func(c *node.Config) { c.P2P.Observers = append(c.P2P.Observers, leaving.ID()) })
		}
	}
	n.Start(0, 1, 2, 3, 4)
	n.WaitHeight(2)
	before := deliver(t, leaving, document(n, 1))
	var set []pb.Validator
	for _, each := range n.Nodes[:archive] {
		if each != leaving {
			v := each.Validator
			v.Power = 3
			set = append(set, v)
		}
	}
	resolution := pb.Resolution{Nonce: 1, Reason: "one machine less", Decision: &pb.Resolution_ChangeValidators{
		ChangeValidators: &pb.ChangeValidators{Validators: testnet.SortedValidators(set)},
	}}
	deliver(t, n.Nodes[0], tx.Sign(testnet.Chain, &pb.ProposeResolution{Resolution: resolution}, n.Officers["league"][0]))
	hash := app.ResolutionHash(testnet.Chain, &resolution)
	deliver(t, n.Nodes[0], tx.Sign(testnet.Chain, &pb.ApproveResolution{Resolution: hash[:]}, n.Officers["party"][0]))
	address := organisation.ConsensusAddress(leaving.Validator.Key)
	until(t, n.Nodes[0], "the epoch without it", func() bool {
		proofs, err := n.Nodes[0].Running().Epochs()
		return err == nil && len(proofs) == 1 && !signers(n.Nodes[0], tip(n.Nodes[0])-1)[address]
	})
	from := tip(n.Nodes[0])
	leaving.WaitHeight(from)
	signed := signState(t, leaving)
	sent := document(n, 2)
	height := deliver(t, leaving, sent) // over the pools of others into the block of a validator
	n.RequireAgreement(max(height, from) + 6)
	if !bytes.Equal(signState(t, leaving), signed) {
		t.Error("it has signed after it left")
	}
	for h := from; h < from+5; h++ {
		if signed := signers(n.Nodes[0], h); signed[address] {
			t.Errorf("its signature stands under block %d", h)
		}
	}
	until(t, leaving, "health", func() bool { return len(leaving.Running().Health()) == 0 })
	until(t, n.Nodes[0], "a certified state of the epoch without it", func() bool {
		certified, _, err := n.Nodes[0].Running().Certified()
		return err == nil && certified > from
	})

	n.Start(archive)
	late.WaitHeight(height + 6)
	until(t, late, "the end of block sync", func() bool { return !late.Running().CatchingUp() })
	for i, raw := range [][]byte{document(n, 1), sent} {
		if r, ok := late.Running().App().Results().Find(sha256.Sum256(raw)); !ok || r.Code != tx.CodeOK {
			t.Errorf("the archive does not know transaction %d, recorded at height %d or before: %+v", i+1, max(before, height), r)
		}
	}
	n.RequireAgreement(tip(late))
	headers := map[int64]string{} // what the header behind each height says of its state
	for h := int64(1); h < height; h++ {
		headers[h] = fmt.Sprintf("%x", []byte(n.Nodes[0].Running().Blocks().LoadBlockMeta(h+1).Header.AppHash))
	}
	n.Stop()
	s := stopped(t, late.Home)
	if i := inspected(t, s); i.FirstBlock != 1 || i.OldestLedger != 0 {
		t.Errorf("%+v", i)
	}
	for h, want := range headers {
		records, err := s.Records(h)
		if err != nil {
			t.Fatal(err)
		}
		var file bytes.Buffer
		if err := records.Write(&file); err != nil {
			t.Fatal(err)
		}
		if read, err := node.ReadRecords(&file); err != nil || read.AppHash != want { // which hashes them
			t.Errorf("the records of height %d hash to %v instead of %s: %v", h, read, want, err)
		}
	}
}
