package lan

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/tenon-net/tenon/internal/peer"
)

func example() service {
	return service{typ: nodeType, name: "abcdefghijkl2345", port: 4001, ttl: ttl,
		text:  []string{"v=1", "id=xyz", "at=/tcp/4001 /udp/4001/quic-v1"},
		addrs: []netip.Addr{netip.MustParseAddr("192.168.7.1"), netip.MustParseAddr("fd07::1")}}
}

func TestAnswerAndBack(t *testing.T) {
	for _, s := range []service{example(),
		{typ: pairType, name: "abcdefghijkl2345", port: 1, ttl: ttl, text: []string{"v=1", "channel=7"}},
		{typ: pairType, name: "abcdefghijkl2345", port: 1, text: []string{""}}} {
		b, err := answer(s)
		if err != nil {
			t.Fatal(err)
		}
		m, ok := parse(b)
		if !ok || !m.response || len(m.services) != 1 || !reflect.DeepEqual(m.services[0], s) {
			t.Errorf("%+v came back as %+v", s, m.services)
		}
	}
}

func TestQueryAndBack(t *testing.T) {
	known := service{typ: nodeType, name: "abcdefghijkl2345", ttl: ttl}
	b, err := query([]string{nodeType, pairType}, []service{known})
	if err != nil {
		t.Fatal(err)
	}
	m, ok := parse(b)
	if !ok || m.response || len(m.services) != 0 || !m.known[known.name] || strings.Join(m.asked, " ") != nodeType+" "+pairType {
		t.Errorf("%+v", m)
	}
}

// A service of other programs, a name that is none of ours, records of several messages.
func TestNotOurs(t *testing.T) {
	for name, change := range map[string]func(*dnsmessage.Message){
		"another type":      func(m *dnsmessage.Message) { rename(m, "_tenon._udp", "_ipp._tcp") },
		"another domain":    func(m *dnsmessage.Message) { rename(m, "local.", "example.") },
		"a name for people": func(m *dnsmessage.Message) { rename(m, "abcdefghijkl2345", "Alice's laptop") },
		"no SRV":            func(m *dnsmessage.Message) { m.Answers = append(m.Answers[:1], m.Answers[2:]...) },
		"another class": func(m *dnsmessage.Message) {
			for i := range m.Answers {
				m.Answers[i].Header.Class = dnsmessage.ClassCHAOS
			}
		},
		"an error": func(m *dnsmessage.Message) { m.RCode = dnsmessage.RCodeNameError },
		"a long TXT": func(m *dnsmessage.Message) {
			m.Answers[2].Body = &dnsmessage.TXTResource{TXT: []string{strings.Repeat("x", 255), strings.Repeat("x", 255), strings.Repeat("x", 255)}}
		},
	} {
		b, err := answer(example())
		if err != nil {
			t.Fatal(err)
		}
		var m dnsmessage.Message
		if err := m.Unpack(b); err != nil {
			t.Fatal(err)
		}
		change(&m)
		if b, err = m.Pack(); err != nil {
			t.Fatal(err)
		}
		if got, _ := parse(b); len(got.services) > 0 {
			t.Errorf("%s: %+v", name, got.services)
		}
	}
}

func rename(m *dnsmessage.Message, from, to string) {
	for i := range m.Answers {
		n := dnsmessage.MustNewName(strings.ReplaceAll(m.Answers[i].Header.Name.String(), from, to))
		m.Answers[i].Header.Name = n
		if p, ok := m.Answers[i].Body.(*dnsmessage.PTRResource); ok {
			p.PTR = dnsmessage.MustNewName(strings.ReplaceAll(p.PTR.String(), from, to))
		}
	}
}

