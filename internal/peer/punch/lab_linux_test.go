package punch

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/natlab"
	"github.com/tenon-net/tenon/transport"
)

var full = flag.Bool("natlab", false, "every pair of NATs, and a hundred birthdays: make natlab")

func TestMain(m *testing.M) {
	natlab.Main(m, natlab.Helpers{"observe": observe, "punch": punchOnce})
}

// stream is a TCP connection to the other side, through the relay.
type stream struct{ *net.TCPConn }

func (stream) Info() *transport.Info { return &transport.Info{Kind: "test"} }

// An attemptResult is what a helper prints.
type attemptResult struct {
	Direct  string // "udp", "tcp" or nothing
	Remote  string
	Took    time.Duration
	Class   string
	Probes  int
	Error   string
	Talked  bool
	Sockets int // that are left
}

// observe is the relay: observers at two ports of all addresses, and streams joined two by two.
func observe(args []string) error {
	o := NewObserver()
	for _, a := range args {
		for _, port := range []uint16{3478, 3479} {
			if _, err := o.Listen(netip.AddrPortFrom(netip.MustParseAddr(a), port)); err != nil {
				return err
			}
		}
	}
	l, err := net.Listen("tcp", ":443")
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for {
		a, err := l.Accept()
		if err != nil {
			return err
		}
		b, err := l.Accept()
		if err != nil {
			return err
		}
		first := make([]byte, 1)
		if _, err := a.Read(first); err != nil {
			return err
		}
		second := make([]byte, 1)
		if _, err := b.Read(second); err != nil {
			return err
		}
		splice := func(to, from *net.TCPConn) {
			_, _ = io.Copy(to, from)
			_ = to.CloseWrite()
		}
		// Both begin at once; what one says comes after the other's mark, so nothing is spliced before.
		_, _ = a.Write([]byte{'!'})
		_, _ = b.Write([]byte{'!'})
		go splice(a.(*net.TCPConn), b.(*net.TCPConn))
		go splice(b.(*net.TCPConn), a.(*net.TCPConn))
	}
}

// punchOnce makes one attempt: its arguments are the role, the relay and the observers.
func punchOnce(args []string) error {
	role, relay := args[0], args[1]
	c := Config{}
	for _, o := range args[2:] {
		c.Observers = append(c.Observers, netip.MustParseAddrPort(o))
	}
	conn, err := net.Dial("tcp", relay)
	if err != nil {
		return err
	}
	if _, err := conn.Write([]byte{'?'}); err != nil {
		return err
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return err
	}
	f := Accept
	if role == "opener" {
		f = Open
	}
	res, err := f(context.Background(), stream{conn.(*net.TCPConn)}, c)
	out := attemptResult{}
	var failed *Error
	switch {
	case errors.As(err, &failed):
		out.Error = err.Error()
		out.Took, out.Class, out.Probes = failed.Took, classes(failed.Mine), failed.Probes
	case res.UDP != nil:
		out.Direct, out.Remote = "udp", res.Remote.String()
		out.Talked = greetUDP(res.UDP, res.Remote)
	default:
		out.Direct, out.Remote = "tcp", res.TCP.RemoteAddr().String()
		out.Talked = greetTCP(res.TCP)
	}
	if res != nil {
		out.Took, out.Class, out.Probes = res.Took, classes(res.Mine), res.Probes
		closeResult(res)
	}
	out.Sockets = countSockets()
	return json.NewEncoder(os.Stdout).Encode(out)
}

func classes(v Views) string {
	var s []string
	for _, x := range v {
		s = append(s, x.Class.String())
	}
	return strings.Join(s, "/")
}

func countSockets() (n int) {
	es, _ := os.ReadDir("/proc/self/fd")
	for _, e := range es {
		if l, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(l, "socket:") {
			n++
		}
	}
	return n
}

// greetUDP sends and receives until both sides have heard both.
func greetUDP(c *net.UDPConn, to netip.AddrPort) bool {
	b := make([]byte, 100)
	heard := false
	for range 20 {
		word := "hello"
		if heard {
			word = "heard"
		}
		if _, err := c.WriteToUDPAddrPort([]byte(word), to); err != nil {
			return false
		}
		_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		for {
			n, from, err := c.ReadFromUDPAddrPort(b)
			if err != nil {
				break
			}
			if netip.AddrPortFrom(from.Addr().Unmap(), from.Port()) != to || b[0] == '*' {
				continue
			}
			heard = true
			if string(b[:n]) == "heard" {
				for range 3 {
					_, _ = c.WriteToUDPAddrPort([]byte("heard"), to)
				}
				return true
			}
		}
	}
	return false
}

