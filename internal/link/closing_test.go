package link

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/closestatus"
	"github.com/tenon-net/tenon/transport"
)

// What one side closes with, the other one hears: at once, later than the end of the data, and in
// an abort; and nothing of it is sent to a side that does not know it.
func TestStatus(t *testing.T) {
	nine := transport.CloseStatus{Code: 9, Reason: "nine"}
	const late = 7 * time.Second
	for name, c := range map[string]struct {
		says  func(s *Stream)
		want  transport.CloseStatus
		takes time.Duration // Close of who hears it, at least
		err   error         // and what it returns
	}{
		"nothing": {says: func(s *Stream) { s.CloseWrite(); s.Close() }},
		"at once": {says: func(s *Stream) { s.CarryStatus("exit", nine); s.CloseWrite(); s.Close() }, want: nine},
		"at once, and closed later": {says: func(s *Stream) {
			s.CarryStatus("exit", nine)
			s.CloseWrite()
			time.Sleep(late)
			s.Close()
		}, want: nine},
		"with close": {says: func(s *Stream) { s.CarryStatus("exit", nine); s.Close() }, want: nine},
		"later": {says: func(s *Stream) {
			s.PromiseStatus()
			s.CloseWrite()
			time.Sleep(late)
			s.CarryStatus("exit", nine)
			s.Close()
		}, want: nine, takes: late},
		"later, and closed later yet": {says: func(s *Stream) {
			s.PromiseStatus()
			s.CloseWrite()
			time.Sleep(late)
			s.CarryStatus("exit", nine)
			time.Sleep(late)
			s.Close()
		}, want: nine, takes: late},
		"none, later": {says: func(s *Stream) { s.PromiseStatus(); s.CloseWrite(); time.Sleep(late); s.Close() }, takes: late},
		"promised too late": {says: func(s *Stream) {
			s.CloseWrite()
			if s.PromiseStatus() {
				t.Error("a promise behind the end")
			}
			s.CarryStatus("exit", nine)
			s.Close()
		}},
		"never": {says: func(s *Stream) { s.PromiseStatus(); s.CloseWrite() }, takes: DefaultSurvive, err: errUntold},
		"aborted": {says: func(s *Stream) {
			s.PromiseStatus()
			s.CloseWrite()
			time.Sleep(late)
			s.CarryStatus("exit", nine)
			s.Abort(nil)
		}, want: nine, takes: late, err: ErrReset},
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, 10*time.Millisecond, Options{}, func(p *pair) {
				near, far := p.open()
				for _, s := range []*Stream{near, far} {
					s.KnowsStatus()
				}
				said := make(chan bool)
				go func() {
					defer close(said)
					io.WriteString(far, "data") //nolint:errcheck // it would show below
					c.says(far)
				}()
				if got, err := io.ReadAll(near); string(got) != "data" || err != nil {
					p.t.Errorf("%q, %v", got, err)
				}
				begin := time.Now()
				if err := near.Close(); !errors.Is(err, c.err) {
					p.t.Errorf("Close: %v, want %v", err, c.err)
				}
				if took := time.Since(begin); took < c.takes || took > c.takes+3*time.Second {
					p.t.Errorf("Close took %v, want %v", took, c.takes)
				}
				if protocol, got, ok := near.CarriedStatus(); got != c.want || ok != (c.want != transport.CloseStatus{}) || ok && protocol != "exit" {
					p.t.Errorf("%q %+v, %v, want %+v", protocol, got, ok, c.want)
				}
				<-said
			})
		})
	}
	virtually(t, 0, Options{}, func(p *pair) {
		near, far := p.open()
		if far.PromiseStatus() {
			p.t.Error("a promise to a side that does not know of any")
		}
		far.CarryStatus("exit", nine)
		go far.Close() //nolint:errcheck // it shows below
		if _, err := io.ReadAll(near); err != nil || near.ClosesLate() {
			p.t.Errorf("%v, %v", err, near.ClosesLate())
		}
		if _, s, ok := near.CarriedStatus(); ok {
			p.t.Errorf("%+v is carried to a side that does not know it", s)
		}
		near.Close() //nolint:errcheck // it returns nil
	})
}

