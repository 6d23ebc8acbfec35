package wslayer_test

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
	"github.com/tenon-net/tenon/transport/wslayer"
)

// pinged is a connection that pings as the options say, and reads; and what it reads.
func pinged(t *testing.T, options string) (a transport.Stream, c *wslayer.Conn, read <-chan error) {
	a, b := mem.Pair()
	c = acceptedBy(t, fill(t, "ws:x:1,max-message=1M,close-timeout=0,"+options), a, b)
	got := make(chan error, 1)
	go func() {
		for {
			if _, _, err := c.ReadMsg(make([]byte, 1)); err != nil {
				got <- err
				return
			}
		}
	}()
	return a, c, got
}

// Pings go out so often as ping= says, however long an answer may take.
func TestPingsAreRegular(t *testing.T) {
	for _, options := range []string{"ping=500ms", "ping=500ms,ping-timeout=1s", "ping=500ms,ping-timeout=100ms", "ping=500ms,ping-timeout=500ms", "ping=500ms,ping-timeout=never"} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			a, _, _ := pinged(t, options)
			p := make([]byte, 2)
			for i := 1; i <= 20; i++ {
				if _, err := io.ReadFull(a, p); err != nil || string(p) != "\x89\x00" {
					t.Fatalf("%s: got %x, %v; want a ping", options, p, err)
				}
				if at := time.Since(begin); at != time.Duration(i)*500*time.Millisecond {
					t.Errorf("%s: ping %d after %v", options, i, at)
				}
				a.Write(clientFrame(true, 10, ""))
			}
		})
	}
}

// A connection is given up so long after the first ping that nothing was heard since.
func TestPingTimeout(t *testing.T) {
	for options, want := range map[string]time.Duration{
		"ping=500ms,ping-timeout=100ms":  600 * time.Millisecond,
		"ping=500ms,ping-timeout=500ms":  time.Second,
		"ping=500ms,ping-timeout=1800ms": 2300 * time.Millisecond,
		"ping=2s":                        12 * time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			a, _, read := pinged(t, options)
			go io.Copy(io.Discard, a)
			if err := <-read; !errors.Is(err, transport.ErrTimeout) || time.Since(begin) != want {
				t.Errorf("%s: after %v: %v; want transport.ErrTimeout after %v", options, time.Since(begin), err, want)
			}
		})
	}
}

// While a long message is on its way there is no ping to answer, and its silence is
// no sign of anything.
func TestNoPingInsideMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, c, read := pinged(t, "ping=1s,ping-timeout=1s")
		written := make(chan error, 1)
		go func() { written <- c.WriteMsg(make([]byte, 2*mem.DefaultBuffer), transport.Meta{}) }()
		time.Sleep(time.Minute)
		select {
		case err := <-read:
			t.Fatalf("the connection is given up: %v", err)
		default:
		}
		io.ReadFull(a, make([]byte, 10+2*mem.DefaultBuffer)) // the message
		if err := <-written; err != nil {
			t.Error(err)
		}
		p := make([]byte, 2)
		if _, err := io.ReadFull(a, p); err != nil || string(p) != "\x89\x00" {
			t.Errorf("after the message: %x, %v; want the ping that was due", p, err)
		}
		begin := time.Now()
		if err := <-read; !errors.Is(err, transport.ErrTimeout) || time.Since(begin) != time.Second {
			t.Errorf("after %v without an answer: %v", time.Since(begin), err)
		}
	})
}
