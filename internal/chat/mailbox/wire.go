package mailbox

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/tenon-net/tenon/internal/chat/frame"
	"github.com/tenon-net/tenon/internal/chat/rbsr"
	"github.com/tenon-net/tenon/internal/peer"
)

// Proto is the protocol; docs/protocol/rooms-mailbox.md has it.
const Proto = "/tenon/room/mailbox/1"

// Limits of blobs.
const (
	MinBlob = 64
	MaxBlob = 68 << 10
)

// The frames. Whoever has opened the stream asks, and the mailbox answers, one after the other.
const (
	frameOpen    = 1 + iota // version, key of the box, proof
	frameOpened             // for how many hours blobs are kept, 4 bytes
	frameSync               // a message of an exchange, or nothing; answered by the same
	frameLacks              // nothing; answered by IDs that the mailbox lacks, by the last exchange
	frameWant               // IDs; answered by BLOBS, as many as it takes, and END
	frameBlobs              // rows; those of a member are answered by TAKEN
	frameEnd                // nothing
	frameTaken              // for each row an outcome
	frameWait               // nothing; answered by NEWS when something is new, or after a while
	frameNews               // 1: there is something new, 0: nothing
	frameRefused            // why; the last frame
)

const (
	version   = 1
	openSize  = 1 + 32 + 64
	maxIDs    = 512 // in a frame
	maxBlobs  = MaxBlob + 32
	idSize    = 32
	maxOthers = maxIDs * idSize
)

// An ID names a blob: its SHA-256.
type ID = [32]byte

// IDOf returns the ID of a blob.
func IDOf(blob []byte) ID { return sha256.Sum256(blob) }

// KeyOf returns the key by which a blob is compared. It has no time: a mailbox is told none.
func KeyOf(id ID) rbsr.Key { return rbsr.Key{ID: id} }

// Errors by which a mailbox refuses. Test for them with errors.Is.
var (
	// ErrProof: it does not take the proof, or does not speak this version.
	ErrProof = errors.New("the mailbox does not take the proof")

	// ErrNotForUs: it keeps nothing for strangers.
	ErrNotForUs = errors.New("the mailbox is not for us")

	// ErrTooOften: too much was asked of it; later it answers again.
	ErrTooOften = errors.New("too much was asked of the mailbox; it answers later")

	// ErrBusy: it has no room for another one who asks.
	ErrBusy = errors.New("the mailbox has too many who ask")

	// ErrFull: what was to be kept is more than it keeps.
	ErrFull = errors.New("the mailbox is full")
)

// ErrWire: the other side does not keep to the protocol.
var ErrWire = frame.ErrForm

var reasons = map[byte]error{1: ErrProof, 2: ErrNotForUs, 3: ErrTooOften, 4: ErrBusy}

// An outcome is what has become of a blob that was to be kept.
type outcome byte

const (
	kept       outcome = iota // or it was there
	tooOften                  // it can be tried later
	boxFull                   // of it, or of what one may put in it
	callerFull                // who has brought it has as much here as he may
	allFull
)

// err returns why a blob is not kept.
func (o outcome) err() error {
	switch o {
	case kept:
		return nil
	case tooOften:
		return ErrTooOften
	case boxFull:
		return fmt.Errorf("%w: there is too much of the room in it", ErrFull)
	case callerFull:
		return fmt.Errorf("%w: there is too much of ours in it", ErrFull)
	case allFull:
		return fmt.Errorf("%w, for all", ErrFull)
	}
	return ErrWire
}

func most(kind byte) int {
	switch kind {
	case frameSync:
		return rbsr.MaxMessage
	case frameBlobs:
		return maxBlobs
	}
	return maxOthers
}

// proof is what shows to a mailbox that somebody has the key of a box. It is good from him and there only,
// and says nothing else: the network proves who both are.
func proof(box *peer.Key, from, to peer.ID) []byte {
	return box.SignAs(peer.ContextChatMailbox, slices.Concat(from.Bytes(), to.Bytes()))
}

func checkProof(box ID, from, to peer.ID, sig []byte) bool {
	id, err := peer.NewID(box[:])
	return err == nil && id.Verify(peer.ContextChatMailbox, slices.Concat(from.Bytes(), to.Bytes()), sig)
}

// A wire is a stream, as frames.
type wire struct {
	in  *bufio.Reader
	to  io.Writer
	out []byte
}

func newWire(s io.ReadWriter) *wire { return &wire{in: bufio.NewReader(s), to: s} }

func (w *wire) read() (kind byte, content []byte, err error) { return frame.Read(w.in, most) }

func (w *wire) write(kind byte, content ...byte) error {
	w.out = frame.Close(append(frame.Begin(w.out[:0], kind), content...))
	_, err := w.to.Write(w.out)
	return err
}

// blobs writes blobs, in as many frames as it takes, and calls then behind each with how many were in it.
func (w *wire) blobs(blobs [][]byte, then func(n int) error) error {
	for len(blobs) > 0 {
		b, n := frame.Begin(w.out[:0], frameBlobs), 0
		for n < len(blobs) && (n == 0 || len(b)+len(blobs[n])+4 <= maxBlobs) {
			b = frame.AppendRow(b, blobs[n])
			n++
		}
		w.out = frame.Close(b)
		if _, err := w.to.Write(w.out); err != nil {
			return err
		}
		if err := then(n); err != nil {
			return err
		}
		blobs = blobs[n:]
	}
	return nil
}

func appendIDs(b []byte, ids []ID) []byte {
	for i := range ids {
		b = append(b, ids[i][:]...)
	}
	return b
}

func parseIDs(p []byte) (ids []ID, err error) {
	if len(p)%idSize != 0 || len(p)/idSize > maxIDs {
		return nil, ErrWire
	}
	for ; len(p) > 0; p = p[idSize:] {
		ids = append(ids, ID(p))
	}
	return ids, nil
}

func parseBlobs(p []byte) (blobs [][]byte, err error) {
	blobs, err = frame.Rows(p, MaxBlob)
	for _, b := range blobs {
		if len(b) < MinBlob {
			return nil, ErrWire
		}
	}
	return blobs, err
}
