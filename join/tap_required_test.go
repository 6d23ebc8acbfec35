package join

import (
	"errors"
	"io"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
)

// A disk is a file that has room until it is full.
type disk struct{ full bool }

func (d *disk) Write(p []byte) (int, error) {
	if d.full {
		return len(p) / 2, syscall.ENOSPC
	}
	return len(p), nil
}

// recorders are all that record: each returns a tap for the next joint.
var recorders = map[string]func(t *testing.T, w io.Writer) func(messages bool) Tap{
	"tee": func(_ *testing.T, w io.Writer) func(bool) Tap {
		r := Tee(w)
		return func(bool) Tap { return r }
	},
	"hex": func(_ *testing.T, w io.Writer) func(bool) Tap {
		d := HexDump(w)
		return func(bool) Tap { return d.Joint("1") }
	},
	"text": func(_ *testing.T, w io.Writer) func(bool) Tap {
		d := TextDump(w)
		return func(bool) Tap { return d.Joint("1") }
	},
	"pcap": func(t *testing.T, w io.Writer) func(bool) Tap {
		p, err := NewPcap(w)
		if err != nil {
			t.Fatal(err)
		}
		return func(messages bool) Tap {
			return p.Conversation(transport.Addr{Net: "mem", Name: "a"}, transport.Addr{Net: "mem", Name: "b"}, messages)
		}
	},
}

// TestTapFails fills the disk beneath every sort of record: the joint goes on, or, if
// the record is required, is cut before a byte passes that is not in it. The next
// joint is cut before anything passes.
func TestTapFails(t *testing.T) {
	for name, record := range recorders {
		for _, required := range []bool{false, true} {
			t.Run(name+map[bool]string{false: "", true: " required"}[required], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { testTapFails(t, record, required) })
			})
		}
	}
}

func testTapFails(t *testing.T, record func(*testing.T, io.Writer) func(bool) Tap, required bool) {
	w := new(disk)
	next := record(t, w)
	tap := next(false)
	x := start(t, t.Context(), Options{Taps: []Tap{tap}, TapRequired: required})
	x.write(x.a, "recorded")
	x.read(x.b, "recorded")
	w.full = true
	x.write(x.b, "lost")
	if required {
		x.readError(x.a, mem.ErrReset)
		x.wantTapError()
		x = start(t, t.Context(), Options{Taps: []Tap{next(false)}, TapRequired: true})
		x.readError(x.b, mem.ErrReset)
		x.wantTapError()
	} else {
		x.read(x.a, "lost")
		x.b.CloseWrite()
		x.a.CloseWrite()
		if !x.ended() || x.err != nil {
			t.Errorf("ended %v, error %v", x.ended(), x.err)
		}
	}
	if err := tap.(Failer).Err(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("the tap's error is %v", err)
	}
}

func (x *bench) wantTapError() {
	x.t.Helper()
	if !x.ended() || !errors.Is(x.err, ErrTap) || !errors.Is(x.err, syscall.ENOSPC) {
		x.t.Errorf("ended %v, error %v", x.ended(), x.err)
	}
}

// TestTapFailsAtMessage does the same for ends that carry messages.
func TestTapFailsAtMessage(t *testing.T) {
	for name, record := range recorders {
		t.Run(name, func(t *testing.T) {
			w := new(disk)
			farA, nearA := mem.MsgPair()
			nearB, farB := mem.MsgPair()
			done := make(chan error, 1)
			tap := record(t, w)(true)
			go func() {
				_, err := Join(t.Context(), nearA, nearB, Options{Taps: []Tap{tap}, TapRequired: true})
				done <- err
			}()
			buf := make([]byte, farB.MaxMsg())
			send := func(text string) (int, error) {
				if err := farA.WriteMsg([]byte(text), transport.Meta{}); err != nil {
					t.Fatal(err)
				}
				n, _, err := farB.ReadMsg(buf)
				return n, err
			}
			if n, err := send("recorded"); err != nil || string(buf[:n]) != "recorded" {
				t.Errorf("%q, %v", buf[:n], err)
			}
			w.full = true
			if n, err := send("lost"); err == nil {
				t.Errorf("%q has passed and is not recorded", buf[:n])
			}
			if err := <-done; !errors.Is(err, ErrTap) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// A record that fails at the very end is not whole: the other side does not see a clean
// end, and the joint says so.
func TestTapFailsAtEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(disk)
		x := start(t, t.Context(), Options{Taps: []Tap{TextDump(w).Joint("1")}, TapRequired: true})
		w.full = true
		x.a.CloseWrite()
		x.readError(x.b, mem.ErrReset)
		x.wantTapError()
	})
}
