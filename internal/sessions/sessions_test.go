package sessions_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/sessions"
)

// A conn is a session that carries nothing.
type conn struct {
	entry sessions.Entry[string, *conn]
	ended atomic.Int32
}

func (c *conn) Close() error { return c.entry.Close() }
func (c *conn) End()         { c.ended.Add(1) }

func open() (*conn, *sessions.Entry[string, *conn]) {
	c := new(conn)
	return c, &c.entry
}

// A listener is a Table and how often its socket was closed.
type listener struct {
	*sessions.Table[string, *conn]
	released atomic.Int32
}

var errSocket = errors.New("of the socket")

func listen(l sessions.Limits) *listener {
	t := new(listener)
	t.Table = sessions.NewTable[string, *conn](l, func() error { t.released.Add(1); return errSocket })
	return t
}

// get is a datagram from a sender.
func (l *listener) get(t *testing.T, from string) *conn {
	t.Helper()
	c, ok := l.Get(&from, time.Now(), open)
	if !ok {
		t.Fatalf("no room for %s", from)
	}
	return c
}

// again is another datagram from each sender.
func (l *listener) again(t *testing.T, senders ...string) {
	t.Helper()
	for _, s := range senders {
		l.get(t, s)
	}
}

func (l *listener) full(t *testing.T, from string) {
	t.Helper()
	if c, ok := l.Get(&from, time.Now(), open); ok || c != nil {
		t.Fatalf("there is room for %s", from)
	}
}

func (l *listener) accept(t *testing.T, want *conn) {
	t.Helper()
	if got, err := l.Accept(); got != want || err != nil {
		t.Fatalf("accepted %p, error %v; want %p", got, err, want)
	}
}

func TestASenderHasOneSession(t *testing.T) {
	l := listen(sessions.Limits{Open: 2, Pending: 2})
	a, b := l.get(t, "a"), l.get(t, "b")
	if a == b || l.get(t, "a") != a || l.get(t, "b") != b {
		t.Error("sessions are mixed up")
	}
	l.accept(t, a)
	l.accept(t, b)
	a.Close()
	if again := l.get(t, "a"); again == a {
		t.Error("a closed session is found again")
	}
}

func TestRoom(t *testing.T) {
	l := listen(sessions.Limits{Open: 3, Pending: 2})
	a := l.get(t, "a")
	l.get(t, "b")
	l.again(t, "a", "b")
	l.full(t, "c") // two wait to be accepted
	l.accept(t, a)
	c := l.get(t, "c")
	l.again(t, "c")
	l.full(t, "d") // three are open
	if l.get(t, "c") != c {
		t.Error("a full table does not know its sessions")
	}
	a.Close()
	a.Close()
	l.full(t, "d") // two wait
	if _, err := l.Accept(); err != nil {
		t.Fatal(err)
	}
	l.get(t, "d")
	l.again(t, "d")
	l.full(t, "e")
}

// TestForgedSendersKeepNobodyOut: 1,100 datagrams with forged addresses filled a table
// for a minute.
func TestForgedSendersKeepNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most, pending = 64, 8
		l := listen(sessions.Limits{Idle: time.Minute, Open: most, Pending: pending})
		accepted := make(chan *conn, 32*most)
		go func() { // as a server with its joints: what has ended is closed
			for {
				c, err := l.Accept()
				if err != nil {
					close(accepted)
					return
				}
				accepted <- c
				go func() {
					select {
					case <-c.entry.Ended():
						c.Close()
					case <-c.entry.Done():
					}
				}()
			}
		}()
		friend := l.get(t, "friend")
		synctest.Wait()
		l.again(t, "friend")
		busy := l.get(t, "busy") // heard once, and sent to all the time
		for i := range 20 * most {
			l.get(t, fmt.Sprint("forged ", i))
			time.Sleep(time.Millisecond)
			busy.entry.Touch()
			synctest.Wait()
		}
		if l.get(t, "friend") != friend || friend.ended.Load() != 0 {
			t.Error("a session that was heard again has made room")
		}
		if l.get(t, "busy") != busy || busy.ended.Load() != 0 {
			t.Error("a session that was not idle has made room")
		}
		fresh := l.get(t, "new")
		synctest.Wait()
		if l.get(t, "new") != fresh {
			t.Error("a new sender has lost its session")
		}
		l.Close()
		open := 0
		for c := range accepted {
			if c.ended.Load() == 0 {
				open++
				c.Close()
			}
		}
		if open > most {
			t.Errorf("%d sessions are open, and %d may be", open, most)
		}
	})
}

