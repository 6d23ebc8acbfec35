package share

import (
	"encoding/hex"
	"errors"
	"fmt"
)

// An ID names a share before its root is known. It is no secret.
type ID [16]byte

func (id ID) String() string { return fmt.Sprintf("%x", id[:]) }

// MarshalText returns String.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText has written.
func (id *ID) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(id) {
		return errors.New("not the ID of a share")
	}
	*id = ID(b)
	return nil
}
