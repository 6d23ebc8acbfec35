//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/transporttest"
)

func kind(t testing.TB, name string) transport.Kind {
	k, ok := Kinds().Lookup(name)
	if !ok {
		t.Fatalf("no kind %s", name)
	}
	return k
}

// path returns the path of a socket that is not there yet.
func path(t testing.TB) string { return filepath.Join(t.TempDir(), "s") }

var abstracts atomic.Int64 // names given out

// abstract returns an abstract name that nobody else uses.
func abstract(t testing.TB) string {
	return fmt.Sprintf("@tenon-test-%d-%d", os.Getpid(), abstracts.Add(1))
}

// listening opens a listener that ends with the test.
func listening(t testing.TB, l transport.Listener) transport.Acceptor {
	t.Helper()
	a, err := l.Listen(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func dialed(t testing.TB, d transport.Dialer) transport.Conn {
	t.Helper()
	c, err := d.Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func accepted(t testing.TB, a transport.Acceptor) transport.Conn {
	t.Helper()
	c, err := a.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// pair joins a dialer and a listener. For kinds without connections, the first
// message makes the session.
func pair(t testing.TB, l transport.Listener, d transport.Dialer) (dial, accept transport.Conn) {
	t.Helper()
	a := listening(t, l)
	dial = dialed(t, d)
	if m, ok := dial.(*gramConn); ok {
		if err := m.WriteMsg([]byte("hello"), transport.Meta{}); err != nil {
			t.Fatal(err)
		}
	}
	accept = accepted(t, a)
	if m, ok := accept.(*gramSession); ok {
		if n, _, err := m.ReadMsg(make([]byte, 10)); n != 5 || err != nil {
			t.Fatalf("the first datagram: %d bytes, error %v", n, err)
		}
	}
	return dial, accept
}

func TestConformance(t *testing.T) {
	access := func(listen func(name string, a Access) transport.Listener, dial func(name string) transport.Dialer) map[string]func(*testing.T) {
		return accessOptions(listen, dial)
	}
	unixPair := func(t testing.TB) (transport.Conn, transport.Conn) {
		p := path(t)
		return pair(t, &UnixListen{Path: p}, &Unix{Path: p})
	}
	packetPair := func(t testing.TB) (transport.Conn, transport.Conn) {
		p := path(t)
		return pair(t, &UnixPacketListen{Path: p}, &UnixPacket{Path: p})
	}
	gramPair := func(t testing.TB) (transport.Conn, transport.Conn) {
		p := path(t)
		return pair(t, &UnixgramListen{Path: p}, &Unixgram{Path: p})
	}
	swap := func(f func(t testing.TB) (transport.Conn, transport.Conn)) func(t testing.TB) (transport.Conn, transport.Conn) {
		return func(t testing.TB) (transport.Conn, transport.Conn) { a, b := f(t); return b, a }
	}
	noPath := "there is no path"
	for name, h := range map[string]transporttest.Harness{
		unixKind: {
			Pair: unixPair, Cred: true,
			Endpoint: func(t testing.TB) transport.Endpoint {
				p := path(t)
				listening(t, &UnixListen{Path: p})
				return &Unix{Path: p}
			},
			Addresses: []string{"unix:/run/a.sock", "unix:@name", "unix-connect:a:b", "unix:./@file"},
			Bad:       map[string]string{"unix:": noPath, "unix:@": noPath, "unix:@" + strings.Repeat("x", 108): "the abstract name has 108 bytes, and may have 107"},
		},
		"abstract": {
			Pair: func(t testing.TB) (transport.Conn, transport.Conn) {
				n := abstract(t)
				return pair(t, &UnixListen{Path: n}, &Unix{Path: n})
			},
			Cred: true, Addresses: []string{"abstract:name"}, Bad: map[string]string{"abstract:": noPath},
		},
		unixListenKind: {
			Pair: swap(unixPair), Cred: true,
			Endpoint:  func(t testing.TB) transport.Endpoint { return &UnixListen{Path: path(t)} },
			Addresses: []string{"unix-listen:/run/a.sock,mode=660,group=root,allow-uid=0,allow-uid=root"},
			Bad: map[string]string{"unix-listen:": noPath, "unix-listen:/a,mode=9": "mode: must be permissions in octal, such as 600 or 660",
				"unix-listen:/a,user=nobody-at-all": "there is no user nobody-at-all", "unix-listen:/a,allow-gid=no-such": "there is no group no-such"},
			Options: access(func(n string, a Access) transport.Listener { return &UnixListen{Path: n, Access: a} }, func(n string) transport.Dialer { return &Unix{Path: n} }),
		},
		"abstract-listen": {
			Endpoint:  func(t testing.TB) transport.Endpoint { return &UnixListen{Path: abstract(t)} },
			Addresses: []string{"abstract-listen:name"}, Bad: map[string]string{"abstract-listen:": noPath},
			Options: lists(access(func(n string, a Access) transport.Listener { return &UnixListen{Path: n, Access: a} }, func(n string) transport.Dialer { return &Unix{Path: n} })),
		},
		packetKind: {
			Pair: packetPair, Cred: true,
			Endpoint: func(t testing.TB) transport.Endpoint {
				p := path(t)
				listening(t, &UnixPacketListen{Path: p})
				return &UnixPacket{Path: p}
			},
			Addresses: []string{"unixpacket:/run/a.sock", "seqpacket:@name"}, Bad: map[string]string{"unixpacket:": noPath},
		},
		packetListenKind: {
			Pair: swap(packetPair), Cred: true,
			Endpoint:  func(t testing.TB) transport.Endpoint { return &UnixPacketListen{Path: path(t)} },
			Addresses: []string{"unixpacket-listen:/run/a.sock"}, Bad: map[string]string{"unixpacket-listen:": noPath},
			Options: access(func(n string, a Access) transport.Listener { return &UnixPacketListen{Path: n, Access: a} }, func(n string) transport.Dialer { return &UnixPacket{Path: n} }),
		},
		gramKind: {
			Pair: gramPair,
			Endpoint: func(t testing.TB) transport.Endpoint {
				p := path(t)
				listening(t, &UnixgramListen{Path: p})
				return &Unixgram{Path: p}
			},
			Addresses: []string{"unixgram:/dev/log", "unix-sendto:/dev/log,bind=@me"}, Bad: map[string]string{"unixgram:": noPath},
			Options: map[string]func(*testing.T){"bind": testGramBind},
		},
		gramListenKind: {
			Pair: swap(gramPair), Cred: true,
			Endpoint:  func(t testing.TB) transport.Endpoint { return &UnixgramListen{Path: path(t)} },
			Addresses: []string{"unixgram-listen:/run/a.sock,session-idle=5s"}, Bad: map[string]string{"unixgram-listen:": noPath},
			Options: gramOptions(),
			Ending: func(t testing.TB) (transport.Conn, transport.Conn) {
				p := path(t)
				dial, accept := pair(t, &UnixgramListen{Path: p, SessionIdle: 20 * time.Millisecond}, &Unixgram{Path: p})
				return accept, dial
			},
		},
		"abstract-recvfrom": {
			Endpoint:  func(t testing.TB) transport.Endpoint { return &UnixgramListen{Path: abstract(t)} },
			Addresses: []string{"abstract-recvfrom:name"}, Bad: map[string]string{"abstract-recvfrom:": noPath},
			Options: lists(gramOptions(), "session-idle", "sessions"),
		},
		"abstract-recv": {
			Endpoint:  func(t testing.TB) transport.Endpoint { return &UnixgramRecv{Path: abstract(t)} },
			Addresses: []string{"abstract-recv:name"}, Bad: map[string]string{"abstract-recv:": noPath},
			Options: lists(recvOptions()),
		},
		"abstract-sendto": {
			Pair: func(t testing.TB) (transport.Conn, transport.Conn) {
				n := abstract(t)
				return pair(t, &UnixgramListen{Path: n}, &Unixgram{Path: n})
			},
			Addresses: []string{"abstract-sendto:name"}, Bad: map[string]string{"abstract-sendto:": noPath},
			Options: map[string]func(*testing.T){"bind": testGramBind},
		},
		gramRecvKind: {
			Pair: func(t testing.TB) (transport.Conn, transport.Conn) {
				p := path(t)
				r := dialed(t, &UnixgramRecv{Path: p})
				return r, dialed(t, &Unixgram{Path: p})
			},
			Endpoint:  func(t testing.TB) transport.Endpoint { return &UnixgramRecv{Path: path(t)} },
			Addresses: []string{"unixgram-recv:/run/a.sock"}, Bad: map[string]string{"unixgram-recv:": noPath},
			Options: recvOptions(),
		},
		vsockKind: {
			Addresses: []string{"vsock:2:1024", "vsock:host:5000", "vsock:local:1"},
			Bad: map[string]string{"vsock:5000": "there is no context ID to connect to", "vsock:any:1": "there is no context ID to connect to",
				"vsock:x:1": `"x" is not a context ID`, "vsock:2:-1": `"-1" is not a port of a VM socket`, "vsock:2:4294967295": `"4294967295" is not a port of a VM socket`},
		},
		vsockListenKind: {
			Addresses: []string{"vsock-listen:5000", "vsock-listen:any:5000", "vsock-listen:local:0"},
			Bad:       map[string]string{"vsock-listen:": `"" is not a port of a VM socket`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h.Kind = kind(t, name)
			transporttest.Run(t, h)
		})
	}
}

func FuzzBind(f *testing.F) {
	for _, k := range Kinds() {
		f.Add(k.Example)
	}
	f.Add("vsock-listen:any:4294967296")
	f.Add("unix-listen:/x,mode=777777777777")
	f.Fuzz(func(t *testing.T, text string) {
		for _, k := range Kinds() {
			if e, err := transporttest.Fill(k, text); err == nil {
				if v, ok := e.(transport.Validator); ok {
					_ = v.Validate()
				}
			}
		}
	})
}

// accessOptions is the checks of the options of Access.
func accessOptions(listen func(name string, a Access) transport.Listener, dial func(name string) transport.Dialer) map[string]func(*testing.T) {
	try := func(t *testing.T, a Access) error {
		p := path(t)
		acc := listening(t, listen(p, a))
		dialed(t, dial(p))
		c, err := acc.Accept()
		if err == nil {
			c.Close()
		}
		return err
	}
	return map[string]func(*testing.T){
		"mode": func(t *testing.T) {
			for want, a := range map[fs.FileMode]Access{0o600: {}, 0o666: {Mode: 0o666}, 0o400: {Mode: 0o400}} {
				p := path(t)
				listening(t, listen(p, a))
				if st, err := os.Stat(p); err != nil || st.Mode().Perm() != want {
					t.Errorf("mode %v, error %v, want %v", st.Mode(), err, want)
				}
			}
		},
		"user":  func(t *testing.T) { wantOwner(t, listen, Access{User: "1"}, 1, os.Getgid()) },
		"group": func(t *testing.T) { wantOwner(t, listen, Access{Group: "1"}, os.Getuid(), 1) },
		"unlink-close": func(t *testing.T) {
			p := path(t)
			listening(t, listen(p, Access{Unlink: 2})).Close()
			if _, err := os.Stat(p); err != nil {
				t.Error(err)
			}
		},
		"allow-uid": func(t *testing.T) {
			if err := try(t, Access{AllowUID: []string{"77777"}}); !errors.Is(err, transport.ErrDenied) {
				t.Errorf("a user who is not allowed: error %v, want transport.ErrDenied", err)
			}
			if err := try(t, Access{AllowUID: []string{"77777", fmt.Sprint(os.Getuid())}}); err != nil {
				t.Errorf("a user who is allowed: %v", err)
			}
			if err := try(t, Access{AllowUID: []string{"*"}}); err != nil {
				t.Errorf("anybody: %v", err)
			}
		},
		"allow-gid": func(t *testing.T) {
			if err := try(t, Access{AllowGID: []string{"77777"}}); !errors.Is(err, transport.ErrDenied) {
				t.Errorf("a group that is not allowed: error %v, want transport.ErrDenied", err)
			}
			if err := try(t, Access{AllowGID: []string{fmt.Sprint(os.Getgid())}}); err != nil {
				t.Errorf("a group that is allowed: %v", err)
			}
		},
	}
}

// lists returns the checks that an abstract name has: those of its lists, and more.
func lists(all map[string]func(*testing.T), more ...string) map[string]func(*testing.T) {
	some := map[string]func(*testing.T){}
	for _, name := range append(more, "allow-uid", "allow-gid") {
		some[name] = all[name]
	}
	return some
}

// The name that stands in the address is an abstract one, as in socat.
func TestAbstractNames(t *testing.T) {
	for _, k := range Kinds() {
		if !strings.HasPrefix(k.Name, "abstract") {
			continue
		}
		e, err := transporttest.Fill(k, k.Name+":app")
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%+v", e); !strings.Contains(got, "Path:@app ") {
			t.Errorf("%s:app is %s", k.Name, got)
		}
	}
}

// Options that would do nothing are refused: one that restricts and is not there is a
// door left open.
func TestOptionsThatWouldDoNothing(t *testing.T) {
	file := "mode, user, group and unlink-close are for sockets in the file system, and an abstract name is in none"
	for text, want := range map[string]string{
		"unix-listen:@x,mode=600":                file,
		"unix-listen:@x,user=root":               file,
		"unixpacket-listen:@x,group=root":        file,
		"unixgram-listen:@x,unlink-close=no":     file,
		"unixgram-recv:@x,mode=600":              file,
		"abstract-listen:x,mode=600":             `unknown option "mode"`,
		"abstract-recvfrom:x,unlink-close=no":    `unknown option "unlink-close"`,
		"unix-listen:/x,unlink":                  `unknown option "unlink"`, // socat's removes what is there before
		"unixgram:/x,bind=@":                     "there is no path",
		"unix-listen:/x,user=":                   "user: must not be empty",
		"unix-listen:/x,group=":                  "group: must not be empty",
		"unix-listen:/x,allow-uid=":              "allow-uid: must not be empty",
		"unixgram:/x,bind=":                      "bind: must not be empty",
		"unixgram-listen:/x,allow-uid=*,mode=":   "mode: must be permissions in octal, such as 600 or 660",
		"unixgram-listen:/x,session-idle=":       "session-idle: must be a duration such as 500ms, 5s, 1h30m, 7d or 2w",
		"abstract-recv:x,allow-gid=no-such-name": "there is no group no-such-name",
	} {
		name, _, _ := strings.Cut(text, ":")
		e, err := transporttest.Fill(kind(t, name), text)
		if v, ok := e.(transport.Validator); ok && err == nil {
			err = v.Validate()
		}
		if err == nil || err.Error() != want {
			t.Errorf("%s: error %v, want %s", text, err, want)
		}
	}
}

func wantOwner(t *testing.T, listen func(string, Access) transport.Listener, a Access, uid, gid int) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	p := path(t)
	listening(t, listen(p, a))
	checkOwner(t, p, uid, gid)
}
