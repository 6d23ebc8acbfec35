package relay_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/relay"
	"golang.org/x/sys/unix"
)

// TestResetIsPassedOn: one peer resets, the other must see a reset, never an
// end of file, whichever way data flows and whether or not the flows had ended.
func TestResetIsPassedOn(t *testing.T) {
	for _, c := range []struct {
		name     string
		fromB    bool
		halfDone bool // the direction away from the resetting side had ended
	}{{"a", false, false}, {"b", true, false}, {"a-half", false, true}, {"b-half", true, true}} {
		t.Run(c.name, func(t *testing.T) {
			e := newEngine(t)
			pa, a := tcpPair(t)
			pb, b := tcpPair(t)
			r := start(t.Context(), t, e, a, b, relay.Options{})
			bad, good := pa, pb
			if c.fromB {
				bad, good = pb, pa
			}
			_, err := good.Write([]byte("ping"))
			must(t, err)
			mustRead(t, bad, "ping")
			_, err = bad.Write([]byte("pong"))
			must(t, err)
			mustRead(t, good, "pong")
			if c.halfDone {
				must(t, closeWrite(bad))
				if n, err := good.Read(make([]byte, 1)); err != io.EOF {
					t.Fatal(n, err)
				}
			}
			abortConn(t, bad)
			if c.halfDone {
				// An end of file came before, so that a read shows nothing; the
				// state of the connection does: writes must fail in the end.
				waitWriteFails(t, good)
			} else {
				mustReset(t, good)
			}
			res := r.wait()
			from, to := res.AB, res.BA
			if c.fromB {
				from, to = to, from
			}
			if c.halfDone {
				if !from.Clean() || to.Write == nil || to.Read != nil {
					t.Errorf("result %+v", res)
				}
			} else if !errors.Is(from.Read, syscall.ECONNRESET) {
				t.Errorf("result %+v", res)
			}
			if res.Cause != nil {
				t.Errorf("result %+v", res)
			}
		})
	}
}

// TestWriteFailure: B is gone, which only a write can find out. A must be reset,
// and the failure must stand in the flow that wrote.
func TestWriteFailure(t *testing.T) {
	e := newEngine(t)
	pa, a := tcpPair(t)
	pb, b := tcpPair(t)
	r := start(t.Context(), t, e, a, b, relay.Options{})
	must(t, pb.Close())
	if n, err := pa.Read(make([]byte, 1)); err != io.EOF {
		t.Fatal(n, err)
	}
	for { // the first bytes provoke the reset, some later ones meet it
		if _, err := pa.Write(make([]byte, 1000)); err != nil {
			break
		}
	}
	res := r.wait()
	if !res.BA.Clean() || res.First != relay.BToA || res.AB.Read != nil ||
		!errors.Is(res.AB.Write, syscall.EPIPE) && !errors.Is(res.AB.Write, syscall.ECONNRESET) {
		t.Errorf("result %+v", res)
	}
}

func TestContext(t *testing.T) {
	e := newEngine(t)
	pa, a := tcpPair(t)
	pb, b := tcpPair(t)
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	r := start(ctx, t, e, a, b, relay.Options{})
	_, err := pa.Write([]byte("hello"))
	must(t, err)
	mustRead(t, pb, "hello")
	cancel(cause)
	mustReset(t, pa)
	mustReset(t, pb)
	res := r.wait()
	want := relay.Result{AB: relay.Flow{Bytes: 5}, Cause: cause}
	if res != want {
		t.Errorf("result %+v, want %+v", res, want)
	}
}

func TestIdle(t *testing.T) {
	e := newEngine(t)
	pa, a := tcpPair(t)
	pb, b := tcpPair(t)
	const idle = time.Second
	r := start(t.Context(), t, e, a, b, relay.Options{Idle: idle})
	// Traffic in one direction, at a pace well below the limit, keeps it alive
	// for several times the limit.
	tick := time.NewTicker(idle / 20)
	defer tick.Stop()
	last := time.Now()
	for range 40 {
		<-tick.C
		last = time.Now()
		_, err := pb.Write([]byte("x"))
		must(t, err)
		mustRead(t, pa, "x")
	}
	mustReset(t, pa)
	mustReset(t, pb)
	if d := time.Since(last); d < idle {
		t.Errorf("cut after %v, want not before %v", d, idle)
	}
	if res := r.wait(); !errors.Is(res.Cause, relay.ErrIdle) || res.BA.Bytes != 40 || res.BA.Read != nil {
		t.Errorf("result %+v", res)
	}
}

