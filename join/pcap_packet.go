package join

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// A packetWriter makes the packets of one conversation.
type packetWriter struct {
	hosts [2]netip.AddrPort // both of one version of IP
	id    uint16
	buf   []byte
}

// Protocol numbers, and the flags of TCP (RFC 9293, section 3.1).
const (
	protoTCP = 6
	protoUDP = 17

	flagFIN = 1
	flagSYN = 2
	flagRST = 4
	flagPSH = 8
	flagACK = 16
)

// tcp appends a segment from the side from. Options is a multiple of four long.
func (w *packetWriter) tcp(dst []byte, from Side, seq, ack uint32, flags byte, options, data []byte, comment string) []byte {
	src, to := w.hosts[from], w.hosts[1-from]
	h := make([]byte, 0, 32)
	h = binary.BigEndian.AppendUint16(h, src.Port())
	h = binary.BigEndian.AppendUint16(h, to.Port())
	h = binary.BigEndian.AppendUint32(h, seq)
	h = binary.BigEndian.AppendUint32(h, ack)
	h = append(h, byte(5+len(options)/4)<<4, flags, 0xff, 0xff, 0, 0, 0, 0)
	h = append(h, options...)
	return w.ip(dst, from, protoTCP, h, 16, data, comment)
}

// udp appends a datagram from the side from.
func (w *packetWriter) udp(dst []byte, from Side, data []byte, comment string) []byte {
	src, to := w.hosts[from], w.hosts[1-from]
	h := make([]byte, 0, 8)
	h = binary.BigEndian.AppendUint16(h, src.Port())
	h = binary.BigEndian.AppendUint16(h, to.Port())
	h = binary.BigEndian.AppendUint16(h, uint16(8+len(data)))
	h = append(h, 0, 0)
	return w.ip(dst, from, protoUDP, h, 6, data, comment)
}

// ip appends a packet with the header h of the next protocol, whose checksum goes
// to sumAt in h, and data.
func (w *packetWriter) ip(dst []byte, from Side, proto byte, h []byte, sumAt int, data []byte, comment string) []byte {
	src, to := w.hosts[from].Addr(), w.hosts[1-from].Addr()
	length := len(h) + len(data)
	pseudo := append(src.AsSlice(), to.AsSlice()...) // RFC 9293, section 3.1; RFC 8200, section 8.1
	pseudo = binary.BigEndian.AppendUint32(append(pseudo, 0, 0, 0, proto), uint32(length))
	sum := checksum(checksum(checksum(0, pseudo), h), data)
	if sum = ^sum & 0xffff; sum == 0 && proto == protoUDP {
		sum = 0xffff // RFC 768: zero would mean that there is none
	}
	binary.BigEndian.PutUint16(h[sumAt:], uint16(sum))

	b := w.buf[:0]
	if src.Is4() {
		w.id++
		b = append(b, 0x45, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(20+length))
		b = binary.BigEndian.AppendUint16(b, w.id)
		b = append(b, 0x40, 0, 64, proto, 0, 0) // do not fragment, 64 hops
		b = append(append(b, src.AsSlice()...), to.AsSlice()...)
		binary.BigEndian.PutUint16(b[10:], uint16(^checksum(0, b)))
	} else {
		b = append(b, 0x60, 0, 0, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(length))
		b = append(b, proto, 64)
		b = append(append(b, src.AsSlice()...), to.AsSlice()...)
	}
	w.buf = append(append(b, h...), data...)
	return appendPacket(dst, time.Now(), w.buf, comment)
}

// checksum adds p to the ones' complement sum (RFC 1071). An odd byte at the end
// counts as if a zero followed, so only the last piece may be odd.
func checksum(sum uint32, p []byte) uint32 {
	total := uint64(sum)
	for ; len(p) >= 4; p = p[4:] {
		total += uint64(binary.BigEndian.Uint32(p))
	}
	if len(p) >= 2 {
		total += uint64(binary.BigEndian.Uint16(p))
		p = p[2:]
	}
	if len(p) == 1 {
		total += uint64(p[0]) << 8
	}
	for total>>16 != 0 {
		total = total&0xffff + total>>16
	}
	return uint32(total)
}
