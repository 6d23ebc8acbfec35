package swarm

import (
	"context"
	"io"
	"net"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	lpeer "github.com/libp2p/go-libp2p/core/peer"

	"github.com/tenon-net/tenon/transport"
)

// accept takes a connection that has begun with a TLS handshake. It returns when the
// other side has shown its key, or has not.
func (d *direct) accept(ctx context.Context, c *net.TCPConn, scope network.ConnManagementScope) {
	x, err := d.handshake(ctx, c, transport.Accepted, "")
	if err != nil {
		scope.Done()
		return
	}
	x.scope = scope
	if scope.SetPeer(x.id) != nil || d.n.rankAs(x.who, x.id) < guest || !d.awaitLink(ctx, x.id) || !d.keep(x) || !d.n.task(func() { d.serve(x) }) {
		x.cut()
	}
}

// awaitLink waits until there is a link, which only a peer has that the gate has let in:
// at the side of the peer it may be there earlier than here.
func (d *direct) awaitLink(ctx context.Context, id lpeer.ID) bool {
	ctx, cancel := context.WithTimeout(ctx, directPatience)
	defer cancel()
	return d.n.awaitLinks(ctx, func() bool { return d.n.linkedDirectly(id) })
}

// serve serves one stream after the other.
func (d *direct) serve(x *directConn) {
	defer x.cut()
	for {
		next, s, settled := d.next(x)
		if next == nil {
			return
		}
		if d.n.started(next, s); s.lingers {
			s.linger()
		}
		if !<-settled {
			return
		}
	}
}

// next waits for the next stream, and returns what serves it; nil if there is none any more.
func (d *direct) next(x *directConn) (*served, *directStream, <-chan bool) {
	for {
		x.tls.SetReadDeadline(time.Now().Add(directIdleThere)) //nolint:errcheck // sockets have deadlines
		name, again, err := x.asked()
		if err != nil {
			return nil, nil, nil
		}
		x.tls.SetReadDeadline(time.Time{}) //nolint:errcheck // sockets have deadlines
		served, over := d.n.find(name, d.n.rankAs(x.who, x.id))
		switch {
		case over, again && served == nil: // it hears of it by the end of the connection
			return nil, nil, nil
		case served == nil:
			if _, err := x.tls.Write(frame(frameAnswer, string([]byte{answerNoProtocol}))); err != nil {
				return nil, nil, nil
			}
			continue
		}
		if !again {
			if _, err := x.tls.Write(frame(frameAnswer, string([]byte{answerYes}))); err != nil {
				d.n.abandoned(served)
				return nil, nil, nil
			}
			x.proto = name
		}
		settled := make(chan bool, 1)
		s := newDirectStream(x, nil, func(again bool) { settled <- again })
		s.served = true
		return served, s, settled
	}
}

// asked returns which protocol the next stream is of, and whether that is the one of the
// last stream, for which nothing is answered.
func (x *directConn) asked() (name string, again bool, err error) {
	var h [frameHead]byte
	if _, err := io.ReadFull(x.tls, h[:]); err != nil {
		return "", false, err
	}
	switch t, length := parseHead(h[:]); {
	case t == frameAgain && length == 0 && x.proto != "":
		return x.proto, true, nil
	case t == frameOpen && 0 < length && length <= maxName:
		b := make([]byte, length)
		_, err := io.ReadFull(x.tls, b)
		return string(b), false, err
	}
	return "", false, errFrame
}
