package swarm

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/natlab"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

var full = flag.Bool("natlab", false, "every pair of NATs: make natlab")

func TestMain(m *testing.M) {
	natlab.Main(m, natlab.Helpers{"relay": labRelay, "echo": labEcho, "ask": labAsk, "published": labPublished, "search": labSearch})
}

func everybody(peer.ID) peer.Admission { return peer.Known }

var everywhere = []string{"/ip4/0.0.0.0/tcp/%d", "/ip4/0.0.0.0/udp/%d/quic-v1", "/ip6/::/tcp/%d", "/ip6/::/udp/%d/quic-v1"}

func listenAt(port int) (at []string) {
	for _, a := range everywhere {
		at = append(at, fmt.Sprintf(a, port))
	}
	return at
}

// labRelay is a relay. It prints its ID.
func labRelay([]string) error {
	n, err := New(context.Background(), Config{Key: peer.NewKey(), Admit: everybody, Listen: listenAt(443)})
	if err != nil {
		return err
	}
	if _, err := n.ServeRelay(RelayConfig{}); err != nil {
		return err
	}
	fmt.Println(LibID(n.Self()))
	select {}
}

func labNet(relays []string) (*Network, error) {
	return New(context.Background(), Config{Key: peer.NewKey(), Admit: everybody, Listen: listenAt(0), Relays: relays,
		Events: func(e Event) {
			if os.Getenv("TENON_NATLAB_LOG") != "" {
				fmt.Fprintf(os.Stderr, "%s %+v\n", time.Now().Format("05.000"), e)
			}
		}})
}

// labEcho is a peer that can be reached through relays, and echoes. It prints its ID.
func labEcho(relays []string) error {
	n, err := labNet(relays)
	if err != nil {
		return err
	}
	n.Serve("echo", func(s transport.Stream) {
		_, _ = io.Copy(s, s)
		_ = s.CloseWrite()
	})
	for len(n.Reserved()) == 0 {
		<-n.LinksChanged()
	}
	fmt.Println(n.Self())
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, n.Close())
}

// A labAnswer is what a peer measures that turns to another.
type labAnswer struct {
	First, Direct time.Duration // to the first byte, and to a direct connection; 0 is never
	Addr          string        // of the direct connection
	Why           string
	Error         string
}

// labAsk turns to a peer, and waits for a direct connection. Its arguments are the peer and the relays.
func labAsk(args []string) error {
	to, err := peer.ParseID(args[0])
	if err != nil {
		return err
	}
	n, err := labNet(args[1:])
	if err != nil {
		return err
	}
	for len(n.Reserved()) == 0 {
		<-n.LinksChanged()
	}
	a := ask(n, to)
	return errors.Join(json.NewEncoder(os.Stdout).Encode(a), n.Close())
}

func ask(n *Network, to peer.ID) (a labAnswer) {
	start := time.Now()
	if err := echoed(n, to); err != nil {
		a.Error = err.Error()
		return a
	}
	a.First = time.Since(start)
	late := time.After(12 * time.Second)
	for {
		changed := n.LinksChanged()
		for l := range n.Links() {
			if l.Peer == to && l.Path == peer.Direct {
				a.Direct, a.Addr = time.Since(start), l.Addr
				if err := echoed(n, to); err != nil {
					a.Error = err.Error()
				}
				return a
			}
		}
		if r, ok := n.LastPunch(to); ok && r.Error != nil {
			a.Why = r.Error.Error()
			return a
		}
		select {
		case <-changed:
		case <-time.After(100 * time.Millisecond):
		case <-late:
			return a
		}
	}
}

// echoed sends something to a peer and waits until it comes back.
func echoed(n *Network, to peer.ID) error {
	s, err := n.Open(context.Background(), to, "echo")
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(s, "hello"); err != nil {
		return err
	}
	b := make([]byte, 5)
	if _, err := io.ReadFull(s, b); err != nil || string(b) != "hello" {
		return fmt.Errorf("%q: %w", b, err)
	}
	return nil
}

// A labPlace is a laboratory with a relay.
type labPlace struct {
	*natlab.Lab
	t     testing.TB
	relay string // its ID
}

func newLabPlace(t testing.TB) *labPlace {
	p := &labPlace{Lab: natlab.New(t), t: t}
	p.relay, _ = p.spawn(p.Relay, "relay")
	return p
}

