//go:build linux

package bus

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/local"
	"github.com/tenon-net/tenon/transport/mem"
)

// A stranger speaks to a hub without a member's manners.
type stranger struct {
	transport.Stream
	r *bufio.Reader
}

func newStranger(t testing.TB, path string) *stranger {
	t.Helper()
	c, err := (&local.Unix{Path: path}).Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	s := &stranger{c.(transport.Stream), bufio.NewReader(c.(transport.Stream))}
	if _, err := expect(s.r, framePlace); err != nil {
		t.Fatal(err)
	}
	return s
}

// hello is that of a good member.
func goodHello() *hello {
	return &hello{secret: newSecret(), limits: limits{skipRule, 4, 1 << 20}}
}

// join becomes a member.
func (s *stranger) join(t testing.TB, h *hello) {
	t.Helper()
	s.Write(h.append(nil))
	if _, err := expect(s.r, frameWelcome); err != nil {
		t.Fatal(err)
	}
}

// Whatever a member does to the hub, the hub ends the connection or lives with it, and
// nobody else is harmed.
func TestHostileMembers(t *testing.T) {
	publish := func(oseq uint64, n int) []byte {
		return append(openPublish(nil, &own{oseq, false, make([]byte, n)}), make([]byte, n)...)
	}
	claim := func(s sort, n uint32) []byte { return append(binary.BigEndian.AppendUint32(nil, n), byte(s)) }
	bad := func(change func(*hello)) []byte {
		h := goodHello()
		change(h)
		return h.append(nil)
	}
	before := map[string][]byte{ // instead of a hello
		"nothing":              nil,
		"another protocol":     []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
		"half a head":          {0, 0, 0},
		"half a hello":         goodHello().append(nil)[:20],
		"an endless frame":     claim(frameHello, math.MaxUint32),
		"publishing at once":   publish(1, 10),
		"a rule of its own":    bad(func(h *hello) { h.limits.rule = 9 }),
		"no queue":             bad(func(h *hello) { h.limits.queue = 0 }),
		"too long a queue":     bad(func(h *hello) { h.limits.queue = maxQueue + 1 }),
		"too large a queue":    bad(func(h *hello) { h.limits.size = maxQueueSize + 1 }),
		"history without end":  bad(func(h *hello) { h.history = keepMsgs + 2 }),
		"history of no use":    append(bad(func(h *hello) { h.history, h.epoch = 1, 7 }), history(1, math.MaxUint64)...),
		"the secret of others": nil, // below
	}
	after := map[string][]byte{ // as a member
		"nothing":              nil,
		"a sort of the hub's":  numbers(nil, frameAck, 1, 2, 3),
		"an unknown sort":      claim(200, 0),
		"too long a message":   claim(framePublish, publishLen+MaxMsg+1),
		"too short a message":  append(claim(framePublish, 3), 1, 2, 3),
		"half a message":       publish(1, 1000)[:500],
		"the same twice":       append(publish(1, 10), publish(1, 10)...),
		"numbers out of order": append(publish(5, 10), publish(2, 10)...),
		"the last number":      append(publish(math.MaxUint64, 10), publish(1, 10)...),
		"farewell twice":       numbers(numbers(nil, frameEnd), frameEnd),
		"a flood":              bytes.Repeat(publish(1, 0), 10000),
	}
	p := at(t)
	first, second := member(t, patient(p)), member(t, patient(p))
	ok := func(name string) {
		t.Helper()
		say(t, first, "go on")
		for heard := ""; heard != "go on"; heard = hear(t, second) {
		}
		say(t, second, "so do you")
		for heard := ""; heard != "so do you"; heard = hear(t, first) {
		}
		if first.Lost()+second.Lost() > 0 || len(playing([]*Conn{first})) != 1 {
			t.Errorf("%s: %d and %d are lost", name, first.Lost(), second.Lost())
		}
	}
	ok("the beginning")
	goroutines := runtime.NumGoroutine()
	for _, leaves := range []bool{true, false} {
		for name, what := range before {
			s := newStranger(t, p)
			if name == "the secret of others" {
				second.mu.Lock()
				h := goodHello()
				h.secret = second.secret
				second.mu.Unlock()
				what = h.append(nil)
			}
			s.Write(what)
			if leaves {
				s.Close()
			}
			ok(name)
		}
		for name, what := range after {
			s := newStranger(t, p)
			s.join(t, goodHello())
			s.Write(what)
			if leaves {
				s.Close()
			}
			ok(name)
		}
	}
	eventually(t, "the end of their goroutines", func() bool {
		// Those who did nothing wrong and stay have two each: nothing, history of no
		// use, the same twice, numbers out of order, the last number, half a message,
		// farewell twice, a flood.
		return runtime.NumGoroutine() <= goroutines+2*8
	})
}

// history is a frame with one message of it.
func history(oseq, seq uint64) []byte {
	e := entry{seq: seq, origin: 77, oseq: oseq, data: []byte("forged")}
	return append(openMessage(nil, frameHistory, &e, 0), e.data...)
}

