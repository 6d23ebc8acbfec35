//go:build linux

package bus

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The frames of docs/protocol/bus.md: four bytes of length, big-endian, one byte that
// says which sort it is, and the body, which the length counts.

// version is that of the protocol.
const version = 1

// magic begins what a hub says.
const magic = "TENONBUS"

// A sort is what a frame is. Odd ones go from a hub to a member, even ones from a
// member to a hub; frameHistory is a message the other way round.
type sort byte

const (
	framePlace   sort = 1
	frameHello   sort = 2
	frameWelcome sort = 3
	frameHistory sort = 4
	frameMessage sort = 5
	framePublish sort = 6
	frameAck     sort = 7
	frameEnd     sort = 8
	frameSkip    sort = 9
	frameEnded   sort = 11
	frameRefuse  sort = 13
)

// Lengths in bytes.
const (
	headLen    = 5
	messageLen = 33  // of a message without its data
	publishLen = 9   // of what is published without its data
	maxControl = 512 // of a body without data
)

// maxBody is the length of the longest body of the sort.
func (s sort) maxBody() int {
	switch s {
	case frameMessage, frameHistory:
		return messageLen + MaxMsg
	case framePublish:
		return publishLen + MaxMsg
	}
	return maxControl
}

// errFrame means that the other side does not keep to the protocol.
var errFrame = errors.New("what came is not of the protocol of a bus")

// readFrame reads a frame. The body is the caller's. At the end, between two frames,
// the error is [io.EOF].
func readFrame(r *bufio.Reader) (sort, []byte, error) {
	head, err := r.Peek(headLen)
	if err != nil {
		if err == io.EOF && len(head) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	n, s := binary.BigEndian.Uint32(head), sort(head[4])
	if uint64(n) > uint64(s.maxBody()) {
		return 0, nil, fmt.Errorf("%w: a frame of sort %d with %d bytes", errFrame, s, n)
	}
	if _, err := r.Discard(headLen); err != nil {
		return 0, nil, err
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return s, body, nil
}

// expect reads a frame that must be of that sort; what a hub refuses is the error.
func expect(r *bufio.Reader, want sort) ([]byte, error) {
	s, body, err := readFrame(r)
	switch {
	case err != nil:
		return nil, err
	case s == want:
		return body, nil
	case s == frameRefuse && want == frameWelcome && len(body) == 1:
		return nil, refusal(body[0])
	}
	return nil, fmt.Errorf("%w: a frame of sort %d instead of %d", errFrame, s, want)
}

// A refusal is why a hub does not take a member.
type refusal byte

const (
	refuseSlow refusal = 1 + iota // it was removed for being too slow
	refuseFull                    // there are too many
	refuseBusy                    // it is there already
)

func (r refusal) Error() string {
	switch r {
	case refuseSlow:
		return ErrSlow.Error()
	case refuseFull:
		return "the bus has as many members as it may have"
	case refuseBusy:
		return "the bus has this member already"
	}
	return fmt.Sprintf("refused for reason %d", byte(r))
}

// Is makes the refusal of a slow member match [ErrSlow].
func (r refusal) Is(target error) bool { return r == refuseSlow && target == ErrSlow }

// open begins a frame whose body has n bytes.
func open(dst []byte, s sort, n int) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(n)), byte(s))
}

// numbers appends a frame whose body is numbers of eight bytes.
func numbers(dst []byte, s sort, ns ...uint64) []byte {
	dst = open(dst, s, 8*len(ns))
	for _, n := range ns {
		dst = binary.BigEndian.AppendUint64(dst, n)
	}
	return dst
}

// A decoder takes a body apart. What is missing reads as zero, and shows in done.
type decoder struct {
	p     []byte
	short bool
}

func (d *decoder) bytes(n int) []byte {
	if len(d.p) < n {
		d.short, d.p = true, nil
		return make([]byte, n)
	}
	p := d.p[:n]
	d.p = d.p[n:]
	return p
}

func (d *decoder) u8() byte    { return d.bytes(1)[0] }
func (d *decoder) u32() uint32 { return binary.BigEndian.Uint32(d.bytes(4)) }
func (d *decoder) u64() uint64 { return binary.BigEndian.Uint64(d.bytes(8)) }

// done returns an error unless all was there and nothing is left.
func (d *decoder) done() error {
	if d.short || len(d.p) > 0 {
		return fmt.Errorf("%w: a body of the wrong length", errFrame)
	}
	return nil
}
