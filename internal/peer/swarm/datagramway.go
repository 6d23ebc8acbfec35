package swarm

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/tenon-net/tenon/internal/account"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// A datagramWay is a connection of QUIC that carries datagrams. Package quic-go waits when
// it has 32 to send, as it does when a path is congested or dead; so a goroutine hands
// them over, from a queue that drops what comes when it is full.
type datagramWay struct {
	n    *Network
	link *link
	conn *quic.Conn

	longest  atomic.Int64 // payload that fits into a packet
	measured atomic.Int64 // when that was last looked at, in nanoseconds

	wake    chan struct{} // has a value when there is something in queue
	sending account.Account

	mu      sync.Mutex // guards what follows
	queue   []*[]byte
	running bool // deliver does
	over    bool // the connection
}

const (
	// maxWaySending is what waits to be sent over one way. What a path is too slow for is
	// lost rather than late.
	maxWaySending = 96 << 10

	// remeasure is how often it is looked at whether longer datagrams fit.
	remeasure = time.Second
)

// datagramBuffers are what waits to be sent.
var datagramBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 1500); return &b }}

// addDatagrams has datagrams go over a link, if it can carry some.
func (n *Network) addDatagrams(l *link) {
	var conn *quic.Conn
	if l.over != overQUIC || l.id.IsZero() || !l.conn.As(&conn) {
		return
	}
	if s := conn.ConnectionState().SupportsDatagrams; !s.Local || !s.Remote {
		return
	}
	w := &datagramWay{n: n, link: l, conn: conn, wake: make(chan struct{}, 1),
		sending: account.Account{Limit: maxWaySending, Parent: &n.datagrams.sending}}
	w.measure()
	n.datagrams.add(w) // before anything comes: it may be answered at once
	if !n.task(w.receive) {
		n.datagrams.remove(l)
	}
}

// tooLong fits into no packet.
var tooLong [1 << 16]byte

// measure finds out how long a datagram may be: quic-go says so of one that is too long, and
// of no other.
func (w *datagramWay) measure() int {
	var large *quic.DatagramTooLargeError
	fits := 0
	if errors.As(w.conn.SendDatagram(tooLong[:]), &large) {
		fits = max(int(large.MaxDatagramPayloadSize)-peer.DatagramHead, 0)
	}
	w.longest.Store(int64(fits))
	w.measured.Store(time.Now().UnixNano())
	return fits
}

// send puts a datagram into the queue.
func (w *datagramWay) send(label uint32, p []byte) error {
	if int64(len(p)) > w.longest.Load() &&
		(time.Now().UnixNano()-w.measured.Load() < int64(remeasure) || len(p) > w.measure()) {
		return transport.ErrMsgTooLong
	}
	size := int64(peer.DatagramHead + len(p))
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.over || w.conn.Context().Err() != nil:
		return peer.ErrNoDatagrams
	case !w.sending.Take(size, false):
		return peer.ErrDropped
	}
	if !w.running {
		if !w.n.task(w.deliver) {
			w.sending.Give(size)
			return peer.ErrNoDatagrams
		}
		w.running = true
	}
	b := datagramBuffers.Get().(*[]byte) //nolint:forcetypeassert // there is nothing else in it
	*b = peer.AppendDatagram((*b)[:0], label, p)
	w.queue = append(w.queue, b)
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return nil
}

// deliver hands the queue to quic-go, until the connection is over.
func (w *datagramWay) deliver() {
	var batch, spare []*[]byte
	for {
		select {
		case <-w.wake:
		case <-w.conn.Context().Done():
		}
		w.mu.Lock()
		batch, w.queue = w.queue, spare
		over := w.conn.Context().Err() != nil
		w.over = over
		w.mu.Unlock()
		for i, b := range batch {
			if !over {
				w.hand(*b)
			}
			w.sending.Give(int64(len(*b)))
			datagramBuffers.Put(b)
			batch[i] = nil
		}
		if over {
			return
		}
		spare = batch[:0]
	}
}

// hand sends one datagram. It waits while the path takes no more.
func (w *datagramWay) hand(b []byte) {
	w.link.used()
	var large *quic.DatagramTooLargeError
	if errors.As(w.conn.SendDatagram(b), &large) {
		w.measure() // the path has become narrower: this one is lost
	}
}

// receive hands on what comes from somebody who is let in.
func (w *datagramWay) receive() {
	l := w.link
	for {
		b, err := w.conn.ReceiveDatagram(w.n.ctx)
		if err != nil {
			return
		}
		l.moved.Add(1)
		l.used()
		label, p, ok := peer.ParseDatagram(b)
		if ok && w.n.rankAs(l.id, l.conn.RemotePeer()) >= guest {
			w.n.datagrams.serve(l.id, label, p)
		}
	}
}
