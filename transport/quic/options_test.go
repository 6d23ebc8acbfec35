package quic_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/tlsconf"
	"github.com/tenon-net/tenon/internal/tlsconf/tlstest"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/quic"
	"github.com/tenon-net/tenon/transport/transporttest"
)

var dialOptions = map[string]func(*testing.T){
	"ca":         testTrust,
	"crl":        testRevoked,
	"pin":        testTrust,
	"sni":        testTrust,
	"commonname": testTrust,
	"insecure":   testTrust,
	"verify":     testTrust,
	"cert":       testClientAuth,
	"key":        testClientAuth,
	"alpn":       testStranger,
	"keylog": func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "keys")
		mustWork(t, try(t, ",insecure,keylog="+file, ""))
		wantKeys(t, file)
	},
	"keepalive": testKeepAlive,
	"max-idle":  testMaxIdle,
	"drain":     testDrain,
}

var listenOptions = map[string]func(*testing.T){
	"ca":          testClientAuth,
	"crl":         testRevoked,
	"pin":         testClientAuth,
	"client-auth": testClientAuth,
	"commonname":  testClientAuth,
	"cert":        testTrust,
	"key":         testClientAuth,
	"alpn":        testStranger,
	"keylog": func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "keys")
		mustWork(t, try(t, ",insecure", ",keylog="+file))
		wantKeys(t, file)
	},
	"keepalive": testKeepAlive,
	"max-idle":  testMaxIdle,
	"drain":     testDrain,
}

func fill(t testing.TB, dialOptions, listenOptions string) (*quic.Dial, *quic.Listen) {
	t.Helper()
	d, err := transporttest.Fill(quic.Kinds()[0], "quic:localhost:1"+dialOptions)
	if err != nil {
		t.Fatal(err)
	}
	l, err := transporttest.Fill(quic.Kinds()[1], "quic-listen:0"+listenOptions)
	if err != nil {
		t.Fatal(err)
	}
	return d.(*quic.Dial), l.(*quic.Listen)
}

// try connects ends with these options and has the listener, then the dialer, say
// a byte. It returns the dialer's error.
func try(t testing.TB, dialOptions, listenOptions string) error {
	t.Helper()
	d, l := fill(t, dialOptions, listenOptions)
	d.Drain, l.Drain = -1, -1
	a, port := listen(t, l)
	d.Port = port
	served := make(chan struct{})
	go func() {
		defer close(served)
		s, err := a.Accept()
		if err != nil {
			return
		}
		defer s.Close()
		s.(transport.Stream).Write([]byte("x"))
		s.(transport.Stream).Read(make([]byte, 1))
	}()
	defer func() { a.Close(); <-served }()
	c, err := d.Dial(context.Background())
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.(transport.Stream).Read(make([]byte, 1))
	return err
}

func mustWork(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%v, hint %q", err, transport.Hint(err))
	}
}

func mustDeny(t testing.TB, err error, hint string) {
	t.Helper()
	if !errors.Is(err, transport.ErrDenied) || !strings.Contains(transport.Hint(err), hint) {
		t.Errorf("error %v, hint %q; want transport.ErrDenied and a hint with %q", err, transport.Hint(err), hint)
	}
}

func wantKeys(t testing.TB, file string) {
	t.Helper()
	if data, err := os.ReadFile(file); err != nil || !strings.Contains(string(data), "CLIENT_TRAFFIC_SECRET_0 ") {
		t.Errorf("key log %q, %v", data, err)
	}
}

func testRevoked(t *testing.T) {
	ca := tlstest.New(t)
	good, bad := ca.Issue(t, "localhost"), ca.Issue(t, "gone", "localhost")
	crl := ",ca=" + ca.File + ",crl=" + ca.Revoke(t, filepath.Join(t.TempDir(), "crl"), time.Now().Add(time.Hour), tlstest.Read(t, bad))
	mustWork(t, try(t, crl, ",cert="+good))
	mustDeny(t, try(t, crl, ",cert="+bad), "")
	mustWork(t, try(t, ",insecure,cert="+good, crl))
	mustDeny(t, try(t, ",insecure,cert="+bad, crl), "does not trust our certificate")
}

