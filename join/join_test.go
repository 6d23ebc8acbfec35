package join

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
)

// A bench is a joint at work between two ends in memory: what the test holds are
// the far sides.
type bench struct {
	t      *testing.T
	a, b   transport.Stream // far sides of the joint's ends
	result Result
	err    error
	done   chan struct{}
}

func start(t *testing.T, ctx context.Context, o Options) *bench {
	farA, nearA := mem.Pair()
	nearB, farB := mem.Pair()
	return startWith(t, ctx, farA, nearA, nearB, farB, o)
}

func startWith(t *testing.T, ctx context.Context, farA, nearA, nearB, farB transport.Stream, o Options) *bench {
	x := &bench{t: t, a: farA, b: farB, done: make(chan struct{})}
	go func() {
		x.result, x.err = Join(ctx, nearA, nearB, o)
		close(x.done)
	}()
	t.Cleanup(func() { x.a.Close(); x.b.Close() })
	return x
}

// ended waits until everything is at rest and tells whether Join has returned.
func (x *bench) ended() bool {
	synctest.Wait()
	select {
	case <-x.done:
		return true
	default:
		return false
	}
}

func (x *bench) write(c transport.Stream, text string) {
	x.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		x.t.Errorf("write %q: %v", text, err)
	}
}

func (x *bench) read(c transport.Stream, want string) {
	x.t.Helper()
	buf := make([]byte, len(want))
	if _, err := io.ReadFull(c, buf); err != nil || string(buf) != want {
		x.t.Errorf("read %q, %v, want %q", buf, err, want)
	}
}

func (x *bench) readError(c transport.Stream, want error) {
	x.t.Helper()
	n, err := c.Read(make([]byte, 1))
	if n != 0 || !errors.Is(err, want) {
		x.t.Errorf("read %d bytes, %v, want %v", n, err, want)
	}
}

func TestEndOfFileIsPassedOnAndTheOtherWayRunsToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := start(t, t.Context(), Options{})
		x.write(x.a, "question")
		x.a.CloseWrite()
		x.read(x.b, "question")
		x.readError(x.b, io.EOF)
		time.Sleep(time.Hour) // no guillotine
		if x.ended() {
			t.Fatal("the joint ended while one direction was open")
		}
		x.write(x.b, "answer")
		x.read(x.a, "answer")
		x.b.CloseWrite()
		x.readError(x.a, io.EOF)
		if !x.ended() || x.err != nil {
			t.Fatalf("ended %v, error %v", x.ended(), x.err)
		}
		r := x.result
		if r.AB.Bytes != 8 || r.BA.Bytes != 6 || !r.AB.Clean() || !r.BA.Clean() || !r.AB.First || r.BA.First {
			t.Errorf("result %+v", r)
		}
	})
}

// slowEnd is an end whose half-close returns when the other side has long answered with its end of file.
type slowEnd struct {
	transport.Stream
}

func (s slowEnd) CloseWrite() error {
	err := s.Stream.CloseWrite()
	time.Sleep(time.Minute)
	return err
}

// The direction that ends first is the one of which the last byte was moved first, however long its end takes to be
// passed on.
func TestFirstIsWhoseEndCameFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		farA, nearA := mem.Pair()
		nearB, farB := mem.Pair()
		x := startWith(t, t.Context(), farA, nearA, slowEnd{nearB}, farB, Options{})
		x.a.CloseWrite()
		x.readError(x.b, io.EOF)
		x.b.CloseWrite()
		x.readError(x.a, io.EOF)
		<-x.done
		if r := x.result; !r.AB.First || r.BA.First || x.err != nil {
			t.Errorf("result %+v, error %v", r, x.err)
		}
	})
}

func TestFailureIsPassedOnAsAnAbort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := start(t, t.Context(), Options{})
		x.write(x.a, "half of it")
		x.read(x.b, "half of it")
		transport.Abort(x.a, errors.New("pulled out"))
		x.readError(x.b, mem.ErrReset)
		if !x.ended() {
			t.Fatal("the joint goes on")
		}
		var e *Error
		if !errors.As(x.err, &e) || e.Op != "read" || e.Side != A || !errors.Is(x.err, mem.ErrReset) {
			t.Errorf("error %v", x.err)
		}
	})
}

