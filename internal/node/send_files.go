package node

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer/pair"
	"github.com/tenon-net/tenon/transport"
)

// How a sending of files ends.
var (
	errAllSent  = errors.New("the other side has everything")
	errUnwanted = transport.Mark(errors.New("the other side does not want it"), transport.ErrDenied)
	errNoReturn = transport.Mark(errors.New("the other side has gone, and has not come again"), transport.ErrTimeout)
)

// files sends files: it shares them with who has used the code, and ends when that has all, or does
// not want them.
func (s *sending) files(ctx context.Context) (err error) {
	ctx, stop := context.WithCancelCause(ctx)
	done, ok := s.n.sends.begin(stop)
	if !ok {
		return errDown
	}
	defer done()
	all, err := s.n.theShares()
	if err != nil {
		return err
	}
	r := &s.request
	lent, end, err := all.Lend(ctx, api.ShareRequest{Paths: r.Paths, Name: r.Name, Exclude: r.Exclude, Only: r.Only, GitIgnore: r.GitIgnore, Up: r.Up, Uses: 1})
	if err != nil {
		return err
	}
	forget := false
	defer func() { err = errors.Join(err, end(forget)) }()
	name := "send-" + lent.ID[:16] // the same when it is sent again
	acc, err := s.n.Offer(ctx, api.OfferRequest{Service: name})
	if err != nil {
		return err
	}
	a := &audienceOf{s: s, stop: stop}
	var working sync.WaitGroup
	working.Go(func() {
		if err := all.Watch(ctx, lent.ID, func(d api.Share) { s.tell(api.SendEvent{Type: api.SendProgress, Share: &d}) }); err != nil {
			stop(err)
		}
	})
	if err = s.meet(ctx, gift{Share: lent.Ticket, Service: name, Name: lent.Name}); err == nil {
		a.expect()
		working.Go(func() { a.accept(ctx, acc, &working) })
		<-ctx.Done()
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	stop(err)
	acc.Close() //nolint:errcheck // it returns nil
	working.Wait()
	a.forgetTimer()
	forget = errors.Is(err, errAllSent) || errors.Is(err, errUnwanted)
	if errors.Is(err, errAllSent) {
		last, err := all.Look(lent.ID) // what was told last may be of the time when little was hashed
		if err == nil {
			s.tell(api.SendEvent{Type: api.SendDone, Share: &last})
		}
		return err
	}
	return err
}

// An audienceOf is who comes for what is sent, and may go and come again.
type audienceOf struct {
	s    *sending
	stop context.CancelCauseFunc

	mu     sync.Mutex // guards what follows
	here   int
	lonely *time.Timer // nil = nobody is expected yet
}

// expect gives up after a while in which nobody is here.
func (a *audienceOf) expect() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lonely = time.AfterFunc(pair.Lifetime, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.here == 0 {
			a.stop(errNoReturn)
		}
	})
}

func (a *audienceOf) forgetTimer() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.lonely != nil {
		a.lonely.Stop()
	}
}

// count counts those who are here.
func (a *audienceOf) count(more int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.here += more; a.here == 0 && a.lonely != nil {
		a.lonely.Reset(pair.Lifetime)
	}
}

// accept lets those in who may come, until acc is closed.
func (a *audienceOf) accept(ctx context.Context, acc transport.Acceptor, working *sync.WaitGroup) {
	for {
		c, err := acc.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if s, ok := c.(transport.Stream); ok && err == nil {
			a.count(1)
			a.s.tell(api.SendEvent{Type: api.SendCame, Text: "the other side has come for it"})
			working.Go(func() { a.attend(ctx, s) })
		}
	}
}

// attend hears what somebody says of what it was sent.
func (a *audienceOf) attend(ctx context.Context, c transport.Stream) {
	defer a.count(-1)
	closed := make(chan struct{})
	unwatch := context.AfterFunc(ctx, func() {
		defer close(closed)
		c.SetDeadline(time.Now().Add(requestTime)) //nolint:errcheck // then it fails
		if !errors.Is(context.Cause(ctx), errAllSent) {
			c.Write([]byte{api.GiftOver}) //nolint:errcheck // it is said once
		}
		c.Close() //nolint:errcheck // all is said
	})
	var said [1]byte
	_, err := io.ReadFull(c, said[:])
	switch {
	case err == nil && said[0] == api.GiftAll:
		a.stop(errAllSent)
	case err == nil && said[0] == api.GiftUnwanted:
		a.stop(errUnwanted)
	case unwatch():
		transport.Abort(c, errLeft) //nolint:errcheck // it is lost
		a.s.tell(api.SendEvent{Type: api.SendLeft, Text: errLeft.Error()})
		return
	}
	select {
	case <-closed:
	case <-time.After(farewellTime): // who has gone silently does not hear it
	}
}

var errLeft = errors.New("the other side has gone; it can go on with the same code for ten minutes")

// farewellTime is how long the end of a sending waits until the other side has heard of it.
const farewellTime = 2 * time.Second

// Farewells are the sendings that go on, whose ends are said before the node ends.
type farewells struct {
	mu    sync.Mutex // guards what follows
	over  bool
	stops map[*context.CancelCauseFunc]bool
	all   sync.WaitGroup
}

// begin counts one that stop ends, until done is called. It tells whether there is time for one.
func (f *farewells) begin(stop context.CancelCauseFunc) (done func(), ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return nil, false
	}
	if f.stops == nil {
		f.stops = map[*context.CancelCauseFunc]bool{}
	}
	f.stops[&stop] = true
	f.all.Add(1)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.stops, &stop)
		f.all.Done()
	}, true
}

// end ends all, and waits for them.
func (f *farewells) end(why error) {
	f.mu.Lock()
	f.over = true
	for stop := range f.stops {
		(*stop)(why)
	}
	f.mu.Unlock()
	f.all.Wait()
}
