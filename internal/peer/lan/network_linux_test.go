package lan

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// families are the ways in which two hosts can have addresses.
var families = map[string]func(a, b *host){
	"IPv4": func(a, b *host) {
		for i, h := range []*host{a, b} {
			h.run("sysctl -qw net.ipv6.conf.e0.disable_ipv6=1")
			h.ip("addr add 192.168.7.%d/24 dev e0", i+1)
		}
	},
	"IPv6": func(a, b *host) {
		for i, h := range []*host{a, b} {
			h.ip("addr add fd07::%d/64 dev e0 nodad", i+1)
		}
	},
	"IPv6 link-local": func(a, b *host) {},
	"both": func(a, b *host) {
		for i, h := range []*host{a, b} {
			h.ip("addr add 192.168.7.%d/24 dev e0", i+1)
			h.ip("addr add fd07::%d/64 dev e0 nodad", i+1)
		}
	},
}

func TestTwoHosts(t *testing.T) {
	for name, configure := range families {
		t.Run(name, func(t *testing.T) {
			alice, bob := newHost(t, "alice"), newHost(t, "bob")
			cable(alice, "e0", bob, "e0")
			configure(alice, bob)
			alice.do("node /tcp/4001+/udp/4001/quic-v1 bob carol")
			alice.wait("ready <nil>")
			bob.do("node /tcp/4002 carol alice")
			bob.wait("ready <nil>")
			t.Log("alice is at ", bob.wait("found alice at "))
			t.Log("bob is at ", alice.wait("found bob at "))

			alice.do("offer 7")
			alice.wait("offered <nil>")
			bob.do("join 7")
			words := strings.Fields(bob.wait("joined offerer "))
			t.Logf("paired over %s in %s ms", words[6], words[5])
			if ms, _ := strconv.Atoi(words[5]); ms >= 2000 { //nolint:errcheck // it is a number
				t.Errorf("pairing has taken %d ms", ms)
			}
			if got := alice.wait("paired joiner "); got != strings.Join(words[:5], " ") {
				t.Errorf("alice has %s, bob %s", got, words)
			}
			alice.do("withdraw")
			alice.wait("withdrawn <nil>")
			alice.do("close")
			alice.wait("closed")
			bob.wait("found alice at .")
		})
	}
}

// A joiner that is there first finds the offerer, too, and so does one on a network
// that comes up later.
func TestTheOffererComesLater(t *testing.T) {
	alice, bob := newHost(t, "alice"), newHost(t, "bob")
	for _, h := range []*host{alice, bob} {
		h.do("node /tcp/4001")
		h.wait("ready <nil>")
	}
	bob.do("join 7")
	alice.do("offer 7")
	alice.wait("offered <nil>")
	cable(alice, "e0", bob, "e0")
	families["both"](alice, bob)
	begin := time.Now()
	bob.wait("joined offerer ")
	t.Logf("%v after the cable was connected", time.Since(begin))
}

func TestChannelsThatOthersHave(t *testing.T) {
	alice, bob := newHost(t, "alice"), newHost(t, "bob")
	cable(alice, "e0", bob, "e0")
	families["IPv4"](alice, bob)
	for _, h := range []*host{alice, bob} {
		h.do("node /tcp/4001")
		h.wait("ready <nil>")
	}
	alice.do("offer 7")
	alice.do("offer 9")
	alice.wait("offered <nil>")
	alice.wait("offered <nil>")
	bob.do("channels")
	if got := bob.wait("channels "); got != "map[7:true 9:true] <nil>" {
		t.Error(got)
	}
}

// Linux lets a socket be a member of 20 groups.
func TestManyInterfaces(t *testing.T) {
	const interfaces = 32
	alice := newHost(t, "alice")
	bob := newHost(t, "bob")
	carol := newHost(t, "carol")
	var hers []string
	theirs := map[*host][]string{}
	for i := range interfaces {
		other := bob
		if i == interfaces-1 {
			other = carol
		}
		hers = append(hers, fmt.Sprintf("link add a%d type veth peer name b%d netns %d", i, i, other.cmd.Process.Pid),
			fmt.Sprintf("link set a%d up", i), fmt.Sprintf("addr add 10.0.%d.1/24 dev a%d", i, i))
		theirs[other] = append(theirs[other], fmt.Sprintf("link set b%d up", i), fmt.Sprintf("addr add 10.0.%d.2/24 dev b%d", i, i))
	}
	alice.batch(hers...)
	for other, lines := range theirs {
		other.batch(lines...)
	}
	alice.do("node /tcp/4001 bob carol")
	alice.wait("ready <nil>")
	carol.do("node /tcp/4002 alice")
	carol.wait("ready <nil>")
	t.Log("alice is at ", carol.wait("found alice at "))
	t.Log("carol is at ", alice.wait("found carol at "))
}

// A node on an interface that comes, goes and comes again is found each time.
func TestInterfacesChange(t *testing.T) {
	alice, bob := newHost(t, "alice"), newHost(t, "bob")
	alice.do("node /tcp/4001 bob")
	alice.wait("ready <nil>")
	bob.do("node /tcp/4002 alice")
	bob.wait("ready <nil>")
	for round := range 2 {
		cable(alice, "e0", bob, "e0")
		families["IPv4"](alice, bob)
		if round > 0 {
			alice.do("changed") // the system has told its owner
		}
		alice.wait("found bob at /ip4/192.168.7.2/tcp/4002.")
		bob.wait("found alice at /ip4/192.168.7.1/tcp/4001.")
		alice.ip("link del e0")
		alice.wait("found bob at .")
		bob.wait("found alice at .")
	}
}

// Two nodes of one machine find each other, with a network or without one.
func TestOneMachine(t *testing.T) {
	for _, networks := range []int{0, 1} {
		alice := newHost(t, "alice")
		if networks > 0 {
			cable(alice, "e0", newHost(t, "nobody"), "e0")
			alice.ip("addr add 192.168.7.1/24 dev e0")
		}
		bob := alice.beside("bob")
		alice.do("node /tcp/4001 bob")
		alice.wait("ready <nil>")
		bob.do("node /tcp/4002 alice")
		bob.wait("ready <nil>")
		t.Log("alice is at ", bob.wait("found alice at "))
		t.Log("bob is at ", alice.wait("found bob at "))
		alice.do("offer 7")
		alice.wait("offered <nil>")
		bob.do("join 7")
		bob.wait("joined offerer ")
	}
}

// Who has a share is found by who knows it, though the two know nothing of each other, and by nobody else.
func TestSharesOnTheNetwork(t *testing.T) {
	alice, bob := newHost(t, "alice"), newHost(t, "bob")
	cable(alice, "e0", bob, "e0")
	families["both"](alice, bob)
	alice.do("node /tcp/4001")
	alice.wait("ready <nil>")
	alice.do("has 1 2")
	alice.wait("shares 2")
	bob.do("node /tcp/4002")
	bob.wait("ready <nil>")
	for _, n := range []string{"3", "2"} {
		bob.do("wants " + n)
		bob.wait("seeks <nil>")
	}
	for range 3 { // as often as is asked at first
		if line := bob.wait("share "); !strings.HasPrefix(line, "2 of "+keyOf("alice").ID().String()+" at /ip") {
			t.Error(line)
		}
	}
}
