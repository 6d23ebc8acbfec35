package share

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/tenon-net/tenon/internal/share/tree"
)

// Proto is the protocol of shares; docs/protocol/share.md, chapter "Wire", has it.
const Proto = "/tenon/share/1"

// The frames. A frame is its kind, the length of its content in three bytes, big-endian,
// and the content. Numbers in it are unsigned varints in their shortest form.
const (
	frameHello    = 1 + iota // version, ID of the share, proof that the secret is known
	frameGone                // there is no such share, or the proof is wrong; the last frame
	frameHead                // how far the manifest is known
	frameHave                // pieces that are there
	frameWant                // groups are asked for
	frameAny                 // a piece is asked for that few have
	frameTrim                // fewer groups are wanted than were asked for
	frameAnswer              // which groups are answered; their proof follows
	frameData                // bytes of the proof
	frameEnd                 // of an answer
	framePeers               // where the sender, and others who take part, may be reached
	frameCrowd               // how many fetch the share
	frameManifest            // groups of the manifest are asked for
	frameEnded               // the share has ended; the last frame
	frameNodes               // nodes of a file are asked for, without groups
	frameSeal                // what a sealed copy is of, sealed
	frameOffer               // a sealed copy is offered
	frameHold                // whether it is held
	frameUnit                // a unit of it is asked for
	frameDrop                // it is to be held no more
	frameZeros               // bytes of the proof that are all zeros
)

const (
	version    = 1
	frameHeadN = 4
	maxFrame   = tree.Group + 4<<10 // a group and the nodes that lead to it
	maxAsked   = 64                 // requests that are not answered yet
	maxSkip    = 64                 // deeper than any tree
	maxHave    = 32 << 10           // bytes, in a frame
	maxNodes   = 1 << 16            // that are asked for at once: 4 MiB
)

// What HAVE says besides pieces.
const (
	haveSome   = iota
	haveAll    // there are and will be
	haveEnough // more is not wanted
)

// errWire: the other side has sent what nobody sends who follows the protocol.
var errWire = errors.New("that is not the protocol of shares")

// What ends an answer.
const (
	endAll     = iota // of what was asked for
	endTrimmed        // before what is not wanted any more
	endCannot         // the next group has changed or is not there
	endNothing        // there is no piece that was not sent to somebody already
)

// hello opens a stream, in both directions.
type hello struct {
	share ID
	proof [32]byte
}

// want asks for groups of files, or of the manifest.
type want struct {
	number   uint64
	any      bool  // the run is for the other side to choose
	known    int64 // of which groups, if any: those before this one
	manifest int64 // not 0: groups of the manifest, of as many bytes as a HEAD has named
	run      tree.Run
	skip     int   // of the first file's proof
	least    int64 // not 0: nodes of one file that are above more than so many groups, and no groups
}

// kind returns the frame that asks it.
func (w want) kind() byte {
	switch {
	case w.any:
		return frameAny
	case w.manifest > 0:
		return frameManifest
	case w.least > 0:
		return frameNodes
	}
	return frameWant
}

// ofFiles tells whether groups of files are asked for.
func (w want) ofFiles() bool { return w.kind() == frameWant || w.any }

// An answerHead says what an answer is to.
type answerHead struct {
	number uint64
	run    tree.Run
}

// fields takes a frame's content apart. After a mistake all that it returns is zero.
type fields struct {
	p   []byte
	bad bool
}

func (f *fields) take(n int) []byte {
	if f.bad || n > len(f.p) {
		f.bad = true
		return make([]byte, min(n, 64))
	}
	b := f.p[:n]
	f.p = f.p[n:]
	return b
}

func (f *fields) number() uint64 {
	v, n := binary.Uvarint(f.p)
	if f.bad || n <= 0 || n > 1 && f.p[n-1] == 0 {
		f.bad = true
		return 0
	}
	f.p = f.p[n:]
	return v
}

