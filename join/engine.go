package join

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/tenon-net/tenon/internal/relay"
	"github.com/tenon-net/tenon/transport"
)

// An Engine moves the bytes of many joints between sockets inside the kernel, with
// a few threads for all of them and no buffer for those that are silent. It takes
// the joints whose ends are both a [transport.Detacher] and whose bytes nobody
// wants to see; Join carries the others as ever, and all of them on systems for
// which there is no engine. The zero Engine is ready, and starts with the first
// joint that it takes. Many joints may use it at once; it must not be copied.
type Engine struct {
	once  sync.Once // guards the start
	relay *relay.Engine
	err   error // why there is none
}

// start starts the engine, the first time.
func (e *Engine) start() error {
	e.once.Do(func() { e.relay, e.err = relay.New(0) })
	return e.err
}

// Close cuts the joints that are left and waits for the engine's threads. Joints
// that come later are carried without it.
func (e *Engine) Close() error {
	e.once.Do(func() { e.err = net.ErrClosed })
	if e.relay == nil {
		return nil
	}
	return e.relay.Close()
}

// join carries the joint if it can. With errNotTaken it has not begun, and the
// ends that it returns are the ones to carry otherwise.
func (e *Engine) join(ctx context.Context, a, b transport.Conn, o Options) (r Result, ends [2]transport.Conn, err error) {
	ends = [2]transport.Conn{a, b}
	da, okA := transport.As[transport.Detacher](a)
	db, okB := transport.As[transport.Detacher](b)
	if !okA || !okB || e.start() != nil {
		return r, ends, errNotTaken
	}
	fdB, err := db.Detach()
	if err != nil {
		return r, ends, errNotTaken
	}
	fdA, err := da.Detach()
	if err != nil {
		ends[B] = attach(fdB, b)
		return r, ends, errNotTaken
	}
	res, err := e.relay.Run(ctx, fdA, fdB, relay.Options{
		OneWay: o.OneWay, Idle: o.Idle, AB: &o.Count.AB, BA: &o.Count.BA,
	})
	if err != nil {
		ends = [2]transport.Conn{attach(fdA, a), attach(fdB, b)}
		return r, ends, errNotTaken
	}
	r.AB, r.BA = asFlow(res.AB), asFlow(res.BA)
	switch res.First {
	case relay.AToB:
		r.First = &r.AB
	case relay.BToA:
		r.First = &r.BA
	}
	if errors.Is(res.Cause, relay.ErrIdle) {
		res.Cause = ErrIdle
	}
	return r, ends, verdict(&r, res.Cause, [2]error{a.Close(), b.Close()})
}

func asFlow(f relay.Flow) Flow { return Flow{Bytes: f.Bytes, Read: f.Read, Write: f.Write} }

// errNotTaken says that the joint is still to be carried.
var errNotTaken = errors.New("not for the engine")
