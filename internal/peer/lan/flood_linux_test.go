package lan

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
)

// flood sends as fast as it can what nobody should, until stop is closed: rubbish,
// messages that are cut or changed, and services without number, on a channel that
// somebody seeks, too.
func flood(stop <-chan struct{}) {
	i, err := net.InterfaceByName("e0")
	if err != nil {
		panic(err)
	}
	s, err := listen()
	if err != nil {
		panic(err)
	}
	s.join(i)
	random := rand.New(rand.NewPCG(1, 2))
	for n := 0; ; n++ {
		select {
		case <-stop:
			s.close()
			return
		default:
		}
		x := service{typ: nodeType, name: newName(), port: uint16(n), ttl: ttl, text: []string{"v=1", "id=" + newName(), "at=/tcp/1 /tcp/2"}}
		if n%2 == 0 {
			x.typ, x.text = pairType, []string{"v=1", "channel=7"}
		}
		for range 6 {
			x.addrs = append(x.addrs, netip.AddrFrom4([4]byte{192, 168, 7, byte(random.Int())}))
		}
		b, err := answer(x)
		if err != nil {
			panic(err)
		}
		if n%5 == 0 {
			b = b[:1+random.IntN(len(b)-1)]
		}
		if n%7 == 0 {
			for range 10 {
				b[random.IntN(len(b))] ^= byte(random.Int())
			}
		}
		s.send(i, b)
	}
}

// Somebody on the network who floods it holds up neither pairing nor finding for long.
func TestFloodedNetwork(t *testing.T) {
	alice, bob, mallory, hub := newHost(t, "alice"), newHost(t, "bob"), newHost(t, "mallory"), newHost(t, "hub")
	hub.ip("link add name sw type bridge mcast_snooping 0")
	hub.ip("link set sw up")
	for i, h := range []*host{alice, bob, mallory} {
		cable(h, "e0", hub, "p"+strconv.Itoa(i))
		hub.ip("link set p%d master sw", i)
		h.ip("addr add 192.168.7.%d/24 dev e0", i+1)
	}
	mallory.do("flood")
	mallory.wait("floods")
	for h, other := range map[*host]string{alice: "bob", bob: "alice"} {
		h.do("node /tcp/4001 " + other)
		h.wait("ready <nil>")
	}
	begin := time.Now()
	bob.wait("found alice at ")
	alice.wait("found bob at ")
	t.Logf("both were found after %v", time.Since(begin))
	bob.do("channels")
	if got := bob.wait("channels "); got != "map[7:true] <nil>" {
		t.Errorf("the flood does not arrive: %s", got)
	}
	alice.do("offer 7")
	alice.wait("offered <nil>")
	bob.do("join 7")
	words := strings.Fields(bob.wait("joined offerer "))
	t.Logf("paired over %s in %s ms", words[6], words[5])
}
