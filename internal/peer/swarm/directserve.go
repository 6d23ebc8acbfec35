package swarm

import (
	"context"
	"net"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/tenon-net/tenon/transport"
)

// accept takes a connection that has begun with a TLS handshake. It returns when the
// other side has shown its key, or has not.
func (d *direct) accept(ctx context.Context, c *net.TCPConn, scope network.ConnManagementScope) {
	x, err := d.secure(ctx, c, transport.Accepted, "")
	if err != nil {
		scope.Done()
		return
	}
	x.scope = scope
	// Only a peer that has a link already is let in, and the gate has let that in.
	if scope.SetPeer(x.id) != nil || d.n.rankOf(x.id) < guest || !d.keep(x) || !d.n.task(func() { d.serve(x) }) {
		x.cut()
	}
}

// serve serves one stream after the other.
func (d *direct) serve(x *directConn) {
	defer x.cut()
	for {
		x.tls.SetReadDeadline(time.Now().Add(directIdleThere)) //nolint:errcheck // sockets have deadlines
		name, err := readFrame(x.tls, frameOpen, 1, maxName)
		if err != nil {
			return
		}
		x.tls.SetReadDeadline(time.Time{}) //nolint:errcheck // sockets have deadlines
		served, over := d.n.find(string(name), d.n.rankOf(x.id))
		switch {
		case over:
			return
		case served == nil:
			if _, err := x.tls.Write(frame(frameAnswer, string([]byte{answerNoProtocol}))); err != nil {
				return
			}
			continue
		}
		if _, err := x.tls.Write(frame(frameAnswer, string([]byte{answerYes}))); err != nil {
			d.n.working.Done()
			return
		}
		settled := make(chan bool, 1)
		d.handle(served, newDirectStream(x, func(again bool) { settled <- again }))
		if !<-settled {
			return
		}
	}
}

// handle calls a handler that find has found.
func (d *direct) handle(x *served, s *directStream) {
	defer d.n.working.Done()
	defer s.Close() //nolint:errcheck // it returns nil
	x.handle(s)
}
