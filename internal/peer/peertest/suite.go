package peertest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// A Set is what the suite needs of one kind of Network.
type Set struct {
	A, B     peer.Network // which admit each other
	Stranger peer.Network // which neither admits, though it knows how to reach them
	Break    func()       // loses every way between A and B; nil if the test cannot

	// Datagrams tells that A and B are [peer.Datagrammer]s whose ways carry some. If it
	// is false, they need not be any, and none of their ways may.
	Datagrams bool
}

// patience is how long the suite waits for what must happen.
const patience = 20 * time.Second

// Run checks what every [peer.Network] promises. make makes a new Set, which is closed
// by t.Cleanup.
func Run(t *testing.T, makeSet func(t *testing.T) Set) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s Set)
	}{
		{"Self", testSelf},
		{"Echo", testEcho},
		{"TheServerSpeaksFirst", testServerFirst},
		{"NoProtocol", testNoProtocol},
		{"Stranger", testStranger},
		{"Unreachable", testUnreachable},
		{"Context", testContext},
		{"HalfClose", testHalfClose},
		{"Abort", testAbort},
		{"Close", testClose},
		{"HandlerReturns", testHandlerReturns},
		{"Deadlines", testDeadlines},
		{"ManyStreams", testManyStreams},
		{"Bulk", testBulk},
		{"Serve", testServe},
		{"Links", testLinks},
		{"Break", testBreak},
		{"Goes", testGoes},
		{"Conn", testConn},
		{"Datagrams", testDatagrams},
		{"DatagramsOfAStranger", testStrangeDatagrams},
		{"DatagramsStop", testDatagramsStop},
		{"DatagramFlood", testDatagramFlood},
		{"NoDatagrams", testNoDatagrams},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			t.Run("set", func(t *testing.T) { test.run(t, makeSet(t)) }) // a test of its own, so that the Set is closed behind it
			noneLeft(t, before)
		})
	}
}

// noneLeft waits until there are no more goroutines than before: longer than the ten seconds
// that libp2p's client of relays keeps one for a circuit that nobody has accepted.
func noneLeft(t *testing.T, before int) {
	for end := time.Now().Add(patience); runtime.NumGoroutine() > before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			stacks := make([]byte, 256<<10)
			t.Fatalf("%d goroutines left running, among these:\n\n%s", runtime.NumGoroutine()-before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

func ctxFor(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// open opens a stream, which ends with the test.
func open(t *testing.T, from, to peer.Network, proto string) transport.Stream {
	t.Helper()
	s, err := from.Open(ctxFor(t), to.Self(), proto)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() }) //nolint:errcheck // it may be closed
	if err := s.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return s
}

func echo(s transport.Stream) {
	io.Copy(s, s)  //nolint:errcheck // the other side sees it
	s.CloseWrite() //nolint:errcheck // the other side sees it
}

func testSelf(t *testing.T, s Set) {
	a, b, stranger := s.A.Self(), s.B.Self(), s.Stranger.Self()
	if again := s.A.Self(); a.IsZero() || a == b || a == stranger || a != again {
		t.Errorf("%v and then %v; %v, %v", a, again, b, stranger)
	}
}

func testEcho(t *testing.T, s Set) {
	who := make(chan peer.ID, 1)
	s.B.Serve("echo", func(c transport.Stream) {
		id, _ := peer.Of(c)
		who <- id
		echo(c)
	})
	c := open(t, s.A, s.B, "echo")
	if id, ok := peer.Of(c); !ok || id != s.B.Self() {
		t.Errorf("the stream is to %v", id)
	}
	if id := <-who; id != s.A.Self() {
		t.Errorf("the stream is from %v", id)
	}
	if c.LocalAddr().String() == "" || c.RemoteAddr().String() == "" || c.Info().Kind == "" {
		t.Errorf("%v, %v, %+v", c.LocalAddr(), c.RemoteAddr(), c.Info())
	}
	if _, err := io.WriteString(c, "hello"); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c); err != nil || string(b) != "hello" {
		t.Errorf("%q, %v", b, err)
	}
}