// spawn starts a helper that lives until the end of the test, or until stop, and returns the line that it prints.
func (p *labPlace) spawn(h *natlab.Host, name string, args ...string) (line string, stop func()) {
	p.t.Helper()
	cmd := h.Helper(name, args...)
	out, err := cmd.StdoutPipe()
	if err == nil {
		_, err = cmd.StdinPipe() // its end stops the helper
	}
	if err == nil {
		err = h.Start(cmd)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	p.t.Cleanup(stop)
	line, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		p.t.Fatalf("%s: %v", name, err)
	}
	return strings.TrimSpace(line), stop
}

// relays returns the relay's addresses, for a host.
func (p *labPlace) relays() (at []string) {
	for _, a := range []netip.Addr{p.Relay.Addrs()[0], p.Relay.Addrs()[2]} {
		family := "ip4"
		if a.Is6() {
			family = "ip6"
		}
		at = append(at, fmt.Sprintf("/%s/%s/tcp/443/p2p/%s", family, a, p.relay), fmt.Sprintf("/%s/%s/udp/443/quic-v1/p2p/%s", family, a, p.relay))
	}
	return at
}

// ask has one host turn to another.
func (p *labPlace) ask(from, to *natlab.Host) (a labAnswer) {
	p.t.Helper()
	id, stop := p.spawn(to, "echo", p.relays()...)
	defer stop()
	line, stop2 := p.spawn(from, "ask", append([]string{id}, p.relays()...)...)
	defer stop2()
	if err := json.Unmarshal([]byte(line), &a); err != nil {
		p.t.Fatalf("%q: %v", line, err)
	}
	return a
}

// TestReach has every peer reach every other one, behind routers of every kind: direct where that is possible.
func TestReach(t *testing.T) {
	p := newLabPlace(t)
	wire := &natlab.Wire{Delay: 20 * time.Millisecond}
	kinds := []natlab.Kind{natlab.Public, natlab.Firewall, natlab.FullCone, natlab.AddressCone, natlab.Port, natlab.Symmetric,
		natlab.UDPBlocked, natlab.TCPOnly, natlab.CarrierPort, natlab.CarrierSym}
	pairs := [][2]natlab.Kind{{natlab.Port, natlab.Port}, {natlab.UDPBlocked, natlab.Port}, {natlab.Symmetric, natlab.Port}, {natlab.Symmetric, natlab.Symmetric}}
	if *full {
		pairs = nil
		for _, a := range kinds {
			for _, b := range kinds {
				pairs = append(pairs, [2]natlab.Kind{a, b})
			}
		}
	}
	hosts := map[string]*natlab.Host{}
	host := func(side string, k natlab.Kind) *natlab.Host {
		name := side + string(k)
		if hosts[name] == nil {
			hosts[name] = p.Host(name, p.RouterWith(natlab.RouterOptions{Kind: k, Families: natlab.V4, Wire: wire}))
		}
		return hosts[name]
	}
	var table strings.Builder
	for _, pair := range pairs {
		a := p.ask(host("a", pair[0]), host("b", pair[1]))
		fmt.Fprintf(&table, "%-12s %-12s first byte %4d ms  direct %5d ms  %s %s %s\n", pair[0], pair[1],
			a.First.Milliseconds(), a.Direct.Milliseconds(), a.Addr, a.Why, a.Error)
		if a.Error != "" {
			t.Errorf("%s to %s: %s", pair[0], pair[1], a.Error)
		}
		if want := canPunch(pair[0], pair[1]); want && a.Direct == 0 {
			t.Errorf("%s to %s: not direct: %s", pair[0], pair[1], a.Why)
		}
	}
	t.Logf("at a round trip of 80 ms:\n%s", &table)
}

// canPunch says which pairs become direct; see package punch.
func canPunch(a, b natlab.Kind) bool {
	noUDP := func(k natlab.Kind) bool { return k == natlab.UDPBlocked || k == natlab.TCPOnly }
	switch {
	case a == natlab.TCPOnly || b == natlab.TCPOnly, a.Hard() && b.Hard():
		return false
	case noUDP(a) || noUDP(b):
		return !a.Hard() && !b.Hard()
	}
	return true
}
