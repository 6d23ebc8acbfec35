package mailbox

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/peer/pair"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
)

// empty checks that a server holds nothing any more.
func empty(t *testing.T, s *Server) {
	t.Helper()
	s.lock(func() {
		if len(s.channels) > 0 || s.all > 0 || len(s.streams) > 0 {
			t.Errorf("it holds %d channels and %d streams", len(s.channels), s.all)
		}
	})
}

func TestHostile(t *testing.T) {
	var s Server
	peertest.Hostile(t, asking+asking, s.Handle, func(t *testing.T) {
		empty(t, &s)
	})
}

// A joiner that does what it should not ends its own run, and the next one pairs.
func TestHostileJoiners(t *testing.T) {
	for _, b := range peertest.Behaviors {
		t.Run(b.Name, func(t *testing.T) {
			at(t, func(t *testing.T, p *place) {
				alice, bob, mallory := p.node("alice"), p.node("bob"), p.node("mallory")
				c := p.offer(alice, 0)
				o := pair.NewOffer(pair.NewCode(c.Number()), pair.Side{Key: alice.Key(), Name: "alice"})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go serve(ctx, c, o)
				hers, err := p.join(mallory, 1)
				if err != nil {
					t.Fatal(err)
				}
				go func() {
					b.Play(ctx, hers)
					hers.Close() //nolint:errcheck // it returns nil
				}()
				time.Sleep(time.Second)
				begin := time.Now()
				s, err := p.join(bob, 1)
				if err != nil {
					t.Fatalf("after %v: %v", time.Since(begin), err)
				}
				if d := time.Since(begin); d > turn+time.Second {
					t.Errorf("bob has waited for %v", d)
				}
				if _, err := pair.Join(ctx, s, o.Code(), pair.Side{Key: bob.Key(), Name: "bob"}); err != nil {
					t.Error(err)
				}
				cancel()
				c.Close() //nolint:errcheck // it returns nil
			})
		})
	}
}

// An offerer that does what it should not, when somebody has joined it or before.
func TestHostileOfferers(t *testing.T) {
	for _, b := range peertest.Behaviors {
		for _, joined := range []bool{false, true} {
			t.Run(fmt.Sprint(b.Name, " joined ", joined), func(t *testing.T) {
				at(t, func(t *testing.T, p *place) {
					mallory, bob := p.node("mallory"), p.node("bob")
					ctx, cancel := context.WithTimeout(t.Context(), Lifetime)
					defer cancel()
					c := p.offer(mallory, 0)
					play := func() {
						b.Play(ctx, c.waiting)
						c.waiting.Close() //nolint:errcheck // it returns nil
					}
					if !joined {
						go play()
						time.Sleep(Lifetime + Grace)
						return
					}
					s, err := p.join(bob, 1)
					if err != nil {
						t.Fatal(err)
					}
					go play()
					begin := time.Now()
					n, _ := io.Copy(io.Discard, s) //nolint:errcheck // the number is what counts
					if n > MaxBytes || time.Since(begin) > MaxRun {
						t.Errorf("%d bytes in %v", n, time.Since(begin))
					}
					s.Close() //nolint:errcheck // it returns nil
					cancel()
				})
			})
		}
	}
}

// One host gets a few channels and no more, and all together do not fill the relay for
// its owner's peers... who still find room as long as there is some.
func TestSquatters(t *testing.T) {
	at(t, func(t *testing.T, p *place) {
		p.server.Channels = 20
		p.server.Trusted = func(s transport.Stream) bool { return s.Info().Peer == p.nodes[0].Self().String() }
		friend := p.node("friend")
		opened := 0
		var last error
		for i := range 5 {
			squatter := p.node(fmt.Sprint("squatter ", i))
			for range 20 {
				if _, err := Offer(t.Context(), p.opener(squatter), 0); err != nil {
					last = err
				} else {
					opened++
				}
			}
			if i == 0 && opened != DefaultChannelsPerHost {
				t.Errorf("one host has %d channels", opened)
			}
		}
		if opened != 20 || !errors.Is(last, ErrFull) {
			t.Errorf("%d channels are open; %v", opened, last)
		}
		if _, err := Offer(t.Context(), p.opener(friend), 0); !errors.Is(err, ErrFull) {
			t.Errorf("there is no limit of all: %v", err)
		}
		time.Sleep(Lifetime + time.Second)
		for range DefaultChannelsPerHost + 1 {
			p.offer(friend, 0)
		}
	})
}

