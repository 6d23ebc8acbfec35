package join

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
)

// A leaver is an end whose other side can end both directions at once.
type leaver struct {
	transport.Stream
	ended  chan struct{}
	status *transport.CloseStatus // what the other side has closed with
	told   transport.CloseStatus  // what is to be said to the other side
}

func (l *leaver) Ended() <-chan struct{} { return l.ended }

// leave is the other side's doing: far is what it holds.
func (l *leaver) leave(far transport.Stream) {
	close(l.ended)
	far.CloseWrite()
}

func (l *leaver) Write(p []byte) (int, error) {
	if transport.HasEnded(l) {
		return 0, errors.New("nobody is there")
	}
	return l.Stream.Write(p)
}

// A polite leaver says why it goes.
type polite struct{ *leaver }

func (p polite) CloseStatus() (transport.CloseStatus, bool) {
	if p.status == nil {
		return transport.CloseStatus{}, false
	}
	return *p.status, true
}
func (p polite) SetCloseStatus(s transport.CloseStatus) { p.told = s }
func (p polite) CloseProtocol() string                  { return "test" }

// leaving starts a joint whose first end can be left.
func leaving(t *testing.T, o Options) (*bench, *leaver) {
	farA, nearA := mem.Pair()
	nearB, farB := mem.Pair()
	l := &leaver{Stream: nearA, ended: make(chan struct{})}
	return startWith(t, t.Context(), farA, l, nearB, farB, o), l
}

// When one side has ended both directions, the other is told at once, its own end
// ends the joint, and the end that was left is closed without waiting for that.
func TestSideThatHasEndedBothDirections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, l := leaving(t, Options{})
		x.write(x.a, "last words")
		l.leave(x.a)
		x.read(x.b, "last words")
		x.readError(x.b, io.EOF)
		if x.ended() {
			t.Fatal("the joint does not wait for the side that is left")
		}
		if _, err := l.Stream.Read(make([]byte, 1)); !errors.Is(err, io.ErrClosedPipe) && err == nil {
			t.Error("the end that was left is still open")
		}
		x.b.CloseWrite()
		if !x.ended() || x.err != nil {
			t.Errorf("ended with %v", x.err)
		}
	})
}

// A side that never ends is left after Linger, whether it is silent or goes on.
func TestSideThatIsLeftGetsLingerInAll(t *testing.T) {
	for _, tt := range []struct {
		name  string
		ticks bool
		bye   bool
		clean bool
	}{
		{"silent", false, false, true},
		{"talking to nobody", true, false, false},
		{"talking to one who said goodbye", true, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				farA, nearA := mem.Pair()
				nearB, farB := mem.Pair()
				l := &leaver{Stream: nearA, ended: make(chan struct{})}
				near := transport.Stream(l)
				if tt.bye {
					l.status = &transport.CloseStatus{Code: 1000}
					near = polite{l}
				}
				x := startWith(t, t.Context(), farA, near, nearB, farB, Options{Linger: 2 * time.Second})
				begin := time.Now()
				l.leave(x.a)
				for tt.ticks && !x.ended() {
					io.WriteString(x.b, "tick")
					time.Sleep(100 * time.Millisecond)
				}
				<-x.done
				if took := time.Since(begin); took < 2*time.Second || took > 2200*time.Millisecond {
					t.Errorf("ended after %v, want 2 s", took)
				}
				if (x.err == nil) != tt.clean {
					t.Errorf("ended with %v, clean should be %v", x.err, tt.clean)
				}
			})
		})
	}
}

// A side that says why it closes is heard at the other side, be it a clean end or a
// failure, if both speak the same protocol.
func TestCloseStatusIsPassedOn(t *testing.T) {
	for name, fail := range map[string]error{"clean": io.EOF, "failure": errors.New("closed with 4001")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				farA, nearA := mem.Pair()
				nearB, farB := mem.Pair()
				a := polite{&leaver{Stream: &closing{nearA, fail}, ended: make(chan struct{}), status: &transport.CloseStatus{Code: 4001, Reason: "token expired"}}}
				b := polite{&leaver{Stream: nearB, ended: make(chan struct{})}}
				x := startWith(t, t.Context(), farA, a, b, farB, Options{})
				x.b.CloseWrite()
				<-x.done
				if want := *a.status; b.told != want {
					t.Errorf("the other side is told %+v, want %+v", b.told, want)
				}
				if (x.err == nil) != (fail == io.EOF) {
					t.Errorf("ended with %v", x.err)
				}
			})
		})
	}
}

// closing is a Stream on which the other side closes at once.
type closing struct {
	transport.Stream
	err error
}

func (c *closing) Read([]byte) (int, error) { return 0, c.err }

// A joint that is half-closed has a limit on silence of its own.
func TestHalfClosedLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := start(t, t.Context(), Options{HalfClosed: time.Minute})
		time.Sleep(time.Hour)
		if x.ended() {
			t.Fatal("the limit holds for a joint that is open both ways")
		}
		x.a.CloseWrite()
		for range 3 {
			time.Sleep(50 * time.Second)
			x.write(x.b, "still here")
			x.read(x.a, "still here")
		}
		begin := time.Now()
		<-x.done
		if took := time.Since(begin); took != time.Minute || !errors.Is(x.err, ErrHalfClosed) || !errors.Is(x.err, transport.ErrTimeout) {
			t.Errorf("cut after %v with %v", took, x.err)
		}
		x.readError(x.a, mem.ErrReset)
	})
}

// buggy panics where it is told to.
type buggy struct {
	transport.Stream
	where string
}

func (b *buggy) fault(where string) {
	if b.where == where {
		panic("slice bounds out of range in " + where)
	}
}
func (b *buggy) Read(p []byte) (int, error) {
	if b.where == "negative" {
		return -1, errors.New("reset")
	}
	b.fault("Read")
	return b.Stream.Read(p)
}
func (b *buggy) Write(p []byte) (int, error) { b.fault("Write"); return b.Stream.Write(p) }
func (b *buggy) CloseWrite() error           { b.fault("CloseWrite"); return b.Stream.CloseWrite() }
func (b *buggy) Close() error                { defer b.Stream.Close(); b.fault("Close"); return nil }

// A bug of one end ends this joint with an error and the other end with an abort, and
// the process goes on.
func TestBugEndsOneJoint(t *testing.T) {
	for _, where := range []string{"Read", "negative", "Write", "CloseWrite", "Close"} {
		t.Run(where, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				farA, nearA := mem.Pair()
				nearB, farB := mem.Pair()
				x := startWith(t, t.Context(), farA, nearA, &buggy{nearB, where}, farB, Options{})
				io.WriteString(x.a, "hello")
				x.a.CloseWrite()
				x.b.CloseWrite()
				<-x.done
				bug := (*transport.BugError)(nil)
				if !errors.As(x.err, &bug) || len(bug.Stack) == 0 || !strings.Contains(x.err.Error(), "bug") {
					t.Fatalf("ended with %v", x.err)
				}
				if where != "Close" {
					x.readError(x.a, mem.ErrReset)
				}
			})
		})
	}
}
