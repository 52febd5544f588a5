package state

import (
	"crypto/sha256"
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
	// KeyNominations is the key of the NominationsIndex.
	KeyNominations = "nominations"

	KeyInitiatives = "initiatives"

	// OrganisationPrefix is what the keys of all organisations begin with.
	OrganisationPrefix = "organisation/"
	// ResolutionPrefix is what the keys of all resolutions begin with.
	ResolutionPrefix = "resolution/"
	// MisbehaviourPrefix is what the keys of all misbehaviour begin with.
	MisbehaviourPrefix = "misbehaviour/"
	// IntakePrefix is what the keys of all LastIntake begin with.
	IntakePrefix = "intake/"
	// InitiativePrefix is what the keys of all Initiative begin with.
	InitiativePrefix = "initiative/"
	// OwedPrefix is what the keys of all answers that are owed begin with.
	OwedPrefix = "answer-owed/"
	// LogBlocks is the id of the blocks log.
	LogBlocks = "blocks"
	// LogIntake is the id of the log of validators' reports.
	LogIntake = "intake"
	// LogInitiatives is the id of the log of initiatives and comments.
	LogInitiatives = "initiatives"
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

// InitiativeKey is the key of an Initiative.
func InitiativeKey(initiative uint64) string {
	return fmt.Sprintf("%s%012d", InitiativePrefix, initiative)
}

// OwedKey is the key of an empty record that is there as long as the answer to an initiative is owed, by the deadline.
func OwedKey(deadline int64, initiative uint64) string {
	return fmt.Sprintf("%s%012d/%012d", OwedPrefix, deadline, initiative)
}

// ParseOwedKey reads what OwedKey returned.
func ParseOwedKey(key string) (deadline int64, initiative uint64, err error) {
	_, err = fmt.Sscanf(key, OwedPrefix+"%d/%d", &deadline, &initiative)
	return deadline, initiative, err
}

// CommentsPerPage is the number of comments of a full CommentPage.
const CommentsPerPage = 256

// CommentsKey is the key of the CommentPage that holds a comment of an initiative, counted from 0.
func CommentsKey(initiative, comment uint64) string {
	return fmt.Sprintf("comments/%012d/%07d", initiative, comment/CommentsPerPage)
}

// RemovedPostKey is the key of the RemovedPost of a leaf of the log of initiatives.
func RemovedPostKey(post uint64) string { return fmt.Sprintf("removed-post/%012d", post) }

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

// MergedSumKey is the key of the sum of a contest and of all that are merged into it.
func MergedSumKey(election string, contest uint32) string {
	return fmt.Sprintf("%s/merged-sum/%05d", ElectionKey(election), contest)
}

// PaperPrefix is what the keys of all PaperPlaces of an election begin with.
func PaperPrefix(election string) string { return ElectionKey(election) + "/paper/" }

// PaperKey is the key of a PaperPlace, by the id of the polling place.
func PaperKey(election, place string) string { return PaperPrefix(election) + place }

// PaperSumKey is the key of the PaperSum of a contest.
func PaperSumKey(election string, contest uint32) string {
	return fmt.Sprintf("%s/paper-sum/%05d", ElectionKey(election), contest)
}

// ExtensionPrefix is what the keys of all Extensions of an election begin with.
func ExtensionPrefix(election string) string { return ElectionKey(election) + "/extension/" }

// ExtensionKey is the key of an Extension, counted from 1.
func ExtensionKey(election string, number int) string {
	return fmt.Sprintf("%s%03d", ExtensionPrefix(election), number)
}

// SigningKey is the key of the Signing of a window.
func SigningKey(window int64) string { return fmt.Sprintf("signing/%012d", window) }

// RemovedKey is the key of the RemovedCandidates.
func RemovedKey(election string) string { return ElectionKey(election) + "/removed" }

// NominationsKey is the key of a NominationsState.
func NominationsKey(id string) string { return "nomination/" + id }

// NominationListKey is the key of a ListState.
func NominationListKey(nominations, list string) string {
	return NominationsKey(nominations) + "/list/" + list
}

// ApplicationPrefix is what the keys of all applications of nominations begin with.
func ApplicationPrefix(nominations string) string {
	return NominationsKey(nominations) + "/application/"
}

// ApplicationKey is the key of an ApplicationState.
func ApplicationKey(nominations string, hash []byte) string {
	return ApplicationPrefix(nominations) + hex.EncodeToString(hash)
}

// CandidateKey is the key of a record with the hash of the live application of a candidate's key.
func CandidateKey(nominations string, candidate []byte) string {
	return NominationsKey(nominations) + "/candidate/" + hex.EncodeToString(candidate)
}

// NameKey is the key of a record with the hash of the live application under a name on a list.
func NameKey(nominations, list, name string) string {
	hash := sha256.Sum256([]byte(name))
	return NominationsKey(nominations) + "/name/" + list + "/" + hex.EncodeToString(hash[:])
}

// LotKey is the key of the Lot.
func LotKey(election string) string { return ElectionKey(election) + "/lot" }

// LotRoundKey is the key of the Lot of a round that was ended.
func LotRoundKey(election string, round uint32) string {
	return fmt.Sprintf("%s/%05d", LotKey(election), round)
}

// ListQueueKey is the key of the ListQueue.
func ListQueueKey(election string) string { return ElectionKey(election) + "/list-queue" }

// ListPrefix is what the keys of the lists of an election begin with.
func ListPrefix(election string) string { return ElectionKey(election) + "/list/" }

// ListKey is the key of the List of a contest.
func ListKey(election string, contest uint32) string {
	return fmt.Sprintf("%s%05d", ListPrefix(election), contest)
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
