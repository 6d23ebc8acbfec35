// Package frame has the frames that the protocols of rooms are made of: a kind (1 byte), the length of the
// content (3 bytes, big-endian) and the content, in which byte strings stand as rows, each behind its length.
// It does not know what any of them means. Whoever speaks such a protocol over a stream uses it.
package frame

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// HeadSize is how many bytes stand before the content of a frame.
const HeadSize = 4

// ErrForm: the other side has sent what nobody sends who follows the protocol.
var ErrForm = errors.New("that is not the protocol of rooms")

// Begin begins a frame at the end of b, which must be empty; Close ends it.
func Begin(b []byte, kind byte) []byte { return append(b, kind, 0, 0, 0) }

// Close fills in how long the frame is that Begin has begun.
func Close(b []byte) []byte {
	n := len(b) - HeadSize
	b[1], b[2], b[3] = byte(n>>16), byte(n>>8), byte(n)
	return b
}

// Read reads a frame into memory of its own. Most tells how long the content of a kind may be; more is an
// error that matches [ErrForm].
func Read(r *bufio.Reader, most func(kind byte) int) (kind byte, content []byte, err error) {
	h, err := r.Peek(HeadSize)
	if err != nil {
		if len(h) > 0 && errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	kind = h[0]
	n := int(h[1])<<16 | int(h[2])<<8 | int(h[3])
	if n > most(kind) {
		return 0, nil, fmt.Errorf("%w: a frame of %d bytes", ErrForm, n)
	}
	r.Discard(HeadSize) //nolint:errcheck // they are there
	// It grows as the bytes come: a length alone takes no memory.
	content = make([]byte, 0, min(n, 8<<10))
	for len(content) < n {
		if len(content) == cap(content) {
			content = append(make([]byte, 0, min(n, 4*cap(content))), content...)
		}
		m, err := r.Read(content[len(content):cap(content)])
		content = content[:len(content)+m]
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return 0, nil, err
		}
	}
	return kind, content, nil
}

// Number takes a number off p: an unsigned LEB128 in its shortest form.
func Number(p []byte) (v uint64, rest []byte, ok bool) {
	v, n := binary.Uvarint(p)
	if n <= 0 || n > 1 && p[n-1] == 0 {
		return 0, nil, false
	}
	return v, p[n:], true
}

// Rows takes rows apart, of which there is at least one, each of at most so many bytes. They are parts of p.
func Rows(p []byte, most int) (rows [][]byte, err error) {
	for len(p) > 0 {
		n, rest, ok := Number(p)
		if !ok || n == 0 || n > uint64(most) || n > uint64(len(rest)) {
			return nil, ErrForm
		}
		rows, p = append(rows, rest[:n:n]), rest[n:]
	}
	if len(rows) == 0 {
		return nil, ErrForm
	}
	return rows, nil
}

// AppendRow appends a row to b.
func AppendRow(b, row []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(row))), row...)
}
