package wslayer

import (
	"bufio"
	"encoding/binary"
	"math"
	"math/bits"
)

// An opcode says what a frame is (RFC 6455, section 5.2).
type opcode byte

const (
	opContinuation opcode = 0
	opText         opcode = 1
	opBinary       opcode = 2
	opClose        opcode = 8
	opPing         opcode = 9
	opPong         opcode = 10
)

func (o opcode) isControl() bool { return o&8 != 0 }

const (
	maxControl = 125 // payload of a control frame (section 5.5)
	maxHeader  = 14  // two bytes, eight of length, four of mask
)

// A header is that of a frame.
type header struct {
	fin, rsv1 bool
	op        opcode
	masked    bool
	key       [4]byte
	length    int64
}

// appendTo appends the header as it goes on the wire.
func (h header) appendTo(b []byte) []byte {
	first, second := byte(h.op), byte(0)
	if h.fin {
		first |= 0x80
	}
	if h.rsv1 {
		first |= 0x40
	}
	if h.masked {
		second = 0x80
	}
	switch {
	case h.length <= maxControl:
		b = append(b, first, second|byte(h.length))
	case h.length <= math.MaxUint16:
		b = append(b, first, second|126)
		b = binary.BigEndian.AppendUint16(b, uint16(h.length))
	default:
		b = append(b, first, second|127)
		b = binary.BigEndian.AppendUint64(b, uint64(h.length))
	}
	if h.masked {
		b = append(b, h.key[:]...)
	}
	return b
}

// peekHeader reads a header without taking it, and returns its size. It may be
// called again after a time-out: nothing is lost. Errors of the protocol are
// *[failure].
func peekHeader(br *bufio.Reader) (h header, size int, err error) {
	b, err := br.Peek(2)
	if err != nil {
		return h, 0, err
	}
	if b[0]&0x30 != 0 {
		return h, 0, protocolError("a reserved bit is set")
	}
	h = header{fin: b[0]&0x80 != 0, rsv1: b[0]&0x40 != 0, op: opcode(b[0] & 15), masked: b[1]&0x80 != 0, length: int64(b[1] & 127)}
	size = 2
	switch h.length {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if h.masked {
		size += 4
	}
	if b, err = br.Peek(size); err != nil {
		return h, 0, err
	}
	switch h.length {
	case 126:
		h.length = int64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		h.length = int64(binary.BigEndian.Uint64(b[2:]))
	}
	if h.masked {
		copy(h.key[:], b[size-4:])
	}
	return h, size, h.check()
}

// check refuses what no frame may be, whatever came before it.
func (h header) check() error {
	switch {
	case h.length < 0: // the most significant bit must be 0 (section 5.2)
		return protocolError("the length of a frame is out of range")
	case h.op > opBinary && h.op < opClose || h.op > opPong:
		return protocolError("a frame has a reserved opcode")
	case h.op.isControl() && !h.fin:
		return protocolError("a control frame is fragmented")
	case h.op.isControl() && h.length > maxControl:
		return protocolError("a control frame is too long")
	case h.op.isControl() && h.rsv1, h.op == opContinuation && h.rsv1: // RFC 7692, section 6.1
		return protocolError("a reserved bit is set")
	}
	return nil
}

// mask applies key, from its byte pos on, to p (section 5.3), and returns the
// position after it.
func mask(p []byte, key [4]byte, pos int) int {
	next := (pos + len(p)) & 3
	k32 := bits.RotateLeft32(binary.LittleEndian.Uint32(key[:]), -8*pos)
	k64 := uint64(k32)<<32 | uint64(k32)
	for len(p) >= 32 {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^k64)
		binary.LittleEndian.PutUint64(p[8:], binary.LittleEndian.Uint64(p[8:])^k64)
		binary.LittleEndian.PutUint64(p[16:], binary.LittleEndian.Uint64(p[16:])^k64)
		binary.LittleEndian.PutUint64(p[24:], binary.LittleEndian.Uint64(p[24:])^k64)
		p = p[32:]
	}
	for i := range p {
		p[i] ^= byte(k32 >> (8 * (i & 3)))
	}
	return next
}
