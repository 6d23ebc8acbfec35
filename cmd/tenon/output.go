package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/transport"
)

// An output tells people, or a script, what happens during a call.
type output struct {
	p     *program
	c     *call
	stats *stats

	mu    sync.Mutex // guards what stands below
	ready *os.File   // --ready-fd
	await int        // listeners that are not there yet
	last  string     // the complaint told last, which is not told again
}

// prepare makes the Opener of a call, with its output and its taps. The caller
// calls done with the error of the call, when all is over.
func (p *program) prepare(c *call, ends []string) (ctx context.Context, o *tenon.Opener, done func(error) error, err error) {
	out := &output{p: p, c: c}
	if c.joint.printPort && (ends[0] == address.Stdio || ends[1] == address.Stdio) {
		return nil, nil, nil, usageError("--print-port and an end on standard output cannot both be", "use --ready-fd")
	}
	for _, end := range ends {
		if isListener(end) {
			out.await++
		}
	}
	if fd := c.joint.readyFD; fd > 0 {
		if out.ready, err = openReady(fd); err != nil {
			return nil, nil, nil, err
		}
	}
	ctx, cut := context.WithCancelCause(p.ctx)
	t, err := newTaps(p.stderr.lines(), &c.joint, func(err error) {
		out.tapFailed(err)
		if c.joint.required {
			cut(err)
		}
	})
	if err != nil {
		return nil, nil, nil, err
	}
	if c.joint.stats {
		out.stats = newStats(p.stderr, c.global.json)
	}
	o = &tenon.Opener{Kinds: kinds(), Events: out.event, Taps: t.of}
	o.NoJoints = !c.global.json && !c.global.verbose && out.stats == nil && c.joint.forTime == 0
	cancel := context.CancelFunc(func() { cut(nil) })
	if d := c.joint.forTime; d > 0 {
		ctx, cancel = context.WithTimeoutCause(ctx, d, errForTime)
	}
	stop := func() {}
	if c.joint.chat || c.joint.broadcast || serves(ends) {
		stop = p.reloadOnHangUp(ctx, o, out.event)
		for _, notice := range p.unknownPeers(c, ends) {
			out.event(notice)
		}
	}
	done = func(err error) error {
		stop()
		cancel()
		if out.stats != nil {
			out.stats.summary()
		}
		return t.end(err)
	}
	return ctx, o, done, nil
}

// openReady takes over the descriptor on which somebody waits to hear that we listen.
func openReady(fd int) (*os.File, error) {
	f := os.NewFile(uintptr(fd), "ready-fd")
	if _, err := f.Stat(); err != nil {
		return nil, usageError(fmt.Sprintf("--ready-fd %d: the descriptor is not open", fd), "for example: tenon ... --ready-fd 3 3>ready")
	}
	return f, nil
}

// event is called for all that happens.
func (o *output) event(e tenon.Event) {
	if o.stats != nil {
		o.stats.event(e)
	}
	if e.Type == tenon.Listening {
		defer o.tellReady(e.Addr) // who waits for it finds all else said
	}
	if o.c.global.json {
		_ = o.p.stderr.json(e) // an Event is always JSON
		return
	}
	if text := o.text(e); text != "" {
		o.p.stderr.line("tenon: " + text)
	}
	if bug := (*transport.BugError)(nil); errors.As(e.Err, &bug) && o.c.global.verbose {
		_, _ = o.p.stderr.lines().Write(bug.Stack) // failed tells
	}
}

// tapFailed tells that a tap does not record any more, also those who want to hear of
// errors only.
func (o *output) tapFailed(err error) {
	text := "what passes is not recorded any more"
	if o.c.joint.required {
		text = "all joints end"
	}
	if o.c.global.json {
		o.event(tenon.Event{Time: time.Now(), Type: tenon.Notice, Text: text, Err: err})
		return
	}
	o.p.stderr.line("tenon: " + err.Error() + "; " + text)
}

// text is what a person is told of e; "" for nothing.
func (o *output) text(e tenon.Event) string {
	verbose, quiet := o.c.global.verbose, o.c.global.quiet
	switch e.Type {
	case tenon.Listening:
		switch {
		case e.Text != "":
			return fmt.Sprintf("listening on %v: %s", e.Addr, e.Text)
		case verbose || !quiet && o.p.stderr.terminal():
			return fmt.Sprintf("listening on %v", e.Addr)
		}
	case tenon.Notice:
		switch {
		case quiet:
		case e.End == "":
			return e.Text
		default:
			return e.End + ": " + e.Text
		}
	case reloaded:
		if !quiet {
			return e.Text
		}
	case notReloaded:
		return withError(e.Text, e.Err)
	case tenon.Down, tenon.Up:
		if !quiet {
			return withError(e.End+": "+e.Text, e.Err)
		}
	case tenon.Refused:
		if quiet {
			return ""
		}
		who := ""
		if e.Addr != nil && verbose {
			who = " " + e.Addr.String()
		}
		return o.once(withError(e.End+": refused"+who, e.Err))
	case tenon.Accepted:
		return ""
	case tenon.Opened:
		if verbose {
			text := fmt.Sprintf("%d: %s <-> %s, %v", e.Joint, e.End, e.Other, e.Addr)
			if e.Text != "" {
				text += "; " + e.Text
			}
			return text
		}
	case tenon.Closed:
		if verbose {
			text := fmt.Sprintf("%d: ended: %d bytes ->, %d bytes <-", e.Joint, e.Result.AB.Bytes, e.Result.BA.Bytes)
			return withError(text, e.Err)
		}
	}
	return ""
}

// once returns text unless it is what was told last: a target that is down is one
// line, not one for each client.
func (o *output) once(text string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.last == text && !o.c.global.verbose {
		return ""
	}
	o.last = text
	return text
}

func withError(text string, err error) string {
	if err == nil {
		return text
	}
	return text + ": " + oneLine(err)
}

// tellReady says where we listen to those who wait for it: a line for each
// listener.
func (o *output) tellReady(a net.Addr) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ready != nil {
		newConsole(o.ready).line(a.String())
		if o.await--; o.await <= 0 {
			o.ready.Close()
			o.ready = nil
		}
	}
	if o.c.joint.printPort {
		switch a := a.(type) {
		case *net.TCPAddr:
			o.p.stdout.linef("%d", a.Port)
		case *net.UDPAddr:
			o.p.stdout.linef("%d", a.Port)
		default:
			o.p.stdout.line(a.String())
		}
	}
}
