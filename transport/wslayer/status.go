package wslayer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/tenon-net/tenon/transport"
)

// A Status says why a WebSocket was closed (RFC 6455, section 7.4).
type Status uint16

// The statuses that this package sends or treats in a special way.
const (
	StatusNormal      Status = 1000
	StatusGoingAway   Status = 1001
	StatusProtocol    Status = 1002
	StatusNone        Status = 1005 // never sent: the close frame has no status
	StatusInvalidData Status = 1007
	StatusTooBig      Status = 1009
	StatusInternal    Status = 1011
	StatusTryAgain    Status = 1013
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

// What WriteMsg says after a close frame. Both match [io.ErrClosedPipe].
var (
	errCloseSent  error = closedError("the WebSocket is closed for writing")
	errPeerClosed error = closedError("the other side has closed the WebSocket")
)

type closedError string

func (e closedError) Error() string { return string(e) }
func (closedError) Unwrap() error   { return io.ErrClosedPipe }

// errCut is an end of file without a close frame.
var errCut error = cutError{}

type cutError struct{}

func (cutError) Error() string {
	return "the connection was cut: the other side did not close the WebSocket"
}
func (cutError) Unwrap() error { return io.ErrUnexpectedEOF }

// parseClose reads the payload of a close frame (sections 5.5.1 and 7.4). The error
// is a *[failure].
func parseClose(p []byte) (s Status, reason string, err error) {
	switch len(p) {
	case 0:
		return StatusNone, "", nil
	case 1:
		return 0, "", protocolError("a close frame has half a status")
	}
	s = Status(binary.BigEndian.Uint16(p))
	switch {
	case !s.sendable():
		return 0, "", protocolError(fmt.Sprintf("a close frame has status %d", s))
	case !utf8.Valid(p[2:]):
		return 0, "", &failure{StatusInvalidData, "the reason in a close frame is not UTF-8"}
	}
	return s, string(p[2:]), nil
}

// clean tells whether a close frame with the status is an end of file.
func (s Status) clean() bool { return s == StatusNormal || s == StatusGoingAway || s == StatusNone }

// sendable tells whether a close frame may have the status (section 7.4.2 and the
// registry of section 11.7).
func (s Status) sendable() bool {
	switch {
	case s >= 1000 && s <= 1003, s >= 1007 && s <= 1014, s >= 3000 && s <= 4999:
		return true
	}
	return false
}

// legal returns the status that a close frame may have in place of s, and its
// reason as it may be sent: UTF-8 of at most 123 bytes, cut between characters
// (section 5.5). 1005 stands for a close frame without status, 0 for the usual one;
// what only tells of a failure (1006, 1015) or means nothing becomes 1011.
func legal(s transport.CloseStatus) (Status, string) {
	code := Status(s.Code)
	switch {
	case s.Code == 0:
		code = StatusNormal
	case s.Code == uint64(StatusNone):
		return StatusNone, ""
	case s.Code > math.MaxUint16 || !code.sendable():
		code = StatusInternal
	}
	reason := strings.ToValidUTF8(s.Reason, "\uFFFD")
	if end := maxControl - 2; len(reason) > end {
		for !utf8.RuneStart(reason[end]) {
			end--
		}
		reason = reason[:end]
	}
	return code, reason
}

// closePayload is the payload of a close frame with what [legal] returned.
func closePayload(s Status, reason string) []byte {
	if s == StatusNone {
		return nil
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(s)), reason...)
}