func testTrust(t *testing.T) {
	ca := tlstest.New(t)
	file := ca.Issue(t, "example.org")
	server, pin := ",cert="+file, tlsconf.Pin(tlstest.Read(t, file))
	mustWork(t, try(t, ",sni=example.org,ca="+ca.File, server))
	mustWork(t, try(t, ",pin="+pin, server))
	mustWork(t, try(t, ",insecure", server))
	mustWork(t, try(t, ",verify=0", ""))
	mustDeny(t, try(t, ",sni=example.org", server), "ca=FILE")
	mustDeny(t, try(t, ",ca="+ca.File, server), "sni=NAME")
	mustDeny(t, try(t, ",pin=sha256:"+strings.Repeat("00", 32), server), "openssl")
	mustWork(t, try(t, ",sni=x.example,commonname=example.org,ca="+ca.File, server))
	_, l := fill(t, "", "")
	if lines, err := l.Announce(); err != nil || len(lines) != 1 || !strings.Contains(lines[0], "pin=sha256:") {
		t.Errorf("announced %q, %v", lines, err)
	}
}

func testClientAuth(t *testing.T) {
	ca, other := tlstest.New(t), tlstest.New(t)
	alice, mallory := ca.Issue(t, "alice"), other.Issue(t, "mallory")
	for _, need := range []string{",client-auth=need,ca=" + ca.File, ",pin=" + tlsconf.Pin(tlstest.Read(t, alice))} {
		mustWork(t, try(t, ",insecure,cert="+alice+",key="+alice, need))
		mustDeny(t, try(t, ",insecure,cert="+mallory, need), "")
		if err := try(t, ",insecure", need); err == nil {
			t.Error("a client without a certificate is let in")
		}
	}
	server := ca.Issue(t, "localhost")
	mustWork(t, try(t, ",ca="+ca.File, ",cert="+server+",key="+server))
	named := ",commonname=alice,ca=" + ca.File
	mustWork(t, try(t, ",insecure,cert="+alice, named))
	mustDeny(t, try(t, ",insecure,cert="+ca.Issue(t, "bob"), named), "")
	if _, l := fill(t, "", ",ca=x"); !l.Authenticates() {
		t.Error("Authenticates is false")
	}
}

// With another protocol there is nothing on the wire but the bytes of the stream.
func testStranger(t *testing.T) {
	d, l := fill(t, ",insecure,alpn=echo", ",alpn=echo")
	d.Drain, l.Drain = -1, -1
	a, port := listen(t, l)
	d.Port = port
	c, err := d.Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.(transport.Stream).Write([]byte("raw")); err != nil {
		t.Fatal(err)
	}
	s, err := a.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p := make([]byte, 3)
	if _, err := io.ReadFull(s.(transport.Stream), p); err != nil || string(p) != "raw" {
		t.Errorf("got %q, %v", p, err)
	}
	if err := try(t, ",insecure,alpn=a", ",alpn=b"); !strings.Contains(transport.Hint(err), "alpn=") {
		t.Errorf("no common protocol: %v, hint %q", err, transport.Hint(err))
	}
}

func testMaxIdle(t *testing.T) {
	d, l := fill(t, ",insecure,max-idle=1s,keepalive=never", ",max-idle=1s,keepalive=never")
	d.Drain, l.Drain = -1, -1
	c, s := connect(t, d, l)
	for _, end := range []transport.Conn{c, s} {
		if _, err := end.(transport.Stream).Read(make([]byte, 1)); !errors.Is(err, transport.ErrTimeout) {
			t.Errorf("without keepalive: %v, want transport.ErrTimeout", err)
		}
	}
}

func testKeepAlive(t *testing.T) {
	var alive sync.WaitGroup
	for _, side := range [][2]string{{",keepalive=100ms", ",keepalive=never"}, {",keepalive=never", ",keepalive=100ms"}} {
		d, l := fill(t, ",insecure,max-idle=2s"+side[0], ",max-idle=2s"+side[1])
		d.Drain, l.Drain = -1, -1
		c, _ := connect(t, d, l)
		alive.Go(func() {
			c.SetReadDeadline(time.Now().Add(2500 * time.Millisecond))
			if _, err := c.(transport.Stream).Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("with keepalive: %v, want os.ErrDeadlineExceeded", err)
			}
		})
	}
	alive.Wait()
}

func testDrain(t *testing.T) {
	for _, swap := range []bool{false, true} {
		d, l := fill(t, ",insecure,drain=100ms", ",drain=100ms")
		c, s := connect(t, d, l)
		if swap {
			c = s
		}
		begin := time.Now()
		c.Close()
		if took := time.Since(begin); took < 90*time.Millisecond || took > 10*time.Second {
			t.Errorf("Close takes %v, want 100ms", took)
		}
	}
}
