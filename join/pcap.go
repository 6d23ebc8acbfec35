package join

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"runtime"
	"time"

	"github.com/tenon-net/tenon/internal/neutral"
)

// A Pcap writes a pcapng file (draft-ietf-opsawg-pcapng) of what passes through
// joints, as Wireshark and tshark open it: the bytes of a joint as a TCP
// connection, messages as UDP datagrams. What is recorded is what the joint moves:
// plaintext, also where an end encrypts. Packets, their headers and the handshake
// are synthetic; times and bytes are not.
//
// Each call of a Tap writes whole blocks at once, so that the file is valid at any
// moment. Many joints may be recorded at the same time.
type Pcap struct {
	sink  sink // its mu guards all below, and the state of each conversation
	names nameTable
	count uint32 // conversations so far
}

// NewPcap writes the beginning of the file.
func NewPcap(w io.Writer) (*Pcap, error) {
	p := &Pcap{sink: sink{w: w}}
	p.sink.write(appendInterface(appendSection(nil)))
	return p, p.sink.Err()
}

// Err returns why writing has stopped, or nil.
func (p *Pcap) Err() error { return p.sink.Err() }

// Conversation returns a Tap that records a joint between the addresses a and b,
// of messages or of bytes. For bytes it writes the handshake of the connection, in
// which a is the client. An end that has no IP address gets one from 127.0.0.0/8,
// and a record that gives its name to that address.
func (p *Pcap) Conversation(a, b net.Addr, messages bool) Tap {
	p.sink.mu.Lock()
	defer p.sink.mu.Unlock()
	p.count++
	var blocks []byte
	hosts := [2]netip.AddrPort{}
	for i, addr := range []net.Addr{a, b} {
		hosts[i], blocks = p.host(blocks, addr, Side(i))
	}
	if hosts[A].Addr().Is4() != hosts[B].Addr().Is4() {
		for i, h := range hosts { // the address of IPv4 within IPv6: RFC 4291, section 2.5.5.2
			hosts[i] = netip.AddrPortFrom(netip.AddrFrom16(h.Addr().As16()), h.Port())
		}
	}
	w := packetWriter{hosts: hosts}
	comment := "joint " + a.String() + " and " + b.String()
	if messages {
		p.sink.put(blocks)
		return &pcapMsgs{pcap: p, w: w, comment: comment}
	}
	c := &pcapStream{pcap: p, w: w}
	p.sink.put(c.handshake(blocks, comment))
	return c
}

// host returns the address and port that stand for an end, and appends the record
// of its name if it has no address of its own.
func (p *Pcap) host(blocks []byte, addr net.Addr, s Side) (netip.AddrPort, []byte) {
	made := uint16(firstMadePort)
	if s == A {
		made += uint16(1 + p.count%madePorts)
	}
	if ap, err := netip.ParseAddrPort(addr.String()); err == nil && ap.Addr().IsValid() {
		if ap.Port() == 0 {
			ap = netip.AddrPortFrom(ap.Addr(), made)
		}
		return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port()), blocks
	}
	ip, isNew := p.names.lookup(addr.Network() + " " + addr.String())
	if isNew {
		blocks = appendName(blocks, ip, addr.Network()+" "+addr.String())
	}
	return netip.AddrPortFrom(ip, made), blocks
}

// The made-up ports are among those that no service has (RFC 6335, section 6): the
// first for b, the others in turn for a.
const (
	firstMadePort = 49152
	madePorts     = 16000
)

// maxNames bounds the table: what comes after shares one address.
const maxNames = 60_000

// A nameTable gives an address of 127.0.0.0/8 to each name.
type nameTable map[string]netip.Addr