// TestFullQueueKeepsNobodyOut: nobody accepts for a while.
func TestFullQueueKeepsNobodyOut(t *testing.T) {
	l := listen(sessions.Limits{Open: 100, Pending: 4})
	var queued []*conn
	for i := range 4 {
		queued = append(queued, l.get(t, fmt.Sprint("forged ", i)))
	}
	l.again(t, "forged 0")
	friend := l.get(t, "friend") // in place of the oldest that was heard once
	for i, c := range queued {
		if (c.entry.Writable() == nil) != (i != 1) {
			t.Errorf("session %d of the queue: %v", i, c.entry.Writable())
		}
	}
	for _, c := range []*conn{queued[0], queued[2], queued[3], friend} {
		l.accept(t, c)
	}
}

// TestLimitOpen: whoever accepts has room for fewer than the Table.
func TestLimitOpen(t *testing.T) {
	l := listen(sessions.Limits{Open: 100, Pending: 4})
	l.LimitOpen(2)
	l.LimitOpen(50)
	a, b := l.get(t, "a"), l.get(t, "b")
	l.accept(t, a)
	l.accept(t, b)
	l.get(t, "c")
	if a.ended.Load() != 1 || b.ended.Load() != 0 {
		t.Error("the oldest of two has not made room for a third")
	}
}

// TestHeldSessionsDoNotMakeRoom: what has come and is not read must not get lost.
func TestHeldSessionsDoNotMakeRoom(t *testing.T) {
	l := listen(sessions.Limits{Open: 2, Pending: 2})
	a, b := l.get(t, "a"), l.get(t, "b")
	a.entry.Hold(1)
	b.entry.Hold(1)
	l.full(t, "c")
	b.entry.Hold(-1)
	l.get(t, "c")
	if l.get(t, "a") != a || b.entry.Writable() == nil {
		t.Error("the wrong session has made room")
	}
}

// TestWhatHasEndedMakesRoom: sessions that nobody has accepted and that have run out
// do not fill the queue for ever.
func TestWhatHasEndedMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := listen(sessions.Limits{Idle: time.Second, Open: 4, Pending: 2})
		for _, name := range []string{"a", "b"} {
			l.get(t, name)
			l.again(t, name)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		c, d := l.get(t, "c"), l.get(t, "d")
		l.accept(t, c)
		l.accept(t, d)
		l.Close()
		c.Close()
		d.Close()
		if n := l.released.Load(); n != 1 {
			t.Errorf("the socket was closed %d times", n)
		}
	})
}

func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const idle = 10 * time.Second
		l := listen(sessions.Limits{Idle: idle, Open: 2, Pending: 2})
		a := l.get(t, "a")
		l.accept(t, a)
		ended := func(when string, want int32) {
			t.Helper()
			time.Sleep(time.Nanosecond) // of the bubble: what happens now has happened then
			synctest.Wait()
			if got := a.ended.Load(); got != want {
				t.Errorf("%s: End was called %d times, want %d", when, got, want)
			}
		}
		time.Sleep(idle - 1)
		l.get(t, "a")
		ended("a datagram came", 0)
		time.Sleep(idle - 2)
		a.entry.Touch()
		ended("a datagram was sent", 0)
		time.Sleep(idle - 2)
		a.entry.Hold(2)
		time.Sleep(5 * idle)
		ended("two datagrams are not read", 0)
		a.entry.Hold(-1)
		time.Sleep(5 * idle)
		ended("one datagram is not read", 0)
		a.entry.Hold(-1)
		time.Sleep(idle)
		ended("it is silent", 1)

		<-a.entry.Ended()
		b := l.get(t, "a")
		if b == a {
			t.Error("a session that has ended is found again")
		}
		l.again(t, "a")
		l.full(t, "b") // one that has ended is open until it is closed
		if err := a.entry.Writable(); err != nil {
			t.Errorf("write to a session that has ended: %v", err)
		}
		a.Close()
		if l.get(t, "a") != b {
			t.Error("the Close of an old session takes the new one away")
		}
		b.Close()
		time.Sleep(2 * idle)
		ended("it is closed", 1)
		if b.ended.Load() != 0 {
			t.Error("End was called after Close")
		}
	})
}

func TestNeverIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := listen(sessions.Limits{Idle: -1, Open: 1, Pending: 1})
		a := l.get(t, "a")
		time.Sleep(1000 * time.Hour)
		synctest.Wait()
		if a.ended.Load() != 0 || l.get(t, "a") != a {
			t.Error("it has ended")
		}
	})
}

func TestCloseKeepsWhatWasAccepted(t *testing.T) {
	l := listen(sessions.Limits{Open: 9, Pending: 9})
	a, b := l.get(t, "a"), l.get(t, "b")
	l.accept(t, a)
	for range 2 {
		if err := l.Close(); err != nil {
			t.Errorf("close with a session open: %v", err)
		}
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept after Close: error %v", err)
	}
	if err := b.entry.Writable(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write to a session that nobody has accepted: error %v", err)
	}
	l.full(t, "c")
	if l.get(t, "a") != a || a.entry.Writable() != nil || l.released.Load() != 0 {
		t.Error("Close has ended a session")
	}
	a.Close()
	a.Close()
	if n := l.released.Load(); n != 1 {
		t.Errorf("the socket was closed %d times", n)
	}
}

func TestCloseReturnsWhatTheSocketSays(t *testing.T) {
	l := listen(sessions.Limits{Open: 1, Pending: 1})
	l.get(t, "a")
	for range 2 {
		if err := l.Close(); err != errSocket {
			t.Errorf("close: error %v", err)
		}
	}
	if n := l.released.Load(); n != 1 {
		t.Errorf("the socket was closed %d times", n)
	}
}

func TestCloseWakesAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := listen(sessions.Limits{Open: 1, Pending: 1})
		got := make(chan error)
		go func() { _, err := l.Accept(); got <- err }()
		synctest.Wait()
		l.Close()
		if err := <-got; !errors.Is(err, net.ErrClosed) {
			t.Errorf("error %v", err)
		}
	})
}

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := listen(sessions.Limits{Open: 1, Pending: 1})
		a := l.get(t, "a")
		start := time.Now()
		pause := func(d time.Duration, want error, took time.Duration) {
			t.Helper()
			err := a.entry.Pause(d)
			if since := time.Since(start); err != want || since != took {
				t.Errorf("error %v after %v, want %v after %v", err, since, want, took)
			}
		}
		pause(time.Second, nil, time.Second)
		a.entry.SetWriteDeadline(start.Add(2 * time.Second))
		pause(time.Second, os.ErrDeadlineExceeded, 2*time.Second)
		a.entry.SetWriteDeadline(time.Time{})
		time.AfterFunc(time.Second, func() { a.Close() })
		pause(time.Hour, net.ErrClosed, 3*time.Second)
		<-a.entry.Done()
	})
}

// TestManyAtOnce: several sockets of one Table, and clients that come and go while
// it is closed.
func TestManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := listen(sessions.Limits{Idle: time.Millisecond, Open: 4, Pending: 2})
		names := []string{"a", "b", "c", "d", "e", "f"}
		for range 3 {
			go func() {
				for i := range 2000 {
					if c, ok := l.Get(&names[i%len(names)], time.Now(), open); ok {
						c.entry.Touch()
					}
					if i%50 == 0 {
						time.Sleep(time.Millisecond) // of the bubble
					}
				}
			}()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					_ = c.entry.Pause(time.Millisecond)
					c.Close()
				}
			}()
		}
		time.Sleep(20 * time.Millisecond)
		_ = l.Close()
		synctest.Wait()
		time.Sleep(time.Second)
		synctest.Wait()
		if n := l.released.Load(); n != 1 {
			t.Errorf("the socket was closed %d times", n)
		}
	})
}
