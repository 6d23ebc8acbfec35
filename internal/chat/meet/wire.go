package meet

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/tenon-net/tenon/internal/chat/rbsr"
)

// Proto is the protocol; docs/protocol/rooms-sync.md, chapter "Wire", has it.
const Proto = "/tenon/room/1"

// The frames. A frame is its kind, the length of its content in three bytes, big-endian, and the
// content. Numbers in it are unsigned varints in their shortest form.
const (
	frameHello  = 1 + iota // version, tag
	frameGone              // no room has that tag; the last frame
	frameMarks             // how far devices have got
	frameSync              // of whose exchange, a message of it
	frameWant              // events are asked for
	frameEvents            // some of them
	frameEnd               // of what was asked for
	framePush              // events that are new
	frameNote              // what is never kept
)

const (
	version  = 1
	headSize = 4

	// MaxEvent is how many bytes an event has at most.
	MaxEvent = 68 << 10

	// MaxRow is how many bytes a mark has at most, as it is sent.
	MaxRow = 1 << 10

	// MaxNote is how many bytes a note has at most.
	MaxNote = 1 << 10

	fill      = 64 << 10 // bytes of events in a frame, unless one has more
	maxFrame  = MaxEvent + 32
	maxSync   = rbsr.MaxMessage + 1
	maxAsked  = 512 // events, by a WANT
	maxWants  = 8   // that are not answered yet
	wantedIDs = 32
)

// errWire: the other side has sent what nobody sends who follows the protocol.
var errWire = errors.New("that is not the protocol of rooms")

// appendFrame begins a frame; closeFrame ends it.
func appendFrame(b []byte, kind byte) []byte { return append(b, kind, 0, 0, 0) }

func closeFrame(b []byte) []byte {
	n := len(b) - headSize
	b[1], b[2], b[3] = byte(n>>16), byte(n>>8), byte(n)
	return b
}

// readFrame reads a frame into memory of its own.
func readFrame(r *bufio.Reader) (kind byte, content []byte, err error) {
	h, err := r.Peek(headSize)
	if err != nil {
		if len(h) > 0 && errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	kind = h[0]
	n, most := int(h[1])<<16|int(h[2])<<8|int(h[3]), maxFrame
	if kind == frameSync {
		most = maxSync
	}
	if n > most {
		return 0, nil, fmt.Errorf("%w: a frame of %d bytes", errWire, n)
	}
	r.Discard(headSize) //nolint:errcheck // they are there
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

// number takes a number off p.
func number(p []byte) (v uint64, rest []byte, ok bool) {
	v, n := binary.Uvarint(p)
	if n <= 0 || n > 1 && p[n-1] == 0 {
		return 0, nil, false
	}
	return v, p[n:], true
}

// parseRows takes byte strings apart, each behind its length.
func parseRows(p []byte, most int) (rows [][]byte, err error) {
	for len(p) > 0 {
		n, rest, ok := number(p)
		if !ok || n == 0 || n > uint64(most) || n > uint64(len(rest)) {
			return nil, errWire
		}
		rows, p = append(rows, rest[:n:n]), rest[n:]
	}
	if len(rows) == 0 {
		return nil, errWire
	}
	return rows, nil
}

func appendRow(b, row []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(row))), row...)
}

// A want is a question for events, of us or of the other side.
type want struct {
	number  uint64
	ids     [][32]byte
	left    map[[32]byte]bool // of ours: what has not come
	parents bool              // they were asked for because of their children
}

func (w want) append(b []byte) []byte {
	b = binary.AppendUvarint(b, w.number)
	for i := range w.ids {
		b = append(b, w.ids[i][:]...)
	}
	return b
}

func parseWant(p []byte) (w want, err error) {
	var ok bool
	if w.number, p, ok = number(p); !ok || len(p) == 0 || len(p)%wantedIDs != 0 || len(p)/wantedIDs > maxAsked {
		return w, errWire
	}
	for ; len(p) > 0; p = p[wantedIDs:] {
		w.ids = append(w.ids, [32]byte(p))
	}
	return w, nil
}
