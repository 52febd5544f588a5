package genesis

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"votenode/app/organisation"
	pb "votenode/proto/votenode/v1"
)

// The JSON forms are for people: names as in the messages, keys as lower-case hex, times as RFC 3339 in UTC. Nothing is
// ever signed or hashed over them. Unknown names are refused. Spec 1.11.

// hexBytes are bytes written as lower-case hex.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func (h *hexBytes) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || hex.EncodeToString(b) != string(text) {
		return fmt.Errorf("%q is not lower-case hex", text)
	}
	*h = b
	return nil
}

type documentJSON struct {
	ChainID       string             `json:"chain_id"`
	Time          time.Time          `json:"time"`
	Organisations []organisationJSON `json:"organisations"`
	Parameters    pb.Parameters      `json:"parameters"`
}

type organisationJSON struct {
	ID            string          `json:"id"`
	Title         string          `json:"title"`
	OfficerQuorum uint32          `json:"officer_quorum"`
	Officers      []memberJSON    `json:"officers"`
	Registrars    []memberJSON    `json:"registrars"`
	Validators    []validatorJSON `json:"validators"`
}

type memberJSON struct {
	Name string   `json:"name"`
	Key  hexBytes `json:"key"`
}

type validatorJSON struct {
	Name    string   `json:"name"`
	Key     hexBytes `json:"key"`
	Power   int64    `json:"power"`
	SlipKey hexBytes `json:"slip_key"`
	NodeID  hexBytes `json:"node_id"`
	Address string   `json:"address"`
}

type entryJSON struct {
	ChainID      string         `json:"chain_id"`
	Organisation string         `json:"organisation"`
	Officer      *memberJSON    `json:"officer,omitempty"`
	Registrar    *memberJSON    `json:"registrar,omitempty"`
	Validator    *validatorJSON `json:"validator,omitempty"`
	Signature    hexBytes       `json:"signature"`
}

// ToJSON returns a document as JSON for people.
func ToJSON(doc *pb.Genesis) ([]byte, error) {
	j := documentJSON{ChainID: doc.ChainId, Time: time.Unix(doc.Time, 0).UTC(), Parameters: doc.Parameters}
	for _, g := range doc.Organisations {
		o := organisationJSON{
			ID: g.Organisation.Id, Title: g.Organisation.Title, OfficerQuorum: g.Organisation.OfficerQuorum,
			Officers: toMembers(g.Organisation.Officers), Registrars: toMembers(g.Organisation.Registrars),
		}
		for _, v := range g.Validators {
			o.Validators = append(o.Validators, *toValidator(&v))
		}
		j.Organisations = append(j.Organisations, o)
	}
	return marshal(j)
}

// FromJSON reads what ToJSON wrote and checks every rule of spec 1.7. It fails with ErrInvalid.
func FromJSON(b []byte) (*pb.Genesis, error) {
	var j documentJSON
	if err := unmarshal(b, &j); err != nil {
		return nil, err
	}
	doc := &pb.Genesis{ChainId: j.ChainID, Time: j.Time.Unix(), Parameters: j.Parameters}
	for _, o := range j.Organisations {
		g := pb.GenesisOrganisation{Organisation: pb.Organisation{
			Id: o.ID, Title: o.Title, OfficerQuorum: o.OfficerQuorum,
			Officers: fromMembers(o.Officers), Registrars: fromMembers(o.Registrars),
		}}
		for _, v := range o.Validators {
			g.Validators = append(g.Validators, *fromValidator(o.ID, &v))
		}
		doc.Organisations = append(doc.Organisations, g)
	}
	if err := organisation.CheckGenesis(doc); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return doc, nil
}

// EntryToJSON returns an entry as JSON for people: a file that one person sends to another.
func EntryToJSON(entry *pb.GenesisEntry) ([]byte, error) {
	j := entryJSON{ChainID: entry.ChainId, Organisation: entry.Organisation, Signature: entry.Signature}
	switch e := entry.Entry.(type) {
	case *pb.GenesisEntry_Officer:
		j.Officer = toMember(e.Officer)
	case *pb.GenesisEntry_Registrar:
		j.Registrar = toMember(e.Registrar)
	case *pb.GenesisEntry_Validator:
		j.Validator = toValidator(e.Validator)
	}
	return marshal(j)
}

// EntryFromJSON reads what EntryToJSON wrote and verifies the entry. It fails with ErrInvalid.
func EntryFromJSON(b []byte) (*pb.GenesisEntry, error) {
	var j entryJSON
	if err := unmarshal(b, &j); err != nil {
		return nil, err
	}
	entry := &pb.GenesisEntry{ChainId: j.ChainID, Organisation: j.Organisation, Signature: j.Signature}
	switch {
	case j.Officer != nil && j.Registrar == nil && j.Validator == nil:
		entry.Entry = &pb.GenesisEntry_Officer{Officer: fromMember(j.Officer)}
	case j.Officer == nil && j.Registrar != nil && j.Validator == nil:
		entry.Entry = &pb.GenesisEntry_Registrar{Registrar: fromMember(j.Registrar)}
	case j.Officer == nil && j.Registrar == nil && j.Validator != nil:
		entry.Entry = &pb.GenesisEntry_Validator{Validator: fromValidator(j.Organisation, j.Validator)}
	}
	return entry, VerifyEntry(entry)
}

// ParametersToJSON returns parameters as JSON for people to edit.
func ParametersToJSON(p *pb.Parameters) ([]byte, error) { return marshal(p) }

// ParametersFromJSON reads parameters and checks them for so many organisations. It fails with ErrInvalid.
func ParametersFromJSON(b []byte, organisations int) (*pb.Parameters, error) {
	p := new(pb.Parameters)
	if err := unmarshal(b, p); err != nil {
		return nil, err
	}
	if err := organisation.CheckParameters(p, organisations); err != nil {
		return nil, fmt.Errorf("%w: parameters: %w", ErrInvalid, err)
	}
	return p, nil
}

func marshal(v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	return append(b, '\n'), err
}

// unmarshal reads one JSON value without unknown names and without anything behind it.
func unmarshal(b []byte, v any) error {
	if len(b) > 4*MaxDocumentBytes {
		return fmt.Errorf("%w: %d bytes of JSON are too many", ErrInvalid, len(b))
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%w: JSON: %w", ErrInvalid, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("%w: JSON: something stands behind the value", ErrInvalid)
	}
	return nil
}

func toMember(m *pb.Member) *memberJSON { return &memberJSON{m.Name, m.Key} }

func fromMember(m *memberJSON) *pb.Member { return &pb.Member{Name: m.Name, Key: m.Key} }

func toMembers(list []pb.Member) []memberJSON {
	out := make([]memberJSON, len(list))
	for i, m := range list {
		out[i] = *toMember(&m)
	}
	return out
}

func fromMembers(list []memberJSON) []pb.Member {
	out := make([]pb.Member, len(list))
	for i := range list {
		out[i] = *fromMember(&list[i])
	}
	return out
}

func toValidator(v *pb.Validator) *validatorJSON {
	return &validatorJSON{v.Name, v.Key, v.Power, v.SlipKey, v.NodeId, v.Address}
}

func fromValidator(organisation string, v *validatorJSON) *pb.Validator {
	return &pb.Validator{
		Organisation: organisation, Name: v.Name, Key: v.Key, Power: v.Power,
		SlipKey: v.SlipKey, NodeId: v.NodeID, Address: v.Address,
	}
}
