package link

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/tenon-net/tenon/internal/closestatus"
)

// ErrProtocol: the other side does not keep to docs/protocol/link.md.
var ErrProtocol = errors.New("the other side does not keep to the protocol of links")

// A kind says what a frame is: docs/protocol/link.md.
type kind byte

// Frames of the handshake, and those of a session.
const (
	frameOpen kind = iota + 1
	frameOpened
	frameResume
	frameResumed
	frameRefused
)

const (
	frameData kind = iota + 16
	frameAck
	frameFin
	frameStop
	frameAbort
	frameAborted
	framePing
	framePong
	frameStatus
)

const (
	headSize = 12
	idSize   = 16
	keySize  = 32
	macSize  = 32

	maxData = 128 << 10

	maxProto   = 255
	openSize   = idSize + keySize + 8 // and the name of the protocol
	resumeSize = idSize + 16 + macSize
	repliedLen = 16 + macSize

	maxNumber = 1<<62 - 1 // of positions and epochs
)

// A head is what every frame begins with.
type head struct {
	kind   kind
	size   int    // of the content that follows
	number uint64 // a position, an epoch, a reason: see the kind
}

// sizes are the lengths that the content of a kind may have.
func (k kind) sizes() (low, high int) {
	switch k {
	case frameOpen:
		return openSize + 1, openSize + maxProto
	case frameOpened, frameAck:
		return 8, 8
	case frameResume:
		return resumeSize, resumeSize
	case frameResumed:
		return repliedLen, repliedLen
	case frameData:
		return 1, maxData
	case framePong:
		return 16, 16
	case frameFin, frameAbort:
		return 0, closestatus.Max
	case frameStatus:
		return 1, closestatus.Max
	case frameRefused, frameStop, frameAborted, framePing:
		return 0, 0
	}
	return 0, -1
}

func (h head) append(b []byte) []byte {
	b = append(b, byte(h.kind), byte(h.size>>16), byte(h.size>>8), byte(h.size))
	return binary.BigEndian.AppendUint64(b, h.number)
}

// parseHead refuses what cannot be, so that nobody reads or holds more than a frame
// may have.
func parseHead(b []byte) (head, error) {
	h := head{kind(b[0]), int(b[1])<<16 | int(b[2])<<8 | int(b[3]), binary.BigEndian.Uint64(b[4:])}
	if low, high := h.kind.sizes(); h.size < low || h.size > high || h.number > maxNumber {
		return h, fmt.Errorf("%w: a frame of kind %d with %d bytes and number %d came", ErrProtocol, h.kind, h.size, h.number)
	}
	return h, nil
}

// readFrame reads a frame of the handshake, and not a byte more.
func readFrame(r io.Reader, want ...kind) (head, []byte, error) {
	var b [headSize]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return head{}, nil, err
	}
	h, err := parseHead(b[:])
	if err != nil {
		return h, nil, err
	}
	for _, k := range want {
		if h.kind == k {
			content := make([]byte, h.size)
			_, err := io.ReadFull(r, content)
			return h, content, err
		}
	}
	return h, nil, fmt.Errorf("%w: a frame of kind %d came", ErrProtocol, h.kind)
}
