//go:build linux

package ipc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/local"
	"github.com/tenon-net/tenon/transport/transporttest"
)

// newPlace returns the path of a socket that is not there yet.
func newPlace(t testing.TB) string { return filepath.Join(t.TempDir(), "s") }

// listening opens a listener that ends with the test.
func listening(t testing.TB, l *Listen) transport.Acceptor {
	t.Helper()
	a, err := l.Listen(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// connect joins a dialer to a listener.
func connect(t testing.TB, a transport.Acceptor, d *Dial) (dialed, accepted transport.Conn) {
	t.Helper()
	type result struct {
		c   transport.Conn
		err error
	}
	done := make(chan result, 1)
	go func() {
		c, err := d.Dial(context.Background())
		done <- result{c, err}
	}()
	accepted, err := a.Accept()
	r := <-done
	if err != nil || r.err != nil {
		t.Fatal(err, r.err)
	}
	t.Cleanup(func() { accepted.Close(); r.c.Close() })
	return r.c, accepted
}

// pair opens both ends of a connection whose rings have that size.
func pair(t testing.TB, messages bool, size int64) (dialed, accepted transport.Conn) {
	t.Helper()
	p := newPlace(t)
	a := listening(t, &Listen{Name: p, Messages: messages, Size: size})
	return connect(t, a, &Dial{Name: p, Messages: messages})
}

func streams(t testing.TB, size int64) (dialed, accepted *Conn) {
	t.Helper()
	d, a := pair(t, false, size)
	return d.(*Conn), a.(*Conn)
}

func messages(t testing.TB, size int64) (dialed, accepted *MsgConn) {
	t.Helper()
	d, a := pair(t, true, size)
	return d.(*MsgConn), a.(*MsgConn)
}

func harness(t *testing.T, k transport.Kind) transporttest.Harness {
	msgs, listens := k.Traits.Messages, k.Traits.Listens
	h := transporttest.Harness{
		Kind: k, Text: msgs, Cred: true,
		Pair: func(t testing.TB) (a, b transport.Conn) {
			d, a := pair(t, msgs, 0)
			if listens {
				return a, d
			}
			return d, a
		},
		Addresses: []string{k.Name + ":video", k.Name + ":/run/a.sock", k.Name + ":@name"},
		Bad:       map[string]string{k.Name + ":": "there is no name", k.Name + ":@": "there is no name"},
	}
	if !listens {
		h.Endpoint = func(t testing.TB) transport.Endpoint {
			p := newPlace(t)
			a := listening(t, &Listen{Name: p, Messages: msgs})
			go acceptAll(t, a)
			return &Dial{Name: p, Messages: msgs}
		}
		h.Addresses = append(h.Addresses, k.Name+":@name,allow-uid=0,allow-gid=0")
		h.Bad[k.Name+":x,allow-uid=nobody-at-all"] = "there is no user nobody-at-all"
		h.Options = strangerOptions(msgs)
		return h
	}
	h.Endpoint = func(t testing.TB) transport.Endpoint { return &Listen{Name: newPlace(t), Messages: msgs} }
	h.Addresses = append(h.Addresses, k.Name+":video,size=16M,mode=660,group=root,allow-uid=0")
	h.Bad[k.Name+":x,size=2G"] = "size: must be at most 1G"
	h.Bad[k.Name+":x,user=nobody-at-all"] = "there is no user nobody-at-all"
	h.Options = options(msgs)
	return h
}

// acceptAll accepts until the listener is closed, and keeps what it has accepted
// until the test ends.
func acceptAll(t testing.TB, a transport.Acceptor) {
	for {
		c, err := a.Accept()
		if err != nil {
			return
		}
		t.Cleanup(func() { c.Close() })
	}
}

func TestConformance(t *testing.T) {
	for _, k := range Kinds() {
		t.Run(k.Name, func(t *testing.T) { transporttest.Run(t, harness(t, k)) })
	}
}

// options is the checks of the options of Listen.
func options(msgs bool) map[string]func(*testing.T) {
	stat := func(t *testing.T, a local.Access) fs.FileInfo {
		p := newPlace(t)
		listening(t, &Listen{Name: p, Messages: msgs, Access: a})
		st, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	try := func(t *testing.T, a local.Access) error {
		p := newPlace(t)
		acc := listening(t, &Listen{Name: p, Messages: msgs, Access: a})
		go func() {
			if c, err := (&Dial{Name: p, Messages: msgs}).Dial(context.Background()); err == nil {
				c.Close()
			}
		}()
		c, err := acc.Accept()
		if err == nil {
			c.Close()
		}
		return err
	}
	owner := func(a local.Access, uid, gid uint32) func(*testing.T) {
		return func(t *testing.T) {
			if os.Getuid() != 0 {
				t.Skip("only root can give files away")
			}
			wantOwner(t, stat(t, a), uid, gid)
		}
	}
	return map[string]func(*testing.T){
		"size": func(t *testing.T) {
			for size, want := range map[int64]uint64{0: DefaultSize, 1: MinSize, 5000: 8192, 1 << 20: 1 << 20} {
				d, a := pair(t, msgs, size)
				for _, c := range []transport.Conn{d, a} {
					if got := linkOf(c).region.size; got != want {
						t.Errorf("size=%d gives rings of %d bytes, want %d", size, got, want)
					}
				}
			}
		},
		"mode": func(t *testing.T) {
			for want, a := range map[fs.FileMode]local.Access{0o600: {}, 0o666: {Mode: 0o666}} {
				if got := stat(t, a).Mode().Perm(); got != want {
					t.Errorf("mode %v, want %v", got, want)
				}
			}
		},
		"user":  owner(local.Access{User: "1"}, 1, uint32(os.Getgid())),
		"group": owner(local.Access{Group: "1"}, uint32(os.Getuid()), 1),
		"unlink-close": func(t *testing.T) {
			p := newPlace(t)
			listening(t, &Listen{Name: p, Messages: msgs, Access: local.Access{Unlink: 2}}).Close()
			if _, err := os.Stat(p); err != nil {
				t.Error(err)
			}
		},
		"allow-uid": func(t *testing.T) {
			if err := try(t, local.Access{AllowUID: []string{"77777"}}); !errors.Is(err, transport.ErrDenied) {
				t.Errorf("a user who is not allowed: error %v, want transport.ErrDenied", err)
			}
			if err := try(t, local.Access{AllowUID: []string{"77777", fmt.Sprint(os.Getuid())}}); err != nil {
				t.Errorf("a user who is allowed: %v", err)
			}
		},
		"allow-gid": func(t *testing.T) {
			if err := try(t, local.Access{AllowGID: []string{"77777"}}); !errors.Is(err, transport.ErrDenied) {
				t.Errorf("a group that is not allowed: error %v, want transport.ErrDenied", err)
			}
			if err := try(t, local.Access{AllowGID: []string{fmt.Sprint(os.Getgid())}}); err != nil {
				t.Errorf("a group that is allowed: %v", err)
			}
		},
	}
}

func linkOf(c transport.Conn) *link {
	if m, ok := c.(*MsgConn); ok {
		return &m.link
	}
	return &c.(*Conn).link
}

func wantOwner(t *testing.T, st fs.FileInfo, uid, gid uint32) {
	t.Helper()
	if s := st.Sys().(*syscall.Stat_t); s.Uid != uid || s.Gid != gid {
		t.Errorf("the socket is %d:%d's, want %d:%d", s.Uid, s.Gid, uid, gid)
	}
}
