package ballot

import (
	"errors"
	"strings"

	"votenode/crypto/transcript"
)

// ErrCode says that a text is not a confirmation code: mistyped, mixed case or of the wrong length.
var ErrCode = errors.New("ballot: not a confirmation code")

// codePrefix is the human-readable part, codeGroup the number of characters between hyphens.
const (
	codePrefix = "code"
	codeGroup  = 4
)

// ConfirmationCode is SHA-256 over label, chain, election, style, roll index, sequence and ciphertext (section 3.11).
func ConfirmationCode(chain, election string, style uint32, rollIndex, sequence uint64, ciphertext []byte) [32]byte {
	return transcript.Digest(transcript.LabelConfirmationCode, []byte(chain), []byte(election),
		transcript.Uint64(uint64(style)), transcript.Uint64(rollIndex), transcript.Uint64(sequence), ciphertext)
}

// FormatCode shows a code to people: Bech32m (BIP 350) with the prefix "code", a hyphen after "code1" and after every four
// characters that follow.
func FormatCode(code [32]byte) string { return formatCode(codePrefix, code[:]) }

// formatCode encodes bytes behind a prefix and groups the characters.
func formatCode(prefix string, data []byte) string {
	text := encodeBech32m(prefix, data)
	start := len(prefix) + 1
	var b strings.Builder
	b.WriteString(text[:start])
	for rest := text[start:]; rest != ""; {
		n := min(codeGroup, len(rest))
		b.WriteString("-" + rest[:n])
		rest = rest[n:]
	}
	return b.String()
}

// ParseCode reads what FormatCode wrote, as a person may have typed it: hyphens and spaces count for nothing, and all letters
// may be capitals. It fails with ErrCode.
func ParseCode(text string) ([32]byte, error) {
	prefix, data, ok := decodeBech32m(strings.NewReplacer("-", "", " ", "").Replace(text))
	if !ok || prefix != codePrefix || len(data) != 32 {
		return [32]byte{}, ErrCode
	}
	return [32]byte(data), nil
}
