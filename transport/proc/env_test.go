//go:build unix

package proc

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// caller is another end, as far as a program is told of it.
type caller struct {
	transport.Stream
	info          transport.Info
	local, remote net.Addr
}

func (c *caller) Info() *transport.Info { return &c.info }
func (c *caller) LocalAddr() net.Addr   { return c.local }
func (c *caller) RemoteAddr() net.Addr  { return c.remote }

var (
	tcpCaller = &caller{
		info:   transport.Info{Kind: "tcp-listen"},
		local:  &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 7000},
		remote: &net.TCPAddr{IP: net.ParseIP("::ffff:192.0.2.1"), Port: 5555},
	}
	unixCaller = &caller{
		info:   transport.Info{Kind: "unix-listen", Cred: &transport.Cred{PID: 12, UID: 34, GID: 56}, Peer: "() { :;}; echo no"},
		local:  &net.UnixAddr{Net: "unix", Name: "/run/s"},
		remote: &net.UnixAddr{Net: "unix", Name: "() { :;}; echo no"},
	}
)

func environOf(t *testing.T, other transport.Conn, options string) []string {
	t.Helper()
	c, err := dialFor(t, other, "exec:/usr/bin/env,clear-env"+options)
	if err != nil {
		t.Fatal(err)
	}
	out, err := finish(t, c, "")
	if err != nil {
		t.Fatal(err)
	}
	env := strings.Split(strings.TrimSpace(out), "\n")
	slices.Sort(env)
	return env
}

func TestEnvironmentTellsOfTheOtherEnd(t *testing.T) {
	for _, test := range []struct {
		other transport.Conn
		want  string
	}{
		{tcpCaller, "PROTO=TCP TCPLOCALIP=127.0.0.1 TCPLOCALPORT=7000 TCPREMOTEIP=192.0.2.1 TCPREMOTEPORT=5555 " +
			"TENON_KIND=tcp-listen TENON_LOCAL=127.0.0.1:7000 TENON_PEER=192.0.2.1:5555 TENON_PEER_HOST=192.0.2.1 TENON_PEER_PORT=5555"},
		{unixCaller, "PROTO=UNIX TENON_GID=56 TENON_KIND=unix-listen TENON_LOCAL=/run/s TENON_PID=12 TENON_UID=34 " +
			"UNIXREMOTEEGID=56 UNIXREMOTEEUID=34 UNIXREMOTEPID=12"},
	} {
		if got := strings.Join(environOf(t, test.other, ""), " "); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

func testEnvPeer(t *testing.T) {
	got := environOf(t, unixCaller, ",env-peer")
	for _, want := range []string{"TENON_PEER_NAME=() { :;}; echo no", "TENON_PEER=() { :;}; echo no"} {
		if !slices.Contains(got, want) {
			t.Errorf("there is no %q in %q", want, got)
		}
	}
}

// What an outer Tenon said about its own peer is not true of ours.
func TestInheritedPeerIsForgotten(t *testing.T) {
	t.Setenv("TENON_PEER_HOST", "198.51.100.1")
	t.Setenv("TCPREMOTEIP", "198.51.100.1")
	wantOutput(t, "sh:echo $TENON_PEER_HOST$TCPREMOTEIP.", ".\n")
}

// window is an end with a window.
type window struct{ caller }

func (*window) WindowSize() (rows, cols int)  { return 11, 22 }
func (*window) SizeChanges() <-chan struct{}  { return nil }
func (*window) SetDeadline(t time.Time) error { return nil }

func TestTerminalHasTheSizeOfTheOther(t *testing.T) {
	other := &window{*tcpCaller}
	for text, want := range map[string]string{"exec:stty size,pty": "11 22\r\n", "exec:stty size,pty,rows=5": "5 22\r\n"} {
		c, err := dialFor(t, other, text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := finish(t, c, ""); got != want || err != nil {
			t.Errorf("%s: got %q, error %v; want %q", text, got, err, want)
		}
	}
}
