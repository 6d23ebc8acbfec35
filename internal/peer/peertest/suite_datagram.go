package peertest

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// A parcel is a datagram that has come.
type parcel struct {
	from  peer.ID
	label uint32
	p     []byte
}

// datagrammers returns the two as what carries datagrams, with a link between them, if
// that is what the Set has.
func datagrammers(t *testing.T, s Set) (a, b peer.Datagrammer) {
	t.Helper()
	if !s.Datagrams {
		t.Skip("this Set has no way that carries datagrams")
	}
	s.B.Serve("echo", echo)
	open(t, s.A, s.B, "echo")
	a, b = s.A.(peer.Datagrammer), s.B.(peer.Datagrammer) //nolint:forcetypeassert // the Set says so
	await(t, s.A, func([]peer.Link) bool { return a.MaxDatagram(s.B.Self()) > 0 })
	await(t, s.B, func([]peer.Link) bool { return b.MaxDatagram(s.A.Self()) > 0 })
	return a, b
}

// receive has what comes to d put into a channel, until the test ends.
func receive(t *testing.T, d peer.Datagrammer) chan parcel {
	came := make(chan parcel, 1<<10)
	t.Cleanup(d.ServeDatagrams(func(from peer.ID, label uint32, p []byte) {
		select {
		case came <- parcel{from, label, p}:
		default:
		}
	}))
	return came
}

// resend is after how long a datagram is taken for lost.
const resend = 50 * time.Millisecond

// deliver sends a datagram, until it has come.
func deliver(t *testing.T, d peer.Datagrammer, to peer.ID, want parcel, came chan parcel) {
	t.Helper()
	for end, again := time.After(patience), time.After(0); ; {
		select {
		case got := <-came:
			if got.from == want.from && got.label == want.label && bytes.Equal(got.p, want.p) {
				return
			}
			// Those before it may come now, and none has another length than was sent.
			if got.from != want.from {
				t.Fatalf("a datagram from %v", got.from)
			}
		case <-again:
			if err := d.SendDatagram(to, want.label, want.p); err != nil && !errors.Is(err, peer.ErrDropped) {
				t.Fatal(err)
			}
			again = time.After(resend)
		case <-end:
			t.Fatalf("a datagram of %d bytes for label %d never comes", len(want.p), want.label)
		}
	}
}

// Datagrams come whole, to the label that they are for, from who has sent them, in both
// directions; empty ones and the longest, too.
func testDatagrams(t *testing.T, s Set) {
	a, b := datagrammers(t, s)
	toA, toB := receive(t, a), receive(t, b)
	longest := min(a.MaxDatagram(s.B.Self()), b.MaxDatagram(s.A.Self())) // what fits grows on each side by itself
	if longest < 1000 {
		t.Errorf("the longest has %d bytes", longest)
	}
	p := rubbish(longest)
	for i, size := range []int{0, 1, 200, longest} {
		label := []uint32{1, 0, 1<<32 - 1, 77}[i]
		sent := bytes.Clone(p[:size])
		deliver(t, a, s.B.Self(), parcel{s.A.Self(), label, sent}, toB)
		deliver(t, b, s.A.Self(), parcel{s.B.Self(), label, sent}, toA)
		if !bytes.Equal(sent, p[:size]) {
			t.Error("what was sent has changed")
		}
	}
	if err := a.SendDatagram(s.B.Self(), 1, make([]byte, 1<<16)); !errors.Is(err, transport.ErrMsgTooLong) {
		t.Errorf("64 KiB: %v", err)
	}
}

