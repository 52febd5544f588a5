package client

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"votenode/app/election"
	"votenode/app/state"
	"votenode/crypto/ballot"
	"votenode/crypto/threshold"
	pb "votenode/proto/votenode/v1"
)

var (
	// ErrVerification says that something does not prove what it was offered for: a node lies, or data was damaged.
	ErrVerification = errors.New("verification failed")
	// ErrAbsent says that the ledger provably does not hold what was asked for, at the height of the view.
	ErrAbsent = errors.New("the ledger does not hold it")
)

// Reader reads the records of one ledger at one height. The implementation answers for their truth: a View by proofs.
type Reader interface {
	// Chain returns the chain id.
	Chain() string
	// Height returns the height of the block after which this is the state.
	Height() int64
	// Record returns the value of a record, nil where there is none.
	Record(ctx context.Context, key string) ([]byte, error)
}

// message is a pointer to M that is a message of proto/votenode/v1.
type message[M any] interface {
	*M
	election.Message
}

// Load returns the record at a key, nil where there is none.
func Load[M any, P message[M]](ctx context.Context, r Reader, key string) (*M, error) {
	value, err := r.Record(ctx, key)
	if err != nil || value == nil {
		return nil, err
	}
	m := new(M)
	if err := election.Decode(value, P(m)); err != nil {
		return nil, fmt.Errorf("record %q: %w", key, err)
	}
	return m, nil
}

// MustLoad is Load where absence is an error, ErrAbsent.
func MustLoad[M any, P message[M]](ctx context.Context, r Reader, key string) (*M, error) {
	return Find[M, P](ctx, r, key, fmt.Sprintf("record %q", key))
}

// Find is MustLoad of what somebody asks for, in words.
func Find[M any, P message[M]](ctx context.Context, r Reader, key, what string) (*M, error) {
	m, err := Load[M, P](ctx, r, key)
	if err == nil && m == nil {
		err = fmt.Errorf("%s at height %d: %w", what, r.Height(), ErrAbsent)
	}
	return m, err
}

// Elections returns the ids of all elections, in order of creation.
func Elections(ctx context.Context, r Reader) ([]string, error) {
	list, err := Load[pb.ElectionList](ctx, r, state.KeyElections)
	if err != nil || list == nil {
		return nil, err
	}
	return list.Ids, nil
}

// LoadElection returns an election. It fails with ErrAbsent.
func LoadElection(ctx context.Context, r Reader, id string) (*pb.Election, error) {
	if err := election.CheckID(id); err != nil {
		return nil, fmt.Errorf("%q is no id of an election: %w", id, err)
	}
	return Find[pb.Election](ctx, r, state.ElectionKey(id), fmt.Sprintf("election %q", id))
}

// LoadDocument returns a published document by its hash, and checks the hash. It fails with ErrAbsent and ErrVerification.
func LoadDocument(ctx context.Context, r Reader, hash []byte) ([]byte, error) {
	d, err := Find[pb.Document](ctx, r, state.DocumentKey(hash), fmt.Sprintf("document %x", hash))
	if err != nil {
		return nil, err
	}
	var document []byte
	for i := uint64(0); uint64(len(document)) < d.Size_; i++ {
		chunk, err := r.Record(ctx, state.ChunkKey(hash, d.Publisher, i))
		if err != nil {
			return nil, err
		}
		if len(chunk) == 0 {
			return nil, fmt.Errorf("chunk %d of document %x: %w", i, hash, ErrAbsent)
		}
		document = append(document, chunk...)
	}
	if got := sha256.Sum256(document); string(got[:]) != string(hash) {
		return nil, fmt.Errorf("document %x: %w: its chunks hash to %x", hash, ErrVerification, got)
	}
	return document, nil
}

// LoadManifest returns the manifest of an election.
func LoadManifest(ctx context.Context, r Reader, e *pb.Election) (*pb.Manifest, error) {
	document, err := LoadDocument(ctx, r, e.Manifest)
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return election.ParseManifest(document)
}

