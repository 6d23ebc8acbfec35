package natlab

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m, Helpers{"whoami": whoami}) }

// whoami asks a mirror over UDP who it is and prints the answer.
func whoami(args []string) error {
	c, err := net.Dial("udp", args[0])
	if err != nil {
		return err
	}
	defer c.Close()
	s, err := ask(c)
	fmt.Println(s)
	return err
}

// ask asks three times, for the laboratory may lose packets.
func ask(c net.Conn) (s string, err error) {
	b := make([]byte, 100)
	for range 3 {
		if _, err = c.Write([]byte("who")); err != nil {
			return "", err
		}
		_ = c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		var n int
		if n, err = c.Read(b); err == nil {
			return string(b[:n]), nil
		}
	}
	return "", err
}

// mirror is a server in the relay that tells everyone who they are.
func mirror(t *testing.T, h *Host, a netip.Addr, port uint16) netip.AddrPort {
	t.Helper()
	var c net.PacketConn
	var l net.Listener
	at := netip.AddrPortFrom(a, port)
	err := h.Do(func() (err error) {
		if c, err = net.ListenPacket("udp", at.String()); err == nil {
			l, err = net.Listen("tcp", at.String())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		b := make([]byte, 100)
		for {
			_, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = c.WriteTo([]byte(from.String()), from)
		}
	}()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintln(c, c.RemoteAddr())
			c.Close()
		}
	}()
	t.Cleanup(func() { c.Close(); l.Close() })
	return at
}

