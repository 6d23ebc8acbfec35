package swarm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Frames of docs/protocol/direct.md: a type, a length of three bytes, and as many
// bytes.
type frameType byte

const (
	frameData   frameType = 0 // bytes of the stream
	frameEnd    frameType = 1 // the sender sends no more of the stream
	frameAbort  frameType = 2 // the stream has failed
	frameOpen   frameType = 3 // the name of a protocol: the next stream begins
	frameAnswer frameType = 4 // one byte that says whether it does
	frameAgain  frameType = 5 // the next stream begins, of the protocol that the last one was of
)

// The answers.
const (
	answerYes        = 0
	answerNoProtocol = 1
)

const (
	frameHead = 4
	maxFrame  = 256 << 10 // that we send; three bytes say up to 16 MiB, and no receiver holds a frame
	maxName   = 255       // of a protocol
	smallData = 4 << 10   // is copied behind its header, to be one record of TLS
	alpn      = "tenon/1" // of the handshake
)

// tlsHandshake is the first byte of a TLS connection (RFC 8446 section 5.1).
const tlsHandshake = 22

// errFrame is a peer that does not keep to the protocol.
var errFrame = errors.New("the peer sends what it should not")

func putHead(b []byte, t frameType, length int) {
	binary.BigEndian.PutUint32(b, uint32(t)<<24|uint32(length))
}

func head(t frameType, length int) []byte {
	b := make([]byte, frameHead)
	putHead(b, t, length)
	return b
}

func parseHead(b []byte) (frameType, int) {
	return frameType(b[0]), int(binary.BigEndian.Uint32(b) & 0xffffff)
}

// frame returns a whole frame.
func frame(t frameType, contents string) []byte {
	return append(head(t, len(contents)), contents...)
}

// readFrame reads a whole frame of this type, whose length is between the two.
func readFrame(r io.Reader, want frameType, least, most int) ([]byte, error) {
	var h [frameHead]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return nil, err
	}
	t, length := parseHead(h[:])
	if t != want || length < least || length > most {
		return nil, fmt.Errorf("%w: a frame %d of %d bytes in place of a frame %d", errFrame, t, length, want)
	}
	b := make([]byte, length)
	_, err := io.ReadFull(r, b)
	return b, err
}
