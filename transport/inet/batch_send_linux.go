package inet

import (
	"encoding/binary"
	"net/netip"
	"os"
	"sync"
	"unsafe"

	"github.com/tenon-net/tenon/transport"
	"golang.org/x/sys/unix"
)

// The sending half of batched UDP: sendmmsg(2), and UDP_SEGMENT (udp(7)), with
// which a run of datagrams of one size to one address crosses the kernel as one.

const (
	txPackets = 64
	txPieces  = 256
	// maxRun is how many datagrams the kernel cuts one packet into, in every
	// version that can (UDP_MAX_SEGMENTS).
	maxRun = 64
)

// A tx is the memory of one call of sendmmsg.
type tx struct {
	hdrs   [txPackets]mmsghdr
	iovs   [txPieces]unix.Iovec
	ctls   [txPackets][ctlSize]byte
	counts [txPackets]int // messages in each packet
	name   sockaddr

	packets, pieces int
	sent            int // packets that the kernel has taken
	errno           unix.Errno
	// send and sendOnce call sendmmsg for what is not sent yet; they are made
	// once because a new function would be garbage in every call.
	send     func(fd uintptr) bool // for syscall.RawConn.Write
	sendOnce func(fd uintptr)      // for syscall.RawConn.Control
}

var spareTx = sync.Pool{New: func() any {
	t := new(tx)
	t.send = t.trySend
	t.sendOnce = func(fd uintptr) { t.trySend(fd) }
	return t
}}

// trySend sends until all is sent, an error comes, or it would block, which it
// tells by returning false.
func (t *tx) trySend(fd uintptr) bool {
	t.errno = 0
	for t.sent < t.packets {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&t.hdrs[t.sent])), uintptr(t.packets-t.sent), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		switch errno {
		case 0:
			t.sent += int(n)
		case unix.EINTR:
		default:
			t.errno = errno
			return errno != unix.EAGAIN
		}
	}
	return true
}

// plan lays out packets for as many of ms as there is room for. Runs whose
// segments are longer than longest are not made.
func (t *tx) plan(ms []transport.Msg, to target, longest int) {
	t.packets, t.pieces, t.sent = 0, 0, 0
	nameLen := uint32(0)
	if to.addr.IsValid() {
		t.name = newSockaddr(to.addr)
		nameLen = uint32(t.name.size())
	}
	for len(ms) > 0 && t.packets < txPackets && t.pieces < txPieces {
		n, piecesBefore := t.addRun(ms, longest)
		h := &t.hdrs[t.packets].hdr
		*h = unix.Msghdr{}
		if t.pieces > piecesBefore {
			h.Iov = &t.iovs[piecesBefore]
			h.SetIovlen(t.pieces - piecesBefore)
		}
		if nameLen > 0 {
			h.Name, h.Namelen = (*byte)(unsafe.Pointer(&t.name)), nameLen
		}
		seg := 0
		if n > 1 {
			seg = len(ms[0].Buf)
		}
		if size := putControl(&t.ctls[t.packets], to.from, seg); size > 0 {
			h.Control = &t.ctls[t.packets][0]
			h.SetControllen(size)
		}
		t.counts[t.packets] = n
		t.packets++
		ms = ms[n:]
	}
}

// addRun adds the pieces of one packet and returns how many messages are in it.
func (t *tx) addRun(ms []transport.Msg, longest int) (n, firstPiece int) {
	firstPiece = t.pieces
	seg, total := len(ms[0].Buf), 0
	var end uintptr // just after the last piece; only to compare
	for n < len(ms) && n < maxRun {
		b := ms[n].Buf
		if n > 0 && (len(b) > seg || len(b) == 0 || total+len(b) > maxRunBytes || t.pieces == txPieces) {
			break
		}
		if start := uintptr(unsafe.Pointer(unsafe.SliceData(b))); len(b) > 0 {
			if start == end {
				iov := &t.iovs[t.pieces-1]
				iov.SetLen(int(iov.Len) + len(b))
			} else {
				t.iovs[t.pieces].Base = unsafe.SliceData(b)
				t.iovs[t.pieces].SetLen(len(b))
				t.pieces++
			}
			end = start + uintptr(len(b))
		}
		total += len(b)
		n++
		if len(b) < seg || seg == 0 || seg > longest {
			break // the last segment may be shorter; the others may not
		}
	}
	return n, firstPiece
}

// clear lets go of the messages.
func (t *tx) clear() {
	clear(t.iovs[:t.pieces])
	t.packets, t.pieces = 0, 0
}

// messages returns how many messages the packets that were sent hold.
func (t *tx) messages() (n int) {
	for _, c := range t.counts[:t.sent] {
		n += c
	}
	return n
}

// putControl writes the control messages of a packet: the address to send from, if
// it is valid, and the length of a segment, if not 0. It returns their length.
func putControl(b *[ctlSize]byte, from netip.Addr, seg int) (size int) {
	if from.IsValid() {
		if from.Is4() {
			data := putHeader(b[:], unix.SOL_IP, unix.IP_PKTINFO, unix.SizeofInet4Pktinfo)
			clear(data)
			a := from.As4()
			copy(data[4:8], a[:])
			size = unix.CmsgSpace(len(data))
		} else {
			data := putHeader(b[:], unix.SOL_IPV6, unix.IPV6_PKTINFO, unix.SizeofInet6Pktinfo)
			clear(data)
			a := from.As16()
			copy(data, a[:])
			size = unix.CmsgSpace(len(data))
		}
	}
	if seg > 0 {
		data := putHeader(b[size:], unix.SOL_UDP, unix.UDP_SEGMENT, 2)
		binary.NativeEndian.PutUint16(data, uint16(seg))
		size += unix.CmsgSpace(len(data))
	}
	return size
}

func putHeader(b []byte, level, typ int32, size int) (data []byte) {
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	h.Level, h.Type = level, typ
	h.SetLen(unix.CmsgLen(size))
	return b[unix.CmsgLen(0):unix.CmsgLen(size)]
}

// writeMsgs sends ms to the target and returns how many it has sent. Where the
// socket would block, it calls wait, or without one waits for the socket itself.
func (s *udpSocket) writeMsgs(ms []transport.Msg, to target, wait func() error) (n int, err error) {
	t := spareTx.Get().(*tx)
	defer spareTx.Put(t)
	for n < len(ms) && err == nil {
		longest := int(s.longestRun.Load())
		t.plan(ms[n:], to, longest)
		if wait == nil {
			err = s.raw.Write(t.send)
		} else {
			err = s.raw.Control(t.sendOnce)
		}
		done := t.messages()
		n += done
		switch {
		case err != nil || t.errno == 0:
		case t.errno == unix.EAGAIN && wait != nil:
			err = wait()
		case t.counts[t.sent] > 1 && noRuns(t.errno):
			s.longestRun.Store(int32(len(ms[n].Buf) - 1))
			if t.errno == unix.EIO {
				s.longestRun.Store(0)
			}
		default:
			err = s.opError("write", os.NewSyscallError("sendmmsg", t.errno))
			if t.errno == unix.EMSGSIZE {
				err = tooLong(err)
			}
		}
		t.clear()
	}
	return n, err
}

// noRuns tells whether a packet was refused because it was a run: the segments
// are longer than the route takes, or a device on it cannot do it.
func noRuns(errno unix.Errno) bool {
	return errno == unix.EINVAL || errno == unix.EMSGSIZE || errno == unix.EIO || errno == unix.EOPNOTSUPP
}
