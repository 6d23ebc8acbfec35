package tenon

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/transport"
)

// get fetches a page from a server on any listener through a Dialer.
func get(t *testing.T, listen string, dial func(net.Addr) string) string {
	t.Helper()
	acc, err := Listen(t.Context(), listen)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s", r.URL.Path)
	})}
	go server.Serve(NetListener(acc))
	t.Cleanup(func() { server.Close() })
	d := Dialer{Address: dial(acc.Addr())}
	client := http.Client{Transport: &http.Transport{DialContext: d.DialContext, DisableKeepAlives: true}}
	resp, err := client.Get("http://example.org/you")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// Package net/http knows nothing of Tenon, and runs over any end: bytes, or messages
// that are made bytes.
func TestHTTPOverAnyEnd(t *testing.T) {
	for _, kind := range []string{"tcp", "ws", "quic", "mem", "mem-msg"} {
		t.Run(kind, func(t *testing.T) {
			listen := kind + "-listen:127.0.0.1:0"
			dial := func(a net.Addr) string { return kind + ":" + a.String() }
			switch kind {
			case "quic":
				dial = func(a net.Addr) string { return "quic:" + a.String() + ",insecure" }
			case "mem", "mem-msg":
				listen, dial = kind+"-listen:http", func(net.Addr) string { return kind + ":http" }
			}
			if got := get(t, listen, dial); got != "hello /you" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// The zero Dialer opens what it is asked for, and {addr} stands for that.
func TestDialerAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, addr := range []string{"", "tcp:{addr}", "TCP4:{addr},nodelay", "tcp:" + l.Addr().String()} {
		d := Dialer{Address: addr}
		c, err := d.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Errorf("%q: %v", addr, err)
			continue
		}
		c.Close()
	}
	d := Dialer{}
	if c, err := d.Dial("tcp", "127.0.0.1:1"); err == nil || c != nil {
		t.Errorf("dialed nobody: %v, %v", c, err)
	}
}

// Serve tells where it listens before it serves, and is as careful as Join.
func TestServe(t *testing.T) {
	var o Opener
	acc, err := o.Listen(t.Context(), "tcp-listen:127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := o.Serve(ctx, acc, "exec:cat", join.Options{})
		done <- err
	}()
	for range 2 {
		c, err := net.Dial("tcp", acc.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, "echo")
		c.(*net.TCPConn).CloseWrite()
		if got, err := io.ReadAll(c); string(got) != "echo" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		c.Close()
	}
	cancel()
	if err := <-done; err != context.Canceled {
		t.Errorf("ended with %v", err)
	}
	foreign, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	_, err = o.Serve(t.Context(), acceptor{foreign}, "exec:cat", join.Options{})
	if err == nil || !strings.Contains(err.Error(), "without having proved who they are") {
		t.Errorf("a program for everybody: %v", err)
	}
}

// acceptor is somebody's own Acceptor.
type acceptor struct{ net.Listener }

func (a acceptor) Accept() (transport.Conn, error) { return nil, net.ErrClosed }
