package client

import (
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"votenode/crypto/ballot"
	pb "votenode/proto/votenode/v1"
)

// ParseRoll reads a list of members: CSV with the header key,district, where key is the voter's public key in hexadecimal digits
// and district one of the manifest's ballot styles. Every other column is refused, so that nobody brings a name or a number of a
// document along (R13). Errors name the line.
func ParseRoll(r io.Reader, m *pb.Manifest) ([]pb.RollEntry, error) {
	styles := make(map[string]uint32, len(m.Styles))
	for i := range m.Styles {
		styles[m.Styles[i].District] = uint32(i)
	}
	reader := csv.NewReader(r)
	reader.FieldsPerRecord = 2
	header, err := reader.Read()
	if err != nil {
		return nil, fmt.Errorf("roll: %w", err)
	}
	if header[0] != "key" || header[1] != "district" {
		return nil, fmt.Errorf("roll: the first line is %q; it must be key,district and nothing else", header)
	}
	lines := make(map[string]int)
	var entries []pb.RollEntry
	for {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return entries, nil
		}
		if err != nil {
			return nil, fmt.Errorf("roll: %w", err)
		}
		line, _ := reader.FieldPos(0)
		entry, err := parseEntry(row, styles)
		if err != nil {
			return nil, fmt.Errorf("roll, line %d: %w", line, err)
		}
		if earlier, twice := lines[string(entry.Key)]; twice {
			return nil, fmt.Errorf("roll, line %d: the key stands in line %d already", line, earlier)
		}
		lines[string(entry.Key)] = line
		entries = append(entries, entry)
	}
}

func parseEntry(row []string, styles map[string]uint32) (pb.RollEntry, error) {
	key, err := hex.DecodeString(row[0])
	if err != nil {
		return pb.RollEntry{}, fmt.Errorf("%q is not a key in hexadecimal digits", row[0])
	}
	if _, err := ballot.ParsePublicKey(key); err != nil {
		return pb.RollEntry{}, fmt.Errorf("%q is no voter's key: %w", row[0], err)
	}
	style, ok := styles[row[1]]
	if !ok {
		return pb.RollEntry{}, fmt.Errorf("the manifest has no district %q", row[1])
	}
	return pb.RollEntry{Key: key, Style: style}, nil
}
