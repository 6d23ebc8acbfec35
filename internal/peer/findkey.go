package peer

import (
	"crypto/hmac"
	"crypto/sha256"
)

// A FindKey is what two derive who know the same, such as the ticket of a share, and find each other by. It is a secret of
// those, and never sent: what is sent is derived from it, each time for another purpose, so that nobody else learns what is
// looked for.
type FindKey [32]byte

// Derive returns HMAC-SHA256, keyed with k, of the purpose, a zero byte, and the parts, back to back. The parts of one purpose
// have fixed lengths.
func (k FindKey) Derive(purpose string, parts ...[]byte) (sum [32]byte) {
	h := hmac.New(sha256.New, k[:])
	h.Write(append([]byte(purpose), 0)) //nolint:errcheck // hashes do not fail
	for _, p := range parts {
		h.Write(p) //nolint:errcheck // hashes do not fail
	}
	return [32]byte(h.Sum(nil))
}
