package swarm

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	circuit "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/marcopolo/simnet"

	"github.com/tenon-net/tenon/internal/peer"
)

var scale = flag.Int("scale", 20, "nodes in TestScale: make scale")

// scaleRelays is one relay for so many nodes, up to a number: every node has to do with
// each of them.
const (
	scaleRelays    = 25
	mostScaleRelay = 8
)

// A world is a simulated network, in virtual time.
type world struct {
	net     *simnet.Simnet
	packets atomic.Int64
	next    int
	relays  sync.Map   // the IDs of those that nobody knows otherwise
	joining sync.Mutex // for NewEndpoint, which has none
}

func (w *world) node(t *testing.T, change func(*Config)) *Network {
	t.Helper()
	w.next++
	ip := simnet.IntToPublicIPv4(w.next)
	at := &net.UDPAddr{IP: ip, Port: 4001}
	link := simnet.LinkSettings{BitsPerSecond: 100 * simnet.Mibps}
	c := Config{Key: peer.NewKey(), Admit: w.admit, NoPunch: true,
		Listen: []string{fmt.Sprintf("/ip4/%s/udp/4001/quic-v1", ip)}, Discovery: PrivateDiscovery,
		packets: func(*net.UDPAddr) (net.PacketConn, error) {
			w.joining.Lock()
			defer w.joining.Unlock()
			return w.net.NewEndpoint(at, simnet.NodeBiDiLinkSettings{Downlink: link, Uplink: link}), nil
		}}
	change(&c)
	n, err := New(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// newWorld makes a network in which everything takes 25 ms.
func newWorld() *world {
	w := new(world)
	w.net = &simnet.Simnet{LatencyFunc: func(*simnet.Packet) time.Duration {
		w.packets.Add(1)
		return 25 * time.Millisecond
	}}
	w.net.Start()
	return w
}

func (w *world) admit(id peer.ID) peer.Admission {
	if _, ok := w.relays.Load(id); ok {
		return peer.Refused
	}
	return peer.Known
}

// Many nodes, of which every other one is reached through a relay only, find each other
// in the table by nothing but their IDs.
func TestScale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		var all []*Network
		var at []string
		for range min(max(2, *scale/scaleRelays), mostScaleRelay) {
			r := w.node(t, func(c *Config) { c.DiscoveryServer, c.Bootstrap = true, slices.Clone(at[:min(1, len(at))]) })
			resources := circuit.DefaultResources()
			resources.Limit, resources.MaxCircuits, resources.MaxReservationsPerASN = nil, 1000, 1000
			service, err := circuit.New(r.host, circuit.WithResources(resources))
			if err != nil {
				t.Fatal(err)
			}
			defer service.Close() //nolint:errcheck // it returns nil
			w.relays.Store(r.Self(), true)
			at = append(at, r.Addrs()[0]+"/p2p/"+LibID(r.Self()))
			all = append(all, r)
		}
		var nodes []*Network
		for i := range *scale {
			n := w.node(t, func(c *Config) {
				c.Bootstrap = []string{at[i%len(at)]}
				if i%2 == 1 {
					c.Listen, c.Relays = nil, []string{at[i%len(at)]}
				}
			})
			n.Serve("echo", echo)
			nodes = append(nodes, n)
		}
		all = append(all, nodes...)
		time.Sleep(30 * time.Second) // virtual: until all have said where they are
		began := w.packets.Load()
		var mu sync.Mutex
		var took []time.Duration
		var wg sync.WaitGroup
		for i, n := range nodes {
			for _, step := range []int{1, *scale / 2} {
				wg.Go(func() {
					begin := time.Now()
					to := nodes[(i+step)%len(nodes)]
					if err := echoOnce(n, to.Self()); err != nil {
						t.Errorf("%d to %d: %v", i, (i+step)%len(nodes), err)
						return
					}
					mu.Lock()
					defer mu.Unlock()
					took = append(took, time.Since(begin))
				})
			}
		}
		wg.Wait()
		slices.Sort(took)
		if len(took) > 0 {
			t.Logf("%d nodes: first byte after %v (median), %v (99 of 100), %v (all); %d packets for each, and %d before", *scale,
				took[len(took)/2], took[len(took)*99/100], took[len(took)-1], (w.packets.Load()-began)/int64(len(took)), began/int64(len(all)))
		}
		for _, n := range all {
			wg.Go(func() { n.Close() }) //nolint:errcheck // it returns nil
		}
		wg.Wait()
		w.net.Close()
	})
}

// echoOnce sends something and waits until it comes back.
func echoOnce(n *Network, to peer.ID) error {
	s, err := n.Open(context.Background(), to, "echo")
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // it returns nil
	if _, err := io.WriteString(s, "hello"); err != nil {
		return err
	}
	b := make([]byte, 5)
	_, err = io.ReadFull(s, b)
	return err
}

// Who takes part in the table has a stream open with everybody who keeps it. Those are not
// pinged as if something went on.
func TestTheTableIsQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		server := w.node(t, func(c *Config) { c.DiscoveryServer = true })
		all := []*Network{server}
		for range 2 {
			all = append(all, w.node(t, func(c *Config) { c.Bootstrap = []string{server.Addrs()[0] + "/p2p/" + LibID(server.Self())} }))
		}
		time.Sleep(10 * time.Second) // virtual: until all have said where they are
		began, streams := w.packets.Load(), 0
		for _, c := range server.swarm.Conns() {
			streams += c.Stat().NumStreams
		}
		const idle = 4 * pingIdle                                               // less than the table keeps the streams
		time.Sleep(idle)                                                        // virtual
		most := int64(len(server.swarm.Conns())) * int64(idle/pingIdle) * 2 * 6 // both sides; a ping is two packets, with some acknowledgements
		if n := w.packets.Load() - began; n > most || streams < 4 {
			t.Errorf("%d packets in %v on %d connections with %d streams, of at most %d", n, idle, len(server.swarm.Conns()), streams, most)
		}
		for _, n := range all {
			n.Close() //nolint:errcheck // it returns nil
		}
		w.net.Close()
	})
}
