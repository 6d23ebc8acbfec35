package meet

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/tenon-net/tenon/internal/chat/frame"
	"github.com/tenon-net/tenon/internal/chat/rbsr"
)

// Proto is the protocol; docs/protocol/rooms-sync.md, chapter "Wire", has it.
const Proto = "/tenon/room/1"

// The frames. A frame is its kind, the length of its content in three bytes, big-endian, and the
// content. Numbers in it are unsigned varints in their shortest form.
const (
	frameHello  = 1 + iota // version, tag
	frameGone              // no room has that tag; the last frame
	frameMarks             // rows about devices
	frameSync              // of whose exchange, a message of it
	frameWant              // events are asked for
	frameEvents            // some of them
	frameEnd               // of what was asked for
	framePush              // events that are new
	frameNote              // what is never kept
	frameHave              // keys of events that are new
	frameLazy              // HAVE is to come in place of PUSH from now on,
	frameEager             // or PUSH again
	frameKnown             // of rows that are there: what MARKS need not have
	framePeers             // where the sender is, and members that are connected with it
)

const (
	version = 1

	// MaxEvent is how many bytes an event has at most.
	MaxEvent = 68 << 10

	// MaxRow is how many bytes a row about a device has at most.
	MaxRow = 2 << 10

	// MaxNote is how many bytes a note has at most.
	MaxNote = 1 << 10

	fill      = 64 << 10 // bytes of events in a frame, unless one has more
	maxFrame  = MaxEvent + 32
	maxSync   = rbsr.MaxMessage + 1
	maxAsked  = 512 // events, by a WANT
	maxWants  = 8   // that are not answered yet
	wantedIDs = 32
	knownSize = 8    // bytes for a row that is known
	maxNamed  = 8192 // rows
)

// errWire: the other side has sent what nobody sends who follows the protocol.
var errWire = frame.ErrForm

func readFrame(r *bufio.Reader) (kind byte, content []byte, err error) {
	return frame.Read(r, func(kind byte) int {
		if kind == frameSync {
			return maxSync
		}
		return maxFrame
	})
}

// A known is by what a row is known: the first bytes of its SHA-256.
type known [knownSize]byte

func knownAs(row []byte) known {
	sum := sha256.Sum256(row)
	return known(sum[:])
}

func parseKnown(p []byte) (map[known]bool, error) {
	if len(p)%knownSize != 0 || len(p) > maxNamed*knownSize {
		return nil, errWire
	}
	all := make(map[known]bool, len(p)/knownSize)
	for k := range slices.Chunk(p, knownSize) {
		all[known(k)] = true
	}
	return all, nil
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
	if w.number, p, ok = frame.Number(p); !ok || len(p) == 0 || len(p)%wantedIDs != 0 || len(p)/wantedIDs > maxAsked {
		return w, errWire
	}
	for ; len(p) > 0; p = p[wantedIDs:] {
		w.ids = append(w.ids, [32]byte(p))
	}
	return w, nil
}
