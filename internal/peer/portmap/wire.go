package portmap

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"
)

const (
	pcpVersion = 2
	pcpHeader  = 24
	mapSize    = pcpHeader + 36
	response   = 0x80
	opAnnounce = 0
	opMap      = 1
)

// maxLifetime is how long an answer is believed in: RFC 6887 section 15 has a day.
const maxLifetime = 24 * time.Hour

// results are the results of PCP that people can do something about (RFC 6887 section
// 7.4), and others.
var pcpResults = map[byte]string{1: "version", 2: "not authorized", 3: "malformed request", 4: "operation", 5: "option", 6: "malformed option",
	7: "network failure", 8: "no resources", 9: "protocol", 10: "quota exceeded", 11: "it cannot provide the external port",
	12: "there is another NAT between", 13: "excessive remote peers"}

// pmpResults are those of NAT-PMP (RFC 6886 section 3.5).
var pmpResults = map[uint16]string{1: "version", 2: "not authorized: port mapping is switched off", 3: "network failure: it has no address itself", 4: "no resources", 5: "operation"}

// announce is the smallest request of PCP (RFC 6887 section 14.1).
func announce(local netip.Addr) []byte { return header(opAnnounce, local, 0) }

func header(op byte, local netip.Addr, life time.Duration) []byte {
	b := make([]byte, 8, mapSize)
	b[0], b[1] = pcpVersion, op
	binary.BigEndian.PutUint32(b[4:], uint32(life/time.Second))
	a := local.As16() // IPv4 as ::ffff:a.b.c.d
	return append(b, a[:]...)
}

// mapRequest asks for a port (RFC 6887 section 11.1).
func (r *Router) mapRequest(local netip.Addr, p Protocol, port, want uint16, life time.Duration) []byte {
	b := append(header(opMap, local, life), r.nonce[:]...)
	b = append(b, byte(p), 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, port)
	b = binary.BigEndian.AppendUint16(b, want)
	any := netip.IPv6Unspecified()
	if local.Is4() {
		any = netip.AddrFrom4([4]byte{})
	}
	a := any.As16()
	return append(b, a[:]...)
}

// mapAnswer reads the answer (RFC 6887 sections 8.3 and 11.4).
func (r *Router) mapAnswer(b []byte, p Protocol, port uint16) (Mapping, error) {
	if len(b) < mapSize || b[0] != pcpVersion || b[1] != opMap|response ||
		[12]byte(b[24:36]) != r.nonce || b[36] != byte(p) || binary.BigEndian.Uint16(b[40:]) != port {
		return Mapping{}, errNotIt
	}
	if b[3] != 0 {
		return Mapping{}, fmt.Errorf("%w: %s", ErrRefused, say(pcpResults[b[3]], uint16(b[3])))
	}
	m := Mapping{Lifetime: lifetime(b[4:])}
	m.External = netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[44:60])).Unmap(), binary.BigEndian.Uint16(b[42:]))
	return m, nil
}

// readExternal reads the address of the router (RFC 6886 section 3.2).
func readExternal(b []byte) (netip.AddrPort, error) {
	if len(b) < 4 || b[0] != 0 || b[1] != response {
		return netip.AddrPort{}, errNotIt
	}
	if err := pmpError(b); err != nil {
		return netip.AddrPort{}, err
	}
	if len(b) != 12 {
		return netip.AddrPort{}, errNotIt
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[8:12])), 0), nil
}

// pmpRequest asks for a port (RFC 6886 section 3.3).
func pmpRequest(p Protocol, port, want uint16, life time.Duration) []byte {
	b := []byte{0, pmpOp(p), 0, 0}
	b = binary.BigEndian.AppendUint16(b, port)
	b = binary.BigEndian.AppendUint16(b, want)
	return binary.BigEndian.AppendUint32(b, uint32(life/time.Second))
}

func pmpAnswer(b []byte, p Protocol, port uint16) (Mapping, error) {
	if len(b) < 4 || b[0] != 0 || b[1] != pmpOp(p)|response {
		return Mapping{}, errNotIt
	}
	if err := pmpError(b); err != nil {
		return Mapping{}, err
	}
	if len(b) != 16 || binary.BigEndian.Uint16(b[8:]) != port {
		return Mapping{}, errNotIt
	}
	return Mapping{External: netip.AddrPortFrom(netip.Addr{}, binary.BigEndian.Uint16(b[10:])), Lifetime: lifetime(b[12:])}, nil
}

func pmpOp(p Protocol) byte {
	if p == UDP {
		return 1
	}
	return 2
}

func pmpError(b []byte) error {
	if result := binary.BigEndian.Uint16(b[2:]); result != 0 {
		return fmt.Errorf("%w: %s", ErrRefused, say(pmpResults[result], result))
	}
	return nil
}

func say(text string, result uint16) string {
	if text == "" {
		return fmt.Sprint("result ", result)
	}
	return text
}

func lifetime(b []byte) time.Duration {
	return min(time.Duration(binary.BigEndian.Uint32(b))*time.Second, maxLifetime)
}
