//go:build linux

package bus

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/local"
	"github.com/tenon-net/tenon/transport/transporttest"
)

func TestConformance(t *testing.T) {
	for name, first := range map[string]bool{"hub": true, "other": false} {
		t.Run(name, func(t *testing.T) {
			transporttest.Run(t, transporttest.Harness{
				Kind: Kinds()[0],
				Pair: func(t testing.TB) (transport.Conn, transport.Conn) {
					p := at(t)
					a, b := member(t, Bus{Name: p}), member(t, Bus{Name: p})
					if first {
						return a, b
					}
					return b, a
				},
				Endpoint:  func(t testing.TB) transport.Endpoint { return &Bus{Name: at(t)} },
				Addresses: []string{"bus:events", "bus:/run/app/events,slow=wait,queue=10,queue-size=64k,last=off", "bus:@events,allow-uid=0"},
				Bad: map[string]string{"bus:": "there is no name", "bus:x,slow=never": "slow: must be one of skip, cut, wait",
					"bus:x,queue=0": "queue: must be a whole number from 1 to 65536", "bus:x,queue-size=1G": "queue-size: must be at most 64M"},
				Options:  options(),
				Text:     true,
				Farewell: true,
				Ending: func(t testing.TB) (transport.Conn, transport.Conn) {
					p := at(t)
					a, b := member(t, Bus{Name: p}), member(t, Bus{Name: p})
					if !first {
						a, b = b, a
					}
					return a, taker{b, a}
				},
			})
		})
	}
}

// A taker is a member that has another one leave before it goes itself: a bus has no end
// for a member but its own farewell.
type taker struct {
	transport.MsgConn
	other transport.MsgConn
}

func (m taker) Close() error {
	return errors.Join(m.MsgConn.CloseWrite(), m.other.CloseWrite(), m.MsgConn.Close())
}

func options() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"queue":      func(t *testing.T) { testSkip(t, Bus{Queue: 4}, 4, 1) },
		"queue-size": func(t *testing.T) { testSkip(t, Bus{QueueSize: 4 * (1000 + entryCost)}, 4, 1000) },
		"slow":       testCut,
		"last": func(t *testing.T) {
			p := at(t)
			a := member(t, Bus{Name: p})
			say(t, a, "kept")
			wantHear(t, member(t, Bus{Name: p}), "kept")
			b := member(t, Bus{Name: p, Last: opt.Off})
			say(t, a, "new")
			wantHear(t, b, "new")
		},
		"mode": func(t *testing.T) {
			for want, a := range map[os.FileMode]local.Access{0o600: {}, 0o660: {Mode: 0o660}} {
				p := at(t)
				member(t, Bus{Name: p, Access: a})
				if fi, err := os.Stat(p); err != nil || fi.Mode().Perm() != want {
					t.Errorf("the socket has mode %v, error %v, want %v", fi.Mode(), err, want)
				}
			}
		},
		"user":  func(t *testing.T) { testOwner(t, local.Access{User: "1"}) },
		"group": func(t *testing.T) { testOwner(t, local.Access{Group: "1"}) },
		"unlink-close": func(t *testing.T) {
			p := at(t)
			member(t, Bus{Name: p}).Close()
			if _, err := os.Lstat(p); err == nil {
				t.Error("the last member has left the socket behind")
			}
			member(t, Bus{Name: p, Access: local.Access{Unlink: opt.Off}}).Close()
			if _, err := os.Lstat(p); err != nil {
				t.Errorf("with unlink-close=no: %v", err)
			}
		},
		"allow-uid": func(t *testing.T) { testAllow(t, local.Access{AllowUID: []string{"77777"}}) },
		"allow-gid": func(t *testing.T) { testAllow(t, local.Access{AllowGID: []string{"77777"}}) },
	}
}

