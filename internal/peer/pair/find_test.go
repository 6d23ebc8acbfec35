package pair

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
)

// A joiner goes on with the same code when connections are lost before it was tried, and when
// none is found for a moment behind that; it stops when the code was tried.
func TestJoinFound(t *testing.T) {
	gone := func(*Offer, transport.Stream) error { return peer.ErrUnreachable }
	hangUp := func(_ *Offer, a transport.Stream) error { return a.Close() }
	abort := func(_ *Offer, a transport.Stream) error { return transport.Abort(a, peer.ErrUnreachable) }
	busy := func(_ *Offer, a transport.Stream) error { return writeFrame(a, frameRefuse, []byte{byte(reasonBusy)}) }
	refuse := func(_ *Offer, a transport.Stream) error {
		return writeFrame(a, frameRefuse, []byte{byte(reasonProtocol)})
	}
	accept := func(o *Offer, a transport.Stream) error {
		go o.Accept(context.WithoutCancel(t.Context()), a) //nolint:errcheck // the joiner tells
		return nil
	}
	cut := func(frames int) func(*Offer, transport.Stream) error { // the offerer is cut off in that frame of its own
		return func(o *Offer, a transport.Stream) error {
			go o.Accept(context.WithoutCancel(t.Context()), &cutter{ReadWriteCloser: a, frames: frames}) //nolint:errcheck // it is lost
			return nil
		}
	}
	for name, c := range map[string]struct {
		steps []func(*Offer, transport.Stream) error
		want  error
		spent bool
	}{
		"at once":                 {steps: []func(*Offer, transport.Stream) error{accept}},
		"lost":                    {steps: []func(*Offer, transport.Stream) error{hangUp, abort, cut(0), cut(1), busy, accept}},
		"and nobody for a moment": {steps: []func(*Offer, transport.Stream) error{cut(1), gone, gone, accept}},
		"nobody from the start":   {steps: []func(*Offer, transport.Stream) error{gone, accept}, want: peer.ErrUnreachable},
		"nobody any more":         {steps: []func(*Offer, transport.Stream) error{hangUp, gone}, want: peer.ErrUnreachable},
		"tried, and lost":         {steps: []func(*Offer, transport.Stream) error{hangUp, cut(2), accept}, spent: true},
		"no such protocol":        {steps: []func(*Offer, transport.Stream) error{refuse, accept}, want: ErrProtocol},
		"lost for ever":           {steps: []func(*Offer, transport.Stream) error{hangUp}, want: ErrExpired, spent: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, found, begin := NewOffer(NewCode(7), alice), 0, time.Now()
				defer o.Close()
				result, err := JoinFound(t.Context(), func(context.Context) (transport.Stream, error) {
					a, b := mem.Pair()
					step := c.steps[min(found, len(c.steps)-1)]
					found++
					if err := step(o, a); err != nil {
						return nil, err
					}
					return b, nil
				}, o.Code(), bob)
				if c.want == nil && !c.spent {
					if err != nil || result.Peer != alice.Key.ID() || found != len(c.steps) {
						t.Errorf("%+v, %v, on the connection %d", result, err, found)
					}
					return
				}
				if err == nil || c.want != nil && !errors.Is(err, c.want) || Spent(err) != c.spent {
					t.Errorf("%v, spent %v", err, Spent(err))
				}
				if took := time.Since(begin); took > Lifetime || found > 200 {
					t.Errorf("it took %v and %d connections", took, found)
				}
			})
		})
	}
}

// The end of the context is the end, whatever is waited for.
func TestJoinFoundEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := errors.New("stop")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, stop)
		defer cancel()
		if _, err := JoinFound(ctx, func(context.Context) (transport.Stream, error) {
			a, b := mem.Pair()
			return b, a.Close()
		}, NewCode(7), bob); !errors.Is(err, stop) {
			t.Error(err)
		}
	})
}