// TestEngineClose: Close during traffic resets every peer and ends every Run.
func TestEngineClose(t *testing.T) {
	e := newEngine(t)
	var rs []running
	var begun, wg sync.WaitGroup
	for i := range uint64(6) {
		pa, a := tcpPair(t)
		pb, b := tcpPair(t)
		rs = append(rs, start(t.Context(), t, e, a, b, relay.Options{}))
		wg.Go(func() {
			if err := send(pa, i, 1<<40); err == nil {
				t.Error("the sender came to its end")
			}
		})
		begun.Add(1)
		wg.Go(func() {
			n, err := check(&signalling{r: pb, first: begun.Done}, i)
			if !errors.Is(err, syscall.ECONNRESET) || n == 0 {
				t.Errorf("reader: %d bytes, %v; want some and a reset", n, err)
			}
		})
	}
	begun.Wait()
	must(t, e.Close())
	must(t, e.Close())
	for _, r := range rs {
		if res := r.wait(); !errors.Is(res.Cause, net.ErrClosed) || res.AB.Bytes == 0 {
			t.Errorf("result %+v", res)
		}
	}
	wg.Wait()
	_, a := tcpPair(t)
	_, b := tcpPair(t)
	if _, err := e.Run(t.Context(), a, b, relay.Options{}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Run after Close: %v", err)
	}
	must(t, unix.Close(a)) // both are still ours
	must(t, unix.Close(b))
}

// TestNotPollable: a regular file is refused, and nothing was done to either.
func TestNotPollable(t *testing.T) {
	e := newEngine(t)
	name := filepath.Join(t.TempDir(), "f")
	must(t, os.WriteFile(name, []byte("text"), 0o600))
	for _, fileIsA := range []bool{true, false} {
		fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		must(t, err)
		peer, sock := tcpPair(t)
		_, err = peer.Write([]byte("kept"))
		must(t, err)
		a, b := sock, fd
		if fileIsA {
			a, b = fd, sock
		}
		_, err = e.Run(t.Context(), a, b, relay.Options{})
		if !errors.Is(err, relay.ErrNotPollable) || !errors.Is(err, errors.ErrUnsupported) {
			t.Fatalf("Run: %v", err)
		}
		// The socket is still registered nowhere, unread, and can be carried.
		other, fd2 := tcpPair(t)
		r := start(t.Context(), t, e, sock, fd2, relay.Options{})
		mustRead(t, other, "kept")
		must(t, unix.Close(fd))
		must(t, errors.Join(closeWrite(peer), closeWrite(other)))
		if res := r.wait(); !res.AB.Clean() || !res.BA.Clean() {
			t.Errorf("result %+v", res)
		}
	}
}

// TestAnswerBeforeReset: a server that takes no more of an upload answers and resets. The
// answer must reach the client, whatever the relay notices first.
func TestAnswerBeforeReset(t *testing.T) {
	for range 50 {
		e := newEngine(t)
		client, a := tcpPair(t)
		server, b := tcpPair(t)
		r := start(t.Context(), t, e, a, b, relay.Options{})
		var upload sync.WaitGroup
		upload.Go(func() {
			for buf := make([]byte, 32<<10); ; {
				if _, err := client.Write(buf); err != nil {
					return
				}
			}
		})
		mustReadSome(t, server)
		_, err := server.Write([]byte("413"))
		must(t, err)
		must(t, server.Close()) // with unread data, which makes it a reset
		mustRead(t, client, "413")
		upload.Wait() // a write failed: the client was told
		if res := r.wait(); res.AB.Clean() && res.BA.Clean() {
			t.Fatalf("result %+v", res)
		}
	}
}

func mustReadSome(t *testing.T, c net.Conn) {
	t.Helper()
	_, err := c.Read(make([]byte, 1))
	must(t, err)
}