func testOwner(t *testing.T, a local.Access) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	p := at(t)
	member(t, Bus{Name: p})
	before, _ := os.Stat(p)
	q := at(t)
	member(t, Bus{Name: q, Access: a})
	after, _ := os.Stat(q)
	if fmt.Sprint(before.Sys()) == fmt.Sprint(after.Sys()) {
		t.Error("the socket has the same owner as without the option")
	}
}

// testAllow checks that those who are not on the list are not taken in. The first
// member, too, comes to the hub as everybody does.
func testAllow(t *testing.T, a local.Access) {
	ctx, cancel := contextFor(t, time.Second)
	defer cancel()
	c, err := (&Bus{Name: at(t), Access: a}).Dial(ctx)
	if err == nil {
		c.Close()
		t.Error("this user is not allowed, and became a member")
	}
}

// A member that has said goodbye has ended both directions, what it has received can
// still be read, and the others go on.
func TestFarewellEndsBoth(t *testing.T) {
	ms := members(t, 3, Bus{Name: at(t), Last: opt.Off})
	if transport.HasEnded(ms[0]) {
		t.Error("it has ended before it has begun")
	}
	if err := ms[1].WriteMsg([]byte("before"), transport.Meta{}); err != nil {
		t.Fatal(err)
	}
	if err := ms[1].CloseWrite(); err != nil { // returns when all others have it
		t.Fatal(err)
	}
	if err := ms[0].CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if !transport.HasEnded(ms[0]) || !transport.HasEnded(ms[1]) || transport.HasEnded(ms[2]) {
		t.Errorf("ended: %v, %v and %v; want those that have said goodbye", transport.HasEnded(ms[0]), transport.HasEnded(ms[1]), transport.HasEnded(ms[2]))
	}
	if msg, _, err := ms[0].LendMsg(); string(msg) != "before" || err != nil {
		t.Errorf("what has arrived before is %q, %v", msg, err)
	}
	if _, _, err := ms[0].LendMsg(); err != io.EOF {
		t.Errorf("then comes %v, want io.EOF", err)
	}
}

func TestAllHearEachOtherInOneOrder(t *testing.T) {
	const n, each = 8, 200
	ms := members(t, n, patient(at(t)))
	last := map[uint32]uint32{}
	for i := range ms {
		last[uint32(i)] = each
	}
	var published []<-chan error
	var collected []<-chan []heard
	for i, c := range ms {
		published = append(published, start(func() error { return publishNumbered(c, uint32(i), 1, each, 100) }))
		others := map[uint32]uint32{}
		for who, last := range last {
			if who != uint32(i) {
				others[who] = last
			}
		}
		collected = append(collected, start(func() []heard {
			all, err := collectAll(c, others)
			if err != nil {
				t.Errorf("member %d: %v", i, err)
			}
			return all
		}))
	}
	for _, p := range published {
		if err := await(t, p, "publishing"); err != nil {
			t.Error(err)
		}
	}
	var orders [][]heard
	for _, c := range collected {
		orders = append(orders, await(t, c, "collecting"))
	}
	wantOneOrder(t, orders)
}

// wantOneOrder checks that any two heard what both heard in the same order.
func wantOneOrder(t *testing.T, orders [][]heard) {
	t.Helper()
	for i, a := range orders {
		in := map[heard]int{}
		for at, h := range a {
			in[h] = at
		}
		for k, b := range orders[:i] {
			last := -1
			for _, h := range b {
				if at, both := in[h]; both {
					if at < last {
						t.Fatalf("members %d and %d heard message %d of %d in different places", i, k, h.n, h.who)
					}
					last = at
				}
			}
		}
	}
}

func TestMessageSaysWhoAndWhat(t *testing.T) {
	ms := members(t, 2, Bus{Name: at(t)})
	if err := ms[1].WriteMsg([]byte("hello"), transport.Meta{Text: true}); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 10)
	n, m, err := ms[0].ReadMsg(p)
	if string(p[:n]) != "hello" || err != nil || !m.Text || m.From != ms[1].LocalAddr() {
		t.Errorf("heard %q, %+v, %v; want hello, text, from %v", p[:n], m, err, ms[1].LocalAddr())
	}
}