// A message without end, as far as one can be.
func TestManyRecords(t *testing.T) {
	var m dnsmessage.Message
	m.Response = true
	for i := range 200 {
		s := example()
		s.name = fmt.Sprintf("abcdefghijkl%04d", 2222+i)
		s.name = strings.NewReplacer("0", "a", "1", "b", "8", "c", "9", "d").Replace(s.name)
		b, err := answer(s)
		if err != nil {
			t.Fatal(err)
		}
		var one dnsmessage.Message
		if err := one.Unpack(b); err != nil {
			t.Fatal(err)
		}
		m.Answers = append(m.Answers, one.Answers...)
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := parse(b); len(got.services) > maxServices {
		t.Errorf("%d services", len(got.services))
	}
}

func TestPorts(t *testing.T) {
	for text, want := range map[string]bool{
		"/tcp/4001": true, "/udp/4001/quic-v1": true, "/tcp/4001/ws": true, "/tcp/65535": true,
		"": false, "/tcp": false, "tcp/4001": false, "/tcp/0": false, "/tcp/65536": false, "/tcp/04001": false, "/tcp/-1": false,
		"/udp/4001": false, "/tcp/4001/p2p/x": false, "/tcp/4001/wss": false, "/sctp/1": false, "/tcp/4001/": false,
		"/tcp/4001\x1b[2J": false, "/tcp/99999999999999999999": false, "/ip4/1.2.3.4/tcp/1": false,
	} {
		if isPort(text) != want {
			t.Errorf("isPort(%q) = %v", text, !want)
		}
	}
	if got := readPorts("/tcp/1 /evil /udp/2/quic-v1  /tcp/3"); strings.Join(got, " ") != "/tcp/1 /udp/2/quic-v1 /tcp/3" {
		t.Error(got)
	}
	if got := readPorts(strings.Repeat("/tcp/1 ", 1000)); len(got) > maxPorts {
		t.Errorf("%d ports", len(got))
	}
}

// Who knows the ID recognises the tag; nobody else finds two of one peer alike.
func TestTag(t *testing.T) {
	alice, bob := keyID("alice"), keyID("bob")
	one, two := newName(), newName()
	if !isName(one) || one == two || tag(alice, one) == tag(alice, two) || tag(alice, one) == tag(bob, one) || !isName(tag(alice, one)) {
		t.Error(one, two, tag(alice, one))
	}
	if id, ok := recognise(tag(bob, one), one, []peer.ID{alice, bob}); !ok || id != bob {
		t.Error("bob is not recognised")
	}
	for _, wrong := range []string{tag(bob, two), "", strings.ToUpper(tag(bob, one)), tag(keyID("carol"), one)} {
		if _, ok := recognise(wrong, one, []peer.ID{alice, bob}); ok {
			t.Errorf("%q is recognised", wrong)
		}
	}
	if got := tag(peer.KeyFromSeed([32]byte{1}).ID(), "abcdefghijkl2345"); got != "qmgqdwsfo4sbjfpn" {
		t.Errorf("the tag of docs/protocol/lan.md is %s", got)
	}
}

func keyID(name string) peer.ID {
	var seed [32]byte
	copy(seed[:], name)
	return peer.KeyFromSeed(seed).ID()
}

func FuzzParse(f *testing.F) {
	for _, s := range []service{example(), {typ: pairType, name: "abcdefghijkl2345", port: 1, text: []string{"v=1", "channel=7"}}} {
		b, err := answer(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	b, err := query([]string{nodeType, pairType}, []service{example()})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	if b, err = (sought{20000, "abcdefghijkl2345", "2345abcdefghijkl"}).question(); err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	share := peer.FindKey{1}
	lan := newLAN(Config{Self: keyID("bob"), Ports: func() []string { return []string{"/tcp/1"} }, Shares: func() []peer.FindKey { return []peer.FindKey{share} }}, nil)
	lan.shareSeekers = []*shareSeeker{{key: share, asked: map[int]string{1: "abcdefghijkl2345"}, found: func(peer.ID, []string) {}}}
	k := &link{prefixes: []netip.Prefix{netip.MustParsePrefix("192.168.7.1/24"), netip.MustParsePrefix("fd07::1/64")}}
	k.Name, k.Index = "e0", 1
	src := netip.MustParseAddr("192.168.7.9")
	f.Fuzz(func(t *testing.T, b []byte) {
		m, ok := parse(b)
		if !ok {
			return
		}
		if len(m.services) > maxServices || len(m.asked) > 3 || len(m.sought) > maxServices || !m.response && len(m.services) > 0 {
			t.Fatalf("%+v", m)
		}
		lan.asks(k, src, m.sought)
		var tab table
		tab.init()
		for _, s := range m.services {
			if !isName(s.name) || len(s.addrs) > maxAddrs {
				t.Fatalf("%+v", s)
			}
			for _, a := range candidates(k, src, s) {
				if !k.has(a) {
					t.Fatalf("%v is somewhere else", a)
				}
			}
			lan.hearShare(k, src, s)
			tab.hear(k, src, s, func() []peer.ID { return []peer.ID{keyID("alice")} })
		}
		for _, e := range tab.entries {
			for _, a := range e.addrs {
				if strings.ContainsFunc(a, func(r rune) bool { return r <= ' ' || r > '~' }) {
					t.Fatalf("address %q", a)
				}
			}
		}
	})
}
