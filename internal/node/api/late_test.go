package api

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/closestatus"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
)

// What follows the end is waited for by Close of who uses a service, once he has read to the end, and
// nothing else is taken for it: that is a failure, and takes a minute at most.
func TestStatusAfterTheEnd(t *testing.T) {
	frame := func(typ frameType, content []byte) []byte {
		return append([]byte{byte(typ), 0, byte(len(content) >> 8), byte(len(content))}, content...)
	}
	promise, end := frame(frameStatus, nil), frame(frameEnd, nil)
	nine := frame(frameStatus, closestatus.Marshal("exit", transport.CloseStatus{Code: 9}))
	for name, c := range map[string]struct {
		wire   []byte // after the promise and the end
		before bool   // the promise is missing
		stays  bool   // the connection does
		code   int    // of the exit
		fails  bool   // in another way
	}{
		"a status":                   {wire: nine, code: 9},
		"a size before it":           {wire: append(frame(frameWindow, []byte{0, 1, 0, 1}), nine...), code: 9},
		"none":                       {wire: frame(frameStatus, closestatus.None)},
		"none promised":              {before: true},
		"one that was not promised":  {before: true, wire: nine},
		"rubbish":                    {wire: frame(frameStatus, []byte("\xffrubbish"))},
		"the end of the connection":  {fails: true},
		"half of it":                 {wire: nine[:9], fails: true},
		"an abort":                   {wire: frame(frameAbort, []byte("disk full")), fails: true},
		"bytes":                      {wire: frame(frameData, []byte("x")), fails: true},
		"another end":                {wire: end, fails: true},
		"too long":                   {wire: []byte{byte(frameStatus), 1, 0, 0}, fails: true},
		"the promise, over and over": {wire: append(append(promise, promise...), nine...), code: 9},
		"silence":                    {stays: true, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := mem.Pair()
				s := Frames(near, nil, Bytes, &transport.Info{}, near.LocalAddr(), near.RemoteAddr()).(*Stream)
				s.BoundStatus()
				s.reports = true
				go io.Copy(io.Discard, far)
				go func() {
					if !c.before {
						far.Write(promise)
					}
					far.Write(append(frame(frameData, []byte("half")), end...))
					far.Write(c.wire)
					if !c.stays {
						far.CloseWrite()
					}
				}()
				if got, err := io.ReadAll(s); string(got) != "half" || err != nil {
					t.Errorf("%q, %v", got, err)
				}
				begin := time.Now()
				err := s.Close()
				exit := (*transport.ExitError)(nil)
				switch has := errors.As(err, &exit); {
				case has != (c.code > 0), has && exit.Status != c.code, !has && (err != nil) != c.fails:
					t.Errorf("Close: %v", err)
				case time.Since(begin) > untoldTime:
					t.Errorf("Close took %v", time.Since(begin))
				}
				far.Close()
			})
		})
	}
}

// Only who offers a service promises, and not behind the end.
func TestWhoPromises(t *testing.T) {
	near, far := mem.Pair()
	go io.Copy(io.Discard, far)
	s := Frames(near, nil, Bytes, &transport.Info{}, near.LocalAddr(), near.RemoteAddr()).(*Stream)
	if s.PromiseStatus() {
		t.Error("to a side that knows no statuses")
	}
	if s.KnowsStatus(false); s.PromiseStatus() {
		t.Error("by who uses a service")
	}
	s.KnowsStatus(true)
	if err := s.CloseWrite(); err != nil || s.PromiseStatus() {
		t.Errorf("behind the end, %v", err)
	}
	s.Close()
}
