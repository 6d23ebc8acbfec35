package join

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/tenon-net/tenon/transport"
)

// A joint goes elsewhere only if nobody here has to see the bytes, and the end that is at
// home there takes the socket; else it is carried here as ever.
func TestAdopt(t *testing.T) {
	for name, x := range map[string]struct {
		refuses bool
		opt     Options
		swapped bool
		want    bool
	}{
		"taken":       {want: true},
		"second end":  {swapped: true, want: true},
		"not taken":   {refuses: true},
		"tapped":      {opt: Options{Taps: []Tap{new(countTap)}}},
		"limited":     {opt: Options{Limit: 1 << 20}},
		"by a person": {opt: Options{HangUp: HangA}},
	} {
		t.Run(name, func(t *testing.T) {
			farA, nearA := tcpPair(t)
			nearB, farB := tcpPair(t)
			home := &adopter{TCPConn: nearB, refuses: x.refuses}
			ends := [2]transport.Conn{detachable(nearA), home}
			if x.swapped {
				ends[A], ends[B] = ends[B], ends[A]
			}
			done := make(chan error, 1)
			go func() {
				r, err := Join(t.Context(), ends[A], ends[B], x.opt)
				if r.AB.Bytes+r.BA.Bytes != 8 {
					err = errors.Join(err, errors.New("not all was counted"))
				}
				done <- err
			}()
			io.WriteString(farA, "question")
			farA.CloseWrite()
			if got, err := io.ReadAll(farB); string(got) != "question" || err != nil {
				t.Errorf("read %q, %v", got, err)
			}
			farB.Close()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if home.adopted != x.want {
				t.Errorf("adopted is %v", home.adopted)
			}
		})
	}
}

// An adopter is an end that carries the joint by means of its own.
type adopter struct {
	*net.TCPConn
	refuses, adopted bool
}

func (a *adopter) Info() *transport.Info { return &transport.Info{Kind: "tcp"} }

func (a *adopter) Adopt(ctx context.Context, fd int, at Side, o Options) (Result, error) {
	if a.refuses {
		return Result{}, ErrNotAdopted
	}
	a.adopted = true
	var ends [2]transport.Conn
	ends[at], ends[1-at] = attach(fd, a), detachable(a.TCPConn)
	return Join(ctx, ends[A], ends[B], o)
}

type countTap struct{}

func (*countTap) Data(Direction, []byte, bool) {}
func (*countTap) End(Direction, error)         {}
