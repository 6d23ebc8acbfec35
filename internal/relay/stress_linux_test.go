package relay_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"

	"github.com/tenon-net/tenon/internal/relay"
	"golang.org/x/sys/unix"
)

// TestRandomCuts: 1,000 joints at once, each ended in one of five ways at a random
// place. Whatever arrives is right, and only what was sent in full ends cleanly.
func TestRandomCuts(t *testing.T) {
	e := newEngine(t)
	before := descriptors(t)
	var wg sync.WaitGroup
	for i := range uint64(1000) {
		wg.Go(func() { cutOne(t, e, i) })
	}
	wg.Wait()
	if after := descriptors(t); after > before+2*16*2+2 { // pipes that the loops keep
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

func cutOne(t *testing.T, e *relay.Engine, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 3))
	pa, a := tcpPair(t)
	pb, b := tcpPair(t)
	defer pa.Close()
	defer pb.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := start(ctx, t, e, a, b, relay.Options{})
	n, how := rnd.Int64N(100<<10), rnd.IntN(5)
	var wg sync.WaitGroup
	wg.Go(func() {
		err := send(pa, seed, n)
		switch how {
		case 0, 1: // a clean end
			if err = errors.Join(err, closeWrite(pa)); err != nil {
				t.Error(err)
			}
		case 2:
			_ = pa.(*net.TCPConn).SetLinger(0)
			pa.Close()
		case 3:
			cancel()
		case 4: // the other side resets, below
		}
	})
	wg.Go(func() {
		if how == 4 {
			_, _ = io.CopyN(io.Discard, pb, n/2)
			_ = pb.(*net.TCPConn).SetLinger(0)
			pb.Close()
			return
		}
		got, err := check(pb, seed)
		switch {
		case how <= 1 && (err != nil || got != n):
			t.Errorf("clean joint: %d bytes, %v; want %d", got, err, n)
		case how > 1 && !errors.Is(err, syscall.ECONNRESET):
			t.Errorf("cut joint: %d bytes, then %v; want a reset", got, err)
		case how <= 1:
			if err := closeWrite(pb); err != nil {
				t.Error(err)
			}
		}
	})
	res := r.wait()
	wg.Wait()
	if clean := res.AB.Clean() && res.BA.Clean() && res.Cause == nil; clean != (how <= 1) {
		t.Errorf("end %d gave %+v", how, res)
	}
}

// TestDescriptorReuse: descriptor numbers come back at once, while events for
// their former joints may still be on their way. Bytes must never cross.
func TestDescriptorReuse(t *testing.T) {
	e := newEngine(t)
	before := descriptors(t)
	var wg sync.WaitGroup
	for w := range uint64(8) {
		wg.Go(func() {
			for i := range uint64(150) {
				reuseOne(t, e, w<<32|i)
			}
		})
	}
	wg.Wait()
	if after := descriptors(t); after > before+2*16*2+2 {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

func reuseOne(t *testing.T, e *relay.Engine, seed uint64) {
	var fa, fb [2]int
	var err error
	for _, p := range []*[2]int{&fa, &fb} {
		if *p, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
			t.Error(err)
			return
		}
	}
	r := start(t.Context(), t, e, fa[0], fb[0], relay.Options{})
	pa, pb := os.NewFile(uintptr(fa[1]), "a"), os.NewFile(uintptr(fb[1]), "b")
	defer pa.Close()
	defer pb.Close()
	n := int64(seed % 3000)
	for _, x := range []struct {
		f    *os.File
		seed uint64
	}{{pa, seed}, {pb, ^seed}} {
		if err := send(x.f, x.seed, n); err != nil {
			t.Error(err)
		}
		if err := unix.Shutdown(int(x.f.Fd()), unix.SHUT_WR); err != nil {
			t.Error(err)
		}
	}
	if got, err := check(pb, seed); got != n || err != nil {
		t.Errorf("a to b: %d, %v; want %d", got, err, n)
	}
	if got, err := check(pa, ^seed); got != n || err != nil {
		t.Errorf("b to a: %d, %v; want %d", got, err, n)
	}
	r.wait()
}

// TestNoDescriptors: when the system has no descriptor left for a pipe, bulk data
// goes through a buffer.
func TestNoDescriptors(t *testing.T) {
	e := newEngine(t)
	pa, a := tcpPair(t)
	pb, b := tcpPair(t)
	var old unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &old))
	low := old
	low.Cur = 3 // no descriptor above it can be made
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &low))
	defer func() { must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &old)) }()
	if _, err := unix.Dup(a); err != unix.EMFILE {
		t.Fatalf("dup: %v, want EMFILE", err)
	}
	r := start(t.Context(), t, e, a, b, relay.Options{})
	sent := make(chan error, 1)
	const n = 8 << 20
	go func() { sent <- errors.Join(send(pa, 6, n), closeWrite(pa)) }()
	if got, err := check(pb, 6); got != n || err != nil {
		t.Fatal(got, err)
	}
	must(t, <-sent)
	must(t, closeWrite(pb))
	if res := r.wait(); !res.AB.Clean() || !res.BA.Clean() {
		t.Errorf("result %+v", res)
	}
}

// TestFairness: a joint that answers small questions gets its turns while others
// on the same loop move bulk data as fast as they can.
func TestFairness(t *testing.T) {
	e, err := relay.New(1)
	must(t, err)
	defer e.Close()
	var wg sync.WaitGroup
	var begun sync.WaitGroup
	for range 3 {
		pa, a := tcpPair(t)
		pb, b := tcpPair(t)
		start(t.Context(), t, e, a, b, relay.Options{})
		begun.Add(1)
		wg.Go(func() {
			block := make([]byte, 256<<10)
			for {
				if _, err := pa.Write(block); err != nil {
					return
				}
			}
		})
		wg.Go(func() { _, _ = io.Copy(io.Discard, &signalling{r: pb, first: begun.Done}) })
	}
	begun.Wait()
	pa, a := tcpPair(t)
	pb, b := tcpPair(t)
	start(t.Context(), t, e, a, b, relay.Options{})
	for range 50 { // the deadline of the pair is the test
		_, err := pa.Write([]byte("question"))
		must(t, err)
		mustRead(t, pb, "question")
	}
	must(t, e.Close())
	wg.Wait()
}
