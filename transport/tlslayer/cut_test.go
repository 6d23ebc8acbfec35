package tlslayer_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
	"github.com/tenon-net/tenon/transport/tlslayer"
	"github.com/tenon-net/tenon/transport/transporttest"
)

// cut has a server say something and hang up beneath TLS, and returns the error of
// the client with these options. What ends holds follows without being whole.
func cut(t testing.TB, options string, ends []byte) error {
	t.Helper()
	a, b := mem.Pair()
	c, s, cerr, serr := transporttest.Wrap(t, a, b, layer(t, ",insecure"+options), layer(t, ""))
	if cerr != nil || serr != nil {
		t.Fatal(cerr, serr)
	}
	defer s.Close()
	defer c.Close()
	s.(transport.Stream).Write([]byte("all of it?"))
	b.Write(ends)
	b.CloseWrite() // beneath
	got, err := io.ReadAll(c.(transport.Stream))
	if string(got) != "all of it?" {
		t.Errorf("%s: got %q", options, got)
	}
	if _, again := c.(transport.Stream).Read(make([]byte, 1)); err != nil && !errors.Is(again, io.ErrUnexpectedEOF) || err == nil && again != io.EOF {
		t.Errorf("%s: the next Read: %v, after %v", options, again, err)
	}
	return err
}

// An end of file beneath TLS is a cut, also between two records, where somebody
// who forges a FIN would put it. Who asks for it can have that one taken for the
// end, and the error says how; within a record there is no such thing.
func TestTruncationIsNotTheEnd(t *testing.T) {
	record := []byte{23, 3, 3, 1, 0, 7} // application data, 256 bytes, of which one is there
	for _, version := range []string{",max-version=1.2", ",max-version=1.3"} {
		err := cut(t, version, nil)
		if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(transport.Hint(err), "ignore-unexpected-eof") {
			t.Errorf("%s: %v, hint %q; want io.ErrUnexpectedEOF and the option in the hint", version, err, transport.Hint(err))
		}
		for _, tolerant := range []string{",ignore-unexpected-eof", ",allow-truncation"} {
			if err := cut(t, version+tolerant, nil); err != nil {
				t.Errorf("%s%s: %v", version, tolerant, err)
			}
			for n := 1; n <= len(record); n++ {
				if err := cut(t, version+tolerant, record[:n]); !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("%s%s, cut after %d bytes of a record: %v", version, tolerant, n, err)
				}
			}
		}
	}
}

// A write that runs into its deadline keeps the records whole: what it counted
// arrives, and writing goes on.
func TestWriteDeadlineKeepsRecordsWhole(t *testing.T) {
	a, b := tcpPair(t)
	c, s := pairOver(t, a, b)
	defer s.Close()
	p := bytes.Repeat([]byte("0123456789abcdef"), 1<<14)
	total := 0
	for round := range 3 {
		c.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
		for {
			n, err := c.(transport.Stream).Write(p[total%16 : total%16+200_000])
			if total += n; errors.Is(err, os.ErrDeadlineExceeded) {
				break
			} else if err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
		}
		c.SetWriteDeadline(time.Time{})
		got := make(chan error, 1)
		want := total
		go func() {
			q := make([]byte, want)
			_, err := io.ReadFull(s.(transport.Stream), q)
			for i := range q {
				if q[i] != p[i%16] && err == nil {
					err = errors.New("the bytes are out of order")
				}
			}
			got <- err
		}()
		if _, err := c.(transport.Stream).Write(nil); err != nil { // sends what is left
			t.Fatalf("round %d, afterwards: %v", round, err)
		}
		if err := <-got; err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		total = 0
	}
	c.Close()
}

// A write of many records is few writes beneath, of which none is the short rest, and a
// read takes all of them.
func TestFewCallsBeneath(t *testing.T) {
	const size = 1<<20 + 12
	a, b := mem.Pair()
	counted := &counter{Filter: transport.Filter{Stream: a}}
	c, s := pairOver(t, counted, b)
	defer c.Close()
	defer s.Close()
	before := counted.writes
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.(transport.Stream).Write(make([]byte, size))
	}()
	most := 0
	for total, p := 0, make([]byte, 64<<10); total < size; {
		n, err := s.(transport.Stream).Read(p)
		if err != nil {
			t.Fatal(err)
		}
		most, total = max(most, n), total+n
	}
	<-done
	if n := counted.writes - before; n != 16 {
		t.Errorf("a megabyte is %d writes, want 16", n)
	}
	if most <= 16<<10 {
		t.Errorf("the largest read is %d bytes, want more than a record", most)
	}
}

type counter struct {
	transport.Filter
	writes int
}

func (c *counter) Write(p []byte) (int, error) { c.writes++; return c.Filter.Write(p) }

// What is not TLS is refused with a word about it, and leaves nothing behind.
func TestNotTLS(t *testing.T) {
	for _, said := range []string{"GET / HTTP/1.1\r\n\r\n", "SSH-2.0-x\r\n", strings.Repeat("\x16\x03\x01\xff\xff", 5000)} {
		a, b := mem.Pair()
		go func() {
			io.WriteString(a, said)
			a.CloseWrite()
		}()
		_, err := new(tlslayer.Layer).Wrap(context.Background(), b, transport.Accepted)
		if err == nil {
			t.Fatalf("%.20q is taken for TLS", said)
		}
		if said[0] != 0x16 && transport.Hint(err) == "" {
			t.Errorf("%.20q: no hint with %v", said, err)
		}
		if _, err := b.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the end beneath is open: %v", err)
		}
		a.Close()
	}
}

func TestMessagesBeneathAreRefused(t *testing.T) {
	a, b := mem.MsgPair()
	defer b.Close()
	if _, err := new(tlslayer.Layer).Wrap(context.Background(), a, transport.Dialed); !errors.Is(err, transport.ErrUsage) {
		t.Errorf("Wrap: %v, want transport.ErrUsage", err)
	}
}

// FuzzServer gives a listener any bytes at all for a handshake.
func FuzzServer(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add([]byte("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"))
	f.Add([]byte("\x16\x03\x03\xff\xff"))
	l := new(tlslayer.Layer)
	f.Fuzz(func(t *testing.T, data []byte) {
		a, b := mem.Pair()
		defer a.Close()
		go func() {
			a.Write(data)
			a.CloseWrite()
			io.Copy(io.Discard, a)
		}()
		if c, err := l.Wrap(context.Background(), b, transport.Accepted); err == nil {
			c.Close()
			t.Error("a handshake out of nothing")
		}
	})
}
