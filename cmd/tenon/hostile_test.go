package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// nasty moves the cursor, turns the direction of writing around and forges a line.
const nasty = "\x1b[2J\x1b]0;x\x07\u202e\u009b\r\ntenon: all is well\n"

// nastyWord is what fits into a header or a name.
const nastyWord = "\x1b[2J\x7f\u202e\u009b"

// Servers that say hostile things wherever they can say something: all of it
// reaches standard error harmless, as text and as JSON.
func TestHostileServers(t *testing.T) {
	reply := func(s string) func(net.Conn) {
		return func(c net.Conn) {
			http.ReadRequest(bufio.NewReader(c))
			io.WriteString(c, s)
		}
	}
	for name, server := range map[string]struct {
		addr string // with %s for the place of the server
		talk func(net.Conn)
	}{
		"status of a proxy":     {"tcp:x:1,via=http://%s", reply("HTTP/1.1 407 " + nastyWord + "\r\nProxy-Authenticate: " + nastyWord + "\r\n\r\n" + nasty)},
		"status line":           {"ws://%s/", reply("HTTP/1.1 403 " + nastyWord + "\r\n\r\n")},
		"redirect":              {"ws://%s/", reply("HTTP/1.1 302 Found\r\nLocation: http://" + nastyWord + "/\r\n\r\n")},
		"no HTTP":               {"ws://%s/", reply(nasty)},
		"header":                {"ws://%s/", reply("HTTP/1.1 101 x\r\n" + nastyWord + ": x\r\nUpgrade: " + nastyWord + "\r\nConnection: Upgrade\r\n\r\n")},
		"subprotocol":           {"ws://%s/", upgrade("Sec-WebSocket-Protocol: "+nastyWord+"\r\n", nil)},
		"extension":             {"ws://%s/", upgrade("Sec-WebSocket-Extensions: "+nastyWord+"\r\n", nil)},
		"reason of a close":     {"ws://%s/", upgrade("", append([]byte{0x88, byte(2 + len(nasty)), 4001 >> 8, 4001 & 0xff}, nasty...))},
		"SOCKS":                 {"tcp:x:1,via=socks5://%s", func(c net.Conn) { io.WriteString(c, "\x05"+nasty) }},
		"name in a certificate": {"tls:%s", handshake(t)},
		"no TLS":                {"tls:%s", func(c net.Conn) { io.WriteString(c, nasty) }},
	} {
		for _, flag := range []string{"-v", "--json"} {
			t.Run(name+flag, func(t *testing.T) {
				t.Parallel()
				l := listen(t)
				go serveAll(l, server.talk)
				text, status := runProgram(t, flag, "null:", fmt.Sprintf(server.addr, l.Addr()))
				checkSaid(t, text)
				if status == exitUsage || !strings.Contains(text, l.Addr().String()) {
					t.Errorf("the server was not asked: status %d: %s", status, text)
				}
			})
		}
	}
}

