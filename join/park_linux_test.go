//go:build linux

package join

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"testing"

	"github.com/tenon-net/tenon/transport"
)

// plain is a stream and nothing else.
type plain struct{ transport.Stream }

// A parkedJoint has a socket at A and something else at B.
type parkedJoint struct {
	j          *joint
	engine     *Engine
	farA, farB *net.TCPConn
	over       chan *outcome
}

func newParked(t *testing.T, ctx context.Context) *parkedJoint { //nolint:revive // t is first in tests
	p := &parkedJoint{engine: new(Engine), over: make(chan *outcome, 1)}
	t.Cleanup(func() { p.engine.Close() })
	var nearA, nearB *net.TCPConn
	p.farA, nearA = tcpPair(t)
	p.farB, nearB = tcpPair(t)
	p.j = newJoint([2]transport.Conn{detachable(nearA), plain{detachable(nearB)}}, Options{Engine: p.engine, Count: new(Count)})
	p.j.begin(ctx, func(o *outcome) { p.over <- o })
	return p
}

// park has the direction from A parked, as it is after a while.
func (p *parkedJoint) park() {
	for f := p.j.flows[AB]; !parked(f); runtime.Gosched() {
		p.j.look(f)
	}
}

func parked(f *flow) bool {
	f.place.mu.Lock()
	defer f.place.mu.Unlock()
	return f.place.stop != nil
}

func passes(t *testing.T, from, to net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(from, text); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(to, got); err != nil || string(got) != text {
		t.Fatalf("%q, %v", got, err)
	}
}

// A silent direction that reads from a socket has no goroutine, and goes on when something
// comes, whatever that is; the other one is not parked, and moves what there is meanwhile.
func TestParked(t *testing.T) {
	p := newParked(t, t.Context())
	for range 3 {
		p.park()
		passes(t, p.farB, p.farA, "there")
		passes(t, p.farA, p.farB, "and back")
	}
	p.park()
	p.farA.CloseWrite()
	if rest, err := io.ReadAll(p.farB); len(rest) > 0 || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
	passes(t, p.farB, p.farA, "still")
	p.farB.Close()
	if o := <-p.over; o.err != nil || o.r.AB.Bytes != 3*8 || o.r.BA.Bytes != 3*5+5 || !o.r.AB.First {
		t.Errorf("%+v, %v", o.r, o.err)
	}
}

// A parked direction ends with its joint, however that ends.
func TestParkedEnds(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("no more")
	for name, tc := range map[string]struct {
		end  func(p *parkedJoint)
		want func(err error) bool
	}{
		"reset at A": {func(p *parkedJoint) { p.farA.SetLinger(0); p.farA.Close() }, func(err error) bool { return err != nil }},
		"reset at B": {func(p *parkedJoint) { p.farB.SetLinger(0); p.farB.Close() }, func(err error) bool { return err != nil }},
		"end at B":   {func(p *parkedJoint) { p.farB.Close(); p.farA.CloseWrite() }, func(err error) bool { return err == nil }},
		"cut":        {func(*parkedJoint) { cancel(why) }, func(err error) bool { return errors.Is(err, why) }},
	} {
		t.Run(name, func(t *testing.T) {
			p := newParked(t, ctx)
			passes(t, p.farA, p.farB, "x")
			p.park()
			tc.end(p)
			if o := <-p.over; !tc.want(o.err) {
				t.Errorf("%+v, %v", o.r, o.err)
			}
		})
		if name == "cut" {
			ctx, cancel = context.WithCancelCause(t.Context())
		}
	}
	cancel(nil)
}

// Without the engine a direction is carried as ever.
func TestParkedEngineCloses(t *testing.T) {
	p := newParked(t, t.Context())
	passes(t, p.farA, p.farB, "x")
	p.park()
	p.engine.Close()
	passes(t, p.farA, p.farB, "y")
	p.farA.Close()
	p.farB.Close()
	<-p.over
}

// What is parked again and again while it is busy loses nothing.
func TestParkedBusy(t *testing.T) {
	p := newParked(t, t.Context())
	data := bytes.Repeat([]byte("0123456789abcdef"), 16<<10)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for b := data; len(b) > 0; b = b[64:] {
			p.farA.Write(b[:64])
		}
		p.farA.CloseWrite()
	}()
	pokes := make(chan struct{})
	go func() {
		defer close(pokes)
		for f := p.j.flows[AB]; ; runtime.Gosched() {
			select {
			case <-sent:
				return
			default:
			}
			f.place.mu.Lock()
			if !f.place.never {
				f.place.poked = p.j.ends[A].SetReadDeadline(longAgo) == nil
			}
			f.place.mu.Unlock()
		}
	}()
	if got, err := io.ReadAll(p.farB); !bytes.Equal(got, data) || err != nil {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	<-pokes
	p.farB.Close()
	if o := <-p.over; o.err != nil {
		t.Error(o.err)
	}
}
