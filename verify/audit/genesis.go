package audit

import (
	"bytes"
	"cmp"
	"fmt"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"

	"votenode/crypto/transcript"
	pb "votenode/proto/votenode/v1"
)

// zip215 is how Ed25519 signatures are checked everywhere. Spec 2.3.
var zip215 = &ed25519.Options{Verify: ed25519.VerifyOptionsZIP_215}

// verifyApprovals checks that of every organisation as many officers as its quorum have signed the genesis hash, and that the list holds
// nothing else. Spec 1.9.
func verifyApprovals(doc *pb.Genesis, hash [32]byte, list *pb.GenesisApprovals) error {
	message := transcript.Frame(transcript.LabelGenesisApproval, []byte(doc.ChainId), hash[:])
	given := map[string]uint32{}
	for i, a := range list.Approvals {
		if i > 0 {
			last := list.Approvals[i-1]
			if cmp.Or(cmp.Compare(last.Organisation, a.Organisation), bytes.Compare(last.Officer, a.Officer)) >= 0 {
				return fmt.Errorf("approval %d is out of order", i)
			}
		}
		if !isOfficer(doc, a.Organisation, a.Officer) || !ed25519.VerifyWithOptions(a.Officer, message, a.Signature, zip215) {
			return fmt.Errorf("approval %d is no officer's signature of %s for this document", i, a.Organisation)
		}
		given[a.Organisation]++
	}
	for _, g := range doc.Organisations {
		if o := g.Organisation; given[o.Id] < o.OfficerQuorum {
			return fmt.Errorf("%s has given %d of %d approvals", o.Id, given[o.Id], o.OfficerQuorum)
		}
	}
	return nil
}

func isOfficer(doc *pb.Genesis, organisation string, key []byte) bool {
	for _, g := range doc.Organisations {
		for _, m := range g.Organisation.Officers {
			if g.Organisation.Id == organisation && bytes.Equal(m.Key, key) {
				return true
			}
		}
	}
	return false
}
