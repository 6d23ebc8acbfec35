//go:build node

package main

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer/pair"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// nobodyShows is that a code has come to nothing, which the other side should show with a command.
func nobodyShows(command string) error {
	return transport.WithHint(transport.Mark(errors.New("nobody shows this code, as far as can be seen from here"), tenon.ErrTimeout),
		"the other side must be waiting in "+command+"; on another network, both need a relay that they know")
}

// A codeTeller tells of a code, and of who tries it.
type codeTeller struct {
	p         *program
	c         *call
	show      func(code string)
	attempted bool
}

func (t *codeTeller) tell(sort, code, text string) {
	switch sort {
	case api.PairCode:
		t.show(code)
		t.p.tell(t.c, "waiting for it; the code is good for ten minutes and one try")
	case api.PairWarning, api.PairCorrection:
		t.p.tell(t.c, "%s", text)
	case api.PairAttempt:
		if !t.attempted {
			t.attempted = true
			t.p.tell(t.c, "somebody has connected")
		}
	}
}

// follow yields what happens when something is sent or received, as it is told.
func (t *codeTeller) follow(ctx context.Context, events iter.Seq2[api.SendEvent, error]) iter.Seq2[api.SendEvent, error] {
	return func(yield func(api.SendEvent, error) bool) {
		for e, err := range events {
			switch {
			case err != nil && ctx.Err() != nil:
				err = context.Cause(ctx)
			case err == nil && t.p.json:
				err = t.p.stdout.json(withoutTicket(e))
			}
			if err == nil {
				t.tell(e.Type, e.Code, e.Text)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
		if ctx.Err() != nil {
			yield(api.SendEvent{}, context.Cause(ctx))
		}
	}
}

// readCode finds a code, which other users of the machine are not to see: so it need not be an
// argument.
func (p *program) readCode(c *call, text string) (code string, err error) {
	switch text {
	case "":
		return "", nil
	case "-":
		code, err = p.askFor(c, "the code that the other side shows: ")
		if err == nil && code == "" {
			err = errNoCode
		}
	default:
		if code, err = opt.ReadSecret(text); err != nil {
			err = transport.Usage(err)
		}
	}
	if err != nil {
		return "", err
	}
	if _, _, err := pair.ParseCode(code); err != nil {
		return "", transport.Usage(err)
	}
	return strings.TrimSpace(code), nil
}

// looking bounds how long a code is looked for that the other side should show, until found is called.
func (p *program) looking(c *call, code, command string) (ctx context.Context, found func(), cancel func()) {
	ctx, stop := context.WithCancelCause(p.ctx)
	if code == "" {
		return ctx, func() {}, func() { stop(nil) }
	}
	p.tell(c, "looking for the other side")
	timer := time.AfterFunc(cmp.Or(c.peer.send.timeout, defaultJoin), func() { stop(nobodyShows(command)) })
	return ctx, func() { timer.Stop() }, func() { timer.Stop(); stop(nil) }
}

// met tells who the other side is.
func (p *program) met(c *call, e api.SendEvent) {
	if e.Peer == nil {
		return
	}
	who := e.Peer.Short
	switch {
	case e.Peer.Name != "":
		who = e.Peer.Name + ", " + who
	case e.Peer.Said != "":
		who += ", who wants to be called " + e.Peer.Said
	}
	if e.Again {
		p.tell(c, "this goes on with what the code was used for before, with %s", who)
		return
	}
	p.tell(c, "the other side is %s", who)
	p.tell(c, "both sides see: %s", strings.Join(e.Words, " "))
}

// attended tells whether somebody is there who can be asked.
func attended() bool { return term.IsTerminal(int(os.Stdin.Fd())) }