// Clients that say hostile things.
func TestHostileClients(t *testing.T) {
	users := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(users, []byte("u:p\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	basic := base64.StdEncoding.EncodeToString([]byte(nasty + ":" + nasty))
	for name, client := range map[string]struct {
		args []string // the first is the listener
		talk string
	}{
		"user of a proxy":  {[]string{"http-proxy-listen:0,users=@" + users, "tcp:"}, "CONNECT x:1 HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic " + basic + "\r\n\r\n"},
		"host of a proxy":  {[]string{"http-proxy-listen:0", "tcp:"}, "CONNECT " + nastyWord + ":1 HTTP/1.1\r\n\r\n"},
		"host of SOCKS":    {[]string{"socks5-listen:0", "tcp:"}, "\x05\x01\x00\x05\x01\x00\x03" + string(rune(len(nasty))) + nasty + "\x00\x50"},
		"origin":           {[]string{"ws-listen:0", "null:"}, "GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: " + nastyWord + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"},
		"path":             {[]string{"ws-listen:0", "null:"}, "GET /" + nastyWord + " HTTP/1.1\r\nHost: " + nastyWord + "\r\n\r\n"},
		"no HTTP":          {[]string{"ws-listen:0", "null:"}, nasty + "\r\n\r\n"},
		"PROXY header":     {[]string{"tcp-listen:0,accept-proxy", "null:"}, "PROXY TCP4 " + nastyWord + " 1 2 3\r\n"},
		"name of a server": {[]string{"tls-listen:0", "null:"}, nasty},
	} {
		for _, flag := range []string{"-v", "--json"} {
			t.Run(name+flag, func(t *testing.T) {
				t.Parallel()
				out := new(syncBuffer)
				ctx, cancel := context.WithCancel(t.Context())
				p := &program{ctx: ctx, stdout: newConsole(out), stderr: newConsole(out)}
				done := make(chan struct{})
				go func() { p.exit(p.main(append([]string{flag}, client.args...))); close(done) }()
				addr := out.waitFor(t, "127.0.0.1:", " \n\"")
				c, err := net.Dial("tcp", "127.0.0.1:"+addr)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				io.WriteString(c, client.talk)
				c.(*net.TCPConn).CloseWrite()
				out.waitFor(t, "refused", "\n")
				cancel()
				<-done
				checkSaid(t, out.String())
			})
		}
	}
}

// checkSaid checks that all lines are harmless, and that all are the program's own.
func checkSaid(t *testing.T, text string) {
	t.Helper()
	t.Log(text)
	if text == "" {
		t.Error("nothing was said")
	}
	for line := range strings.Lines(text) {
		checkHarmless(t, strings.TrimSuffix(line, "\n"))
		if strings.HasPrefix(line, "tenon: all is well") {
			t.Errorf("a line was forged: %s", text)
		}
	}
}

// runProgram runs the program and returns what it says, and its exit status.
func runProgram(t *testing.T, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out := new(syncBuffer)
	p := &program{ctx: ctx, stdout: newConsole(out), stderr: newConsole(out)}
	defer ownStdio(t)()
	status := p.exit(p.main(args))
	return out.String(), status
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func serveAll(l net.Listener, talk func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			talk(c)
			c.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, c)
			c.Close()
		}()
	}
}

// upgrade accepts a WebSocket, with more headers, and says frame.
func upgrade(headers string, frame []byte) func(net.Conn) {
	return func(c net.Conn) {
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		fmt.Fprintf(c, "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s\r\n%s",
			base64.StdEncoding.EncodeToString(sum[:]), headers, frame)
	}
}

// handshake shows a certificate whose names are hostile.
func handshake(t *testing.T) func(net.Conn) {
	t.Helper()
	const ascii = "\x1b[2J\ntenon: all is well\x7f" // names are ASCII
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	names := pkix.Name{CommonName: nasty, Organization: []string{nasty}}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: names, Issuer: names, DNSNames: []string{ascii}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	return func(c net.Conn) { tls.Server(c, config).Handshake() }
}

// A syncBuffer is written and looked at at the same time.
type syncBuffer struct {
	mu      sync.Mutex // guards what stands below
	buf     bytes.Buffer
	written chan struct{} // closed at the next Write; nil if nobody waits
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.written != nil {
		close(b.written)
		b.written = nil
	}
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// waitFor waits until the text has start with one of stop behind it, and returns
// what is between them.
func (b *syncBuffer) waitFor(t *testing.T, start, stop string) string {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		b.mu.Lock()
		if _, after, ok := strings.Cut(b.buf.String(), start); ok {
			if i := strings.IndexAny(after, stop); i >= 0 {
				b.mu.Unlock()
				return after[:i]
			}
		}
		if b.written == nil {
			b.written = make(chan struct{})
		}
		written := b.written
		b.mu.Unlock()
		select {
		case <-written:
		case <-late:
			t.Fatalf("%q was never said: %s", start, b.String())
		}
	}
}