// A handler that speaks first is heard by somebody who says nothing.
func testServerFirst(t *testing.T, s Set) {
	s.B.Serve("greet", func(c transport.Stream) { io.WriteString(c, "hello") }) //nolint:errcheck // the other side sees it
	if b, err := io.ReadAll(open(t, s.A, s.B, "greet")); err != nil || string(b) != "hello" {
		t.Errorf("%q, %v", b, err)
	}
}

func testNoProtocol(t *testing.T, s Set) {
	if _, err := s.A.Open(ctxFor(t), s.B.Self(), "nothing"); !errors.Is(err, peer.ErrNoProtocol) {
		t.Errorf("%v", err)
	}
}

func testStranger(t *testing.T, s Set) {
	reached := func(transport.Stream) { t.Error("a handler was called") }
	s.A.Serve("echo", reached)
	s.Stranger.Serve("echo", reached)
	if _, err := s.Stranger.Open(ctxFor(t), s.A.Self(), "echo"); !errors.Is(err, peer.ErrNotAdmitted) {
		t.Errorf("it opens: %v", err)
	}
	if _, err := s.A.Open(ctxFor(t), s.Stranger.Self(), "echo"); !errors.Is(err, peer.ErrNotAdmitted) {
		t.Errorf("we open: %v", err)
	}
	if _, err := s.Stranger.Open(ctxFor(t), s.A.Self(), "nothing"); !errors.Is(err, peer.ErrNotAdmitted) {
		t.Errorf("it finds out what is served: %v", err)
	}
}