// LoadRules returns an election and its manifest. It fails with ErrAbsent.
func LoadRules(ctx context.Context, r Reader, id string) (*pb.Election, *pb.Manifest, error) {
	e, err := LoadElection(ctx, r, id)
	if err != nil {
		return nil, nil, err
	}
	m, err := LoadManifest(ctx, r, e)
	return e, m, err
}

// OrganisationKeys are an election's keys as points, by organisation.
func OrganisationKeys(record *pb.ElectionKeys, slots int) ([]*threshold.OrganisationKey, error) {
	organisations := make([]*threshold.OrganisationKey, len(record.Organisations))
	for i := range record.Organisations {
		o := &record.Organisations[i]
		keys, err := threshold.ParsePoints(o.Keys, slots)
		if err != nil {
			return nil, fmt.Errorf("keys of %s: %w", o.Organisation, err)
		}
		organisations[i] = &threshold.OrganisationKey{Organisation: o.Organisation, Quorum: int(o.Quorum), Keys: keys}
		for _, t := range o.Trustees {
			points, err := threshold.ParsePoints(t.Keys, slots)
			if err != nil {
				return nil, fmt.Errorf("keys of trustee %d of %s: %w", t.Index, o.Organisation, err)
			}
			organisations[i].Trustees = append(organisations[i].Trustees, threshold.TrusteeKeys{Index: t.Index, Keys: points})
		}
	}
	return organisations, nil
}

// LoadBallotElection returns what all ballots of an election share: it fails with ErrAbsent before roll and keys are fixed, and
// with ErrVerification where the keys do not hash to the digest in the election's record or the joint keys are not their sum.
func LoadBallotElection(ctx context.Context, r Reader, id string) (*ballot.Election, *pb.Manifest, error) {
	e, err := LoadElection(ctx, r, id)
	if err != nil {
		return nil, nil, err
	}
	if !e.RollSealed || len(e.KeyDigest) != sha256.Size || len(e.RollRoot) != sha256.Size {
		return nil, nil, fmt.Errorf("sealed roll and keys of election %q, in phase %s: %w", id, election.PhaseName(e.Phase), ErrAbsent)
	}
	m, err := LoadManifest(ctx, r, e)
	if err != nil {
		return nil, nil, err
	}
	record, err := MustLoad[pb.ElectionKeys](ctx, r, state.KeysKey(id))
	if err != nil {
		return nil, nil, err
	}
	organisations, err := OrganisationKeys(record, election.Slots(m))
	if err != nil {
		return nil, nil, err
	}
	joint, err := threshold.JointKeys(organisations)
	if err != nil {
		return nil, nil, err
	}
	digest := threshold.KeyDigest(r.Chain(), id, organisations)
	if string(digest[:]) != string(e.KeyDigest) || string(threshold.PointsBytes(joint)) != string(record.Keys) {
		return nil, nil, fmt.Errorf("keys of election %q: %w: they do not fit their digest or their sum", id, ErrVerification)
	}
	shared, err := ballot.NewElection(ballot.Parameters{
		Chain: r.Chain(), Election: id,
		Manifest: [32]byte(e.Manifest), RollRoot: [32]byte(e.RollRoot), KeyDigest: digest,
		Keys: joint, Styles: election.BallotStyles(m),
	})
	return shared, m, err
}

// LoadSum returns the encrypted sum of a contest with so many options.
func LoadSum(ctx context.Context, r Reader, id string, contest uint32, options int) (*ballot.EncryptedTally, error) {
	key := state.SumKey(id, contest)
	value, err := r.Record(ctx, key)
	if err != nil {
		return nil, err
	}
	if value == nil {
		return nil, fmt.Errorf("record %q: %w", key, ErrAbsent)
	}
	return ballot.ParseTally(options, value)
}

// LoadMergedSum returns the encrypted sum of a contest and of all that are merged into it, nil where none is. Spec 8.10.
func LoadMergedSum(ctx context.Context, r Reader, id string, contest uint32, options int) (*ballot.EncryptedTally, error) {
	value, err := r.Record(ctx, state.MergedSumKey(id, contest))
	if err != nil || value == nil {
		return nil, err
	}
	return ballot.ParseTally(options, value)
}
