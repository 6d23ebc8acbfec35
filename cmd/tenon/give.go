//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/internal/gift"
	"github.com/tenon-net/tenon/internal/rundir"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/local"
)

const (
	// giveExt is what the names of giving sockets end with; see package rundir.
	giveExt = ".give"

	// given is the event that a taker has taken.
	given tenon.EventType = "given"
)

var (
	errNotTaken  = errors.New("nobody has taken it")
	errTakerGone = errors.New("the taker went away without it")
)

// A giver is one run of tenon give.
type giver struct {
	*program
	opener *tenon.Opener
	name   string // of the rendezvous, as the user wrote it
	access local.Access
	items  []*item
	many   bool
	tell   func(who *transport.Cred) // that somebody has taken
	turns  *turns
	work   sync.WaitGroup // for each taker that is there
	takers atomic.Int64   // that have taken so far
}

// runGive is "tenon give RENDEZVOUS ADDRESS...".
func runGive(p *program, c *call) error {
	if len(c.args) < 2 || c.rest != nil {
		return usageError("a rendezvous and an address are needed", "for example: tenon give web tcp-listen:8080, and there: tenon take web -- PROGRAM")
	}
	g := &giver{program: p, name: c.args[0], many: c.give.many, turns: newTurns(c.give.many),
		access: local.Access{AllowUID: c.give.allowUID, AllowGID: c.give.allowGID}}
	if err := g.access.Validate(); err != nil {
		return err
	}
	meeting, err := g.meeting()
	if err != nil {
		return err
	}
	ends := []string{meeting}
	for _, arg := range c.args[1:] {
		i, err := newItem(arg, defaultName(g.name))
		if err != nil {
			return err
		}
		g.items, ends = append(g.items, i), append(ends, i.addr)
	}
	ctx, o, done, err := p.prepare(c, ends)
	if err != nil {
		return err
	}
	if d := c.give.timeout; d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, d, transport.Mark(&tenon.Error{Op: "give", End: g.name, Err: errNotTaken}, tenon.ErrTimeout))
		defer cancel()
	}
	g.opener = o
	g.tell = func(who *transport.Cred) {
		text := "taken"
		if who != nil {
			text = fmt.Sprintf("taken by process %d of user %d", who.PID, who.UID)
		}
		if c.global.verbose && !c.global.json {
			p.stderr.linef("tenon: %s: %s", g.name, text)
		} else if c.global.json {
			o.Events(tenon.Event{Time: time.Now(), Type: given, End: g.name, Text: text})
		}
	}
	return done(g.run(ctx, meeting))
}

// meeting is the address of the socket at which takers are met. Who may take is
// decided here and not by the socket, so that those who may not can be told.
func (g *giver) meeting() (string, error) {
	path, err := rundir.Socket(g.name, giveExt)
	if err != nil {
		return "", &tenon.Error{Op: "give", End: g.name, Err: err}
	}
	mode := "600"
	if len(g.access.AllowUID)+len(g.access.AllowGID) > 0 {
		mode = "666"
		if path != g.name {
			return "", usageError("other users can't reach the name "+g.name, "write a path that they can reach, such as /tmp/"+g.name+", or @"+g.name)
		}
	}
	meeting := "unix-listen:" + address.Quote(path) + ",allow-uid=*"
	if !strings.HasPrefix(path, "@") { // an abstract name has no permissions
		meeting += ",mode=" + mode
	}
	return meeting, nil
}

// defaultName is the name of descriptors that have none of their own: that of the
// rendezvous, or what sd_listen_fds(3) calls those without a name.
func defaultName(rendezvous string) string {
	name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(rendezvous), "@"), giveExt)
	if gift.CheckName(name) != nil {
		return "unknown"
	}
	return name
}

// errAllTaken is the cause of a context that has ended because there is no more to
// give.
var errAllTaken = errors.New("it is taken")

// run opens what is to be given, and then the rendezvous: who finds it finds all
// else ready.
func (g *giver) run(ctx context.Context, meeting string) (err error) {
	defer func() {
		for _, i := range g.items {
			i.finish(g.takers.Load() > 0)
		}
	}()
	for _, i := range g.items {
		if i.shared || !g.many {
			if i.open, err = i.openOnce(ctx, g.opener); err != nil {
				return interruptedOr(ctx, err)
			}
		}
	}
	acc, err := g.opener.Listen(ctx, meeting)
	if err != nil {
		return interruptedOr(ctx, err)
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer g.work.Wait()
	defer stop(nil) // cuts those that are there
	defer context.AfterFunc(ctx, func() { acc.Close() })()
	defer acc.Close()
	for {
		conn, err := acc.Accept()
		cause := context.Cause(ctx)
		switch {
		case err == nil:
			// After ctx has ended it is closed at once.
		case cause == errAllTaken, g.takers.Load() > 0 && errors.Is(cause, errNotTaken):
			return nil
		default:
			return interruptedOr(ctx, err)
		}
		g.work.Go(func() { g.serve(ctx, conn, stop) })
	}
}

// interruptedOr is why ctx ended, if it did, or else err.
func interruptedOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// serve gives to one taker, and stops if there is no more to give.
func (g *giver) serve(ctx context.Context, conn transport.Conn, stop context.CancelCauseFunc) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err := g.grant(ctx, conn, stop); err != nil && ctx.Err() == nil {
		g.opener.Events(tenon.Event{Time: time.Now(), Type: tenon.Refused, End: "give " + g.name, Addr: conn.RemoteAddr(), Err: err})
	}
}

// grant gives to one taker when its turn has come, or says why not.
func (g *giver) grant(ctx context.Context, conn transport.Conn, stop context.CancelCauseFunc) error {
	c, ok := transport.As[gift.Conn](conn)
	if !ok {
		return errors.ErrUnsupported
	}
	if err := g.access.Admit(conn); err != nil {
		return refuse(conn, c, err)
	}
	turn, err := g.turns.wait(ctx, conn)
	if err != nil {
		return refuse(conn, c, err)
	}
	defer turn.end()
	var gifts []gift.Gift
	for _, i := range g.items {
		o := i.open
		if o == nil {
			if o, err = i.openOnce(ctx, g.opener); err != nil {
				return refuse(conn, c, err)
			}
			defer o.close()
		}
		for _, f := range o.files {
			gifts = append(gifts, gift.Gift{Name: i.name, What: i.what, File: f})
		}
	}
	if len(gifts) > gift.Max {
		return refuse(conn, c, fmt.Errorf("%d descriptors, and there may be %d", len(gifts), gift.Max))
	}
	turn.begin()
	if err := gift.Give(c, gifts); err != nil {
		return fmt.Errorf("%w: %w", errTakerGone, err)
	}
	g.tell(conn.Info().Cred)
	g.takers.Add(1)
	if !g.many {
		stop(errAllTaken)
	}
	return nil
}

// refuse tells the taker why it gets nothing, and returns that.
func refuse(conn transport.Conn, c gift.Conn, why error) error {
	conn.SetDeadline(time.Now().Add(giftHaste))
	_ = gift.Refuse(c, why) // it may be gone already
	return why
}