func testUnreachable(t *testing.T, s Set) {
	for name, id := range map[string]peer.ID{"nobody": {}, "somebody who is not there": peer.NewKey().ID(), "oneself": s.A.Self()} {
		if _, err := s.A.Open(ctxFor(t), id, "echo"); !errors.Is(err, peer.ErrUnreachable) && !errors.Is(err, peer.ErrNotAdmitted) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func testContext(t *testing.T, s Set) {
	s.B.Serve("echo", echo)
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(ctxFor(t))
	c, err := s.A.Open(ctx, s.B.Self(), "echo")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // checked elsewhere
	cancel(cause)
	if _, err := s.A.Open(ctx, s.B.Self(), "echo"); !errors.Is(err, cause) && !errors.Is(err, context.Canceled) {
		t.Errorf("the context has ended: %v", err)
	}
	io.WriteString(c, "x") //nolint:errcheck // it would show below
	c.CloseWrite()         //nolint:errcheck // it would show below
	if b, err := io.ReadAll(c); err != nil || string(b) != "x" {
		t.Errorf("the stream has ended with the context: %q, %v", b, err)
	}
}

// What is read to its end is answered after that.
func testHalfClose(t *testing.T, s Set) {
	s.B.Serve("count", func(c transport.Stream) {
		n, err := io.Copy(io.Discard, c)
		fmt.Fprint(c, n, err) //nolint:errcheck // the other side sees it
	})
	c := open(t, s.A, s.B, "count")
	c.Write(make([]byte, 100_000)) //nolint:errcheck // it would show below
	for range 2 {
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := io.ReadAll(c); err != nil || string(b) != "100000 <nil>" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := c.Write([]byte{1}); err == nil {
		t.Error("something was written after CloseWrite")
	}
}

// A stream that was aborted never looks as if it were complete.
func testAbort(t *testing.T, s Set) {
	got := make(chan error, 2)
	s.B.Serve("read", func(c transport.Stream) {
		c.SetDeadline(time.Now().Add(patience)) //nolint:errcheck // it would show below
		c.Write([]byte{1})                      //nolint:errcheck // it would show below
		_, err := io.Copy(io.Discard, c)
		got <- err
		for err = nil; err == nil; {
			_, err = c.Write(make([]byte, 1<<16))
		}
		got <- err
	})
	c := open(t, s.A, s.B, "read")
	c.Write(make([]byte, 1000)) //nolint:errcheck // it would show below
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	transport.Abort(c, errors.New("cut"))
	for _, what := range []string{"read", "write"} {
		if err := <-got; err == nil || errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := c.Write([]byte{1}); err == nil {
		t.Error("something was written after Abort")
	}
}

func testClose(t *testing.T, s Set) {
	s.B.Serve("wait", func(c transport.Stream) { io.Copy(io.Discard, c) }) //nolint:errcheck // it ends some time
	c := open(t, s.A, s.B, "wait")
	got := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		got <- err
	}()
	first := c.Close()
	if err := <-got; !errors.Is(err, net.ErrClosed) {
		t.Errorf("a Read that was waiting: %v", err)
	}
	if err := c.Close(); err != first { //nolint:errorlint // the same
		t.Errorf("Close: %v, and again: %v", first, err)
	}
	if _, err := c.Write([]byte{1}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write: %v", err)
	}
	// A writer that waits because nobody reads.
	release := make(chan struct{})
	defer close(release)
	s.B.Serve("full", func(transport.Stream) { <-release })
	c = open(t, s.A, s.B, "full")
	go func() {
		var err error
		for err == nil {
			_, err = c.Write(make([]byte, 1<<20))
		}
		got <- err
	}()
	c.Close() //nolint:errcheck // it was checked above
	if err := <-got; !errors.Is(err, net.ErrClosed) {
		t.Errorf("a Write that was waiting: %v", err)
	}
}

// What a handler has written arrives though it returns at once, with an end of file.
func testHandlerReturns(t *testing.T, s Set) {
	s.B.Serve("gone", func(transport.Stream) {})
	gone := open(t, s.A, s.B, "gone")
	for err := error(nil); err == nil; { // nobody will ever read it
		_, err = gone.Write(make([]byte, 1<<20))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("a writer waits for a handler that has returned")
		}
	}
	s.B.Serve("bye", func(c transport.Stream) { c.Write(make([]byte, 10_000)) }) //nolint:errcheck // the other side sees it
	if b, err := io.ReadAll(open(t, s.A, s.B, "bye")); err != nil || len(b) != 10_000 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

func testDeadlines(t *testing.T, s Set) {
	s.B.Serve("echo", echo)
	c := open(t, s.A, s.B, "echo")
	for _, wait := range []time.Duration{-time.Second, 10 * time.Millisecond} {
		if err := c.SetReadDeadline(time.Now().Add(wait)); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v: %d, %v", wait, n, err)
		}
	}
	c.SetReadDeadline(time.Now().Add(patience)) //nolint:errcheck // it would show below
	c.Write([]byte{7})                          //nolint:errcheck // it would show below
	b := make([]byte, 1)
	if n, err := c.Read(b); n != 1 || err != nil || b[0] != 7 {
		t.Errorf("afterwards: %d, %v", n, err)
	}
}

// More streams than the 256 that a QUIC connection has by default.
func testManyStreams(t *testing.T, s Set) {
	s.B.Serve("echo", echo)
	var wg sync.WaitGroup
	streams := make([]transport.Stream, 300)
	for i := range streams {
		wg.Go(func() {
			c, err := s.A.Open(ctxFor(t), s.B.Self(), "echo")
			if err != nil {
				t.Error(err)
				return
			}
			streams[i] = c
			c.SetDeadline(time.Now().Add(patience)) //nolint:errcheck // it would show below
			fmt.Fprintf(c, "%04d", i)               //nolint:errcheck // it would show below
			b := make([]byte, 4)
			if _, err := io.ReadFull(c, b); err != nil || string(b) != fmt.Sprintf("%04d", i) {
				t.Errorf("%q, %v", b, err)
			}
		})
	}
	wg.Wait() // all are open at once
	for _, c := range streams {
		if c != nil {
			c.Close() //nolint:errcheck // checked elsewhere
		}
	}
}

func testBulk(t *testing.T, s Set) {
	const size = 4 << 20
	data := rubbish(size)
	sum := sha256.Sum256(data)
	receive := func(c transport.Stream) error {
		h := sha256.New()
		if n, err := io.Copy(h, c); err != nil || n != size {
			return fmt.Errorf("%d bytes: %w", n, err)
		}
		if !bytes.Equal(h.Sum(nil), sum[:]) {
			return errors.New("other bytes than were sent")
		}
		return nil
	}
	both := func(c transport.Stream) error {
		sent := make(chan error, 1)
		go func() {
			_, err := c.Write(data)
			sent <- errors.Join(err, c.CloseWrite())
		}()
		return errors.Join(receive(c), <-sent)
	}
	got := make(chan error, 1)
	s.B.Serve("bulk", func(c transport.Stream) { got <- both(c) })
	if err := both(open(t, s.A, s.B, "bulk")); err != nil {
		t.Error(err)
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
}

func testServe(t *testing.T, s Set) {
	stop := s.B.Serve("echo", echo)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a protocol was served twice, and nobody panicked")
			}
		}()
		s.B.Serve("echo", echo)
	}()
	c := open(t, s.A, s.B, "echo")
	stop()
	stop()
	if _, err := s.A.Open(ctxFor(t), s.B.Self(), "echo"); !errors.Is(err, peer.ErrNoProtocol) {
		t.Errorf("after stop: %v", err)
	}
	c.Write([]byte{1}) //nolint:errcheck // it would show below
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Errorf("a stream of before: %v", err)
	}
	called := make(chan struct{})
	var again func()
	ready := make(chan struct{})
	again = s.B.Serve("echo", func(c transport.Stream) {
		<-ready
		again() // from within
		close(called)
	})
	close(ready)
	open(t, s.A, s.B, "echo")
	<-called
}

