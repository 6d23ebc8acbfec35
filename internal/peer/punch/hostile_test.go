package punch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tenon-net/tenon/transport/mem"
)

// TestStrangers has somebody who knows no key send to the sockets of an attempt all the time, packets
// of the right form and copies of earlier ones among them.
func TestStrangers(t *testing.T) {
	_, at := observers(t, loop4)
	c := Config{Observers: at, Loopback: true, NoTCP: true}
	a, b := Gather(t.Context(), c), Gather(t.Context(), c)
	for _, s := range []*Sockets{a, b} {
		if s.udp[UDP6] != nil { // no way around the stranger
			s.udp[UDP6].conn.Close()
			s.udp[UDP6] = nil
		}
	}
	stranger, err := net.ListenUDP("udp4", &net.UDPAddr{IP: loop4.AsSlice()})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	done := make(chan struct{})
	stopped := make(chan struct{})
	ports := []uint16{a.udp[UDP4].port(), b.udp[UDP4].port()}
	go func() {
		defer close(stopped)
		wrong := newKey([16]byte{1}, [16]byte{2})
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			for _, p := range ports {
				to := netip.AddrPortFrom(loop4, p)
				for _, typ := range []byte{typeProbe, typeProbe + 1, typeEcho, typeEcho + 1, typeChosen} {
					_, _ = stranger.WriteToUDPAddrPort(wrong.packet(typ, id{byte(i)}), to)
				}
				_, _ = stranger.WriteToUDPAddrPort(bytes.Repeat([]byte{0xff}, i%1400), to)
			}
		}
	}()
	sa, sb := mem.Pair()
	other := make(chan *Result, 1)
	go func() {
		r, err := b.Accept(t.Context(), sb)
		if err != nil {
			t.Error(err)
		}
		other <- r
	}()
	ra, err := a.Open(t.Context(), sa)
	rb := <-other
	close(done)
	<-stopped
	if err != nil || rb == nil {
		t.Fatal(err)
	}
	defer closeResult(ra)
	defer closeResult(rb)
	if ra.Remote.Port() != ports[1] || rb.Remote.Port() != ports[0] {
		t.Errorf("%s and %s won, want ports %v", ra.Remote, rb.Remote, ports)
	}
}

// TestNonsense has the other side say what it should not. No attempt may last, or leave anything.
func TestNonsense(t *testing.T) {
	defer goleak.VerifyNone(t)
	frame := func(typ byte, n int, content []byte) []byte {
		return append(binary.BigEndian.AppendUint16([]byte{typ}, uint16(n)), content...)
	}
	begin := frame(frameBegin, 17, append([]byte{1}, make([]byte, 16)...))
	many := make([]byte, 5)
	many[4] = 255
	for name, says := range map[string][]byte{
		"nothing":             nil,
		"a long frame":        frame(frameBegin, 65535, nil),
		"another version":     frame(frameBegin, 17, append([]byte{9}, make([]byte, 16)...)),
		"go at once":          frame(frameGo, 0, nil),
		"no candidates":       append(begin, frame(frameHere, 0, nil)...),
		"too many candidates": append(begin, frame(frameHere, 5, many)...),
		"cut short":           begin[:5],
	} {
		t.Run(name, func(t *testing.T) {
			a, b := mem.Pair()
			go func() {
				_, _ = b.Write(says)
				_ = b.CloseWrite()
				_, _ = io.Copy(io.Discard, b)
				b.Close()
			}()
			start := time.Now()
			if r, err := Accept(t.Context(), a, Config{Loopback: true}); err == nil {
				closeResult(r)
				t.Error("it works")
			}
			if d := time.Since(start); d > 4*time.Second {
				t.Errorf("it took %v", d)
			}
		})
	}
}

// TestSilence has the other side read nothing and say nothing.
func TestSilence(t *testing.T) {
	defer goleak.VerifyNone(t)
	a, b := mem.Pair()
	defer b.Close()
	if _, err := Open(t.Context(), a, Config{Loopback: true, Wait: 200 * time.Millisecond}); !errors.Is(err, ErrFailed) {
		t.Errorf("got %v", err)
	}
}

// TestTargets tells apart what a peer may have us send to.
func TestTargets(t *testing.T) {
	cand := func(s string, seen bool) candidate {
		a := netip.MustParseAddrPort(s)
		w := UDP4
		if a.Addr().Is6() {
			w = UDP6
		}
		return candidate{w, seen, a}
	}
	mine := here{cands: []candidate{cand("20.0.0.1:5000", true), cand("192.168.1.2:5000", false)}}
	for _, tc := range []struct {
		theirs []candidate
		want   int
	}{
		{[]candidate{cand("20.0.0.2:5000", true)}, 1},
		{[]candidate{cand("20.0.0.2:53", true)}, 0},                                           // a service
		{[]candidate{cand("127.0.0.1:5000", true), cand("[::1]:5000", true)}, 0},              // this machine
		{[]candidate{cand("224.0.0.1:5000", true), cand("[ff02::1]:5000", true)}, 0},          // many
		{[]candidate{cand("0.0.0.0:5000", false), cand("255.255.255.255:5000", false)}, 0},    // nobody, everybody
		{[]candidate{cand("169.254.169.254:5000", false), cand("[fe80::1]:5000", false)}, 0},  // a cloud's secrets
		{[]candidate{cand("20.0.0.2:5000", true), cand("192.168.1.3:5000", false)}, 1},        // in a network elsewhere
		{[]candidate{cand("20.0.0.1:6000", true), cand("192.168.1.3:5000", false)}, 2},        // in ours
		{[]candidate{cand("192.168.1.3:5000", false), cand("100.64.0.1:5000", false)}, 0},     // says that it has no outside
		{[]candidate{cand("[64:ff9b::a00:1]:5000", false), cand("[2a0e::1]:5000", false)}, 1}, // by NAT64 into a network
	} {
		if got := targets(mine, here{cands: tc.theirs}, Config{}); len(got) != tc.want {
			t.Errorf("%v: %v", tc.theirs, got)
		}
	}
}

