// Package agefile writes and reads files that a password opens, as the program age does
// (age-encryption.org/v1, with one scrypt stanza): age -d opens what is written here, and what age -p has written can
// be read here. It does not know keys, nor text armour.
package agefile

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
)

// Errors of Open and of what it returns. Test for them with [errors.Is].
var (
	ErrPassword = errors.New("that is not the password")
	ErrDamaged  = errors.New("the file is damaged, or not all of it is there")
)

// intro is what such files begin with.
const intro = "age-encryption.org/v1\n"

// PeekSize is how many bytes Is needs.
const PeekSize = len(intro)

// workFactor is the cost of trying a password, as a power of two: about a second and 256 MiB of memory, that of age.
// Whoever reads a file is not made to spend more.
const workFactor = 18

// Is tells whether a file that begins so is one that has to be opened.
func Is(beginning []byte) bool { return bytes.HasPrefix(beginning, []byte(intro)) }

// Seal returns a writer whose Close ends the file; w stays the caller's. A file that was not ended cannot be taken
// for a whole one.
func Seal(w io.Writer, password string) (io.WriteCloser, error) { return seal(w, password, workFactor) }

func seal(w io.Writer, password string, cost int) (io.WriteCloser, error) {
	r, err := age.NewScryptRecipient(password)
	if err != nil {
		return nil, err
	}
	r.SetWorkFactor(cost)
	return age.Encrypt(w, r)
}

// Open returns what is in a file. What has been read of it is as it was written, though the end may be
// missing: then there is an error that is not [io.EOF].
func Open(r io.Reader, password string) (io.Reader, error) {
	id, err := age.NewScryptIdentity(password)
	if err != nil {
		return nil, err
	}
	id.SetMaxWorkFactor(workFactor)
	plain, err := age.Decrypt(r, id)
	if none := (*age.NoIdentityMatchError)(nil); errors.As(err, &none) {
		return nil, ErrPassword
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return reader{plain}, nil
}

type reader struct{ io.Reader }

func (r reader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // as readers have it
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return n, err
}