// await waits until the links of n satisfy ok, by LinksChanged alone.
func await(t *testing.T, n peer.Network, ok func([]peer.Link) bool) {
	t.Helper()
	for end := time.After(patience); ; {
		changed := n.LinksChanged()
		var links []peer.Link
		for l := range n.Links() {
			links = append(links, l)
		}
		if ok(links) {
			return
		}
		select {
		case <-changed:
		case <-end:
			t.Fatalf("the links are %+v", links)
		}
	}
}

func to(id peer.ID) func([]peer.Link) bool {
	return func(links []peer.Link) bool {
		for _, l := range links {
			if l.Peer == id {
				return l.Path == peer.Direct && l.Via.IsZero() || l.Path == peer.Relayed && !l.Via.IsZero()
			}
		}
		return false
	}
}

func testLinks(t *testing.T, s Set) {
	s.B.Serve("echo", echo)
	open(t, s.A, s.B, "echo")
	await(t, s.A, to(s.B.Self()))
	await(t, s.B, to(s.A.Self()))
	for range s.A.Links() {
		break // who has seen enough may stop
	}
}

// A stream that is lost with the way to the peer does not look as if it were complete.
func testBreak(t *testing.T, s Set) {
	if s.Break == nil {
		t.Skip("this Set cannot break a way")
	}
	got := make(chan error, 1)
	s.B.Serve("read", func(c transport.Stream) {
		_, err := io.Copy(io.Discard, c)
		got <- err
	})
	c := open(t, s.A, s.B, "read")
	await(t, s.A, to(s.B.Self()))
	s.Break()
	if _, err := io.Copy(io.Discard, c); !errors.Is(err, peer.ErrUnreachable) {
		t.Errorf("near: %v", err)
	}
	if err := <-got; !errors.Is(err, peer.ErrUnreachable) {
		t.Errorf("far: %v", err)
	}
	none := func(links []peer.Link) bool { return len(links) == 0 }
	await(t, s.A, none)
	await(t, s.B, none)
}

// A stream is a net.Conn, and does what package nettest asks of one.
func testConn(t *testing.T, s Set) {
	nettest.TestConn(t, func() (near, far net.Conn, stop func(), err error) {
		accepted, done := make(chan transport.Stream, 1), make(chan struct{})
		end := s.B.Serve("conn", func(c transport.Stream) {
			accepted <- c
			<-done
		})
		c, err := s.A.Open(t.Context(), s.B.Self(), "conn")
		if err != nil {
			return nil, nil, nil, err
		}
		f := <-accepted
		return c, f, func() {
			close(done)
			end()
			c.Close() //nolint:errcheck // checked elsewhere
			f.Close() //nolint:errcheck // checked elsewhere
		}, nil
	})
}