// Who opens and closes channels again and again is slowed down.
func TestOpenedTooOften(t *testing.T) {
	at(t, func(t *testing.T, p *place) {
		mallory := p.node("mallory")
		var err error
		opened := 0
		for ; err == nil && opened < 1000; opened++ {
			var c *Channel
			if c, err = Offer(t.Context(), p.opener(mallory), 0); err == nil {
				c.Close() //nolint:errcheck // it returns nil
				time.Sleep(100 * time.Millisecond)
			}
		}
		if !errors.Is(err, ErrTooOften) || opened > 2*joinBurst {
			t.Errorf("%d were opened: %v", opened, err)
		}
	})
}

// Guessing numbers is slow, whether they are there or not.
func TestGuessedTooOften(t *testing.T) {
	at(t, func(t *testing.T, p *place) {
		alice, mallory, bob := p.node("alice"), p.node("mallory"), p.node("bob")
		c := p.offer(alice, 500)
		var err error
		tries := 0
		for ; !errors.Is(err, ErrTooOften) && tries < 1000; tries++ {
			_, err = p.join(mallory, 1+tries)
		}
		if tries > 2*joinBurst {
			t.Errorf("%d tries", tries)
		}
		if _, err := p.join(bob, 500); err != nil {
			t.Errorf("bob: %v", err)
		}
		c.Close() //nolint:errcheck // it returns nil
	})
}

// A channel that many hosts try is tried slowly, and its offerer learns of them.
func TestOneChannelFromManyHosts(t *testing.T) {
	at(t, func(t *testing.T, p *place) {
		alice := p.node("alice")
		c := p.offer(alice, 0)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		accepted := 0
		go func() {
			for {
				s, err := c.Accept(ctx)
				if err != nil {
					if ctx.Err() == nil {
						t.Error(err)
					}
					return
				}
				accepted++
				s.Close() //nolint:errcheck // it returns nil
			}
		}()
		away := 0
		for i := range 40 {
			s, err := p.join(p.node(fmt.Sprint("bot ", i)), 1)
			if err != nil {
				away++
				continue
			}
			s.Close() //nolint:errcheck // it returns nil
		}
		synctest.Wait()
		if accepted > 2*joinBurst || accepted+away != 40 {
			t.Errorf("%d were accepted, %d turned away", accepted, away)
		}
		time.Sleep(time.Minute)
		if _, err := p.join(p.node("bob"), 1); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if c.TurnedAway() != away {
			t.Errorf("the offerer has been told of %d that were turned away, and it were %d", c.TurnedAway(), away)
		}
		cancel()
		c.Close() //nolint:errcheck // it returns nil
	})
}

// Half of a frame, a wrong version, a type that the server sends, a number that is none.
func TestFrames(t *testing.T) {
	frame := func(typ frameType, content ...byte) string {
		var b bytes.Buffer
		writeFrame(&b, typ, content) //nolint:errcheck // it is in memory
		return b.String()
	}
	refused := func(reason byte) string { return frame(frameRefuse, reason) }
	offer := make([]byte, offerSize)
	offer[0] = version
	for name, test := range map[string]struct{ in, want string }{
		"a version that is not there": {frame(frameOffer, append([]byte{2}, offer[1:]...)...), refused(1)},
		"too short":                   {frame(frameOffer, offer[:20]...), refused(1)},
		"too long":                    {frame(frameJoin, make([]byte, 6)...), refused(1)},
		"not from a client":           {frame(frameJoined, 0, 0, 0, 0), refused(1)},
		"a refusal":                   {refused(4), refused(4)},
		"no channel":                  {frame(frameJoin, version, 0, 0, 0, 9), refused(2)},
		"a number that is none":       {frame(frameJoin, version, 0xff, 0xff, 0xff, 0xff), refused(2)},
		"an offer of such a number":   {frame(frameOffer, append([]byte{version, 0, 0xf, 0x42, 0x40}, offer[5:]...)...), refused(2)},
		"an offer":                    {frame(frameOffer, offer...), frame(frameOpened, 0, 0, 0, 1, 2, 88)},
		"an offer that speaks on":     {frame(frameOffer, offer...) + "x", frame(frameOpened, 0, 0, 0, 1, 2, 88) + refused(1)},
	} {
		synctest.Test(t, func(t *testing.T) {
			var s Server
			near, far := mem.Pair()
			go func() {
				s.Handle(far)
				far.Close() //nolint:errcheck // it returns nil
			}()
			io.WriteString(near, test.in) //nolint:errcheck // the answer shows it
			near.CloseWrite()             //nolint:errcheck // the answer shows it
			got, err := io.ReadAll(near)
			if string(got) != test.want || err != nil {
				t.Errorf("%s: %x, want %x; %v", name, got, test.want, err)
			}
			s.Close() //nolint:errcheck // it returns nil
		})
	}
}

