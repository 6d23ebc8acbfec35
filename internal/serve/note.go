package serve

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tenon-net/tenon/internal/plan"
	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/transport"
)

// tellLost tells what an end has missed because it was too slow for it.
func (s *server) tellLost(name string, c transport.Conn) {
	if l, ok := transport.About[interface{ Lost() uint64 }](c); ok && l.Lost() > 0 {
		s.watch().Notice(name, fmt.Sprintf("%d messages were lost, because this end was too slow", l.Lost()))
	}
}

// note settles what remains to be settled about a joint, and tells that it begins.
func (s *server) note(a, b transport.Conn) (*Joint, join.Options) {
	jo := s.opt
	if jo.Count == nil {
		jo.Count = new(join.Count)
	}
	j := &Joint{Number: s.joints.Add(1), Count: jo.Count, Addr: b.RemoteAddr()}
	j.Names = [2]string{s.plans[0].NameFor(b), s.plans[1].NameFor(a)}
	if s.plans[0].Listens() {
		j.Addr = a.RemoteAddr()
	}
	if s.Taps != nil {
		jo.Taps = append(jo.Taps, s.Taps(j.Number, a, b)...)
	}
	jo.HangUp |= hangs(a, b)
	if mixed(a, b) {
		if jo.Framing == join.Chunks && !s.framed() && people(a, b) {
			jo.Framing = join.People
		}
		jo.Text = jo.Text || jo.Framing == join.Lines || textual(a) || textual(b)
		j.Text = "bytes are cut into messages with frame=" + jo.Framing.String()
	}
	if !s.NoJoints {
		s.watch().Opened(j)
	}
	return j, jo
}

// closed tells how a joint went.
func (s *server) closed(j *Joint, r join.Result, err error) (join.Result, error) {
	err = nameSide(err, j.Names)
	if !s.NoJoints {
		s.watch().Closed(j, &r, err)
	}
	s.mu.Lock()
	s.last = r
	s.mu.Unlock()
	return r, err
}

// nameSide says which end an error of a joint is about.
func nameSide(err error, names [2]string) error {
	if e := (*join.Error)(nil); errors.As(err, &e) {
		return transport.Failed(e.Op, names[e.Side], e.Err)
	}
	return err
}

// merge adds to the joint's options what the ends ask for.
func merge(jo join.Options, plans ...*plan.Plan) join.Options {
	for _, p := range plans {
		c := &p.Common
		jo.Idle = stricter(jo.Idle, c.Idle)
		jo.HalfClosed = stricter(jo.HalfClosed, c.HalfClosed)
		jo.Limit = stricter(jo.Limit, c.Limit)
		if c.EOFTimeout != 0 {
			jo.Linger = c.EOFTimeout
		}
		if c.Frame != 0 {
			jo.Framing = c.Frame
		}
	}
	return jo
}

// stricter returns the smaller of two limits, where 0 is none, and a negative one is
// said to be none.
func stricter[T time.Duration | int64](a, b T) T {
	if a == 0 || b > 0 && (a < 0 || b < a) {
		return b
	}
	return a
}

// mixed tells whether one end carries bytes and the other messages.
func mixed(a, b transport.Conn) bool {
	_, aMsgs := a.(transport.MsgConn)
	_, bMsgs := b.(transport.MsgConn)
	return aMsgs != bMsgs
}

// framed tells whether somebody has chosen a framing.
func (s *server) framed() bool {
	return slices.ContainsFunc(s.halves(), func(p *plan.Plan) bool { return p.Given("frame") })
}

// people tells whether a person at a terminal talks to a WebSocket, or whoever it is
// to a bus: it is for events, which are lines where there are bytes.
func people(a, b transport.Conn) bool {
	isBus := func(c transport.Conn) bool { return c.Info().Kind == "bus" }
	if isBus(a) || isBus(b) {
		return true
	}
	isWeb := func(c transport.Conn) bool { return strings.HasPrefix(c.Info().Kind, "ws") }
	return interactive(a) && isWeb(b) || interactive(b) && isWeb(a)
}

// textual tells whether what an end says is text, for ends that tell text from binary.
func textual(c transport.Conn) bool {
	t, ok := transport.About[interface{ Textual() bool }](c)
	return ok && t.Textual()
}

// hangs finds the ends at which a person sits: an end of file from the other ends
// the joint.
func hangs(a, b transport.Conn) join.Hang {
	var h join.Hang
	if interactive(a) {
		h |= join.HangB
	}
	if interactive(b) {
		h |= join.HangA
	}
	return h
}

func interactive(c transport.Conn) bool {
	i, ok := transport.About[interface{ Interactive() bool }](c)
	return ok && i.Interactive()
}
