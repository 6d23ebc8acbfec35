package link

import (
	"io"
	"testing"
	"time"

	"github.com/tenon-net/tenon/transport"
)

// Close takes a round trip or two, whatever the other side is doing.
func TestCloseIsQuick(t *testing.T) {
	const delay = 20 * time.Millisecond
	for name, c := range map[string]struct {
		far  func(transport.Stream)
		near func(transport.Stream)
	}{
		"reads to the end": {func(s transport.Stream) { io.Copy(io.Discard, s) }, func(s transport.Stream) {}},
		"echo":             {func(s transport.Stream) { io.Copy(s, s); s.CloseWrite() }, func(s transport.Stream) { io.WriteString(s, "x"); io.ReadFull(s, make([]byte, 1)) }},
		"echo to the end":  {func(s transport.Stream) { io.Copy(s, s); s.CloseWrite() }, func(s transport.Stream) { io.WriteString(s, "x"); s.CloseWrite(); io.ReadAll(s) }},
		"returns":          {func(s transport.Stream) {}, func(s transport.Stream) { io.Copy(io.Discard, s) }},
		"reads nothing":    {func(s transport.Stream) { <-s.(*Stream).over }, func(s transport.Stream) { s.Write(make([]byte, 1000)) }},
		"writes": {func(s transport.Stream) {
			for {
				if _, err := s.Write(make([]byte, 1000)); err != nil {
					return
				}
			}
		}, func(s transport.Stream) { io.CopyN(io.Discard, s, 500) }},
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, delay, Options{}, func(p *pair) {
				done := make(chan bool)
				p.far.Serve("test", func(s transport.Stream) { c.far(s); s.Close(); close(done) })
				s, err := p.near.Open(p.t.Context(), p.b.Self(), "test")
				if err != nil {
					t.Fatal(err)
				}
				c.near(s)
				begin := time.Now()
				err = s.Close()
				d := time.Since(begin)
				<-done
				t.Log(err, d, time.Since(begin))
			})
		})
	}
}
