package genesis

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"slices"

	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"

	"votenode/app/election"
	"votenode/app/organisation"
	"votenode/app/text"
	"votenode/crypto/transcript"
	pb "votenode/proto/votenode/v1"
)

// SignEntry fills in the signature of an entry with the key that the entry introduces: the member's key, or a validator's
// slip key. It fails with ErrInvalid where the entry breaks a rule or the key is another. Spec 1.8.
func SignEntry(entry *pb.GenesisEntry, key ed25519.PrivateKey) error {
	introduced, err := checkEntry(entry)
	if err != nil {
		return fmt.Errorf("%w: entry: %w", ErrInvalid, err)
	}
	if !bytes.Equal(introduced, key.Public().(ed25519.PublicKey)) {
		return fmt.Errorf("%w: entry: it introduces key %x; sign with that key", ErrInvalid, introduced)
	}
	entry.Signature = ed25519.Sign(key, entryBytes(entry))
	return nil
}

// VerifyEntry checks an entry for itself and its signature. It fails with ErrInvalid. Spec 1.8.
func VerifyEntry(entry *pb.GenesisEntry) error {
	introduced, err := checkEntry(entry)
	if err != nil {
		return fmt.Errorf("%w: entry: %w", ErrInvalid, err)
	}
	if !verify(introduced, entryBytes(entry), entry.Signature) {
		return fmt.Errorf("%w: the entry of key %x is not signed by it; have it made again", ErrInvalid, introduced)
	}
	return nil
}

// ParseEntry reads the canonical encoding of an entry and verifies it. It fails with ErrInvalid.
func ParseEntry(b []byte) (*pb.GenesisEntry, error) {
	entry := new(pb.GenesisEntry)
	if err := decode(b, entry); err != nil {
		return nil, err
	}
	return entry, VerifyEntry(entry)
}

// checkEntry checks the fields and returns the key that must sign.
func checkEntry(entry *pb.GenesisEntry) (signer []byte, err error) {
	if err := text.CheckID(entry.ChainId, organisation.MaxChainID); err != nil {
		return nil, fmt.Errorf("chain: %w", err)
	}
	if err := text.CheckID(entry.Organisation, organisation.MaxOrganisationID); err != nil {
		return nil, fmt.Errorf("organisation: %w", err)
	}
	switch e := entry.Entry.(type) {
	case *pb.GenesisEntry_Officer:
		return e.Officer.Key, organisation.CheckMember(e.Officer)
	case *pb.GenesisEntry_Registrar:
		return e.Registrar.Key, organisation.CheckMember(e.Registrar)
	case *pb.GenesisEntry_Validator:
		if o := e.Validator.Organisation; o != entry.Organisation {
			return nil, fmt.Errorf("it is of %q and introduces a validator of %q; name one organisation", entry.Organisation, o)
		}
		return e.Validator.SlipKey, organisation.CheckValidator(e.Validator)
	}
	return nil, fmt.Errorf("it introduces nobody; give an officer, a registrar or a validator")
}

// entryBytes returns Frame(LabelGenesisEntry, canonical bytes of the entry without its signature).
func entryBytes(entry *pb.GenesisEntry) []byte {
	unsigned := *entry
	unsigned.Signature = nil
	return transcript.Frame(transcript.LabelGenesisEntry, election.Encode(&unsigned))
}

// verify checks an Ed25519 signature by the rules of ZIP-215, as every signature of officers, registrars and validators.
func verify(key, message, signature []byte) bool {
	return len(key) == ed25519.PublicKeySize && len(signature) == ed25519.SignatureSize &&
		voi.VerifyWithOptions(key, message, signature, &voi.Options{Verify: voi.VerifyOptionsZIP_215})
}

// Assemble makes the document of a chain that starts at a time, unix seconds, from parameters, organisations (id, title and
// quorum) and signed entries. The order of organisations and entries does not matter. Every entry is verified; entries for
// another chain or an unknown organisation, and keys that stand twice, are refused. It fails with ErrInvalid. Spec 1.8.
func Assemble(chainID string, time int64, parameters *pb.Parameters, organisations []pb.Organisation, entries []*pb.GenesisEntry) (*pb.Genesis, error) {
	doc := &pb.Genesis{ChainId: chainID, Time: time, Parameters: *parameters}
	for _, o := range organisations {
		doc.Organisations = append(doc.Organisations, pb.GenesisOrganisation{
			Organisation: pb.Organisation{Id: o.Id, Title: o.Title, OfficerQuorum: o.OfficerQuorum},
		})
	}
	for _, entry := range entries {
		if err := addEntry(doc, entry); err != nil {
			return nil, err
		}
	}
	sortDocument(doc)
	if err := organisation.CheckGenesis(doc); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return doc, nil
}

func addEntry(doc *pb.Genesis, entry *pb.GenesisEntry) error {
	if err := VerifyEntry(entry); err != nil {
		return err
	}
	if entry.ChainId != doc.ChainId {
		return fmt.Errorf("%w: an entry is for chain %q, the document for %q; have it made for this chain", ErrInvalid, entry.ChainId, doc.ChainId)
	}
	i := slices.IndexFunc(doc.Organisations, func(g pb.GenesisOrganisation) bool { return g.Organisation.Id == entry.Organisation })
	if i < 0 {
		return fmt.Errorf("%w: an entry is of organisation %q, which is not among those of the document; add it or leave the entry out", ErrInvalid, entry.Organisation)
	}
	g := &doc.Organisations[i]
	switch e := entry.Entry.(type) {
	case *pb.GenesisEntry_Officer:
		g.Organisation.Officers = append(g.Organisation.Officers, *e.Officer)
	case *pb.GenesisEntry_Registrar:
		g.Organisation.Registrars = append(g.Organisation.Registrars, *e.Registrar)
	case *pb.GenesisEntry_Validator:
		g.Validators = append(g.Validators, *e.Validator)
	}
	return nil
}

// sortDocument brings every list into its one order.
func sortDocument(doc *pb.Genesis) {
	slices.SortStableFunc(doc.Organisations, func(a, b pb.GenesisOrganisation) int {
		return bytes.Compare([]byte(a.Organisation.Id), []byte(b.Organisation.Id))
	})
	byKey := func(a, b pb.Member) int { return bytes.Compare(a.Key, b.Key) }
	for _, g := range doc.Organisations {
		slices.SortFunc(g.Organisation.Officers, byKey)
		slices.SortFunc(g.Organisation.Registrars, byKey)
		slices.SortFunc(g.Validators, func(a, b pb.Validator) int { return bytes.Compare(a.Key, b.Key) })
	}
}
