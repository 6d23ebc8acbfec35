package wslayer_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
	"github.com/tenon-net/tenon/transport/wslayer"
)

// statuses are what one side says, what the other side hears, and whether that is a
// clean end.
var statuses = []struct {
	say, hear transport.CloseStatus
	clean     bool
}{
	{transport.CloseStatus{}, transport.CloseStatus{Code: 1000}, true},
	{transport.CloseStatus{Code: 1000, Reason: "enough"}, transport.CloseStatus{Code: 1000, Reason: "enough"}, true},
	{transport.CloseStatus{Code: 1001, Reason: "bye"}, transport.CloseStatus{Code: 1001, Reason: "bye"}, true},
	{transport.CloseStatus{Code: 1005, Reason: "lost"}, transport.CloseStatus{Code: 1005}, true},
	{transport.CloseStatus{Code: 1011, Reason: "x"}, transport.CloseStatus{Code: 1011, Reason: "x"}, false},
	{transport.CloseStatus{Code: 3000}, transport.CloseStatus{Code: 3000}, false},
	{transport.CloseStatus{Code: 4001, Reason: "token expired"}, transport.CloseStatus{Code: 4001, Reason: "token expired"}, false},
	{transport.CloseStatus{Code: 4999, Reason: "grüße"}, transport.CloseStatus{Code: 4999, Reason: "grüße"}, false},

	// What must not be sent.
	{transport.CloseStatus{Code: 1006}, transport.CloseStatus{Code: 1011}, false},
	{transport.CloseStatus{Code: 1015, Reason: "r"}, transport.CloseStatus{Code: 1011, Reason: "r"}, false},
	{transport.CloseStatus{Code: 1004}, transport.CloseStatus{Code: 1011}, false},
	{transport.CloseStatus{Code: 999}, transport.CloseStatus{Code: 1011}, false},
	{transport.CloseStatus{Code: 2000}, transport.CloseStatus{Code: 1011}, false},
	{transport.CloseStatus{Code: 5000}, transport.CloseStatus{Code: 1011}, false},
	{transport.CloseStatus{Code: 1000 + 1<<16}, transport.CloseStatus{Code: 1011}, false},
	{transport.CloseStatus{Code: 4000, Reason: strings.Repeat("€", 50)}, transport.CloseStatus{Code: 4000, Reason: strings.Repeat("€", 41)}, false},
	{transport.CloseStatus{Code: 4000, Reason: strings.Repeat("x", 200)}, transport.CloseStatus{Code: 4000, Reason: strings.Repeat("x", 123)}, false},
	{transport.CloseStatus{Code: 4000, Reason: "a\xffb"}, transport.CloseStatus{Code: 4000, Reason: "a\uFFFDb"}, false},
}

// TestCloseStatus closes from either side, in each way there is, with each status.
func TestCloseStatus(t *testing.T) {
	for _, way := range []string{"CloseWrite", "Close", "Abort"} {
		for _, s := range statuses {
			t.Run(fmt.Sprintf("%s %d", way, s.say.Code), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := &wslayer.Layer{CloseTimeout: time.Hour}
					c, srv := pair(t, l, l)
					testStatus(t, way, c, srv, s.say, s.hear, s.clean)
					c, srv = pair(t, l, l)
					testStatus(t, way, srv, c, s.say, s.hear, s.clean)
				})
			})
		}
	}
}

func testStatus(t *testing.T, way string, from, to *wslayer.Conn, say, hear transport.CloseStatus, clean bool) {
	t.Helper()
	var closing sync.WaitGroup
	defer closing.Wait()
	from.SetCloseStatus(say)
	var err error
	switch way {
	case "CloseWrite":
		if err = from.CloseWrite(); err == nil {
			err = from.CloseWrite() // twice
		}
		defer func() { closing.Go(func() { from.Close() }) }()
	case "Close":
		closing.Go(func() { from.Close() })
	case "Abort":
		closing.Go(func() { from.Abort(errors.New("the other end failed")) })
	}
	defer func() { closing.Go(func() { to.Close() }) }()
	if err != nil {
		t.Fatalf("%s: %v", way, err)
	}
	p := make([]byte, 10)
	_, _, err = to.ReadMsg(p)
	if closed := new(wslayer.CloseError); clean && err != io.EOF || !clean && (!errors.As(err, &closed) ||
		uint64(closed.Status) != hear.Code || closed.Reason != hear.Reason) {
		t.Errorf("the other side reads %v, want status %d with %q", err, hear.Code, hear.Reason)
	}
	if got, ok := to.CloseStatus(); !ok || got != hear || !transport.HasEnded(to) {
		t.Errorf("the other side has status %+v, %v and has ended: %v; want %+v", got, ok, transport.HasEnded(to), hear)
	}
	if err := to.WriteMsg([]byte("x"), transport.Meta{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the other side writes after the end: %v, want io.ErrClosedPipe", err)
	}
	if way != "CloseWrite" {
		return
	}
	if err := from.WriteMsg([]byte("x"), transport.Meta{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a write after CloseWrite: %v, want io.ErrClosedPipe", err)
	}
	if _, _, err := from.ReadMsg(p); err != io.EOF || !transport.HasEnded(from) {
		t.Errorf("after CloseWrite, the answer is read as %v, has ended: %v; want io.EOF", err, transport.HasEnded(from))
	}
}

// A status that is chosen after the close frame was sent changes nothing, and one
// side that only listens has none.
func TestCloseStatusIsChosenOnce(t *testing.T) {
	c, s := pair(t, &wslayer.Layer{CloseTimeout: -1}, &wslayer.Layer{CloseTimeout: -1})
	if _, ok := s.CloseStatus(); ok || transport.HasEnded(s) {
		t.Error("there is a status before the end")
	}
	c.SetCloseStatus(transport.CloseStatus{Code: 1001})
	c.CloseWrite()
	c.SetCloseStatus(transport.CloseStatus{Code: 4000})
	c.Close()
	if _, _, err := s.ReadMsg(nil); err != io.EOF {
		t.Errorf("read: %v, want io.EOF", err)
	}
}

// relay does what a joint does in one direction, and at its end.
func relay(from, to *wslayer.Conn) {
	for {
		p, m, err := from.LendMsg()
		if err == nil {
			err = to.WriteMsg(p, m)
		}
		switch {
		case err == nil:
			continue
		case err == io.EOF:
			transport.PassCloseStatus(from, to)
			to.CloseWrite()
		default:
			transport.PassCloseStatus(from, to)
			to.Abort(err)
		}
		from.Close()
		return
	}
}

// A relay of two WebSockets is not noticed at the end, from either side, and nobody
// waits for anything.
func TestStatusThroughRelay(t *testing.T) {
	for _, s := range statuses {
		for _, up := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) { testRelay(t, s.say, s.hear, up) })
		}
	}
}