// Who reads no more before the end waits for no status, and keeps nobody waiting.
func TestStatusIsNotWanted(t *testing.T) {
	for name, c := range map[string]struct{ before, between time.Duration }{
		"long before the end": {10 * time.Second, time.Second}, "as the end comes": {0, 10 * time.Second},
		"as the end and the status come": {0, 0}, "as the status comes": {0, 10 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, 10*time.Millisecond, Options{}, func(p *pair) {
				near, far := p.open()
				far.KnowsStatus()
				over := make(chan error, 1)
				go io.Copy(io.Discard, far) //nolint:errcheck // of no interest
				go func() {
					time.Sleep(c.before)
					far.PromiseStatus()
					far.CloseWrite() //nolint:errcheck // Close shows it
					time.Sleep(c.between)
					far.CarryStatus("exit", transport.CloseStatus{Code: 9})
					over <- far.Close()
				}()
				begin := time.Now()
				if err := near.Close(); err != nil || time.Since(begin) > 2*time.Second {
					p.t.Errorf("Close: %v after %v", err, time.Since(begin))
				}
				time.Sleep(3 * time.Second) // somebody listens by then, though nobody reads
				if a, b := len(p.near.Sessions()), len(p.far.Sessions()); a+b > 0 {
					p.t.Errorf("%d and %d sessions are left after %v", a, b, time.Since(begin))
				}
				if err := <-over; err != nil {
					p.t.Errorf("the other Close: %v", err)
				}
			})
		})
	}
}

// A status that was promised and cannot come any more is a failure, since the data may have
// been cut.
func TestStatusIsLost(t *testing.T) {
	virtually(t, 10*time.Millisecond, Options{}, func(p *pair) {
		near, far := p.open()
		far.KnowsStatus()
		far.PromiseStatus()
		if err := far.CloseWrite(); err != nil {
			p.t.Fatal(err)
		}
		if _, err := io.ReadAll(near); err != nil {
			p.t.Fatal(err)
		}
		p.w.Strand(p.a, p.b)
		if err := near.Close(); err == nil {
			p.t.Error("Close returns nil")
		}
		p.w.Heal(p.a, p.b)
	})
}

// What a peer says of a status that cannot be ends the session, and what is none says nothing.
func TestStatusLies(t *testing.T) {
	fin := frameOf(frameFin, 0, 1)
	status := closestatus.Marshal("exit", transport.CloseStatus{Code: 9})
	for name, lie := range map[string][]byte{
		"before the end":          frameOf(frameStatus, 1, status...),
		"where none was promised": append(frameOf(frameFin, 0), frameOf(frameStatus, 1, status...)...),
		"elsewhere":               append(bytes.Clone(fin), frameOf(frameStatus, 2, status...)...),
		"an odd promise":          frameOf(frameFin, 0, 2),
		"a promise taken back":    append(bytes.Clone(fin), frameOf(frameFin, 0)...),
		"a later promise":         append(frameOf(frameFin, 0), fin...),
		"too long":                append(bytes.Clone(fin), frameOf(frameStatus, 1, make([]byte, closestatus.Max+1)...)...),
		"empty":                   append(bytes.Clone(fin), frameOf(frameStatus, 1)...),
		"bytes behind it":         append(append(bytes.Clone(fin), frameOf(frameStatus, 1, status...)...), frameOf(frameData, 1, 'x')...),
		"an end behind it":        append(append(bytes.Clone(fin), frameOf(frameStatus, 1, status...)...), frameOf(frameFin, 1, 1)...),
		"a long abort":            frameOf(frameAbort, 0, make([]byte, closestatus.Max+1)...),
		"acknowledged, not sent":  frameOf(framePong, 6, numbers(2, 1<<20)...),
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, time.Millisecond, Options{}, func(p *pair) {
				l, s := p.lie()
				s.CloseWrite() //nolint:errcheck // it shows below
				go func() {
					l.below.Write(lie)           //nolint:errcheck // hostile
					io.Copy(io.Discard, l.below) //nolint:errcheck // hostile
					l.below.Close()              //nolint:errcheck // hostile
				}()
				<-s.over
				if s.mu.Lock(); !errors.Is(s.err, ErrProtocol) {
					p.t.Errorf("%v", s.err)
				}
				s.mu.Unlock()
			})
		})
	}
	for name, what := range map[string][]byte{"rubbish": bytes.Repeat([]byte{0xff}, closestatus.Max), "none": closestatus.None, "half": status[:7]} {
		virtually(t, time.Millisecond, Options{}, func(p *pair) {
			l, s := p.lie()
			go io.Copy(io.Discard, l.below)                                              //nolint:errcheck // hostile
			l.below.Write(append(bytes.Clone(fin), frameOf(frameStatus, 1, what...)...)) //nolint:errcheck // hostile
			if _, err := io.ReadAll(s); err != nil {
				p.t.Errorf("%s: %v", name, err)
			}
			go s.Close() //nolint:errcheck // nobody acknowledges
			time.Sleep(time.Second)
			if protocol, got, ok := s.CarriedStatus(); ok {
				p.t.Errorf("%s: %q %+v", name, protocol, got)
			}
			if s.mu.Lock(); s.awaitsStatus() {
				p.t.Errorf("%s: it is waited for", name)
			}
			s.mu.Unlock()
			l.below.Close() //nolint:errcheck // hostile
		})
	}
}