// The last message is given to each newcomer, also when who published it has left,
// and when the hub has; and it ends with the last member.
func TestLastValue(t *testing.T) {
	p := at(t)
	first, second := member(t, Bus{Name: p}), member(t, Bus{Name: p})
	wantSilence(t, first)
	publisher := member(t, Bus{Name: p})
	say(t, publisher, "one", "two")
	publisher.Close()
	wantHear(t, second, "one", "two")
	wantHear(t, member(t, Bus{Name: p}), "two")
	first.Close() // the hub
	wantHear(t, member(t, Bus{Name: p}), "two")
	alone := at(t)
	c := member(t, Bus{Name: alone})
	say(t, c, "gone with me")
	c.Close()
	wantSilence(t, member(t, Bus{Name: alone}))
}

// A member does not read the end of what it has heard until it has said farewell
// itself; and then at once.
func TestFarewell(t *testing.T) {
	p := at(t)
	ms := members(t, 3, Bus{Name: p})
	for i, c := range slices.Backward(ms) {
		say(t, c, "last words")
		begin := time.Now()
		if err := c.CloseWrite(); err != nil {
			t.Fatalf("member %d: CloseWrite: %v", i, err)
		}
		for _, other := range ms[:i] {
			wantHear(t, other, "last words")
		}
		for {
			if _, err := listenFor(c, patience); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("member %d: after CloseWrite: %v", i, err)
			}
		}
		if took := time.Since(begin); took > time.Second {
			t.Errorf("member %d: farewell took %v", i, took)
		}
	}
}

func TestCloseHandsOnWhatWasPublished(t *testing.T) {
	p := at(t)
	for _, role := range []string{"member", "hub"} {
		first, second := member(t, Bus{Name: p}), member(t, Bus{Name: p})
		from, to := second, first
		if role == "hub" {
			from, to = first, second
		}
		for n := range 200 {
			say(t, from, fmt.Sprint(n))
		}
		if err := from.Close(); err != nil {
			t.Errorf("%s: Close: %v", role, err)
		}
		for n := range 200 {
			wantHear(t, to, fmt.Sprint(n))
		}
		to.Close()
	}
}

func TestBadNamesAndPlaces(t *testing.T) {
	ctx, cancel := contextFor(t, patience)
	defer cancel()
	file := at(t)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"":                             "there is no name",
		strings.Repeat("x", 100):       "the name has",
		"/nonexistent/place/":          "is a directory",
		"/nonexistent/place/b":         "no such file",
		file:                           "file exists",
		"@" + strings.Repeat("y", 200): "the abstract name has",
	} {
		c, err := (&Bus{Name: name}).Dial(ctx)
		if err == nil {
			c.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: error %v, want one with %q", name, err, want)
		}
	}
}

// A program that is no bus is said to be none; one that says nothing is not waited
// for for ever.
func TestSomebodyElseListens(t *testing.T) {
	p := at(t)
	l, err := net.Listen("unix", p)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	answers := make(chan string, 1)
	go func() {
		for answer := range answers {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, answer)
		}
	}()
	defer close(answers)
	answers <- "220 example.org ESMTP\r\n"
	if _, err := (&Bus{Name: p}).Dial(t.Context()); !errors.Is(err, errFrame) {
		t.Errorf("a mail server: error %v, want errFrame", err)
	}
	answers <- string(place{}.withVersion(99))
	if _, err := (&Bus{Name: p}).Dial(t.Context()); err == nil || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("a later version: error %v", err)
	}
	answers <- ""
	ctx, cancel := contextFor(t, 100*time.Millisecond)
	defer cancel()
	if _, err := (&Bus{Name: p}).Dial(ctx); !errors.Is(err, ctx.Err()) || ctx.Err() == nil {
		t.Errorf("nothing: error %v, want that of the context", err)
	}
}
