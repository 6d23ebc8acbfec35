package join

import (
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
)

// A late end is a program: how it has ended is known when Close returns, a second later.
type late struct {
	transport.Stream
	exit *transport.ExitError // how it ends
	over *transport.ExitError // that, once it has
	log  *events
}

func (l *late) ClosesLate() bool                { return true }
func (l *late) ExitError() *transport.ExitError { return l.over }

func (l *late) Close() error {
	l.log.add("closing the program")
	time.Sleep(time.Second)
	l.Stream.Close()
	if l.over = l.exit; l.exit == nil {
		return nil
	}
	return l.exit
}

// A carrying end carries statuses.
type carrying struct {
	transport.Stream
	log      *events
	promised bool
	carried  transport.CloseStatus
}

func (c *carrying) CarriedStatus() (string, transport.CloseStatus, bool) {
	return "", transport.CloseStatus{}, false
}
func (c *carrying) CarryStatus(_ string, s transport.CloseStatus) {
	c.log.add("carry")
	c.carried = s
}
func (c *carrying) PromiseStatus() bool {
	if !c.promised {
		c.log.add("promise")
	}
	c.promised = true
	return true
}
func (c *carrying) CloseWrite() error { c.log.add("end"); return c.Stream.CloseWrite() }
func (c *carrying) Close() error      { c.log.add("closing the carrier"); return c.Stream.Close() }
func (c *carrying) Abort(err error) error {
	c.log.add("abort")
	return transport.Abort(c.Stream, err)
}

type events struct {
	mu  sync.Mutex
	all []string
}

func (e *events) add(s string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.Contains(e.all, s) {
		e.all = append(e.all, s)
	}
}

// The end of a program's output is passed on at once, how it ends when it has, and only then is the
// end closed that carries that; whichever of the two the joint was given first, and whichever direction ends first.
func TestLateStatusIsCarried(t *testing.T) {
	for _, first := range []Side{A, B} {
		for _, exit := range []*transport.ExitError{nil, {Program: "p", Status: 9}} {
			for _, programFirst := range []bool{true, false} {
				synctest.Test(t, func(t *testing.T) {
					farA, nearA := mem.Pair()
					nearB, farB := mem.Pair()
					log := new(events)
					program, carrier := &late{Stream: nearA, exit: exit, log: log}, &carrying{Stream: nearB, log: log}
					ends := [2]transport.Conn{program, carrier}
					if first == B {
						ends = [2]transport.Conn{carrier, program}
					}
					done := make(chan error)
					go func() {
						_, err := Join(t.Context(), ends[0], ends[1], Options{})
						done <- err
					}()
					out, in := farA, farB
					if !programFirst {
						out, in = in, out
					}
					out.CloseWrite()
					io.ReadAll(in) //nolint:errcheck // it is passed on
					time.Sleep(time.Minute)
					in.CloseWrite()
					err := <-done
					want := []string{"promise", "end", "closing the program", "carry", "closing the carrier"}
					var code uint64
					if code = 9; exit == nil {
						code, want = 0, []string{"promise", "end", "closing the program", "closing the carrier"}
					}
					if !slices.Equal(log.all, want) || carrier.carried.Code != code || (err == nil) != (exit == nil) {
						t.Errorf("first %v, %v: %q, %+v, %v", first, programFirst, log.all, carrier.carried, err)
					}
				})
			}
		}
	}
}

// What another computer says of a program is how the joint ends, but where the other end, which is at
// this side, has failed: then that is.
func TestRemoteExitHidesNoFailure(t *testing.T) {
	full := errors.New("no space left on device")
	for _, c := range []struct{ remote, fails bool }{{true, true}, {true, false}, {false, true}, {false, false}} {
		synctest.Test(t, func(t *testing.T) {
			farA, nearA := mem.Pair()
			nearB, farB := mem.Pair()
			program := &late{Stream: nearA, exit: &transport.ExitError{Program: "p", Status: 9, Remote: c.remote}, log: new(events)}
			var b transport.Conn = nearB
			if c.fails {
				b = &fullDisk{nearB, full}
			}
			farA.Write([]byte("x"))
			farA.CloseWrite()
			time.AfterFunc(time.Second, func() { farB.CloseWrite() }) // not the last that ends: that would abort the program
			_, err := Join(t.Context(), program, b, Options{Linger: time.Minute})
			exit := (*transport.ExitError)(nil)
			if says := errors.As(err, &exit); says == (c.remote && c.fails) || !says && !errors.Is(err, full) {
				t.Errorf("%+v: %v", c, err)
			}
		})
	}
}

// A fullDisk takes nothing.
type fullDisk struct {
	transport.Stream
	err error
}

func (f *fullDisk) Write([]byte) (int, error) { return 0, f.err }
