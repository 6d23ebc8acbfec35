package inet

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The receiving half of batched UDP: recvmmsg(2), and UDP_GRO (udp(7)), with which
// the kernel may hand over a run of datagrams of one sender as a single one.

const (
	rxSlots = 32
	// slotSize holds the longest datagram and the longest run that UDP_GRO makes,
	// for the length field of UDP has 16 bits: nothing is ever cut.
	slotSize = 64 << 10
	// slotStride is not a power of two, or the beginnings of all slots, which
	// are all that short datagrams use, would share a few lines of the cache.
	slotStride = slotSize + 4096 + 192
	// ctlSize holds the control messages IPV6_PKTINFO and UDP_GRO.
	ctlSize = 64
)

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

// An rx is the memory of one batch. All of it is address space; what is not
// received into is never touched, and so is not memory of the machine.
type rx struct {
	got []datagram // what the last receive brought

	mem   []byte
	hdrs  [rxSlots]mmsghdr
	iovs  [rxSlots]unix.Iovec
	names [rxSlots]sockaddr
	ctls  [rxSlots][ctlSize]byte
	room  [rxSlots]datagram
}

// spareRx keeps the memory of batches between uses. A socket that waits holds
// none, so there are about as many as there are processors.
var spareRx = sync.Pool{New: func() any { return newRx() }}

func newRx() *rx {
	r := &rx{mem: make([]byte, rxSlots*slotStride)}
	for i := range r.hdrs {
		r.iovs[i].Base = &r.mem[i*slotStride]
		r.iovs[i].SetLen(slotSize)
		h := &r.hdrs[i].hdr
		h.Iov = &r.iovs[i]
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&r.names[i]))
		h.Control = &r.ctls[i][0]
		r.rearm(i)
	}
	return r
}

// rearm gives slot i back its room.
func (r *rx) rearm(i int) {
	h := &r.hdrs[i].hdr
	h.Namelen = uint32(unsafe.Sizeof(r.names[i]))
	h.SetControllen(ctlSize)
}

// receive takes what has arrived at the socket, at most max datagrams or runs of
// them, without waiting.
func (r *rx) receive(fd uintptr, max int) error {
	for i := range r.got {
		r.rearm(i)
	}
	r.got = r.room[:0]
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.hdrs[0])), uintptr(min(max, rxSlots)), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			r.got = r.room[:n]
			for i := range r.got {
				r.describe(i)
			}
			return nil
		case unix.EINTR:
		default:
			return errno
		}
	}
}

// describe says what slot i has received.
func (r *rx) describe(i int) {
	h, d := &r.hdrs[i], &r.got[i]
	d.data = r.mem[i*slotStride:][:h.len]
	d.seg = len(d.data)
	d.from = netip.AddrPort{}
	if h.hdr.Namelen > 0 { // a connected socket tells none
		d.from = r.names[i].addrPort()
	}
	d.to = netip.Addr{}
	if n := int(h.hdr.Controllen); n > 0 {
		d.control(r.ctls[i][:min(n, ctlSize)])
	}
}

// control reads the control messages of a datagram.
func (d *datagram) control(b []byte) {
	for len(b) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
		size := int(h.Len)
		if size < unix.SizeofCmsghdr || size > len(b) {
			return
		}
		data := b[unix.CmsgLen(0):size]
		switch {
		case h.Level == unix.SOL_UDP && h.Type == unix.UDP_GRO && len(data) >= 4:
			if seg := int(binary.NativeEndian.Uint32(data)); seg > 0 {
				d.seg = min(seg, len(d.data))
			}
		case h.Level == unix.SOL_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			// Spec_dst is where an answer comes from, also where the
			// datagram was a broadcast.
			d.to = netip.AddrFrom4([4]byte(data[4:8]))
		case h.Level == unix.SOL_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			d.to = netip.AddrFrom16([16]byte(data[:16]))
		}
		b = b[min(unix.CmsgSpace(len(data)), len(b)):]
	}
}

// addrPort is the address in the form that sessions are found by: the zone of an
// IPv6 address is a number, for names take a system call to find out.
func (sa *sockaddr) addrPort() netip.AddrPort {
	port := binary.BigEndian.Uint16(sa.port[:])
	switch sa.family {
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.addr4), port)
	case unix.AF_INET6:
		addr := netip.AddrFrom16(sa.addr6)
		if sa.scope != 0 {
			addr = addr.WithZone(strconv.FormatUint(uint64(sa.scope), 10))
		}
		return netip.AddrPortFrom(addr, port)
	}
	return netip.AddrPort{}
}

// enableGRO asks the kernel for runs; one that has none is no failure.
func enableGRO(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_GRO, 1) }

// enableLocal asks for the local address of each datagram, which a socket bound
// to no address in particular needs in order to answer from the address that it
// was asked at.
func enableLocal(fd int, v6 bool) error {
	if v6 {
		return unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_RECVPKTINFO, 1)
	}
	return unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_PKTINFO, 1)
}
