// Package tenon connects any two programs.
//
// An end is named by an address: tcp:db:5432, unix:/run/app.sock, exec:'sort -u',
// wss://example.org/feed, tcp-listen:8080. Three calls do the rest:
//
//   - [Dial] opens an end and returns it: a net.Conn, for all kinds that carry bytes.
//   - [Listen] waits for others at an end; [NetListener] makes a net.Listener of it.
//   - [Join] joins two ends until both directions have ended; one that listens
//     serves many.
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
	"fmt"
	"sync/atomic"

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

	joints atomic.Uint64
}

// Dial opens the end that addr names. The context bounds the call only. An end
// that listens is waited at: Dial returns the first connection.
func (o *Opener) Dial(ctx context.Context, addr string) (transport.Conn, error) {
	p, err := o.warned(addr)
	if err != nil {
		return nil, err
	}
	if !p.listens() {
		return o.dial(ctx, p)
	}
	acc, err := o.open(ctx, p, nil)
	if err != nil {
		return nil, err
	}
	defer acc.Close()
	return acceptOne(ctx, acc)
}

// Listen opens the end that addr names, which must be of a kind that listens. The
// context bounds the call only. The Acceptor hands out clients that are through
// all handshakes and limits.
func (o *Opener) Listen(ctx context.Context, addr string) (transport.Acceptor, error) {
	p, err := o.warned(addr)
	if err != nil {
		return nil, err
	}
	if !p.listens() {
		return nil, usage(p.addr.ErrorAt(p.addr.Kind.Pos, len(p.addr.Kind.Name), "does not listen", "see tenon help kinds"))
	}
	return o.open(ctx, p, nil)
}

// Join joins the ends that a and b name, and returns when the joint has ended. An
// end that listens serves many, one joint for each client, until ctx is done,
// unless the other can be opened only once, as stdio can: then it serves one. Of
// two that listen, the clients are paired. The Result is that of the last joint.
func (o *Opener) Join(ctx context.Context, a, b string, jo join.Options) (join.Result, error) {
	pa, err := o.warned(a)
	if err != nil {
		return join.Result{}, err
	}
	pb, err := o.warned(b)
	if err != nil {
		return join.Result{}, err
	}
	return o.serve(ctx, pa, pb, jo)
}

// Dial is [Opener.Dial] with the zero Opener.
func Dial(ctx context.Context, addr string) (transport.Conn, error) {
	return new(Opener).Dial(ctx, addr)
}

// Listen is [Opener.Listen] with the zero Opener.
func Listen(ctx context.Context, addr string) (transport.Acceptor, error) {
	return new(Opener).Listen(ctx, addr)
}

// Join is [Opener.Join] with the zero Opener.
func Join(ctx context.Context, a, b string, jo join.Options) (join.Result, error) {
	return new(Opener).Join(ctx, a, b, jo)
}

func (o *Opener) kinds() transport.Kinds {
	if o.Kinds != nil {
		return o.Kinds
	}
	return DefaultKinds()
}

// notice tells people something about an end.
func (o *Opener) notice(p *plan, format string, args ...any) {
	o.emit(Event{Type: Notice, End: p.name(), Text: fmt.Sprintf(format, args...)})
}
