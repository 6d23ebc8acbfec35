package wslayer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// A Status says why a WebSocket was closed (RFC 6455, section 7.4).
type Status uint16

// The statuses that this package sends or treats in a special way.
const (
	StatusNormal      Status = 1000
	StatusGoingAway   Status = 1001
	StatusProtocol    Status = 1002
	StatusNone        Status = 1005 // never sent: the close frame had no status
	StatusInvalidData Status = 1007
	StatusTooBig      Status = 1009
)

// A CloseError is how the other side ended the connection, when it was not clean.
type CloseError struct {
	Status Status
	Reason string // what the other side wrote, in its words
}

func (e *CloseError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("the other side closed the WebSocket with status %d", e.Status)
	}
	return fmt.Sprintf("the other side closed the WebSocket with status %d: %q", e.Status, e.Reason)
}

// A failure is a mistake of the other side, and what it is told about it.
type failure struct {
	status Status
	msg    string
}

func (f *failure) Error() string { return "WebSocket protocol: " + f.msg }

func protocolError(msg string) error { return &failure{StatusProtocol, msg} }

// ErrNotText is matched by the error for a text message that is not UTF-8. Nothing
// of it was sent: the other side would have to break the connection off.
var ErrNotText = errors.New("a text message must be UTF-8")

// errCut is an end of file without a close frame.
var errCut error = cutError{}

type cutError struct{}

func (cutError) Error() string {
	return "the connection was cut: the other side did not close the WebSocket"
}
func (cutError) Unwrap() error { return io.ErrUnexpectedEOF }

// parseClose reads the payload of a close frame (sections 5.5.1 and 7.4). The end
// is io.EOF if it is a clean one.
func parseClose(p []byte) (s Status, end error) {
	if len(p) == 0 {
		return StatusNone, io.EOF
	}
	if len(p) == 1 {
		return StatusProtocol, protocolError("a close frame has half a status")
	}
	s = Status(binary.BigEndian.Uint16(p))
	switch {
	case !s.sendable():
		return StatusProtocol, protocolError(fmt.Sprintf("a close frame has status %d", s))
	case !utf8.Valid(p[2:]):
		return StatusInvalidData, &failure{StatusInvalidData, "the reason in a close frame is not UTF-8"}
	case s == StatusNormal || s == StatusGoingAway:
		return s, io.EOF
	}
	return s, &CloseError{s, string(p[2:])}
}

// sendable tells whether a close frame may have the status (section 7.4.2 and the
// registry of section 11.7).
func (s Status) sendable() bool {
	switch {
	case s >= 1000 && s <= 1003, s >= 1007 && s <= 1014, s >= 3000 && s <= 4999:
		return true
	}
	return false
}

// closePayload is the payload of a close frame; the reason is cut to what fits.
func closePayload(s Status, reason string) []byte {
	if s == StatusNone {
		return nil
	}
	p := binary.BigEndian.AppendUint16(nil, uint16(s))
	for len(reason) > maxControl-2 || !utf8.ValidString(reason) {
		reason = reason[:len(reason)-1]
	}
	return append(p, reason...)
}
