package join

import (
	"errors"
	"fmt"

	"github.com/tenon-net/tenon/transport"
)

// Framing names a way to cut a Stream into messages. In an address and with -v it
// is none, lines, nul, len32 or people.
type Framing int

// The framings. In Lines and Nul a message cannot hold what separates messages:
// see [ErrSeparator]. Only Prefixed carries every message.
const (
	Chunks   Framing = iota // none: whatever a read returns; an empty message is no bytes at all
	Lines                   // lines: each ends in a newline, which is not part of the message
	Nul                     // nul: each ends in a zero byte, which is not part of the message
	Prefixed                // len32: four bytes of length, big-endian, before each
	People                  // people: lines are text messages; a message is written as it is, on a line of its own
)

// DefaultMaxMsg is the longest message, in bytes, that is cut from a Stream when
// nothing else is said.
const DefaultMaxMsg = 16 << 20

// ErrSeparator means that a message holds the byte that would end it, so that the
// other side would see more messages than were sent. It is refused and nothing of
// it is written. The one exception is a line that brings its newline along as its
// last byte: it is written with that newline and no other.
var ErrSeparator = errors.New("the message holds its own separator")

var framings = [...]string{Chunks: "none", Lines: "lines", Nul: "nul", Prefixed: "len32", People: "people"}

// String returns the framing's name.
func (f Framing) String() string {
	if f < 0 || int(f) >= len(framings) {
		return fmt.Sprintf("framing %d", int(f))
	}
	return framings[f]
}

// MarshalText returns the framing's name.
func (f Framing) MarshalText() ([]byte, error) {
	if f < 0 || int(f) >= len(framings) {
		return nil, fmt.Errorf("there is no framing %d", int(f))
	}
	return []byte(f.String()), nil
}

// UnmarshalText reads the framing's name.
func (f *Framing) UnmarshalText(text []byte) error {
	for i, name := range framings {
		if name == string(text) {
			*f = Framing(i)
			return nil
		}
	}
	return errors.New("must be one of none, lines, nul, len32, people")
}

// separator returns the byte that ends each message.
func (f Framing) separator() byte {
	if f == Nul {
		return 0
	}
	return '\n'
}

// separatorError is [ErrSeparator] with what to do about it.
func (f Framing) separatorError() error {
	what := map[Framing]string{Lines: "a newline", Nul: "a zero byte"}[f]
	return transport.WithHint(
		transport.Mark(fmt.Errorf("the message holds %s, which frame=%s cannot carry", what, f), ErrSeparator),
		"frame=len32 carries every message; frame=none drops the boundaries")
}

// tooLongError matches [transport.ErrMsgTooLong].
func (f Framing) tooLongError(limit int) error {
	what := map[Framing]string{Lines: "a line", People: "a line", Nul: "a record", Prefixed: "a record"}[f]
	return transport.Mark(fmt.Errorf("%s is longer than %d bytes", what, limit), transport.ErrMsgTooLong)
}
