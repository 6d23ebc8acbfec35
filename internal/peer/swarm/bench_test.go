package swarm

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// The ways that are compared. Each benchmark runs a piece of work by plain TCP and by
// the way in turn, and reports the median of the ratios: one run each of two things
// says nothing on a busy machine.
var ways = map[string]string{
	"direct": "/ip4/127.0.0.1/tcp/0",
	"yamux":  "/ip4/127.0.0.1/tcp/0",
	"quic":   "/ip4/127.0.0.1/udp/0/quic-v1",
}

// A way opens streams to a server that does what serve says.
type way func() net.Conn

func newWays(b *testing.B, name string, serve func(net.Conn)) (plain, ours way) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() }) //nolint:errcheck // a test
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close() //nolint:errcheck // a test
				serve(c)
			}()
		}
	}()
	x, y := newNet(b, nil, ways[name]), newNet(b, nil, ways[name])
	meet(x, y)
	y.Serve("bench", func(s transport.Stream) { serve(s) })
	if err := x.Connect(context.Background(), y.Self()); err != nil {
		b.Fatal(err)
	}
	if name == "yamux" {
		x.direct.pause(y.lib())
		x.direct.peers[y.lib()].not = time.Now().Add(time.Hour)
	}
	return func() net.Conn {
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			return c
		}, func() net.Conn {
			c, err := x.Open(context.Background(), y.Self(), "bench")
			if err != nil {
				b.Fatal(err)
			}
			return c
		}
}

// compare runs work by both ways in turn.
func compare(b *testing.B, plain, ours func()) {
	b.Helper()
	plain()
	ours()
	var ratios []float64
	var sum [2]time.Duration
	for b.Loop() {
		begin := time.Now()
		plain()
		middle := time.Now()
		ours()
		t, u := middle.Sub(begin), time.Since(middle)
		ratios = append(ratios, float64(u)/float64(t))
		sum[0], sum[1] = sum[0]+t, sum[1]+u
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "times-tcp")
	b.ReportMetric(float64(sum[1])/float64(b.N), "own-ns/op")
}

func BenchmarkRoundTrip(b *testing.B) {
	for name := range ways {
		b.Run(name, func(b *testing.B) {
			plain, ours := newWays(b, name, func(c net.Conn) { io.Copy(c, c) }) //nolint:errcheck // a test
			ping := func(w way) func() {
				c := w()
				b.Cleanup(func() { c.Close() }) //nolint:errcheck // a test
				p := make([]byte, 64)
				return func() {
					for range 100 {
						c.Write(p)        //nolint:errcheck // a test
						io.ReadFull(c, p) //nolint:errcheck // a test
					}
				}
			}
			compare(b, ping(plain), ping(ours))
		})
	}
}

func BenchmarkThroughput(b *testing.B) {
	const size = 64 << 20
	for name := range ways {
		for _, chunk := range []int{4 << 10, 64 << 10, 1 << 20} {
			b.Run(fmt.Sprintf("%s/%dK", name, chunk>>10), func(b *testing.B) {
				plain, ours := newWays(b, name, func(c net.Conn) {
					buf := make([]byte, 256<<10)
					for {
						n := 0
						for n < size {
							m, err := c.Read(buf)
							if err != nil {
								return
							}
							n += m
						}
						c.Write([]byte{1}) //nolint:errcheck // a test
					}
				})
				send := func(w way) func() {
					c := w()
					b.Cleanup(func() { c.Close() }) //nolint:errcheck // a test
					p := make([]byte, chunk)
					return func() {
						for n := 0; n < size; n += chunk {
							if _, err := c.Write(p); err != nil {
								b.Fatal(err)
							}
						}
						io.ReadFull(c, p[:1]) //nolint:errcheck // a test
					}
				}
				b.SetBytes(2 * size)
				compare(b, send(plain), send(ours))
			})
		}
	}
}

func BenchmarkConnections(b *testing.B) {
	for name := range ways {
		b.Run(name, func(b *testing.B) {
			plain, ours := newWays(b, name, func(c net.Conn) { io.Copy(c, c) }) //nolint:errcheck // a test
			connect := func(w way) func() {
				p := make([]byte, 1)
				return func() {
					for range 20 {
						c := w()
						c.Write(p)                                       //nolint:errcheck // a test
						io.ReadFull(c, p)                                //nolint:errcheck // a test
						c.(interface{ CloseWrite() error }).CloseWrite() //nolint:errcheck,forcetypeassert // a test
						io.ReadAll(c)                                    //nolint:errcheck // a test
						c.Close()                                        //nolint:errcheck // a test
					}
				}
			}
			compare(b, connect(plain), connect(ours))
		})
	}
}
