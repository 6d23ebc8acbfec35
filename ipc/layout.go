//go:build linux

package ipc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/tenon-net/tenon/transport"
)

// Sizes in bytes; docs/protocol/shm.md, "Meeting" and "The file".
const (
	version      = 1
	greetingSize = 32
	headSize     = 4096 // of the file, before the rings
	controlAt    = 1024 // of ring 0; that of ring 1 follows
	controlSize  = 1024
	recordHead   = 8

	MinSize     = 4096    // the smallest ring
	MaxSize     = 1 << 30 // the largest ring
	DefaultSize = 4 << 20 // of each of the two rings of a connection
)

// magic begins every greeting.
const magic = "TENONSHM"

// A mode is what rings carry.
type mode uint32

const (
	bytesMode    mode = 0
	messagesMode mode = 1
)

// String is for people.
func (m mode) String() string {
	if m == messagesMode {
		return "messages"
	}
	return "bytes"
}

func modeOf(messages bool) mode {
	if messages {
		return messagesMode
	}
	return bytesMode
}

// The values of control.end and control.gone.
const (
	open    = 0
	ended   = 1 // end: nothing comes after tail. gone: the consumer takes no more
	aborted = 2 // end only
)

// ErrProtocol is why a connection ended whose other side broke the rules of
// docs/protocol/shm.md. Only that connection is lost.
var ErrProtocol = errors.New("the other side breaks the protocol of shared memory")

func violation(format string, args ...any) error {
	return transport.Mark(fmt.Errorf("the other side breaks the protocol of shared memory: "+format, args...), ErrProtocol)
}

// A control is what the two sides of a ring tell each other. Each field is in a
// pair of cache lines of its own, but for those that are written together.
type control struct {
	tail          word64 // bytes put in since the beginning; by the producer
	end           word32 // by the producer
	_             [116]byte
	head          word64 // bytes taken out since the beginning; by the consumer
	gone          word32 // by the consumer
	_             [116]byte
	consumerWaits word32 // 1 while the consumer is parked, or about to be
	_             [124]byte
	producerWaits word32 // 1 while the producer is parked, or about to be
	_             [controlSize - 388]byte
}

// A greeting is what the listener says with the descriptor of the memory.
type greeting struct {
	mode mode
	size uint64 // of a ring
}

func (g greeting) fileSize() uint64 { return headSize + 2*g.size }

// encode returns the greeting's bytes, in the byte order of the machine.
func (g greeting) encode() (b [greetingSize]byte) {
	copy(b[:], magic)
	binary.NativeEndian.PutUint32(b[8:], version)
	binary.NativeEndian.PutUint32(b[12:], uint32(g.mode))
	binary.NativeEndian.PutUint64(b[16:], g.size)
	binary.NativeEndian.PutUint64(b[24:], g.fileSize())
	return b
}

// errStranger is for a socket at which something else listens.
var errStranger = transport.WithHint(errors.New("who listens there does not speak the protocol of shared memory"),
	"a socket of another sort is reached with unix:PATH; the other side of shm: is shm-listen:")

// decodeGreeting reads and checks a greeting.
func decodeGreeting(b [greetingSize]byte) (g greeting, err error) {
	if string(b[:8]) != magic {
		return g, errStranger
	}
	if v := binary.NativeEndian.Uint32(b[8:]); v != version {
		return g, transport.WithHint(fmt.Errorf("who listens there speaks version %d of the protocol of shared memory, not %d", v, version),
			"use the same version of Tenon on both sides")
	}
	g = greeting{mode(binary.NativeEndian.Uint32(b[12:])), binary.NativeEndian.Uint64(b[16:])}
	switch {
	case g.mode > messagesMode:
		return g, violation("mode %d", uint32(g.mode))
	case g.size < MinSize || g.size > MaxSize || bits.OnesCount64(g.size) != 1:
		return g, violation("a ring of %d bytes", g.size)
	case binary.NativeEndian.Uint64(b[24:]) != g.fileSize():
		return g, violation("a file of %d bytes", binary.NativeEndian.Uint64(b[24:]))
	}
	return g, nil
}

// maxMsg is the length of the longest message in a ring of that size.
func maxMsg(size uint64) int { return int(size/4) - recordHead }
