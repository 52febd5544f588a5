package state

import (
	"fmt"

	"votenode/app/election"
	pb "votenode/proto/votenode/v1"
)

// message is a pointer to M that is a message of ours.
type message[M any] interface {
	*M
	election.Message
}

// Load returns the record at a key, nil where there is none. It fails with ErrCorrupted where the record is not what it should
// be: records are written by the state machine only.
func Load[M any, P message[M]](v View, key string) (*M, error) {
	b, err := v.Record(key)
	if err != nil || b == nil {
		return nil, err
	}
	m := new(M)
	if err := election.Decode(b, P(m)); err != nil {
		return nil, fmt.Errorf("%w: record %q is %v", ErrCorrupted, key, err)
	}
	return m, nil
}

// MustLoad is Load for a record that cannot be absent: absence is ErrCorrupted.
func MustLoad[M any, P message[M]](v View, key string) (*M, error) {
	m, err := Load[M, P](v, key)
	if err == nil && m == nil {
		return nil, fmt.Errorf("%w: record %q is missing", ErrCorrupted, key)
	}
	return m, err
}

// Save writes a record.
func Save(w Writer, key string, m election.Message) { w.SetRecord(key, election.Encode(m)) }

// LoadElection returns an election by an id from outside, nil where there is none.
func LoadElection(v View, id string) (*pb.Election, error) {
	if election.CheckID(id) != nil {
		return nil, nil
	}
	return Load[pb.Election](v, ElectionKey(id))
}

// LoadNominations returns the state of nominations by an id from outside, nil where there are none.
func LoadNominations(v View, id string) (*pb.NominationsState, error) {
	if election.CheckID(id) != nil {
		return nil, nil
	}
	return Load[pb.NominationsState](v, NominationsKey(id))
}

// LoadCeremony returns an organisation's ceremony by ids from outside, nil where there is none.
func LoadCeremony(v View, id, organisation string) (*pb.Ceremony, error) {
	if election.CheckID(id) != nil || election.CheckID(organisation) != nil {
		return nil, nil
	}
	return Load[pb.Ceremony](v, CeremonyKey(id, organisation))
}

// LoadVoter returns a voter's leaf; a voter who has not voted has the zero leaf.
func LoadVoter(v View, id string, index uint64) (*pb.Voter, error) {
	b, err := v.Voter(id, index)
	if err != nil {
		return nil, err
	}
	voter := new(pb.Voter)
	if err := election.Decode(b, voter); err != nil {
		return nil, fmt.Errorf("%w: voter %d of %q is %v", ErrCorrupted, index, id, err)
	}
	return voter, nil
}

// LoadMember returns a member's leaf of an open roll; a member who has sent nothing has the zero leaf.
func LoadMember(v View, id string, index uint64) (*pb.MemberActivity, error) {
	b, err := v.Voter(MembersTree(id), index)
	if err != nil {
		return nil, err
	}
	activity := new(pb.MemberActivity)
	if err := election.Decode(b, activity); err != nil {
		return nil, fmt.Errorf("%w: member %d of %q is %v", ErrCorrupted, index, id, err)
	}
	return activity, nil
}

// Organisations returns all organisations, sorted by id.
func Organisations(v View) ([]pb.Organisation, error) {
	var all []pb.Organisation
	err := v.Records(OrganisationPrefix, func(key string, value []byte) error {
		var o pb.Organisation
		if err := election.Decode(value, &o); err != nil {
			return fmt.Errorf("%w: record %q is %v", ErrCorrupted, key, err)
		}
		all = append(all, o)
		return nil
	})
	return all, err
}
