package tenon

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// layered is every way to have clients of a listener go through something first, and how one
// that is good does.
var layered = []struct{ listen, dial, more string }{
	{"tls+mem-listen:x", "tls+mem:x", ",insecure"},
	{"ws+mem-listen:x,host=*", "ws+mem:x", ""},
	{"ws+tls+mem-listen:x,host=*", "ws+tls+mem:x", ",insecure"},
	{"socks-server+mem-listen:x", "", "\x05\x01\x00\x05\x01\x00\x01\x01\x02\x03\x04\x00\x50"},
	{"http-proxy-server+mem-listen:x", "", "CONNECT example.org:80 HTTP/1.1\r\nHost: example.org:80\r\n\r\n"},
	{"mem-listen:x,accept-proxy", "", "PROXY UNKNOWN\r\n"},
}

// Clients that never end their handshake fill a listener. They keep nobody out: the one that
// has taken longest goes when another one comes, but not before it has had a moment. Without
// another one they keep their time.
func TestSlowHandshakesMakeRoom(t *testing.T) {
	for _, tt := range layered {
		t.Run(tt.listen, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const most = 4
				o, told := newOpener()
				acc, err := o.Listen(t.Context(), fmt.Sprintf("%s,max=%d", tt.listen, most))
				if err != nil {
					t.Fatal(err)
				}
				defer acc.Close()
				through := make(chan transport.Conn, 2*most)
				go func() {
					for {
						c, err := acc.Accept()
						if err != nil {
							return
						}
						through <- c
					}
				}()
				ended := make(chan int, 2*most)
				for i := range most {
					s := dialStream(t, o, "mem:x")
					go func() {
						io.Copy(io.Discard, s)
						ended <- i
					}()
					time.Sleep(10 * time.Millisecond)
				}
				time.Sleep(5 * time.Second)
				if n := told.count(Refused); n > 0 || len(ended) > 0 {
					t.Errorf("%d were sent away while there was room", n)
				}
				begun := time.Now()
				for i := range 2 {
					var good transport.Conn
					if tt.dial != "" {
						good, err = o.Dial(t.Context(), tt.dial+tt.more)
					} else {
						s := dialStream(t, o, "mem:x")
						_, err = s.Write([]byte(tt.more))
						good = s
					}
					if err != nil {
						t.Fatal(err)
					}
					defer good.Close()
					defer (<-through).Close()
					if gone := <-ended; gone != i {
						t.Errorf("client %d had to go first, want %d", gone, i)
					}
				}
				if took := time.Since(begun); took > 2*time.Second {
					t.Errorf("two good clients were let in after %v", took)
				}
				told.mu.Lock()
				defer told.mu.Unlock()
				for _, e := range told.events {
					if e.Type == Refused && !errors.Is(e.Err, transport.ErrTimeout) {
						t.Errorf("refused: %v", e.Err)
					}
				}
			})
		})
	}
}

// A client that is new has a moment even if others wait.
func TestHandshakesHaveAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := newOpener()
		acc, err := o.Listen(t.Context(), "tls+mem-listen:x,max=1")
		if err != nil {
			t.Fatal(err)
		}
		defer acc.Close()
		first := dialStream(t, o, "mem:x")
		second := dialStream(t, o, "mem:x")
		begun := time.Now()
		io.Copy(io.Discard, first)
		if took := time.Since(begun); took < time.Second || took > 2*time.Second {
			t.Errorf("the first had to go after %v", took)
		}
		io.Copy(io.Discard, second)
		if took := time.Since(begun); took < 10*time.Second {
			t.Errorf("the second, which nobody waited behind, had to go after %v", took)
		}
	})
}
