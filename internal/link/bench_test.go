package link

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"iter"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// A loop is a Network of two peers over TLS on this machine, each stream a connection
// of its own. It knows who is who from the side.
type loop struct {
	self, other peer.ID
	listener    net.Listener
	config      *tls.Config
	mu          sync.Mutex
	handlers    map[string]func(transport.Stream)
	working     sync.WaitGroup
	to          *loop
}

func newLoops(t testing.TB) (a, b *loop) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"loop"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}
	a = &loop{self: peer.NewKey().ID(), config: config, handlers: map[string]func(transport.Stream){}}
	b = &loop{self: peer.NewKey().ID(), config: config, handlers: map[string]func(transport.Stream){}}
	a.other, b.other, a.to, b.to = b.self, a.self, b, a
	for _, l := range []*loop{a, b} {
		if l.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		l.working.Go(l.serve)
		t.Cleanup(func() {
			l.listener.Close() //nolint:errcheck // it returns nil
			l.working.Wait()
		})
	}
	return a, b
}

func (l *loop) serve() {
	for {
		c, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.working.Go(func() {
			s := newLoopStream(c, tls.Server, l)
			defer s.Close() //nolint:errcheck // it is over
			var b [256]byte
			if _, err := io.ReadFull(s, b[:1]); err != nil {
				return
			}
			if _, err := io.ReadFull(s, b[1:1+b[0]]); err != nil {
				return
			}
			l.mu.Lock()
			h := l.handlers[string(b[1:1+b[0]])]
			l.mu.Unlock()
			if h != nil {
				h(s)
			}
		})
	}
}

func (l *loop) Self() peer.ID { return l.self }

func (l *loop) Open(ctx context.Context, _ peer.ID, proto string) (transport.Stream, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", l.to.listener.Addr().String())
	if err != nil {
		return nil, err
	}
	s := newLoopStream(c, tls.Client, l)
	if err := s.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	_, err = s.Write(append([]byte{byte(len(proto))}, proto...))
	return s, err
}

func (l *loop) Serve(proto string, h func(transport.Stream)) func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handlers[proto] = h
	return func() {}
}

func (l *loop) Links() iter.Seq[peer.Link]    { return func(func(peer.Link) bool) {} }
func (l *loop) LinksChanged() <-chan struct{} { return nil }

// A loopStream is a connection of TLS.
type loopStream struct {
	*tls.Conn
	below *gather
	info  *transport.Info
}

// Write hands all records of p to the socket at once, as a Network that wants to be fast
// does: crypto/tls alone makes a system call for each.
func (s *loopStream) Write(p []byte) (int, error) {
	s.below.holding = true
	n, err := s.Conn.Write(p)
	s.below.holding = false
	return n, errors.Join(err, s.below.flush())
}

// A gather holds what is written back until it is flushed.
type gather struct {
	net.Conn
	holding bool
	held    []byte
}

func (g *gather) Write(p []byte) (int, error) {
	if !g.holding {
		return g.Conn.Write(p)
	}
	g.held = append(g.held, p...)
	if len(g.held) > 256<<10 {
		return len(p), g.flush()
	}
	return len(p), nil
}

func (g *gather) flush() (err error) {
	if len(g.held) > 0 {
		_, err = g.Conn.Write(g.held)
	}
	g.held = g.held[:0]
	return err
}

func newLoopStream(c net.Conn, side func(net.Conn, *tls.Config) *tls.Conn, l *loop) *loopStream {
	g := &gather{Conn: c}
	return &loopStream{side(g, l.config), g, &transport.Info{Kind: "peer", Peer: l.other.String()}}
}

func (s *loopStream) Info() *transport.Info { return s.info }
func (s *loopStream) Abort(error) error     { return s.Conn.NetConn().Close() }

// open returns both ends of a stream from a to b.
func openBoth(t testing.TB, a, b peer.Network) (near, far transport.Stream) {
	accepted, done := make(chan transport.Stream, 1), make(chan struct{})
	stop := b.Serve("bench", func(s transport.Stream) {
		accepted <- s
		<-done
	})
	t.Cleanup(func() { stop() })
	near, err := a.Open(t.Context(), b.Self(), "bench")
	if err != nil {
		t.Fatal(err)
	}
	far = <-accepted
	t.Cleanup(func() {
		transport.Abort(near, io.EOF) //nolint:errcheck // it is over
		transport.Abort(far, io.EOF)  //nolint:errcheck // it is over
		close(done)
	})
	return near, far
}

// both runs a benchmark over plain TLS and over a link over that.
func both(b *testing.B, f func(b *testing.B, near, far transport.Stream)) {
	measured := func(b *testing.B, near, far transport.Stream) {
		begin := cpuTime()
		f(b, near, far)
		b.ReportMetric(float64(cpuTime()-begin)/float64(b.N), "cpu-ns/op")
	}
	b.Run("plain", func(b *testing.B) {
		x, y := newLoops(b)
		near, far := openBoth(b, x, y)
		measured(b, near, far)
	})
	b.Run("link", func(b *testing.B) {
		x, y := newLoops(b)
		l, m := New(x, Options{}), New(y, Options{})
		b.Cleanup(func() { l.Close(); m.Close() }) //nolint:errcheck // they return nil
		near, far := openBoth(b, l, m)
		measured(b, near, far)
	})
}

func BenchmarkBulk(b *testing.B) {
	for name, size := range map[string]int{"16KiB": 16 << 10, "64KiB": 64 << 10, "256KiB": 256 << 10} {
		b.Run(name, func(b *testing.B) {
			both(b, func(b *testing.B, near, far transport.Stream) {
				b.SetBytes(int64(size))
				p := make([]byte, size)
				done := make(chan error, 1)
				go near.Read(make([]byte, 1)) //nolint:errcheck // as in a joint, which reads both
				b.ResetTimer()
				go func() {
					q := make([]byte, size)
					for left := b.N * size; left > 0; {
						n, err := far.Read(q)
						if err != nil {
							done <- err
							return
						}
						left -= n
					}
					done <- nil
				}()
				for range b.N {
					if _, err := near.Write(p); err != nil {
						b.Fatal(err)
					}
				}
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	both(b, func(b *testing.B, near, far transport.Stream) {
		go func() {
			q := make([]byte, 64)
			for {
				if _, err := io.ReadFull(far, q); err != nil {
					return
				}
				far.Write(q) //nolint:errcheck // the other side notices
			}
		}()
		p := make([]byte, 64)
		b.ResetTimer()
		for range b.N {
			near.Write(p) //nolint:errcheck // the read shows it
			if _, err := io.ReadFull(near, p); err != nil {
				b.Fatal(err)
			}
		}
	})
}
