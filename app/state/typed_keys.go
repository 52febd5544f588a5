package state

import (
	"encoding/hex"
	"fmt"

	pb "votenode/proto/votenode/v1"
)

// The keys of records, spec 5.2. Ids are checked before they become part of a key; hashes, keys and addresses are lower-case
// hexadecimal; numbers are decimal with leading zeros, so that the order of keys is the order of numbers.
const (
	KeyChain      = "chain"
	KeyParameters = "parameters"
	KeyValidators = "validators"
	KeyElections  = "elections"
	KeyPending    = "resolutions/pending"
	KeyUpgrades   = "upgrades"

	// OrganisationPrefix is what the keys of all organisations begin with.
	OrganisationPrefix = "organisation/"
	// ResolutionPrefix is what the keys of all resolutions begin with.
	ResolutionPrefix = "resolution/"
	// MisbehaviourPrefix is what the keys of all misbehaviour begin with.
	MisbehaviourPrefix = "misbehaviour/"
	// IntakePrefix is what the keys of all LastIntake begin with.
	IntakePrefix = "intake/"
	// LogBlocks is the id of the blocks log.
	LogBlocks = "blocks"
	// LogIntake is the id of the log of validators' reports.
	LogIntake = "intake"
)

// OrganisationKey is the key of an Organisation.
func OrganisationKey(id string) string { return OrganisationPrefix + id }

// ValidatorKey is the key of a ValidatorKey, by consensus key.
func ValidatorKey(key []byte) string { return "validator-key/" + hex.EncodeToString(key) }

// MisbehaviourKey is the key of a Misbehaviour.
func MisbehaviourKey(height int64, address []byte) string {
	return fmt.Sprintf("%s%012d/%x", MisbehaviourPrefix, height, address)
}

// IntakeKey is the key of a validator's LastIntake, by consensus key.
func IntakeKey(key []byte) string { return IntakePrefix + hex.EncodeToString(key) }

// OfficerKey is the key of an OfficerActs.
func OfficerKey(officer []byte) string { return "officer/" + hex.EncodeToString(officer) }

// ResolutionKey is the key of a ResolutionRecord.
func ResolutionKey(hash []byte) string { return ResolutionPrefix + hex.EncodeToString(hash) }

// DocumentKey is the key of a whole Document.
func DocumentKey(hash []byte) string { return "document/" + hex.EncodeToString(hash) }

// UploadKey is the key of a Document that an officer is publishing.
func UploadKey(hash, officer []byte) string {
	return DocumentKey(hash) + "/" + hex.EncodeToString(officer)
}

// ChunkKey is the key of the bytes of a chunk, counted from 0.
func ChunkKey(hash, officer []byte, chunk uint64) string {
	return fmt.Sprintf("%s/%05d", UploadKey(hash, officer), chunk)
}

// ElectionKey is the key of an Election.
func ElectionKey(id string) string { return "election/" + id }

// CeremonyKey is the key of an organisation's Ceremony.
func CeremonyKey(election, organisation string) string {
	return ElectionKey(election) + "/ceremony/" + organisation
}

// DealKey is the key of a trustee's Deal in one attempt.
func DealKey(election, organisation string, attempt, trustee uint32) string {
	return fmt.Sprintf("%s/deal/%s/%05d/%05d", ElectionKey(election), organisation, attempt, trustee)
}

// KeysKey is the key of the ElectionKeys.
func KeysKey(election string) string { return ElectionKey(election) + "/keys" }

// KeyDigestKey is the key of a record with the id of the election that has these keys.
func KeyDigestKey(digest []byte) string { return "key-digest/" + hex.EncodeToString(digest) }

// TrialKey is the key of the Trial.
func TrialKey(election string) string { return ElectionKey(election) + "/trial" }

// TrialSharesKey is the key of a trustee's TrialShares.
func TrialSharesKey(election, organisation string, trustee uint32) string {
	return fmt.Sprintf("%s/%s/%05d", TrialKey(election), organisation, trustee)
}

// SumKey is the key of the encrypted sum of a contest.
func SumKey(election string, contest uint32) string {
	return fmt.Sprintf("%s/sum/%05d", ElectionKey(election), contest)
}

// SpoiledKey is the key of what a voter has Spoiled.
func SpoiledKey(election string, voter uint64) string {
	return fmt.Sprintf("%s/spoiled/%010d", ElectionKey(election), voter)
}

// BarredKey is the key of a Barred: of an entry of a roll that was revoked after the election's own voting.
func BarredKey(election string, voter uint64) string {
	return fmt.Sprintf("%s/barred/%010d", ElectionKey(election), voter)
}

// PartialPrefix is what the keys of the partial decryptions of a contest begin with.
func PartialPrefix(election string, contest uint32) string {
	return fmt.Sprintf("%s/partial/%05d/", ElectionKey(election), contest)
}

// PartialKey is the key of a trustee's Partial.
func PartialKey(election string, contest uint32, organisation string, trustee uint32) string {
	return fmt.Sprintf("%s%s/%05d", PartialPrefix(election, contest), organisation, trustee)
}

// QueueKey is the key of the TallyQueue.
func QueueKey(election string) string { return ElectionKey(election) + "/tally-queue" }

// ResultKey is the key of the Result of a contest.
func ResultKey(election string, contest uint32) string {
	return fmt.Sprintf("%s/result/%05d", ElectionKey(election), contest)
}

// RollCountsKey is the key of the RollCounts.
func RollCountsKey(election string) string { return ElectionKey(election) + "/roll-counts" }

// LogBallots is the id of an election's ballot log.
func LogBallots(election string) string { return ElectionKey(election) + "/ballots" }

// LogRoll is the id of the roll log that an election has of its own. The entries of its voters stand there or elsewhere: see RollOf.
func LogRoll(election string) string { return ElectionKey(election) + "/roll" }

// RollOf returns the id of the election in whose log the entries of an election's roll stand: its own, or another.
func RollOf(id string, e *pb.Election) string {
	if e.RollOf != "" {
		return e.RollOf
	}
	return id
}

// RollIndexKey is the key of the index from a voter's key to the roll index, eight big-endian bytes.
func RollIndexKey(election string, voter []byte) []byte {
	return append([]byte("roll/"+election+"/"), voter...)
}

// CodeIndexKey is the key of the index from a confirmation code to the index in the ballot log, eight big-endian bytes.
func CodeIndexKey(election string, code []byte) []byte {
	return append([]byte("code/"+election+"/"), code...)
}
