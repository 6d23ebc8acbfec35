//go:build linux

package local

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/transport"
)

// A way is a sort of unix sockets: how to listen under a name and how to dial it.
type way struct {
	listen func(name string) transport.Listener
	dial   func(name, from string) transport.Dialer
	binds  bool // dial takes a name of its own, too
}

var ways = map[string]way{
	"unix": {func(n string) transport.Listener { return &UnixListen{Path: n} },
		func(n, _ string) transport.Dialer { return &Unix{Path: n} }, false},
	"unixpacket": {func(n string) transport.Listener { return &UnixPacketListen{Path: n} },
		func(n, _ string) transport.Dialer { return &UnixPacket{Path: n} }, false},
	"unixgram": {func(n string) transport.Listener { return &UnixgramListen{Path: n} },
		func(n, from string) transport.Dialer { return &Unixgram{Path: n, LocalPath: from} }, true},
}

// Every byte of the longest abstract name counts, and one more is an error that says
// how many there may be.
func TestLongestAbstractNames(t *testing.T) {
	longest := func(t *testing.T, last string) string {
		name := abstract(t)
		return name + strings.Repeat("x", 1+maxAbstract-len(name)-1) + last
	}
	for kind, w := range ways {
		t.Run(kind, func(t *testing.T) {
			name := longest(t, "a")
			if len(name) != 1+107 {
				t.Fatalf("%d bytes", len(name)-1)
			}
			other := name[:len(name)-1] + "b"
			from := ""
			if w.binds {
				from = longest(t, "c")
			}
			listening(t, w.listen(other))
			a := listening(t, w.listen(name))
			d := dialed(t, w.dial(name, from))
			if m, ok := d.(transport.MsgConn); ok {
				send(t, m, "x")
			}
			c := accepted(t, a)
			if w.binds && c.RemoteAddr().String() != from {
				t.Errorf("the client is %s, want %s", c.RemoteAddr(), from)
			}
			if m, ok := c.(transport.MsgConn); ok && w.binds {
				send(t, m, "answer")
				receive(t, d.(transport.MsgConn), "answer")
			}
			wantTooLong(t, w, name+"x", "the abstract name has 108 bytes, and may have 107")
		})
	}
}

// wantTooLong checks the errors about a name that is too long, wherever it stands.
func wantTooLong(t *testing.T, w way, name, want string) {
	t.Helper()
	check := func(what string, c interface{ Close() error }, err error) {
		t.Helper()
		if err == nil {
			c.Close()
		}
		if !errors.Is(err, transport.ErrUsage) || err.Error() != want {
			t.Errorf("%s: error %q, want %q", what, err, want)
		}
	}
	a, err := w.listen(name).Listen(t.Context())
	check("listen", a, err)
	c, err := w.dial(name, "").Dial(t.Context())
	check("dial", c, err)
	if w.binds {
		d := w.dial(path(t), name)
		c, err = d.Dial(t.Context())
		check("bind", c, err)
		check("bind, before anything is opened", nil, d.(transport.Validator).Validate())
	}
}

// A path may be longer than what a socket address has room for, as long as its last
// part is short enough. The name under which datagrams are sent must fit: it is where
// the other program sends its answers.
func TestLongPaths(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 200))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for kind, w := range ways {
		t.Run(kind, func(t *testing.T) {
			name := filepath.Join(dir, kind)
			a := listening(t, w.listen(name))
			d := dialed(t, w.dial(name, ""))
			if m, ok := d.(transport.MsgConn); ok {
				send(t, m, "x")
			}
			if c := accepted(t, a); c.LocalAddr().String() != name || d.RemoteAddr().String() != name {
				t.Errorf("addresses are %s and %s, want %s", c.LocalAddr(), d.RemoteAddr(), name)
			}
			if w.binds {
				_, err := w.dial(name, filepath.Join(dir, "me")).Dial(t.Context())
				if !errors.Is(err, transport.ErrUsage) || !strings.Contains(err.Error(), "and may have 107: answers go to it") {
					t.Errorf("bind: error %v", err)
				}
			}
			long := filepath.Join(dir, strings.Repeat("s", 200))
			if _, err := w.dial(long, "").Dial(t.Context()); !errors.Is(err, transport.ErrUsage) || !strings.Contains(err.Error(), "its last part has 200 bytes, and may have") {
				t.Errorf("a last part of 200 bytes: error %v", err)
			}
		})
	}
}
