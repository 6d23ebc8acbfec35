package api

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/transport"
)

// A connection that was upgraded to tenon-stream carries frames in both directions: a
// byte that says what it is, three bytes of length, big-endian, and the content. So an
// abort, which a unix socket does not have, is not taken for an end.
type frameType byte

const (
	frameData   frameType = iota + 1 // bytes, or one message
	frameEnd                         // nothing more will be written
	frameAbort                       // it has failed; the content says why
	frameWindow                      // rows and columns of a window, two bytes each
	frameText                        // one message that is text
	frameLabel                       // the label of datagrams that are beside the messages, four bytes
	frameStatus                      // the close status of the protocol that is carried; see status.go
)

const (
	headSize = 4
	maxBytes = 256 << 10 // of a stream in a frame
	MaxMsg   = 1<<20 - 1 // MaxMsg is the length of the longest message.
	maxAbort = 1024
	ahead    = headSize + maxAbort // that are read with the head of a frame
)

// errFrame: what comes are no frames.
var errFrame = errors.New("the node sends something that is no frame")

// A framer is one connection that carries frames.
type framer struct {
	conn net.Conn
	in   *bufio.Reader

	rmu   sync.Mutex // guards what follows; held by the one who reads
	left  int        // of the content of a data frame
	typ   frameType  // of that frame
	got   []byte     // of a message that has not all been read yet
	ended error      // io.EOF after frameEnd, or why there is nothing more

	wmu   sync.Mutex // guards what follows; held by the one who writes
	rest  []byte     // of a frame that a deadline has cut short: it must go first
	shut  bool       // frameEnd was sent
	close sync.Once
	gone  error // what Close returned

	onWindow func(rows, cols int) // for frameWindow; nil = thrown away
	onLabel  func(label uint32)   // for frameLabel, as onWindow

	status carried
}

func newFramer(conn net.Conn, in *bufio.Reader) *framer {
	if in == nil {
		in = bufio.NewReaderSize(conn, ahead)
	}
	return &framer{conn: conn, in: in}
}

// next reads up to the content of the next data frame. It is called with rmu held.
func (f *framer) next() error {
	for {
		if f.ended != nil {
			return f.ended
		}
		head, err := f.in.Peek(headSize)
		if err != nil {
			return f.lost(err)
		}
		typ, n := parseHead(head)
		switch {
		case (typ == frameData || typ == frameText) && n <= MaxMsg:
			f.in.Discard(headSize) //nolint:errcheck // it is there
			f.typ, f.left = typ, n
			return nil
		case typ == frameEnd && n == 0:
			f.ended = io.EOF
		case (typ == frameWindow || typ == frameLabel) && n == 4, (typ == frameAbort || typ == frameStatus) && n <= maxAbort:
			all, err := f.in.Peek(headSize + n)
			if err != nil {
				return f.lost(err)
			}
			f.tell(typ, all[headSize:])
		default:
			f.ended = errFrame
		}
		f.in.Discard(headSize + n) //nolint:errcheck // it is there, or nothing more is read
	}
}

func parseHead(b []byte) (typ frameType, n int) {
	return frameType(b[0]), int(binary.BigEndian.Uint32(b) & (1<<24 - 1))
}

// tell acts upon a frame that is no data. It is called with rmu held.
func (f *framer) tell(typ frameType, content []byte) {
	switch {
	case typ == frameAbort:
		f.ended = abortError(string(content))
	case typ == frameWindow && f.onWindow != nil:
		f.onWindow(int(binary.BigEndian.Uint16(content)), int(binary.BigEndian.Uint16(content[2:])))
	case typ == frameLabel && f.onLabel != nil:
		f.onLabel(binary.BigEndian.Uint32(content))
	case typ == frameStatus:
		f.status.receive(content)
	}
}

// abortError is what the other side has aborted with.
func abortError(text string) error {
	if text == "" {
		text = "aborted by the other side"
	}
	return errors.New(neutral.Line(text))
}

