package relay_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/relay"
	"golang.org/x/sys/unix"
)

func TestBothWaysAtOnce(t *testing.T) {
	for _, na := range networks(t) {
		for _, nb := range networks(t) {
			t.Run(na.name+"-"+nb.name, func(t *testing.T) {
				e := newEngine(t)
				pa, a := na.pair(t)
				pb, b := nb.pair(t)
				var ab, ba atomic.Int64
				r := start(t.Context(), t, e, a, b, relay.Options{AB: &ab, BA: &ba})
				const nAB, nBA = 5<<20 + 17, 3<<20 + 3
				var wg sync.WaitGroup
				transfer := func(w, r net.Conn, seed uint64, n int64) {
					wg.Go(func() {
						if err := errors.Join(send(w, seed, n), closeWrite(w)); err != nil {
							t.Error(err)
						}
					})
					wg.Go(func() {
						if got, err := check(r, seed); err != nil || got != n {
							t.Errorf("stream %d: %d bytes, %v; want %d", seed, got, err, n)
						}
					})
				}
				transfer(pa, pb, 1, nAB)
				transfer(pb, pa, 2, nBA)
				wg.Wait()
				res := r.wait()
				if !res.AB.Clean() || !res.BA.Clean() || res.AB.Bytes != nAB || res.BA.Bytes != nBA || res.Cause != nil || res.First == relay.Neither {
					t.Errorf("result %+v", res)
				}
				if ab.Load() != nAB || ba.Load() != nBA {
					t.Errorf("live counters %d, %d", ab.Load(), ba.Load())
				}
			})
		}
	}
}

// TestHalfClose: after the end of one direction the other still carries
// questions that arise from it.
func TestHalfClose(t *testing.T) {
	for _, n := range networks(t) {
		t.Run(n.name, func(t *testing.T) {
			e := newEngine(t)
			pa, a := n.pair(t)
			pb, b := n.pair(t)
			r := start(t.Context(), t, e, a, b, relay.Options{})
			_, err := pb.Write([]byte("request"))
			must(t, err)
			must(t, closeWrite(pb))
			got, err := io.ReadAll(pa) // returns only if the end of file was passed on
			if string(got) != "request" {
				t.Fatal(string(got), err)
			}
			for i := range 100 {
				m := fmt.Sprintf("answer %d", i)
				_, err := io.WriteString(pa, m)
				must(t, err)
				mustRead(t, pb, m)
			}
			sent := make(chan error, 1)
			go func() { sent <- errors.Join(send(pa, 3, 3<<20), closeWrite(pa)) }()
			if n, err := check(pb, 3); n != 3<<20 || err != nil {
				t.Fatal(n, err)
			}
			must(t, <-sent)
			if res := r.wait(); res.First != relay.BToA || !res.AB.Clean() || !res.BA.Clean() || res.BA.Bytes != 7 {
				t.Errorf("result %+v", res)
			}
		})
	}
}

// TestEndBehindUnreadData: everything, and the end of file, is there before the
// engine looks for the first time: one edge must do for all of it.
func TestEndBehindUnreadData(t *testing.T) {
	for _, n := range networks(t) {
		for _, size := range []int64{0, 1, 64 << 10, 64<<10 + 1, 150 << 10} {
			t.Run(fmt.Sprint(n.name, size), func(t *testing.T) {
				e := newEngine(t)
				pa, a := n.pair(t)
				pb, b := n.pair(t)
				must(t, send(pa, 4, size))
				must(t, closeWrite(pa))
				must(t, closeWrite(pb))
				r := start(t.Context(), t, e, a, b, relay.Options{})
				if got, err := check(pb, 4); got != size || err != nil {
					t.Fatal(got, err)
				}
				if res := r.wait(); !res.AB.Clean() || !res.BA.Clean() || res.AB.Bytes != size {
					t.Errorf("result %+v", res)
				}
			})
		}
	}
}