func TestHosts(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.7:4001":               "192.0.2.7/32",
		"[2001:db8:1:2:3::4]:1":        "2001:db8:1::/56",
		"[::ffff:192.0.2.7]:1":         "192.0.2.7/32",
		"[fe80::1%eth0]:1":             "fe80::/56",
		"/ip4/192.0.2.7/tcp/4001":      "192.0.2.7/32",
		"/ip6/2001:db8::1/udp/1":       "2001:db8::/56",
		"/dns4/example.org/tcp/1":      "the peer",
		"alice /tenon/mailbox/1":       "the peer",
		"/ip4/192.0.2.7\x00/tcp/1":     "the peer",
		strings.Repeat("/ip4/", 10000): "the peer",
	} {
		s := &client{Stream: elsewhere{in}}
		if got := Host(s); got != want {
			t.Errorf("%q is at %s, want %s", in, got, want)
		}
	}
}

// elsewhere is a stream from some address.
type elsewhere struct{ from string }

func (e elsewhere) RemoteAddr() net.Addr               { return transport.Addr{Net: "peer", Name: e.from} }
func (e elsewhere) LocalAddr() net.Addr                { return e.RemoteAddr() }
func (e elsewhere) Info() *transport.Info              { return &transport.Info{Peer: "the peer"} }
func (e elsewhere) Read([]byte) (int, error)           { return 0, io.EOF }
func (e elsewhere) Write([]byte) (int, error)          { return 0, io.ErrClosedPipe }
func (e elsewhere) Close() error                       { return nil }
func (e elsewhere) CloseWrite() error                  { return nil }
func (e elsewhere) SetDeadline(time.Time) error        { return nil }
func (e elsewhere) SetReadDeadline(time.Time) error    { return nil }
func (e elsewhere) SetWriteDeadline(t time.Time) error { return nil }

// FuzzServer gives the relay what a client may send, in three streams one after the
// other.
func FuzzServer(f *testing.F) {
	offer := append([]byte{byte(frameOffer), 0, offerSize, version}, make([]byte, offerSize-1)...)
	join := binary.BigEndian.AppendUint32([]byte{byte(frameJoin), 0, joinSize, version}, 1)
	f.Add(offer, join, join)
	f.Add(append(bytes.Clone(offer), "hello"...), append(bytes.Clone(join), "hello"...), offer)
	f.Add([]byte{byte(frameRefuse), 0, 1, 9}, []byte{0xff, 0xff, 0xff}, []byte{})
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		synctest.Test(t, func(t *testing.T) {
			s := Server{Channels: 2}
			for _, in := range [][]byte{a, b, c} {
				near, far := mem.Pair()
				go func() {
					s.Handle(far)
					far.Close() //nolint:errcheck // it returns nil
				}()
				go func() {
					near.Write(in)            //nolint:errcheck // it may be refused
					io.Copy(io.Discard, near) //nolint:errcheck // it ends
					near.Close()              //nolint:errcheck // it returns nil
				}()
				synctest.Wait()
			}
			time.Sleep(Lifetime + MaxRun + Grace)
			empty(t, &s)
		})
	})
}

// FuzzClient gives an offerer and a joiner what a relay may send.
func FuzzClient(f *testing.F) {
	f.Add([]byte{byte(frameOpened), 0, 6, 0, 0, 0, 1, 2, 88, byte(frameJoined), 0, 4, 0, 0, 0, 0, 'x'})
	f.Add([]byte{byte(frameRefuse), 0, 1, 3})
	f.Fuzz(func(t *testing.T, in []byte) {
		synctest.Test(t, func(t *testing.T) {
			open := func(context.Context) (transport.Stream, error) {
				near, far := mem.Pair()
				go func() {
					far.Write(in)            //nolint:errcheck // it may be closed
					io.Copy(io.Discard, far) //nolint:errcheck // it ends
					far.Close()              //nolint:errcheck // it returns nil
				}()
				return near, nil
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if c, err := Offer(ctx, open, 0); err == nil {
				if c.Number() < 1 || c.Number() > MaxChannel {
					t.Errorf("channel %d", c.Number())
				}
				if s, err := c.Accept(ctx); err == nil {
					s.Close() //nolint:errcheck // it returns nil
				}
				c.Close() //nolint:errcheck // it returns nil
			}
			s, _ := open(ctx) //nolint:errcheck // it opens
			if s, err := Join(ctx, s, 1); err == nil {
				s.Close() //nolint:errcheck // it returns nil
			}
		})
	})
}
