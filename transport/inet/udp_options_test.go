//go:build linux

package inet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/internal/freeport"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/inet"
	"github.com/tenon-net/tenon/transport/transporttest"
)

func wantLocal(t *testing.T, text, part string) {
	t.Helper()
	if got := udpOpen(t, text).LocalAddr().String(); !strings.Contains(got, part) {
		t.Errorf("%s: local address %s, want %s in it", text, got, part)
	}
}

// wantSockopt opens an address and looks at an option of its socket.
func wantSockopt(t *testing.T, text string, level, opt, want int) {
	t.Helper()
	before := openSockets()
	if strings.HasPrefix(text, "udp-listen") {
		udpListen(t, text)
	} else {
		udpOpen(t, text)
	}
	for fd := range openSockets() {
		if before[fd] {
			continue
		}
		if got, err := unix.GetsockoptInt(fd, level, opt); err != nil || got < want || want == 0 && got != 0 {
			t.Errorf("%s: option %d is %d, error %v; want %d", text, opt, got, err, want)
		}
	}
}

// openSockets is the sockets of this process.
func openSockets() map[int]bool {
	fds := map[int]bool{}
	dir, _ := os.ReadDir("/proc/self/fd")
	for _, e := range dir {
		var fd int
		fmt.Sscan(e.Name(), &fd)
		if what, _ := os.Readlink("/proc/self/fd/" + e.Name()); strings.HasPrefix(what, "socket:") {
			fds[fd] = true
		}
	}
	return fds
}

// udpSocketOptions is the checks of the options of Socket, on an address of IPv4,
// and others.
func udpSocketOptions(text string, more map[string]func(*testing.T)) map[string]func(*testing.T) {
	for name, o := range map[string]struct {
		value            string
		level, opt, want int
	}{
		"rcvbuf": {"3M", unix.SOL_SOCKET, unix.SO_RCVBUF, 3 << 20},
		"sndbuf": {"3M", unix.SOL_SOCKET, unix.SO_SNDBUF, 3 << 20},
		"ttl":    {"77", unix.SOL_IP, unix.IP_TTL, 77},
		"tos":    {"0x10", unix.SOL_IP, unix.IP_TOS, 0x10},
		"mark":   {"7", unix.SOL_SOCKET, unix.SO_MARK, 7},
	} {
		more[name] = func(t *testing.T) { wantSockopt(t, text+","+name+"="+o.value, o.level, o.opt, o.want) }
	}
	more["interface"] = func(t *testing.T) { wantSockopt(t, text+",interface=lo", unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX, 1) }
	more["family"] = func(t *testing.T) {
		k, _ := inet.Kinds().Lookup(strings.SplitN(text, ":", 2)[0])
		e, err := transporttest.Fill(k, text+",family=ipv6")
		if err != nil {
			t.Fatal(err)
		}
		switch e := e.(type) {
		case transport.Dialer:
			_, err = e.Dial(context.Background())
		case transport.Listener:
			_, err = e.Listen(context.Background())
		}
		if !errors.Is(err, transport.ErrUsage) {
			t.Errorf("an address of IPv4 with family=ipv6: error %v, want transport.ErrUsage", err)
		}
	}
	return more
}

func udpLocalOptions(kind string, more map[string]func(*testing.T)) map[string]func(*testing.T) {
	addr := func(t *testing.T, text string) string {
		if kind == "udp-listen" {
			return udpListen(t, text).Addr().String()
		}
		return udpOpen(t, text).LocalAddr().String()
	}
	more["bind"] = func(t *testing.T) {
		if got := addr(t, kind+":0,bind=127.0.0.3"); !strings.HasPrefix(got, "127.0.0.3:") {
			t.Errorf("address %s", got)
		}
	}
	for _, name := range []string{"reuseaddr", "reuseport"} {
		more[name] = func(t *testing.T) {
			text := fmt.Sprintf("%s:127.0.0.1:%s,%s", kind, freeport.Get(t), name)
			if first, second := addr(t, text), addr(t, text); first != second {
				t.Error("two sockets do not share the port")
			}
		}
	}
	return udpSocketOptions(kind+":127.0.0.1:0", more)
}

