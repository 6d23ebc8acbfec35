package tlslayer_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/tlsconf"
	"github.com/tenon-net/tenon/internal/tlsconf/tlstest"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/tlslayer"
)

func openssl(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Fatal("openssl is not installed; ./check installs it")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return exec.CommandContext(ctx, path, args...)
}

// serveOne accepts one connection under l, and echoes up to the end of file.
func serveOne(t *testing.T, l *tlslayer.Layer) (addr string, served <-chan error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() {
		defer ln.Close()
		raw, err := ln.Accept()
		if err != nil {
			result <- err
			return
		}
		c, err := l.Wrap(context.Background(), stream(raw), transport.Accepted)
		if err != nil {
			result <- err
			return
		}
		_, err = io.Copy(c.(transport.Stream), c.(transport.Stream))
		result <- errors.Join(err, c.CloseWrite(), c.Close())
	}()
	return ln.Addr().String(), result
}

// TestOpenSSLClient has openssl s_client talk to us, with and without what we ask.
func TestOpenSSLClient(t *testing.T) {
	ca := tlstest.New(t)
	alice := ca.Issue(t, "alice")
	server := ",cert=" + ca.Issue(t, "localhost") + ",client-auth=need,ca=" + ca.File
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		for _, with := range []bool{true, false} {
			addr, served := serveOne(t, layer(t, server))
			args := []string{"s_client", "-connect", addr, "-quiet", version, "-CAfile", ca.File, "-verify_return_error", "-verify_hostname", "localhost"}
			if with {
				args = append(args, "-cert", alice)
			}
			cmd := openssl(t, args...)
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			io.WriteString(in, "hello\n")
			line, _ := bufio.NewReader(out).ReadString('\n')
			in.Close()
			cmd.Process.Kill() // s_client -quiet does not end with its input
			cmd.Wait()
			err = <-served
			if with && line != "hello\n" {
				t.Errorf("%s with a certificate: %q, server %v", version, line, err)
			}
			if !with && (line != "" || err == nil) {
				t.Errorf("%s without a certificate: %q, server %v", version, line, err)
			}
			if with && !errors.Is(err, io.ErrUnexpectedEOF) && !strings.Contains(err.Error(), "reset") {
				t.Errorf("%s: a client that was killed ends with %v, want io.ErrUnexpectedEOF", version, err)
			}
		}
	}
}

// dialOpenSSL starts openssl s_server and returns a function that dials it.
func dialOpenSSL(t *testing.T, args ...string) (addr string, cmd *exec.Cmd) {
	t.Helper()
	cmd = openssl(t, append([]string{"s_server", "-accept", "127.0.0.1:0", "-naccept", "4"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Process.Kill(); cmd.Wait() })
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "ACCEPT "); ok {
			go io.Copy(io.Discard, out)
			return text, cmd
		}
	}
	t.Fatal("openssl s_server does not say where it listens")
	return "", nil
}

// TestOpenSSLServer talks to openssl s_server -rev, which sends lines back reversed.
func TestOpenSSLServer(t *testing.T) {
	ca := tlstest.New(t)
	cert := ca.Issue(t, "example.org")
	addr, _ := dialOpenSSL(t, "-cert", cert, "-CAfile", ca.File, "-Verify", "2", "-verify_return_error", "-rev")
	alice := ",cert=" + ca.Issue(t, "alice")
	for options, want := range map[string]error{
		",sni=example.org,ca=" + ca.File + alice:             nil,
		",pin=" + tlsconf.Pin(tlstest.Read(t, cert)) + alice: nil,
		",ca=" + ca.File + alice:                             transport.ErrDenied, // the name is wrong
		",pin=" + tlsconf.Pin(tlstest.Read(t, cert)):         transport.ErrDenied, // and no certificate
	} {
		raw, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		c, err := layer(t, options).Wrap(context.Background(), stream(raw), transport.Dialed)
		var line string
		if err == nil {
			io.WriteString(c.(transport.Stream), "olleh\n")
			line, err = bufio.NewReader(c.(transport.Stream)).ReadString('\n')
			c.Close()
		}
		if want == nil && (err != nil || line != "hello\n") || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %q, %v; want error %v", options, line, err, want)
		}
	}
}