func greetTCP(c net.Conn) bool {
	_ = c.SetDeadline(time.Now().Add(3 * time.Second))
	if _, err := c.Write([]byte("hello")); err != nil {
		return false
	}
	b := make([]byte, 5)
	_, err := io.ReadFull(c, b)
	return err == nil && string(b) == "hello"
}

// A place is a laboratory with a relay that observes.
type place struct {
	*natlab.Lab
	t testing.TB
}

func newPlace(t testing.TB) *place {
	p := &place{natlab.New(t), t}
	var args []string
	for _, a := range p.Relay.Addrs() {
		args = append(args, a.String())
	}
	cmd := p.Relay.Helper("observe", args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Relay.Start(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("the relay says %q, %v", line, err)
	}
	return p
}

// relayAt returns where a host finds the relay.
func (p *place) relayAt(h *natlab.Host) (signal string, observers []string) {
	for i, a := range p.Relay.Addrs() {
		for _, port := range []uint16{3478, 3479} {
			if i%2 == int(port)%2 { // one port at each address
				observers = append(observers, netip.AddrPortFrom(a, port).String())
			}
		}
	}
	a := p.Relay.Addrs()[0]
	if !h.Addrs()[0].Is4() {
		a = p.Relay.Addrs()[2]
	}
	return netip.AddrPortFrom(a, 443).String(), observers
}

func (p *place) start(h *natlab.Host, role string) (wait func() attemptResult) {
	p.t.Helper()
	signal, observers := p.relayAt(h)
	return p.startAt(h, role, signal, observers)
}

func (p *place) startAt(h *natlab.Host, role, signal string, observers []string) (wait func() attemptResult) {
	p.t.Helper()
	cmd := h.Helper("punch", append([]string{role, signal}, observers...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := h.Start(cmd); err != nil {
		p.t.Fatal(err)
	}
	return func() (r attemptResult) {
		err := json.NewDecoder(out).Decode(&r)
		if werr := cmd.Wait(); werr != nil || err != nil {
			p.t.Errorf("%s: %v, %v", h.Name, err, werr)
		}
		return r
	}
}

// attempt makes one between two hosts.
func (p *place) attempt(a, b *natlab.Host) (ra, rb attemptResult) {
	p.t.Helper()
	wa, wb := p.start(a, "opener"), p.start(b, "accepter")
	var wg sync.WaitGroup
	wg.Go(func() { rb = wb() })
	ra = wa()
	wg.Wait()
	if ra.Sockets > 0 || rb.Sockets > 0 {
		p.t.Errorf("sockets left: %d and %d", ra.Sockets, rb.Sockets)
	}
	return ra, rb
}

// expected says how a pair of kinds is to become direct: as a plain probe does, and by guessing.
func expected(a, b natlab.Kind) string {
	udp := func(k natlab.Kind) bool { return k != natlab.UDPBlocked && k != natlab.TCPOnly }
	openTo := func(k natlab.Kind) bool { return k == natlab.Public || k == natlab.FullCone }
	switch {
	case a == natlab.TCPOnly || b == natlab.TCPOnly:
		return "" // only ports 80 and 443 can be reached, and sockets of peers have others
	case udp(a) && udp(b):
		if a.Hard() && b.Hard() {
			return ""
		}
		return "udp"
	case a.Hard() && !openTo(b) || b.Hard() && !openTo(a):
		return ""
	}
	return "tcp"
}

// TestMatrix makes attempts between every pair of kinds, both ways round; or, in an ordinary run, between
// some that have something to say.
func TestMatrix(t *testing.T) {
	p := newPlace(t)
	wire := &natlab.Wire{Delay: 20 * time.Millisecond}
	pairs := [][2]natlab.Kind{
		{natlab.Public, natlab.Port}, {natlab.Port, natlab.Port}, {natlab.FullCone, natlab.Symmetric},
		{natlab.Port, natlab.UDPBlocked}, {natlab.CarrierPort, natlab.Symmetric},
	}
	if *full {
		pairs = nil
		for _, a := range natlab.Kinds {
			for _, b := range natlab.Kinds {
				pairs = append(pairs, [2]natlab.Kind{a, b})
			}
		}
	}
	hosts := map[string]*natlab.Host{}
	host := func(side string, k natlab.Kind) *natlab.Host {
		name := side + "-" + string(k)
		if hosts[name] == nil {
			hosts[name] = p.Host(name, p.RouterWith(natlab.RouterOptions{Kind: k, Families: natlab.V4, Wire: wire}))
		}
		return hosts[name]
	}
	var table strings.Builder
	for _, pair := range pairs {
		a, b := pair[0], pair[1]
		ra, rb := p.attempt(host("a", a), host("b", b))
		fmt.Fprintf(&table, "%-12s %-12s %-4s %5d ms  %4d probes  %s | %s %s\n", a, b, orNone(ra.Direct),
			max(ra.Took, rb.Took).Milliseconds(), ra.Probes+rb.Probes, ra.Class, rb.Class, ra.Error)
		want := expected(a, b)
		switch {
		case ra.Direct != rb.Direct:
			t.Errorf("%s to %s: %q at one side, %q at the other", a, b, ra.Direct, rb.Direct)
		case want != "" && ra.Direct == "":
			t.Errorf("%s to %s: %s, want %s", a, b, ra.Error, want)
		case ra.Direct != "" && !(ra.Talked && rb.Talked):
			t.Errorf("%s to %s: %s, over which nothing comes", a, b, ra.Direct)
		case want == "" && ra.Direct != "":
			t.Logf("%s to %s: %s, more than was hoped for", a, b, ra.Direct)
		}
	}
	t.Logf("at a round trip of 80 ms:\n%s", &table)
}

func orNone(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// TestIPv6 makes attempts where there is only IPv6, or it is translated, or only one side has IPv4.
func TestIPv6(t *testing.T) {
	p := newPlace(t)
	v6 := func(k natlab.Kind, nat6 bool) *natlab.Host {
		return p.Host("v6", p.RouterWith(natlab.RouterOptions{Kind: k, Families: natlab.V6, NAT6: nat6}))
	}
	dual := func(k natlab.Kind) *natlab.Host { return p.Host("dual", p.Router(k)) }
	for _, tc := range []struct {
		name string
		a, b *natlab.Host
		tcp  bool
	}{
		{"two firewalls", v6(natlab.Firewall, false), v6(natlab.Port, false), false},
		{"dual at one side", v6(natlab.Port, false), dual(natlab.Symmetric), false},
		{"both dual, hard IPv4", dual(natlab.Symmetric), dual(natlab.Symmetric), false},
		{"UDP blocked", v6(natlab.UDPBlocked, false), dual(natlab.Port), true},
		{"translated", v6(natlab.Port, true), v6(natlab.Port, true), false},
		{"translated, hard", v6(natlab.Symmetric, true), v6(natlab.Port, true), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ra, rb := p.attempt(tc.a, tc.b)
			if ra.Direct == "" || ra.Direct != rb.Direct || ra.Direct == "udp" && tc.tcp || !ra.Talked || !rb.Talked {
				t.Errorf("got %+v and %+v", ra, rb)
			}
			t.Logf("%s in %v, %s | %s", ra.Direct, ra.Took, ra.Class, rb.Class)
			if !strings.Contains(ra.Remote, "[") {
				t.Errorf("over %s, want IPv6", ra.Remote)
			}
		})
	}
}

// TestNAT64 has a host with IPv6 only, which is told the relay's IPv4 addresses, reach one with IPv4 only.
func TestNAT64(t *testing.T) {
	p := newPlace(t)
	for _, k := range []natlab.Kind{natlab.Port, natlab.UDPBlocked} {
		six := p.Host("six", p.RouterWith(natlab.RouterOptions{Kind: k, NAT64: true}))
		four := p.Host("four", p.RouterWith(natlab.RouterOptions{Kind: natlab.Port, Families: natlab.V4}))
		_, observers := p.relayAt(four)
		at := natlab.Through64(p.Relay.Addrs()[0])
		w := p.startAt(six, "opener", netip.AddrPortFrom(at, 443).String(), observers[:2])
		rb := p.start(four, "accepter")
		ra, b := w(), rb()
		if ra.Direct == "" || b.Direct == "" || !ra.Talked || !b.Talked {
			t.Errorf("%s: got %+v and %+v", k, ra, b)
		}
	}
}

// TestOneNetwork has two peers behind one router, who cannot reach each other from outside.
func TestOneNetwork(t *testing.T) {
	p := newPlace(t)
	r := p.Router(natlab.Symmetric)
	ra, rb := p.attempt(p.Host("a", r), p.Host("b", r))
	if ra.Direct == "" || rb.Direct == "" || !ra.Talked || !rb.Talked {
		t.Errorf("got %+v and %+v", ra, rb)
	}
}

// TestWorstLinks has delay, jitter, loss and reordering on one side's link, as in iroh's ladder.
func TestWorstLinks(t *testing.T) {
	p := newPlace(t)
	ms := time.Millisecond
	ladder := []natlab.Wire{
		{Delay: 10 * ms, Jitter: 5 * ms, Loss: 0.5},
		{Delay: 100 * ms, Jitter: 30 * ms, Loss: 3, Reorder: 3},
		{Delay: 200 * ms, Jitter: 60 * ms, Loss: 5, Reorder: 5},
		{Delay: 300 * ms, Jitter: 80 * ms, Loss: 8, Reorder: 8},
		{Delay: 500 * ms, Jitter: 100 * ms, Loss: 12, Reorder: 12},
		{Delay: 800 * ms, Jitter: 200 * ms, Loss: 20, Reorder: 20},
	}
	if !*full {
		ladder = ladder[1:2]
	}
	for _, w := range ladder {
		a := p.Host("a", p.RouterWith(natlab.RouterOptions{Kind: natlab.Port, Wire: &w}))
		b := p.Host("b", p.Router(natlab.Port))
		for _, ends := range [][2]*natlab.Host{{a, b}, {b, a}} {
			ra, rb := p.attempt(ends[0], ends[1])
			t.Logf("%v: %s %v, %s %v, %s", w, ra.Direct, ra.Took, rb.Direct, rb.Took, ra.Error)
			if ra.Direct == "" || rb.Direct == "" {
				t.Errorf("%v: %+v, %+v", w, ra, rb)
			}
		}
	}
}

// TestInterfaces has many interfaces that lead nowhere.
func TestInterfaces(t *testing.T) {
	p := newPlace(t)
	a, b := p.Host("a", p.Router(natlab.Port)), p.Host("b", p.Router(natlab.Port))
	for n := 1; n < 32; n *= 2 {
		a.AddDead(n) // and as many as there are
		if n < 4 {
			continue
		}
		for _, ends := range [][2]*natlab.Host{{a, b}, {b, a}} {
			if ra, rb := p.attempt(ends[0], ends[1]); ra.Direct == "" || rb.Direct == "" {
				t.Errorf("%d interfaces: %+v, %+v", 2*n, ra, rb)
			}
		}
	}
}

// TestBirthdays counts how often ports are guessed in time.
func TestBirthdays(t *testing.T) {
	runs, enough := 1, 1
	if *full {
		runs, enough = 100, 95
	}
	p := newPlace(t)
	wire := &natlab.Wire{Delay: 20 * time.Millisecond}
	easy := p.Host("easy", p.RouterWith(natlab.RouterOptions{Kind: natlab.Port, Wire: wire}))
	hard := p.Host("hard", p.RouterWith(natlab.RouterOptions{Kind: natlab.Symmetric, Families: natlab.V4, Wire: wire}))
	var took []time.Duration
	for i := range runs {
		ends := [2]*natlab.Host{easy, hard}
		ra, rb := p.attempt(ends[i%2], ends[1-i%2])
		if d := max(ra.Took, rb.Took); ra.Talked && rb.Talked && d <= 5*time.Second {
			took = append(took, d)
		} else {
			t.Logf("run %d: %+v, %+v", i, ra, rb)
		}
	}
	slices.Sort(took)
	if len(took) < enough {
		t.Fatalf("%d of %d within 5 s", len(took), runs)
	}
	t.Logf("%d of %d within 5 s, median %v, 95 of 100 within %v, longest %v", len(took), runs,
		took[len(took)/2], took[len(took)*95/100], took[len(took)-1])
}