// Nobody gets a datagram from somebody who is not let in, or sends one to him.
func testStrangeDatagrams(t *testing.T, s Set) {
	a, _ := datagrammers(t, s)
	stranger, ok := s.Stranger.(peer.Datagrammer)
	if !ok {
		t.Fatalf("%T carries no datagrams", s.Stranger)
	}
	reached := func(from peer.ID, _ uint32, _ []byte) { t.Errorf("a datagram from %v", from) }
	defer a.ServeDatagrams(reached)()
	defer stranger.ServeDatagrams(reached)()
	if _, err := s.Stranger.Open(ctxFor(t), s.A.Self(), "echo"); err == nil {
		t.Error("it opens a stream")
	}
	for range 3 {
		// It may not have noticed yet that it was turned away.
		if err := stranger.SendDatagram(s.A.Self(), 1, []byte("x")); err != nil && !errors.Is(err, peer.ErrNoDatagrams) {
			t.Errorf("it sends: %v", err)
		}
		if err := a.SendDatagram(s.Stranger.Self(), 1, []byte("x")); !errors.Is(err, peer.ErrNoDatagrams) {
			t.Errorf("we send: %v", err)
		}
	}
}

// What is not served is thrown away, and who has stopped serving is not called any more.
func testDatagramsStop(t *testing.T, s Set) {
	a, b := datagrammers(t, s)
	stopped := false
	came := make(chan parcel, 1<<10)
	stop := b.ServeDatagrams(func(from peer.ID, label uint32, p []byte) {
		if stopped { // a race, if it is called after stop has returned
			t.Error("a datagram comes after stop")
		}
		came <- parcel{from, label, p}
	})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("datagrams were served twice, and nobody panicked")
			}
		}()
		b.ServeDatagrams(func(peer.ID, uint32, []byte) {})
	}()
	deliver(t, a, s.B.Self(), parcel{s.A.Self(), 5, []byte("before")}, came)
	for range 100 {
		a.SendDatagram(s.B.Self(), 5, []byte("meanwhile")) //nolint:errcheck // it may be dropped
	}
	stop()
	stop()
	stopped = true
	for range 10 {
		a.SendDatagram(s.B.Self(), 5, []byte("between")) //nolint:errcheck // it may be dropped
	}
	deliver(t, a, s.B.Self(), parcel{s.A.Self(), 6, []byte("after")}, receive(t, b))
}

// Who sends more than the way takes is told, never waits, and harms nobody.
func testDatagramFlood(t *testing.T, s Set) {
	a, b := datagrammers(t, s)
	p := rubbish(1000)
	dropped := 0
	for range 20_000 {
		switch err := a.SendDatagram(s.B.Self(), 9, p); {
		case errors.Is(err, peer.ErrDropped):
			dropped++
		case err != nil:
			t.Fatal(err)
		}
	}
	t.Logf("%d of 20000 were dropped", dropped)
	deliver(t, a, s.B.Self(), parcel{s.A.Self(), 10, []byte("still there")}, receive(t, b))
	c := open(t, s.A, s.B, "echo")
	c.Write([]byte{7}) //nolint:errcheck // it would show below
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Errorf("a stream: %v", err)
	}
}

// Where there is no way that carries datagrams, that is said.
func testNoDatagrams(t *testing.T, s Set) {
	a, ok := s.A.(peer.Datagrammer)
	if !ok {
		t.Skip("this Set carries no datagrams")
	}
	none := func(when string, to peer.ID) {
		t.Helper()
		if longest, err := a.MaxDatagram(to), a.SendDatagram(to, 1, nil); longest != 0 || !errors.Is(err, peer.ErrNoDatagrams) {
			t.Errorf("%s: %d bytes, %v", when, longest, err)
		}
	}
	none("before there is a link", s.B.Self())
	none("to oneself", s.A.Self())
	none("to nobody", peer.ID{})
	s.B.Serve("echo", echo)
	open(t, s.A, s.B, "echo")
	if !s.Datagrams {
		none("over this way", s.B.Self())
		return
	}
	await(t, s.A, func([]peer.Link) bool { return a.MaxDatagram(s.B.Self()) > 0 })
	if s.Break != nil {
		s.Break()
		await(t, s.A, func(links []peer.Link) bool { return len(links) == 0 })
		none("after the links are gone", s.B.Self())
	}
}
