package link

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/closestatus"
	"github.com/tenon-net/tenon/transport"
)

// A frame is read as it was written, or refused, and never more of it than may be.
func FuzzFrame(f *testing.F) {
	f.Add(frameOf(frameAck, 5, numbers(6)...))
	f.Add((&opening{proto: "test", window: 1, survive: time.Second}).frame())
	f.Add(frameOf(frameData, 1<<40, 1, 2, 3))
	f.Add([]byte{byte(frameResume), 0, 0, resumeSize})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		h, content, err := readFrame(r, frameOpen, frameOpened, frameResume, frameResumed, frameRefused)
		if err != nil {
			return
		}
		if got := append(h.append(nil), content...); !bytes.Equal(got, b[:len(b)-r.Len()]) {
			t.Errorf("%x was read from %x", got, b)
		}
		switch h.kind {
		case frameOpen:
			o := parseOpening(content)
			o.early = h.number == 1
			if h.number <= 1 && !bytes.Equal(o.frame(), append(h.append(nil), content...)) {
				t.Errorf("%+v from %x", o, content)
			}
		case frameOpened:
			if !bytes.Equal(openedFrame(parseOpened(content)), append(head{frameOpened, 8, 0}.append(nil), content...)) {
				t.Errorf("%x", content)
			}
		case frameResume, frameResumed:
			p := new(resuming)
			p.key, p.epoch = new([keySize]byte), h.number
			if _, ok := p.open(h, content); ok {
				t.Error("a frame was taken for a proof")
			}
		}
	})
}

// Whatever comes first, or after a session has begun, panics nobody, holds no memory
// and leaves nothing behind.
func FuzzPeer(f *testing.F) {
	data := frameOf(frameData, 0, []byte("hello")...)
	for _, b := range [][]byte{
		data, append(bytes.Clone(data), frameOf(frameFin, 5)...), frameOf(frameStop, 0), frameOf(frameAbort, 0), frameOf(frameAborted, 0),
		append(frameOf(framePing, 3), frameOf(framePong, 3, numbers(0, 1<<20)...)...), frameOf(frameAck, 2, numbers(9)...),
		append(frameOf(frameFin, 0, 1), frameOf(frameStatus, 1, closestatus.Marshal("exit", transport.CloseStatus{Code: 9})...)...),
		frameOf(frameAbort, 0, closestatus.Marshal("quic h3", transport.CloseStatus{Code: 9, Reason: "r"})...), frameOf(frameStatus, 0, 0),
		append(frameOf(frameStop, 0), frameOf(frameFin, 0)...), (&opening{proto: "test"}).frame(), frameOf(frameResume, 1, make([]byte, resumeSize)...),
	} {
		f.Add(b, true)
		f.Add(b, false)
	}
	f.Fuzz(func(t *testing.T, b []byte, inSession bool) {
		virtually(t, 0, Options{}, func(p *pair) {
			var below transport.Stream
			if inSession {
				l, s := p.lie()
				below = l.below
				s.KnowsStatus()
				go func() {
					io.Copy(s, s) //nolint:errcheck // of no interest
					s.PromiseStatus()
					s.CloseWrite() //nolint:errcheck // of no interest
					s.CarryStatus("exit", transport.CloseStatus{Code: 9})
					s.Close() //nolint:errcheck // of no interest
				}()
				go s.Write([]byte("and so")) //nolint:errcheck // of no interest
			} else {
				p.far.Serve("test", func(s transport.Stream) { io.Copy(s, s) }) //nolint:errcheck // of no interest
				below = p.raw(p.a, nil)
			}
			go io.Copy(io.Discard, below) //nolint:errcheck // hostile
			below.Write(b)                //nolint:errcheck // hostile
			time.Sleep(100 * time.Millisecond)
			below.Close()  //nolint:errcheck // hostile
			p.near.Close() //nolint:errcheck // it returns nil
			time.Sleep(DefaultMaxSurvive + time.Minute)
			if n := len(p.far.Sessions()); n > 0 {
				p.t.Errorf("%d sessions are left", n)
			}
		})
	})
}
