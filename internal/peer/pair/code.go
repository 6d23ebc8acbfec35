package pair

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The parts of a code.
const (
	codeWords  = 3      // 33 bits
	MaxChannel = 999999 // the highest number of a channel
)

// ErrCode: the text is no code. The error says why.
var ErrCode = errors.New("not a pairing code")

// A Code is what one person says to the other: the number of the channel on which
// they meet, which is no secret, and three words, which are.
type Code struct {
	Channel int
	words   [codeWords]uint16
}

// NewCode makes a code for a channel with words that nobody knows.
func NewCode(channel int) Code {
	c := Code{Channel: channel}
	var b [2 * codeWords]byte
	rand.Read(b[:]) //nolint:errcheck // it does not fail
	for i := range c.words {
		c.words[i] = binary.BigEndian.Uint16(b[2*i:]) & (1<<wordBits - 1)
	}
	return c
}

// String returns the code as it is said and typed: "7-cactus-violin-walnut".
func (c Code) String() string { return strconv.Itoa(c.Channel) + "-" + string(c.password()) }

// password is what CPace gets: the words alone.
func (c Code) password() []byte {
	var w [codeWords]string
	for i := range w {
		w[i] = list()[c.words[i]]
	}
	return []byte(strings.Join(w[:], "-"))
}

// A Correction is a word that was typed with a slip, and what it was taken for.
type Correction struct{ Typed, Word string }

// ParseCode reads a code that somebody has typed, with hyphens or spaces, in capitals
// or not, with words cut off after four letters or more, and with a slip in a word if
// it is one away from a single word. What was corrected is to be shown: a code that
// is wrong is of no use after one try.
func ParseCode(text string) (Code, []Correction, error) {
	bad := func(format string, args ...any) (Code, []Correction, error) {
		return Code{}, nil, fmt.Errorf("%w: %s", ErrCode, fmt.Sprintf(format, args...))
	}
	parts := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return strings.ContainsRune(" -_.,\t\n\r", r) })
	if len(text) > 256 || !utf8.ValidString(text) || len(parts) != 1+codeWords {
		return bad("it is a number and %d words, as in 7-cactus-violin-walnut", codeWords)
	}
	channel, err := strconv.Atoi(parts[0])
	if err != nil || channel < 1 || channel > MaxChannel || strconv.Itoa(channel) != parts[0] {
		return bad("it begins with a number from 1 to %d, not with %q", MaxChannel, parts[0])
	}
	c := Code{Channel: channel}
	var corrections []Correction
	for i, typed := range parts[1:] {
		index, exact := lookUp(typed)
		switch {
		case index < 0:
			if near := nearest(typed); len(near) > 0 {
				return bad("there is no word %q; is it %s?", typed, strings.Join(near, ", or "))
			}
			return bad("there is no word %q", typed)
		case !exact:
			corrections = append(corrections, Correction{typed, list()[index]})
		}
		c.words[i] = uint16(index)
	}
	return c, corrections, nil
}
