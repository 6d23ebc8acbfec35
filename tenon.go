// Package tenon connects any two programs.
//
// An end is named by an address: tcp:db:5432, unix:/run/app.sock, exec:'sort -u',
// wss://example.org/feed, tcp-listen:8080. Three calls do the rest:
//
//   - [Dial] opens an end and returns it; [DialStream] returns it as a net.Conn, and a
//     [Dialer] is what http.Transport, gRPC, ssh and drivers of database/sql take.
//   - [Listen] waits for others at an end; [NetListener] makes a net.Listener of it.
//   - [Join] joins two ends until both directions have ended; one that listens
//     serves many. [Opener.Serve] does so for a listener that is open already. To join
//     more than two, so that every one hears all others, see [join.Broker].
//
// The clients of a listener that is a proxy (socks5-listen, http-proxy-listen) say where
// they want to go. Join and Serve take care of it; who accepts them by hand answers
// first: see [transport.Caller].
//
// `tenon help kinds` and docs/options.md list the kinds and their options. An
// [Opener] has what else there is to choose: other kinds, or kinds of your own,
// and a look at what happens. There is no global state: two Openers know nothing
// of each other.
//
// What listens does so on loopback unless the address says otherwise, TLS is
// verified, and what comes from outside is bounded. The package follows semantic
// versions; before 1.0 a minor version may change it, and says so in CHANGELOG.md.
package tenon

import (
	"context"
	"sync"

	"github.com/tenon-net/tenon/internal/plan"
	"github.com/tenon-net/tenon/internal/serve"
	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/transport"
)

// An Opener turns addresses into open ends. The zero Opener knows the
// [DefaultKinds]. Its fields must not change after the first call; its methods may
// be called at the same time.
type Opener struct {
	// Kinds is what can be opened; nil means DefaultKinds().
	Kinds transport.Kinds

	// Events, if not nil, is called for all that happens, from several
	// goroutines. It should return soon: the end it is about waits for it.
	Events func(Event)

	// NoJoints leaves out the events that a joint begins and ends, Opened and
	// Closed: who has no use for them serves many short connections faster.
	NoJoints bool

	// Taps, if not nil, is called for every joint and returns who else is
	// told what passes between a and b.
	Taps func(joint uint64, a, b transport.Conn) []join.Tap

	once  sync.Once
	inner serve.Opener
	kinds transport.Kinds
}

// Dial opens the end that addr names. The context bounds the call only. An end
// that listens is waited at: Dial returns the first connection. For a net.Conn of
// any end, see [Opener.DialStream] and [Opener.DialContext].
func (o *Opener) Dial(ctx context.Context, addr string) (transport.Conn, error) {
	p, err := o.plan(addr)
	if err != nil {
		return nil, err
	}
	return o.serve().DialOrAccept(ctx, p)
}

// Listen opens the end that addr names, which must be of a kind that listens. The
// context bounds the call only. The Acceptor hands out clients that are through
// all handshakes and limits; [NetListener] makes a net.Listener of it.
func (o *Opener) Listen(ctx context.Context, addr string) (transport.Acceptor, error) {
	p, err := o.plan(addr)
	if err != nil {
		return nil, err
	}
	if !p.Listens() {
		return nil, p.KindError("does not listen", "see tenon help kinds")
	}
	return o.serve().Listen(ctx, p)
}

// Serve joins each client of acc to an end of its own that addr names, until ctx is
// done or acc is closed, and returns when all joints have ended. It is Join for those
// who want to know first where they listen, as on port 0, or who bring an Acceptor of
// their own. It closes acc. The Result is that of the last joint.
func (o *Opener) Serve(ctx context.Context, acc transport.Acceptor, addr string, jo join.Options) (join.Result, error) {
	p, err := o.plan(addr)
	if err != nil {
		acc.Close()
		return join.Result{}, err
	}
	return o.serve().Serve(ctx, acc, p, jo)
}

// Join joins the ends that a and b name, and returns when the joint has ended. An
// end that listens serves many, one joint for each client, until ctx is done,
// unless the other can be opened only once, as stdio can: then it serves one. Of
// two that listen, the clients are paired. The Result is that of the last joint.
func (o *Opener) Join(ctx context.Context, a, b string, jo join.Options) (join.Result, error) {
	pa, err := o.plan(a)
	if err != nil {
		return join.Result{}, err
	}
	pb, err := o.plan(b)
	if err != nil {
		return join.Result{}, err
	}
	return o.serve().Join(ctx, pa, pb, jo)
}

// Reload has every end that this Opener is listening at or joining read its files
// again: certificates, keys, certificate authorities, lists of users. It is all or
// nothing: after an error every end goes on with what it had. Connections that are
// there stay; those that come later meet the new files.
func (o *Opener) Reload() error { return o.serve().Reload() }

// std is the zero Opener of the functions of this package. Ends in memory, mem:NAME,
// meet in it.
var std Opener

// Dial is [Opener.Dial] with the zero Opener.
func Dial(ctx context.Context, addr string) (transport.Conn, error) {
	return std.Dial(ctx, addr)
}

// Listen is [Opener.Listen] with the zero Opener.
func Listen(ctx context.Context, addr string) (transport.Acceptor, error) {
	return std.Listen(ctx, addr)
}

// Join is [Opener.Join] with the zero Opener.
func Join(ctx context.Context, a, b string, jo join.Options) (join.Result, error) {
	return std.Join(ctx, a, b, jo)
}

// plan works out what addr stands for, and tells what people should know of it.
func (o *Opener) plan(addr string) (*plan.Plan, error) {
	s := o.serve()
	p, err := plan.Parse(addr, o.kinds)
	if err == nil {
		s.Prepare(p)
	}
	return p, err
}

// serve returns what does the work.
func (o *Opener) serve() *serve.Opener {
	o.once.Do(func() {
		if o.kinds = o.Kinds; o.kinds == nil {
			o.kinds = DefaultKinds()
		}
		o.inner.NoJoints, o.inner.Taps = o.NoJoints, o.Taps
		if o.Events != nil {
			o.inner.Watch = watcher{o.Events}
		}
	})
	return &o.inner
}
