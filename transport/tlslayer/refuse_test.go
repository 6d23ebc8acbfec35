package tlslayer_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/tenon-net/tenon/internal/tlsconf/tlstest"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
	"github.com/tenon-net/tenon/transport/tlslayer"
	"github.com/tenon-net/tenon/transport/transporttest"
)

// A client that is refused reads why, though in TLS 1.3 it has gone on to send by
// then: what it sends is read before the stream beneath is closed. TCP would answer
// it with a reset otherwise, which has the client's writing fail first and can
// destroy the alert.
func TestRefusedClientReadsTheAlert(t *testing.T) {
	ca := tlstest.New(t)
	a, b := mem.Pair()
	beneath := &lingerer{Filter: transport.Filter{Stream: b}}
	refused := make(chan error, 1)
	go func() {
		_, err := layer(t, ",cert="+ca.Issue(t, "localhost")+",ca="+ca.File).Wrap(context.Background(), beneath, transport.Accepted)
		refused <- err
	}()
	c, err := layer(t, ",ca="+ca.File).Wrap(context.Background(), a, transport.Dialed)
	if err != nil {
		t.Fatalf("TLS 1.3 tells of a refusal after the client's handshake: %v", err)
	}
	if _, err := c.(transport.Stream).Write(bytes.Repeat([]byte("x"), 100_000)); err != nil {
		t.Errorf("the client writes: %v", err)
	}
	if _, err := c.(transport.Stream).Read(make([]byte, 1)); !errors.Is(err, transport.ErrDenied) {
		t.Errorf("the client reads %v, want transport.ErrDenied", err)
	}
	c.Close()
	if err := <-refused; err == nil {
		t.Error("the client is let in")
	}
	if !beneath.clean {
		t.Error("closed before all was read")
	}
}

// A lingerer notices whether it was read to the end when it is closed.
type lingerer struct {
	transport.Filter
	ended, clean bool
}

func (l *lingerer) Read(p []byte) (int, error) {
	n, err := l.Filter.Read(p)
	l.ended = l.ended || err == io.EOF
	return n, err
}

func (l *lingerer) Close() error {
	l.clean = l.ended
	return l.Filter.Close()
}

// A side that only writes has the session tickets of TLS 1.3 unread when it closes.
// That must not reset the connection: the other side would lose the last bytes.
func TestWriteOnlyEndsClean(t *testing.T) {
	ca := tlstest.New(t)
	client, server := layer(t, ",insecure"), layer(t, ",client-auth=want,ca="+ca.File) // crypto/tls sends tickets late then
	for range 5 {
		a, b := tcpPair(t)
		accepted := make(chan transport.Conn, 1)
		go func() {
			s, err := server.Wrap(context.Background(), b, transport.Accepted)
			if err != nil {
				t.Error(err)
				b.Close()
			}
			accepted <- s
		}()
		c, err := client.Wrap(context.Background(), a, transport.Dialed)
		if err != nil {
			t.Fatal(err)
		}
		s := <-accepted
		sent := bytes.Repeat([]byte("x"), 512<<10) // the buffers of the system take that
		if _, err := c.(transport.Stream).Write(sent); err != nil {
			t.Fatal(err)
		}
		closed := make(chan error, 1)
		go func() { closed <- c.Close() }()
		got, err := io.ReadAll(s.(transport.Stream))
		if err != nil || len(got) != len(sent) {
			t.Fatalf("got %d of %d bytes, %v", len(got), len(sent), err)
		}
		s.Close()
		if err := <-closed; err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

// The end of the context also bounds the wait for a client that was refused and
// stays.
func TestRefusalIsBounded(t *testing.T) {
	ca := tlstest.New(t)
	a, b := mem.Pair()
	defer a.Close()
	ctx, cancel := context.WithCancel(context.Background())
	refused := make(chan error, 1)
	go func() {
		_, err := layer(t, ",ca="+ca.File).Wrap(ctx, b, transport.Accepted)
		refused <- err
	}()
	c, err := layer(t, ",insecure").Wrap(context.Background(), a, transport.Dialed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.(transport.Stream).Read(make([]byte, 1)); !errors.Is(err, transport.ErrDenied) {
		t.Errorf("the client reads %v", err)
	}
	cancel()
	if err := <-refused; err == nil {
		t.Error("the client is let in")
	}
	if _, err := b.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the end beneath is open: %v", err)
	}
}

// A zone has a meaning on this machine only: it is in no certificate.
func TestZones(t *testing.T) {
	ca := tlstest.New(t)
	server := layer(t, ",cert="+ca.Issue(t, "fe80::1", "127.0.0.1"))
	for _, host := range []string{"fe80::1%eth0", "[fe80::1%eth0]", "fe80::1", "fe80:0::1%7", "127.0.0.1"} {
		r := handshakeOf(t, &tlslayer.Layer{Options: tlslayer.Options{CA: ca.File}, Host: host}, server)
		if r.cerr != nil || r.server.ServerName != "" {
			t.Errorf("%s: %v; the server is asked for %q", host, r.cerr, r.server.ServerName)
		}
		r = handshakeOf(t, &tlslayer.Layer{Options: tlslayer.Options{CA: ca.File, SNI: host}, Host: "h"}, server)
		if r.cerr != nil {
			t.Errorf("sni=%s: %v", host, r.cerr)
		}
	}
	for _, host := range []string{"fe80::2%eth0", "fe80::2"} {
		handshakeOf(t, &tlslayer.Layer{Options: tlslayer.Options{CA: ca.File}, Host: host}, server).mustDeny(t, "sni=NAME")
	}
}

// What is beneath is known above: the address that rights are decided by, the
// credentials, and that the other side has ended both ways.
func TestWhatIsBeneathIsKnownAbove(t *testing.T) {
	x, y := mem.Pair()
	socket := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 1}
	ended := make(chan struct{})
	beneath := &ender{Filter: transport.Filter{Stream: y, Extra: &transport.Info{Kind: "x", Socket: socket, Cred: &transport.Cred{PID: 7}}}, ended: ended}
	client, server := layers(t)
	c, s, cerr, serr := transporttest.Wrap(t, x, beneath, client, server)
	if cerr != nil || serr != nil {
		t.Fatal(cerr, serr)
	}
	defer c.Close()
	defer s.Close()
	if s.Info().Socket != socket || s.Info().Cred.PID != 7 || transport.PeerAddr(s) != socket {
		t.Errorf("Info is %+v", s.Info())
	}
	if transport.HasEnded(s) || transport.HasEnded(c) {
		t.Error("has ended already")
	}
	c.CloseWrite()
	if _, err := s.(transport.Stream).Read(make([]byte, 1)); err != io.EOF || transport.HasEnded(s) {
		t.Errorf("%v; a close_notify ends one direction, ended: %v", err, transport.HasEnded(s))
	}
	close(ended)
	if !transport.HasEnded(s) {
		t.Error("has not ended with the stream beneath")
	}
}

type ender struct {
	transport.Filter
	ended chan struct{}
}

func (e *ender) Ended() <-chan struct{} { return e.ended }