// lost makes sure that an end that nobody has announced is no end of file.
func (f *framer) lost(err error) error {
	if errors.Is(err, io.EOF) {
		f.ended = fmt.Errorf("the node is gone: %w", io.ErrUnexpectedEOF)
		return f.ended
	}
	return err
}

// read reads into p from the content of the frame, more than what has come with the
// head of it: a frame is written in one piece. It is called with rmu held.
func (f *framer) read(p []byte) (n int, err error) {
	p = p[:min(len(p), f.left)]
	for again := true; again && n < len(p) && err == nil; {
		again = f.in.Buffered() > 0
		var m int
		m, err = f.in.Read(p[n:])
		n += m
	}
	f.left -= n
	if err != nil && n == 0 {
		return 0, f.lost(err)
	}
	return n, nil
}

// frames are what is written; see framer.write.
var frames = sync.Pool{New: func() any { b := make([]byte, 0, maxBytes+headSize); return &b }}

// write sends a frame. What a deadline leaves unsent is kept and goes before the next
// frame, so that frames stay whole; accepted tells whether the content is on its way
// then. It is called with wmu held.
func (f *framer) write(typ frameType, content []byte) (accepted bool, err error) {
	if len(f.rest) > 0 {
		n, err := f.conn.Write(f.rest)
		f.rest = f.rest[n:]
		if err != nil {
			return false, err
		}
		f.rest = nil
	}
	var head [headSize]byte
	binary.BigEndian.PutUint32(head[:], uint32(len(content)))
	head[0] = byte(typ)
	buf := frames.Get().(*[]byte) //nolint:forcetypeassert // there is nothing else in it
	defer frames.Put(buf)
	b := append(append(*buf, head[:]...), content...)
	n, err := f.conn.Write(b)
	if err != nil && n > 0 {
		f.rest = append([]byte(nil), b[n:]...)
		return true, err
	}
	return err == nil, err
}

func (f *framer) closeWrite() error {
	f.wmu.Lock()
	defer f.wmu.Unlock()
	if f.shut {
		return nil
	}
	accepted, err := f.goodbye(frameEnd, nil)
	f.shut = accepted
	return err
}

// goodbye sends the last frame, and in front of it the close status that is to be carried, or
// that one follows. It is called with wmu held.
func (f *framer) goodbye(typ frameType, content []byte) (accepted bool, err error) {
	status := f.status.take()
	if follows := f.status.finishes(); follows && typ == frameEnd {
		if _, err := f.write(frameStatus, nil); err != nil {
			return false, err
		}
	}
	if status != nil {
		if accepted, err = f.write(frameStatus, status); err != nil {
			if !accepted {
				f.status.untake(status)
			}
			return false, err
		}
	}
	return f.write(typ, content)
}

// closing is how long Close and Abort try to say how it has ended.
const closing = 250 * time.Millisecond

// lockLast waits for whoever writes, for a bounded time.
func (f *framer) lockLast() bool {
	if f.conn.SetWriteDeadline(time.Now().Add(closing)) != nil {
		return f.wmu.TryLock() // a Write may go on for ever
	}
	f.wmu.Lock()
	return true
}

// shutdown has last write the last frame and closes the connection. A frame that is being
// written, which may be one that nobody waits for, has the same time to get done.
func (f *framer) shutdown(last func()) error {
	f.close.Do(func() {
		if last != nil && f.lockLast() {
			last()
			f.wmu.Unlock()
		}
		f.gone = f.conn.Close()
	})
	return f.gone
}

// resize sends the size of a window.
func (f *framer) resize(rows, cols int) error {
	f.wmu.Lock()
	defer f.wmu.Unlock()
	content := binary.BigEndian.AppendUint16(nil, uint16(min(max(rows, 0), 0xffff)))
	_, err := f.write(frameWindow, binary.BigEndian.AppendUint16(content, uint16(min(max(cols, 0), 0xffff))))
	return err
}

// An aborted cause may have foreign text in it; the length is bounded.
func abortText(cause error) []byte {
	if cause == nil {
		return nil
	}
	text := neutral.Line(transport.Cause(cause).Error())
	return []byte(text[:min(len(text), maxAbort)])
}