func udpListenOptions() map[string]func(*testing.T) {
	return udpLocalOptions("udp-listen", map[string]func(*testing.T){
		"session-idle": func(t *testing.T) {
			a := udpListen(t, "udp-listen:0,session-idle=20ms")
			s := udpSession(t, a, udpOpen(t, "udp:"+a.Addr().String()))
			if _, _, err := s.(transport.MsgConn).ReadMsg(make([]byte, 1)); err != io.EOF {
				t.Errorf("read of a silent session: error %v, want io.EOF", err)
			}
		},
		"sessions": func(t *testing.T) {
			a := udpListen(t, "udp-listen:0,sessions=1")
			known := udpOpen(t, "udp:"+a.Addr().String())
			s := udpSession(t, a, known)
			udpSend(t, known, "again") // or the next one would take its place
			udpReceive(t, s, "again")
			udpSend(t, udpOpen(t, "udp:"+a.Addr().String()), "one too many")
			wantDropped(t, a, 1)
		},
		"amplify": testAmplify,
		"per-datagram": func(t *testing.T) {
			a := udpListen(t, "udp-listen:0,per-datagram")
			c := udpOpen(t, "udp:"+a.Addr().String())
			for _, text := range []string{"one", "two", "", "three"} {
				udpSend(t, c, text)
			}
			for _, text := range []string{"one", "two", "", "three"} {
				s, err := a.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				udpReceive(t, s, text)
				if n, _, err := s.(transport.MsgConn).ReadMsg(make([]byte, 9)); n != 0 || err != io.EOF {
					t.Errorf("after %q: %d bytes, error %v, want io.EOF", text, n, err)
				}
				if transport.HasEnded(s) {
					t.Errorf("the session of %q has ended both ways", text)
				}
				udpSend(t, s, "answer to "+text)
				udpReceive(t, c, "answer to "+text)
			}
		},
		"queue": func(t *testing.T) {
			a := udpListen(t, "udp-listen:0,queue=1k")
			c := udpOpen(t, "udp:"+a.Addr().String())
			for range 3 {
				udpSend(t, c, strings.Repeat("x", 600))
			}
			wantDropped(t, a, 2)
			s, err := a.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			udpReceive(t, s, strings.Repeat("x", 600))
		},
	})
}

// testAmplify: what goes to a sender is bounded by what came from it, in every way
// to write, for the whole session.
func testAmplify(t *testing.T) {
	const text = "a question of as many bytes as an answer"
	answers := make([]transport.Msg, 10)
	for i := range answers {
		answers[i].Buf = []byte(text)
	}
	a := udpListen(t, "udp-listen:127.0.0.1:0,amplify=3")
	client := udpOpen(t, "udp:"+a.Addr().String())
	udpSend(t, client, text)
	s, err := a.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	udpReceive(t, s, text)
	last := int64(0)
	answered := func(dropped int64) { // three answers and no more
		t.Helper()
		wantDropped(t, s, last+dropped)
		last += dropped
		for range 3 {
			udpReceive(t, client, text)
		}
		udpSend(t, s, "")
		wantDropped(t, s, last+1)
		last++
		client.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if n, _, err := client.(transport.MsgConn).ReadMsg(make([]byte, 99)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a fourth answer of %d bytes, error %v", n, err)
		}
	}
	if n, err := s.(transport.MsgBatcher).WriteMsgs(answers); n != len(answers) || err != nil {
		t.Errorf("wrote %d of %d, error %v; what is dropped is no error", n, len(answers), err)
	}
	answered(7)
	udpSend(t, client, text)
	udpReceive(t, s, text)
	for range 5 {
		udpSend(t, s, text)
	}
	answered(2)

	// As the other end of a joint that another listener's goroutine forwards to.
	front := udpListen(t, "udp-listen:127.0.0.1:0")
	source := udpOpen(t, "udp:"+front.Addr().String())
	from := udpSession(t, front, source)
	go from.(transport.MsgForwarder).ForwardMsgs(s.(transport.MsgConn), nil)
	udpSend(t, client, text)
	udpReceive(t, s, text)
	for range 6 {
		udpSend(t, source, text)
	}
	answered(3)
}