// A member that does not take anything any more costs the others nothing but what is
// kept for it, whatever it has asked for.
func TestDeafMember(t *testing.T) {
	p := at(t)
	publisher, reader := member(t, Bus{Name: p}), member(t, patient(p))
	for _, r := range []rule{skipRule, cutRule} {
		h := goodHello()
		h.limits = limits{r, maxQueue, maxQueueSize}
		newStranger(t, p).join(t, h)
	}
	const messages, size = 400, 256 << 10 // 100 MiB, and a queue may have 64
	done := start(func() error {
		for range messages {
			if err := publisher.WriteMsg(make([]byte, size), textMeta); err != nil {
				return err
			}
		}
		return nil
	})
	for range messages {
		if text := hear(t, reader); len(text) != size {
			t.Fatalf("heard %d bytes", len(text))
		}
	}
	if err := await(t, done, "publishing"); err != nil {
		t.Error(err)
	}
	hub := publisher.hub
	eventually(t, "forgetting", func() bool {
		hub.mu.Lock()
		defer hub.mu.Unlock()
		_, held := hub.journal.behind(hub.journal.first())
		return held <= maxQueueSize+keepSize && len(hub.peers) == 3
	})
}

// A hub that gathers believes a member what it tells of the past, as far as it fits,
// and not more.
func TestForgedHistory(t *testing.T) {
	h := &hub{gathering: true, journal: journal{epoch: 5, head: 10}}
	for _, e := range []entry{{seq: 0}, {seq: 9, oseq: 1}, {seq: 12, oseq: 1}, {seq: math.MaxUint64, oseq: 1}, {seq: 11, oseq: 0}} {
		h.adopt(5, e)
	}
	h.adopt(6, entry{seq: 11, oseq: 1})
	h.adopt(0, entry{seq: 11, oseq: 1})
	if h.journal.head != 10 {
		t.Errorf("the place is %d, want 10 still", h.journal.head)
	}
	h.adopt(5, entry{seq: 11, origin: 3, oseq: 4})
	if h.journal.head != 11 || h.journal.known(3) != 4 {
		t.Errorf("what fits was not taken: %+v", h.journal)
	}
	// Who was lied about says itself how much it has published.
	sec := newSecret()
	h.adopt(5, entry{seq: 12, origin: sec.origin(), oseq: 1 << 40})
	h.gathering = false
	if _, w, err := h.admit(nil, hello{secret: sec, own: 2, limits: limits{skipRule, 1, 1}}); err != nil || w.known != 2 {
		t.Errorf("welcome %+v, error %v; want 2 messages to be known", w, err)
	}
}

// FuzzHub is a member that says anything.
func FuzzHub(f *testing.F) {
	good := goodHello().append(nil)
	f.Add(good)
	f.Add(append(append([]byte{}, good...), append(openPublish(nil, &own{1, true, nil}), numbers(nil, frameEnd)...)...))
	h := goodHello()
	h.epoch, h.history = 5, 1
	f.Add(append(h.append(nil), history(1, 11)...))
	f.Add([]byte{255, 255, 255, 255, 2})
	f.Fuzz(func(t *testing.T, said []byte) {
		h := &hub{gathering: true, journal: journal{epoch: 5, head: 10}, quit: make(chan struct{}), opened: make(chan struct{}),
			flushed: make(chan struct{}), conns: map[transport.Conn]struct{}{}}
		near, far := mem.Pair()
		h.enter(near)
		go h.serve(near)
		answered := start(func() error { _, err := io.Copy(io.Discard, far); return err })
		go func() {
			far.Write(said)
			far.CloseWrite()
		}()
		h.open()
		h.running.Wait()
		if len(h.peers) != 0 || len(h.conns) != 0 {
			t.Error("the hub has not forgotten the member")
		}
		far.Close()
		<-answered
	})
}

// FuzzMember is a hub that says anything.
func FuzzMember(f *testing.F) {
	begin := (&place{epoch: 5, seq: 10, gathers: true}).append(nil)
	begin = (&welcome{epoch: 6, seq: 10, past: []span{{5, 10}}}).append(begin)
	msg := entry{seq: 11, origin: 3, oseq: 1, text: true, data: []byte("x")}
	f.Add(begin)
	f.Add(append(openMessage(append([]byte{}, begin...), frameMessage, &msg, 10), 'x'))
	f.Add(numbers(numbers(append([]byte{}, begin...), frameAck, 11, 10, 1), frameSkip, 100, 3, 2))
	f.Add(numbers(append([]byte{}, begin...), frameEnded))
	f.Add((&place{}).append(nil))
	f.Add(append(open((&place{}).append(nil), frameRefuse, 1), byte(refuseSlow)))
	f.Fuzz(func(t *testing.T, said []byte) {
		c := newConn(&Bus{Name: "x"})
		c.journal = journal{epoch: 5, head: 9}
		c.journal.add(entry{origin: c.origin, oseq: 1})
		c.out.last = 1
		c.out.put([]byte("mine"), true)
		near, far := mem.Pair()
		l := &link{conn: near, r: bufio.NewReader(near), gone: make(chan struct{})}
		heard := start(func() error { _, err := io.Copy(io.Discard, far); return err })
		go func() {
			far.Write(said)
			far.CloseWrite()
		}()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := c.greet(ctx, l)
		if err == nil {
			err = c.serve(ctx, l)
		}
		if err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("what the hub said has no end: %v", err)
		}
		near.Close()
		<-heard
		far.Close()
		if c.in.exceeded(len(c.in.waiting), c.in.held) {
			t.Errorf("%d messages wait, and there is room for %d", len(c.in.waiting), c.in.queue)
		}
	})
}