func testRelay(t *testing.T, say, hear transport.CloseStatus, up bool) {
	begin := time.Now()
	l := &wslayer.Layer{CloseTimeout: time.Hour}
	client, a := pair(t, l, l)
	b, server := pair(t, l, l)
	from, to := client, server
	if !up {
		from, to = server, client
	}
	var wg sync.WaitGroup
	wg.Go(func() { relay(a, b) })
	wg.Go(func() { relay(b, a) })
	wg.Go(func() { to.ReadMsg(make([]byte, 10)); to.Close() })
	from.SetCloseStatus(say)
	wg.Go(func() { from.Close() })
	wg.Wait()
	if got, ok := to.CloseStatus(); !ok || got != hear {
		t.Errorf("upwards %v, %+v: the other side of the relay hears %+v, %v; want %+v", up, say, got, ok, hear)
	}
	if d := time.Since(begin); d != 0 {
		t.Errorf("upwards %v, %+v: the end took %v", up, say, d)
	}
}

// A server closes TCP as soon as both close frames have passed, whoever's was first,
// and a client waits for that, but not for ever (RFC 6455, section 7.1.1).
func TestWhoClosesTCP(t *testing.T) {
	for _, first := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			a, b := mem.Pair()
			s := acceptedBy(t, &wslayer.Layer{CloseTimeout: time.Hour}, a, b)
			if first {
				a.Write(clientFrame(true, 8, "\x03\xe8"))
			} else {
				s.SetCloseStatus(transport.CloseStatus{Code: 1000})
				s.CloseWrite()
				io.ReadFull(a, make([]byte, 4))
				a.Write(clientFrame(true, 2, "one")) // what was on its way
				a.Write(clientFrame(true, 2, "two"))
				a.Write(clientFrame(true, 8, "\x03\xe8"))
			}
			s.Close()
			if rest, err := io.ReadAll(a); err != nil || first && string(rest) != "\x88\x02\x03\xe8" || time.Since(begin) != 0 {
				t.Errorf("the client reads %x, %v, after %v", rest, err, time.Since(begin))
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		c, s := pair(t, &wslayer.Layer{CloseTimeout: time.Minute}, &wslayer.Layer{CloseTimeout: time.Minute})
		s.SetCloseStatus(transport.CloseStatus{Code: 1000})
		s.CloseWrite()
		c.Close() // the server keeps its side open
		if d := time.Since(begin); d != time.Minute {
			t.Errorf("the client waits %v for the server to close TCP, want a minute", d)
		}
	})
}

// CloseWrite and Close do not wait for ever for a side that reads nothing.
func TestCloseOfAStuckSide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		a, b := mem.Pair()
		s := acceptedBy(t, &wslayer.Layer{CloseTimeout: time.Minute}, a, b)
		if err := s.WriteMsg(make([]byte, mem.DefaultBuffer-10), transport.Meta{}); err != nil { // the buffer is full with the header
			t.Fatal(err)
		}
		s.SetCloseStatus(transport.CloseStatus{Code: 4000})
		s.CloseWrite()
		s.Close()
		if d := time.Since(begin); d > 2*time.Minute {
			t.Errorf("closing took %v", d)
		}
	})
}

// A client that is told what it did wrong hears it, though it goes on sending: over
// TCP, bytes that nobody reads would make a reset of the end.
func TestFailureIsHeard(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				c, err := (&wslayer.Layer{MaxMessage: 1000, CloseTimeout: time.Minute}).Wrap(context.Background(), asStream(raw), transport.Accepted)
				if err != nil {
					t.Error(err)
					return
				}
				_, _, err = c.(*wslayer.Conn).LendMsg()
				c.(*wslayer.Conn).Abort(err)
			}()
		}
	}()
	for range 3 {
		raw, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(raw, request)
		readAnswer(t, raw)
		frame := binary.BigEndian.AppendUint64([]byte{0x82, 0xff}, 4<<20)
		if _, err := raw.Write(append(frame, make([]byte, 4+4<<20)...)); err != nil {
			t.Fatalf("the client is cut off: %v", err) // many then do not read, either
		}
		var head [4]byte
		if _, err := io.ReadFull(raw, head[:]); err != nil || binary.BigEndian.Uint16(head[2:]) != 1009 {
			t.Fatalf("the client hears %x, %v; want status 1009", head, err)
		}
		raw.Close()
	}
}
