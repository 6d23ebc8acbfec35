package api

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// A Held is a stream to a service of a peer that the node has opened and holds. It is
// either adopted, and then no byte of it comes here, or becomes a [*Stream] when it is first
// used. Until it is one or the other it has no deadlines that matter.
type Held struct {
	holder *holder
	number uint64
	opened Opened
	info   transport.Info
	heard  chan HoldMessage // the answers to dial and to adopt
	moved  atomic.Pointer[func(Moved)]

	mu     sync.Mutex // guards what follows; held while the stream is fetched
	taken  bool       // adopted, or closed
	stream *Stream
	err    error // what fetching it said
}

var (
	_ transport.Stream  = (*Held)(nil)
	_ transport.Aborter = (*Held)(nil)
)

// hear is told what the node says. It does not wait.
func (d *Held) hear(m HoldMessage) {
	if m.Moved != nil {
		if f := d.moved.Load(); f != nil {
			(*f)(*m.Moved)
		}
		return
	}
	select {
	case d.heard <- m:
	default: // it says more than it should
	}
}

// cut has the node abort what it holds.
func (d *Held) cut() {
	d.holder.forget(d)
	d.holder.say(HoldMessage{Number: d.number, Cut: true}, -1) //nolint:errcheck // then it is cut, too
}

// take takes the end out of the hands of whoever reads and writes. If one of them has been
// there already, it is an error.
func (d *Held) take() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.taken || d.stream != nil || d.err != nil {
		return net.ErrClosed
	}
	d.taken = true
	return nil
}

// fetch makes an end of what the node holds whose bytes or messages come here.
func (d *Held) fetch(ctx context.Context) (transport.Conn, error) {
	defer d.holder.forget(d)
	return d.holder.client.upgrade(ctx, fmt.Sprintf("/v1/hold/%d", d.opened.Held), struct{}{}, false)
}

// use returns the stream, which it fetches the first time.
func (d *Held) use() (*Stream, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.stream != nil || d.err != nil:
	case d.taken:
		return nil, net.ErrClosed
	default:
		c, err := d.fetch(context.Background())
		if d.err = err; err == nil {
			d.stream, _ = c.(*Stream)
		}
	}
	return d.stream, d.err
}

// end ends both directions, by how if the stream was fetched.
func (d *Held) end(how func(*Stream) error) error {
	d.mu.Lock()
	s, dropped := d.stream, d.stream == nil && !d.taken
	d.taken = true
	d.mu.Unlock()
	if s != nil {
		return how(s)
	}
	if dropped {
		d.cut()
	}
	return nil
}

// Close ends both directions.
func (d *Held) Close() error { return d.end((*Stream).Close) }

// Abort ends both directions so that the peer sees a failure.
func (d *Held) Abort(cause error) error {
	return d.end(func(s *Stream) error { return s.Abort(cause) })
}

func (d *Held) Read(p []byte) (int, error) {
	s, err := d.use()
	if err != nil {
		return 0, err
	}
	return s.Read(p)
}

func (d *Held) Write(p []byte) (int, error) {
	s, err := d.use()
	if err != nil {
		return 0, err
	}
	return s.Write(p)
}

// do calls f with the stream.
func (d *Held) do(f func(*Stream) error) error {
	s, err := d.use()
	if err != nil {
		return err
	}
	return f(s)
}

func (d *Held) CloseWrite() error { return d.do((*Stream).CloseWrite) }

func (d *Held) SetDeadline(t time.Time) error {
	return d.do(func(s *Stream) error { return s.SetDeadline(t) })
}

func (d *Held) SetReadDeadline(t time.Time) error {
	return d.do(func(s *Stream) error { return s.SetReadDeadline(t) })
}

func (d *Held) SetWriteDeadline(t time.Time) error {
	return d.do(func(s *Stream) error { return s.SetWriteDeadline(t) })
}

// Info returns what is known about the other side: Peer is the ID of the peer.
func (d *Held) Info() *transport.Info { return &d.info }

// LocalAddr returns this node's name for its side.
func (d *Held) LocalAddr() net.Addr { return transport.Addr{Net: "peer", Name: "me"} }

// RemoteAddr returns the name of the peer and the service.
func (d *Held) RemoteAddr() net.Addr {
	if d.opened.Name == "" {
		return transport.Addr{Net: "peer", Name: "peer"}
	}
	return transport.Addr{Net: "peer", Name: d.opened.Name}
}
