// Package mem has ends in memory: the reference for what an end must do, ends
// for tests, and a way for the parts of one program to meet by name.
//
// [Pair] and [MsgPair] make two ends joined to each other. A [Network] is a place
// where ends listen and dial by name; [Network.Kinds] gives the kinds mem:NAME,
// mem-listen:NAME and their siblings for messages, bound to that Network. Two
// Networks know nothing of each other, and there is no global one: [Kinds] makes one
// for the list of kinds that it is put into, and ends meet whose addresses are opened
// with the same list. They are for programs; the program tenon makes one joint, and
// nobody would listen.
//
// An end of file ends one direction. A Conn here is no [transport.Ender], as one of TCP
// is not: what is written to an end whose other side has gone fails.
//
// All blocking is on channels and conditions and all time is from package time,
// so that testing/synctest understands it: an hour in a test takes no time. No
// goroutine is started, and a pair that is dropped without Close is collected.
package mem

import (
	"errors"
	"net"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// The defaults and limits.
const (
	DefaultBuffer = 64 << 10 // bytes that one direction holds
	MaxMsg        = 1 << 20  // bytes in a message
	maxQueued     = 1024     // messages that one direction holds
)

// pairName is the address of ends that have met without a name.
const pairName = "pair"

// ErrReset is read and written by an end whose other side has aborted.
var ErrReset = errors.New("connection reset by the other side")

// Pair returns two ends of a connection that carries bytes.
func Pair() (a, b transport.Stream) {
	x, y := newEnds("mem", pairName, DefaultBuffer)
	return &stream{x}, &stream{y}
}

// MsgPair returns two ends of a connection that carries messages.
func MsgPair() (a, b transport.MsgConn) {
	x, y := newEnds("mem-msg", pairName, DefaultBuffer)
	return &messages{x}, &messages{y}
}

// An end is what the two sorts of Conn have in common: a pipe to read from and a
// pipe to write to.
type end struct {
	in, out       *pipe
	local, remote transport.Addr
	info          *transport.Info
}

func newEnds(kind, name string, buffer int) (a, b *end) {
	ab, ba := newPipe(buffer), newPipe(buffer)
	addrA, addrB := transport.Addr{Net: "mem", Name: name}, transport.Addr{Net: "mem", Name: name}
	return &end{ba, ab, addrA, addrB, &transport.Info{Kind: kind}},
		&end{ab, ba, addrB, addrA, &transport.Info{Kind: kind}}
}

func (e *end) CloseWrite() error {
	return e.out.closeWrite()
}

func (e *end) Close() error {
	e.out.leave(writer, net.ErrClosed, nil)
	e.in.leave(reader, net.ErrClosed, nil)
	return nil
}

// Abort makes the other side's reads and writes fail with [ErrReset]. What it has
// not read yet is lost to it.
func (e *end) Abort(error) error {
	e.out.leave(writer, transport.ErrAborted, ErrReset)
	e.in.leave(reader, transport.ErrAborted, ErrReset)
	return nil
}

func (e *end) Info() *transport.Info { return e.info }
func (e *end) LocalAddr() net.Addr   { return e.local }
func (e *end) RemoteAddr() net.Addr  { return e.remote }

func (e *end) SetDeadline(t time.Time) error {
	return errors.Join(e.SetReadDeadline(t), e.SetWriteDeadline(t))
}
func (e *end) SetReadDeadline(t time.Time) error  { return e.in.setDeadline(reader, t) }
func (e *end) SetWriteDeadline(t time.Time) error { return e.out.setDeadline(writer, t) }

type stream struct{ *end }

func (s *stream) Read(p []byte) (int, error)  { return s.in.read(p) }
func (s *stream) Write(p []byte) (int, error) { return s.out.write(p) }

type messages struct{ *end }

func (m *messages) ReadMsg(p []byte) (int, transport.Meta, error) { return m.in.readMsg(p) }
func (m *messages) WriteMsg(p []byte, meta transport.Meta) error  { return m.out.writeMsg(p, meta) }
func (m *messages) MaxMsg() int                                   { return MaxMsg }

var (
	_ transport.Stream  = (*stream)(nil)
	_ transport.MsgConn = (*messages)(nil)
	_ transport.Aborter = (*end)(nil)
)
