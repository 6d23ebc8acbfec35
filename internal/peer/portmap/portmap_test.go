package portmap

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"
)

// fake is a router on loopback, which answers each request as it is told.
func fake(t *testing.T, answer func(request []byte, from netip.AddrPort) [][]byte) netip.AddrPort {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	t.Cleanup(func() { c.Close(); <-done }) //nolint:errcheck // nothing is lost
	go func() {
		defer close(done)
		b := make([]byte, 2000)
		for {
			n, from, err := c.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			for _, a := range answer(append([]byte(nil), b[:n]...), from) {
				c.WriteToUDPAddrPort(a, from) //nolint:errcheck // as on a network
			}
		}
	}()
	return c.LocalAddr().(*net.UDPAddr).AddrPort() //nolint:errcheck // it is one of UDP
}

// pmp answers as a router that speaks NAT-PMP only: it gives the port that is wanted,
// plus 1.
func pmp(b []byte, _ netip.AddrPort) [][]byte {
	switch {
	case b[0] != 0: // RFC 6886 section 3.5
		return [][]byte{{0, b[1] | 0x80, 0, 1, 0, 0, 0, 9}}
	case b[1] == 0:
		return [][]byte{{0, 0x80, 0, 0, 0, 0, 0, 9, 192, 0, 2, 7}}
	}
	a := append([]byte{0, b[1] | 0x80, 0, 0, 0, 0, 0, 9}, b[4:6]...)
	a = binary.BigEndian.AppendUint16(a, binary.BigEndian.Uint16(b[6:])+1)
	return [][]byte{append(a, b[8:12]...)}
}

// pcp answers as a router that speaks PCP only, and lets nobody have more than a minute.
func pcp(b []byte, _ netip.AddrPort) [][]byte {
	if b[0] != 2 {
		return nil
	}
	a := append([]byte(nil), b...)
	a[1] |= 0x80
	copy(a[8:24], make([]byte, 16))
	if b[1] == opMap {
		binary.BigEndian.PutUint32(a[4:], 60)
		ip := netip.MustParseAddr("192.0.2.8").As16()
		copy(a[44:], ip[:])
	}
	return [][]byte{a}
}

func TestMap(t *testing.T) {
	for name, test := range map[string]struct {
		answer func([]byte, netip.AddrPort) [][]byte
		want   Mapping
	}{
		"NAT-PMP": {pmp, Mapping{netip.MustParseAddrPort("192.0.2.7:4002"), Lifetime}},
		"PCP":     {pcp, Mapping{netip.MustParseAddrPort("192.0.2.8:4001"), time.Minute}},
	} {
		at := fake(t, test.answer)
		r, err := Discover(t.Context(), at)
		if err != nil || r.Protocol() != name {
			t.Fatal(name, err)
		}
		for _, p := range []Protocol{TCP, UDP} {
			m, err := r.Map(t.Context(), p, 4001, 4001)
			if err != nil || m != test.want {
				t.Errorf("%s %s: %+v, %v", name, p, m, err)
			}
			if err := r.Unmap(t.Context(), p, 4001); err != nil {
				t.Error(name, err)
			}
		}
	}
}

// Answers to other questions, of other lengths and from nowhere are not taken.
func TestStrayAnswers(t *testing.T) {
	for name, real := range map[string]func([]byte, netip.AddrPort) [][]byte{"NAT-PMP": pmp, "PCP": pcp} {
		at := fake(t, func(b []byte, from netip.AddrPort) [][]byte {
			good := real(b, from)
			if len(good) == 0 {
				return nil
			}
			all := [][]byte{{}, {0}, {0, 0x80}, {2, 0x81, 0, 0}, make([]byte, 12), make([]byte, 60), make([]byte, 1400)}
			for i := range good[0] {
				if name == "PCP" && i >= 24 && i < 42 || name == "NAT-PMP" && (i == 1 || i == 8 || i == 9) && len(good[0]) == 16 {
					changed := append([]byte(nil), good[0]...)
					changed[i] ^= 1
					all = append(all, changed)
				}
				if name == "PCP" || len(good[0]) != 16 || i > 8 {
					all = append(all, good[0][:min(i, 59)])
				}
			}
			return append(all, good[0])
		})
		r, err := Discover(t.Context(), at)
		if err != nil {
			t.Fatal(name, err)
		}
		m, err := r.Map(t.Context(), TCP, 4001, 4001)
		if err != nil || m.External.Addr().Is6() || m.External.Port()&^3 != 4000 {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}

func TestRefused(t *testing.T) {
	for name, result := range map[string]func([]byte, netip.AddrPort) [][]byte{
		"NAT-PMP": func(b []byte, from netip.AddrPort) [][]byte {
			a := pmp(b, from)
			if b[0] == 0 && b[1] != 0 {
				a[0][3] = 2
			}
			return a
		},
		"PCP": func(b []byte, from netip.AddrPort) [][]byte {
			a := pcp(b, from)
			if len(a) > 0 && b[1] == opMap {
				a[0][3] = 2
			}
			return a
		},
	} {
		r, err := Discover(t.Context(), fake(t, result))
		if err != nil {
			t.Fatal(name, err)
		}
		if _, err := r.Map(t.Context(), UDP, 4001, 4001); !errors.Is(err, ErrRefused) {
			t.Error(name, err)
		}
	}
}

func TestNoRouter(t *testing.T) {
	begin := time.Now()
	silent := fake(t, func([]byte, netip.AddrPort) [][]byte { return nil })
	if _, err := Discover(t.Context(), silent); !errors.Is(err, ErrNoRouter) || time.Since(begin) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(begin))
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	mine := errors.New("mine")
	time.AfterFunc(50*time.Millisecond, func() { cancel(mine) })
	begin = time.Now()
	if _, err := Discover(ctx, silent); !errors.Is(err, mine) || time.Since(begin) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(begin))
	}
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := c.LocalAddr().(*net.UDPAddr).AddrPort() //nolint:errcheck // it is one of UDP
	c.Close()                                         //nolint:errcheck // nothing is lost
	if _, err := Discover(t.Context(), nobody); !errors.Is(err, ErrNoRouter) {
		t.Error(err)
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add([]byte{0, 0x80, 0, 0, 0, 0, 0, 9, 192, 0, 2, 7})
	f.Add([]byte{0, 0x82, 0, 0, 0, 0, 0, 9, 0x0f, 0xa1, 0x0f, 0xa2, 0, 0, 4, 0})
	f.Add(pcp((&Router{}).mapRequest(netip.MustParseAddr("127.0.0.1"), TCP, 4001, 4001, Lifetime), netip.AddrPort{})[0])
	f.Fuzz(func(t *testing.T, b []byte) {
		readExternal(b) //nolint:errcheck // it must not panic
		for _, read := range []func([]byte, Protocol, uint16) (Mapping, error){(&Router{}).mapAnswer, pmpAnswer} {
			if m, err := read(b, TCP, 4001); err == nil && m.Lifetime > maxLifetime {
				t.Error(m)
			}
		}
	})
}
