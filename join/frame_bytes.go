package join

import (
	"encoding/binary"
	"net"
	"sync"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// Bytes makes a Stream of m, for code that knows [net.Conn] only: what is read is
// the messages one after the other, each as f marks it, and what is written is cut
// into messages in the same way. With Chunks each Write is a message, or several if
// it is longer than m takes. CloseWrite first sends what no separator ends; Close
// does not. Messages are sent as binary. The result owns m. It is an
// [transport.Aborter] and a [transport.Wrapper].
func Bytes(m transport.MsgConn, f Framing) transport.Stream {
	return &unframed{m: m, framing: f, next: reader(m), cut: newCutter(f, m.MaxMsg())}
}

// unframed is a MsgConn seen as bytes.
type unframed struct {
	m       transport.MsgConn
	framing Framing

	rmu    sync.Mutex // guards what follows: one reads at a time
	next   func() ([]byte, transport.Meta, error)
	head   [4]byte
	parts  [3][]byte // what is left of the message: before, itself, after
	refuse error     // why reading cannot go on

	wmu    sync.Mutex // guards what follows: one writes at a time
	cut    *cutter
	broken error // why writing cannot go on
}

var (
	_ transport.Stream  = (*unframed)(nil)
	_ transport.Aborter = (*unframed)(nil)
	_ transport.Wrapper = (*unframed)(nil)
)

// Inner returns the MsgConn.
func (b *unframed) Inner() transport.Conn { return b.m }

func (b *unframed) Read(p []byte) (int, error) {
	b.rmu.Lock()
	defer b.rmu.Unlock()
	for len(p) > 0 {
		n := 0
		for i := range b.parts {
			m := copy(p[n:], b.parts[i])
			b.parts[i] = b.parts[i][m:]
			n += m
		}
		if n > 0 {
			return n, nil
		}
		if b.refuse != nil {
			return 0, b.refuse
		}
		msg, _, err := b.next()
		if err != nil {
			return 0, err
		}
		b.refuse = b.begin(msg)
	}
	return 0, nil
}

// begin makes msg what is read next.
func (b *unframed) begin(msg []byte) error {
	switch b.framing {
	case Chunks:
		b.parts = [3][]byte{nil, msg, nil}
	case Prefixed:
		binary.BigEndian.PutUint32(b.head[:], uint32(len(msg)))
		b.parts = [3][]byte{b.head[:], msg, nil}
	default:
		out, err := b.framing.frame(nil, msg)
		if err != nil {
			return err
		}
		b.parts = [3][]byte{nil, out, nil}
	}
	return nil
}

// Write returns when all whole messages in p have been sent. What follows them is
// held until the rest comes.
func (b *unframed) Write(p []byte) (int, error) {
	b.wmu.Lock()
	defer b.wmu.Unlock()
	if b.broken != nil {
		return 0, b.broken
	}
	if b.framing == Chunks {
		return b.writeChunks(p)
	}
	for n := 0; n < len(p); {
		m := copy(b.cut.space(), p[n:])
		b.cut.added(m)
		if err := b.flush(); err != nil {
			b.broken = err
			return n, err
		}
		n += m
	}
	return len(p), nil
}

// writeChunks can go on after an error, since no message is ever half sent.
func (b *unframed) writeChunks(p []byte) (int, error) {
	for n := 0; ; {
		m := min(len(p)-n, b.cut.max)
		if m == 0 {
			return n, nil
		}
		if err := b.m.WriteMsg(p[n:n+m], transport.Meta{}); err != nil {
			return n, err
		}
		n += m
	}
}

// flush sends the messages that are whole.
func (b *unframed) flush() error {
	for {
		msg, ok, err := b.cut.next()
		if !ok || err != nil {
			return err
		}
		if err := b.m.WriteMsg(msg, transport.Meta{}); err != nil {
			return err
		}
	}
}

// CloseWrite sends what is held and then half-closes. Half a message that is
// marked by its length cannot be sent: it is an error, and nothing is closed.
func (b *unframed) CloseWrite() error {
	b.wmu.Lock()
	defer b.wmu.Unlock()
	msg, ok, err := b.cut.rest()
	if err == nil && ok && b.broken == nil {
		err = b.m.WriteMsg(msg, transport.Meta{})
	}
	if err != nil {
		return err
	}
	return b.m.CloseWrite()
}

func (b *unframed) Close() error                       { return b.m.Close() }
func (b *unframed) Abort(cause error) error            { return transport.Abort(b.m, cause) }
func (b *unframed) Info() *transport.Info              { return b.m.Info() }
func (b *unframed) LocalAddr() net.Addr                { return b.m.LocalAddr() }
func (b *unframed) RemoteAddr() net.Addr               { return b.m.RemoteAddr() }
func (b *unframed) SetDeadline(t time.Time) error      { return b.m.SetDeadline(t) }
func (b *unframed) SetReadDeadline(t time.Time) error  { return b.m.SetReadDeadline(t) }
func (b *unframed) SetWriteDeadline(t time.Time) error { return b.m.SetWriteDeadline(t) }
