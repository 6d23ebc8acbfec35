//go:build linux

package bus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/deadline"
	"github.com/tenon-net/tenon/transport"
)

// textMeta is that of a text.
var textMeta = transport.Meta{Text: true}

// patience bounds every wait of the tests.
const patience = 20 * time.Second

// at returns the path of a bus that is not there yet.
func at(t testing.TB) string { return filepath.Join(t.TempDir(), "b") }

// member opens a bus; it leaves with the test, if not before.
func member(t testing.TB, b Bus) *Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := b.Dial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*Conn)
}

// patient is a member that is never too slow, however busy the machine is. It is not for
// tests of hubs that die: what its queue can hold is more than members keep for that.
func patient(name string) Bus {
	return Bus{Name: name, Slow: Wait, Queue: maxQueue, QueueSize: maxQueueSize}
}

func members(t testing.TB, n int, b Bus) []*Conn {
	t.Helper()
	ms := make([]*Conn, n)
	for i := range ms {
		ms[i] = member(t, b)
	}
	return ms
}

func say(t testing.TB, c *Conn, texts ...string) {
	t.Helper()
	for _, text := range texts {
		c.SetWriteDeadline(time.Now().Add(patience))
		if err := c.WriteMsg([]byte(text), transport.Meta{}); err != nil {
			t.Fatalf("publishing %q: %v", text, err)
		}
	}
}

// hear reads one message.
func hear(t testing.TB, c *Conn) string {
	t.Helper()
	text, err := listenFor(c, patience)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func listenFor(c *Conn, d time.Duration) (string, error) {
	c.SetReadDeadline(time.Now().Add(d))
	defer c.SetReadDeadline(time.Time{})
	p, _, err := c.LendMsg()
	return string(p), err
}

func wantHear(t testing.TB, c *Conn, texts ...string) {
	t.Helper()
	for _, want := range texts {
		if got := hear(t, c); got != want {
			t.Fatalf("heard %.60q, want %.60q", got, want)
		}
	}
}

// wantSilence checks that nothing comes.
func wantSilence(t testing.TB, c *Conn) {
	t.Helper()
	if text, err := listenFor(c, 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("heard %.60q, error %v; want nothing", text, err)
	}
}

// numbered is message n of publisher who.
func numbered(who, n uint32, pad int) []byte {
	p := make([]byte, 8+pad)
	binary.BigEndian.PutUint32(p, who)
	binary.BigEndian.PutUint32(p[4:], n)
	return p
}

// publishNumbered publishes the messages from first to last of who.
func publishNumbered(c *Conn, who, first, last uint32, pad int) error {
	for n := first; n <= last; n++ {
		c.SetWriteDeadline(time.Now().Add(patience))
		if err := c.WriteMsg(numbered(who, n, pad), transport.Meta{}); err != nil {
			return fmt.Errorf("publishing %d of %d: %w", n, who, err)
		}
	}
	return nil
}

// A heard message is who and n of numbered.
type heard struct{ who, n uint32 }

// collect reads numbered messages until stop says so, or nothing comes for patience.
func collect(c *Conn, stop func(heard) bool) ([]heard, error) {
	var all []heard
	for {
		text, err := listenFor(c, patience)
		if err != nil {
			return all, fmt.Errorf("after %d messages: %w", len(all), err)
		}
		if len(text) < 8 {
			return all, fmt.Errorf("after %d messages: heard %q", len(all), text)
		}
		h := heard{binary.BigEndian.Uint32([]byte(text)), binary.BigEndian.Uint32([]byte(text[4:]))}
		all = append(all, h)
		if stop(h) {
			return all, nil
		}
	}
}

// collectAll reads until it has the last message of each of the publishers, and
// checks that none is missing, double or out of order.
func collectAll(c *Conn, last map[uint32]uint32) ([]heard, error) {
	next := map[uint32]uint32{}
	left := len(last)
	var wrong error
	all, err := collect(c, func(h heard) bool {
		if want := next[h.who] + 1; h.n != want && wrong == nil {
			wrong = fmt.Errorf("heard message %d of %d, want %d", h.n, h.who, want)
		}
		next[h.who] = h.n
		if h.n == last[h.who] {
			left--
		}
		return left == 0 || wrong != nil
	})
	return all, errors.Join(wrong, err)
}

// eventually waits until f holds.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(time.Millisecond) { // between two looks
		if time.Now().After(end) {
			t.Fatalf("%s did not come about", what)
		}
	}
}

// start runs f and returns where its result will be.
func start[T any](f func() T) <-chan T {
	c := make(chan T, 1)
	go func() { c <- f() }()
	return c
}

func await[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("%s took too long", what)
		panic("unreachable")
	}
}

// playing returns those who play the hub.
func playing(ms []*Conn) (hubs []*Conn) {
	for _, c := range ms {
		c.mu.Lock()
		if c.hub != nil && !deadline.IsClosed(c.hub.quit) {
			hubs = append(hubs, c)
		}
		c.mu.Unlock()
	}
	return hubs
}

func contextFor(t testing.TB, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}

// withVersion is what a hub of another version would say.
func (p place) withVersion(v byte) []byte {
	body := p.append(nil)
	body[headLen+len(magic)] = v
	return body
}