// oneWay is an end that has one direction only, of which the other one has ended from the
// beginning.
type oneWay struct {
	transport.Stream
	use transport.Use
}

func (o oneWay) Directions() transport.Use { return o.use }
func (o oneWay) Read(p []byte) (int, error) {
	if o.use == transport.WriteOnly {
		return 0, io.EOF
	}
	return o.Stream.Read(p)
}

// leaves is an end that takes its leave by a half-close.
type leaves struct{ transport.Stream }

func (leaves) Leaves() bool        { return true }
func (l leaves) CloseWrite() error { return l.Stream.Close() }

// What only receives, and what is only written, are joined for as long as something can
// come, whatever the other way of ending is: a half-close, none, or a farewell.
func TestDirectionThatDoesNotExistEndsNothing(t *testing.T) {
	for name, wrap := range map[string]func(a, b transport.Stream) (transport.Stream, transport.Stream){
		"half-close, only written": func(a, b transport.Stream) (transport.Stream, transport.Stream) {
			return a, oneWay{b, transport.WriteOnly}
		},
		"no half-close, only written": func(a, b transport.Stream) (transport.Stream, transport.Stream) {
			return &mute{a}, oneWay{b, transport.WriteOnly}
		},
		"farewell, only written": func(a, b transport.Stream) (transport.Stream, transport.Stream) {
			return leaves{a}, oneWay{b, transport.WriteOnly}
		},
		"only read, which cannot be told": func(a, b transport.Stream) (transport.Stream, transport.Stream) {
			return oneWay{&mute{a}, transport.ReadOnly}, b
		},
	} {
		for _, swap := range []bool{false, true} {
			t.Run(fmt.Sprint(name, swap), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					farA, nearA := mem.Pair()
					nearB, farB := mem.Pair()
					a, b := wrap(nearA, nearB)
					var x *bench
					if o := (Options{HalfClosed: time.Minute}); swap {
						x = startWith(t, t.Context(), farB, b, a, farA, o)
					} else {
						x = startWith(t, t.Context(), farA, a, b, farB, o)
					}
					farB.CloseWrite()
					time.Sleep(time.Hour)
					if x.ended() {
						t.Fatalf("the joint has ended: %+v, %v", x.result, x.err)
					}
					x.write(farA, "late")
					x.read(farB, "late")
					farA.CloseWrite()
					if !x.ended() || x.err != nil {
						t.Errorf("error %v", x.err)
					}
				})
			})
		}
	}
}

// A slow end takes its time to end, and has not ended before its gate is open.
type slow struct {
	transport.Stream
	gate chan struct{}
}

func (s *slow) Close() error          { <-s.gate; return s.Stream.Close() }
func (s *slow) Abort(err error) error { <-s.gate; return transport.Abort(s.Stream, err) }

// An end that takes its time, as a WebSocket whose peer does not answer a close frame,
// does not keep the other side from learning that all is over.
func TestNeitherEndWaitsForTheOther(t *testing.T) {
	for name, c := range map[string]struct {
		o    Options
		end  func(slow, other transport.Stream) // what ends the joint
		want error                              // what the other side reads
	}{
		"failure of the slow end": {Options{}, func(slow, _ transport.Stream) { transport.Abort(slow, errors.New("pulled out")) }, mem.ErrReset},
		"nothing comes":           {Options{Idle: time.Second}, func(_, _ transport.Stream) {}, mem.ErrReset},
		"limit":                   {Options{Limit: 1}, func(slow, _ transport.Stream) { slow.Write([]byte("x")) }, io.EOF},
	} {
		for _, swap := range []bool{false, true} {
			t.Run(fmt.Sprint(name, swap), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					farA, nearA := mem.Pair()
					nearB, farB := mem.Pair()
					gate := make(chan struct{})
					var x *bench
					if swap {
						x = startWith(t, t.Context(), farB, nearB, &slow{nearA, gate}, farA, c.o)
					} else {
						x = startWith(t, t.Context(), farA, &slow{nearA, gate}, nearB, farB, c.o)
					}
					synctest.Wait()
					c.end(farA, farB)
					buf := make([]byte, 1)
					n, err := farB.Read(buf)
					if n > 0 {
						_, err = farB.Read(buf)
					}
					if !errors.Is(err, c.want) {
						t.Errorf("the other side reads %v, want %v", err, c.want)
					}
					close(gate)
					if !x.ended() {
						t.Error("the joint goes on")
					}
				})
			})
		}
	}
}