func (t *nameTable) lookup(name string) (ip netip.Addr, isNew bool) {
	if ip, ok := (*t)[name]; ok {
		return ip, false
	}
	n := len(*t) + 1
	if n > maxNames {
		return netip.AddrFrom4([4]byte{127, 255, 255, 254}), false
	}
	if *t == nil {
		*t = nameTable{}
	}
	ip = netip.AddrFrom4([4]byte{127, 1, byte(n >> 8), byte(n)})
	(*t)[name] = ip
	return ip, true
}

// Blocks and options of pcapng, in sections 4 and 3.5 of the draft. All numbers
// are little-endian, as the first block says.
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockNames     = 4
	blockPacket    = 6

	optionComment    = 1
	optionUserApp    = 4
	optionHardware   = 2
	optionResolution = 9
	nameIPv4         = 1

	linkRaw = 101 // LINKTYPE_RAW: an IP packet without anything before it
)

// appendBlock appends a block with the body that fill appends.
func appendBlock(dst []byte, kind uint32, fill func([]byte) []byte) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, kind)
	dst = fill(append(dst, 0, 0, 0, 0))
	length := uint32(len(dst) - start + 4)
	binary.LittleEndian.PutUint32(dst[start+4:], length)
	return binary.LittleEndian.AppendUint32(dst, length)
}

func appendPadded(dst, p []byte) []byte {
	dst = append(dst, p...)
	return append(dst, make([]byte, -len(p)&3)...)
}

func appendOption(dst []byte, code uint16, value []byte) []byte {
	value = value[:min(len(value), 0xffff)]
	dst = binary.LittleEndian.AppendUint16(dst, code)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(value)))
	return appendPadded(dst, value)
}

func appendSection(dst []byte) []byte {
	return appendBlock(dst, blockSection, func(b []byte) []byte {
		b = binary.LittleEndian.AppendUint32(b, 0x1a2b3c4d) // the order of bytes
		b = append(b, 1, 0, 0, 0)                           // version 1.0
		b = binary.LittleEndian.AppendUint64(b, 1<<64-1)    // length unknown
		b = appendOption(b, optionHardware, []byte(runtime.GOOS+"/"+runtime.GOARCH))
		b = appendOption(b, optionUserApp, []byte("tenon"))
		return append(b, 0, 0, 0, 0)
	})
}

func appendInterface(dst []byte) []byte {
	return appendBlock(dst, blockInterface, func(b []byte) []byte {
		b = append(b, linkRaw, 0, 0, 0)
		b = binary.LittleEndian.AppendUint32(b, 0) // packets of any length
		b = appendOption(b, optionResolution, []byte{9})
		return append(b, 0, 0, 0, 0)
	})
}

// appendName appends a block that gives a name to an address. Spaces would end it.
func appendName(dst []byte, ip netip.Addr, name string) []byte {
	word := make([]byte, 0, len(name)+1)
	for _, c := range []byte(name[:min(len(name), 200)]) {
		if c <= ' ' || c > '~' {
			c = '_'
		}
		word = append(word, c)
	}
	return appendBlock(dst, blockNames, func(b []byte) []byte {
		record := append(append(ip.AsSlice(), word...), 0)
		b = binary.LittleEndian.AppendUint16(b, nameIPv4)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(record)))
		b = appendPadded(b, record)
		return append(b, 0, 0, 0, 0)
	})
}

// appendPacket appends a packet that arrived at the time now, with a comment if
// there is one.
func appendPacket(dst []byte, now time.Time, packet []byte, comment string) []byte {
	return appendBlock(dst, blockPacket, func(b []byte) []byte {
		at := uint64(now.UnixNano())
		b = binary.LittleEndian.AppendUint32(b, 0) // the interface
		b = binary.LittleEndian.AppendUint32(b, uint32(at>>32))
		b = binary.LittleEndian.AppendUint32(b, uint32(at))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(packet)))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(packet)))
		b = appendPadded(b, packet)
		if comment != "" {
			b = appendOption(b, optionComment, []byte(neutral.Text(comment)))
			b = append(b, 0, 0, 0, 0)
		}
		return b
	})
}