// dial opens a UDP socket in a host, from a port that is the same each time.
func udp(t *testing.T, h *Host, from uint16, to netip.AddrPort) net.Conn {
	t.Helper()
	var c net.Conn
	err := h.Do(func() (err error) {
		c, err = net.DialUDP("udp", &net.UDPAddr{Port: int(from)}, net.UDPAddrFromAddrPort(to))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func seen(t *testing.T, h *Host, from uint16, to netip.AddrPort) netip.AddrPort {
	t.Helper()
	c := udp(t, h, from, to)
	defer c.Close()
	s, err := ask(c)
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.MustParseAddrPort(s)
}

// TestKinds looks at every kind of router from outside: which port a host has towards
// two others, and who can send to it.
func TestKinds(t *testing.T) {
	lab := New(t)
	one, two := mirror(t, lab.Relay, lab.Relay.Addrs()[0], 4000), mirror(t, lab.Relay, lab.Relay.Addrs()[1], 4000)
	stranger := lab.Host("stranger", lab.Router(Public))
	for _, k := range Kinds {
		t.Run(string(k), func(t *testing.T) {
			r := lab.Router(k)
			h := lab.Host("h", r)
			a, b := seen(t, h, 5000, one), seen(t, h, 5000, two)
			switch {
			case k == UDPBlocked || k == TCPOnly:
				if a.IsValid() {
					t.Fatalf("UDP came back from %s", a)
				}
				return
			case !k.Translates():
				if a.Addr() != h.Addrs()[0] {
					t.Errorf("seen as %s, has %s", a, h.Addrs()[0])
				}
			case a.Addr() != r.WAN()[0]:
				t.Errorf("seen as %s, the router is %s", a, r.WAN()[0])
			}
			if same := a == b; same == k.Hard() {
				t.Errorf("seen as %s and as %s", a, b)
			}
			// A stranger sends; then the host has sent to the stranger's address, and he sends from another port.
			c := udp(t, h, 6000, one)
			if _, err := ask(c); err != nil {
				t.Fatal(err)
			}
			at := netip.MustParseAddrPort(must(ask(c)))
			c.Close()
			var open net.PacketConn
			if err := h.Do(func() (err error) { open, err = net.ListenPacket("udp4", ":6000"); return err }); err != nil {
				t.Fatal(err)
			}
			defer open.Close()
			if got, want := reaches(t, stranger, at, open), k == Public || k == FullCone; got != want {
				t.Errorf("a stranger gets through: %v", got)
			}
			_, _ = open.WriteTo([]byte("hi"), &net.UDPAddr{IP: stranger.Addrs()[0].AsSlice(), Port: 7777})
			if got, want := reaches(t, stranger, at, open), k == Public || k == FullCone || k == AddressCone; got != want {
				t.Errorf("a stranger whose address was sent to gets through: %v", got)
			}
		})
	}
}

func must(s string, err error) string {
	if err != nil {
		panic(err)
	}
	return s
}

func reaches(t *testing.T, from *Host, at netip.AddrPort, open net.PacketConn) bool {
	t.Helper()
	c := udp(t, from, 0, at)
	defer c.Close()
	_, _ = c.Write([]byte("knock"))
	_ = open.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	b := make([]byte, 10)
	for {
		n, _, err := open.ReadFrom(b)
		if err != nil {
			return false
		}
		if string(b[:n]) == "knock" {
			return true
		}
	}
}

func TestHelper(t *testing.T) {
	lab := New(t)
	for _, a := range lab.Relay.Addrs() {
		at := mirror(t, lab.Relay, a, 4000)
		h := lab.Host("h", lab.Router(Firewall))
		cmd := h.Helper("whoami", at.String())
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Start(cmd); err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(out)
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(strings.Trim(string(b), "["), h.Addrs()[0].String()) && !strings.Contains(string(b), h.Addrs()[1].String()) {
			t.Errorf("host %s is seen as %s", h.Addrs(), b)
		}
	}
}

func TestFamilies(t *testing.T) {
	lab := New(t)
	v4, v6 := mirror(t, lab.Relay, lab.Relay.Addrs()[0], 4000), mirror(t, lab.Relay, lab.Relay.Addrs()[2], 4000)
	h := lab.Host("h", nil)
	for _, f := range []Families{Dual, V4, V6, Dual} {
		for _, k := range []Kind{Public, Port, CarrierPort} {
			for _, nat6 := range []bool{false, true} {
				r := lab.RouterWith(RouterOptions{Kind: k, Families: f, NAT6: nat6})
				h.Plug(r)
				for range 2 {
					for _, to := range []netip.AddrPort{v4, v6} {
						has := to.Addr().Is4() && f != V6 || to.Addr().Is6() && f != V4
						if !has {
							if err := h.Do(func() error { _, err := net.Dial("udp", to.String()); return err }); err == nil {
								t.Errorf("%s: there is a way to %s", f, to)
							}
							continue
						}
						got := seen(t, h, 0, to).Addr()
						translated := k.Translates() && (to.Addr().Is4() || nat6)
						want := h.Addrs()[len(h.Addrs())-1]
						if to.Addr().Is4() {
							want = h.Addrs()[0]
						}
						if translated {
							want = r.WAN()[0]
							if to.Addr().Is6() {
								want = r.WAN()[len(r.WAN())-1]
							}
						}
						if got != want {
							t.Errorf("%s %s nat6=%v: seen as %s, want %s", k, f, nat6, got, want)
						}
					}
					r.Roam()
				}
			}
		}
	}
}

func TestCut(t *testing.T) {
	lab := New(t)
	at := mirror(t, lab.Relay, lab.Relay.Addrs()[0], 4000)
	r := lab.Router(Port)
	h := lab.Host("h", r)
	c := udp(t, h, 0, at)
	works := func(want bool) {
		t.Helper()
		if _, err := ask(c); (err == nil) != want {
			t.Errorf("works: %v (%v)", err == nil, err)
		}
	}
	works(true)
	r.Cut()
	works(false)
	r.Mend()
	works(true)
	h.Down()
	works(false)
	h.Up()
	works(true)
	h.AddDead(32)
	works(true)
}

func TestTimeouts(t *testing.T) {
	lab := New(t)
	at := mirror(t, lab.Relay, lab.Relay.Addrs()[0], 4000)
	r := lab.Router(Symmetric)
	r.Timeouts(time.Second)
	h := lab.Host("h", r)
	first := seen(t, h, 5000, at)
	time.Sleep(2500 * time.Millisecond) // the kernel forgets the mapping, and looks for those to forget now and then
	if again := seen(t, h, 5000, at); again == first {
		t.Error("the mapping is still there")
	}
}

func TestWire(t *testing.T) {
	w := Wire{Delay: 20 * time.Millisecond, Jitter: time.Millisecond}
	lab := NewWith(t, &w)
	r := lab.RouterWith(RouterOptions{Kind: Port, Wire: &w})
	h := lab.Host("h", r)
	for _, a := range []netip.Addr{lab.Relay.Addrs()[0], lab.Relay.Addrs()[2]} {
		at := mirror(t, lab.Relay, a, 4000)
		c := udp(t, h, 0, at)
		if _, err := ask(c); err != nil { // and the neighbours are known now
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := ask(c); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d < 80*time.Millisecond || d > 200*time.Millisecond {
			t.Errorf("a round trip took %v", d)
		}
		var tc net.Conn
		if err := h.Do(func() (err error) { tc, err = net.Dial("tcp", at.String()); return err }); err != nil {
			t.Fatal(err)
		}
		if s, err := bufio.NewReader(tc).ReadString('\n'); err != nil || s == "" {
			t.Errorf("TCP: %q, %v", s, err)
		}
		tc.Close()
	}
	c := udp(t, h, 0, mirror(t, lab.Relay, lab.Relay.Addrs()[1], 4000))
	r.SetWire(Wire{Loss: 100})
	if _, err := ask(c); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("all is lost, and yet: %v", err)
	}
	r.SetWire(Wire{Rate: 8 * 1000 * 10}) // 10 kB/s
	start := time.Now()
	big := make([]byte, 1000)
	for range 5 {
		_, _ = c.Write(big)
	}
	b := make([]byte, 100)
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	for range 5 {
		if _, err := c.Read(b); err != nil {
			t.Fatal(err)
		}
	}
	if d := time.Since(start); d < 400*time.Millisecond {
		t.Errorf("5 kB over 10 kB/s took %v", d)
	}
}

// TestReorder counts what overtakes.
func TestReorder(t *testing.T) {
	lab := New(t)
	r := lab.RouterWith(RouterOptions{Kind: Port, Wire: &Wire{Delay: 5 * time.Millisecond, Reorder: 20}})
	h := lab.Host("h", r)
	var sink net.PacketConn
	if err := lab.Relay.Do(func() (err error) {
		sink, err = net.ListenPacket("udp", lab.Relay.Addrs()[0].String()+":4000")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	c := udp(t, h, 0, netip.AddrPortFrom(lab.Relay.Addrs()[0], 4000))
	for i := range 200 {
		_, _ = c.Write([]byte{byte(i)})
		if i%10 == 0 {
			time.Sleep(time.Millisecond) // a paced sender
		}
	}
	_ = sink.SetReadDeadline(time.Now().Add(2 * time.Second))
	late, top, b := 0, -1, make([]byte, 10)
	for range 200 {
		if _, _, err := sink.ReadFrom(b); err != nil {
			t.Fatal(err)
		}
		if int(b[0]) < top {
			late++
		}
		top = max(top, int(b[0]))
	}
	if late == 0 {
		t.Error("nothing overtook")
	}
}

func TestNAT64(t *testing.T) {
	lab := New(t)
	at := mirror(t, lab.Relay, lab.Relay.Addrs()[0], 4000)
	r := lab.RouterWith(RouterOptions{Kind: Port, NAT64: true})
	h := lab.Host("h", r)
	if got := seen(t, h, 0, netip.AddrPortFrom(Through64(at.Addr()), 4000)); got.Addr() != r.WAN()[0] {
		t.Errorf("seen as %s", got)
	}
}

// TestSideBySide builds laboratories at the same time, which have all addresses in common.
func TestSideBySide(t *testing.T) {
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			lab := New(t)
			at := mirror(t, lab.Relay, lab.Relay.Addrs()[0], 4000)
			if r := lab.Router(Port); seen(t, lab.Host("h", r), 0, at).Addr() != r.WAN()[0] {
				t.Error("not seen")
			}
		})
	}
}

// No router gets an address of the relay, however many there are.
func TestNumbersOfRouters(t *testing.T) {
	relay := New(t).Relay.Addrs()
	seen := map[netip.Addr]bool{}
	for n := nextRouter(0); n <= maxRouter; n = nextRouter(n) {
		for _, a := range (&Router{n: n}).WAN() {
			if seen[a] || slices.Contains(relay, a) {
				t.Errorf("router %d has the address %v of another", n, a)
			}
			seen[a] = true
		}
	}
	if len(seen) < 2*200 {
		t.Errorf("%d addresses are not enough for every pair of kinds", len(seen))
	}
}