// TestBackpressure: a reader that does not read stops the writer after a bounded
// number of bytes, and gets all of them when it does read.
func TestBackpressure(t *testing.T) {
	for _, n := range networks(t) {
		t.Run(n.name, func(t *testing.T) {
			e := newEngine(t)
			pa, a := n.pair(t)
			pb, b := n.pair(t)
			for _, fd := range []int{a, b} { // small and fixed, for a bound that can be told
				must(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 64<<10))
				must(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 64<<10))
			}
			var ab atomic.Int64
			r := start(t.Context(), t, e, a, b, relay.Options{AB: &ab})
			const total = 24 << 20
			var sent atomic.Int64
			stalled := make(chan struct{})
			var once sync.Once
			sender := make(chan error, 1)
			go func() {
				buf := make([]byte, 32<<10)
				for at := int64(0); at < total; at += int64(len(buf)) {
					for i := range buf {
						buf[i] = word(5, at+int64(i))
					}
					for p := buf; len(p) > 0; {
						// A write that makes no progress for so long is a stall.
						_ = pa.SetWriteDeadline(time.Now().Add(150 * time.Millisecond))
						n, err := pa.Write(p)
						sent.Add(int64(n))
						p = p[n:]
						if errors.Is(err, os.ErrDeadlineExceeded) {
							once.Do(func() { close(stalled) })
						} else if err != nil {
							sender <- err
							return
						}
					}
				}
				sender <- closeWrite(pa)
			}()
			select {
			case <-stalled:
			case err := <-sender:
				t.Fatal("the writer was never stopped: ", err)
			}
			if s := sent.Load(); s > total/2 {
				t.Errorf("%d bytes went in before the reader read one", s)
			}
			if s, w := sent.Load(), ab.Load(); w > s {
				t.Errorf("counted %d written, of %d sent", w, s)
			}
			if got, err := check(pb, 5); got != total || err != nil {
				t.Fatal(got, err)
			}
			must(t, <-sender)
			must(t, closeWrite(pb))
			if res := r.wait(); res.AB.Bytes != total || ab.Load() != total || !res.AB.Clean() {
				t.Errorf("result %+v, counter %d", res, ab.Load())
			}
		})
	}
}

// TestOneWay: pipes in, pipes and sockets out; what b sends does not matter.
func TestOneWay(t *testing.T) {
	e := newEngine(t)
	for _, size := range []int64{0, 10, 3 << 20} {
		var in, out [2]int
		must(t, unix.Pipe2(in[:], unix.O_CLOEXEC|unix.O_NONBLOCK))
		must(t, unix.Pipe2(out[:], unix.O_CLOEXEC|unix.O_NONBLOCK))
		w, rd := os.NewFile(uintptr(in[1]), "w"), os.NewFile(uintptr(out[0]), "r")
		r := start(t.Context(), t, e, in[0], out[1], relay.Options{OneWay: true})
		sent := make(chan error, 1)
		go func() { sent <- errors.Join(send(w, 7, size), w.Close()) }()
		if got, err := check(rd, 7); got != size || err != nil {
			t.Fatal(got, err)
		}
		must(t, <-sent)
		want := relay.Result{AB: relay.Flow{Bytes: size, Read: io.EOF}, First: relay.AToB}
		if res := r.wait(); res != want {
			t.Errorf("result %+v, want %+v", res, want)
		}
		must(t, rd.Close())
	}
}

// TestOneWayToSocket: what the peer sent and nobody reads must not turn the end of
// the joint into a reset that destroys what is on its way to the peer.
func TestOneWayToSocket(t *testing.T) {
	e := newEngine(t)
	pa, a := tcpPair(t)
	pb, b := tcpPair(t)
	_, err := pb.Write(make([]byte, 100<<10))
	must(t, err)
	r := start(t.Context(), t, e, a, b, relay.Options{OneWay: true})
	const n = 1 << 20
	sent := make(chan error, 1)
	go func() { sent <- errors.Join(send(pa, 8, n), closeWrite(pa)) }()
	if res := r.wait(); !res.AB.Clean() || res.AB.Bytes != n || res.BA != (relay.Flow{}) {
		t.Errorf("result %+v", res)
	}
	must(t, <-sent)
	if got, err := check(pb, 8); got != n || err != nil {
		t.Fatal(got, err)
	}
}

// TestOneWayReaderGone: nobody reads the pipe any more, which is a failure at once
// and not at the next byte.
func TestOneWayReaderGone(t *testing.T) {
	e := newEngine(t)
	pa, a := tcpPair(t)
	var out [2]int
	must(t, unix.Pipe2(out[:], unix.O_CLOEXEC|unix.O_NONBLOCK))
	r := start(t.Context(), t, e, a, out[1], relay.Options{OneWay: true})
	must(t, unix.Close(out[0]))
	mustReset(t, pa)
	if res := r.wait(); !errors.Is(res.AB.Write, syscall.EPIPE) || res.AB.Read != nil {
		t.Errorf("result %+v", res)
	}
}