func wantDropped(t *testing.T, c any, want int64) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); c.(transport.DropCounter).Dropped() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d dropped, want %d", c.(transport.DropCounter).Dropped(), want)
		}
	}
}

func udpRecvOptions() map[string]func(*testing.T) {
	return udpLocalOptions("udp-recv", map[string]func(*testing.T){
		"queue": func(t *testing.T) {
			r := udpOpen(t, "udp-recv:0,queue=1k")
			c := udpOpen(t, "udp:"+r.LocalAddr().String())
			for range 3 {
				udpSend(t, c, strings.Repeat("x", 600))
			}
			wantDropped(t, r, 2)
		},
		"join": func(t *testing.T) {
			r := udpOpen(t, "udp-recv:0,join=239.255.77.1@lo")
			port := r.LocalAddr().(*net.UDPAddr).Port
			c := udpOpen(t, fmt.Sprintf("udp-datagram:239.255.77.1:%d,multicast-if=lo", port))
			udpSend(t, c, "to the group")
			m := udpReceive(t, r, "to the group")
			if from, ok := m.From.(*net.UDPAddr); !ok || from.Port != c.LocalAddr().(*net.UDPAddr).Port {
				t.Errorf("the sender is %v, want port of %v", m.From, c.LocalAddr())
			}
		},
	})
}

func udpSendToOptions(kind string) map[string]func(*testing.T) {
	group := kind + ":239.255.77.2:9"
	return udpSocketOptions(kind+":127.0.0.1:9", map[string]func(*testing.T){
		"bind": func(t *testing.T) { wantLocal(t, kind+":127.0.0.1:9,bind=127.0.0.2", "127.0.0.2:") },
		"sourceport": func(t *testing.T) {
			p := freeport.Get(t)
			wantLocal(t, fmt.Sprintf(kind+":127.0.0.1:9,sp=%s", p), fmt.Sprintf(":%s", p))
		},
		"reuseaddr": func(t *testing.T) { wantSockopt(t, group+",reuseaddr", unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) },
		"broadcast": func(t *testing.T) {
			r := udpOpen(t, "udp-recv:*:0,family=ipv4")
			to := fmt.Sprintf("127.255.255.255:%d", r.LocalAddr().(*net.UDPAddr).Port)
			udpSend(t, udpOpen(t, kind+":"+to), "to all")
			udpReceive(t, r, "to all")
			c := udpOpen(t, kind+":"+to+",broadcast=no").(transport.MsgConn)
			if err := c.WriteMsg([]byte("x"), transport.Meta{}); !errors.Is(err, syscall.EACCES) {
				t.Errorf("with broadcast=no: error %v, want EACCES", err)
			}
		},
		"multicast-ttl":  func(t *testing.T) { wantSockopt(t, group+",multicast-ttl=9", unix.SOL_IP, unix.IP_MULTICAST_TTL, 9) },
		"multicast-loop": func(t *testing.T) { wantSockopt(t, group+",multicast-loop=no", unix.SOL_IP, unix.IP_MULTICAST_LOOP, 0) },
		"multicast-if": func(t *testing.T) {
			udpSend(t, udpOpen(t, group+",multicast-if=lo"), "x") // where the group has no route, it would fail
			wantSockopt(t, group+",multicast-if=127.0.0.1", unix.SOL_IP, unix.IP_MULTICAST_IF, 0)
		},
		"join": func(t *testing.T) {
			p := freeport.Get(t)
			text := fmt.Sprintf("udp-datagram:239.255.77.3:%s,multicast-if=lo,join=239.255.77.3@lo,sp=%s", p, p)
			a, b := udpOpen(t, text), udpOpen(t, text)
			udpSend(t, a, "among members")
			udpReceive(t, b, "among members")
			udpReceive(t, a, "among members")
		},
	})
}