// A server that answers and hangs up before it has read everything: the answer
// must arrive although writing to the server fails.
func TestLastWordsOfAnEndThatTakesNoMoreArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		farA, nearA := mem.Pair()
		nearB, farB := mem.Pair()
		x := startWith(t, t.Context(), farA, nearA, &refusing{Stream: nearB}, farB, Options{})
		x.write(x.a, "a long upload")
		synctest.Wait()
		x.write(x.b, "413 too large")
		x.read(x.a, "413 too large")
		x.b.CloseWrite()
		if !x.ended() {
			t.Fatal("the joint goes on")
		}
		var e *Error
		if !errors.As(x.err, &e) || e.Op != "write" || e.Side != B {
			t.Errorf("error %v, want one about writing to B", x.err)
		}
	})
}

// refusing is an end that can be read and not written.
type refusing struct{ transport.Stream }

func (r *refusing) Write([]byte) (int, error) { return 0, errors.New("takes no more") }

// mute is an end without half-close, such as a WebSocket.
type mute struct{ transport.Stream }

func (m *mute) CloseWrite() error { return errors.ErrUnsupported }

func TestLingerWaitsForSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		farA, nearA := mem.Pair()
		nearB, farB := mem.Pair()
		x := startWith(t, t.Context(), farA, nearA, &mute{nearB}, farB, Options{})
		begin := time.Now()
		x.write(x.a, "question")
		x.a.CloseWrite()
		x.read(x.b, "question")
		for range 5 { // an answer that takes its time, but keeps coming
			time.Sleep(DefaultLinger - time.Millisecond)
			x.write(x.b, "answer ")
			x.read(x.a, "answer ")
		}
		x.readError(x.a, io.EOF)
		<-x.done
		if x.err != nil {
			t.Errorf("error %v", x.err)
		}
		if got, want := time.Since(begin), 6*DefaultLinger-5*time.Millisecond; got != want {
			t.Errorf("ended after %v, want %v", got, want)
		}
	})
}

func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := start(t, t.Context(), Options{Idle: time.Minute})
		begin := time.Now()
		for range 3 {
			time.Sleep(50 * time.Second)
			x.write(x.b, "tick")
			x.read(x.a, "tick")
		}
		x.readError(x.a, mem.ErrReset)
		<-x.done
		if !errors.Is(x.err, ErrIdle) || !errors.Is(x.err, transport.ErrTimeout) {
			t.Errorf("error %v", x.err)
		}
		if got := time.Since(begin); got != 210*time.Second {
			t.Errorf("cut after %v, want 3m30s", got)
		}
	})
}

func TestContextCutsBothEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		x := start(t, ctx, Options{})
		synctest.Wait()
		cancel(stop)
		x.readError(x.a, mem.ErrReset)
		x.readError(x.b, mem.ErrReset)
		if !x.ended() || x.err != stop {
			t.Errorf("error %v, want the cause", x.err)
		}
	})
}

func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := start(t, t.Context(), Options{Limit: 10})
		x.write(x.a, "0123456789")
		x.read(x.b, "0123456789")
		x.readError(x.b, io.EOF)
		if !x.ended() || !errors.Is(x.err, ErrLimit) || x.result.AB.Bytes != 10 {
			t.Errorf("error %v, %d bytes", x.err, x.result.AB.Bytes)
		}
	})
}

func TestOneWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := start(t, t.Context(), Options{OneWay: true})
		x.write(x.b, "nobody listens")
		x.write(x.a, "hello")
		x.a.CloseWrite()
		x.read(x.b, "hello")
		x.readError(x.b, io.EOF)
		if !x.ended() || x.err != nil || x.result.BA.Bytes != 0 {
			t.Errorf("error %v, result %+v", x.err, x.result)
		}
	})
}

func TestHangUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := start(t, t.Context(), Options{HangUp: HangB}) // a person is at A
		x.write(x.b, "bye")
		x.b.CloseWrite()
		x.read(x.a, "bye")
		if !x.ended() || x.err != nil {
			t.Errorf("ended %v, error %v: the person would have to type an end of file", x.ended(), x.err)
		}
	})
}

// A terminal has no half-close. The person does not have to wait for Linger.
func TestHangUpDoesNotLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		farA, nearA := mem.Pair()
		nearB, farB := mem.Pair()
		x := startWith(t, t.Context(), farA, &mute{nearA}, nearB, farB, Options{HangUp: HangB})
		begin := time.Now()
		x.b.CloseWrite()
		<-x.done
		if took := time.Since(begin); took != 0 || x.err != nil {
			t.Errorf("ended after %v, %v", took, x.err)
		}
	})
}

func TestStatusOfAnEndIsTheJoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		farA, nearA := mem.Pair()
		nearB, farB := mem.Pair()
		x := startWith(t, t.Context(), farA, nearA, &program{nearB, 3}, farB, Options{})
		x.a.CloseWrite()
		x.b.CloseWrite()
		<-x.done
		var status interface{ ExitCode() int }
		if !errors.As(x.err, &status) || status.ExitCode() != 3 {
			t.Errorf("error %v, want exit status 3", x.err)
		}
	})
}

type exitStatus int

func (e exitStatus) Error() string { return "exit status" }
func (e exitStatus) ExitCode() int { return int(e) }

type program struct {
	transport.Stream
	status exitStatus
}

func (p *program) Close() error { p.Stream.Close(); return p.status }

func TestMessagesStayMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		farA, nearA := mem.MsgPair()
		nearB, farB := mem.MsgPair()
		done := make(chan Result, 1)
		go func() {
			r, err := Join(t.Context(), nearA, nearB, Options{})
			if err != nil {
				t.Error(err)
			}
			done <- r
		}()
		for _, text := range []string{"one", "", "three"} {
			if err := farA.WriteMsg([]byte(text), transport.Meta{Text: true}); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 10)
			n, m, err := farB.ReadMsg(buf)
			if string(buf[:n]) != text || err != nil || !m.Text {
				t.Errorf("read %q, %+v, %v, want %q", buf[:n], m, err, text)
			}
		}
		farA.CloseWrite()
		farB.CloseWrite()
		if r := <-done; r.AB.Msgs != 3 || r.AB.Bytes != 8 {
			t.Errorf("result %+v", r)
		}
	})
}

func TestFramingStandsBetweenBytesAndMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		farA, nearA := mem.Pair()
		nearB, farB := mem.MsgPair()
		done := make(chan error, 1)
		go func() {
			_, err := Join(t.Context(), nearA, nearB, Options{Framing: Lines, Text: true})
			done <- err
		}()
		io.WriteString(farA, "first\nsecond\nrest")
		farA.CloseWrite()
		for _, want := range []string{"first", "second", "rest"} {
			buf := make([]byte, 10)
			n, m, err := farB.ReadMsg(buf)
			if string(buf[:n]) != want || err != nil || !m.Text {
				t.Errorf("message %q, %+v, %v, want %q as text", buf[:n], m, err, want)
			}
		}
		farB.WriteMsg([]byte("reply"), transport.Meta{})
		farB.CloseWrite()
		if got, err := io.ReadAll(farA); string(got) != "reply\n" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// failing fails at its n-th operation, whichever that is, and counts them.
