package genesis

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"

	"votenode/app/election"
	"votenode/crypto/transcript"
	pb "votenode/proto/votenode/v1"
)

// ErrNotApproved says that an organisation lacks approvals; the text names it.
var ErrNotApproved = errors.New("the genesis document is not approved by every organisation")

// Approve signs the hash of a document as one of its officers. It fails with ErrInvalid where the key is no officer's.
// Spec 1.9.
func Approve(doc *pb.Genesis, key ed25519.PrivateKey) (*pb.GenesisApproval, error) {
	public := key.Public().(ed25519.PublicKey)
	for _, g := range doc.Organisations {
		if isOfficer(&g.Organisation, public) {
			return &pb.GenesisApproval{
				Organisation: g.Organisation.Id,
				Officer:      public,
				Signature:    ed25519.Sign(key, approvalBytes(doc)),
			}, nil
		}
	}
	return nil, fmt.Errorf("%w: key %x is no officer's of this document; sign with an officer's key", ErrInvalid, public)
}

// AddApproval puts an approval into its place in the list; one that stands there already is left alone.
func AddApproval(list *pb.GenesisApprovals, a *pb.GenesisApproval) {
	i, found := slices.BinarySearchFunc(list.Approvals, *a, compareApprovals)
	if !found {
		list.Approvals = slices.Insert(list.Approvals, i, *a)
	}
}

// ParseApprovals reads the canonical encoding of a list of approvals. It fails with ErrInvalid.
func ParseApprovals(b []byte) (*pb.GenesisApprovals, error) {
	list := new(pb.GenesisApprovals)
	return list, decode(b, list)
}

// ApprovalsBytes returns the canonical encoding of a list of approvals.
func ApprovalsBytes(list *pb.GenesisApprovals) []byte { return election.Encode(list) }

// VerifyApprovals checks that of every organisation of the document as many officers as its quorum have signed its hash.
// The list is strictly ascending by organisation and officer. It fails with ErrInvalid for a list that is out of order or
// holds anything but an officer's good signature, and with ErrNotApproved where one is missing. Spec 1.9.
func VerifyApprovals(doc *pb.Genesis, list *pb.GenesisApprovals) error {
	signed := approvalBytes(doc)
	officers := map[string]*pb.Organisation{}
	for i := range doc.Organisations {
		o := &doc.Organisations[i].Organisation
		officers[o.Id] = o
	}
	given := map[string]uint32{}
	for i, a := range list.Approvals {
		if i > 0 && compareApprovals(list.Approvals[i-1], a) >= 0 {
			return fmt.Errorf("%w: approvals are not strictly ascending by organisation and officer; sort them", ErrInvalid)
		}
		if o := officers[a.Organisation]; o == nil || !isOfficer(o, a.Officer) {
			return fmt.Errorf("%w: key %x is no officer's of %q; leave its approval out", ErrInvalid, a.Officer, a.Organisation)
		}
		if !verify(a.Officer, signed, a.Signature) {
			return fmt.Errorf("%w: the approval of officer %x of %s is not for this document; have it made again", ErrInvalid, a.Officer, a.Organisation)
		}
		given[a.Organisation]++
	}
	var lacking []string
	for _, g := range doc.Organisations {
		if o := g.Organisation; given[o.Id] < o.OfficerQuorum {
			lacking = append(lacking, fmt.Sprintf("%s has %d of %d", o.Id, given[o.Id], o.OfficerQuorum))
		}
	}
	if lacking != nil {
		return fmt.Errorf("%w: %s", ErrNotApproved, strings.Join(lacking, ", "))
	}
	return nil
}

// approvalBytes returns Frame(LabelGenesisApproval, chain id, genesis hash).
func approvalBytes(doc *pb.Genesis) []byte {
	hash := Hash(doc)
	return transcript.Frame(transcript.LabelGenesisApproval, []byte(doc.ChainId), hash[:])
}

func isOfficer(o *pb.Organisation, key []byte) bool {
	return slices.ContainsFunc(o.Officers, func(m pb.Member) bool { return bytes.Equal(m.Key, key) })
}

func compareApprovals(a, b pb.GenesisApproval) int {
	return cmp.Or(cmp.Compare(a.Organisation, b.Organisation), bytes.Compare(a.Officer, b.Officer))
}
