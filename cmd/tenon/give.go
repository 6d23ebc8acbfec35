//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
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

	// giftPatience is how long a taker may take to say that it has all.
	giftPatience = 10 * time.Second

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
	takers int                       // so far
}

// runGive is "tenon give RENDEZVOUS ADDRESS...".
func runGive(p *program, c *call) error {
	if len(c.args) < 2 || c.rest != nil {
		return usageError("a rendezvous and an address are needed", "for example: tenon give web tcp-listen:8080, and there: tenon take web -- PROGRAM")
	}
	g := &giver{program: p, name: c.args[0], many: c.give.many, access: local.Access{AllowUID: c.give.allowUID, AllowGID: c.give.allowGID}}
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

// run opens what is to be given, and then the rendezvous: who finds it finds all
// else ready.
func (g *giver) run(ctx context.Context, meeting string) (err error) {
	defer func() {
		for _, i := range g.items {
			i.finish(g.takers > 0)
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
	defer acc.Close()
	defer context.AfterFunc(ctx, func() { acc.Close() })()
	for {
		conn, err := acc.Accept()
		switch {
		case ctx.Err() != nil && g.takers > 0 && errors.Is(context.Cause(ctx), errNotTaken):
			return nil
		case err != nil:
			return interruptedOr(ctx, err)
		}
		if err := g.serve(ctx, conn); err != nil {
			g.opener.Events(tenon.Event{Time: time.Now(), Type: tenon.Refused, End: "give " + g.name, Addr: conn.RemoteAddr(), Err: err})
			continue
		}
		g.tell(conn.Info().Cred)
		if g.takers++; !g.many {
			return nil
		}
	}
}

// interruptedOr is why ctx ended, if it did, or else err.
func interruptedOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// serve gives to one taker, or says why not. Takers come one after another: what
// can be given once must not be on its way to two.
func (g *giver) serve(ctx context.Context, conn transport.Conn) error {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	c, ok := transport.As[gift.Conn](conn)
	if !ok {
		return errors.ErrUnsupported
	}
	if err := g.access.Admit(conn); err != nil {
		return refuse(conn, c, err)
	}
	var gifts []gift.Gift
	for _, i := range g.items {
		o := i.open
		if o == nil {
			var err error
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
	conn.SetDeadline(time.Now().Add(giftPatience))
	if err := gift.Give(c, gifts); err != nil {
		return fmt.Errorf("%w: %w", errTakerGone, err)
	}
	return nil
}

// refuse tells the taker why it gets nothing, and returns that.
func refuse(conn transport.Conn, c gift.Conn, why error) error {
	conn.SetDeadline(time.Now().Add(giftPatience))
	_ = gift.Refuse(c, why) // it may be gone already
	return why
}
