package inet

import (
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"

	"github.com/tenon-net/tenon/transport"
)

// MaxUDP is the length in bytes of the longest datagram: what IPv4 leaves of 65535
// after its header and UDP's (RFC 768).
const MaxUDP = 65507

// udpBuffer is the size of the system's buffers that is asked for when none is
// given, in bytes: enough for a burst of some hundred datagrams of any length. The
// system may allow less.
const udpBuffer = 1 << 20

// maxRunBytes keeps a run that is sent as one below the limit of the IP header.
const maxRunBytes = 65000

// A datagram is what one slot of an rx holds: one message, or a run of messages of
// seg bytes each, of which the last may be shorter.
type datagram struct {
	udpSender
	data []byte
	seg  int
	to   netip.Addr // local address; not valid unless asked for
}

// next takes the first message off d. The caller sees to it that d holds one: the
// one message of an empty datagram is empty.
func (d *datagram) next() (msg []byte, more bool) {
	n := min(d.seg, len(d.data))
	msg, d.data = d.data[:n:n], d.data[n:]
	return msg, len(d.data) > 0
}

// messages is how many messages are left in d.
func (d *datagram) messages() int {
	if d.seg == 0 {
		return 1
	}
	return (len(d.data) + d.seg - 1) / d.seg
}

// A target is where datagrams go.
type target struct {
	addr netip.AddrPort // not valid on a connected socket
	from netip.Addr     // local address; not valid if the system may choose
}

// A udpSocket is a socket that may be used by several Conns at once.
type udpSocket struct {
	c     *net.UDPConn
	raw   syscall.RawConn
	local net.Addr
	// longestRun is the length of the longest segment that is worth trying to
	// send in runs. It only shrinks, when the system refuses one.
	longestRun atomic.Int32
}

func newUDPSocket(c *net.UDPConn) (*udpSocket, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		c.Close()
		return nil, err
	}
	s := &udpSocket{c: c, raw: raw, local: c.LocalAddr()}
	s.longestRun.Store(maxRunBytes / 2)
	return s, nil
}

func (s *udpSocket) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: "udp", Source: s.local, Addr: s.c.RemoteAddr(), Err: err}
}

// A batchReader receives from one socket, for one goroutine.
type batchReader struct {
	s    *udpSocket
	in   *rx // what was received last; nil while waiting
	err  error
	try  func(fd uintptr) bool // made once, for syscall.RawConn.Read
	max  int                   // datagrams per call
	gro  bool                  // runs have been asked for
	busy bool                  // the last look found something
}

func newBatchReader(s *udpSocket) *batchReader {
	b := &batchReader{s: s}
	b.try = b.receive
	return b
}

// release gives the memory of the last batch back.
func (b *batchReader) release() {
	if b.in != nil {
		spareRx.Put(b.in)
		b.in = nil
	}
}

// tooLong marks the error of a datagram that no route takes.
func tooLong(err error) error { return transport.Mark(err, transport.ErrMsgTooLong) }