type failing struct {
	transport.Stream
	ops, at int
	failed  bool
}

var errFault = errors.New("fault")

func (f *failing) fault() error {
	f.ops++
	if f.ops >= f.at {
		f.failed = true
		return errFault
	}
	return nil
}

func (f *failing) Read(p []byte) (int, error) {
	n, err := f.Stream.Read(p)
	if err == nil || err == io.EOF {
		if e := f.fault(); e != nil {
			return 0, e
		}
	}
	return n, err
}

func (f *failing) CloseWrite() error {
	if err := f.fault(); err != nil {
		return err
	}
	return f.Stream.CloseWrite()
}

// Whatever fails, and whenever: the other side never sees a clean end of data that
// is cut, and the result says that something failed.
func TestFaultAtEveryOperation(t *testing.T) {
	const text = "some bytes that pass"
	for at := 1; ; at++ {
		over := false
		synctest.Test(t, func(t *testing.T) {
			farA, nearA := mem.Pair()
			nearB, farB := mem.Pair()
			faulty := &failing{Stream: nearA, at: at}
			x := startWith(t, t.Context(), farA, faulty, nearB, farB, Options{})
			go func() {
				for i := range len(text) {
					io.WriteString(farA, text[i:i+1])
					synctest.Wait()
				}
				farA.CloseWrite()
				io.Copy(io.Discard, farA)
			}()
			got, err := io.ReadAll(farB)
			farB.CloseWrite()
			<-x.done
			if !strings.HasPrefix(text, string(got)) {
				t.Errorf("fault %d: read %q", at, got)
			}
			if err == nil && string(got) != text {
				t.Errorf("fault %d: a clean end after %q", at, got)
			}
			if faulty.failed != (x.err != nil) {
				t.Errorf("fault %d: failed %v, and the result is %v", at, faulty.failed, x.err)
			}
			over = !faulty.failed
			farA.Close()
		})
		if over {
			return
		}
	}
}

// position writes bytes that say where they are, in pieces of changing size.
func TestAMegabyteBothWaysAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := start(t, t.Context(), Options{})
		data := make([]byte, 1<<20)
		for i := range data {
			data[i] = byte(i ^ i>>8 ^ i>>16)
		}
		results := make(chan error, 4)
		for _, c := range []transport.Stream{x.a, x.b} {
			go func() {
				for i, step := 0, 1; i < len(data); step = step*7%65521 + 1 {
					end := min(i+step, len(data))
					if _, err := c.Write(data[i:end]); err != nil {
						results <- err
						return
					}
					i = end
				}
				results <- c.CloseWrite()
			}()
			go func() {
				got, err := io.ReadAll(c)
				if err == nil && !bytes.Equal(got, data) {
					err = errors.New("other bytes arrived than were sent")
				}
				results <- err
			}()
		}
		for range 4 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		<-x.done
		if x.err != nil || x.result.AB.Bytes != 1<<20 || x.result.BA.Bytes != 1<<20 {
			t.Errorf("error %v, result %+v", x.err, x.result)
		}
	})
}

// recorder is a tap that keeps what it is told.
type recorder struct {
	data [2]bytes.Buffer
	ends [2]error
}

func (r *recorder) Data(d Direction, p []byte, _ bool) { r.data[d].Write(p) }
func (r *recorder) End(d Direction, err error)         { r.ends[d] = err }

func TestTapsAreToldAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tap := new(recorder)
		x := start(t, t.Context(), Options{Taps: []Tap{tap}})
		x.write(x.a, "there")
		x.a.CloseWrite()
		x.write(x.b, "and back")
		x.b.CloseWrite()
		<-x.done
		if tap.data[AB].String() != "there" || tap.data[BA].String() != "and back" || tap.ends[AB] != io.EOF || tap.ends[BA] != io.EOF {
			t.Errorf("told %q and %q, ends %v", &tap.data[AB], &tap.data[BA], tap.ends)
		}
	})
}