// run reads a beginning and a length.
func (f *fields) run() tree.Run {
	from, n := f.number(), f.number()
	if from > 1<<62 || n > 1<<62 {
		f.bad = true
	}
	if f.bad {
		return tree.Run{}
	}
	return tree.Run{From: int64(from), To: int64(from + n)}
}

// end tells whether all was there, and nothing else.
func (f *fields) end() error {
	if f.bad || len(f.p) > 0 {
		return errWire
	}
	return nil
}

func appendRun(b []byte, r tree.Run) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(r.From)), uint64(r.Len()))
}

func (h hello) append(b []byte) []byte {
	b = append(b, version)
	b = append(b, h.share[:]...)
	return append(b, h.proof[:]...)
}

func parseHello(p []byte) (h hello, err error) {
	f := fields{p: p}
	if v := f.take(1)[0]; v != version && !f.bad {
		return h, fmt.Errorf("%w: version %d", errWire, v)
	}
	copy(h.share[:], f.take(len(h.share)))
	copy(h.proof[:], f.take(len(h.proof)))
	return h, f.end()
}

func (w want) append(b []byte) []byte {
	b = binary.AppendUvarint(b, w.number)
	switch w.kind() {
	case frameAny:
		return binary.AppendUvarint(b, uint64(w.known))
	case frameManifest:
		return appendRun(binary.AppendUvarint(b, uint64(w.manifest)), w.run)
	case frameWant:
		return binary.AppendUvarint(appendRun(b, w.run), uint64(w.skip))
	case frameNodes:
		b = binary.AppendUvarint(appendRun(b, w.run), uint64(w.skip))
		return binary.AppendUvarint(b, uint64(w.least))
	}
	return b
}

func parseWant(kind byte, p []byte) (w want, err error) {
	f := fields{p: p}
	w.number, w.any = f.number(), kind == frameAny
	if w.any {
		w.known = int64(min(f.number(), maxGroups))
		return w, f.end()
	}
	if kind == frameManifest {
		size := f.number()
		if w.manifest = int64(size); size == 0 || size > maxManifest {
			f.bad = true
		}
	}
	w.run = f.run()
	if kind == frameWant || kind == frameNodes {
		skip := f.number()
		if w.skip = int(min(skip, maxSkip)); skip > maxSkip {
			f.bad = true
		}
	}
	most := int64(maxRequest)
	if kind == frameNodes {
		least := f.number()
		w.least = int64(min(least, maxGroups))
		most = w.least * maxNodes
		f.bad = f.bad || least < 1 || least > maxGroups
	}
	if w.run.Len() < 1 || w.run.Len() > most {
		f.bad = true
	}
	return w, f.end()
}

func (a answerHead) append(b []byte) []byte {
	return appendRun(binary.AppendUvarint(b, a.number), a.run)
}

func parseAnswer(p []byte) (a answerHead, err error) {
	f := fields{p: p}
	a.number, a.run = f.number(), f.run()
	return a, f.end()
}

// appendFrame begins a frame whose content has n bytes.
func appendFrame(b []byte, kind byte, n int) []byte {
	return append(b, kind, byte(n>>16), byte(n>>8), byte(n))
}

// closeFrame writes the length into a frame whose content is there.
func closeFrame(b []byte) []byte {
	n := len(b) - frameHeadN
	b[1], b[2], b[3] = byte(n>>16), byte(n>>8), byte(n)
	return b
}

// readFrame reads a frame. The content is good until the next call.
func readFrame(r *bufio.Reader, last *int) (kind byte, content []byte, err error) {
	if _, err := r.Discard(*last); err != nil {
		return 0, nil, err
	}
	*last = 0
	h, err := r.Peek(frameHeadN)
	if err != nil {
		if len(h) > 0 && errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	n := int(h[1])<<16 | int(h[2])<<8 | int(h[3])
	if n > maxFrame {
		return 0, nil, fmt.Errorf("%w: a frame of %d bytes", errWire, n)
	}
	kind = h[0]
	all, err := r.Peek(frameHeadN + n)
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	*last = frameHeadN + n
	return kind, all[frameHeadN:], nil
}