// TestObserver sends to an observer what gets no answer, and checks that no answer is longer than its question.
func TestObserver(t *testing.T) {
	o, at := observers(t, loop4)
	c, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(at[0]))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	q := question(nonce{1, 2, 3})
	for _, bad := range [][]byte{nil, q[:47], append(q[:48:48], 0), make([]byte, 48), answer(nonce{}, at[0])} {
		if _, err := c.Write(bad); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Write(q); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 2000)
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	n, err := c.Read(b)
	if err != nil || n > len(q) {
		t.Fatalf("an answer of %d bytes, %v", n, err)
	}
	if got, seen, ok := parseAnswer(b[:n]); !ok || got != (nonce{1, 2, 3}) || seen.String() != c.LocalAddr().String() {
		t.Errorf("got %v, %s, %v", got, seen, ok)
	}
	_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)) // nothing else comes
	if n, err := c.Read(b); err == nil {
		t.Errorf("another answer of %d bytes", n)
	}
	o.Close()
	if _, err := o.Listen(at[0]); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestAnswer(t *testing.T) {
	for _, s := range []string{"20.0.0.1:1", "[2a0e::1]:65535", "[::ffff:20.0.0.1]:7"} {
		a := netip.MustParseAddrPort(s)
		b := answer(nonce{9, 8, 7}, a)
		if _, got, ok := parseAnswer(b); !ok || got != netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) {
			t.Errorf("%s: %s %v", s, got, ok)
		}
		if bytes.Contains(b, a.Addr().Unmap().AsSlice()) {
			t.Errorf("%s stands in the answer, where NATs find it", s)
		}
	}
}

func FuzzHere(f *testing.F) {
	f.Add(here{cands: []candidate{{UDP4, true, netip.MustParseAddrPort("20.0.0.1:5000")}, {TCP6, false, netip.MustParseAddrPort("[2a0e::1]:5000")}}}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHere(b)
		if err != nil {
			return
		}
		if len(h.cands) > maxCandidates {
			t.Fatalf("%d candidates", len(h.cands))
		}
		again, err := parseHere(h.encode())
		if err != nil || len(again.cands) != len(h.cands) || again.class != h.class {
			t.Fatalf("%v became %v, %v", h, again, err)
		}
		for _, c := range targets(here{}, h, Config{}) {
			if c.addr.Port() < minPort || !usable(c.addr.Addr(), false) {
				t.Fatalf("aims at %v", c)
			}
		}
	})
}

func FuzzPackets(f *testing.F) {
	k := newKey([16]byte{1}, [16]byte{2})
	f.Add(k.packet(typeProbe, id{1}))
	f.Add(answer(nonce{1}, netip.MustParseAddrPort("20.0.0.1:5000")))
	f.Add(question(nonce{1}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if typ, n, ok := k.open(b); ok && !bytes.Equal(k.packet(typ, n), b) {
			t.Fatalf("%x is taken", b)
		}
		parseAnswer(b)
		if n, ok := parseQuestion(b); ok && len(answer(n, netip.AddrPortFrom(loop6, 1))) > len(b) {
			t.Fatal("an answer longer than its question")
		}
	})
}

func TestClassify(t *testing.T) {
	ap := netip.MustParseAddrPort
	local, a, b := ap("10.0.0.2:5000"), ap("20.0.0.1:5000"), ap("20.0.0.1:6000")
	for _, tc := range []struct {
		seen  []netip.AddrPort
		asked int
		want  Class
	}{
		{nil, 0, Unknown}, {nil, 2, Blocked}, {[]netip.AddrPort{a}, 2, Unknown}, {[]netip.AddrPort{a, a}, 2, Easy},
		{[]netip.AddrPort{a, b}, 2, Hard}, {[]netip.AddrPort{local, local}, 2, NoNAT},
	} {
		if got := classify(local, tc.seen, tc.asked); got.Class != tc.want {
			t.Errorf("%v of %d: %s, want %s", tc.seen, tc.asked, got.Class, tc.want)
		}
	}
}

// TestPace checks that no port is tried twice.
func TestPace(t *testing.T) {
	seen := map[int]bool{}
	p := pace()
	for i := range guessProbes {
		port := minPort + (7+i*p)%ports
		if port < minPort || port > 65535 || seen[port] {
			t.Fatalf("port %d, step %d", port, p)
		}
		seen[port] = true
	}
}
