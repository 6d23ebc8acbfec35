package quic_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/tlsconf/tlstest"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/quic"
	"github.com/tenon-net/tenon/transport/transporttest"
)

// listen opens l on loopback, closed when t ends, and returns its port.
func listen(t testing.TB, l *quic.Listen) (transport.Acceptor, string) {
	t.Helper()
	l.Port = "0"
	a, err := l.Listen(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a, fmt.Sprint(a.Addr().(*net.UDPAddr).Port)
}

// endpoints returns two that trust each other.
func endpoints(t testing.TB) (*quic.Dial, *quic.Listen) {
	ca := tlstest.New(t)
	return &quic.Dial{TLS: quic.TLS{CA: ca.File}, Host: "localhost"}, &quic.Listen{TLS: quic.TLS{Cert: ca.Issue(t, "localhost")}}
}

func connect(t testing.TB, d *quic.Dial, l *quic.Listen) (dialed, accepted transport.Conn) {
	t.Helper()
	a, port := listen(t, l)
	d.Port = port
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := d.Dial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	s, err := a.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	return c, s
}

// pair returns two ends whose Close waits long enough for a busy machine, and no
// longer than the suite waits for a Close.
func pair(t testing.TB) (dialed, accepted transport.Conn) {
	d, l := endpoints(t)
	d.Drain, l.Drain = 3*time.Second, 3*time.Second
	return connect(t, d, l)
}

func TestConformance(t *testing.T) {
	h := transporttest.Harness{
		Kind: quic.Kinds()[0],
		Pair: pair,
		Endpoint: func(t testing.TB) transport.Endpoint {
			d, l := endpoints(t)
			d.Drain = -1
			_, d.Port = listen(t, l)
			return d
		},
		Addresses: []string{"quic:example.org:4433", "quic://[::1]:1,insecure,keepalive=5s"},
		Bad: map[string]string{
			"quic:h":                "quic needs a host and a port: quic:HOST:PORT",
			"quic:h:1,pin=md5:00":   "pin= is written sha256:HASH",
			"quic:h:1,cert=/no.pem": "cert=: open /no.pem: no such file or directory",
		},
		Options: dialOptions,
		TLS:     true,
	}
	t.Run("dialed", func(t *testing.T) { transporttest.Run(t, h) })
	h = transporttest.Harness{
		Kind: quic.Kinds()[1],
		Pair: func(t testing.TB) (a, b transport.Conn) { d, s := pair(t); return s, d },
		Endpoint: func(t testing.TB) transport.Endpoint {
			return &quic.Listen{Port: "0"}
		},
		Addresses: []string{"quic-listen:4433", "quic-listen:*:4433,client-auth=none"},
		Bad: map[string]string{
			"quic-listen:h":                  "quic-listen needs a port: quic-listen:[HOST:]PORT",
			"quic-listen:1,client-auth=need": "client-auth=need needs ca= or pin= to hold the clients against",
			"quic-listen:1,key=k.pem":        "key= needs cert=",
		},
		Options: listenOptions,
		TLS:     true,
	}
	t.Run("accepted", func(t *testing.T) { transporttest.Run(t, h) })
}

func FuzzBind(f *testing.F) {
	transporttest.Fuzz(f, quic.Kinds()[0], "quic:h:1,pin=sha256:00,keepalive=1s")
}

func BenchmarkQUIC(b *testing.B) {
	transporttest.Bench(b, transporttest.Harness{Kind: quic.Kinds()[0], Pair: pair})
}

// A listener that speaks first is heard, before the dialer has written anything.
func TestListenerSpeaksFirst(t *testing.T) {
	c, s := pair(t)
	go s.(transport.Stream).Write([]byte("220 hello"))
	p := make([]byte, 9)
	if _, err := io.ReadFull(c.(transport.Stream), p); err != nil || string(p) != "220 hello" {
		t.Errorf("got %q, %v", p, err)
	}
}

// What was written before Close arrives, however slowly the other side reads.
func TestLastBytesArrive(t *testing.T) {
	for _, swap := range []bool{false, true} {
		d, l := endpoints(t)
		a, b := connect(t, d, l)
		if swap {
			a, b = b, a
		}
		want := bytes.Repeat([]byte("0123456789"), 30_000) // fits into the window: nobody need read it yet
		closed, closing := make(chan error, 1), make(chan struct{})
		go func() {
			if _, err := a.(transport.Stream).Write(want); err != nil {
				t.Error(err)
			}
			if err := a.CloseWrite(); err != nil {
				t.Error(err)
			}
			close(closing)
			closed <- a.Close()
		}()
		<-closing
		got, err := io.ReadAll(b.(transport.Stream))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("got %d of %d bytes, %v", len(got), len(want), err)
		}
		b.Close()
		if err := <-closed; err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

// A confirmation counts though the connection is closed right behind it, by a side
// that does not wait for ours.
func TestConfirmationBeforeAClose(t *testing.T) {
	for _, swap := range []bool{false, true} {
		d, l := endpoints(t)
		hasty := &l.Drain
		if swap {
			hasty = &d.Drain
		}
		*hasty = -1
		a, b := connect(t, d, l)
		if swap {
			a, b = b, a
		}
		if _, err := a.(transport.Stream).Write([]byte("all")); err != nil {
			t.Fatal(err)
		}
		if err := a.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(b.(transport.Stream)); string(got) != "all" || err != nil {
			t.Fatalf("got %q, %v", got, err)
		}
		b.Close()
		if _, err := io.ReadAll(a.(transport.Stream)); err == nil {
			t.Log("the end of the stream came before that of the connection")
		}
		if err := a.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

// Close says so if the other side never read what was written.
func TestUnreadIsToldByClose(t *testing.T) {
	c, s := pair(t)
	c.(transport.Stream).Write([]byte("lost"))
	if err := c.Close(); err == nil {
		t.Error("Close returns nil")
	}
	if _, err := io.ReadAll(s.(transport.Stream)); err == nil {
		t.Log("the other side had read it by then")
	}
}

// A client that says nothing must not keep the next one from being accepted.
func TestSilentClient(t *testing.T) {
	d, l := endpoints(t)
	d.Drain, l.Drain = -1, -1
	a, port := listen(t, l)
	raw, err := net.Dial("udp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	for range 50 {
		raw.Write(bytes.Repeat([]byte{0xc0}, 1200))
	}
	d.Port = port
	c, err := d.Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := a.Accept()
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

// A connection outlives the listener that it came through.
func TestConnOutlivesListener(t *testing.T) {
	d, l := endpoints(t)
	a, port := listen(t, l)
	d.Port = port
	c, err := d.Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	s, err := a.Accept()
	if err != nil {
		t.Fatal(err)
	}
	a.Close()
	go func() {
		s.(transport.Stream).Write([]byte("still here"))
		s.Close()
	}()
	got, err := io.ReadAll(c.(transport.Stream))
	if string(got) != "still here" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	c.Close()
	if _, err := a.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: %v", err)
	}
}
