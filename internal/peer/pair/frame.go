package pair

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A frame is a type, the length of what follows in two bytes, big-endian, and that:
// docs/protocol/pairing.md.
type frameType byte

const (
	frameHello frameType = iota + 1
	frameShare
	frameTag
	frameSealed
	frameRefuse
	frameGiven
)

// maxFrame is the length in bytes of the longest content, but for what is given.
const maxFrame = 1024

func (t frameType) most() int {
	if t == frameGiven {
		return MaxGiven + tagSize
	}
	return maxFrame
}

// A reason is what a side says when it refuses.
type reason byte

const (
	reasonProtocol reason = iota + 1
	reasonWrong           // the code is wrong
	reasonSpent           // the code has been used, or a wrong one has been tried
	reasonExpired
	reasonBusy
	reasonOneself
	reasonIdentity // who is there is not who the link says
	reasonPairs    // the code is for something else, namely
	reasonSends
	reasonReceives
	reasonLinks
)

var reasonErrors = map[reason]error{
	reasonProtocol: ErrProtocol,
	reasonWrong:    ErrWrongCode,
	reasonSpent:    ErrSpent,
	reasonExpired:  ErrExpired,
	reasonBusy:     ErrBusy,
	reasonOneself:  ErrOneself,
	reasonIdentity: ErrIdentity,
	reasonPairs:    ErrPairs,
	reasonSends:    ErrSends,
	reasonReceives: ErrReceives,
	reasonLinks:    ErrLinks,
}

// reasonFor returns what the other side is told about err, and 0 if that is nothing:
// a connection that is lost cannot be told so.
func reasonFor(err error) reason {
	if errors.Is(err, ErrGuessed) {
		return reasonWrong
	}
	for r, e := range reasonErrors {
		if errors.Is(err, e) {
			return r
		}
	}
	return 0
}

// A refusedError is what the other side has said.
type refusedError struct{ err error }

func (e *refusedError) Error() string { return "the other side says: " + e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }

// writeFrame sends a frame with one Write.
func writeFrame(w io.Writer, typ frameType, content []byte) error {
	b := append([]byte{byte(typ)}, binary.BigEndian.AppendUint16(nil, uint16(len(content)))...)
	_, err := w.Write(append(b, content...))
	return err
}

// readFrame reads the frame that must come now. What the other side refuses is an
// error.
func readFrame(r io.Reader, want frameType, size int) ([]byte, error) {
	var head [3]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, lost(err)
	}
	typ, n := frameType(head[0]), int(binary.BigEndian.Uint16(head[1:]))
	switch {
	case typ == frameRefuse && n == 1:
		size = 1
	case typ != want || n > want.most() || size >= 0 && n != size:
		return nil, fmt.Errorf("%w: a frame of type %d with %d bytes came", ErrProtocol, typ, n)
	}
	content := make([]byte, n)
	if _, err := io.ReadFull(r, content); err != nil {
		return nil, lost(err)
	}
	if typ != frameRefuse {
		return content, nil
	}
	if err, ok := reasonErrors[reason(content[0])]; ok {
		return nil, &refusedError{err}
	}
	return nil, &refusedError{fmt.Errorf("%w: refused for reason %d", ErrProtocol, content[0])}
}

// lost says that the connection has ended too early.
func lost(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
