package wslayer_test

import (
	"bytes"
	"io"
	"os"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
	"github.com/tenon-net/tenon/transport/wslayer"
)

func TestLendMsg(t *testing.T) {
	for _, deflate := range []bool{false, true} {
		c, s := pair(t, &wslayer.Layer{Deflate: deflate}, &wslayer.Layer{Deflate: deflate})
		for _, size := range []int{0, 1, 4096, 65536, 65537, 3 << 20, 10} {
			want := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
			go c.WriteMsg(want, transport.Meta{Text: true})
			got, m, err := s.LendMsg()
			if err != nil || !bytes.Equal(got, want) || !m.Text {
				t.Fatalf("deflate %v, %d bytes: got %d bytes, %+v, %v", deflate, size, len(got), m, err)
			}
		}
		go c.Close()
		if _, _, err := s.LendMsg(); err != io.EOF {
			t.Errorf("the end: %v, want io.EOF", err)
		}
	}
}

// A time-out in the middle of a message is made good by either way to read.
func TestLendAfterDeadline(t *testing.T) {
	for _, lend := range []bool{false, true} {
		a, b := mem.Pair()
		s := accepted(t, a, b)
		frame := clientFrame(true, 1, "half and half")
		a.Write(frame[:12])
		s.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		p := make([]byte, 100)
		var err error
		if lend {
			_, _, err = s.ReadMsg(p)
		} else {
			_, _, err = s.LendMsg()
		}
		if err == nil || !os.IsTimeout(err) {
			t.Fatalf("half a message: %v", err)
		}
		s.SetReadDeadline(time.Time{})
		a.Write(frame[12:])
		if lend {
			p, _, err = s.LendMsg()
		} else {
			var n int
			n, _, err = s.ReadMsg(p)
			p = p[:n]
		}
		if string(p) != "half and half" || err != nil {
			t.Errorf("got %q, %v", p, err)
		}
	}
}
